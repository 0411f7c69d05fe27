//! Prometheus remote write bodies: snappy block plus protobuf, read and written.
//!
//! A remote write 1.0 request is one protobuf `WriteRequest`, compressed as one snappy *block* (not the framed
//! stream format). This crate knows that format and nothing else: no sockets, no runtime.
//!
//! - [`message`]: the protobuf messages as Rust structs.
//! - [`decode()`]: a body into a [`WriteRequest`], with a limit that holds before memory is taken.
//! - [`encode()`]: a [`WriteRequest`] into a body.
//! - [`synthetic`]: repeatable, realistic bodies for the demo, the benchmark and the tests.
//!
//! These build objects: right for a receiver that keeps the samples, too dear for the path of a request.
//!
//! Sources: the [remote write 1.0 specification], the [`prometheus/prompb`] message definitions, and the
//! [snappy block format].
//!
//! [remote write 1.0 specification]: https://prometheus.io/docs/specs/prw/remote_write_spec/
//! [`prometheus/prompb`]: https://github.com/prometheus/prometheus/tree/main/prompb
//! [snappy block format]: https://github.com/google/snappy/blob/main/format_description.txt

#![deny(clippy::indexing_slicing)]
#![forbid(unsafe_code)]

pub mod decode;
pub mod encode;
pub mod message;
pub mod synthetic;

pub use decode::{DecodeError, declared_len, decode};
pub use encode::encode;
pub use message::{Exemplar, Label, MetricMetadata, MetricType, Sample, TimeSeries, WriteRequest};

/// The headers that the specification requires of a remote write 1.0 request, names in lower case.
pub const HEADERS: [(&str, &str); 3] = [
    ("content-encoding", "snappy"),
    ("content-type", "application/x-protobuf"),
    ("x-prometheus-remote-write-version", "0.1.0"),
];
