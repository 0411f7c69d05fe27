//! A new `x-request-id`: a random UUID, as Envoy makes it.

use http::HeaderValue;

/// One that no other request has.
pub(super) fn new() -> HeaderValue {
    let random = fastrand::u128(..).to_ne_bytes();
    let id = uuid::Builder::from_random_bytes(random).into_uuid();
    let mut text = uuid::Uuid::encode_buffer();
    let text = id.hyphenated().encode_lower(&mut text);
    HeaderValue::from_str(text).unwrap_or_else(|_| HeaderValue::from_static("-"))
}
