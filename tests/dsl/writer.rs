//! A sender of remote write that keeps the specification's order.

use remote_write::message::MetricMetadata;
use remote_write::{HEADERS, Label, Sample, TimeSeries, WriteRequest, encode};

use super::client::Client;
use super::request::{PUSH, Request, bytes_of};

/// One sender of some series, which writes a sample of each in every batch.
#[derive(Clone)]
pub(crate) struct Writer {
    tenant: Option<String>,
    name: String,
    series: usize,
    /// Label text of each series that no compression makes shorter.
    padding: usize,
    /// Time from one batch to the next, in milliseconds.
    step: i64,
}

impl Writer {
    /// A hundred series of its own, a second from batch to batch.
    pub(crate) fn new(name: impl std::fmt::Display) -> Self {
        let (tenant, name) = (Some("tenant-1".to_owned()), name.to_string());
        Self { tenant, name, series: 100, padding: 0, step: 1000 }
    }

    pub(crate) fn tenant(self, tenant: &str) -> Self {
        Self { tenant: Some(tenant.to_owned()), ..self }
    }

    /// Names no tenant.
    pub(crate) fn without_tenant(self) -> Self {
        Self { tenant: None, ..self }
    }

    /// Two series only, in bodies of about so many bytes.
    pub(crate) fn heavy(self, bytes: usize) -> Self {
        Self { series: 2, padding: bytes / 2, ..self }
    }

    /// Its batches lie so many milliseconds apart.
    pub(crate) fn every(self, step: i64) -> Self {
        Self { step, ..self }
    }

    /// The write of its n-th batch.
    pub(crate) fn batch(&self, n: usize) -> Request {
        let timeseries = (0..self.series).map(|series| TimeSeries {
            labels: self.labels(series),
            #[allow(clippy::cast_precision_loss, reason = "small numbers")]
            samples: vec![Sample { value: (series * 1000 + n) as f64, timestamp: n as i64 * self.step }],
            exemplars: Vec::new(),
        });
        self.push(encode(&WriteRequest { timeseries: timeseries.collect(), metadata: Vec::new() }))
    }

    /// Sorted by name, as the specification asks.
    fn labels(&self, series: usize) -> Vec<Label> {
        let mut labels = vec![label("__name__", "test_written_total")];
        if self.padding > 0 {
            labels.push(label("padding", text_of(self.padding, series as u64 + 1)));
        }
        labels.push(label("series", series));
        labels.push(label("writer", &self.name));
        labels
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

/// Letters and digits without a pattern, the same for the same seed.
fn text_of(length: usize, seed: u64) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    bytes_of(length, seed).iter().map(|byte| char::from(LETTERS[usize::from(byte % 64)])).collect()
}
