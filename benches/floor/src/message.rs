//! Heads: how long a message is, and the head that a cluster gets.

use std::io::{self, Write as _};

/// Headers of a message at most.
const HEADERS_MAX: usize = 64;

/// Which cluster a request goes to.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Leg {
    Primary = 0,
    Secondary = 1,
}

/// Lengths of a message's two parts, in bytes.
pub(crate) struct Head {
    pub(crate) length: usize,
    pub(crate) body: usize,
}

impl Head {
    /// Of a request; nothing while its head is incomplete.
    pub(crate) fn request(bytes: &[u8]) -> io::Result<Option<Self>> {
        let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
        let mut request = httparse::Request::new(&mut headers);
        let status = request.parse(bytes).map_err(io::Error::other)?;
        Self::of(status, request.headers)
    }

    /// Of an answer; nothing while its head is incomplete.
    pub(crate) fn answer(bytes: &[u8]) -> io::Result<Option<Self>> {
        let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
        let mut answer = httparse::Response::new(&mut headers);
        let status = answer.parse(bytes).map_err(io::Error::other)?;
        Self::of(status, answer.headers)
    }

    fn of(status: httparse::Status<usize>, headers: &[httparse::Header<'_>]) -> io::Result<Option<Self>> {
        let httparse::Status::Complete(length) = status else { return Ok(None) };
        let found = headers.iter().find(|header| header.name.eq_ignore_ascii_case("content-length"));
        let body = found.and_then(|header| std::str::from_utf8(header.value).ok()?.parse().ok());
        let body = body.ok_or_else(|| io::Error::other("a message without a length"))?;
        Ok(Some(Self { length, body }))
    }
}

/// The request's head as a cluster gets it: with the headers that Envoy adds.
pub(crate) fn rewritten(request: &[u8], leg: Leg) -> io::Result<Vec<u8>> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut parsed = httparse::Request::new(&mut headers);
    parsed.parse(request).map_err(io::Error::other)?;
    let mut head = Vec::with_capacity(1024);
    write!(head, "{} {} HTTP/1.1\r\n", parsed.method.unwrap_or_default(), parsed.path.unwrap_or_default())?;
    for header in parsed.headers {
        head.extend_from_slice(header.name.as_bytes());
        head.extend_from_slice(b": ");
        head.extend_from_slice(header.value);
        if leg == Leg::Secondary && header.name.eq_ignore_ascii_case("host") {
            head.extend_from_slice(b"-shadow");
        }
        head.extend_from_slice(b"\r\n");
    }
    head.extend_from_slice(b"x-forwarded-proto: http\r\n");
    head.extend_from_slice(b"x-request-id: 8f0d45a4-30e2-4a86-a3bb-3b0e7cf7e3a6\r\n");
    head.extend_from_slice(match leg {
        Leg::Primary => b"x-envoy-expected-rq-timeout-ms: 15000\r\n\r\n".as_slice(),
        Leg::Secondary => b"x-envoy-internal: true\r\nx-forwarded-for: 127.0.0.1\r\n\r\n",
    });
    Ok(head)
}
