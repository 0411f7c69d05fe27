//! Two receivers with ours between them, and writers that keep the specification's order.

use remote_write::message::MetricMetadata;
use remote_write::{HEADERS, Label, Sample, TimeSeries, WriteRequest, encode};

use super::client::Client;
use super::config::Config;
use super::latency::Latency;
use super::metrics::Ledger;
use super::proxy::{Program, Proxy};
use super::receiver::{Receiver, Treatment};
use super::request::{PUSH, Request};

/// The mirror's name.
pub(crate) const SECONDARY: &str = "secondary";

/// Both clusters and the proxy.
pub(crate) struct Clusters {
    pub primary: Receiver,
    pub secondary: Receiver,
    pub proxy: Proxy,
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
        let config = Config::native().primary(primary.address()).mirror(SECONDARY, secondary.address());
        let config = settings.iter().fold(config, |config, (key, value)| config.setting(key, value));
        let proxy = Proxy::launch(Program::MimirMirror, &config, flags).await;
        Self { primary, secondary, proxy }
    }

    /// Every one of `copies` copies was delivered, and both hold the same.
    pub(crate) async fn assert_same(&self, copies: u64) -> Ledger {
        let ledger = self.proxy.settled_at(SECONDARY, copies).await;
        assert_eq!(self.secondary.rejected(), 0, "the secondary rejected samples: {ledger:?}");
        assert_eq!(ledger.delivered(), copies, "{ledger:?}");
        assert_eq!(self.primary.rejected(), 0, "the senders did not keep the order");
        let (expected, held) = (self.primary.samples(), self.secondary.samples());
        assert!(!expected.is_empty(), "nothing was written");
        assert!(expected == held, "{} samples of {}", count(&held), count(&expected));
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

/// One sender of some series, which writes a sample of each in every batch.
#[derive(Clone)]
pub(crate) struct Writer {
    tenant: Option<String>,
    name: String,
    series: usize,
}

impl Writer {
    /// A hundred series of its own.
    pub(crate) fn new(name: impl std::fmt::Display) -> Self {
        Self { tenant: Some("tenant-1".to_owned()), name: name.to_string(), series: 100 }
    }

    pub(crate) fn tenant(self, tenant: &str) -> Self {
        Self { tenant: Some(tenant.to_owned()), ..self }
    }

    /// Names no tenant.
    pub(crate) fn without_tenant(self) -> Self {
        Self { tenant: None, ..self }
    }

    /// The write of its n-th batch.
    pub(crate) fn batch(&self, n: usize) -> Request {
        let timeseries = (0..self.series).map(|series| TimeSeries {
            labels: vec![
                label("__name__", "test_written_total"),
                label("series", series),
                label("writer", &self.name),
            ],
            #[allow(clippy::cast_precision_loss, reason = "small numbers")]
            samples: vec![Sample { value: (series * 1000 + n) as f64, timestamp: n as i64 * 1000 }],
            exemplars: Vec::new(),
        });
        self.push(encode(&WriteRequest { timeseries: timeseries.collect(), metadata: Vec::new() }))
    }

    /// A write of what its metric means, without any sample.
    pub(crate) fn metadata(&self) -> Request {
        let metadata = MetricMetadata {
            r#type: 1,
            metric_family_name: "test_written".to_owned(),
            help: "A test's.".to_owned(),
            unit: String::new(),
        };
        self.push(encode(&WriteRequest { timeseries: Vec::new(), metadata: vec![metadata] }))
    }

    /// A write with this body.
    pub(crate) fn push(&self, body: impl Into<Vec<u8>>) -> Request {
        let request = Request::new("POST", PUSH).body(body);
        let request = HEADERS.iter().fold(request, |request, (name, value)| request.header(name, value));
        match &self.tenant {
            Some(tenant) => request.header("x-scope-orgid", tenant),
            None => request,
        }
    }

    /// Sends these batches, each as soon as the one before has been answered.
    pub(crate) async fn catch_up(&self, client: &mut Client, batches: std::ops::Range<usize>) {
        for n in batches {
            assert_eq!(client.exchange(&self.batch(n)).await.status(), 200, "batch {n}");
        }
    }
}

fn label(name: &str, value: impl std::fmt::Display) -> Label {
    Label { name: name.to_owned(), value: value.to_string() }
}
