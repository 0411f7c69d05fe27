//! Streams that a client opens only to reset them.
//!
//! A reset frees its place among a connection's streams at once, but a complete request is carried to its end, so
//! nothing else would bound what one connection can ask of the primary ("rapid reset", CVE-2023-44487). The rule is
//! Envoy's: a connection is closed once so many of its requests were reset before they had an answer that half of the
//! first [`RESETS_CONSIDERED`], or of all, were.

use std::cell::Cell;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Instant;

use crate::limits::{PREMATURE_RESET, RESETS_CONSIDERED};

/// How the requests of one connection ended.
#[derive(Debug, Default)]
pub(super) struct Resets {
    ended: Cell<u64>,
    premature: Cell<u64>,
}

impl Resets {
    /// A request has ended; whether the connection must.
    fn end(&self, premature: bool) -> bool {
        self.ended.set(self.ended.get().saturating_add(1));
        self.premature.set(self.premature.get().saturating_add(u64::from(premature)));
        let considered = self.ended.get().max(RESETS_CONSIDERED);
        premature && self.premature.get().saturating_mul(2) >= considered
    }
}

/// A request on a connection whose resets are counted.
pub(super) struct Resettable<F, A: Fn()> {
    future: F,
    began: Instant,
    answered: bool,
    resets: Rc<Resets>,
    /// What to do when there were too many.
    alarm: A,
}

impl<F, A: Fn()> Resettable<F, A> {
    pub(super) fn new(future: F, resets: Rc<Resets>, alarm: A) -> Self {
        Self { future, began: Instant::now(), answered: false, resets, alarm }
    }
}

impl<F: Future + Unpin, A: Fn() + Unpin> Future for Resettable<F, A> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let output = Pin::new(&mut self.future).poll(cx);
        if output.is_ready() && !std::mem::replace(&mut self.answered, true) {
            self.resets.end(false);
        }
        output
    }
}

impl<F, A: Fn()> Drop for Resettable<F, A> {
    fn drop(&mut self) {
        if !self.answered && self.resets.end(self.began.elapsed() < PREMATURE_RESET) {
            (self.alarm)();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_of_the_first_requests_may_not_be_reset() {
        let resets = Resets::default();
        for _ in 1..RESETS_CONSIDERED / 2 {
            assert!(!resets.end(true));
        }
        assert!(resets.end(true));
    }

    #[test]
    fn half_of_all_requests_may_not_be_reset() {
        let resets = Resets::default();
        for _ in 0..RESETS_CONSIDERED {
            assert!(!resets.end(false));
        }
        for _ in 1..RESETS_CONSIDERED {
            assert!(!resets.end(true));
        }
        assert!(resets.end(true));
    }
}
