//! What a copy holds while it is unfinished: the series on which it makes others wait.

/// What a copy holds while it is unfinished.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Holds {
    /// Not read yet: any series of the tenant, until [`Board::learn`](super::Board::learn).
    Unknown,
    /// Read.
    Known(Set),
    /// Ordered by its sender (Influx): the hash of tenant and peer. Known from the head of the request, so
    /// nothing that entered as unknown becomes this.
    Sender(u64),
}

/// The series of a body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Set {
    /// Those with these fingerprints, which are evenly distributed hashes. Best strictly ascending; sorted and freed
    /// of duplicates otherwise.
    Series(Box<[u64]>),
    /// None: a metadata-only write.
    Nothing,
    /// Unreadable (OTLP in JSON is), or too many to keep: any series of the tenant, for good.
    Everything,
}
