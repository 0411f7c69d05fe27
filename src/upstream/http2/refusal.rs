//! Why a stream ended without an answer, and whether the server can have seen its request.

use std::error::Error;

use h2::Reason;
use http::Request;

use super::Failure;

/// A stream that ended without an answer.
#[derive(Debug)]
pub(in crate::upstream) struct Refusal<B> {
    /// The request, where nothing of it was sent.
    pub(in crate::upstream) unsent: Option<Request<B>>,
    /// The server said that it did nothing with it (RFC 9113 section 8.7).
    pub(in crate::upstream) unprocessed: bool,
    /// The connection takes no more streams.
    pub(in crate::upstream) going_away: bool,
    pub(in crate::upstream) failure: Failure,
}

impl<B> Refusal<B> {
    pub(super) fn of(unsent: Option<Request<B>>, error: &hyper::Error) -> Self {
        let Some(cause) = cause(error) else {
            let going_away = unsent.is_some();
            return Self { unsent, unprocessed: false, going_away, failure: Failure::Closed };
        };
        let refused = cause.reason() == Some(Reason::REFUSED_STREAM);
        // Streams that a GOAWAY counts as seen do not end with it.
        let passed_over = cause.is_go_away() && cause.is_remote();
        let failure = match cause {
            cause if cause.is_reset() && cause.is_remote() && refused => Failure::Refused,
            cause if cause.is_reset() && cause.is_remote() => Failure::Reset,
            cause if cause.is_io() || passed_over => Failure::Closed,
            _ => Failure::Protocol,
        };
        let unprocessed = failure == Failure::Refused || passed_over;
        Self { going_away: unsent.is_some() || cause.is_go_away(), unsent, unprocessed, failure }
    }
}

fn cause(error: &hyper::Error) -> Option<&h2::Error> {
    let mut source = error.source();
    while let Some(error) = source {
        if let Some(error) = error.downcast_ref() {
            return Some(error);
        }
        source = error.source();
    }
    None
}
