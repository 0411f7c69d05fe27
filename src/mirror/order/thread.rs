//! The order thread: reads which series copies carry, where copies have waited for long, and lets go what may go.
//!
//! It runs at the lowest priority. When it is behind, the cells' own rule goes on alone: nobody waits for this thread.

use std::collections::HashMap;
use std::io;
use std::thread::JoinHandle;

use remote_write::fingerprint::{Scratch, Seed};
use tokio::sync::mpsc::Receiver;

use super::Event;
use super::crossing::{Inbox, Teller};
use super::queue::Reader;
use super::queues::Queues;
use crate::limits;

/// Events taken before permits are given again.
const BATCH: usize = 512;
/// The workers' is 0, the lowest is 19.
const NICENESS: i32 = 19;

/// Starts the thread. It ends when nobody is left who could send an event.
pub(crate) fn spawn(events: Receiver<Event>, workers: Vec<Teller>) -> io::Result<JoinHandle<()>> {
    std::thread::Builder::new().name("order".to_owned()).spawn(move || {
        // Best effort: without it the thread merely competes on equal terms.
        let _ = rustix::process::setpriority_process(Some(rustix::thread::gettid()), NICENESS);
        let scratch = Scratch::new(Seed::random(), limits::ORDER_UNCOMPRESSED);
        Order { workers, mirrors: HashMap::new(), reader: Reader::new(scratch) }.run(Inbox::new(events));
    })
}

struct Order {
    /// By worker. One that is full loses nothing: the cells' own rule goes on.
    workers: Vec<Teller>,
    /// By index: those where copies have waited for long at some time.
    mirrors: HashMap<u32, Queues>,
    reader: Reader,
}

impl Order {
    fn run(mut self, mut events: Inbox) {
        let mut more_to_read = false;
        loop {
            if !more_to_read {
                let Some(event) = events.recv() else { return };
                self.take(event);
            }
            std::iter::from_fn(|| events.next()).take(BATCH).for_each(|event| self.take(event));
            more_to_read = self.read();
            self.give_permits();
        }
    }

    fn take(&mut self, event: Event) {
        self.mirrors.entry(event.key().mirror).or_default().take(event);
    }

    /// Reads one body of each tenant. Returns whether any was read: if not, only an event can change that.
    fn read(&mut self) -> bool {
        let mut any = false;
        for queues in self.mirrors.values_mut() {
            any |= queues.read(&mut self.reader);
        }
        any
    }

    fn give_permits(&mut self) {
        for queues in self.mirrors.values_mut() {
            queues.permits(|worker, permit| {
                if let Some(worker) = self.workers.get(worker) {
                    worker.tell(permit);
                }
            });
        }
        self.workers.iter().for_each(Teller::ring);
    }
}
