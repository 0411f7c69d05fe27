//! What a mirror's answer means for the copy.
//!
//! Sources: remote write 1.0 (4xx is a verdict on the data, 5xx and 429 are not), Mimir's distributor errors
//! (`err-mimir-*` identifiers in the text), Prometheus' receiver ("out of order sample"), OTLP's partial success.

use std::time::Duration;

use crate::paths::Kind;
use crate::stats::mirror::Outcome;

/// How an attempt ended.
#[derive(Debug)]
pub(crate) struct Attempt {
    /// What the copy's outcome is if there is no further attempt.
    pub(crate) outcome: Outcome,
    /// The answer's, if there was one.
    pub(crate) status: Option<u16>,
    /// The answer's `Retry-After`.
    pub(crate) retry_after: Option<Duration>,
}

/// What an attempt means for those that follow (contracts C9, C10).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Meaning {
    /// The mirror has taken the copy, or has judged what is in it: another attempt would end the same way.
    Final,
    /// The mirror's door did not let it in: a rolling ingress, an expired token. Says nothing about the data.
    Door,
    /// The tenant sends too much.
    Limited,
    /// Something is wrong with the mirror or the way to it.
    Trouble,
}

impl Attempt {
    /// The mirror did not answer.
    pub(super) fn unanswered(outcome: Outcome) -> Self {
        Self { outcome, status: None, retry_after: None }
    }

    pub(crate) fn meaning(&self) -> Meaning {
        match self.outcome {
            Outcome::FailedUnauthorized | Outcome::FailedClientError => Meaning::Door,
            Outcome::FailedRateLimited => Meaning::Limited,
            Outcome::FailedServerError
            | Outcome::FailedTimeout
            | Outcome::FailedConnect
            | Outcome::FailedConnectTimeout
            | Outcome::FailedTls
            | Outcome::FailedNoEndpoint
            | Outcome::FailedReset
            | Outcome::FailedProtocol => Meaning::Trouble,
            _ => Meaning::Final,
        }
    }

    /// Whether the mirror may have taken the copy without saying so.
    pub(crate) fn may_have_been_taken(&self) -> bool {
        matches!(
            self.outcome,
            Outcome::FailedServerError
                | Outcome::FailedTimeout
                | Outcome::FailedReset
                | Outcome::FailedProtocol
        )
    }
}

/// `body` is the beginning of the answer's body.
pub(super) fn outcome(kind: Kind, status: u16, body: &[u8]) -> Outcome {
    match status {
        202 if kind.is_write() => Outcome::Deduplicated,
        200..=299 if kind == Kind::OtlpWrite && is_partial_success(body) => Outcome::Partial,
        200..=299 => Outcome::Delivered,
        400 | 409 | 413 | 415 | 422 => rejection(body),
        401 | 403 | 407 => Outcome::FailedUnauthorized,
        429 => Outcome::FailedRateLimited,
        300..=499 => Outcome::FailedClientError,
        _ => Outcome::FailedServerError,
    }
}

fn rejection(body: &[u8]) -> Outcome {
    let text = String::from_utf8_lossy(body).to_ascii_lowercase();
    let says = |parts: &[&str]| parts.iter().any(|part| text.contains(part));
    if says(&["duplicate sample", "duplicate-timestamp", "duplicate timestamp"]) {
        Outcome::RejectedDuplicate
    } else if says(&["out of order", "out-of-order"]) {
        Outcome::RejectedOutOfOrder
    } else if says(&["too old", "too-old", "out of bounds", "out-of-bounds"]) {
        Outcome::RejectedTooOld
    } else if says(&["err-mimir-max-", "err-mimir-tenant-max-", "limit"]) {
        Outcome::RejectedLimit
    } else {
        Outcome::RejectedOther
    }
}

/// `ExportMetricsServiceResponse{partial_success{rejected_data_points}}` with a number above zero, as protobuf or
/// JSON (opentelemetry-proto, `metrics_service.proto`).
fn is_partial_success(body: &[u8]) -> bool {
    if body.first() == Some(&b'{') {
        let text = String::from_utf8_lossy(body);
        let Some((_, after)) = text.split_once("\"rejectedDataPoints\"") else { return false };
        let digits = after.trim_start_matches([':', ' ', '"']);
        return digits.starts_with(|c: char| ('1'..='9').contains(&c));
    }
    // Field 1 (message): tag 0x0a, length; inside it field 1 (varint): tag 0x08, value.
    matches!(body, [0x0a, _, 0x08, value, ..] if *value != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_map_to_outcomes() {
        for (status, expected) in [
            (200, Outcome::Delivered),
            (204, Outcome::Delivered),
            (202, Outcome::Deduplicated),
            (302, Outcome::FailedClientError),
            (401, Outcome::FailedUnauthorized),
            (404, Outcome::FailedClientError),
            (429, Outcome::FailedRateLimited),
            (503, Outcome::FailedServerError),
            (400, Outcome::RejectedOther),
        ] {
            assert_eq!(outcome(Kind::Write, status, b""), expected, "{status}");
        }
        assert_eq!(outcome(Kind::Other, 202, b""), Outcome::Delivered);
    }

    #[test]
    fn reasons_are_read_from_mimirs_and_prometheus_texts() {
        for (text, expected) in [
            ("out of order sample", Outcome::RejectedOutOfOrder),
            ("failed pushing: err-mimir-sample-out-of-order", Outcome::RejectedOutOfOrder),
            ("err-mimir-sample-timestamp-too-old", Outcome::RejectedTooOld),
            ("out of bounds", Outcome::RejectedTooOld),
            ("err-mimir-sample-duplicate-timestamp", Outcome::RejectedDuplicate),
            ("duplicate sample for timestamp", Outcome::RejectedDuplicate),
            ("per-user series limit of 10 exceeded (err-mimir-max-series-per-user)", Outcome::RejectedLimit),
        ] {
            assert_eq!(outcome(Kind::Write, 400, text.as_bytes()), expected, "{text}");
        }
    }

    #[test]
    fn otlp_partial_success_is_told_from_success() {
        let partial = |body: &[u8]| outcome(Kind::OtlpWrite, 200, body);
        assert_eq!(partial(&[0x0a, 0x02, 0x08, 0x05]), Outcome::Partial);
        assert_eq!(partial(br#"{"partialSuccess":{"rejectedDataPoints":"3"}}"#), Outcome::Partial);
        assert_eq!(partial(br#"{"partialSuccess":{"rejectedDataPoints":0}}"#), Outcome::Delivered);
        assert_eq!(partial(b"{}"), Outcome::Delivered);
        assert_eq!(partial(b""), Outcome::Delivered);
        assert_eq!(outcome(Kind::Write, 200, &[0x0a, 0x02, 0x08, 0x05]), Outcome::Delivered);
    }
}
