//! What the kernel says about this process' memory, under Envoy's names where they mean something here.
//!
//! Envoy reports its allocator's books; ours keeps none that can be read cheaply, so the page tables answer.

use serde_json::json;

use super::View;
use super::answer::Answer;
use super::query::Query;

/// Bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Memory {
    /// Physical memory that is in use and belongs to this process alone: heap and stacks (`RssAnon`).
    pub(crate) anonymous: u64,
    /// The same with what of it was swapped out (`VmSwap`). Not the address space set aside: that is the allocator's
    /// plan and no memory.
    pub(crate) heap: u64,
    /// All physical memory in use, the program's text and libraries included (`VmRSS`).
    pub(crate) resident: u64,
}

impl Memory {
    /// `None` where there is no `/proc`.
    pub(crate) fn read() -> Option<Self> {
        Self::parse(&std::fs::read_to_string("/proc/self/status").ok()?)
    }

    fn parse(status: &str) -> Option<Self> {
        let bytes = |name: &str| -> Option<u64> {
            let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
            line.trim().strip_suffix(" kB")?.parse::<u64>().ok()?.checked_mul(1024)
        };
        let anonymous = bytes("RssAnon")?;
        Some(Self { anonymous, heap: anonymous + bytes("VmSwap")?, resident: bytes("VmRSS")? })
    }
}

/// `/memory`. Numbers are strings, as in Envoy (64-bit integers in JSON).
pub(crate) fn report(_: &View, _: &Query) -> Answer {
    let Some(memory) = Memory::read() else {
        return Answer::error(http::StatusCode::NOT_IMPLEMENTED, "this system has no /proc/self/status\n");
    };
    Answer::json(&json!({
        "allocated": memory.anonymous.to_string(),
        "heap_size": memory.heap.to_string(),
        "total_physical_bytes": memory.resident.to_string(),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_status_file_is_read_in_bytes() {
        let status = "Name:\tx\nVmRSS:\t   12 kB\nRssAnon:\t  5 kB\nVmSwap:\t  1 kB\n";
        assert_eq!(Memory::parse(status), Some(Memory { anonymous: 5120, heap: 6144, resident: 12_288 }));
        assert_eq!(Memory::parse("VmRSS: 1 kB\nRssAnon: x kB\nVmSwap: 1 kB\n"), None);
    }
}
