//! What the proxy does to headers: as little as HTTP allows (contract C1).
//!
//! Hop-by-hop headers go (RFC 9110 section 7.6.1); framing is set explicitly; from an Envoy file come Envoy's own
//! additions. `HeaderMap::remove` reorders what is left, so where something must go the map is rebuilt.

use std::time::Duration;

use config::model::{ClientHttp, Conventions, EnvoyConventions, Underscores};
use http::header::{
    CONNECTION, CONTENT_LENGTH, COOKIE, DATE, EXPECT, HOST, SERVER, TE, TRANSFER_ENCODING, UPGRADE,
};
use http::{HeaderMap, HeaderName, HeaderValue, Uri, Version, request, response};

use super::reply::LocalReply;
use super::{client_certificate, request_id};
use crate::tls::Secured;

const CHUNKED: HeaderValue = HeaderValue::from_static("chunked");
const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
const PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");
const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const EXTERNAL_ADDRESS: HeaderName = HeaderName::from_static("x-envoy-external-address");
const EXPECTED_TIMEOUT: HeaderName = HeaderName::from_static("x-envoy-expected-rq-timeout-ms");
const SERVICE_TIME: HeaderName = HeaderName::from_static("x-envoy-upstream-service-time");

/// Headers by which a caller inside a mesh steers Envoy; from anyone else Envoy removes them, and so do we.
const ENVOY_INTERNAL: [&str; 17] = [
    "x-envoy-attempt-count",
    "x-envoy-decorator-operation",
    "x-envoy-downstream-service-cluster",
    "x-envoy-downstream-service-node",
    "x-envoy-expected-rq-timeout-ms",
    "x-envoy-external-address",
    "x-envoy-force-trace",
    "x-envoy-hedge-on-per-try-timeout",
    "x-envoy-internal",
    "x-envoy-ip-tags",
    "x-envoy-max-retries",
    "x-envoy-retriable-header-names",
    "x-envoy-retriable-status-codes",
    "x-envoy-retry-grpc-on",
    "x-envoy-retry-on",
    "x-envoy-upstream-rq-per-try-timeout-ms",
    "x-envoy-upstream-rq-timeout-ms",
];

/// What the proxy knows of a request beside its head.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Received<'a> {
    pub(crate) conventions: &'a Conventions,
    /// The client's address without port.
    pub(crate) peer: std::net::IpAddr,
    /// The client's TLS; `None` is a plain connection.
    pub(crate) secured: Option<&'a Secured>,
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
    set_host(head)?;
    let envoy = match received.conventions {
        Conventions::Envoy(envoy) => Some(envoy),
        Conventions::None => None,
    };
    strip(&mut head.headers, envoy.is_some())?;
    if head.version == Version::HTTP_2 {
        join_cookies(&mut head.headers);
    }
    set_framing(&mut head.headers, received.has_body)?;
    if let Some(envoy) = envoy {
        add_envoy_headers(&mut head.headers, envoy, received);
        client_certificate::forward(&mut head.headers, &envoy.client_cert, received.secured);
    }
    // Origin-form, from the very bytes of the target; never rebuilt.
    head.uri = head.uri.path_and_query().cloned().map_or_else(|| Uri::from_static("/"), Uri::from);
    head.version = Version::HTTP_11;
    Ok(())
}

/// Adds what Envoy tells an upstream about the route's timeout.
pub(crate) fn add_route_headers(
    headers: &mut HeaderMap,
    conventions: &Conventions,
    timeout: Option<Duration>,
) {
    if let (Conventions::Envoy(envoy), Some(timeout)) = (conventions, timeout)
        && !envoy.suppress_envoy_headers
    {
        headers.insert(EXPECTED_TIMEOUT, HeaderValue::from(timeout.as_millis() as u64));
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
    date: &HeaderValue,
) {
    head.version = client;
    let Conventions::Envoy(envoy) = conventions else { return };
    if let Ok(name) = HeaderValue::from_str(&envoy.server_name) {
        head.headers.insert(SERVER, name);
    }
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

/// `Host` from the target where the target names one (absolute-form, HTTP/2's `:authority`), as RFC 9112 asks.
fn set_host(head: &mut request::Parts) -> Result<(), LocalReply> {
    let authority = head.uri.authority().map(|authority| {
        let text = authority.as_str();
        text.rsplit_once('@').map_or(text, |(_, host)| host)
    });
    if let Some(host) = authority.and_then(|host| HeaderValue::from_str(host).ok()) {
        head.headers.insert(HOST, host);
    }
    if head.headers.contains_key(HOST) { Ok(()) } else { Err(LocalReply::MissingHost) }
}

fn is_hop_by_hop(name: &HeaderName) -> bool {
    *name == CONNECTION || *name == UPGRADE || *name == KEEP_ALIVE || *name == PROXY_CONNECTION
}

/// Removes what is between the client and us only.
fn strip(headers: &mut HeaderMap, envoy: bool) -> Result<(), LocalReply> {
    let internal = |name: &HeaderName| {
        envoy && name.as_str().starts_with("x-envoy-") && ENVOY_INTERNAL.contains(&name.as_str())
    };
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

/// A length stays a length, chunked stays chunked, and a body without either (HTTP/2) becomes chunked. Said
/// explicitly, or the HTTP library would send no body with a GET of unknown length.
fn set_framing(headers: &mut HeaderMap, has_body: bool) -> Result<(), LocalReply> {
    match headers.get(TRANSFER_ENCODING) {
        Some(coding) if coding.as_bytes().eq_ignore_ascii_case(b"chunked") => {}
        Some(_) => return Err(LocalReply::UnknownTransferCoding),
        None if has_body && !headers.contains_key(CONTENT_LENGTH) => {}
        None => return Ok(()),
    }
    headers.insert(TRANSFER_ENCODING, CHUNKED);
    Ok(())
}

fn add_envoy_headers(headers: &mut HeaderMap, envoy: &EnvoyConventions, received: Received<'_>) {
    if envoy.use_remote_address {
        let mut list: Vec<u8> = Vec::new();
        for value in headers.get_all(X_FORWARDED_FOR) {
            list.extend_from_slice(value.as_bytes());
            list.push(b',');
        }
        let peer = received.peer.to_canonical().to_string();
        list.extend_from_slice(peer.as_bytes());
        if let (Ok(list), Ok(peer)) = (HeaderValue::from_bytes(&list), HeaderValue::from_str(&peer)) {
            headers.insert(X_FORWARDED_FOR, list);
            headers.insert(EXTERNAL_ADDRESS, peer);
        }
    }
    if envoy.use_remote_address || !headers.contains_key(X_FORWARDED_PROTO) {
        headers.insert(
            X_FORWARDED_PROTO,
            HeaderValue::from_static(received.secured.map_or("http", |_| "https")),
        );
    }
    // An edge proxy does not trust a client's id.
    if envoy.generate_request_id && (envoy.use_remote_address || !headers.contains_key(X_REQUEST_ID)) {
        headers.insert(X_REQUEST_ID, request_id::new());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PEER: std::net::IpAddr = std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    fn upstream(request: request::Builder, conventions: &Conventions) -> Result<request::Parts, LocalReply> {
        let (mut head, ()) = request.body(()).unwrap().into_parts();
        let (has_body, protocols) = (head.headers.contains_key(TRANSFER_ENCODING), &ClientHttp::default());
        let (peer, secured, head_max) = (PEER, None, 60 << 10);
        to_upstream(&mut head, Received { conventions, peer, secured, has_body, head_max, protocols })?;
        Ok(head)
    }

    fn lines(headers: &HeaderMap) -> Vec<String> {
        headers.iter().map(|(name, value)| format!("{name}: {}", value.to_str().unwrap())).collect()
    }

    #[test]
    fn c1_native_requests_pass_as_they_are() {
        let request = http::Request::get("/a//b/%2e?q=%zz")
            .header("host", "h:1")
            .header("x-b", "1")
            .header("x-a", "1")
            .header("x-b", "2")
            .header("x-envoy-internal", "true");
        let head = upstream(request, &Conventions::None).unwrap();
        assert_eq!(head.uri.to_string(), "/a//b/%2e?q=%zz");
        assert_eq!(
            lines(&head.headers),
            ["host: h:1", "x-b: 1", "x-b: 2", "x-a: 1", "x-envoy-internal: true"]
        );
    }

    #[test]
    fn c1_hop_by_hop_headers_go_and_the_order_of_values_stays() {
        let request = http::Request::post("/")
            .header("connection", "keep-alive, X-Mine, content-length")
            .header("keep-alive", "timeout=5")
            .header("host", "h")
            .header("x-mine", "1")
            .header("expect", "100-continue")
            .header("te", "trailers")
            .header("content-length", "3")
            .header("a", "2")
            .header("a", "1");
        let head = upstream(request, &Conventions::None).unwrap();
        assert_eq!(lines(&head.headers), ["host: h", "te: trailers", "content-length: 3", "a: 2", "a: 1"]);
    }

    #[test]
    fn c1_absolute_form_becomes_origin_form_with_its_host() {
        let request = http::Request::get("http://user@abs.example:8/x?y=1").header("host", "other");
        let head = upstream(request, &Conventions::None).unwrap();
        assert_eq!(
            (head.uri.to_string().as_str(), head.headers["host"].to_str().unwrap()),
            ("/x?y=1", "abs.example:8")
        );
    }

    #[test]
    fn c1_envoys_additions_follow_its_defaults() {
        let envoy = Conventions::Envoy(EnvoyConventions::default());
        let request = http::Request::get("/").header("host", "h").header("x-envoy-retry-on", "5xx");
        let mut head = upstream(request, &envoy).unwrap();
        add_route_headers(&mut head.headers, &envoy, Some(Duration::from_secs(15)));
        let names: Vec<_> = head.headers.keys().map(HeaderName::as_str).collect();
        assert_eq!(names, ["host", "x-forwarded-proto", "x-request-id", "x-envoy-expected-rq-timeout-ms"]);
        assert_eq!(head.headers["x-envoy-expected-rq-timeout-ms"], "15000");
        assert_eq!(head.headers["x-request-id"].len(), 36);
    }

    #[test]
    fn c4_what_cannot_be_passed_on_is_answered() {
        let refused = |request: request::Builder| upstream(request, &Conventions::None).unwrap_err();
        let get = || http::Request::get("/").header("host", "h");
        assert_eq!(refused(http::Request::get("/")), LocalReply::MissingHost);
        assert_eq!(refused(get().version(Version::HTTP_10)), LocalReply::OldVersion);
        assert_eq!(
            refused(get().header("transfer-encoding", "gzip, chunked")),
            LocalReply::UnknownTransferCoding
        );
        let websocket = get().header("connection", "Upgrade").header("upgrade", "websocket");
        assert_eq!(refused(websocket), LocalReply::Upgrade);
    }

    #[test]
    fn c1_the_answers_headers_survive_but_for_hop_by_hop() {
        let answer = http::Response::builder()
            .header("retry-after", "5")
            .header("connection", "close")
            .header("server", "mimir");
        let (mut head, ()) = answer.body(()).unwrap().into_parts();
        let date = HeaderValue::from_static("now");
        let none = &Conventions::None;
        upstream_told(&mut head, none, Version::HTTP_11, Some(Duration::ZERO));
        to_client(&mut head, none, Version::HTTP_11, &date);
        assert_eq!(lines(&head.headers), ["retry-after: 5", "server: mimir"]);
        let envoy = Conventions::Envoy(EnvoyConventions::default());
        upstream_told(&mut head, &envoy, Version::HTTP_11, Some(Duration::from_millis(7)));
        to_client(&mut head, &envoy, Version::HTTP_11, &date);
        assert_eq!(
            lines(&head.headers),
            ["retry-after: 5", "server: envoy", "x-envoy-upstream-service-time: 7", "date: now"]
        );
    }
}
