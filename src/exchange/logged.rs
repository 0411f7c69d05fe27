//! What a request's line in the access log is made of, kept until its end. Only where there is a log.

use std::borrow::Cow;
use std::rc::Rc;
use std::time::Instant;

use config::model::Route;
use http::request::Parts;
use http::{HeaderMap, StatusCode, Version};

use super::known::{Kept, known, wall_clock};
use super::record::Record;
use super::request_body::RequestBody;
use super::{Client, Core};
use crate::access_log::Logs;
use crate::format::{Facts, Flags, View};
use crate::tls::Secured;

/// See the module.
#[derive(Debug)]
pub(super) struct Logged {
    logs: Rc<Logs>,
    core: Rc<Core>,
    body: Rc<RequestBody>,
    version: Version,
    peer: std::net::SocketAddr,
    /// By `x-forwarded-for`.
    trusted: Option<std::net::IpAddr>,
    local: std::net::SocketAddr,
    connection: u64,
    secured: Option<Rc<Secured>>,
    request: Option<Kept>,
    route: Option<(String, Option<usize>)>,
    pub(super) answer: Option<HeaderMap>,
    pub(super) trailers: Option<HeaderMap>,
}

impl Logged {
    /// `None` where the listener has no log.
    pub(super) fn begin(
        core: &Rc<Core>,
        client: &Client,
        version: Version,
        body: &Rc<RequestBody>,
    ) -> Option<Box<Self>> {
        let logs = core.sites.get(client.listener)?.logs.as_ref()?;
        Some(Box::new(Self {
            logs: Rc::clone(logs),
            core: Rc::clone(core),
            body: Rc::clone(body),
            version,
            peer: client.peer,
            trusted: None,
            local: client.local,
            connection: client.connection,
            secured: client.secured.clone(),
            request: None,
            route: None,
            answer: None,
            trailers: None,
        }))
    }

    /// The head as the primary gets it, or as far as it came.
    pub(super) fn head(&mut self, head: &Parts, route: Option<&Route>, trusted: Option<std::net::IpAddr>) {
        self.trusted = trusted;
        self.request = Some(Kept::of(head));
        self.route = route.map(|route| (route.name.clone(), route.forward().map(|to| to.cluster)));
    }

    /// The end of the exchange.
    pub(super) fn write(&self, record: &Record) {
        let begun = self.body.begun();
        let now = Instant::now();
        let config = &self.core.config;
        let since_begin = |at: Instant| at.saturating_duration_since(begun);
        let request_took = self.body.completed_at().map(since_begin);
        let mut facts = Facts {
            begun: Some(wall_clock(begun)),
            version: Some(self.version),
            received: self.body.received_bytes(),
            took: Some(since_begin(now)),
            request_took,
            request_sent_after: request_took.filter(|_| record.is_connected()),
            answer_took: record.answered_at().map(|at| now.saturating_duration_since(at)),
            cluster: self
                .route
                .as_ref()
                .and_then(|(_, cluster)| Some(config.clusters.get((*cluster)?)?.name.as_str())),
            peer: Some(self.peer),
            trusted: self.trusted,
            local: Some(self.local),
            route: self.route.as_ref().map(|(name, _)| name.as_str()),
            connection: Some(self.connection),
            log: Some("DownstreamEnd"),
            ..known(record, begun, self.secured.as_deref())
        };
        if self.body.has_left() && record.answered_at().is_none() {
            // The client saw nothing of it, whatever came of the request.
            facts.code = None::<StatusCode>;
            facts.flags = Flags::DOWNSTREAM_TERMINATION;
            facts.details = Some(Cow::Borrowed("downstream_remote_disconnect"));
        }
        self.logs.write(View {
            request: self.request.as_ref().map(Kept::head),
            response: self.answer.as_ref(),
            trailers: self.trailers.as_ref(),
            facts: &facts,
        });
    }
}
