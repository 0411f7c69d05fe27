//! One shard of the sender: a connection of its own, series of its own, one request in flight.
//!
//! A shard repeats a batch until it has a verdict on it: after a 5xx or transport trouble with a backoff from 30 ms
//! doubling to 5 s, and never after a 4xx, 429 among them (Prometheus' default, `retry_on_http_429: false`). A
//! shard that has fallen behind sends batch after batch, oldest first, until it has caught up.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::Context as _;
use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use remote_write::synthetic::Generator;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::Instant;

use super::cluster::{PUSH_PATH, TENANT_HEADER};
use super::plan::{Plan, Tally};
use crate::stats::mirror::unix_ms;

/// Prometheus' `min_backoff` and `max_backoff`.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(30), Duration::from_secs(5));
/// Prometheus' `remote_timeout`.
const TIMEOUT: Duration = Duration::from_secs(30);
/// Prometheus' `batch_send_deadline`, seconds: a batch that fills slower goes out as it is.
const DEADLINE: u64 = 5;
/// How much of an answer is read.
const MAX_ANSWER: usize = 64 << 10;
/// The tenant that all samples belong to.
const TENANT: &str = "demo";
/// Any number: the same series at every start.
pub(super) const SEED: u64 = 1;

/// When a sender started, on both clocks.
#[derive(Clone, Copy)]
pub(super) struct Start {
    instant: Instant,
    unix_ms: i64,
}

impl Start {
    pub(super) fn now() -> Self {
        Self { instant: Instant::now(), unix_ms: i64::try_from(unix_ms()).unwrap_or_default() }
    }
}

/// One shard, not yet running.
pub(super) struct Shard {
    plan: Plan,
    number: u32,
    start: Start,
    generator: Generator,
    tally: Arc<Tally>,
    stop: watch::Receiver<bool>,
    connection: Option<SendRequest<Full<Bytes>>>,
}

impl Shard {
    pub(super) fn new(
        plan: Plan,
        number: u32,
        start: Start,
        tally: Arc<Tally>,
        stop: watch::Receiver<bool>,
    ) -> Self {
        let own = plan.series / plan.shards + u32::from(number < plan.series % plan.shards);
        let generator = Generator::new(SEED, number, own).with_step_ms(plan.step_ms());
        Self { plan, number, start, generator, tally, stop, connection: None }
    }

    /// Sends until it is told to stop. What is in flight then is waited for, but not repeated.
    pub(super) async fn run(mut self) {
        let (shards, rate) = (u64::from(self.plan.shards), u64::from(self.plan.rate));
        let samples = (rate * DEADLINE / shards).clamp(1, u64::from(self.plan.batch));
        let fills_in = Duration::from_secs_f64((samples * shards) as f64 / rate as f64);
        // The shards take turns, so that requests come evenly.
        let mut due = self.start.instant + fills_in * (self.number + 1) / self.plan.shards;
        loop {
            tokio::select! {
                () = tokio::time::sleep_until(due) => due += fills_in,
                _ = self.stop.wait_for(|stop| *stop) => return,
            }
            let age = self.generator.round().saturating_mul(self.plan.step_ms());
            let timestamp = self.start.unix_ms.saturating_add_unsigned(age);
            let body = self.generator.body(usize::try_from(samples).unwrap_or(1), timestamp);
            let Some(verdict) = self.push(Bytes::from(body)).await else { return };
            self.tally.finished(samples, verdict);
        }
    }

    /// Sends one body until there is a verdict on it; `None` if it was told to stop first.
    async fn push(&mut self, body: Bytes) -> Option<Result<(), String>> {
        let mut backoff = BACKOFF.0;
        loop {
            let attempt = tokio::time::timeout(TIMEOUT, self.attempt(body.clone()));
            match attempt.await {
                Ok(Ok((status, _))) if status.is_success() => return Some(Ok(())),
                Ok(Ok((status, text))) if !status.is_server_error() => {
                    return Some(Err(format!("{status}: {text}")));
                }
                Ok(Ok(_)) => {}
                // Nothing is known of the connection any more.
                Ok(Err(_)) | Err(_) => self.connection = None,
            }
            self.tally.retries.fetch_add(1, Ordering::Relaxed);
            tokio::select! {
                () = tokio::time::sleep(backoff) => backoff = BACKOFF.1.min(backoff * 2),
                _ = self.stop.wait_for(|stop| *stop) => return None,
            }
        }
    }

    async fn attempt(&mut self, body: Bytes) -> anyhow::Result<(StatusCode, String)> {
        let mut connection = match self.connection.take() {
            Some(open) if !open.is_closed() => open,
            _ => connect(self.plan).await?,
        };
        let mut request = Request::post(PUSH_PATH)
            .header("host", self.plan.target.to_string())
            .header("user-agent", concat!("mimir-mirror-demo/", env!("CARGO_PKG_VERSION")))
            .header(TENANT_HEADER, TENANT);
        for (name, value) in remote_write::HEADERS {
            request = request.header(name, value);
        }
        let request = request.body(Full::new(body))?;
        connection.ready().await?;
        let asked = Instant::now();
        let answer = connection.send_request(request).await?;
        let status = answer.status();
        let text = Limited::new(answer.into_body(), MAX_ANSWER).collect().await;
        let text = text.map_err(|error| anyhow::anyhow!(error)).context("the answer's body")?.to_bytes();
        self.tally.answered(asked.elapsed());
        self.connection = Some(connection);
        Ok((status, String::from_utf8_lossy(&text).into_owned()))
    }
}

async fn connect(plan: Plan) -> anyhow::Result<SendRequest<Full<Bytes>>> {
    let stream = TcpStream::connect(plan.target).await?;
    stream.set_nodelay(true)?;
    let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    Ok(sender)
}
