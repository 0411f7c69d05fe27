//! A configuration without a file: `--primary URL --mirror URL`.
//!
//! The flags become a document in the native form whose text is the command line itself, so that one decoder
//! serves both and its carets point at the flag that is wrong.

use std::fmt;
use std::rc::Rc;

use crate::diag::ConfigError;
use crate::model::{Admin, Node as Identity};
use crate::source::{Source, Span};
use crate::tree::{Entry, Node, Value};

/// The flags that concern the configuration, as written.
///
/// Its `Debug` leaves out the URLs, in which someone may have written a password.
#[derive(Clone, Default)]
pub struct Flags {
    /// `--primary URL`
    pub primary: Option<String>,
    /// `--mirror URL`, any number.
    pub mirrors: Vec<String>,
    /// `--listen ADDRESS:PORT`
    pub listen: Option<String>,
    /// `--admin ADDRESS:PORT`, or `off`.
    pub admin: Option<String>,
    /// `--admin-writes`: as `admin_writes`, whatever the file says.
    pub admin_writes: bool,
    /// `--admin-token-file`: as `admin_token_file`, whatever the file says.
    pub admin_token_file: Option<String>,
    /// `--service-node`: overrides `node.id`.
    pub service_node: Option<String>,
    /// `--service-cluster`: overrides `node.cluster`.
    pub service_cluster: Option<String>,
    /// `--service-zone`: overrides `node.locality.zone`.
    pub service_zone: Option<String>,
}

impl fmt::Debug for Flags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Flags")
            .field("mirrors", &self.mirrors.len())
            .field("listen", &self.listen)
            .field("admin", &self.admin)
            .field("admin_writes", &self.admin_writes)
            .field("admin_token_file", &self.admin_token_file)
            .field("service_node", &self.service_node)
            .field("service_cluster", &self.service_cluster)
            .field("service_zone", &self.service_zone)
            .finish_non_exhaustive()
    }
}

/// Refuses flags that contradict each other or the presence of a file.
pub(crate) fn check(flags: &Flags, file: bool) -> Result<(), ConfigError> {
    let given = [
        ("--primary", flags.primary.is_some()),
        ("--mirror", !flags.mirrors.is_empty()),
        ("--listen", flags.listen.is_some()),
        ("--admin", flags.admin.is_some()),
    ];
    if file {
        return match given.iter().find(|(_, given)| *given) {
            Some((flag, _)) => Err(ConfigError::plain(
                &format!("{flag} cannot be used together with --config-path or --config-yaml"),
                "set it in the file, or describe everything with flags and no file",
            )),
            None => Ok(()),
        };
    }
    if flags.primary.is_some() {
        return Ok(());
    }
    match given.iter().find(|(_, given)| *given) {
        Some((flag, _)) => Err(ConfigError::plain(
            &format!("{flag} needs --primary"),
            "name the primary cluster: --primary http://mimir-primary:8080",
        )),
        None => Err(ConfigError::plain(
            "At least one of --config-path or --config-yaml or --primary should be non-empty",
            "name a file (-c envoy.yaml), or the clusters: --primary http://mimir-primary:8080 --mirror \
             http://mimir-secondary:8080",
        )),
    }
}

/// `--service-*` over what the file says.
pub(crate) fn name_node(flags: &Flags, node: &mut Identity) {
    let pairs = [
        (&flags.service_node, &mut node.id),
        (&flags.service_cluster, &mut node.cluster),
        (&flags.service_zone, &mut node.zone),
    ];
    for (flag, value) in pairs {
        if let Some(flag) = flag.as_ref().filter(|flag| !flag.is_empty()) {
            value.clone_from(flag);
        }
    }
}

/// `--admin-*` over what the file says.
pub(crate) fn guard_admin(flags: &Flags, admin: &mut Option<Admin>) -> Result<(), ConfigError> {
    let Some(admin) = admin else { return Ok(()) };
    admin.access.writes |= flags.admin_writes;
    if let Some(path) = &flags.admin_token_file {
        let token = crate::native::admin::token(path);
        let token = token.map_err(|(message, help)| {
            ConfigError::plain(&format!("--admin-token-file {path}: {message}"), help)
        })?;
        admin.access.token = Some(token);
    }
    Ok(())
}

/// The flags as a document in the native form.
pub(crate) fn document(flags: &Flags) -> (Source, Node) {
    let mut line = Line::default();
    let mut entries = Vec::new();
    for (key, flag, value) in [
        ("listen", "--listen", &flags.listen),
        ("admin", "--admin", &flags.admin),
        ("primary", "--primary", &flags.primary),
    ] {
        if let Some(value) = value {
            let (key_span, node) = line.push(flag, value);
            entries.push(Entry { key: Rc::from(key), key_span, node });
        }
    }
    let mut mirrors = Vec::new();
    for url in &flags.mirrors {
        let (key_span, node) = line.push("--mirror", url);
        let span = Span { end: node.span.end, ..key_span };
        mirrors.push(Node { span, value: Value::Map(vec![Entry { key: Rc::from("url"), key_span, node }]) });
    }
    let whole = Span { source: 0, start: 0, end: line.text.len() };
    if !mirrors.is_empty() {
        let node = Node { span: whole, value: Value::List(mirrors) };
        entries.push(Entry { key: Rc::from("mirrors"), key_span: whole, node });
    }
    let root = Node { span: whole, value: Value::Map(entries) };
    let mut source = Source { origin: "command line".to_owned(), shown: line.text };
    crate::secrets::hide(&root, &mut source);
    (source, root)
}

/// The command line being rebuilt.
#[derive(Default)]
struct Line {
    text: String,
}

impl Line {
    fn push(&mut self, flag: &str, value: &str) -> (Span, Node) {
        if !self.text.is_empty() {
            self.text.push(' ');
        }
        let key = self.add(flag);
        self.text.push(' ');
        let span = self.add(value);
        (key, Node { span, value: Value::Text(Rc::from(value)) })
    }

    fn add(&mut self, text: &str) -> Span {
        let start = self.text.len();
        self.text.push_str(text);
        Span { source: 0, start, end: self.text.len() }
    }
}
