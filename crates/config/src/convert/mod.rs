//! A configuration back to text: for moving from Envoy to the native form, and from v2 to v3.
//!
//! The text loads again to the same model. What the target form cannot say is an error if requests would go
//! elsewhere, and a comment at the top of the text if they would not. Secrets are never printed; the comment
//! names them.

mod access_log;
mod admin;
mod cluster;
mod conventions;
mod envoy;
mod headers;
mod native;
mod process;
mod protocol;
mod route;
mod tls_envoy;
mod tls_native;
mod yaml;

pub use envoy::{envoy_v3_document, to_envoy_v3};
pub use native::to_native;
pub use route::{route_changes, route_match, route_reply};

/// Why a configuration has no text in the wanted form: one sentence for each reason.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", .reasons.join("\n"))]
pub struct ConvertError {
    /// What the form cannot say.
    pub reasons: Vec<String>,
}

/// What is to be said about a conversion while it goes on.
#[derive(Debug, Default)]
struct Notes {
    /// Comments at the top of the text.
    differences: Vec<String>,
    /// Reasons to refuse.
    errors: Vec<String>,
    /// The text is looked at and never loaded: what is not printed has something in its place.
    shown: bool,
}

impl Notes {
    fn differs(&mut self, what: impl Into<String>) {
        let what = what.into();
        if !self.differences.contains(&what) {
            self.differences.push(what);
        }
    }

    fn refuse<T>(&mut self, why: impl Into<String>) -> Option<T> {
        self.errors.push(why.into());
        None
    }

    /// The text with its comments, or the reasons against it.
    fn finish(self, title: &str, document: Option<&serde_json::Value>) -> Result<String, ConvertError> {
        let Some(document) = document.filter(|_| self.errors.is_empty()) else {
            return Err(ConvertError { reasons: self.errors });
        };
        let mut text = format!("# {title}\n");
        if !self.differences.is_empty() {
            text.push_str("# Not the same as before:\n");
        }
        for difference in &self.differences {
            let line: String = difference.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
            text.push_str(&format!("# - {line}\n"));
        }
        text.push_str(&yaml::print(document));
        Ok(text)
    }
}

/// A header's value as text; sensitive ones are not printed.
fn value(
    notes: &mut Notes,
    subject: &str,
    name: &http::HeaderName,
    value: &http::HeaderValue,
) -> Option<String> {
    if value.is_sensitive() {
        notes.differs(format!("{subject}: the value of `{name}` is a secret and not printed; set it again"));
        return None;
    }
    match std::str::from_utf8(value.as_bytes()) {
        Ok(text) => Some(text.to_owned()),
        Err(_) => notes.refuse(format!("{subject}: the value of `{name}` is not UTF-8")),
    }
}
