//! Pushes of OTLP: a collector that relays many instances of a service, and what a receiver finds in a push.

use remote_write::otlp::{self, HEADERS, PATH};
use remote_write::{Label, Sample, TimeSeries, WriteRequest};

use super::http1::Message;
use super::request::Request;

/// Series of one instance.
const SERIES: usize = 10;

/// One collector, by the service whose instances it relays. It compresses, unless its name is of an even length.
#[derive(Clone)]
pub(crate) struct Collector(pub String);

impl Collector {
    /// The n-th push of one instance: a sample of each of its series.
    pub(crate) fn push(&self, instance: usize, n: usize) -> Request {
        let timeseries = (0..SERIES).map(|series| TimeSeries {
            labels: vec![
                label("__name__", "test_pushed"),
                label("instance", format!("{}-{instance}", self.0)),
                label("job", &self.0),
                label("series", series),
            ],
            #[allow(clippy::cast_precision_loss, reason = "small numbers")]
            samples: vec![Sample { value: (series * 1000 + n) as f64, timestamp: n as i64 * 1000 }],
            exemplars: Vec::new(),
        });
        let push = otlp::from_v1(&WriteRequest { timeseries: timeseries.collect(), metadata: Vec::new() });
        let request = Request::new("POST", PATH).header("x-scope-orgid", "tenant-1");
        if self.0.len().is_multiple_of(2) {
            return request.header("content-type", HEADERS[1].1).body(otlp::encode_plain(&push));
        }
        let request = HEADERS.iter().fold(request, |request, (name, value)| request.header(name, value));
        request.body(otlp::encode(&push))
    }
}

/// A push in JSON, which the receiver of these tests does not read.
pub(crate) fn json() -> Request {
    let request = Request::new("POST", PATH).header("x-scope-orgid", "tenant-1");
    request.header("content-type", "application/json").body(r#"{"resourceMetrics":[]}"#)
}

/// The samples in a push, if it is one in protobuf.
pub(crate) fn samples(request: &Message) -> Option<WriteRequest> {
    if request.header("content-type").as_deref() != Some(HEADERS[1].1) {
        return None;
    }
    let encoding = request.header("content-encoding");
    otlp::decode(&request.body, encoding.as_deref(), 64 << 20).map(|push| otlp::to_v1(&push))
}

fn label(name: &str, value: impl std::fmt::Display) -> Label {
    Label { name: name.to_owned(), value: value.to_string() }
}
