//! The heart: a request goes to the primary, its answer comes back, and the tap sees what passes.
//!
//! Enters: a request as the HTTP library read it. Leaves: the answer, streaming. Runs on the worker that holds the
//! client's connection. All that is known here of a mirror is the [`Tap`], which returns nothing: no line of this
//! file can wait for a copy.

mod answer_body;
mod client;
mod cut;
mod detach;
mod expired;
mod failed;
mod known;
mod logged;
mod record;
mod replay;
mod request_body;
mod retry;
mod timeouts;

use std::cell::{Cell, OnceCell, RefCell};
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use config::model::{Action, Config, Conventions, Forward, HttpManager, Route};
use http::header::{CONNECTION, EXPECT, HOST, TE, TRAILER};
use http::request::Parts;
use http::{HeaderName, HeaderValue, Method, Request, Response, Version};
use hyper::body::Incoming;

use crate::access_log::Logs;
use crate::deadline::{Expired, Wheel};
use crate::lifecycle::Lifecycle;
use crate::mirror::Mirrors;
use crate::mirror::asks;
use crate::mirror::tap::{Facts, Tap};
use crate::paths::Kind;
use crate::route::grpc;
use crate::route::headers::{self, Received, Source};
use crate::route::matching::Asked;
use crate::route::reply::{self, LocalReply};
use crate::route::{Table, rewrite, targets};
use crate::stats::{ClusterStats, HttpStats, WorkerStats};
use crate::tls::Current;
use crate::upstream::{Failure, Full, Upstream};
pub(crate) use answer_body::AnswerBody;
use answer_body::{Active, Relayed};
pub(crate) use client::Client;
pub(crate) use detach::{Departure, Detached};
use known::Kept;
use logged::Logged;
use record::{Progress, Record};
pub(crate) use replay::{Outgoing, ReplayBudget};
use request_body::RequestBody;
pub(crate) use retry::Repeating;
use timeouts::Timeouts;

/// Tells clients that a circuit breaker refused their request.
const OVERLOADED: HeaderName = HeaderName::from_static("x-envoy-overloaded");

/// What one worker needs to serve requests. Nothing in it is shared with another worker but counters it alone writes.
#[derive(Debug)]
pub(crate) struct Core {
    pub(crate) config: Arc<Config>,
    /// By listener.
    pub(crate) sites: Vec<Site>,
    /// By cluster.
    pub(crate) upstreams: Vec<Rc<Upstream<Outgoing>>>,
    pub(crate) mirrors: Rc<Mirrors>,
    pub(crate) stats: Arc<WorkerStats>,
    pub(crate) wheel: Rc<Wheel>,
    pub(crate) lifecycle: Arc<Lifecycle>,
    /// The current second, for `date`.
    pub(crate) date: RefCell<HeaderValue>,
    pub(crate) replay: ReplayBudget,
    pub(crate) tls: Rc<Current>,
    /// By cluster.
    pub(crate) repeating: Vec<Repeating>,
}

/// One listener's routes and settings.
#[derive(Debug)]
pub(crate) struct Site {
    pub(crate) routes: Table,
    pub(crate) http: HttpManager,
    /// The port that clients connect to.
    pub(crate) port: u16,
    /// Its access logs.
    pub(crate) logs: Option<Rc<Logs>>,
}

/// The connection (HTTP/1.1) or stream (HTTP/2) is closed without an answer.
#[derive(Debug, thiserror::Error)]
#[error("the request is closed without an answer")]
pub(crate) struct Unanswered;

/// One request, from its head to the head of its answer.
pub(crate) async fn exchange(
    core: Rc<Core>,
    client: Client,
    request: Request<Incoming>,
) -> Result<Response<AnswerBody>, Unanswered> {
    let (Some(site), Some(http_stats)) =
        (core.sites.get(client.listener), core.stats.http.get(client.listener))
    else {
        return Err(Unanswered);
    };
    let (mut head, incoming) = request.into_parts();
    let version = head.version;
    let mut active = Active::begin(&core.stats, &client, version);
    let body = RequestBody::new(&core, &client, incoming, head.headers.contains_key(EXPECT));
    client.departure.tell(&body);
    active.logged = Logged::begin(&core, &client, version, &body);
    let source = Source::of(&head.headers, &site.http.conventions, client.peer.ip());
    let exchange = Exchange {
        core: &core,
        client: &client,
        http_stats,
        site,
        version,
        random: fastrand::u64(..),
        is_grpc: grpc::is_call(&head.headers),
        body,
        source,
        timeout: Cell::new(None),
        request_id: OnceCell::new(),
        asked: Progress::default(),
        route: Cell::new(None),
        kept: OnceCell::new(),
    };
    let admitted = exchange.admit(&mut head);
    if let Some(id) = headers::request_id_told(&head.headers, &site.http.conventions) {
        let _ = exchange.request_id.set(id);
    }
    if let Some(logged) = &mut active.logged {
        logged.head(&head, exchange.route.get(), source.forwarded);
    }
    let answer = match admitted {
        Ok(Admitted::Forward(forward, kind)) => exchange.carry(head, forward, kind, active).await,
        Ok(Admitted::Answered(answer)) => Ok(exchange.respond(answer, active)),
        Err(refusal) => Ok(exchange.reply(refusal, active)),
    };
    // Before any byte of the answer leaves: the client may then send what must not overtake this request's copies.
    match &answer {
        Ok(answer) => exchange.body.answered(answer.status(), answer.headers()),
        Err(Unanswered) => exchange.body.left(),
    }
    // Off by default: the one thing that an answer can be made to wait for, and for a moment only.
    if let Some(unsaved) = exchange.body.unsaved() {
        unsaved.wait().await;
    }
    answer
}

/// One request on its way.
struct Exchange<'a> {
    core: &'a Rc<Core>,
    client: &'a Client,
    http_stats: &'a HttpStats,
    site: &'a Site,
    /// The client's.
    version: Version,
    /// Decides all shares of this request.
    random: u64,
    is_grpc: bool,
    body: Rc<RequestBody>,
    source: Source,
    /// How long the route may take, once it is found.
    timeout: Cell<Option<Duration>>,
    /// Where the answer is to tell it.
    request_id: OnceCell<HeaderValue>,
    /// How far the asking of the primary has come.
    asked: Progress,
    /// Once it is found.
    route: Cell<Option<&'a Route>>,
    /// The head that went to the primary, where something will ask for it.
    kept: OnceCell<Kept>,
}

/// What a route makes of a request.
enum Admitted<'a> {
    /// It goes to a primary, as what the kind says.
    Forward(&'a Forward, Kind),
    /// The route answers.
    Answered(Response<Bytes>),
}

impl<'a> Exchange<'a> {
    /// Finds the route and makes the head what the primary gets, or answers.
    fn admit(&self, head: &mut Parts) -> Result<Admitted<'a>, LocalReply> {
        let conventions = &self.site.http.conventions;
        let has_body = !self.body.is_complete();
        let head_max = (self.site.http.max_request_headers_kb as usize) << 10;
        let protocols = &self.site.http.protocols;
        let received = Received {
            conventions,
            peer: self.client.peer.ip(),
            port: self.client.local.port(),
            secured: self.client.secured.as_deref(),
            source: self.source,
            has_body,
            head_max,
            protocols,
        };
        headers::to_upstream(head, received)?;
        targets::apply(head, self.site.http.targets, self.site.port);
        let host = head.headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
        let host = targets::matched_host(host, self.site.http.targets);
        let asked = Asked { head, host, random: self.random };
        // CONNECT asks for a tunnel, not for a resource: no route has one.
        let found = if head.method == Method::CONNECT { None } else { self.site.routes.find(&asked) };
        let Some(route) = found else {
            self.http_stats.no_route.inc();
            return Err(LocalReply::NoRoute);
        };
        self.route.set(Some(route));
        let (close, date) = (!self.body.is_complete(), self.core.date.borrow());
        let forward = match &route.action {
            Action::Forward(forward) => forward,
            Action::Respond(answer) => return Ok(self.answered(reply::direct(answer, close, &date))),
            Action::Redirect(to) => {
                return Ok(self.answered(reply::redirect(to, &route.matches, head, close, &date)));
            }
        };
        self.timeout.set(headers::add_route_headers(&mut head.headers, conventions, forward.timeout));
        if !route.levels.is_empty() {
            self.change_request(head, route);
        }
        if forward.attempt_count_in_request {
            head.headers.insert(retry::ATTEMPT_COUNT, HeaderValue::from(1));
        }
        let received = head.uri.clone();
        rewrite::apply(head, &route.matches, forward, self.tells())?;
        Ok(Admitted::Forward(forward, Kind::of_both(&head.method, received.path(), head.uri.path())))
    }

    fn answered(&self, answer: Response<Bytes>) -> Admitted<'a> {
        self.http_stats.rq_direct_response.inc();
        Admitted::Answered(answer)
    }

    /// Whether headers tell what a rewrite changed.
    fn tells(&self) -> bool {
        matches!(&self.site.http.conventions, Conventions::Envoy(envoy) if !envoy.suppress_envoy_headers)
    }

    /// Sends the request to the primary, past the tap, and waits for the head of the answer.
    async fn carry(
        &self,
        mut head: Parts,
        route: &Forward,
        kind: Kind,
        mut active: Active,
    ) -> Result<Response<AnswerBody>, Unanswered> {
        active.record.attempts = 1;
        let upstream = self.core.upstreams.get(route.cluster);
        let Some((upstream, host)) = upstream.and_then(|upstream| Some((upstream, upstream.pick()?))) else {
            return Ok(self.failed(route, Failure::NoEndpoint, active));
        };
        if upstream.is_http2(self.version) {
            self.body.goes_over_http2();
        }
        let refused = upstream.refuses(&host, self.version, &head.headers);
        if refused != Some(Full::Pending) {
            self.asked.to.set(Some(host.address()));
            active.record.upstream = self.asked.to.get();
        }
        if refused.is_some() {
            return Ok(self.failed(route, Failure::Overflow, active));
        }
        self.tap(&head, route, kind);
        rewrite::for_primary(&mut head, route, self.tells());
        let answers_with_trailers = self.version == Version::HTTP_2 || head.headers.contains_key(TE);
        let sent_at = Instant::now();
        let asking = pin!(self.ask(head, route, kind, upstream, host));
        let answer = self.body.deadline().race(asking).await;
        active.record.asked(&self.asked);
        self.body.forget_replay();
        match answer {
            Ok(Ok((answer, lease))) => {
                let request = Rc::clone(&self.body);
                Ok(self.relay(answer, Relayed { lease, request, active, sent_at, answers_with_trailers }))
            }
            Ok(Err(_)) if self.body.is_broken() => {
                self.http_stats.rq_rx_reset.inc();
                Err(Unanswered)
            }
            Ok(Err(failure)) => Ok(self.failed(route, failure, active)),
            Err(Expired) => self.expired(route, kind, active),
        }
    }

    /// From here on the tap sees every frame that flows to the primary.
    fn tap(&self, head: &Parts, route: &Forward, kind: Kind) {
        // Only what a policy asks for is worked out.
        let asked = self.route.get().filter(|_| route.mirrors.iter().any(asks));
        let known = asked.map(|found| self.known(found, &Record::default())).unwrap_or_default();
        let facts = Facts {
            kind,
            random: self.random,
            peer: self.client.peer.ip(),
            envoy_headers: self.site.http.conventions != Conventions::None,
            timeout: self.timeout.get(),
            policies: &route.mirrors,
            known: &known,
        };
        let tap = Tap::begin(&self.core.mirrors, head, facts);
        self.body.begin(
            tap,
            Timeouts::of(&self.site.http, route, self.timeout.get()),
            head.headers.contains_key(TRAILER),
        );
    }

    /// The primary's answer.
    fn relay(&self, answer: Response<Incoming>, mut relayed: Relayed) -> Response<AnswerBody> {
        let (mut head, incoming) = answer.into_parts();
        let took = relayed.sent_at.elapsed();
        relayed.active.record.answered(&head);
        // The time that the primary took begins at the request's end, which an early answer does not wait for.
        let took = self.body.is_complete().then_some(took);
        self.finish_head(&mut head, took, &relayed.active.record);
        if let Some(logged) = &mut relayed.active.logged {
            logged.answer = Some(head.headers.clone());
        }
        self.count(head.status.as_u16());
        let body = AnswerBody::relayed(incoming, relayed, &head);
        Response::from_parts(head, body)
    }

    /// An answer of our own; the rest of the request is read for a moment, so that the answer survives the close.
    fn reply(&self, reply: LocalReply, mut active: Active) -> Response<AnswerBody> {
        active.record.replied(reply);
        let mut answer = reply.response(!self.body.is_complete(), &self.core.date.borrow());
        if reply.is_overload() && self.tells() {
            answer.headers_mut().insert(OVERLOADED, HeaderValue::from_static("true"));
        }
        if self.is_grpc {
            grpc::answer(&mut answer);
        }
        self.respond(answer, active)
    }

    fn respond(&self, answer: Response<Bytes>, mut active: Active) -> Response<AnswerBody> {
        // Redirects, too: Envoy calls both so.
        active.record.details.get_or_insert("direct_response");
        let (mut head, body) = answer.into_parts();
        self.finish_head(&mut head, None, &active.record);
        active.record.code = Some(head.status);
        active.record.sent = body.len() as u64;
        if let Some(logged) = &mut active.logged {
            logged.answer = Some(head.headers.clone());
        }
        self.count(head.status.as_u16());
        Rc::clone(&self.body).linger();
        Response::from_parts(head, AnswerBody::local(body, active))
    }

    fn finish_head(&self, head: &mut http::response::Parts, took: Option<Duration>, record: &Record) {
        let conventions = &self.site.http.conventions;
        headers::upstream_told(head, conventions, self.version, took);
        let told = self.route.get().and_then(Route::forward).is_some_and(|to| to.attempt_count_in_response);
        if told && self.asked.attempts.get() > 0 {
            head.headers.insert(retry::ATTEMPT_COUNT, HeaderValue::from(self.asked.attempts.get()));
        }
        self.change_answer(head, record);
        let date = self.core.date.borrow();
        headers::to_client(head, conventions, self.version, self.request_id.get(), &date);
        let leave = self.core.lifecycle.asks_to_leave() || self.client.retiring.get();
        let last = self.version == Version::HTTP_11 && (leave || self.closes(head));
        if last || self.version == Version::HTTP_10 {
            head.headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
    }

    /// A refusal before the request was read to its end closes the connection, as Envoy does.
    fn closes(&self, head: &http::response::Parts) -> bool {
        !self.body.is_complete() && !head.status.is_success()
    }

    fn count(&self, status: u16) {
        self.http_stats.rq_completed.inc();
        let class = usize::from(status / 100).saturating_sub(1);
        self.http_stats.rq_by_class.get(class).inspect(|counter| counter.inc());
    }

    fn cluster(&self, route: &Forward) -> Option<&ClusterStats> {
        self.core.stats.clusters.get(route.cluster)
    }
}
