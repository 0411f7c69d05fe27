//! From an expression to the texts it may be.

use std::collections::{BTreeMap, BTreeSet};

use syn::visit::{self, Visit};
use syn::{Expr, Lit, Pat, Stmt};

/// A file and a function in it. Without the function: constants of the file; without both: of any.
pub(crate) type Place = (String, String);

/// What names stand for: locals by file and function, and constants, of their own file or of any.
#[derive(Debug, Default)]
pub(crate) struct Texts {
    named: BTreeMap<(Place, String), BTreeSet<String>>,
    place: Place,
}

impl Texts {
    /// Those of some files. Twice, since constants may stand anywhere.
    pub(crate) fn of<'a>(files: impl Iterator<Item = &'a (String, syn::File)> + Clone) -> Self {
        let mut texts = Self::default();
        for (name, file) in files.clone().chain(files) {
            texts.place = (name.clone(), String::new());
            texts.visit_file(file);
        }
        texts
    }

    /// The texts that an expression in a function may be; none if that cannot be seen.
    pub(crate) fn follow(&self, place: &Place, expression: &Expr) -> BTreeSet<String> {
        let again = |inner: &Expr| self.follow(place, inner);
        match expression {
            Expr::Lit(literal) => match &literal.lit {
                Lit::Str(text) => BTreeSet::from([text.value()]),
                _ => BTreeSet::new(),
            },
            Expr::Reference(inner) => again(&inner.expr),
            Expr::Paren(inner) => again(&inner.expr),
            Expr::MethodCall(call)
                if ["to_owned", "into", "to_string", "as_str"].contains(&&*call.method.to_string()) =>
            {
                again(&call.receiver)
            }
            Expr::Macro(call) if call.mac.path.is_ident("format") => {
                formatted(&call.mac.tokens).into_iter().collect()
            }
            Expr::If(branch) => {
                let mut all = self.block(place, &branch.then_branch);
                if let Some((_, other)) = &branch.else_branch {
                    all.extend(again(other));
                }
                all
            }
            Expr::Block(block) => self.block(place, &block.block),
            Expr::Match(cases) => cases.arms.iter().flat_map(|arm| again(&arm.body)).collect(),
            Expr::Path(path) => {
                let name = path.path.segments.last().map(|s| s.ident.to_string()).unwrap_or_default();
                let of = |file: &str, function: &str| {
                    self.named.get(&((file.to_owned(), function.to_owned()), name.clone())).cloned()
                };
                let (file, function) = (place.0.as_str(), place.1.as_str());
                of(file, function).or_else(|| of(file, "")).or_else(|| of("", "")).unwrap_or_default()
            }
            _ => BTreeSet::new(),
        }
    }

    fn block(&self, place: &Place, block: &syn::Block) -> BTreeSet<String> {
        match block.stmts.last() {
            Some(Stmt::Expr(expression, _)) => self.follow(place, expression),
            _ => BTreeSet::new(),
        }
    }

    fn name(&mut self, name: &syn::Ident, expression: &Expr) {
        let texts = self.follow(&self.place.clone(), expression);
        let mut put = |place: Place| {
            let known = self.named.entry((place, name.to_string())).or_default();
            known.extend(texts.iter().cloned());
        };
        if !texts.is_empty() {
            if self.place.1.is_empty() {
                put(Place::default());
            }
            put(self.place.clone());
        }
    }
}

impl<'ast> Visit<'ast> for Texts {
    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        self.place.1 = item.sig.ident.to_string();
        visit::visit_item_fn(self, item);
        self.place.1.clear();
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        self.place.1 = item.sig.ident.to_string();
        visit::visit_impl_item_fn(self, item);
        self.place.1.clear();
    }

    fn visit_item_const(&mut self, item: &'ast syn::ItemConst) {
        let function = std::mem::take(&mut self.place.1);
        self.name(&item.ident, &item.expr);
        self.place.1 = function;
    }

    fn visit_local(&mut self, local: &'ast syn::Local) {
        match (&local.pat, &local.init) {
            (Pat::Ident(pattern), Some(init)) => self.name(&pattern.ident, &init.expr),
            (Pat::Tuple(names), Some(init)) => {
                for pair in ends(&init.expr) {
                    for (name, text) in names.elems.iter().zip(&pair.elems) {
                        if let Pat::Ident(name) = name {
                            self.name(&name.ident, text);
                        }
                    }
                }
            }
            _ => {}
        }
        visit::visit_local(self, local);
    }
}

/// The tuples that an expression may end in.
fn ends(expression: &Expr) -> Vec<&syn::ExprTuple> {
    fn of(block: &syn::Block) -> Vec<&syn::ExprTuple> {
        match block.stmts.last() {
            Some(Stmt::Expr(last, _)) => ends(last),
            _ => Vec::new(),
        }
    }
    match expression {
        Expr::Tuple(tuple) => vec![tuple],
        Expr::Match(cases) => cases.arms.iter().flat_map(|arm| ends(&arm.body)).collect(),
        Expr::Block(block) => of(&block.block),
        Expr::If(branch) => {
            let other = branch.else_branch.as_ref().map(|(_, other)| ends(other)).unwrap_or_default();
            of(&branch.then_branch).into_iter().chain(other).collect()
        }
        _ => Vec::new(),
    }
}

/// The text of `format!`, with `...` for each placeholder.
fn formatted(tokens: &proc_macro2::TokenStream) -> Option<String> {
    let first = tokens.clone().into_iter().next()?;
    let text = syn::parse2::<syn::LitStr>(first.into()).ok()?.value();
    let mut out = String::new();
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '{' if rest.peek() == Some(&'{') => out.extend(rest.next()),
            '{' => {
                while rest.next().is_some_and(|c| c != '}') {}
                out.push_str("...");
            }
            '}' => out.extend(rest.next()),
            c => out.push(c),
        }
    }
    Some(out.replace("......", "..."))
}
