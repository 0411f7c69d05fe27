//! Connections being made that more than one request waits for.
//!
//! The dial is a task of its own, so that it goes on for the others when the request that began it is given up.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::net::SocketAddr;
use std::rc::Rc;

use tokio::sync::watch;

use super::Failure;

type Outcome = Option<Result<(), Failure>>;

/// Dials in progress.
#[derive(Debug, Default)]
pub(super) struct Dialing(RefCell<Vec<Dial>>);

#[derive(Debug)]
struct Dial {
    address: SocketAddr,
    name: Option<Box<str>>,
    waiting: Cell<u32>,
    outcome: watch::Receiver<Outcome>,
}

impl Dial {
    fn has_room(&self, address: SocketAddr, name: Option<&str>, most: u32) -> bool {
        self.address == address && self.name.as_deref() == name && self.waiting.get() < most
    }
}

impl Dialing {
    /// Whether a dial to `address`, asked for by this name, is in progress that fewer than `most` wait for.
    pub(super) fn has_room(&self, address: SocketAddr, name: Option<&str>, most: u32) -> bool {
        self.0.borrow().iter().any(|dial| dial.has_room(address, name, most))
    }

    /// Waits for a dial to `address`, asked for by this name, one in progress that fewer than `most` wait for, or the one that `dial` begins.
    pub(super) async fn wait<F>(
        self: &Rc<Self>,
        address: SocketAddr,
        name: Option<&str>,
        most: u32,
        dial: impl FnOnce() -> F,
    ) -> Result<(), Failure>
    where
        F: Future<Output = Result<(), Failure>> + 'static,
    {
        let found = self.join(address, name, most);
        let mut outcome = found.unwrap_or_else(|| self.begin(address, name, dial()));
        let ended = outcome.wait_for(Option::is_some).await;
        ended.ok().and_then(|outcome| *outcome).unwrap_or(Err(Failure::Closed))
    }

    fn join(&self, address: SocketAddr, name: Option<&str>, most: u32) -> Option<watch::Receiver<Outcome>> {
        let dials = self.0.borrow();
        let dial = dials.iter().find(|dial| dial.has_room(address, name, most))?;
        dial.waiting.set(dial.waiting.get() + 1);
        Some(dial.outcome.clone())
    }

    fn begin<F>(self: &Rc<Self>, address: SocketAddr, name: Option<&str>, dial: F) -> watch::Receiver<Outcome>
    where
        F: Future<Output = Result<(), Failure>> + 'static,
    {
        let (tell, outcome) = watch::channel(None);
        self.0.borrow_mut().push(Dial {
            address,
            name: name.map(Into::into),
            waiting: Cell::new(1),
            outcome: outcome.clone(),
        });
        let dialing = Rc::clone(self);
        tokio::task::spawn_local(async move {
            let ended = dial.await;
            // Gone from the list first: who comes now must not wait for what is over.
            dialing.0.borrow_mut().retain(|dial| !dial.outcome.same_channel(&tell.subscribe()));
            tell.send_replace(Some(ended));
        });
        outcome
    }
}
