//! A copy as the backlog keeps it: what a record's payload holds.
//!
//! A copy is kept as the primary received it. What its mirror changes (host, header rules, credentials of its own) is
//! applied when it is sent, so that a new configuration holds for old copies too, and no secret of ours is on disk.
//! Clients' credentials are left out unless asked for.
//!
//! The backlog sees to it that the bytes are those which were written. So what does not fit this page was written by
//! another version, and is an error value; nothing that is read here can panic.
//!
//! # The payload
//!
//! Numbers are little-endian.
//!
//! | at | bytes | what |
//! |---|---|---|
//! | 0 | 1 | version, 1 |
//! | 1 | 1 | flags: bits 0 and 1 are the framing (0 no body, 1 a length, 2 chunked); bit 2: Envoy's own headers are added to the copy; bit 3: credentials were left out; the others 0 |
//! | 2 | 1 | kind: 0 remote write, 1 OTLP, 2 Influx |
//! | 3 | 1 | 0 |
//! | 4 | 2 | policy: which of the mirror's policies holds, in the order of the configuration |
//! | 6 | 2 | 0 |
//! | 8 | 4 | one attempt's time in milliseconds |
//! | 12 | 4 | bytes of the head |
//! | 16 | 4 | bytes of the trailers |
//! | 20 | 8 | hash of the sender, for copies that are ordered by it |
//! | 28 | | the head: request line and headers as in HTTP/1.1, names in lower case, without `content-length` and `transfer-encoding`; no empty line at its end |
//! | | | the trailers: lines as the head's |
//! | | | the body up to the end of the payload, not chunked |
//!
//! All before the body is what [`encode`] makes; the backlog joins the two.

use std::time::Duration;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_LENGTH, COOKIE, PROXY_AUTHORIZATION, TRANSFER_ENCODING};
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri, request::Parts};

use crate::mirror::head::{Framing, write_header};
use crate::paths::Kind;

/// The backlog's kind byte of records with such a payload.
pub(crate) const KIND: u8 = 1;

const VERSION: u8 = 1;
const FIXED: usize = 28;
const TRAILERS_AT: usize = 16;
const FRAMING: u8 = 0b11;
const ENVOY_HEADERS: u8 = 1 << 2;
const CREDENTIALS_LEFT_OUT: u8 = 1 << 3;
const END_OF_LINE: &[u8] = b"\r\n";
const PROTOCOL: &[u8] = b" HTTP/1.1";

/// What is kept of a request beside its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Facts {
    pub(crate) framing: Framing,
    /// Whether Envoy's own headers are added to the copy.
    pub(crate) envoy_headers: bool,
    /// Index among the policies of its mirror, in the order of the configuration.
    pub(crate) policy: u16,
    pub(crate) kind: Kind,
    /// One attempt's time; kept in milliseconds.
    pub(crate) timeout: Duration,
    /// Hash of the sender, for copies that are ordered by it.
    pub(crate) sender: u64,
}

/// A copy read back.
#[derive(Debug)]
pub(crate) struct Decoded {
    /// As the primary received it, without framing headers, and without credentials unless they were kept.
    pub(crate) head: Parts,
    pub(crate) facts: Facts,
    /// The client sent credentials that were not kept.
    pub(crate) credentials_left_out: bool,
    pub(crate) trailers: Option<HeaderMap>,
    pub(crate) body: Bytes,
}

/// A payload that this version cannot read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Malformed {
    #[error("has version {0}, this program reads {VERSION}")]
    Version(u8),
    #[error("is too short")]
    Short,
    #[error("has unknown flags, an unknown kind, or something where nothing belongs")]
    Fixed,
    #[error("has an unreadable request line")]
    RequestLine,
    #[error("has an unreadable header")]
    Header,
}

/// The part of a payload before the body. `None` for what is never kept: no write, or a head beyond 4 GiB.
pub(crate) fn encode(head: &Parts, facts: &Facts, keep_credentials: bool) -> Option<Bytes> {
    let mut out = Vec::with_capacity(1 << 10);
    out.resize(FIXED, 0);
    out.extend_from_slice(head.method.as_str().as_bytes());
    out.push(b' ');
    out.extend_from_slice(head.uri.path_and_query().map_or("/", PathAndQuery::as_str).as_bytes());
    out.extend_from_slice(PROTOCOL);
    out.extend_from_slice(END_OF_LINE);
    let left_out = write_lines(&mut out, &head.headers, keep_credentials);
    let fixed = fixed(facts, left_out, u32::try_from(out.len() - FIXED).ok()?)?;
    out.get_mut(..FIXED)?.copy_from_slice(&fixed);
    Some(Bytes::from(out))
}

/// The same with trailers, which are known only at the request's end. `None` if they are beyond 4 GiB.
pub(crate) fn with_trailers(encoded: &Bytes, trailers: &HeaderMap, keep_credentials: bool) -> Option<Bytes> {
    let mut out = encoded.to_vec();
    let left_out = write_lines(&mut out, trailers, keep_credentials);
    let length = u32::try_from(out.len() - encoded.len()).ok()?;
    out.get_mut(TRAILERS_AT..TRAILERS_AT + 4)?.copy_from_slice(&length.to_le_bytes());
    if left_out {
        *out.get_mut(1)? |= CREDENTIALS_LEFT_OUT;
    }
    Some(Bytes::from(out))
}

/// Writes all but framing and credentials. Returns whether there were credentials.
fn write_lines(out: &mut Vec<u8>, headers: &HeaderMap, keep_credentials: bool) -> bool {
    let mut left_out = false;
    for (name, value) in headers {
        if name == CONTENT_LENGTH || name == TRANSFER_ENCODING {
            continue;
        }
        if !keep_credentials && (name == AUTHORIZATION || name == COOKIE || name == PROXY_AUTHORIZATION) {
            left_out = true;
            continue;
        }
        write_header(out, name, value);
    }
    left_out
}

fn fixed(facts: &Facts, left_out: bool, head: u32) -> Option<[u8; FIXED]> {
    let framing = match facts.framing {
        Framing::None => 0,
        Framing::Length => 1,
        Framing::Chunked => 2,
    };
    let kind = match facts.kind {
        Kind::Write => 0,
        Kind::OtlpWrite => 1,
        Kind::InfluxWrite => 2,
        Kind::Destructive | Kind::Other => return None,
    };
    let envoy = if facts.envoy_headers { ENVOY_HEADERS } else { 0 };
    let left_out = if left_out { CREDENTIALS_LEFT_OUT } else { 0 };
    let timeout = u32::try_from(facts.timeout.as_millis()).unwrap_or(u32::MAX);
    let mut fixed = [0; FIXED];
    let parts: [&[u8]; 7] = [
        &[VERSION, framing | envoy | left_out, kind, 0],
        &facts.policy.to_le_bytes(),
        &[0, 0],
        &timeout.to_le_bytes(),
        &head.to_le_bytes(),
        &0_u32.to_le_bytes(),
        &facts.sender.to_le_bytes(),
    ];
    fixed.copy_from_slice(&parts.concat());
    Some(fixed)
}

/// Reads a payload. Body and values share its bytes.
pub(crate) fn decode(payload: &Bytes) -> Result<Decoded, Malformed> {
    match payload.first() {
        None => return Err(Malformed::Short),
        Some(&VERSION) => {}
        Some(&version) => return Err(Malformed::Version(version)),
    }
    let fixed: &[u8; FIXED] = payload.first_chunk().ok_or(Malformed::Short)?;
    let (facts, credentials_left_out) = facts(fixed)?;
    let length = |at| u32::from_le_bytes(bytes_at(fixed, at)) as usize;
    let head_end = FIXED.checked_add(length(12)).ok_or(Malformed::Short)?;
    let trailers_end = head_end.checked_add(length(TRAILERS_AT)).ok_or(Malformed::Short)?;
    if payload.len() < trailers_end {
        return Err(Malformed::Short);
    }
    let head = read_head(payload.slice(FIXED..head_end))?;
    let trailers = read_lines(payload.slice(head_end..trailers_end))?;
    Ok(Decoded {
        head,
        facts,
        credentials_left_out,
        trailers: (!trailers.is_empty()).then_some(trailers),
        body: payload.slice(trailers_end..),
    })
}

fn facts(fixed: &[u8; FIXED]) -> Result<(Facts, bool), Malformed> {
    let [_, flags, kind, zero, ..] = *fixed;
    if zero != 0 || bytes_at(fixed, 6) != [0; 2] || flags >= CREDENTIALS_LEFT_OUT << 1 {
        return Err(Malformed::Fixed);
    }
    let framing = match flags & FRAMING {
        0 => Framing::None,
        1 => Framing::Length,
        2 => Framing::Chunked,
        _ => return Err(Malformed::Fixed),
    };
    let kind = match kind {
        0 => Kind::Write,
        1 => Kind::OtlpWrite,
        2 => Kind::InfluxWrite,
        _ => return Err(Malformed::Fixed),
    };
    let facts = Facts {
        framing,
        envoy_headers: flags & ENVOY_HEADERS != 0,
        policy: u16::from_le_bytes(bytes_at(fixed, 4)),
        kind,
        timeout: Duration::from_millis(u32::from_le_bytes(bytes_at(fixed, 8)).into()),
        sender: u64::from_le_bytes(bytes_at(fixed, 20)),
    };
    Ok((facts, flags & CREDENTIALS_LEFT_OUT != 0))
}

/// `N` bytes from `at` on, which must lie within.
fn bytes_at<const N: usize>(fixed: &[u8; FIXED], at: usize) -> [u8; N] {
    fixed.get(at..).and_then(|rest| rest.first_chunk()).copied().unwrap_or([0; N])
}

fn read_head(mut text: Bytes) -> Result<Parts, Malformed> {
    let line = take_line(&mut text).ok_or(Malformed::RequestLine)?;
    let space = line.iter().position(|&byte| byte == b' ').ok_or(Malformed::RequestLine)?;
    let target = line.strip_suffix(PROTOCOL).and_then(|line| line.get(space + 1..));
    let target = line.slice_ref(target.ok_or(Malformed::RequestLine)?);
    let target = PathAndQuery::from_maybe_shared(target).map_err(|_| Malformed::RequestLine)?;
    let method = line.get(..space).and_then(|method| Method::from_bytes(method).ok());
    let (mut head, ()) = http::Request::new(()).into_parts();
    head.method = method.ok_or(Malformed::RequestLine)?;
    head.uri = Uri::from(target);
    head.headers = read_lines(text)?;
    Ok(head)
}

/// Not a parser of HTTP: what is read was written by [`write_lines`], and values hold no ends of lines.
fn read_lines(mut text: Bytes) -> Result<HeaderMap, Malformed> {
    let mut headers = HeaderMap::new();
    while !text.is_empty() {
        let line = take_line(&mut text).ok_or(Malformed::Header)?;
        let colon = line.windows(2).position(|pair| pair == b": ").ok_or(Malformed::Header)?;
        let name = HeaderName::from_bytes(line.get(..colon).unwrap_or_default());
        let value = HeaderValue::from_maybe_shared(line.slice(colon + 2..));
        let (Ok(name), Ok(value)) = (name, value) else { return Err(Malformed::Header) };
        headers.try_append(name, value).map_err(|_| Malformed::Header)?;
    }
    Ok(headers)
}

fn take_line(text: &mut Bytes) -> Option<Bytes> {
    let end = text.windows(2).position(|pair| pair == END_OF_LINE)?;
    let line = text.split_to(end);
    *text = text.slice(END_OF_LINE.len()..);
    Some(line)
}

#[cfg(test)]
mod tests;
