//! Prometheus remote write bodies: snappy block plus protobuf, read and written.

#![deny(clippy::indexing_slicing)]
#![forbid(unsafe_code)]
