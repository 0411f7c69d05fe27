//! A thread on a real directory, with the test in the place of workers and delivery thread.

use std::path::PathBuf;
use std::sync::mpsc::{self, Sender};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::sync::mpsc::UnboundedReceiver;

use super::super::*;
use crate::mirror::budget::{Budget, Held};
use crate::mirror::durable::message::Arrived;
use crate::mirror::durable::record;
use crate::mirror::order::{By, Protocol, Wire};
use crate::paths::Kind;

/// No test comes near it unless it fails.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);

/// A directory that goes with the test.
pub(super) struct Folder(pub(super) PathBuf);

impl Folder {
    pub(super) fn new(test: &str) -> Self {
        let path = std::env::temp_dir().join(format!("mimir-mirror-thread-{}-{test}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(super) fn settings(&self) -> model::Backlog {
        model::Backlog::with_defaults(self.0.join("backlog"))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A running thread, with the test in the place of workers and delivery thread.
pub(super) struct Running {
    pub(super) inbox: Sender<ToBacklog>,
    pub(super) delivery: UnboundedReceiver<ToDelivery>,
    pub(super) in_flight: Arc<InFlight>,
    pub(super) stats: Arc<BacklogStats>,
    pub(super) thread: JoinHandle<()>,
    pub(super) budgets: (Arc<Budget>, Arc<Budget>),
    pub(super) runtime: tokio::runtime::Runtime,
}

pub(super) fn start(settings: model::Backlog, first_place: u64) -> Running {
    let (inbox, receiver) = mpsc::channel();
    #[allow(clippy::disallowed_methods, reason = "as bounded as the test")]
    let (sender, delivery) = tokio::sync::mpsc::unbounded_channel();
    let (in_flight, stats) = (Arc::new(InFlight::default()), Arc::new(BacklogStats::default()));
    let soon = Duration::from_millis(5);
    let parts = Parts {
        mirror: "secondary".to_owned(),
        settings,
        first_place,
        inbox: receiver,
        delivery: sender,
        in_flight: Arc::clone(&in_flight),
        stats: Arc::clone(&stats),
        pace: Pace { tick: soon, locked: soon, unusable: soon },
        waits: false,
    };
    let thread = spawn(parts).unwrap();
    let budgets = (Arc::new(Budget::new(1 << 30)), Arc::new(Budget::new(1 << 20)));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    Running { inbox, delivery, in_flight, stats, thread, budgets, runtime }
}

pub(super) fn body(place: u64, size: usize) -> Vec<u8> {
    (0..size).map(|at| (place as usize * 31 + at) as u8).collect()
}

impl Running {
    pub(super) fn send(&self, message: ToBacklog) {
        self.inbox.send(message).expect("the thread runs");
    }

    pub(super) fn copy(&self, place: u64, size: usize) {
        self.copy_with(place, size, |_| {});
    }

    /// A copy whose body came in two pieces.
    pub(super) fn copy_with(&self, place: u64, size: usize, change: impl FnOnce(&mut Arrived)) {
        let body = body(place, size);
        let (first, second) = body.split_at(size / 3);
        let chunks = [&b"head"[..], first, second, b"end"].map(Bytes::copy_from_slice).to_vec();
        let mut arrived = Arrived {
            place,
            tenant: 7,
            arrived: Instant::now(),
            arrived_ms: even_unix_ms(),
            stored: Bytes::from(format!("stored {place} ")),
            wire: Arc::new(Wire { chunks, body_chunks: 2, content_type: None, content_encoding: None }),
            kind: Kind::Write,
            by: By::Series(Protocol::RemoteWrite),
            timeout: Duration::from_secs(1),
            held: Held::take(&self.budgets.0, size as u64, &self.budgets.1).unwrap(),
            saved: None,
        };
        change(&mut arrived);
        self.send(ToBacklog::Copy(Box::new(arrived)));
    }

    /// The next message but for the echo of what is done.
    pub(super) fn next(&mut self) -> ToDelivery {
        loop {
            let next = async { tokio::time::timeout(PATIENCE, self.delivery.recv()).await };
            let message = self.runtime.block_on(next).expect("a message in time").expect("the thread runs");
            if !matches!(message, ToDelivery::Forgotten(_)) {
                return message;
            }
        }
    }

    /// The next message, as a word or two.
    pub(super) fn heard(&mut self) -> String {
        match self.next() {
            ToDelivery::Recovered(recovered) => {
                format!("recovered {} below {}", recovered.copies, recovered.end)
            }
            ToDelivery::Copy(copy, true) => format!("copy {}", copy.place),
            ToDelivery::Copy(copy, false) => format!("unsaved {}", copy.place),
            ToDelivery::OnDisk { place, .. } => format!("on disk {place}"),
            ToDelivery::Saved(places) => format!("saved {places:?}"),
            ToDelivery::Trail(place) => format!("trail {place}"),
            ToDelivery::Read(_) => "read".to_owned(),
            ToDelivery::Expired(places, why) => format!("expired {places:?} {why:?}"),
            ToDelivery::Forgotten(_) => unreachable!("left out above"),
            ToDelivery::Leave => "leave".to_owned(),
        }
    }

    pub(super) fn expect(&mut self, messages: &[&str]) {
        for message in messages {
            assert_eq!(self.heard(), *message);
        }
    }

    pub(super) fn read(&mut self, message: ToBacklog) -> Found {
        self.send(message);
        match self.next() {
            ToDelivery::Read(found) => found,
            other => panic!("{other:?}"),
        }
    }

    /// Places in the backlog, whose payloads must be those of [`Running::copy`].
    pub(super) fn kept(&mut self) -> Vec<u64> {
        let found = self.read(ToBacklog::ReadFrom(0, u64::MAX));
        assert_eq!((&found.damaged, &found.unreadable, found.next), (&vec![], &vec![], None));
        found.records.iter().map(checked).collect()
    }

    pub(super) fn wait_until(&self, what: &str, condition: impl Fn(&BacklogStats) -> bool) {
        let since = Instant::now();
        while !condition(&self.stats) {
            assert!(since.elapsed() < PATIENCE, "{what}: {:?}", self.stats);
            std::thread::yield_now();
        }
    }

    pub(super) fn close(self) {
        self.send(ToBacklog::Close);
        self.thread.join().expect("no panic");
        assert_eq!(self.stats.open.get(), 0);
    }
}

pub(super) fn checked(record: &backlog::Record) -> u64 {
    let place = record.position.place;
    let stored = format!("stored {place} ").into_bytes();
    let size = record.payload.len() - stored.len();
    assert!(record.payload == [stored, body(place, size)].concat(), "the bytes of {place}");
    assert_eq!((record.tenant, record.kind), (7, record::KIND));
    place
}
