//! The order thread: reads which series copies carry, where copies have waited for long, and lets go what may go.
//!
//! It runs at the lowest priority. When it is behind, the cells' own rule goes on alone: nobody waits for this thread.

use std::collections::HashMap;
use std::io;
use std::thread::JoinHandle;

use remote_write::fingerprint::{Scratch, Seed};
use tokio::sync::mpsc::Receiver;

use super::board::Bounds;
use super::crossing::{Inbox, Teller};
use super::queue::{Queue, Reader};
use super::{Event, Key};
use crate::limits;

/// Events taken before permits are given again.
const BATCH: usize = 512;
/// The workers' is 0, the lowest is 19.
const NICENESS: i32 = 19;
/// Copies wait in memory for minutes at most (`max_age`), far below half a TSDB block: their arrival times need no
/// bound of their own.
const BOUNDS: Bounds = Bounds { max_spread_ms: u64::MAX, max_fingerprints: limits::ORDER_FINGERPRINTS };

/// Starts the thread. It ends when nobody is left who could send an event.
pub(crate) fn spawn(events: Receiver<Event>, workers: Vec<Teller>) -> io::Result<JoinHandle<()>> {
    std::thread::Builder::new().name("order".to_owned()).spawn(move || {
        // Best effort: without it the thread merely competes on equal terms.
        let _ = rustix::process::setpriority_process(Some(rustix::thread::gettid()), NICENESS);
        let scratch = Scratch::new(Seed::random(), limits::ORDER_UNCOMPRESSED);
        Order { workers, queues: HashMap::new(), reader: Reader::new(scratch) }.run(Inbox::new(events));
    })
}

struct Order {
    /// By worker. One that is full loses nothing: the cells' own rule goes on.
    workers: Vec<Teller>,
    /// Tenants whose copies have waited for long.
    queues: HashMap<Key, Queue>,
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
        match event {
            Event::Enter(key, entry) => {
                self.queues.entry(key).or_insert_with(|| Queue::new(key, BOUNDS)).enter(entry);
            }
            Event::Trail(key, place) => {
                if let Some(queue) = self.queues.get_mut(&key) {
                    queue.trail(place);
                }
            }
            Event::Finish(key, place) => {
                if let Some(queue) = self.queues.get_mut(&key) {
                    queue.finish(place);
                }
            }
            Event::Forget(key) => drop(self.queues.remove(&key)),
        }
    }

    /// Reads one body of each queue. Returns whether any was read.
    fn read(&mut self) -> bool {
        let mut any = false;
        for queue in self.queues.values_mut() {
            any |= queue.read_one(&mut self.reader);
        }
        any
    }

    fn give_permits(&mut self) {
        for queue in self.queues.values_mut() {
            queue.permits(|worker, permit| {
                if let Some(worker) = self.workers.get(worker) {
                    worker.tell(permit);
                }
            });
        }
        self.workers.iter().for_each(Teller::ring);
    }
}
