//! One cell: the same writes without a mirror and beside one in this state, and everything that must hold.

use std::sync::Arc;

use super::expected::assert_causes;
use super::state::{Mirror, State};
use super::traffic::{self, Load};
use super::usage::{Usage, Watch};
use crate::dsl::clusters::SECONDARY;
use crate::dsl::proxy::Program;
use crate::dsl::wait::{LIMIT, Patience};
use crate::dsl::{Backlog, Config, Ledger, Proxy, Upstream};

const MEBIBYTE: u64 = 1 << 20;
/// What a mirror may hold, and what its backlog may take; both in the configuration below.
pub(super) const BUFFER: u64 = 48 * MEBIBYTE;
const DISK: u64 = 64 * MEBIBYTE;
/// What else may grow: connections' buffers, one body that is read for its series, the allocator's slack.
const SLACK: u64 = 64 * MEBIBYTE;
/// What may stay afterwards: pages that the allocator keeps for the next time.
const RETAINED: u64 = 48 * MEBIBYTE;
/// The backlog's own files, and the segment that it writes to.
const EMPTY_DISK: u64 = 16 * MEBIBYTE;
const CONNECTIONS: usize = 32;
/// Sockets that are just being opened or closed, of the admin interface and of DNS.
const PASSING: usize = 8;
/// What names are resolved by.
const PASSING_THREADS: usize = 4;

/// How copies are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Delivery {
    Memory,
    Durable,
}

/// What there is to say of a cell in which everything held.
pub(super) struct Fact {
    pub requests: usize,
    pub causes: Vec<(String, u64)>,
    /// Beyond what the idle process had.
    pub memory: u64,
    pub sockets: usize,
    pub disk: u64,
}

/// Runs it. Fails the test unless everything holds.
pub(super) async fn cell(state: State, delivery: Delivery, load: Load) -> Fact {
    let undisturbed = without_mirror(load).await;
    let mut mirror = Mirror::start(state).await;
    let primary = traffic::primary().await;
    let backlog = match &mirror.disk {
        Some(disk) => Backlog::at(disk.path().join("kept")),
        None => Backlog::new(),
    };
    // Answers do not wait for the disk, as by default.
    let backlog =
        backlog.with("max_bytes", "64MiB").with("before_answer", "0s").with("max_age", times(state).1);
    let config = config(&primary, &mirror, (delivery == Delivery::Durable).then_some(&backlog));
    let proxy = launch(&config).await;
    let watch = Arc::new(Watch::of(proxy.process.id(), Some(backlog.path().to_owned())));
    let before = watch.now();

    let transcript = transcript(load, &proxy, &primary, &watch).await;
    assert!(transcript == undisturbed, "{state:?}: the mirror changed what the clients or the primary saw");
    let total = load.total() as u64;
    assert_eq!(proxy.ledger(SECONDARY).await.received, total);
    let ledger = proxy.settled_at(SECONDARY, total).await;
    assert_causes(state, delivery, load, &ledger);
    let most = watch.most();
    assert_bounds(&before, &most, load);

    mirror.stop();
    primary.stop().await;
    assert_baseline(&proxy, &before, &watch).await;
    fact(&ledger, load, &before, &most)
}

fn fact(ledger: &Ledger, load: Load, before: &Usage, most: &Usage) -> Fact {
    Fact {
        requests: load.total(),
        causes: ledger.causes(),
        memory: most.peak_memory.saturating_sub(before.memory),
        sockets: most.sockets.saturating_sub(before.sockets),
        disk: most.disk,
    }
}

/// What the clients got, and what the primary got, each by the write's number.
#[derive(PartialEq, Eq)]
struct Transcript {
    answers: std::collections::BTreeMap<String, Option<traffic::Answer>>,
    requests: std::collections::BTreeMap<String, Vec<traffic::Answer>>,
}

async fn transcript(load: Load, proxy: &Proxy, primary: &Upstream, watch: &Arc<Watch>) -> Transcript {
    let answers = traffic::send(load, proxy.listen, watch, LIMIT).await.answers;
    let right = |(number, answer): (&String, &Option<traffic::Answer>)| {
        answer.as_ref().is_some_and(|answer| answer.is_for(number))
    };
    assert!(
        answers.iter().all(right) && answers.len() == load.total(),
        "a write had no answer, or another's"
    );
    let requests = traffic::got(primary);
    let once = requests.values().all(|requests| requests.len() == 1);
    assert!(once && requests.len() == load.total(), "the primary has not each write once");
    Transcript { answers, requests }
}

async fn without_mirror(load: Load) -> Transcript {
    let primary = traffic::primary().await;
    let proxy = launch(&plain(&primary)).await;
    let watch = Arc::new(Watch::of(proxy.process.id(), None));
    transcript(load, &proxy, &primary, &watch).await
}

/// Two workers on every machine, since bounds are shared out among them.
async fn launch(config: &Config) -> Proxy {
    Proxy::launch(Program::MimirMirror, config, &["--concurrency", "2"]).await
}

fn plain(primary: &Upstream) -> Config {
    let config = Config::envoy().primary(primary.address()).timeout("60s").connect_timeout("0.3s");
    config.manager("generate_request_id: false")
}

/// A copy's time, and its age. Where the clock alone ends an attempt it is short; elsewhere a busy machine has all the time
/// that it takes.
fn times(state: State) -> (&'static str, &'static str) {
    match state {
        State::Healthy => ("30s", "60s"),
        _ if state.ends_by_the_clock() => ("300ms", "1s"),
        _ => ("30s", "1s"),
    }
}

/// Bounds small enough to be met, and ends soon enough to see the ledger settle.
fn config(primary: &Upstream, mirror: &Mirror, backlog: Option<&Backlog>) -> Config {
    let (host, port) = mirror.endpoint();
    let dns = mirror.dns.address();
    let resolver = format!("{{ socket_address: {{ address: {}, port_value: {} }} }}", dns.ip(), dns.port());
    let connections = CONNECTIONS.to_string();
    let (timeout, age) = times(mirror.state);
    let mut config = plain(primary)
        .discovery(&format!("type: STRICT_DNS, dns_refresh_rate: 5s, dns_resolvers: [{resolver}]"))
        .mirror_at(SECONDARY, &[(&host, port)])
        .setting("buffer", "48MiB")
        .setting("max_request", "16MiB")
        .setting("timeout", timeout)
        .setting("max_age", age)
        .setting("max_connections", &connections);
    if mirror.scheme() == "https" {
        let context = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext";
        config = config.mirror_entries(&format!(
            "transport_socket: {{ name: envoy.transport_sockets.tls, typed_config: {{ \"@type\": {context} }} }}"
        ));
    }
    let Some(backlog) = backlog else { return config };
    backlog.settings().iter().fold(config, |config, (key, value)| config.setting(key, value))
}

fn assert_bounds(before: &Usage, most: &Usage, load: Load) {
    let grown = most.peak_memory.saturating_sub(before.memory);
    assert!(grown < BUFFER + SLACK, "memory grew by {} MiB", grown / MEBIBYTE);
    // Each client has a connection and one write at a time, and that one to the primary.
    let opened = most.sockets.saturating_sub(before.sockets);
    assert!(opened <= 2 * load.clients + CONNECTIONS + PASSING, "{opened} sockets were opened");
    let begun = most.threads.saturating_sub(before.threads);
    assert!(begun <= PASSING_THREADS, "{begun} threads were begun");
    assert!(most.disk <= DISK, "{} MiB on disk", most.disk / MEBIBYTE);
}

/// Nothing of it stays but pages of memory, and the file that the backlog writes to.
async fn assert_baseline(proxy: &Proxy, before: &Usage, watch: &Watch) {
    let at_most = |now: &Usage| {
        now.sockets <= before.sockets
            && now.threads <= before.threads
            && now.disk <= before.disk + EMPTY_DISK
            && now.memory <= before.memory + RETAINED
    };
    let mut patience = Patience::of(LIMIT);
    loop {
        let (now, held) = (watch.now(), held(proxy).await);
        if at_most(&now) && held == 0 {
            return;
        }
        patience
            .pause(format_args!("no more than {before:?} should be left of {now:?}, and {held} is held"))
            .await;
    }
}

/// Copies, their bytes and their connections.
async fn held(proxy: &Proxy) -> u64 {
    let metrics = proxy.metrics().await;
    let gauges = ["pending_requests", "pending_bytes", "connections"];
    gauges.iter().map(|gauge| metrics.sum(&format!("mimir_mirror_{gauge}"), &[("mirror", SECONDARY)])).sum()
}
