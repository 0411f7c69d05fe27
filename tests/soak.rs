//! The long forms: a real Prometheus and many writers, for half a minute and more of distance and trouble. No test run
//! includes them but `cargo xtask soak` (`make soak`).
//!
//! The clock is the writers': a phase lasts a number of their answers.

use std::ops::RangeInclusive;
use std::time::Duration;

use crate::documented_config::assert_same;
use crate::dsl::clusters::SECONDARY;
use crate::dsl::crowd::Sent;
use crate::dsl::prometheus::{Prometheus, Target};
use crate::dsl::proxy::Program;
use crate::dsl::relay::{Relay, Way};
use crate::dsl::wait::until_within;
use crate::dsl::{
    Backlog, Clusters, Config, Crowd, Latency, Proxy, Receiver, Switch, Treatment, Writer, alone,
};

/// Writers in their steady state, each with a batch of a hundred samples in two seconds: 160 requests a second.
const STEADY: usize = 320;
const PAUSE: Duration = Duration::from_secs(2);
/// Answers in a second, and in five.
const SECOND: usize = 160;
const FIVE_SECONDS: usize = 5 * SECOND;
/// Writers that have fallen behind, and by how many batches.
const BEHIND: usize = 8;
const BATCHES: usize = 40;
/// How long the end may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(300);

/// Everything that runs.
pub(crate) struct Rig {
    pub clusters: Clusters,
    pub relay: Relay,
    /// How the secondary treats its requests.
    pub switch: Switch,
    sender: Prometheus,
    _target: Target,
    steady: Crowd,
    behind: Crowd,
}

impl Rig {
    pub(crate) async fn start(distance_ms: RangeInclusive<u64>, settings: &[(&'static str, &str)]) -> Self {
        let switch = Switch::on(Treatment::prompt());
        let primary = Receiver::treating(Treatment::prompt()).await.forgetting();
        let secondary = Receiver::switched(&switch).await.forgetting();
        let relay = Relay::distant(secondary.address(), Latency::between(distance_ms)).await;
        let clusters = Clusters::by_way_of(relay.address(), primary, secondary, settings, &[]).await;
        let to = clusters.proxy.listen;
        let target = Target::start().await;
        let sender = Prometheus::sender(target.address(), &format!("http://{to}/api/v1/write")).await;
        let writers = |kind: &'static str, count| (0..count).map(move |n| Writer::new(format!("{kind}-{n}")));
        let steady = Crowd::steady(to, writers("steady", STEADY), 0, PAUSE);
        let behind = Crowd::catching_up(to, writers("behind", BEHIND), 0..BATCHES);
        Self { clusters, relay, switch, sender, _target: target, steady, behind }
    }

    /// Lets about so much time pass.
    async fn for_five_seconds(&self, times: usize) {
        for _ in 0..times {
            self.steady.has_answers(self.steady.sent().answered + FIVE_SECONDS).await;
        }
    }

    /// The same by seconds.
    pub(crate) async fn for_seconds(&self, seconds: usize) {
        let then = self.steady.sent().answered + seconds * SECOND;
        let passed = async || (self.steady.sent().answered >= then).then_some(());
        until_within(PATIENCE, format!("{then} answers to writers"), passed).await;
    }

    /// Runs `until` with its steady writers at rest.
    pub(crate) async fn at_rest<T>(&self, until: impl Future<Output = T>) -> T {
        self.steady.rest();
        let done = until.await;
        self.steady.go_on();
        done
    }

    /// How many have passed, by the writers' answers.
    pub(crate) fn seconds(&self) -> usize {
        self.steady.sent().answered / SECOND
    }

    /// Ends the senders and waits for the copies. Nothing may be missing, and no sender have noticed anything.
    pub(crate) async fn end(self, name: &str) {
        self.sender.stop_within(PATIENCE).await;
        let [steady, behind] = [self.steady.finish().await, self.behind.finish().await];
        let pending = self.clusters.proxy.ledger(SECONDARY).await.pending;
        self.clusters.has_caught_up(PATIENCE).await;
        let ledger = self.clusters.proxy.settled_within(PATIENCE, SECONDARY).await;
        let missing = self.clusters.secondary.missing_of(&self.clusters.primary);
        report(&format!(
            "{name}: {missing} of {} samples missing; {pending} copies pending when the senders ended; of {} received: \
             {:?}",
            self.clusters.primary.held(),
            ledger.received,
            ledger.causes()
        ));
        assert_eq!(missing, 0);
        assert_eq!(behind, Sent { answered: BEHIND * BATCHES, repeated: 0 });
        assert_eq!(steady.repeated, 0);
        assert_eq!(ledger.taken(), ledger.received, "{ledger:?}");
        self.clusters.assert_equal();
    }
}

#[allow(clippy::print_stderr, reason = "what these tests are run for")]
pub(crate) fn report(text: &str) {
    eprintln!("{text}");
}

/// No trouble but distance, for half a minute.
async fn distant(name: &str, distance_ms: RangeInclusive<u64>) {
    let _alone = alone().await;
    let rig = Rig::start(distance_ms, &[]).await;
    rig.for_five_seconds(6).await;
    rig.end(name).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "long: cargo xtask soak"]
async fn healthy() {
    distant("healthy", 0..=0).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "long: cargo xtask soak"]
async fn at_0_to_20_ms() {
    distant("0 to 20 ms", 0..=20).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "long: cargo xtask soak"]
async fn at_80_ms() {
    distant("80 ms", 80..=80).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "long: cargo xtask soak"]
async fn at_0_to_500_ms() {
    distant("0 to 500 ms", 0..=500).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "long: cargo xtask soak"]
async fn at_50_to_2500_ms() {
    distant("50 to 2500 ms", 50..=2500).await;
}

/// Five seconds of health, fifteen of trouble, five of health, with durable delivery.
async fn troubled(name: &str, begin: impl FnOnce(&Rig), end: impl FnOnce(&Rig)) {
    let _alone = alone().await;
    let backlog = Backlog::new();
    let settings = backlog.settings();
    let settings: Vec<_> = settings.iter().map(|(key, value)| (*key, value.as_str())).collect();
    let rig = Rig::start(0..=20, &[settings.as_slice(), &[("timeout", "2s")]].concat()).await;
    rig.for_five_seconds(1).await;
    begin(&rig);
    rig.for_five_seconds(3).await;
    end(&rig);
    rig.for_five_seconds(1).await;
    rig.end(name).await;
}

/// The way to the secondary is like this for fifteen seconds.
async fn on_the_way(name: &str, way: Way) {
    troubled(name, |rig| rig.relay.set(way), |rig| rig.relay.set(Way::Open)).await;
}

/// The secondary is like this for fifteen seconds.
async fn at_the_secondary(name: &str, treatment: Treatment) {
    troubled(name, |rig| rig.switch.set(treatment), |rig| rig.switch.set(Treatment::prompt())).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "long: cargo xtask soak"]
async fn fifteen_seconds_of_refusal() {
    on_the_way("refusal", Way::Refused).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "long: cargo xtask soak"]
async fn fifteen_seconds_of_silence() {
    on_the_way("silence", Way::Held).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "long: cargo xtask soak"]
async fn fifteen_seconds_of_resets() {
    on_the_way("resets", Way::Cut).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "long: cargo xtask soak"]
async fn fifteen_seconds_of_answers_cut_off() {
    at_the_secondary("answers cut off", Treatment::cut_off()).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "long: cargo xtask soak"]
async fn fifteen_seconds_of_404() {
    at_the_secondary("404", Treatment::refused(404)).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "long: cargo xtask soak"]
async fn fifteen_seconds_of_401() {
    at_the_secondary("401", Treatment::refused(401)).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "long: cargo xtask soak"]
async fn fifteen_seconds_of_503() {
    at_the_secondary("503", Treatment::refused(503)).await;
}

/// Real receivers, each trouble for ten seconds.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "long: cargo xtask soak"]
async fn between_real_receivers() {
    let _alone = alone().await;
    let (primary, secondary) = (Prometheus::receiver().await, Prometheus::receiver().await);
    let relay = Relay::distant(secondary.address(), Latency::between(0..=20)).await;
    let backlog = Backlog::new();
    let config = Config::native().primary(primary.address()).mirror(SECONDARY, relay.address());
    let settings = backlog.settings();
    let config = settings.iter().fold(config, |config, (key, value)| config.setting(key, value));
    let proxy = Proxy::launch(Program::MimirMirror, &config.setting("timeout", "2s"), &[]).await;
    let target = Target::start().await;
    let sender = Prometheus::sender(target.address(), &format!("http://{}/api/v1/write", proxy.listen)).await;
    for way in [Way::Open, Way::Refused, Way::Open, Way::Held, Way::Open, Way::Cut, Way::Open] {
        relay.set(way);
        let then = target.scrapes() + if way == Way::Open { 15 } else { 50 };
        until_within(PATIENCE, "scrapes", async || (target.scrapes() >= then).then_some(())).await;
    }
    sender.stop_within(PATIENCE).await;
    let expected = primary.series().await;
    let ledger = proxy.settled_within(PATIENCE, SECONDARY).await;
    report(&format!("between real receivers: {ledger:?}"));
    assert_same(&expected, &secondary).await;
    assert_eq!(ledger.taken(), ledger.received, "{ledger:?}");
}
