//! A route's retry policy: when the primary is asked again, and what waits in between.
//!
//! One attempt follows another; the copy is made once. What has been sent of the body is kept within bounds
//! (`replay`); a body that outgrows them has one attempt, as in Envoy. Runs on the worker.

use std::cell::Cell;
use std::future::Future;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use config::model::{Cluster, Forward, RetryOn, RetryPolicy};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode};
use http_body::Body;
use http_body_util::BodyExt;
use hyper::body::Incoming;

use super::Exchange;
use super::replay::{Outgoing, Repeatable};
use crate::cluster::Host;
use crate::cluster::breakers::{Breakers, Permit};
use crate::format::Flags;
use crate::limits;
use crate::paths::Kind;
use crate::route::{headers, matching};
use crate::stats::ClusterStats;
use crate::upstream::{Failure, Lease, Upstream};

/// What an attempt came to.
pub(super) type Sent = Result<(Response<Incoming>, Lease<Outgoing>), Failure>;

pub(super) const ATTEMPT_COUNT: HeaderName = HeaderName::from_static("x-envoy-attempt-count");
const RATE_LIMITED: HeaderName = HeaderName::from_static("x-envoy-ratelimited");
const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");

/// Requests of one worker to one cluster that are being repeated.
#[derive(Debug)]
pub(crate) struct Repeating {
    here: Rc<Cell<u32>>,
    /// How many there may be here; what the file says holds for all workers.
    most: u32,
    breakers: Option<Arc<Breakers>>,
}

/// One of them. Ends when dropped.
#[derive(Debug)]
struct Repeated {
    here: Rc<Cell<u32>>,
    #[expect(dead_code, reason = "held for its Drop")]
    permit: Option<Permit>,
}

impl Repeating {
    pub(crate) fn new(cluster: &Cluster, breakers: Option<Arc<Breakers>>) -> Self {
        // Without breakers nothing is limited; where there are some, what they do not say is Envoy's default.
        let bounded = cluster.breakers.is_some_and(|written| written.max_retries.is_none());
        let most = if bounded { limits::RETRIES_MAX } else { u32::MAX };
        Self { here: Rc::default(), most, breakers }
    }

    fn one_more(&self) -> Option<Repeated> {
        let now = self.here.get();
        if now >= self.most {
            return None;
        }
        let permit = match &self.breakers {
            Some(breakers) => Some(breakers.permit(|breakers| &breakers.retries)?),
            None => None,
        };
        self.here.set(now + 1);
        Some(Repeated { here: Rc::clone(&self.here), permit })
    }
}

impl Drop for Repeated {
    fn drop(&mut self) {
        self.here.set(self.here.get() - 1);
    }
}

impl Exchange<'_> {
    /// Sends the request to `first`, and again as the route's policy says.
    pub(super) async fn ask(
        &self,
        head: Parts,
        route: &Forward,
        kind: Kind,
        upstream: &Rc<Upstream<Outgoing>>,
        first: Rc<Host>,
    ) -> Sent {
        let repeat =
            Repeatable::new(&self.body, kind.is_write() || head.method.is_idempotent(), &self.asked.over);
        self.asked.attempts.set(1);
        let Some(policy) = route.retry.as_ref() else {
            let request = Request::from_parts(head, Outgoing::new(&self.body));
            return upstream.send(&first, self.version, request, &repeat).await;
        };
        if !repeats(policy, &head) {
            let request = self.request(&head, route);
            let sending = upstream.send(&first, self.version, request, &repeat);
            return Box::pin(self.within(policy.per_try_timeout, sending, &repeat, route)).await;
        }
        // Boxed: most requests have no policy that repeats them, and should not carry its state about.
        Box::pin(self.ask_again(head, route, policy, upstream, first, &repeat)).await
    }

    /// Sends the request until the policy is content.
    async fn ask_again(
        &self,
        head: Parts,
        route: &Forward,
        policy: &RetryPolicy,
        upstream: &Rc<Upstream<Outgoing>>,
        first: Rc<Host>,
        repeat: &Repeatable<'_>,
    ) -> Sent {
        self.body.replay().keep();
        let mut pause = policy.backoff_base;
        let mut tried = vec![Rc::clone(&first)];
        let mut to = first;
        let mut repeated = None;
        loop {
            let sending = upstream.send(&to, self.version, self.request(&head, route), repeat);
            let sent = self.within(policy.per_try_timeout, sending, repeat, route).await;
            drop(repeated.take());
            if !self.is_worth_another(policy, &sent, route) {
                return sent;
            }
            let Some(one) = self.repeating(route).and_then(Repeating::one_more) else {
                self.count_retry(route, |stats| stats.rq_retry_overflow.inc());
                self.asked.gave_up.set(Flags::UPSTREAM_OVERFLOW);
                return sent;
            };
            repeated = Some(one);
            self.count_retry(route, |stats| {
                stats.rq_retry.inc();
                stats.rq_retry_backoff_exponential.inc();
            });
            if let Ok((answer, lease)) = sent {
                self.count_retry(route, |stats| stats.retried.count(answer.status().as_u16()));
                discard(answer, lease, self.body.is_complete());
            }
            tokio::time::sleep(jittered(pause)).await;
            pause = (pause * 2).min(policy.backoff_max);
            to = another(upstream, &tried, policy.other_endpoint).ok_or(Failure::NoEndpoint)?;
            tried.push(Rc::clone(&to));
            self.asked.to.set(Some(to.address()));
            self.asked.over.set(None);
            self.asked.attempts.set(self.asked.attempts.get() + 1);
        }
    }

    /// The request of the attempt that is made now.
    fn request(&self, head: &Parts, route: &Forward) -> Request<Outgoing> {
        let mut head = head.clone();
        if route.attempt_count_in_request {
            head.headers.insert(ATTEMPT_COUNT, HeaderValue::from(self.asked.attempts.get()));
        }
        if head.headers.contains_key(headers::EXPECTED_TIMEOUT) {
            let spent = self.body.completed_at().map_or(Duration::ZERO, |at| at.elapsed());
            let left = self.timeout.get().map(|timeout| timeout.saturating_sub(spent));
            let own = route.retry.as_ref().and_then(|policy| policy.per_try_timeout);
            if let Some(time) = [left, own].into_iter().flatten().min() {
                head.headers.insert(headers::EXPECTED_TIMEOUT, HeaderValue::from(time.as_millis() as u64));
            }
        }
        Request::from_parts(head, Outgoing::new(&self.body))
    }

    /// One attempt, no longer than its own time, which begins when it has its connection and the request is complete.
    async fn within(
        &self,
        limit: Option<Duration>,
        sending: impl Future<Output = Sent>,
        repeat: &Repeatable<'_>,
        route: &Forward,
    ) -> Sent {
        let Some(limit) = limit else { return sending.await };
        let mut sending = pin!(sending);
        repeat.gone_at.set(None);
        let begun = || Some(self.body.completed_at()?.max(repeat.gone_at.get()?));
        loop {
            let known = begun();
            let until = known.unwrap_or_else(Instant::now) + limit;
            if let Ok(sent) = tokio::time::timeout_at(until.into(), sending.as_mut()).await {
                return sent;
            }
            // It may have begun meanwhile, or anew over another connection.
            if known.is_some() && known == begun() {
                self.count_retry(route, |stats| stats.rq_per_try_timeout.inc());
                return Err(Failure::PerTryTimeout);
            }
        }
    }

    /// Whether there is a reason for another attempt, and one is left.
    fn is_worth_another(&self, policy: &RetryPolicy, sent: &Sent, route: &Forward) -> bool {
        if self.body.is_broken() {
            return false;
        }
        if self.body.replay().is_outgrown() {
            self.count_retry(route, |stats| stats.retry_or_shadow_abandoned.inc());
            return false;
        }
        let made = self.asked.attempts.get();
        if !is_retriable(policy, sent) {
            if made > 1 {
                self.count_retry(route, |stats| stats.rq_retry_success.inc());
            }
            return false;
        }
        if made > policy.retries {
            self.count_retry(route, |stats| stats.rq_retry_limit_exceeded.inc());
            self.asked.gave_up.set(Flags::RETRY_LIMIT);
            return false;
        }
        true
    }

    fn repeating(&self, route: &Forward) -> Option<&Repeating> {
        self.core.repeating.get(route.cluster)
    }

    fn count_retry(&self, route: &Forward, count: impl FnOnce(&ClusterStats)) {
        if let Some(stats) = self.core.stats.clusters.get(route.cluster) {
            count(stats);
        }
    }
}

/// Whether the policy repeats requests such as this one. Its `per_try_timeout` holds for all.
fn repeats(policy: &RetryPolicy, head: &Parts) -> bool {
    let chosen = policy.request_headers.is_empty()
        || policy.request_headers.iter().any(|demand| matching::header(demand, head));
    chosen && policy.on != RetryOn::default()
}

fn is_retriable(policy: &RetryPolicy, sent: &Sent) -> bool {
    match sent {
        Ok((answer, _)) => is_retriable_answer(policy, answer.status(), answer.headers()),
        Err(failure) => is_retriable_failure(policy.on, *failure),
    }
}

fn is_retriable_answer(policy: &RetryPolicy, status: StatusCode, headers: &HeaderMap) -> bool {
    let on = policy.on;
    if headers.contains_key(RATE_LIMITED) {
        return on.rate_limited;
    }
    let code = status.as_u16();
    (on.server_error && code >= 500)
        || (on.gateway_error && (502..=504).contains(&code))
        || (on.conflict && code == 409)
        || (on.statuses && policy.statuses.contains(&status))
        || (on.headers && policy.answer_headers.iter().any(|demand| matching::answer_header(demand, headers)))
        || headers.get(GRPC_STATUS).is_some_and(|value| on.grpc().any(|wanted| value == wanted))
}

fn is_retriable_failure(on: RetryOn, failure: Failure) -> bool {
    let any = on.server_error || on.gateway_error || on.reset;
    match failure {
        Failure::NoEndpoint | Failure::Overflow => false,
        Failure::Connect | Failure::ConnectTimeout => any || on.connect_failure || on.reset_before_request,
        Failure::Refused => any || on.refused_stream,
        Failure::Closed | Failure::Reset | Failure::Protocol | Failure::PerTryTimeout => any,
    }
}

/// A random time up to this one.
fn jittered(pause: Duration) -> Duration {
    Duration::from_micros(fastrand::u64(0..=u64::try_from(pause.as_micros()).unwrap_or(u64::MAX)))
}

/// The next endpoint; where the policy asks for it, one that has not been tried, if a few looks find one.
fn another(upstream: &Upstream<Outgoing>, tried: &[Rc<Host>], looks: u32) -> Option<Rc<Host>> {
    let mut found = upstream.pick()?;
    for _ in 0..looks.min(limits::RETRY_LOOKS_MAX) {
        if !tried.iter().any(|host| Rc::ptr_eq(host, &found)) {
            break;
        }
        found = upstream.pick()?;
    }
    Some(found)
}

/// Reads what is left of an answer that nobody will see, within bounds, so that its connection can go on.
fn discard(answer: Response<Incoming>, lease: Lease<Outgoing>, complete: bool) {
    if !complete {
        return;
    }
    let mut body = answer.into_body();
    if body.is_end_stream() {
        return lease.release();
    }
    tokio::task::spawn_local(async move {
        let reading = async {
            let mut read = 0;
            while let Some(frame) = body.frame().await {
                let Ok(frame) = frame else { return false };
                read += frame.data_ref().map_or(0, |data| data.len() as u64);
                if read > limits::LINGER_BYTES {
                    return false;
                }
            }
            true
        };
        if tokio::time::timeout(limits::LINGER_TIME, reading).await == Ok(true) {
            lease.release();
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(conditions: &[&str]) -> RetryPolicy {
        let mut on = RetryOn::default();
        conditions.iter().for_each(|name| assert!(on.add(name), "{name}"));
        RetryPolicy {
            on,
            retries: 1,
            per_try_timeout: None,
            statuses: vec![StatusCode::TOO_MANY_REQUESTS],
            answer_headers: vec![],
            request_headers: vec![],
            backoff_base: Duration::from_millis(25),
            backoff_max: Duration::from_millis(250),
            other_endpoint: 0,
        }
    }

    #[test]
    fn answers_worth_another_attempt() {
        for (condition, yes, no) in [
            ("5xx", &[500, 503, 599][..], &[200, 409, 429][..]),
            ("gateway-error", &[502, 503, 504], &[500, 501]),
            ("retriable-4xx", &[409], &[400, 429]),
            ("retriable-status-codes", &[429], &[428, 503]),
            ("reset", &[], &[503]),
            ("connect-failure", &[], &[503]),
        ] {
            let judged = |code: u16| {
                let status = StatusCode::from_u16(code).unwrap();
                is_retriable_answer(&policy(&[condition]), status, &HeaderMap::new())
            };
            assert!(yes.iter().all(|code| judged(*code)), "{condition}");
            assert!(!no.iter().any(|code| judged(*code)), "{condition}");
        }
    }

    #[test]
    fn an_answer_that_is_rate_limited_is_repeated_only_where_that_is_asked_for() {
        let headers = HeaderMap::from_iter([(RATE_LIMITED, HeaderValue::from_static("true"))]);
        let judged = |conditions: &[&str]| {
            is_retriable_answer(&policy(conditions), StatusCode::SERVICE_UNAVAILABLE, &headers)
        };
        assert!(!judged(&["5xx", "gateway-error"]) && judged(&["envoy-ratelimited"]));
    }

    #[test]
    fn grpc_statuses_are_told_by_their_header() {
        let of =
            |status: &'static str| HeaderMap::from_iter([(GRPC_STATUS, HeaderValue::from_static(status))]);
        let judged = |conditions: &[&str], status| {
            is_retriable_answer(&policy(conditions), StatusCode::OK, &of(status))
        };
        assert!(judged(&["unavailable"], "14") && !judged(&["unavailable"], "13"));
        assert!(judged(&["cancelled", "internal"], "1") && !judged(&["5xx"], "14"));
    }

    #[test]
    fn failures_worth_another_attempt() {
        for (condition, connect, closed) in [
            ("5xx", true, true),
            ("gateway-error", true, true),
            ("reset", true, true),
            ("connect-failure", true, false),
            ("reset-before-request", true, false),
            ("retriable-status-codes", false, false),
        ] {
            let on = policy(&[condition]).on;
            assert_eq!(is_retriable_failure(on, Failure::Connect), connect, "{condition}");
            assert_eq!(is_retriable_failure(on, Failure::ConnectTimeout), connect, "{condition}");
            assert_eq!(is_retriable_failure(on, Failure::Closed), closed, "{condition}");
            assert!(!is_retriable_failure(on, Failure::NoEndpoint), "{condition}");
            assert!(!is_retriable_failure(on, Failure::Overflow), "{condition}");
        }
    }

    #[test]
    fn pauses_are_random_up_to_their_bound() {
        assert!((0..100).all(|_| jittered(Duration::from_millis(25)) <= Duration::from_millis(25)));
    }
}
