//! Bodies of metric writes, read and written: Prometheus remote write (snappy block plus protobuf), and OTLP.
//!
//! A remote write request is one protobuf message, compressed as one snappy *block* (not the framed stream
//! format): a `WriteRequest` in 1.0, a `Request` in 2.0. An OTLP push is one protobuf message, often in gzip. This
//! crate knows these formats and nothing else: no sockets, no runtime.
//!
//! Without building objects, for the way of a copy:
//! - [`fingerprint`]: which series a body carries.
//! - [`protocol`]: which version a body is, by its headers.
//!
//! With objects, for a receiver that keeps the samples, for the demo, the benchmark and the tests:
//! - [`message`], [`message2`]: the protobuf messages of 1.0 and 2.0 as Rust structs.
//! - [`otlp`]: those of an OTLP push, and their translation.
//! - [`decode()`]: a body into a [`WriteRequest`], with a limit that holds before memory is taken.
//! - [`encode()`]: a request into a body.
//! - [`synthetic`]: repeatable, realistic bodies.
//!
//! Sources: the [remote write 1.0 specification] and [2.0 specification], the [`prometheus/prompb`] message
//! definitions, the [snappy block format], and the [OTLP specification].
//!
//! [remote write 1.0 specification]: https://prometheus.io/docs/specs/prw/remote_write_spec/
//! [2.0 specification]: https://prometheus.io/docs/specs/prw/remote_write_spec_2_0/
//! [`prometheus/prompb`]: https://github.com/prometheus/prometheus/tree/main/prompb
//! [OTLP specification]: https://opentelemetry.io/docs/specs/otlp/
//! [snappy block format]: https://github.com/google/snappy/blob/main/format_description.txt

#![deny(clippy::indexing_slicing)]
#![forbid(unsafe_code)]

pub mod decode;
pub mod encode;
pub mod fingerprint;
mod gzip;
pub mod message;
pub mod message2;
pub mod otlp;
pub mod protocol;
pub mod synthetic;
mod wire;

pub use decode::{DecodeError, declared_len, decode};
pub use encode::encode;
pub use message::{Exemplar, Label, MetricMetadata, MetricType, Sample, TimeSeries, WriteRequest};

/// The headers that the specification requires of a remote write 1.0 request, names in lower case.
pub const HEADERS: [(&str, &str); 3] = [
    ("content-encoding", "snappy"),
    ("content-type", "application/x-protobuf"),
    ("x-prometheus-remote-write-version", "0.1.0"),
];

/// The headers that the specification requires of a remote write 2.0 request, names in lower case.
pub const HEADERS_V2: [(&str, &str); 3] = [
    ("content-encoding", "snappy"),
    ("content-type", "application/x-protobuf;proto=io.prometheus.write.v2.Request"),
    ("x-prometheus-remote-write-version", "2.0.0"),
];
