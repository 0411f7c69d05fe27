//! Two receivers with ours between them.

use std::net::SocketAddr;
use std::time::Duration;

use super::backlog::Backlog;
use super::config::Config;
use super::latency::Latency;
use super::metrics::Ledger;
use super::proxy::{Program, Proxy};
use super::receiver::Receiver;
use super::treatment::Treatment;
use super::wait::{LIMIT, until, until_within};

/// The mirror's name.
pub(crate) const SECONDARY: &str = "secondary";

/// Both clusters and the proxy.
pub(crate) struct Clusters {
    pub primary: Receiver,
    pub secondary: Receiver,
    pub proxy: Proxy,
    /// What the proxy runs on; another one can too.
    pub config: Config,
}

impl Clusters {
    /// A prompt primary, a distant secondary, every setting at its default.
    pub(crate) async fn distant(latency: Latency) -> Self {
        let secondary = Receiver::treating(Treatment::after(&latency)).await;
        Self::of(Receiver::treating(Treatment::prompt()).await, secondary, &[], &[]).await
    }

    /// These two, with settings of the mirror and flags of the proxy.
    pub(crate) async fn of(
        primary: Receiver,
        secondary: Receiver,
        settings: &[(&'static str, &str)],
        flags: &[&str],
    ) -> Self {
        let mirror = secondary.address();
        Self::by_way_of(mirror, primary, secondary, settings, flags).await
    }

    /// The same, but copies go to this address, which leads to the secondary.
    pub(crate) async fn by_way_of(
        mirror: SocketAddr,
        primary: Receiver,
        secondary: Receiver,
        settings: &[(&'static str, &str)],
        flags: &[&str],
    ) -> Self {
        let config = Config::native().primary(primary.address()).mirror(SECONDARY, mirror);
        let config = settings.iter().fold(config, |config, (key, value)| config.setting(key, value));
        let proxy = Proxy::launch(Program::MimirMirror, &config, flags).await;
        Self { primary, secondary, proxy, config }
    }

    /// These two, with durable delivery into this backlog. Two workers; a long drain, since nothing durable may wait
    /// for it.
    pub(crate) async fn durable(
        primary: Receiver,
        secondary: Receiver,
        backlog: &Backlog,
        settings: &[(&'static str, &str)],
    ) -> Self {
        let of_backlog = backlog.settings();
        let of_backlog = of_backlog.iter().map(|(key, value)| (*key, value.as_str()));
        let settings: Vec<_> = of_backlog.chain(settings.iter().copied()).collect();
        Self::of(primary, secondary, &settings, &["--concurrency", "2", "--drain-time-s", "600"]).await
    }

    /// The secondary gets all that the primary has, and each copy had no other outcome than to be taken. A copy that
    /// was sent twice may have been refused once, so the secondary's rejections say nothing; what it holds does.
    pub(crate) async fn assert_kept(&self) -> Ledger {
        self.has_caught_up(LIMIT).await;
        let ledger = self.proxy.settled(SECONDARY).await;
        assert_eq!(ledger.taken(), ledger.received + ledger.recovered, "{ledger:?}");
        self.assert_equal();
        ledger
    }

    /// Waits until the secondary holds as many samples as the primary.
    pub(crate) async fn has_caught_up(&self, limit: Duration) {
        until_within(limit, "the primary's samples at the secondary", async || {
            (self.secondary.held() >= self.primary.held()).then_some(())
        })
        .await;
    }

    /// Both hold the same, and the senders kept the order.
    pub(crate) fn assert_equal(&self) {
        assert_eq!(self.primary.rejected(), 0, "the senders did not keep the order");
        let (expected, held) = (self.primary.held(), self.secondary.held());
        assert!(expected > 0, "nothing was written");
        assert!(self.secondary.holds_the_same_as(&self.primary), "{held} samples of {expected}");
    }

    /// The present number of one of the mirror's metrics.
    pub(crate) async fn number(&self, metric: &str) -> u64 {
        self.proxy.metrics().await.sum(metric, &[("mirror", SECONDARY)])
    }

    /// Waits until one of the mirror's metrics is at least this.
    pub(crate) async fn reaches(&self, metric: &str, least: u64) {
        let what = format!("{metric} of {least}");
        until(what, async || (self.number(metric).await >= least).then_some(())).await;
    }

    /// Waits until one of the mirror's metrics is exactly this.
    pub(crate) async fn is_at(&self, metric: &str, number: u64) {
        let what = format!("{metric} at {number}");
        until(what, async || (self.number(metric).await == number).then_some(())).await;
    }

    /// Every one of `copies` copies was delivered, and both hold the same.
    pub(crate) async fn assert_same(&self, copies: u64) -> Ledger {
        let ledger = self.proxy.settled_at(SECONDARY, copies).await;
        assert_eq!(self.secondary.rejected(), 0, "the secondary rejected samples: {ledger:?}");
        assert_eq!(ledger.delivered(), copies, "{ledger:?}");
        self.assert_equal();
        ledger
    }

    /// How many copies were sent in this way: `direct`, `waited` or `read`.
    pub(crate) async fn ordered(&self, path: &str) -> u64 {
        let labels = [("mirror", SECONDARY), ("path", path)];
        self.proxy.metrics().await.sum("mimir_mirror_ordered_total", &labels)
    }
}

/// How many samples there are.
pub(crate) fn count(samples: &super::receiver::Samples) -> usize {
    samples.values().map(Vec::len).sum()
}
