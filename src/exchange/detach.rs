//! A client that leaves does not end its request.
//!
//! The HTTP library drops the future of a request whose connection closes. A complete request must still be carried
//! to its end on both legs (contract C5), so the dropped future goes on as a task of its own. It costs one
//! allocation for each request and nothing else while the client stays.

use std::cell::RefCell;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use super::request_body::RequestBody;

/// Where an exchange leaves what must hear of it when its client leaves.
#[derive(Debug, Default)]
pub(crate) struct Departure(RefCell<Option<Rc<RequestBody>>>);

impl Departure {
    pub(super) fn tell(&self, body: &Rc<RequestBody>) {
        *self.0.borrow_mut() = Some(Rc::clone(body));
    }

    /// The client has left. It may send the same again at once, which must not overtake this request's copies.
    fn left(&self) {
        if let Some(body) = self.0.take() {
            body.left();
        }
    }
}

/// Runs a future to its end even if it is dropped before.
#[derive(Debug)]
pub(crate) struct Detached<F: Future + 'static> {
    future: Option<Pin<Box<F>>>,
    departure: Rc<Departure>,
}

impl<F: Future + 'static> Detached<F> {
    pub(crate) fn new(future: F, departure: Rc<Departure>) -> Self {
        Self { future: Some(Box::pin(future)), departure }
    }
}

impl<F: Future + 'static> Future for Detached<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let Some(future) = &mut self.future else { return Poll::Pending };
        let output = future.as_mut().poll(cx);
        if output.is_ready() {
            self.future = None;
        }
        output
    }
}

impl<F: Future + 'static> Drop for Detached<F> {
    fn drop(&mut self) {
        if let Some(future) = self.future.take() {
            self.departure.left();
            tokio::task::spawn_local(async move {
                drop(future.await);
            });
        }
    }
}
