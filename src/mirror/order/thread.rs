//! The order thread: decides for all mirrors when queued copies may go, and reads bodies where that is worth it.
//!
//! It runs at lower priority than the workers. When it is behind, copies wait longer; nobody waits for it but they.

use std::collections::HashMap;
use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use config::model::Config;
use remote_write::fingerprint::{Scratch, Seed};
use tokio::sync::mpsc::Sender;

use super::board::Bounds;
use super::queue::{Queue, Reader};
use super::{Event, Key, Permit};
use crate::limits;

/// How often the waits of unread copies are looked at.
const LOOK: Duration = Duration::from_millis(2);
/// Events taken before permits are given again.
const BATCH: usize = 512;
/// Lower than the workers', which have 0.
const NICENESS: i32 = 5;

/// Starts the thread. It ends when nobody is left who could send an event.
pub(crate) fn spawn(
    config: &Config,
    events: Receiver<Event>,
    workers: Vec<Sender<Permit>>,
    started: Instant,
) -> io::Result<JoinHandle<()>> {
    let bounds = config.mirrors.iter().map(|mirror| Bounds {
        max_spread_ms: mirror.max_spread.as_millis() as u64,
        max_fingerprints: limits::ORDER_FINGERPRINTS,
    });
    let bounds = bounds.collect();
    std::thread::Builder::new().name("order".to_owned()).spawn(move || {
        // Best effort: without it the thread merely competes on equal terms.
        let _ = rustix::process::setpriority_process(Some(rustix::thread::gettid()), NICENESS);
        let scratch = Scratch::new(Seed::random(), limits::ORDER_UNCOMPRESSED);
        let thread = Order { bounds, workers, started, queues: HashMap::new(), reader: Reader::new(scratch) };
        thread.run(&events);
    })
}

struct Order {
    /// By mirror.
    bounds: Vec<Bounds>,
    /// By worker.
    workers: Vec<Sender<Permit>>,
    started: Instant,
    /// Tenants with unfinished copies that had to queue.
    queues: HashMap<Key, Queue>,
    reader: Reader,
}

impl Order {
    fn run(mut self, events: &Receiver<Event>) {
        let mut more_to_read = false;
        loop {
            let first = if more_to_read {
                events.try_recv().ok()
            } else if self.queues.values().any(Queue::is_waiting) {
                match events.recv_timeout(LOOK) {
                    Err(RecvTimeoutError::Disconnected) => return,
                    event => event.ok(),
                }
            } else {
                match events.recv() {
                    Err(_) => return,
                    event => event.ok(),
                }
            };
            first.into_iter().chain(events.try_iter().take(BATCH)).for_each(|event| self.take(event));
            self.give_permits();
            more_to_read = self.read();
        }
    }

    fn take(&mut self, event: Event) {
        match event {
            Event::Enter { key, entry, in_flight } => {
                let bounds = self.bounds.get(key.mirror as usize).copied();
                let Some(bounds) = bounds else { return };
                self.queues.entry(key).or_insert_with(|| Queue::new(key, bounds)).enter(entry, in_flight);
            }
            Event::Trail { key, place } => {
                if let Some(queue) = self.queues.get_mut(&key) {
                    queue.trail(place);
                }
            }
            Event::Finish { key, place } => {
                if let Some(queue) = self.queues.get_mut(&key) {
                    queue.finish(place);
                }
            }
        }
    }

    fn give_permits(&mut self) {
        let workers = &self.workers;
        self.queues.retain(|_, queue| {
            queue.permits(|worker, permit| {
                if let Some(worker) = workers.get(worker) {
                    // Its inbox has room for every copy that the mirrors' bounds allow, or the worker has left.
                    let _ = worker.try_send(permit);
                }
            });
            !queue.is_empty()
        });
    }

    /// Reads one body of each queue that is worth it. Returns whether any was read.
    fn read(&mut self) -> bool {
        let now_ms = self.started.elapsed().as_millis() as u64;
        let mut any = false;
        for queue in self.queues.values_mut() {
            any |= queue.read_one(now_ms, &mut self.reader);
        }
        any
    }
}
