//! A copy's line in its mirror's access log, written with its outcome. Only where the mirror has a log.

use std::cell::Cell;
use std::rc::Rc;
use std::time::{Instant, SystemTime};

use bytes::Bytes;
use config::model::Mirror;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, Version};

use super::send::Ends;
use crate::access_log::Logs;
use crate::access_log::writer::Opened;
use crate::format::{CopyFacts, Facts, RequestHead, View};
use crate::limits;
use crate::stats::mirror::Outcome;

/// A mirror's access logs, on one thread, and what they call it.
#[derive(Debug)]
pub(crate) struct CopyLogs {
    logs: Rc<Logs>,
    mirror: Box<str>,
}

/// What is known of a copy at its end.
#[derive(Debug, Default)]
pub(super) struct Said<'a> {
    /// Its head as the mirror gets it; read again for the line.
    pub(super) head: Option<&'a [u8]>,
    /// Bytes of the request's body.
    pub(super) body: Option<u64>,
    /// Bytes of the copy.
    pub(super) bytes: Option<u64>,
    /// When the request was complete.
    pub(super) arrived: Option<Instant>,
    /// From then until it was first sent, or until now if it never was.
    pub(super) waited: Option<std::time::Duration>,
    /// The connection of its last attempt.
    pub(super) ends: Option<Ends>,
    pub(super) attempts: Option<u32>,
}

impl CopyLogs {
    /// `None` where the mirror has none.
    pub(crate) fn new(mirror: &Mirror, opened: &Opened) -> Option<Rc<Self>> {
        let logs = Logs::new(&mirror.access_logs, |sink| opened.handle(sink))?;
        Some(Rc::new(Self { logs, mirror: mirror.name.as_str().into() }))
    }

    /// One line. Never waits.
    pub(super) fn write(&self, said: &Said<'_>, outcome: Outcome, status: Option<u16>) {
        let (named, reason) = outcome.labels();
        let took = said.arrived.map(|arrived| arrived.elapsed());
        let facts = Facts {
            begun: took.map(|took| {
                let now = SystemTime::now();
                now.checked_sub(took).unwrap_or(now)
            }),
            upstream_version: said.ends.map(|_| Version::HTTP_11),
            code: status.and_then(|status| StatusCode::from_u16(status).ok()),
            received: said.body.unwrap_or_default(),
            took,
            upstream: said.ends.map(|ends| ends.remote),
            upstream_local: said.ends.and_then(|ends| ends.local),
            connected: said.ends.is_some(),
            attempts: said.attempts,
            log: Some("Copy"),
            copy: Some(CopyFacts {
                mirror: &self.mirror,
                outcome: named,
                reason,
                bytes: said.bytes,
                wait: said.waited,
            }),
            ..Facts::default()
        };
        let head = said.head.and_then(Head::read);
        let request = head.as_ref().map(|head| RequestHead {
            method: &head.method,
            uri: &head.uri,
            headers: &head.headers,
            scheme: "http",
        });
        self.logs.write(View { request, response: None, trailers: None, facts: &facts });
    }
}

/// What is kept until its outcome of a copy that is sent from memory.
#[derive(Debug)]
pub(super) struct CopyLog {
    pub(super) logs: Rc<CopyLogs>,
    /// Its head as the mirror gets it, but for the framing.
    pub(super) head: Bytes,
    /// Of the request's body.
    pub(super) body: u64,
    /// When the request was complete.
    pub(super) arrived: Instant,
    /// When its first byte was written, and over which connection.
    pub(super) sent: Cell<Option<(Instant, Ends)>>,
}

impl CopyLog {
    pub(super) fn write(&self, outcome: Outcome, status: Option<u16>) {
        let sent = self.sent.get();
        let until = sent.map_or_else(Instant::now, |(at, _)| at);
        let said = Said {
            head: Some(&self.head),
            body: Some(self.body),
            bytes: Some(self.head.len() as u64 + self.body),
            arrived: Some(self.arrived),
            waited: Some(until.saturating_duration_since(self.arrived)),
            ends: sent.map(|(_, ends)| ends),
            attempts: Some(u32::from(sent.is_some())),
        };
        self.logs.write(&said, outcome, status);
    }
}

struct Head {
    method: Method,
    uri: Uri,
    headers: HeaderMap,
}

impl Head {
    /// The head that we have written ourselves, and perhaps what comes behind it.
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
