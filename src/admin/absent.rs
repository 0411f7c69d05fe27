//! Endpoints of Envoy's that have nothing to do here. Each answers as Envoy does when it has nothing to do there.

use http::StatusCode;
use serde_json::json;

use super::View;
use super::answer::Answer;
use super::query::Query;

const PROFILERS: &str = "use perf, or a continuous profiler that reads it\n";

/// What is asked for has no effect, and needs none.
pub(crate) fn ok(_: &View, _: &Query) -> Answer {
    Answer::text("OK\n")
}

/// `/contention`: there is nothing to contend for on the path of a request.
pub(crate) fn contention(_: &View, _: &Query) -> Answer {
    Answer::text("Mutex contention tracing is not enabled.")
}

/// `/cpuprofiler`.
pub(crate) fn cpu_profiler(_: &View, query: &Query) -> Answer {
    match query.get("enable") {
        Some("n") => Answer::text("OK\n"),
        Some("y") => missing("CPU profiler", PROFILERS),
        _ => Answer::error(StatusCode::BAD_REQUEST, "?enable=<y|n>\n"),
    }
}

/// `/allocprofiler`.
pub(crate) fn allocation_profiler(_: &View, query: &Query) -> Answer {
    match query.get("enable") {
        Some("n") => Answer::error(StatusCode::BAD_REQUEST, "Allocation profiler is not started"),
        Some("y") => missing("allocation profiler", PROFILERS),
        _ => Answer::error(StatusCode::BAD_REQUEST, "?enable=<y|n>\n"),
    }
}

/// `/heapprofiler`.
pub(crate) fn heap_profiler(_: &View, _: &Query) -> Answer {
    missing("heap profiler", PROFILERS)
}

/// `/heap_dump`, `/peak_heap_dump`.
pub(crate) fn heap_dump(_: &View, _: &Query) -> Answer {
    missing("heap dump", "see /memory\n")
}

/// `/memory/tcmalloc`: the allocator is another.
pub(crate) fn tcmalloc(_: &View, _: &Query) -> Answer {
    missing("tcmalloc", "see /memory\n")
}

fn missing(what: &str, instead: &str) -> Answer {
    let sentence = format!("The current build does not support {what}; {instead}");
    Answer::error(StatusCode::NOT_IMPLEMENTED, sentence)
}

/// `/init_dump`: the admin listener opens last.
pub(crate) fn init_dump(_: &View, _: &Query) -> Answer {
    Answer::json(&json!({}))
}

/// `/stats/recentlookups`: statistics are found by index.
pub(crate) fn lookups(_: &View, _: &Query) -> Answer {
    Answer::text("Lookup tracking is not enabled: names of statistics are not looked up.\n\ntotal: 0\n")
}
