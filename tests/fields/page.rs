//! A page of `docs/fields`, read; and the smallest file that holds an example of it.

use std::path::Path;

/// What became of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Works,
    Differs,
    Refused,
}

/// A field.
pub(super) struct Row {
    pub field: String,
    pub verdict: Verdict,
    /// `file::function` of the scenario.
    pub proof: String,
    /// How it differs; for refused ones perhaps why.
    pub note: String,
    /// An entry of a YAML flow map; empty for what stands in every file.
    pub example: String,
}

/// A message.
pub(super) struct Page {
    pub slug: String,
    pub title: String,
    pub message: String,
    parent: Option<String>,
    /// How it is written in its parent, with `<fields>` for its own entries.
    written: String,
    beside: Vec<Beside>,
    /// Fields of which there can be one.
    groups: Vec<Vec<String>>,
    pub rows: Vec<Row>,
}

/// What must stand beside an example.
enum Beside {
    Entry(String),
    Child(String),
}

/// Every page, in the order of their names.
pub(super) fn pages(folder: &Path) -> Vec<Page> {
    let entries = std::fs::read_dir(folder).expect("docs/fields");
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
    paths.sort();
    let named = |path: &Path| path.file_stem().and_then(|stem| stem.to_str()).map(str::to_owned);
    let slugs = paths.iter().filter_map(|path| Some((named(path)?, path)));
    let pages = slugs.filter(|(slug, _)| slug != "README");
    pages.map(|(slug, path)| read(slug, &std::fs::read_to_string(path).expect("a page"))).collect()
}

fn read(slug: String, text: &str) -> Page {
    let mut page = Page {
        slug,
        title: String::new(),
        message: String::new(),
        parent: None,
        written: String::new(),
        beside: Vec::new(),
        groups: Vec::new(),
        rows: Vec::new(),
    };
    for line in text.lines() {
        if let Some(title) = line.strip_prefix("# ") {
            title.clone_into(&mut page.title);
        } else if let Some(rest) = line.strip_prefix("- Written as: ") {
            page.written = spans(rest).swap_remove(0);
        } else if let Some(rest) = line.strip_prefix("- Beside: ") {
            page.beside = beside(rest);
        } else if let Some(rest) = line.strip_prefix("- Only one of: ") {
            page.groups.push(spans(rest));
        } else if line.starts_with("| `") {
            page.rows.push(row(line));
        } else if line.starts_with('`') && page.message.is_empty() {
            page.message = spans(line).swap_remove(0);
            page.parent =
                line.split_once("](").and_then(|(_, rest)| Some(rest.split_once(".md)")?.0.to_owned()));
        }
    }
    page
}

/// What stands between backticks.
fn spans(text: &str) -> Vec<String> {
    text.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

/// Code spans and links, in order.
fn beside(text: &str) -> Vec<Beside> {
    let mut found = Vec::new();
    for (index, part) in text.split('`').enumerate() {
        if index % 2 == 1 {
            found.push(Beside::Entry(part.to_owned()));
        } else {
            let links = part.split("](").skip(1).filter_map(|rest| rest.split_once(".md)"));
            found.extend(links.map(|(slug, _)| Beside::Child(slug.to_owned())));
        }
    }
    found
}

fn row(line: &str) -> Row {
    let cells: Vec<_> =
        line.trim_matches('|').split(" |").map(str::trim).map(|c| c.trim_start_matches("| ")).collect();
    let [field, verdict, proof, example] = cells.as_slice() else { panic!("four cells in {line}") };
    let verdict = match *verdict {
        "works" => Verdict::Works,
        "differs" => Verdict::Differs,
        "refused" => Verdict::Refused,
        other => panic!("{other:?} is no verdict: {line}"),
    };
    let (proof, note) = match verdict {
        Verdict::Refused => ("", *proof),
        _ => proof.split_once(';').map_or((*proof, ""), |(proof, note)| (proof, note.trim())),
    };
    let bare = |text: &str| text.trim_matches('`').to_owned();
    Row {
        field: bare(field),
        verdict,
        proof: proof.to_owned(),
        note: note.to_owned(),
        example: bare(example),
    }
}

fn of<'a>(all: &'a [Page], slug: &str) -> &'a Page {
    all.iter().find(|page| page.slug == slug).unwrap_or_else(|| panic!("no page {slug}"))
}

/// The text of a file with this example in this message.
pub(super) fn file(all: &[Page], page: &Page, example: &str) -> String {
    let own = keys(example);
    let excluded = page.groups.iter().filter(|group| own.iter().any(|key| group.contains(key))).flatten();
    let gone: Vec<_> = own.iter().chain(excluded).collect();
    let others = page.beside.iter().map(|beside| entry(all, beside));
    let mut entries: Vec<_> =
        others.filter(|entry| !keys(entry).iter().any(|key| gone.contains(&key))).collect();
    entries.push(example.to_owned());
    let text = page.written.replace("<fields>", &entries.join(", "));
    page.parent.as_ref().map_or_else(|| text.clone(), |parent| file(all, of(all, parent), &text))
}

fn entry(all: &[Page], beside: &Beside) -> String {
    match beside {
        Beside::Entry(entry) => entry.clone(),
        Beside::Child(slug) => {
            let child = of(all, slug);
            let entries: Vec<_> = child.beside.iter().map(|beside| entry(all, beside)).collect();
            child.written.replace("<fields>", &entries.join(", "))
        }
    }
}

/// The keys of entries of a flow map.
fn keys(entries: &str) -> Vec<String> {
    let (mut depth, mut quoted, mut start) = (0, false, 0);
    let mut parts = Vec::new();
    for (at, byte) in entries.bytes().enumerate() {
        match byte {
            b'"' => quoted = !quoted,
            _ if quoted => {}
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth -= 1,
            b',' if depth == 0 => {
                parts.push(&entries[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&entries[start..]);
    let keys = parts.iter().filter_map(|part| part.split_once(':'));
    keys.map(|(key, _)| key.trim().trim_matches('"').to_owned()).collect()
}
