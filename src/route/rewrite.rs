//! Rewrites of path and host. The primary and the copies get the same, but for the name of the primary's endpoint.

use bytes::Bytes;
use config::model::{Forward, HostRewrite, PathMatch, PathRewrite, RouteMatch};
use http::header::HOST;
use http::request::Parts;
use http::{HeaderName, HeaderValue, Uri};

use super::reply::LocalReply;

const ORIGINAL_PATH: HeaderName = HeaderName::from_static("x-envoy-original-path");
const ORIGINAL_HOST: HeaderName = HeaderName::from_static("x-envoy-original-host");
const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");

/// Rewrites what a route rewrites. `tells`: the headers say what it was before, as Envoy's do.
///
/// # Errors
/// The rewritten path is none that could be sent.
pub(crate) fn apply(
    head: &mut Parts,
    matches: &RouteMatch,
    forward: &Forward,
    tells: bool,
) -> Result<(), LocalReply> {
    let host = match &forward.host {
        HostRewrite::None | HostRewrite::Endpoint(_) => None,
        HostRewrite::Literal(host) => Some(host.clone()),
        HostRewrite::Header(name) => head.headers.get(name).filter(|value| !value.is_empty()).cloned(),
        HostRewrite::PathRegex(replacement) => {
            HeaderValue::from_bytes(&replacement.apply(head.uri.path().as_bytes())).ok()
        }
    };
    if let Some(host) = host {
        set_host(head, host, forward, tells);
    }
    let Some(path) = path(&head.uri, matches, &forward.path) else { return Ok(()) };
    let before = head.uri.path_and_query().and_then(|before| HeaderValue::from_str(before.as_str()).ok());
    head.uri = target(path, head.uri.query())?;
    if let Some(before) = before.filter(|_| tells) {
        head.headers.insert(ORIGINAL_PATH, before);
    }
    Ok(())
}

/// What concerns the primary alone: the host becomes the name of its endpoint.
pub(crate) fn for_primary(head: &mut Parts, forward: &Forward, tells: bool) {
    if let HostRewrite::Endpoint(Some(name)) = &forward.host {
        set_host(head, name.clone(), forward, tells);
    }
}

fn set_host(head: &mut Parts, host: HeaderValue, forward: &Forward, tells: bool) {
    let Some(before) = head.headers.insert(HOST, host) else { return };
    if tells {
        head.headers.insert(ORIGINAL_HOST, before.clone());
    }
    if forward.append_x_forwarded_host {
        let list = match head.headers.get(&FORWARDED_HOST) {
            Some(list) => {
                HeaderValue::from_bytes(&[list.as_bytes(), before.as_bytes()].join(&b',')).unwrap_or(before)
            }
            None => before,
        };
        head.headers.insert(FORWARDED_HOST, list);
    }
}

/// The rewritten path without query, if it is to be rewritten.
pub(super) fn path(uri: &Uri, matches: &RouteMatch, rewrite: &PathRewrite) -> Option<Vec<u8>> {
    let path = uri.path();
    match rewrite {
        PathRewrite::None => None,
        PathRewrite::Prefix(new) => {
            let matched = match &matches.path {
                PathMatch::Prefix(prefix) | PathMatch::SeparatedPrefix(prefix) => prefix.len(),
                PathMatch::Path(_) | PathMatch::Regex(_) => path.len(),
            };
            Some([new.as_bytes(), path.as_bytes().get(matched..).unwrap_or_default()].concat())
        }
        PathRewrite::Regex(replacement) => Some(replacement.apply(path.as_bytes())),
    }
}

/// A target of this path and query.
pub(super) fn target(mut path: Vec<u8>, query: Option<&str>) -> Result<Uri, LocalReply> {
    if !path.starts_with(b"/") || path.contains(&b'?') && query.is_some() {
        return Err(LocalReply::BadRewrite);
    }
    if let Some(query) = query {
        path.push(b'?');
        path.extend_from_slice(query.as_bytes());
    }
    Uri::from_maybe_shared(Bytes::from(path)).map_err(|_| LocalReply::BadRewrite)
}
