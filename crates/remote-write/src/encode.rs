//! A request of either version into a body as a sender puts it on the wire.

use prost::Message;

/// Writes a request ([`WriteRequest`](crate::WriteRequest) or [`message2::Request`](crate::message2::Request)) as
/// protobuf in one snappy block.
///
/// # Panics
/// If the request is larger than the 4 GiB - 1 that a snappy block can declare, which is 40 times what Mimir takes.
#[must_use]
#[expect(clippy::expect_used, reason = "only a caller that builds 4 GiB of objects itself can get there")]
pub fn encode(request: &impl Message) -> Vec<u8> {
    snap::raw::Encoder::new()
        .compress_vec(&request.encode_to_vec())
        .expect("a remote write request of more than 4 GiB")
}
