//! What the proxy does to headers: as little as HTTP allows (contract C1).
//!
//! Hop-by-hop headers go (RFC 9110 section 7.6.1); framing is set explicitly; from an Envoy file come Envoy's own
//! additions. `HeaderMap::remove` reorders what is left, so where something must go the map is rebuilt.

mod envoy;
#[cfg(test)]
mod tests;

use std::time::Duration;

use config::model::{ClientHttp, Conventions, EnvoyConventions, Underscores};
use http::header::{CONNECTION, CONTENT_LENGTH, COOKIE, DATE, EXPECT, HOST, TE, TRANSFER_ENCODING, UPGRADE};
use http::{HeaderMap, HeaderName, HeaderValue, Uri, Version, request, response};

use super::reply::LocalReply;
use super::{client_certificate, target};
use crate::tls::Secured;
pub(crate) use envoy::{EXPECTED_TIMEOUT, Source, add_route_headers, request_id_told};

const CHUNKED: HeaderValue = HeaderValue::from_static("chunked");
const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
const PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");
const SERVICE_TIME: HeaderName = HeaderName::from_static("x-envoy-upstream-service-time");

/// What the proxy knows of a request beside its head.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Received<'a> {
    pub(crate) conventions: &'a Conventions,
    /// The client's address without port.
    pub(crate) peer: std::net::IpAddr,
    /// The client's TLS; `None` is a plain connection.
    pub(crate) secured: Option<&'a Secured>,
    /// The port it connected to.
    pub(crate) port: u16,
    pub(crate) source: Source,
    /// Whether a body follows.
    pub(crate) has_body: bool,
    /// Largest head in bytes.
    pub(crate) head_max: usize,
    pub(crate) protocols: &'a ClientHttp,
}

/// Makes the request's target and headers what the primary gets, but for what depends on the route
/// ([`add_route_headers`]).
pub(crate) fn to_upstream(head: &mut request::Parts, received: Received<'_>) -> Result<(), LocalReply> {
    check_version(head, received.protocols)?;
    if head_size(head) > received.head_max || head.headers.len() > received.protocols.max_headers as usize {
        return Err(LocalReply::HeadersTooLarge);
    }
    check_underscores(&mut head.headers, received.protocols.underscores)?;
    target::settle(head)?;
    let envoy = match received.conventions {
        Conventions::Envoy(envoy) => Some(envoy),
        Conventions::None => None,
    };
    strip(&mut head.headers, envoy.map(|envoy| (envoy, received.source)))?;
    if head.version == Version::HTTP_2 {
        join_cookies(&mut head.headers);
    }
    set_framing(&mut head.headers, received.has_body)?;
    if let Some(envoy) = envoy {
        envoy::request(&mut head.headers, envoy, received);
        client_certificate::forward(&mut head.headers, &envoy.client_cert, received.secured);
    }
    head.uri = origin_form(&head.uri);
    head.version = Version::HTTP_11;
    Ok(())
}

/// The target without its origin, from its very bytes. Only where these have no path is one written: `http://h` asks for
/// `/`, `http://h?q` for `/?q`, and the HTTP library would send nothing, or `?q`.
pub(crate) fn origin_form(target: &Uri) -> Uri {
    let root = Uri::from_static("/");
    match target.path_and_query() {
        None => root,
        Some(resource) if resource.as_str() == "/" => root,
        // As text it has its slash.
        Some(resource) if resource.as_str().starts_with('?') => resource.to_string().parse().unwrap_or(root),
        Some(resource) => Uri::from(resource.clone()),
    }
}

/// Removes from an answer what was between the upstream and us only, and adds how long it took; `None` if the answer is
/// the proxy's own.
pub(crate) fn upstream_told(
    head: &mut response::Parts,
    conventions: &Conventions,
    client: Version,
    took: Option<Duration>,
) {
    // Chunks are HTTP/1.1's.
    let chunks = client == Version::HTTP_11;
    let goes = |name: &HeaderName| is_hop_by_hop(name) || (!chunks && name == TRANSFER_ENCODING);
    if head.headers.keys().any(goes) {
        let listed = connection_tokens(&head.headers);
        rebuild(&mut head.headers, |name, _| goes(name) || listed.iter().any(|token| token == name.as_str()));
    }
    if let (Conventions::Envoy(envoy), Some(took)) = (conventions, took)
        && !envoy.suppress_envoy_headers
    {
        head.headers.insert(SERVICE_TIME, HeaderValue::from(took.as_millis() as u64));
    }
}

/// Makes the answer's headers what the client gets, once routes have changed them.
pub(crate) fn to_client(
    head: &mut response::Parts,
    conventions: &Conventions,
    client: Version,
    request_id: Option<&HeaderValue>,
    date: &HeaderValue,
) {
    head.version = client;
    let Conventions::Envoy(envoy) = conventions else { return };
    envoy::answer(&mut head.headers, envoy, request_id);
    if !head.headers.contains_key(DATE) {
        head.headers.insert(DATE, date.clone());
    }
}

fn check_version(head: &mut request::Parts, protocols: &ClientHttp) -> Result<(), LocalReply> {
    match head.version {
        Version::HTTP_11 | Version::HTTP_2 => Ok(()),
        Version::HTTP_10 if protocols.http1.http_10 => {
            if let Some(host) = &protocols.http1.default_host
                && !head.headers.contains_key(HOST)
            {
                head.headers.insert(HOST, host.clone());
            }
            Ok(())
        }
        _ => Err(LocalReply::OldVersion),
    }
}

/// Some servers take `_` in a name for `-`.
fn check_underscores(headers: &mut HeaderMap, underscores: Underscores) -> Result<(), LocalReply> {
    let has = |name: &HeaderName| name.as_str().contains('_');
    if underscores == Underscores::Allow || !headers.keys().any(has) {
        return Ok(());
    }
    if underscores == Underscores::Reject {
        return Err(LocalReply::Underscore);
    }
    rebuild(headers, |name, _| has(name));
    Ok(())
}

/// About what the head took on the wire. The HTTP library's own limit is its read buffer, which is larger.
fn head_size(head: &request::Parts) -> usize {
    let target = head.uri.path_and_query().map_or(1, |target| target.as_str().len());
    let fields = head.headers.iter().map(|(name, value)| name.as_str().len() + value.len() + ": \r\n".len());
    target + fields.sum::<usize>()
}

fn is_hop_by_hop(name: &HeaderName) -> bool {
    *name == CONNECTION || *name == UPGRADE || *name == KEEP_ALIVE || *name == PROXY_CONNECTION
}

/// Removes what is between the client and us only.
fn strip(headers: &mut HeaderMap, trust: Option<(&EnvoyConventions, Source)>) -> Result<(), LocalReply> {
    let internal =
        |name: &HeaderName| trust.is_some_and(|(envoy, source)| envoy::is_distrusted(name, envoy, source));
    let may_go = |name: &HeaderName| is_hop_by_hop(name) || *name == EXPECT || *name == TE || internal(name);
    if !headers.keys().any(may_go) {
        return Ok(());
    }
    let listed = connection_tokens(headers);
    if let Some(upgrade) = headers.get(UPGRADE)
        && listed.iter().any(|token| token == "upgrade")
        && !upgrade.as_bytes().eq_ignore_ascii_case(b"h2c")
    {
        return Err(LocalReply::Upgrade);
    }
    rebuild(headers, |name, value| {
        // The body's framing is ours to say, whatever `Connection` lists; `TE: trailers` is passed on.
        let te = *name == TE && !value.as_bytes().eq_ignore_ascii_case(b"trailers");
        let kept = *name == TE || *name == HOST || *name == CONTENT_LENGTH || *name == TRANSFER_ENCODING;
        let is_listed = !kept && listed.iter().any(|token| token == name.as_str());
        te || is_listed || is_hop_by_hop(name) || *name == EXPECT || internal(name)
    });
    Ok(())
}

fn connection_tokens(headers: &HeaderMap) -> Vec<String> {
    let values = headers.get_all(CONNECTION).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).map(|token| token.trim().to_ascii_lowercase()).collect()
}

pub(super) fn rebuild(headers: &mut HeaderMap, goes: impl Fn(&HeaderName, &HeaderValue) -> bool) {
    let old = std::mem::take(headers);
    headers.reserve(old.len() + 4);
    let mut current = None;
    for (name, value) in old {
        // Further values of a name come without it.
        current = name.or(current);
        if let Some(name) = &current
            && !goes(name, &value)
        {
            headers.append(name, value);
        }
    }
}

/// HTTP/2 may split `Cookie` into several fields; HTTP/1.1 must not (RFC 9113 section 8.2.3).
fn join_cookies(headers: &mut HeaderMap) {
    let cookies: Vec<&[u8]> = headers.get_all(COOKIE).iter().map(HeaderValue::as_bytes).collect();
    if cookies.len() > 1
        && let Ok(joined) = HeaderValue::from_bytes(&cookies.join(&b"; "[..]))
    {
        headers.insert(COOKIE, joined);
    }
}

/// The same length may have been said twice, over HTTP/2; the HTTP library has refused different ones.
fn one_length(headers: &mut HeaderMap) -> Result<(), LocalReply> {
    let lengths = headers.get_all(CONTENT_LENGTH).iter();
    if lengths.count() > 1
        && let Some(length) = headers.get(CONTENT_LENGTH).cloned()
    {
        headers.insert(CONTENT_LENGTH, length);
    }
    Ok(())
}

/// A length stays a length, chunked stays chunked, and a body without either (HTTP/2) becomes chunked. Said
/// explicitly, or the HTTP library would send no body with a GET of unknown length.
fn set_framing(headers: &mut HeaderMap, has_body: bool) -> Result<(), LocalReply> {
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    match (codings.next(), codings.next()) {
        (Some(coding), None) if coding.as_bytes().eq_ignore_ascii_case(b"chunked") => {}
        // "chunked" twice may be read as chunks in chunks.
        (Some(_), _) => return Err(LocalReply::UnknownTransferCoding),
        (None, _) if has_body && !headers.contains_key(CONTENT_LENGTH) => {}
        (None, _) => return one_length(headers),
    }
    headers.insert(TRANSFER_ENCODING, CHUNKED);
    Ok(())
}
