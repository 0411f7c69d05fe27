//! What all segments of a backlog come to.

use backlog::inspect::Inspection;

use super::words;

/// Sums over segments.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Summary {
    /// Without an outcome.
    pub(super) copies: u64,
    pub(super) payload_bytes: u64,
    pub(super) disk_bytes: u64,
    pub(super) tenants: u64,
    /// Arrival of the oldest and the newest copy, in milliseconds since 1970.
    pub(super) arrivals_ms: Option<(u64, u64)>,
    pub(super) damaged_bytes: u64,
    /// Numbers of the segments in which those bytes are, or whose header is damaged.
    pub(super) damaged_segments: Vec<u64>,
}

impl Summary {
    pub(super) fn of(found: &Inspection) -> Self {
        let mut sum = Self { tenants: found.tenants.len() as u64, ..Self::default() };
        for segment in &found.segments {
            sum.copies = sum.copies.saturating_add(segment.live);
            sum.payload_bytes = sum.payload_bytes.saturating_add(segment.live_bytes);
            sum.disk_bytes = sum.disk_bytes.saturating_add(segment.bytes);
            sum.damaged_bytes = sum.damaged_bytes.saturating_add(segment.damaged_bytes);
            if segment.damaged_bytes > 0 || segment.header_damaged {
                sum.damaged_segments.push(segment.number);
            }
            if let Some((oldest, newest)) = segment.arrivals_ms {
                let (low, high) = sum.arrivals_ms.unwrap_or((oldest, newest));
                sum.arrivals_ms = Some((low.min(oldest), high.max(newest)));
            }
        }
        sum
    }

    /// `780 copies of 2 tenants, 12.0 KiB`
    pub(super) fn copies_text(&self) -> String {
        format!("{} {}", words::counted(self.copies, "copy", "copies"), self.whose_text())
    }

    /// Behind a number of copies: `of 2 tenants, 12.0 KiB`
    pub(super) fn whose_text(&self) -> String {
        let tenants = words::counted(self.tenants, "tenant", "tenants");
        format!("of {tenants}, {}", words::size(self.payload_bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use backlog::CheckpointState;
    use backlog::inspect::SegmentInfo;

    #[test]
    fn segments_are_summed_and_damage_is_named() {
        let segment = |number, live, arrivals_ms, damaged_bytes| SegmentInfo {
            number,
            live,
            live_bytes: live * 100,
            bytes: 1000,
            arrivals_ms,
            damaged_bytes,
            ..SegmentInfo::default()
        };
        let mut found = Inspection {
            in_use: false,
            mirrors: Vec::new(),
            checkpoint: CheckpointState::Loaded,
            segments: vec![
                segment(1, 2, Some((30, 50)), 0),
                segment(2, 0, None, 7),
                segment(3, 1, Some((20, 40)), 0),
            ],
            tenants: Vec::new(),
            unreadable: Vec::new(),
            foreign: Vec::new(),
        };
        found.segments[2].header_damaged = true;
        let expected = Summary {
            copies: 3,
            payload_bytes: 300,
            disk_bytes: 3000,
            tenants: 0,
            arrivals_ms: Some((20, 50)),
            damaged_bytes: 7,
            damaged_segments: vec![2, 3],
        };
        assert_eq!(Summary::of(&found), expected);
        found.segments.clear();
        assert_eq!(Summary::of(&found), Summary::default());
    }
}
