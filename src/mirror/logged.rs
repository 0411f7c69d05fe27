//! A copy's line in its mirror's access log, written with its outcome. Only where the mirror has a log.

use std::cell::Cell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Instant, SystemTime};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri};

use crate::access_log::Logs;
use crate::format::{CopyFacts, Facts, RequestHead, View};
use crate::limits;
use crate::stats::mirror::Outcome;

/// What is kept of a copy until its outcome.
#[derive(Debug)]
pub(super) struct CopyLog {
    pub(super) logs: Rc<Logs>,
    pub(super) mirror: Rc<str>,
    /// Its head as the mirror gets it, but for the framing; read again for the line.
    pub(super) head: Bytes,
    /// Of the request's body.
    pub(super) body: u64,
    /// When the request was complete.
    pub(super) arrived: Instant,
    /// When its first byte was written, and to which endpoint.
    pub(super) sent: Cell<Option<(Instant, SocketAddr)>>,
}

impl CopyLog {
    pub(super) fn write(&self, outcome: Outcome, status: Option<u16>) {
        let now = Instant::now();
        let (named, reason) = outcome.labels();
        let sent = self.sent.get();
        let waited = sent.map_or(now, |(at, _)| at).saturating_duration_since(self.arrived);
        let begun = SystemTime::now();
        let facts = Facts {
            begun: Some(begun.checked_sub(now.saturating_duration_since(self.arrived)).unwrap_or(begun)),
            code: status.and_then(|status| StatusCode::from_u16(status).ok()),
            received: self.body,
            took: Some(now.saturating_duration_since(self.arrived)),
            upstream: sent.map(|(_, address)| address),
            connected: sent.is_some(),
            attempts: Some(u32::from(sent.is_some())),
            log: Some("Copy"),
            copy: Some(CopyFacts {
                mirror: &self.mirror,
                outcome: named,
                reason,
                bytes: self.head.len() as u64 + self.body,
                wait: Some(waited),
            }),
            ..Facts::default()
        };
        let head = Head::read(&self.head);
        let request = head.as_ref().map(|head| RequestHead {
            method: &head.method,
            uri: &head.uri,
            headers: &head.headers,
            scheme: "http",
        });
        self.logs.write(View { request, response: None, trailers: None, facts: &facts });
    }
}

struct Head {
    method: Method,
    uri: Uri,
    headers: HeaderMap,
}

impl Head {
    /// The head that we have written ourselves.
    fn read(bytes: &[u8]) -> Option<Self> {
        let mut fields = [httparse::EMPTY_HEADER; 2 * limits::HEADERS_MAX];
        let mut request = httparse::Request::new(&mut fields);
        request.parse(bytes).ok().filter(httparse::Status::is_complete)?;
        let mut headers = HeaderMap::new();
        for field in request.headers.iter().filter(|field| !field.name.is_empty()) {
            let name = HeaderName::from_bytes(field.name.as_bytes()).ok()?;
            headers.append(name, HeaderValue::from_bytes(field.value).ok()?);
        }
        Some(Self {
            method: Method::from_bytes(request.method?.as_bytes()).ok()?,
            uri: request.path?.parse().ok()?,
            headers,
        })
    }
}
