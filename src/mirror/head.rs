//! The head of a copy: the primary's head with the mirror's documented changes and no others (contract C6).
//!
//! From an Envoy file these are Envoy's own (measured on 1.40): the `-shadow` suffix of `Host`, `x-envoy-internal`,
//! and the proxy's address appended to `x-forwarded-for`. Framing headers are written last, from what was really
//! collected, so that a copy can never be framed in two ways.

use std::io::Write;

use config::model::{CopyHost, HeaderMutation, MirrorPolicy};
use http::header::{
    AUTHORIZATION, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, HOST,
    MAX_FORWARDS, SET_COOKIE, TE, TRAILER, TRANSFER_ENCODING,
};
use http::{HeaderMap, HeaderName, HeaderValue, request::Parts};

const ENVOY_INTERNAL: HeaderName = HeaderName::from_static("x-envoy-internal");
const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// As hyper's encoder has it.
const NO_TRAILERS: [HeaderName; 12] = [
    AUTHORIZATION,
    CACHE_CONTROL,
    CONTENT_ENCODING,
    CONTENT_LENGTH,
    CONTENT_RANGE,
    CONTENT_TYPE,
    HOST,
    MAX_FORWARDS,
    SET_COOKIE,
    TE,
    TRAILER,
    TRANSFER_ENCODING,
];

/// How a copy's body is delimited: as the primary's was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Framing {
    /// Neither length nor chunks: no body.
    None,
    /// `content-length`.
    Length,
    /// `transfer-encoding: chunked`.
    Chunked,
}

impl Framing {
    pub(super) fn of(headers: &HeaderMap) -> Self {
        if headers.contains_key(TRANSFER_ENCODING) {
            Self::Chunked
        } else if headers.contains_key(CONTENT_LENGTH) {
            Self::Length
        } else {
            Self::None
        }
    }
}

/// What a mirror changes in the headers of every copy.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rules<'a> {
    pub(super) policy: &'a MirrorPolicy,
    /// Replaces `Authorization`.
    pub(super) auth: Option<&'a HeaderValue>,
    /// Envoy's additions: this address is appended to `x-forwarded-for`.
    pub(super) forwarded_for: Option<&'a HeaderValue>,
}

/// The address that Envoy would call its own: the first that is not loopback.
pub(crate) fn own_address(v6: bool) -> HeaderValue {
    let loopback = if v6 { "::1" } else { "127.0.0.1" };
    let interfaces = if_addrs::get_if_addrs().unwrap_or_default();
    let own =
        interfaces.iter().map(|interface| interface.ip()).find(|ip| ip.is_ipv6() == v6 && !ip.is_loopback());
    let text = own.map_or_else(|| loopback.to_owned(), |ip| ip.to_string());
    HeaderValue::from_str(&text).unwrap_or_else(|_| HeaderValue::from_static("127.0.0.1"))
}

/// Writes request line and headers without the framing and the empty line that [`finish`] adds.
pub(super) fn begin(head: &Parts, rules: Rules<'_>) -> Vec<u8> {
    let mut out = Vec::with_capacity(512);
    let target = head.uri.path_and_query().map_or("/", |target| target.as_str());
    out.extend_from_slice(head.method.as_str().as_bytes());
    out.push(b' ');
    out.extend_from_slice(target.as_bytes());
    out.extend_from_slice(b" HTTP/1.1\r\n");
    write_host(&mut out, &rules.policy.host, head.headers.get(HOST));
    if rules.policy.headers.is_empty() && rules.auth.is_none() {
        write_headers(&mut out, &head.headers, rules.forwarded_for);
    } else {
        let mut headers = head.headers.clone();
        if let Some(auth) = rules.auth {
            headers.insert(AUTHORIZATION, auth.clone());
        }
        for mutation in &rules.policy.headers {
            mutate(&mut headers, mutation);
        }
        write_headers(&mut out, &headers, rules.forwarded_for);
    }
    out
}

/// Adds the framing and the empty line.
pub(super) fn finish(head: &mut Vec<u8>, framing: Framing, len: u64) {
    match framing {
        Framing::None => {}
        // Writing to a Vec cannot fail.
        Framing::Length => drop(write!(head, "content-length: {len}\r\n")),
        Framing::Chunked => head.extend_from_slice(b"transfer-encoding: chunked\r\n"),
    }
    head.extend_from_slice(b"\r\n");
}

/// The trailers that a copy has: those that may stand there at all (RFC 9110, section 6.5.1). What frames, routes or
/// describes a message belongs into its head, and the HTTP library lets none of it through to the primary.
pub(super) fn trailers(received: &HeaderMap) -> HeaderMap {
    let allowed = received.iter().filter(|(name, _)| !NO_TRAILERS.contains(name));
    allowed.map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// What stands after a chunked body: the last chunk, trailers, the empty line.
pub(super) fn chunked_end(trailers: Option<&HeaderMap>) -> Vec<u8> {
    let mut out = b"0\r\n".to_vec();
    for (name, value) in trailers.into_iter().flatten() {
        write_header(&mut out, name, value);
    }
    out.extend_from_slice(b"\r\n");
    out
}

fn write_host(out: &mut Vec<u8>, rule: &CopyHost, received: Option<&HeaderValue>) {
    let received = received.map_or(&b""[..], HeaderValue::as_bytes);
    out.extend_from_slice(b"host: ");
    match rule {
        CopyHost::Literal(host) => out.extend_from_slice(host.as_bytes()),
        CopyHost::Same => out.extend_from_slice(received),
        CopyHost::ShadowSuffix => {
            let (name, port) = received.split_at(name_len(received));
            out.extend_from_slice(name);
            out.extend_from_slice(b"-shadow");
            out.extend_from_slice(port);
        }
    }
    out.extend_from_slice(b"\r\n");
}

/// Length of a `Host` value without its port: `[::1]:8080` -> 5, `h:80` -> 1.
fn name_len(host: &[u8]) -> usize {
    let bracket = host.iter().rposition(|&byte| byte == b']').map_or(0, |at| at + 1);
    let after = host.get(bracket..).unwrap_or_default();
    after.iter().position(|&byte| byte == b':').map_or(host.len(), |at| bracket + at)
}

fn write_headers(out: &mut Vec<u8>, headers: &HeaderMap, forwarded_for: Option<&HeaderValue>) {
    for (name, value) in headers {
        if name == HOST || name == CONTENT_LENGTH || name == TRANSFER_ENCODING {
            continue;
        }
        if forwarded_for.is_some() && (name == X_FORWARDED_FOR || name == ENVOY_INTERNAL) {
            continue;
        }
        write_header(out, name, value);
    }
    let Some(address) = forwarded_for else { return };
    out.extend_from_slice(b"x-envoy-internal: true\r\nx-forwarded-for: ");
    for value in headers.get_all(X_FORWARDED_FOR) {
        out.extend_from_slice(value.as_bytes());
        out.push(b',');
    }
    out.extend_from_slice(address.as_bytes());
    out.extend_from_slice(b"\r\n");
}

pub(super) fn write_header(out: &mut Vec<u8>, name: &HeaderName, value: &HeaderValue) {
    out.extend_from_slice(name.as_str().as_bytes());
    out.extend_from_slice(b": ");
    out.extend_from_slice(value.as_bytes());
    out.extend_from_slice(b"\r\n");
}

fn mutate(headers: &mut HeaderMap, mutation: &HeaderMutation) {
    match mutation {
        HeaderMutation::Set(name, value) => {
            headers.insert(name, value.clone());
        }
        HeaderMutation::Append(name, value) => {
            headers.append(name, value.clone());
        }
        HeaderMutation::AddIfAbsent(name, value) => {
            headers.entry(name).or_insert_with(|| value.clone());
        }
        HeaderMutation::OverwriteIfPresent(name, value) => {
            if headers.contains_key(name) {
                headers.insert(name, value.clone());
            }
        }
        HeaderMutation::Remove(name) => {
            headers.remove(name);
        }
        // Literal by now: see `resolve`.
        HeaderMutation::Added(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use config::model::Fraction;

    fn policy(host: CopyHost, headers: Vec<HeaderMutation>) -> MirrorPolicy {
        MirrorPolicy { mirror: 0, fraction: Fraction::ALL, host, headers }
    }

    fn copy_of(request: http::request::Builder, policy: &MirrorPolicy, forwarded: Option<&str>) -> String {
        let (parts, ()) = request.body(()).unwrap().into_parts();
        let forwarded = forwarded.map(|address| HeaderValue::from_str(address).unwrap());
        let rules = Rules { policy, auth: None, forwarded_for: forwarded.as_ref() };
        let mut head = begin(&parts, rules);
        finish(&mut head, Framing::of(&parts.headers), 4);
        String::from_utf8(head).unwrap()
    }

    #[test]
    fn c6_the_shadow_suffix_stands_before_the_port() {
        for (host, expected) in [
            ("h", "h-shadow"),
            ("h:8080", "h-shadow:8080"),
            ("10.1.2.3", "10.1.2.3-shadow"),
            ("[::1]:8080", "[::1]-shadow:8080"),
            ("[::1]", "[::1]-shadow"),
            ("", "-shadow"),
        ] {
            let request = http::Request::get("/").header("host", host);
            let head = copy_of(request, &policy(CopyHost::ShadowSuffix, vec![]), None);
            assert_eq!(head, format!("GET / HTTP/1.1\r\nhost: {expected}\r\n\r\n"));
        }
    }

    #[test]
    fn c6_envoys_additions_come_last_and_the_framing_once() {
        let request = http::Request::post("/api/v1/push?x=1")
            .header("host", "m:1")
            .header("content-length", "4")
            .header("x-forwarded-for", "9.9.9.9")
            .header("a", "1")
            .header("a", "2");
        let head = copy_of(request, &policy(CopyHost::Same, vec![]), Some("192.0.2.2"));
        assert_eq!(
            head,
            "POST /api/v1/push?x=1 HTTP/1.1\r\nhost: m:1\r\na: 1\r\na: 2\r\nx-envoy-internal: true\r\n\
             x-forwarded-for: 9.9.9.9,192.0.2.2\r\ncontent-length: 4\r\n\r\n"
        );
    }

    #[test]
    fn c6_mutations_apply_in_order() {
        let name = HeaderName::from_static("x-a");
        let value = HeaderValue::from_static;
        let policy = policy(
            CopyHost::Literal(value("t:1")),
            vec![
                HeaderMutation::Remove(name.clone()),
                HeaderMutation::OverwriteIfPresent(name.clone(), value("no")),
                HeaderMutation::AddIfAbsent(name.clone(), value("1")),
                HeaderMutation::Append(name.clone(), value("2")),
                HeaderMutation::AddIfAbsent(name, value("no")),
            ],
        );
        let request = http::Request::get("/").header("host", "m").header("x-a", "old");
        assert_eq!(
            copy_of(request, &policy, None),
            "GET / HTTP/1.1\r\nhost: t:1\r\nx-a: 1\r\nx-a: 2\r\n\r\n"
        );
    }

    #[test]
    fn c6_a_chunked_body_ends_with_its_trailers() {
        let mut trailers = HeaderMap::new();
        trailers.insert("x-sum", HeaderValue::from_static("1"));
        assert_eq!(chunked_end(Some(&trailers)), b"0\r\nx-sum: 1\r\n\r\n");
        assert_eq!(chunked_end(None), b"0\r\n\r\n");
    }
}
