//! Every diagnostic of this crate's sources: what it says and what to do, without running anything.
//!
//! Diagnostics are made by few functions. Each call of one of them is found in the syntax tree, and its texts are
//! followed to the literals they are made of. Where that is not possible the call is reported, so that no new one goes
//! unseen.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use syn::visit::{self, Visit};
use syn::{Expr, ExprCall, ExprMethodCall};

use crate::text::{Place, Texts};

/// One thing that may be said.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Said {
    /// What it says, with `...` for what differs.
    pub(crate) message: String,
    /// Under the caret.
    pub(crate) label: String,
    /// The remedies it may give.
    pub(crate) help: BTreeSet<String>,
    /// It is accepted all the same.
    pub(crate) warning: bool,
}

/// What was found.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// By source file, relative to `src`.
    pub(crate) said: BTreeMap<String, Vec<Said>>,
    /// Calls whose message could not be followed: `file: function`.
    pub(crate) lost: BTreeSet<String>,
}

/// Where the texts stand among a call's arguments.
struct Shape {
    message: usize,
    label: Option<usize>,
    help: Option<usize>,
}

fn shape(name: &str, arguments: usize) -> Option<Shape> {
    let at = |message, label, help| Some(Shape { message, label, help });
    match (name, arguments) {
        ("refuse" | "warn" | "ConfigError::plain" | "Wrong::new", 2) => at(0, None, Some(1)),
        ("refuse_key", 3) => at(0, Some(1), Some(2)),
        ("refuse" | "warn_line" | "differs" | "mismatch", 1) => at(0, None, None),
        ("Diagnostic", 3) => at(0, Some(1), Some(2)),
        ("group" | "Unsupported::new" | "Unsupported::misplaced", 3) => at(0, Some(1), Some(2)),
        ("require" | "missing", 2) => at(0, None, Some(1)),
        _ => None,
    }
}

/// Reads all sources below a folder.
pub(crate) fn scan(root: &Path) -> Found {
    let mut found = Found::default();
    let mut files = Vec::new();
    collect(root, &mut files);
    let parsed: Vec<(String, syn::File)> = files.iter().map(|path| parse(root, path)).collect();
    let texts = Texts::of(parsed.iter());
    for (name, file) in &parsed {
        let place = (name.clone(), String::new());
        Scanner { place, texts: &texts, found: &mut found }.visit_file(file);
    }
    found
}

fn parse(root: &Path, path: &Path) -> (String, syn::File) {
    let text = std::fs::read_to_string(path).expect("a source file");
    let name = path.strip_prefix(root).expect("below the root").to_string_lossy().into_owned();
    (name, syn::parse_file(&text).expect("it compiles"))
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    let entries = std::fs::read_dir(folder).expect("a folder of sources");
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    paths.sort();
    for path in paths {
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|e| e == "rs") && !path.ends_with("tests.rs") {
            files.push(path);
        }
    }
}

struct Scanner<'a> {
    place: Place,
    texts: &'a Texts,
    found: &'a mut Found,
}

impl Scanner<'_> {
    fn call(&mut self, name: &str, arguments: Vec<&Expr>) {
        let Some(shape) = shape(name, arguments.len()) else { return };
        let text = |at: Option<usize>| at.and_then(|at| arguments.get(at)).copied();
        let follow = |e: &Expr| self.texts.follow(&self.place, e);
        let read = |expression: Option<&Expr>| expression.map_or_else(BTreeSet::new, follow);
        let mut messages = read(text(Some(shape.message)));
        let label = read(text(shape.label)).into_iter().next().unwrap_or_default();
        let help: BTreeSet<String> =
            read(text(shape.help)).into_iter().filter(|help| !help.is_empty()).collect();
        if messages.is_empty() && matches!(name, "require" | "missing") && !help.is_empty() {
            messages.insert("...".to_owned());
        }
        if messages.is_empty() {
            self.found.lost.insert(format!("{}: {name} in {}", self.place.0, self.place.1));
            return;
        }
        let said = self.found.said.entry(self.place.0.clone()).or_default();
        for message in messages {
            let message = match name {
                "mismatch" => format!("expected {message}, found ..."),
                "require" | "missing" => format!("`{message}` is missing"),
                "group" | "Unsupported::new" => listed(&message, "is not supported by this version"),
                "Unsupported::misplaced" => listed(&message, "does not belong here"),
                _ => message,
            };
            let warning = name.starts_with("warn") || name == "differs";
            said.push(Said { message, label: label.clone(), help: help.clone(), warning });
        }
    }
}

fn listed(names: &str, what: &str) -> String {
    let names: Vec<String> = names.split_ascii_whitespace().map(|name| format!("`{name}`")).collect();
    format!("{} {what}", names.join(", "))
}

/// Whether something is only there for tests.
fn is_test(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("test")
            || (attribute.path().is_ident("cfg")
                && attribute.parse_args::<syn::Path>().is_ok_and(|path| path.is_ident("test")))
    })
}

/// `Diagnostic::new` of `crate::diag::Diagnostic::new`.
fn last_two(path: &syn::Path) -> String {
    let names: Vec<String> = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
    names[names.len().saturating_sub(2)..].join("::")
}

/// The message, label and help of `Diagnostic::new(..).label(..).help(..)`.
fn built(call: &ExprMethodCall) -> Option<[&Expr; 3]> {
    let (mut label, mut help) = (None, None);
    let mut at = call;
    let new = loop {
        match (at.method.to_string().as_str(), at.args.first()) {
            ("label", Some(text)) => label = Some(text),
            ("help", Some(text)) => help = Some(text),
            _ => {}
        }
        match &*at.receiver {
            Expr::MethodCall(inner) => at = inner,
            Expr::Call(new) => break new,
            _ => return None,
        }
    };
    let Expr::Path(path) = &*new.func else { return None };
    let is_new = last_two(&path.path) == "Diagnostic::new";
    let message = new.args.iter().nth(2).filter(|_| is_new)?;
    // What is not there is followed to nothing.
    Some([message, label.unwrap_or(&call.receiver), help.unwrap_or(&call.receiver)])
}

impl<'ast> Visit<'ast> for Scanner<'_> {
    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        if !is_test(&item.attrs) {
            visit::visit_item_mod(self, item);
        }
    }

    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        self.place.1 = item.sig.ident.to_string();
        visit::visit_item_fn(self, item);
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        self.place.1 = item.sig.ident.to_string();
        visit::visit_impl_item_fn(self, item);
    }

    fn visit_expr_method_call(&mut self, call: &'ast ExprMethodCall) {
        if let Some(parts) = built(call) {
            return self.call("Diagnostic", parts.to_vec());
        }
        self.call(&call.method.to_string(), call.args.iter().collect());
        visit::visit_expr_method_call(self, call);
    }

    fn visit_expr_call(&mut self, call: &'ast ExprCall) {
        if let Expr::Path(path) = &*call.func {
            match (last_two(&path.path).as_str(), call.args.first()) {
                // A message with its remedy, for whoever knows the place.
                ("Err", Some(Expr::Tuple(pair))) if pair.elems.len() == 2 => {
                    self.call("refuse", pair.elems.iter().collect());
                }
                ("Diagnostic::new", _) if call.args.len() == 3 => {
                    let none: Expr = syn::parse_quote!("");
                    let message = call.args.iter().nth(2).into_iter();
                    self.call("Diagnostic", message.chain([&none, &none]).collect());
                }
                (name, _) if name == "group" || name.contains("::") => {
                    self.call(name, call.args.iter().collect())
                }
                _ => {}
            }
        }
        visit::visit_expr_call(self, call);
    }
}
