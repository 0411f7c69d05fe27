//! Values of headers that are kept with a copy.
//!
//! A value as it came is a slice of the read buffer: keeping it keeps the whole buffer, 8 KiB for a copy of a few bytes.
//! So copies keep values of their own, and since nearly all requests have the same, they share it.

use std::cell::RefCell;

use http::{HeaderMap, HeaderName, HeaderValue};

/// One header's value as the request before had it.
#[derive(Debug, Default)]
pub(super) struct Usual(RefCell<Option<HeaderValue>>);

impl Usual {
    /// The header's value, apart from what it came in.
    pub(super) fn of(&self, headers: &HeaderMap, name: &HeaderName) -> Option<HeaderValue> {
        let value = headers.get(name)?;
        let mut usual = self.0.borrow_mut();
        if usual.as_ref() != Some(value) {
            // A value of the same bytes cannot be refused.
            *usual = HeaderValue::from_bytes(value.as_bytes()).ok();
        }
        usual.clone()
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::header::CONTENT_TYPE;

    use super::*;

    #[test]
    fn a_kept_value_does_not_keep_what_it_came_in() {
        let usual = Usual::default();
        for text in ["text/plain", "text/plain", "application/x-protobuf"] {
            let buffer = Bytes::from(text.as_bytes().to_vec());
            let value = HeaderValue::from_maybe_shared(buffer.clone()).unwrap_or_else(|_| unreachable!());
            let headers = HeaderMap::from_iter([(CONTENT_TYPE, value)]);
            let kept = usual.of(&headers, &CONTENT_TYPE);
            drop(headers);
            assert!(buffer.is_unique(), "{text}");
            assert_eq!(kept.as_ref().map(HeaderValue::as_bytes), Some(text.as_bytes()));
        }
        assert_eq!(usual.of(&HeaderMap::new(), &CONTENT_TYPE), None);
    }
}
