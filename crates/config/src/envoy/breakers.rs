//! `circuit_breakers`. What is not written is no limit.

use crate::model::{Breakers, Mirror};
use crate::read::{Field, Object};

use super::unsupported;

/// What the file says of priority `DEFAULT`.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Written {
    max_connections: Option<u32>,
    max_pending_requests: Option<u32>,
    max_requests: Option<u32>,
    max_retries: Option<u32>,
    track_remaining: bool,
}

/// `None` if it was refused.
pub(super) fn decode(object: &mut Object<'_>) -> Option<Written> {
    let Some(field) = object.take("circuit_breakers") else { return Some(Written::default()) };
    let mut object = field.object()?;
    let thresholds = object.take("thresholds").map(|field| field.list()).unwrap_or_default();
    object.finish(unsupported::CIRCUIT_BREAKERS);
    let read: Vec<_> = thresholds.iter().map(threshold).collect();
    let read: Vec<_> = read.into_iter().collect::<Option<_>>()?;
    // As in Envoy the first of a priority counts; no route has another priority than `DEFAULT`.
    Some(read.into_iter().find(|(high, _)| !high).map(|(_, written)| written).unwrap_or_default())
}

/// Whether it is of priority `HIGH`, and what it says.
fn threshold(field: &Field<'_>) -> Option<(bool, Written)> {
    let mut object = field.object()?;
    let priorities = [("DEFAULT", 0, false), ("HIGH", 1, true)];
    let high = object.take("priority").map_or(Some(false), |field| field.choice(&priorities));
    let number = |object: &mut Object<'_>, name| match object.take(name) {
        None => Some(None),
        Some(field) => field.whole(0, u32::MAX).map(Some),
    };
    let max_connections = number(&mut object, "max_connections");
    let max_pending_requests = number(&mut object, "max_pending_requests");
    let max_requests = number(&mut object, "max_requests");
    let max_retries = number(&mut object, "max_retries");
    let track = object.take("track_remaining").map_or(Some(false), |field| field.boolean());
    object.finish(unsupported::THRESHOLDS);
    let written = Written {
        max_connections: max_connections?,
        max_pending_requests: max_pending_requests?,
        max_requests: max_requests?,
        max_retries: max_retries?,
        track_remaining: track?,
    };
    Some((high?, written))
}

impl Written {
    /// `None` if everything is said to be without a limit.
    pub(super) fn complete(self) -> Option<Breakers> {
        let all = [self.max_connections, self.max_pending_requests, self.max_requests, self.max_retries];
        if all == [Some(UNLIMITED); 4] && !self.track_remaining {
            return None;
        }
        let Self { max_connections, max_pending_requests, max_requests, max_retries, track_remaining } = self;
        Some(Breakers { max_connections, max_pending_requests, max_requests, max_retries, track_remaining })
    }

    /// What is written here bounds copies, too, before the mirror's own settings are read, which win. Envoy's own
    /// defaults do not: a mirror has better ones. Nor does what is said to be without a limit.
    pub(super) fn bound(self, mirror: &mut Mirror) {
        let is_limit = |n: &u32| *n != UNLIMITED;
        let in_flight = self.max_connections.into_iter().chain(self.max_requests).filter(is_limit).min();
        if let Some(connections) = in_flight {
            mirror.max_connections = connections.clamp(1, CONNECTIONS_MAX);
        }
        if let Some(pending) = self.max_pending_requests.filter(is_limit) {
            mirror.max_copies = pending.saturating_add(mirror.max_connections).min(COPIES_MAX);
        }
    }
}

const UNLIMITED: u32 = Breakers::UNLIMITED;
/// Descriptors are set aside for these.
const CONNECTIONS_MAX: u32 = 1024;
const COPIES_MAX: u32 = 16_777_216;
