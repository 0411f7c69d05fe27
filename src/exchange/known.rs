//! What is known of a request, as format strings ask for it.

use std::sync::Arc;
use std::time::{Instant, SystemTime};

use config::model::{AddedValue, Route, RouteHeaders};
use http::HeaderMap;
use http::request::Parts;

use super::Exchange;
use super::record::Record;
use crate::format::{Facts, RequestHead, View};
use crate::route::changes;
use crate::tls::Secured;

const X_FORWARDED_PROTO: http::HeaderName = http::HeaderName::from_static("x-forwarded-proto");

impl Exchange<'_> {
    /// While it is on its way, or when its answer begins.
    pub(super) fn known<'k>(&'k self, route: &'k Route, record: &Record) -> Facts<'k> {
        let took = self.body.begun().elapsed();
        Facts {
            begun: Some(wall_clock(self.body.begun())),
            version: Some(self.version),
            took: Some(took),
            cluster: route
                .forward()
                .and_then(|to| self.core.config.clusters.get(to.cluster))
                .map(|cluster| cluster.name.as_str()),
            peer: Some(self.client.peer),
            trusted: self.source.forwarded,
            local: Some(self.client.local),
            route: Some(&route.name),
            connection: Some(self.client.connection),
            ..known(record, self.body.begun(), self.client.secured.as_deref())
        }
    }

    /// Applies the header changes of the route and of the levels above it.
    pub(super) fn change_request(&self, head: &mut Parts, route: &Route) {
        let facts = self.known(route, &Record::default());
        let Parts { method, uri, headers, .. } = head;
        for level in &route.levels {
            changes::apply(headers, &level.request, |headers, format| {
                let request = Some(request_head(method, uri, headers));
                changes::formatted(format, View { request, response: None, trailers: None, facts: &facts })
            });
        }
        let asks = |level: &Arc<RouteHeaders>| {
            level.response.add.iter().any(|added| matches!(added.value, AddedValue::Format(_)))
        };
        if route.levels.iter().any(asks) {
            let _ = self.kept.set(Kept::of(head));
        }
    }

    /// The same for an answer.
    pub(super) fn change_answer(&self, head: &mut http::response::Parts, record: &Record) {
        let Some(route) = self.route.get().filter(|route| !route.levels.is_empty()) else { return };
        let facts = self.known(route, record);
        let request = self.kept.get().map(Kept::head);
        for level in &route.levels {
            changes::apply(&mut head.headers, &level.response, |headers, format| {
                let response = Some(headers);
                changes::formatted(format, View { request, response, trailers: None, facts: &facts })
            });
        }
    }
}

/// What the primary's side and the client's TLS tell.
pub(super) fn known<'k>(record: &Record, begun: Instant, secured: Option<&'k Secured>) -> Facts<'k> {
    Facts {
        server_name: secured.and_then(|secured| secured.server_name.as_deref()),
        peer_subject: secured.and_then(|secured| Some(secured.peer.as_ref()?.subject.as_str())),
        tls_version: secured.and_then(|secured| secured.version),
        ..record.facts(begun)
    }
}

/// The request's head by its parts, of which the headers are lent elsewhere.
pub(super) fn request_head<'a>(
    method: &'a http::Method,
    uri: &'a http::Uri,
    headers: &'a HeaderMap,
) -> RequestHead<'a> {
    let is_https = headers.get(X_FORWARDED_PROTO).is_some_and(|proto| proto.as_bytes() == b"https");
    RequestHead { method, uri, headers, scheme: if is_https { "https" } else { "http" } }
}

/// A head kept while its request is on its way, because something will ask for it then.
#[derive(Debug)]
pub(super) struct Kept {
    method: http::Method,
    uri: http::Uri,
    headers: HeaderMap,
}

impl Kept {
    /// Counted references, for the most part.
    pub(super) fn of(head: &Parts) -> Self {
        Self { method: head.method.clone(), uri: head.uri.clone(), headers: head.headers.clone() }
    }

    pub(super) fn head(&self) -> RequestHead<'_> {
        request_head(&self.method, &self.uri, &self.headers)
    }
}

/// When that was, by the clock on the wall.
pub(super) fn wall_clock(at: Instant) -> SystemTime {
    let now = SystemTime::now();
    now.checked_sub(at.elapsed()).unwrap_or(now)
}
