//! Reading a mirror's answer: whatever the bytes, and however they are cut, the same end.
//!
//! `cargo +nightly fuzz run answer -- -timeout=10 -rss_limit_mb=2048`
#![no_main]
#![allow(dead_code, missing_docs, reason = "the program's own files, of which little is used here")]

#[path = "../../src/mirror/send/answer.rs"]
mod answer;
#[path = "../../src/limits.rs"]
mod limits;
#[path = "../../src/mirror/written.rs"]
mod written;

mod mirror {
    pub(crate) use super::written;
}

/// What is known once all pieces were read: the status, the kept part of the body, whether it is over, and whether the
/// connection may go on. `None`: they are no answer.
fn read<'a>(
    pieces: impl Iterator<Item = &'a [u8]>,
    has_body: bool,
) -> Option<(Option<u16>, Vec<u8>, bool, bool)> {
    let mut answer = answer::Answer::new(has_body);
    for piece in pieces {
        answer.feed(piece).ok()?;
    }
    Some((answer.status(), answer.kept().to_vec(), answer.is_over(), answer.keeps_alive()))
}

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Some((&way, bytes)) = data.split_first() else { return };
    let has_body = way & 1 == 0;
    let whole = read(std::iter::once(bytes), has_body);
    let cut = read(bytes.chunks(usize::from(way >> 1) + 1), has_body);
    assert_eq!(whole, cut);
});
