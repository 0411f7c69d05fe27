//! A request's head as HTTP/2 wants it.

use http::header::{HOST, TRANSFER_ENCODING};
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderMap, HeaderName, Request, Uri, Version, uri};

/// Puts `Host` into `:authority` and drops what frames a message in HTTP/1.1; HTTP/2 has frames of its own. What else
/// HTTP/2 forbids is hop-by-hop and gone by now.
pub(super) fn to_http2<B>(mut request: Request<B>, secure: bool) -> Request<B> {
    *request.version_mut() = Version::HTTP_2;
    if request.uri().authority().is_some() {
        // Came back unsent from another connection.
        return request;
    }
    let host = request.headers().get(HOST).and_then(|host| Authority::from_maybe_shared(host.clone()).ok());
    let goes = |name: &HeaderName| *name == TRANSFER_ENCODING || (host.is_some() && *name == HOST);
    if request.headers().keys().any(goes) {
        let old = std::mem::take(request.headers_mut());
        *request.headers_mut() = without(old, goes);
    }
    let mut parts = uri::Parts::default();
    // A Host that is no authority stays a header; HTTP/2 allows that.
    if let Some(host) = host {
        parts.authority = Some(host);
        parts.scheme = Some(if secure { Scheme::HTTPS } else { Scheme::HTTP });
    }
    let path = request.uri().path_and_query().cloned();
    parts.path_and_query = Some(path.unwrap_or_else(|| PathAndQuery::from_static("/")));
    if let Ok(uri) = Uri::from_parts(parts) {
        *request.uri_mut() = uri;
    }
    request
}

/// `HeaderMap::remove` would change the order of the rest.
fn without(old: HeaderMap, goes: impl Fn(&HeaderName) -> bool) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(old.len());
    let mut current = None;
    for (name, value) in old {
        // Further values of a name come without it.
        current = name.or(current);
        if let Some(name) = current.as_ref().filter(|name| !goes(name)) {
            headers.append(name, value);
        }
    }
    headers
}

#[cfg(test)]
mod tests {
    use super::*;

    fn converted(request: http::request::Builder) -> Request<()> {
        to_http2(request.body(()).unwrap(), false)
    }

    #[test]
    fn host_becomes_the_authority_and_the_rest_keeps_its_order() {
        let request = Request::post("/a%2f?b=%zz")
            .header("host", "mimir.example:9009")
            .header("x-b", "1")
            .header("x-a", "1")
            .header("x-b", "2")
            .header("transfer-encoding", "chunked")
            .header("te", "trailers");
        let request = converted(request);
        assert_eq!(request.uri().to_string(), "http://mimir.example:9009/a%2f?b=%zz");
        let lines: Vec<_> =
            request.headers().iter().map(|(k, v)| format!("{k}: {}", v.to_str().unwrap())).collect();
        assert_eq!(lines, ["x-b: 1", "x-b: 2", "x-a: 1", "te: trailers"]);
    }

    #[test]
    fn a_host_that_is_no_authority_stays_a_header() {
        let request = converted(Request::get("/x").header("host", "a b"));
        assert_eq!(
            (request.uri().to_string().as_str(), request.headers()["host"].as_bytes()),
            ("/x", &b"a b"[..])
        );
    }
}
