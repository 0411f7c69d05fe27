//! The page: diagnostics by kind, each with what it means and what mends it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use crate::scan::Said;

const HEAD: &str = "\
# What is said of a configuration

Every error and warning, by kind: what it says, and what it means or how to mend it. An error ends the start with 1, and
`--mode validate` too; a warning is printed, and the file is used. `...` stands for what differs. Before each stand file,
line, column and the field's path; many start with that path (`mirrors[0].url has no scheme`). Made from the sources by
`cargo xtask docs`; a test fails while one is missing. What a running proxy says: [errors.md](errors.md).
";

/// A heading, what its diagnostics mean, and the sources that make them (the first that fits counts).
const KINDS: [(&str, &str, &[&str]); 12] = [
    (
        "The file as such",
        "It cannot be read, or is no YAML or JSON of the kind that is wanted. Nothing in it was looked at.",
        &["load.rs", "tree.rs", "source.rs", "merge.rs", "plain.rs"],
    ),
    ("Flags", "The command line contradicts itself or lacks something.", &["flags.rs"]),
    ("Variables", "`${VAR}` in a value of the native form cannot be filled in.", &["variables.rs"]),
    (
        "Values of the wrong kind",
        "A key is known, but not with this value; or the key is not known at all.",
        &["read/", "units.rs", "headers.rs", "address.rs"],
    ),
    (
        "The native form",
        "Settings that are wrong by themselves, or do not go together.",
        &["native/", "settings.rs"],
    ),
    ("Credentials", "Of `auth`, and of secrets in files.", &["auth.rs", "secrets.rs"]),
    ("Durable delivery", "Of `delivery: durable` and `backlog`, in either form.", &["durable.rs"]),
    ("Formats of access logs", "Envoy's commands (`%START_TIME%`).", &["format.rs", "format/"]),
    (
        "Envoy's fields that are refused",
        "Envoy knows these, and this version does not do what they ask for. [Every field](fields/README.md) by message.",
        &["envoy/unsupported/"],
    ),
    (
        "TLS in an Envoy file",
        "Certificates, keys, names and versions.",
        &["envoy/tls/", "envoy/client_cert.rs"],
    ),
    (
        "An Envoy file",
        "Fields that are wrong by themselves, contradict each other, or ask for what is not done here.",
        &["envoy/", "model/"],
    ),
    (
        "What `convert` cannot say",
        "The other form has no words for this. As an error nothing is printed: keep the file as it is, it runs; or remove \
         what is named. As a warning the form is printed and behaves differently in this one point.",
        &["convert/"],
    ),
];

/// What needs a word that does not stand beside it.
const MEANT: [(&str, &str); 15] = [
    ("Invalid path: ...: ...", "the file is not there or may not be read: its end says which"),
    (
        "neither an Envoy bootstrap nor the native form",
        "write an Envoy bootstrap (`static_resources:`) or the native form (`primary:`, `mirrors:`)",
    ),
    ("--admin-token-file ...: ...", "its end says what is wrong with the file: not there, empty, too large"),
    ("`...` is not a whole number", "write digits alone"),
    ("expected ", "write a value of the kind that is expected"),
    ("is missing", "it must be written; what to write stands with each `... is missing` below"),
    ("no such field", "misspelt, or in the wrong place: the nearest known name is suggested"),
    ("no such field; it is ignored", "as `--allow-unknown-static-fields` asks for"),
    ("credentials in `Authorization` go to ... in clear", "or write `https://`"),
    (
        "clients' credentials (",
        "asked for by `credentials: keep`: whoever can read the backlog can read them",
    ),
    ("copies that are read back from disk go without", "credentials are not stored; they would expire, too"),
    ("is not a header's name", "use letters, digits and dashes"),
    ("is not a host", "write a host name, with its port if it has one"),
    ("malformed IP address: ...", "write an address such as `0.0.0.0`; names are looked up in clusters only"),
    ("is not supported by this version", "remove it, if what it asks for is not needed"),
];

/// All of it.
pub(crate) fn write(said: &BTreeMap<String, Vec<Said>>) -> String {
    let mut kinds: BTreeMap<usize, BTreeMap<(String, bool), BTreeSet<String>>> = BTreeMap::new();
    for (file, said) in said {
        let kind = KINDS.iter().position(|(.., files)| files.iter().any(|start| file.starts_with(start)));
        let kind = kind.unwrap_or_else(|| panic!("{file} makes diagnostics of no kind: add it to KINDS"));
        for one in said {
            let all = kinds.entry(kind).or_default();
            all.entry((one.message.clone(), one.warning)).or_default().extend(meanings(one));
        }
    }
    let mut out = HEAD.to_owned();
    out.push('\n');
    for kind in kinds.keys() {
        let _ = writeln!(out, "- [{0}](#{1})", KINDS[*kind].0, anchor(KINDS[*kind].0));
    }
    for (kind, rows) in kinds {
        let (title, meaning, _) = KINDS[kind];
        let _ = writeln!(out, "\n## {title}\n\n{}\n", wrapped(meaning));
        let bare = rows.values().all(BTreeSet::is_empty);
        out.push_str(if bare {
            "| It says |\n|---|\n"
        } else {
            "| It says | Meaning and mend |\n|---|---|\n"
        });
        for ((message, warning), meanings) in rows {
            let warning = if warning { "warning: " } else { "" };
            let mut meanings: Vec<String> = meanings.into_iter().collect();
            if meanings.is_empty() && !bare {
                meanings.push(meant(&message).to_owned());
            }
            let mend = if bare { String::new() } else { format!(" {} |", cell(&meanings.join("; or: "))) };
            let _ = writeln!(out, "| {warning}{} |{mend}", cell(&message));
        }
    }
    out
}

fn meant(message: &str) -> &'static str {
    let fits = |start: &str| message == start || message.starts_with(start) || message.ends_with(start);
    let exact = MEANT.iter().find(|(start, _)| *start == message);
    let known = exact.or_else(|| MEANT.iter().find(|(start, _)| fits(start)));
    known.map_or_else(
        || panic!("{message:?} says not what to do: give it a help, or a line in MEANT"),
        |k| k.1,
    )
}

/// What is under the caret, with the remedy.
fn meanings(one: &Said) -> Vec<String> {
    match (one.label.as_str(), one.help.is_empty()) {
        ("", _) => one.help.iter().cloned().collect(),
        (label, true) => vec![label.to_owned()],
        (label, false) => one.help.iter().map(|help| format!("{label}; {help}")).collect(),
    }
}

/// As a cell of a table: text that holds marks of Markdown's own.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('*', "\\*").replace('<', "\\<").replace('\n', " ")
}

fn anchor(title: &str) -> String {
    let kept = title.to_lowercase().replace(' ', "-");
    kept.chars().filter(|c| c.is_alphanumeric() || *c == '-').collect()
}

/// Lines of at most 120 characters.
fn wrapped(text: &str) -> String {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        if lines.last().is_some_and(|line| line.len() + word.len() >= 120) {
            lines.push(String::new());
        }
        let line = lines.last_mut().expect("one line at least");
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    lines.join("\n")
}
