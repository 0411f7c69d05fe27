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
        let failure = failure(error);
        let unprocessed = failure == Failure::Refused || is_passed_over(cause);
        Self { going_away: unsent.is_some() || cause.is_go_away(), unsent, unprocessed, failure }
    }
}

/// How a stream ended, in Envoy's terms.
pub(super) fn failure(error: &hyper::Error) -> Failure {
    let Some(cause) = cause(error) else { return Failure::Closed };
    let refused = cause.reason() == Some(Reason::REFUSED_STREAM);
    match cause {
        cause if cause.is_reset() && cause.is_remote() && refused => Failure::Refused,
        cause if cause.is_reset() && cause.is_remote() => Failure::Reset,
        cause if cause.is_io() || is_passed_over(cause) => Failure::Closed,
        _ => Failure::Protocol,
    }
}

/// Whether we ended the stream, without the server's doing.
pub(super) fn is_ours(error: &hyper::Error) -> bool {
    cause(error).is_some_and(|cause| cause.is_reset() && !cause.is_remote() && !cause.is_library())
}

/// Whether one stream ended and not its connection.
pub(super) fn is_of_stream(error: &hyper::Error) -> bool {
    cause(error).is_some_and(h2::Error::is_reset)
}

/// Streams that a GOAWAY counts as seen do not end with it.
fn is_passed_over(cause: &h2::Error) -> bool {
    cause.is_go_away() && cause.is_remote()
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
