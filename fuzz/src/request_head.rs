//! A client's bytes through the HTTP library's server and what is ours of a head: whatever comes, the requests that go
//! on have one host and one framing and nothing that was between client and proxy only, and whoever reads them reads
//! as many requests as were sent, each as it was meant.

use bytes::Bytes;
use config::model::{ClientHttp, Conventions, HttpManager};
use http::header::{CONTENT_LENGTH, HOST, TE, TRANSFER_ENCODING};
use http::request::Parts;
use http::{HeaderMap, Response};
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use std::cell::RefCell;
use tokio::io::AsyncWriteExt;

use crate::route::headers::{Received, Source, to_upstream};

const LONGEST: usize = 16 << 10;
const HEAD_MAX: usize = 60 << 10;

/// A request as it goes on.
type Sent = (Parts, Bytes);

pub(crate) fn request_head(site: &HttpManager, bytes: &[u8]) {
    let bytes = &bytes[..bytes.len().min(LONGEST)];
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let sent = runtime.block_on(served(bytes, &site.protocols, &site.conventions));
    let wire: Vec<u8> = sent.iter().flat_map(written).collect();
    // Nothing is left to be done to them, so that the primary reads what was meant. It takes what was added, too.
    let protocols = ClientHttp { max_headers: 2 * site.protocols.max_headers, ..site.protocols.clone() };
    let again = runtime.block_on(served(&wire, &protocols, &Conventions::None));
    assert_eq!(again.len(), sent.len(), "{}", String::from_utf8_lossy(&wire));
    for ((head, body), (meant, meant_body)) in again.iter().zip(&sent) {
        assert_eq!((&head.method, &head.uri, body), (&meant.method, &meant.uri, meant_body));
        assert_eq!(head.headers, meant.headers);
    }
}

/// The requests that these bytes make a primary get. Those whose body ends early go nowhere whole.
async fn served(bytes: &[u8], protocols: &ClientHttp, conventions: &Conventions) -> Vec<Sent> {
    let (client, server) = tokio::io::duplex(1 << 20);
    let (mut answers, mut requests) = tokio::io::split(client);
    let sent = RefCell::new(Vec::new());
    let service = service_fn(async |request: http::Request<Incoming>| {
        let (mut head, body) = request.into_parts();
        let received =
            received(&head.headers, protocols, conventions, !hyper::body::Body::is_end_stream(&body));
        let admitted = to_upstream(&mut head, received).is_ok() && head.method != http::Method::CONNECT;
        let body = body.collect().await?.to_bytes();
        if admitted {
            unambiguous(&head, &body);
            sent.borrow_mut().push((head, body));
        }
        Ok::<_, hyper::Error>(Response::new(Empty::<Bytes>::new()))
    });
    let mut http1 = hyper::server::conn::http1::Builder::new();
    // The bytes' end does not end what they asked for, as with the program's requests that go on by themselves.
    http1.half_close(true).auto_date_header(false);
    http1.max_headers(protocols.max_headers as usize).max_buf_size(HEAD_MAX * 2);
    requests.write_all(bytes).await.expect("it fits");
    requests.shutdown().await.expect("it is open");
    let reading = async { tokio::io::copy(&mut answers, &mut tokio::io::sink()).await };
    let _ = tokio::join!(http1.serve_connection(TokioIo::new(server), service), reading);
    sent.into_inner()
}

fn received<'a>(
    headers: &HeaderMap,
    protocols: &'a ClientHttp,
    conventions: &'a Conventions,
    has_body: bool,
) -> Received<'a> {
    let peer = std::net::Ipv4Addr::LOCALHOST.into();
    let source = Source::of(headers, conventions, peer);
    Received { conventions, peer, secured: None, port: 9900, source, has_body, head_max: HEAD_MAX, protocols }
}

fn unambiguous(head: &Parts, body: &Bytes) {
    let all = |name: &http::HeaderName| head.headers.get_all(name).iter().collect::<Vec<_>>();
    assert_eq!(all(&HOST).len(), 1, "{head:?}");
    let (lengths, codings) = (all(&CONTENT_LENGTH), all(&TRANSFER_ENCODING));
    assert!(lengths.len() + codings.len() <= 1, "{head:?}");
    assert!(codings.iter().all(|coding| *coding == "chunked"), "{head:?}");
    assert!(lengths.iter().all(|length| **length == body.len().to_string().as_str() || leads(length)));
    assert!(body.is_empty() || lengths.len() + codings.len() == 1, "{head:?}");
    assert!(all(&TE).iter().all(|te| te.as_bytes().eq_ignore_ascii_case(b"trailers")), "{head:?}");
    for name in ["connection", "keep-alive", "proxy-connection", "upgrade", "expect"] {
        assert!(!head.headers.contains_key(name), "{head:?}");
    }
    assert!(head.uri.authority().is_none() && head.version == http::Version::HTTP_11, "{head:?}");
    // The primary's client writes the one, the copies' the other.
    let target = head.uri.path_and_query().map_or("", |target| target.as_str());
    assert_eq!(target, head.uri.to_string());
    assert!(target.starts_with('/') || target == "*", "{head:?}");
}

/// Whether a length has zeros before it, which change nothing.
fn leads(length: &http::HeaderValue) -> bool {
    length.as_bytes().starts_with(b"0") && length.as_bytes().iter().all(u8::is_ascii_digit)
}

/// A request on the wire, its body in one chunk where it comes in chunks.
fn written((head, body): &Sent) -> Vec<u8> {
    let mut wire = format!("{} {} HTTP/1.1\r\n", head.method, head.uri).into_bytes();
    for (name, value) in &head.headers {
        wire.extend_from_slice(&[name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"].concat());
    }
    wire.extend_from_slice(b"\r\n");
    if !head.headers.contains_key(TRANSFER_ENCODING) {
        wire.extend_from_slice(body);
        return wire;
    }
    if !body.is_empty() {
        wire.extend_from_slice(&[format!("{:x}\r\n", body.len()).as_bytes(), body, b"\r\n"].concat());
    }
    wire.extend_from_slice(b"0\r\n\r\n");
    wire
}
