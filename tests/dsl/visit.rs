//! What a receiver remembers of a request, and how many were under way at the same time.

use std::time::Instant;

use super::http1::Message;

/// One request at the receiver.
#[derive(Clone, Debug)]
pub(crate) struct Visit {
    pub request: Message,
    /// When it was complete, on a clock that counts the events of this receiver.
    pub begun: u64,
    /// The same moment on the wall. For "not before", never for "within".
    pub at: Instant,
    /// When it was judged, on the receiver's clock, and its status.
    pub ended: Option<(u64, u16)>,
}

/// The state of affairs when a request came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Moment {
    /// Requests under way, itself included.
    pub under_way: usize,
    /// Requests judged before.
    pub judged: usize,
}

/// For each of these visits that was judged, what it met. Visits that never were are left out: their connections ended
/// at a time that nobody knows.
pub(crate) fn moments(visits: &[Visit]) -> Vec<Moment> {
    let spans: Vec<_> = visits.iter().filter_map(|v| Some((v.begun, v.ended?.0))).collect();
    let at = |now: u64| {
        let judged = spans.iter().filter(|(_, ended)| *ended < now).count();
        let begun = spans.iter().filter(|(begun, _)| *begun <= now).count();
        Moment { under_way: begun - judged, judged }
    };
    spans.iter().map(|(begun, _)| at(*begun)).collect()
}
