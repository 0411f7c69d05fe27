//! What the fuzzer runs, on what it found worth keeping and the same with damage.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test whose surroundings fail cannot go on"
)]

#[path = "../../../fuzz/src/corpus.rs"]
mod corpus;
#[path = "../../../fuzz/src/damaged_backlog.rs"]
mod damaged_backlog;
#[path = "../../../fuzz/src/disk.rs"]
mod disk;

#[test]
fn a_damaged_backlog_gives_back_what_was_appended_or_nothing() {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
    corpus::replay(root, "backlog", 20_000, damaged_backlog::damaged_backlog);
}
