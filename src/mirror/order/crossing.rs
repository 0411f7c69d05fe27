//! How workers and the order thread tell each other things, so that no worker ever waits for that thread.
//!
//! The order thread runs at the lowest priority. On a busy machine, a lock that it holds when its time is over stays
//! locked for long, and the waking of a task takes such locks: the runtime's queue of tasks woken from elsewhere, the
//! condition variable of a thread that blocks. So both ways are lists without locks, and waking is a system call alone:
//! a futex towards the order thread, a byte in a socket towards a worker, whose own poller then wakes the task.

use std::cell::Cell;
use std::io;
use std::io::Write as _;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

use tokio::sync::mpsc::{self, Receiver, Sender};

use super::{Event, Permit};

/// The order thread's side of what workers tell it.
pub(super) struct Inbox {
    events: Receiver<Event>,
    waker: Waker,
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

impl Inbox {
    /// Of the calling thread.
    pub(super) fn new(events: Receiver<Event>) -> Self {
        Self { events, waker: Arc::new(Unpark(thread::current())).into() }
    }

    /// The next event; waits for one. Nothing when nobody is left who could send one.
    pub(super) fn recv(&mut self) -> Option<Event> {
        loop {
            match self.poll() {
                Poll::Ready(event) => return event,
                Poll::Pending => thread::park(),
            }
        }
    }

    /// The next event, if there is one.
    pub(super) fn next(&mut self) -> Option<Event> {
        if let Poll::Ready(event) = self.poll() { event } else { None }
    }

    fn poll(&mut self) -> Poll<Option<Event>> {
        self.events.poll_recv(&mut Context::from_waker(&self.waker))
    }
}

/// The order thread's way to one worker.
#[derive(Debug)]
pub(crate) struct Teller {
    permits: Sender<Permit>,
    bell: UnixStream,
    /// Something was told since the bell was rung.
    news: Cell<bool>,
}

/// The same way at the worker.
#[derive(Debug)]
pub(crate) struct Heard {
    permits: Receiver<Permit>,
    bell: UnixStream,
}

/// A way from the order thread to one worker, with room for so many permits.
pub(crate) fn way(room: usize) -> io::Result<(Teller, Heard)> {
    let (sender, receiver) = mpsc::channel(room);
    let (rings, heard) = UnixStream::pair()?;
    rings.set_nonblocking(true)?;
    heard.set_nonblocking(true)?;
    let teller = Teller { permits: sender, bell: rings, news: Cell::new(false) };
    Ok((teller, Heard { permits: receiver, bell: heard }))
}

impl Teller {
    /// A way that is full loses nothing: the cells' own rule goes on.
    pub(super) fn tell(&self, permit: Permit) {
        self.news.set(self.permits.try_send(permit).is_ok() || self.news.get());
    }

    /// Calls the worker to what it was told, if anything.
    pub(super) fn ring(&self) {
        if self.news.replace(false) {
            // Refused only while the worker has heard none of very many.
            let _ = (&self.bell).write(&[0]);
        }
    }
}

impl Heard {
    /// Hands every permit to `take`, for as long as the runtime lives.
    pub(crate) async fn each(self, take: impl Fn(Permit)) -> io::Result<()> {
        // A task that has used up its share is asked to come again by its waker, which this one does not show.
        tokio::task::unconstrained(self.each_unconstrained(take)).await
    }

    async fn each_unconstrained(mut self, take: impl Fn(Permit)) -> io::Result<()> {
        let bell = tokio::net::UnixStream::from_std(self.bell)?;
        // Not the task's: the order thread would wake it through the runtime's lock.
        let mut nobody = Context::from_waker(Waker::noop());
        loop {
            while let Poll::Ready(permit) = self.permits.poll_recv(&mut nobody) {
                match permit {
                    Some(permit) => take(permit),
                    None => return Ok(()),
                }
            }
            bell.readable().await?;
            // Silent again before the permits are looked at: whoever rings after that is heard.
            let _ = bell.try_read(&mut [0; 64]);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::super::Key;
    use super::super::board::Place;
    use super::*;

    const KEY: Key = Key { mirror: 0, cell: 0 };

    fn permit(number: u64) -> Permit {
        Permit { key: KEY, place: Place(number), read: true }
    }

    #[test]
    fn every_event_arrives_in_order_and_the_end_is_seen() {
        let (sender, receiver) = mpsc::channel(4);
        let reader = thread::spawn(move || {
            let mut inbox = Inbox::new(receiver);
            let mut places = Vec::new();
            while let Some(event) = inbox.recv() {
                if let Event::Trail(_, place) = event {
                    places.push(place.0);
                }
            }
            assert!(inbox.next().is_none());
            places
        });
        for number in 0..10_000 {
            while sender.try_send(Event::Trail(KEY, Place(number))).is_err() {
                thread::yield_now();
            }
        }
        drop(sender);
        assert_eq!(reader.join().unwrap(), (0..10_000).collect::<Vec<_>>());
    }

    #[test]
    fn every_permit_that_there_is_room_for_arrives_in_order_and_the_end_is_seen() {
        const LAST: u64 = 10_000;
        let (teller, heard) = way(usize::try_from(LAST).unwrap() + 1).unwrap();
        let sender = thread::spawn(move || {
            for number in 0..=LAST {
                teller.tell(permit(number));
                teller.ring();
            }
        });
        let places = RefCell::new(Vec::new());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().unwrap();
        runtime.block_on(heard.each(|permit| places.borrow_mut().push(permit.place.0))).unwrap();
        sender.join().unwrap();
        assert_eq!(places.into_inner(), (0..=LAST).collect::<Vec<_>>());
    }
}
