//! From the command line's input to a checked [`Config`].

use std::fmt;
use std::io::Read;
use std::path::{Path, PathBuf};

use crate::diag::{ConfigError, Diagnostic, Sink};
use crate::flags::{self, Flags};
use crate::model::Config;
use crate::read::{Field, Style, nearest};
use crate::source::{Source, Span};
use crate::tree::{self, Node, Value};
use crate::{durable, envoy, merge, native, secrets, variables};

/// A configuration file may not be larger.
const FILE_BYTES_MAX: u64 = 1 << 20;
/// What an inline configuration is called in messages.
const INLINE: &str = "--config-yaml";

/// Where the configuration comes from.
///
/// Its `Debug` leaves out the inline text, which may hold secrets.
#[derive(Clone, Default)]
pub struct Input {
    /// `--config-path`: YAML or JSON.
    pub path: Option<PathBuf>,
    /// `--config-yaml`: merged over the file, or alone.
    pub inline: Option<String>,
    /// `--allow-unknown-static-fields`: fields of an Envoy file that nobody knows are warned about and ignored.
    pub allow_unknown_fields: bool,
    /// The flags that make up a configuration without a file, and those that name this proxy.
    pub flags: Flags,
}

impl fmt::Debug for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Input").field("path", &self.path).field("flags", &self.flags).finish_non_exhaustive()
    }
}

/// Reads, decodes and checks the configuration.
///
/// # Errors
/// An unreadable file, contradicting flags, or everything that is wrong with the document.
pub fn load(input: &Input) -> Result<Config, ConfigError> {
    let mut texts = Vec::new();
    if let Some(path) = &input.path {
        texts.push((path.display().to_string(), read_file(path)?));
    }
    if let Some(inline) = &input.inline {
        texts.push((INLINE.to_owned(), bounded(INLINE, inline.clone())?));
    }
    flags::check(&input.flags, !texts.is_empty())?;
    let mut config = if texts.is_empty() {
        // The shell has its own variables.
        let (source, root) = flags::document(&input.flags);
        decode(vec![source], &root, None, false)?
    } else {
        load_texts(texts, input.allow_unknown_fields)?
    };
    flags::name_node(&input.flags, &mut config.node);
    flags::guard_admin(&input.flags, &mut config.admin)?;
    Ok(config)
}

/// Decodes and checks one document.
///
/// `origin` is what messages call it, usually the file's path.
///
/// # Errors
/// Everything that is wrong with the document.
pub fn load_str(origin: &str, text: &str) -> Result<Config, ConfigError> {
    load_texts(vec![(origin.to_owned(), bounded(origin, text.to_owned())?)], false)
}

fn read_file(path: &Path) -> Result<String, ConfigError> {
    let origin = path.display().to_string();
    let extension = path.extension().and_then(|text| text.to_str()).unwrap_or_default();
    if matches!(extension, "pb" | "pb_text" | "textproto") {
        let message = format!("{origin}: protobuf files are not supported by this version");
        return Err(ConfigError::plain(&message, "write the configuration as YAML or JSON"));
    }
    let mut bytes = Vec::new();
    std::fs::File::open(path)
        .and_then(|file| file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes))
        .map_err(|error| ConfigError::plain(&format!("Invalid path: {origin}: {error}"), ""))?;
    let text = String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        ConfigError::plain(&format!("{origin}: byte {at} is not UTF-8"), "save the file as UTF-8")
    })?;
    bounded(&origin, text)
}

fn bounded(origin: &str, text: String) -> Result<String, ConfigError> {
    if text.len() as u64 > FILE_BYTES_MAX {
        let message = format!("{origin}: larger than 1 MiB");
        return Err(ConfigError::plain(&message, "a configuration is never so large; check the path"));
    }
    Ok(text)
}

/// Parses every text, merges later ones over earlier ones, decodes the result.
fn load_texts(texts: Vec<(String, String)>, allow_unknown: bool) -> Result<Config, ConfigError> {
    let mut sources = Vec::new();
    let mut root: Option<Node> = None;
    for (index, (origin, text)) in texts.into_iter().enumerate() {
        let parsed = tree::parse(index, &without_json_tabs(&text));
        let mut source = Source { origin, shown: text };
        match &parsed {
            Ok(node) => secrets::hide(node, &mut source),
            Err(_) => secrets::hide_by_line(&mut source),
        }
        sources.push(source);
        match parsed {
            Ok(node) => {
                root = Some(root.map_or_else(|| node.clone(), |base| merge::over(base, node.clone())))
            }
            Err(diagnostic) => {
                let sink = Sink::new(sources);
                sink.error(diagnostic);
                return Err(sink.into_error());
            }
        }
    }
    let root = root.unwrap_or_else(|| Node { span: Span::default(), value: Value::Null });
    decode(sources, &root, Some(&variables::environment), allow_unknown)
}

/// JSON may be indented with tabs, YAML may not. In JSON a tab never stands inside a string.
fn without_json_tabs(text: &str) -> String {
    let json = text.contains('\t') && serde_json::from_str::<serde_json::Value>(text).is_ok();
    if json { text.replace('\t', " ") } else { text.to_owned() }
}

/// The document keeps its variables as they are written, since many of them are secrets.
fn decode(
    sources: Vec<Source>,
    root: &Node,
    lookup: Option<variables::Lookup<'_>>,
    allow_unknown: bool,
) -> Result<Config, ConfigError> {
    let origin = sources.first().map(|source| source.origin.clone()).unwrap_or_default();
    let sink = if allow_unknown { Sink::allowing_unknown(sources) } else { Sink::new(sources) };
    let filled;
    let mut parts = match form(root) {
        Ok(Style::Native) => {
            filled = lookup.map_or_else(|| root.clone(), |lookup| variables::fill(root, &sink, lookup));
            // With a variable missing, the other complaints would be about what stands for it.
            if sink.failed() { None } else { native::decode(&Field::root(&sink, &filled, Style::Native)) }
        }
        Ok(Style::Proto) => envoy::decode(&Field::root(&sink, root, Style::Proto)),
        Err(diagnostic) => {
            sink.error(diagnostic);
            None
        }
    };
    if let Some(parts) = &mut parts {
        durable::complete(parts);
    }
    match parts {
        Some(parts) if !sink.failed() => Ok(Config {
            origin: if origin == INLINE { "command line".to_owned() } else { origin },
            node: parts.node,
            admin: parts.admin,
            process: parts.process,
            listeners: parts.listeners,
            clusters: parts.clusters,
            mirrors: parts.mirrors.into_iter().map(|destination| destination.mirror).collect(),
            warnings: sink.warnings(),
            document: secrets::document(root),
        }),
        _ => Err(sink.into_error()),
    }
}

/// Keys that only one of the two forms has at its top.
const NATIVE: [&str; 4] = ["primary", "mirrors", "listen", "timeout"];
const ENVOY: [&str; 10] = [
    "static_resources",
    "staticResources",
    "node",
    "dynamic_resources",
    "dynamicResources",
    "layered_runtime",
    "overload_manager",
    "overloadManager",
    "stats_config",
    "stats_flush_interval",
];

/// Which form a document is in, told by its keys.
fn form(root: &Node) -> Result<Style, Diagnostic> {
    let help = "write an Envoy bootstrap (`static_resources:`) or the native form (`primary:`, `mirrors:`)";
    let Value::Map(entries) = &root.value else {
        let message = format!("expected a map at the top of the document, found {}", root.kind());
        return Err(Diagnostic::new(root.span, "", message).help(help));
    };
    let is_admin = |entry: &&tree::Entry| &*entry.key == "admin";
    let admin_map = entries.iter().find(is_admin).map(|entry| matches!(entry.node.value, Value::Map(_)));
    let native = entries.iter().find(|entry| NATIVE.contains(&&*entry.key));
    let envoy = entries.iter().find(|entry| ENVOY.contains(&&*entry.key));
    match (native, envoy) {
        (Some(native), Some(envoy)) => {
            Err(Diagnostic::new(native.key_span, &native.key, "the native form and Envoy's are mixed")
                .label("native")
                .other(envoy.key_span, "Envoy's")
                .help("keep the keys of one form"))
        }
        (Some(_), None) => Ok(Style::Native),
        (None, Some(_)) => Ok(Style::Proto),
        (None, None) => match admin_map {
            Some(true) => Ok(Style::Proto),
            Some(false) => Ok(Style::Native),
            None => Err(neither(entries, root.span, help)),
        },
    }
}

/// No key tells the form; perhaps one is misspelt.
fn neither(entries: &[tree::Entry], span: Span, help: &str) -> Diagnostic {
    let snake = |name: &&str| !name.contains(|c: char| c.is_ascii_uppercase());
    let known: Vec<&str> = NATIVE.iter().chain(&ENVOY).copied().filter(snake).collect();
    let near = entries.iter().find_map(|entry| Some((entry.key_span, nearest(&entry.key, &known)?)));
    let span = near.map_or(span, |(span, _)| span);
    let diagnostic = Diagnostic::new(span, "", "neither an Envoy bootstrap nor the native form");
    match near {
        Some((_, name)) => diagnostic.help(format!("did you mean `{name}`?")),
        None => diagnostic.help(help),
    }
}
