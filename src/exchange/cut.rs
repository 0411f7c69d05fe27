//! Answers that end before their end.

use crate::format::Flags;
use crate::upstream::Failure;

/// Why an answer ends before its end.
#[derive(Debug, Clone, Copy, thiserror::Error)]
pub(crate) enum Cut {
    /// The primary closed its connection, reset the stream, or went on with what is no HTTP.
    #[error("the upstream ended inside its answer")]
    Upstream(Failure),
    /// The route's timeout, or a silence of `stream_idle_timeout`.
    #[error("the answer did not end in time")]
    Timeout,
}

impl Cut {
    /// What an access log says of it.
    pub(super) fn why(self) -> (Flags, &'static str) {
        match self {
            Self::Timeout => (Flags::UPSTREAM_TIMEOUT, "response_timeout"),
            Self::Upstream(Failure::Protocol) => {
                (Flags::UPSTREAM_PROTOCOL, "upstream_reset_after_response_started{protocol_error}")
            }
            Self::Upstream(Failure::Reset | Failure::Refused) => {
                (Flags::UPSTREAM_RESET, "upstream_reset_after_response_started{remote_reset}")
            }
            Self::Upstream(_) => (
                Flags::CONNECTION_TERMINATION,
                "upstream_reset_after_response_started{connection_termination}",
            ),
        }
    }
}
