//! A client that leaves does not end its request.
//!
//! The HTTP library drops the future of a request whose connection closes. A complete request must still be carried
//! to its end on both legs (contract C5), so the dropped future goes on as a task of its own. It costs one
//! allocation for each request and nothing else while the client stays.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

/// Runs a future to its end even if it is dropped before.
#[derive(Debug)]
pub(crate) struct Detached<F: Future + 'static>(Option<Pin<Box<F>>>);

impl<F: Future + 'static> Detached<F> {
    pub(crate) fn new(future: F) -> Self {
        Self(Some(Box::pin(future)))
    }
}

impl<F: Future + 'static> Future for Detached<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let Some(future) = &mut self.0 else { return Poll::Pending };
        let output = future.as_mut().poll(cx);
        if output.is_ready() {
            self.0 = None;
        }
        output
    }
}

impl<F: Future + 'static> Drop for Detached<F> {
    fn drop(&mut self) {
        if let Some(future) = self.0.take() {
            tokio::task::spawn_local(async move {
                drop(future.await);
            });
        }
    }
}
