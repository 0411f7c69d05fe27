//! What each way to lose a copy means, in a sentence for whoever reads it at night.

use serde_json::{Value, json};

use crate::stats::mirror::Outcome;

/// The mirror lacks something after this, if its primary took it.
pub(super) fn is_loss(outcome: Outcome) -> bool {
    !matches!(outcome, Outcome::Delivered | Outcome::Deduplicated | Outcome::Repeated)
}

/// An outcome with its number and its meaning.
pub(super) fn counted(outcome: Outcome, copies: u64) -> Value {
    let (name, reason) = outcome.labels();
    json!({"outcome": name, "reason": reason, "copies": copies, "meaning": of(outcome)})
}

fn of(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Delivered => "The mirror took it.",
        Outcome::Deduplicated => "The mirror's HA tracker follows the other replica.",
        Outcome::Partial => "The mirror refused some of its data points: look at the mirror's limits.",
        Outcome::RejectedOutOfOrder => "The mirror has newer samples of these series.",
        Outcome::RejectedTooOld => "The samples are older than the mirror accepts: look at the lag.",
        Outcome::RejectedDuplicate => {
            "The mirror has other values at the same times: two senders write one series."
        }
        Outcome::RejectedLimit => "One of the tenant's limits at the mirror: give it the primary's limits.",
        Outcome::RejectedOther => "The mirror found something wrong with the data: ask its log.",
        Outcome::FailedUnauthorized => "The mirror's gateway wants other credentials: see `auth`.",
        Outcome::FailedClientError => "The mirror does not know this path: its URL leads elsewhere.",
        Outcome::FailedRateLimited => "The mirror asks for fewer requests: raise the tenant's rate there.",
        Outcome::FailedServerError => "The mirror is in trouble itself: ask its log.",
        Outcome::FailedTimeout => "The mirror did not answer in time; it may or may not have the data.",
        Outcome::FailedConnect => "The mirror refuses connections: is it running, is the port right?",
        Outcome::FailedConnectTimeout => "The mirror cannot be reached: a firewall, a route, a dead host?",
        Outcome::FailedNoEndpoint => "The mirror's name has no address: ask DNS.",
        Outcome::FailedReset => {
            "The connection broke before an answer: the mirror restarts or is overloaded."
        }
        Outcome::FailedProtocol => "What answers there speaks no HTTP/1.1.",
        Outcome::FailedTls => "The TLS handshake failed: certificates, names, times.",
        Outcome::FailedDamaged => "Its bytes in the backlog are damaged: look at the disk.",
        Outcome::DroppedBufferFull => {
            "The mirror is slower than the senders and `buffer` is full: make it larger, or deliver durably."
        }
        Outcome::DroppedTooManyCopies => "The mirror is slower than the senders and too many copies wait.",
        Outcome::DroppedTooLarge => "The request is larger than `max_request`.",
        Outcome::DroppedShutdown => "It still waited when the process had to leave.",
        Outcome::Expired => "It waited longer than `max_age`: the mirror was away or too slow for too long.",
        Outcome::ExpiredSize => "The backlog was full, and the oldest had to go.",
        Outcome::ExpiredSkipped => "An operator had the mirror skip to now.",
        Outcome::Repeated => "The mirror had it already.",
    }
}
