//! Where a redirect sends the client.

use config::model::{Redirect, RedirectPath, RouteMatch};
use http::header::HOST;
use http::request::Parts;
use http::{HeaderName, HeaderValue};

use super::rewrite;

const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// The value of `location`.
pub(super) fn location(redirect: &Redirect, matches: &RouteMatch, head: &Parts) -> Option<HeaderValue> {
    let text = |name| head.headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    let received = text(X_FORWARDED_PROTO).unwrap_or("http");
    let scheme = redirect.scheme.as_deref().unwrap_or(received);
    let port = redirect.port.map_or_else(String::new, |port| format!(":{port}"));
    let host = match &redirect.host {
        Some(host) => host,
        None => without_port(text(HOST).unwrap_or_default(), |own| {
            let default = if received == "https" { ":443" } else { ":80" };
            !port.is_empty() || (scheme != received && own == default)
        }),
    };
    HeaderValue::from_str(&format!("{scheme}://{host}{port}{}", path(redirect, matches, head)?)).ok()
}

/// The host without its port, if `goes` says so of it.
fn without_port(host: &str, goes: impl Fn(&str) -> bool) -> &str {
    let name = host.rfind(']').map_or(0, |at| at + 1);
    let at = host.get(name..).and_then(|rest| rest.rfind(':')).map(|at| name + at);
    match at.map(|at| host.split_at(at)) {
        Some((name, port)) if goes(port) => name,
        _ => host,
    }
}

/// The path with its query.
fn path(redirect: &Redirect, matches: &RouteMatch, head: &Parts) -> Option<String> {
    let query = head.uri.query().filter(|_| !redirect.strip_query);
    let path = match &redirect.path {
        // A query of its own stays whatever becomes of the request's.
        RedirectPath::To(path) if path.contains('?') => return Some(path.clone()),
        RedirectPath::To(path) => path.clone(),
        RedirectPath::Rewritten(rewritten) => match rewrite::path(&head.uri, matches, rewritten) {
            Some(path) => String::from_utf8(path).ok()?,
            None => head.uri.path().to_owned(),
        },
    };
    Some(match query {
        Some(query) => format!("{path}?{query}"),
        None => path,
    })
}
