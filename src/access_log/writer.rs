//! The log thread: it alone writes access logs.
//!
//! Lines arrive over one bounded channel and are gathered for each file; a file is written when enough has come, or
//! when the flush interval has passed. A file that cannot be written loses what was gathered, which is counted; the
//! process goes on.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use config::model::LogSink;

use crate::limits;
use crate::stats::files::FileStats;

/// When gathered lines are written.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Flush {
    /// At the latest after this long.
    pub(crate) interval: Duration,
    /// At once, when there are so many bytes.
    pub(crate) bytes: usize,
}

#[derive(Debug)]
enum Message {
    Line { file: usize, bytes: Vec<u8> },
    Reopen,
    Stop,
}

/// A worker's way to one file.
#[derive(Debug, Clone)]
pub(crate) struct Handle {
    file: usize,
    sender: SyncSender<Message>,
    stats: Arc<FileStats>,
}

impl Handle {
    /// Never waits: where there is no room, the line is dropped and counted.
    pub(crate) fn send(&self, bytes: Vec<u8>) {
        let len = bytes.len() as u64;
        if !self.stats.reserve(len) {
            self.stats.count_dropped();
        } else if self.sender.try_send(Message::Line { file: self.file, bytes }).is_err() {
            self.stats.release(len);
            self.stats.count_dropped();
        }
    }
}

/// Gives out handles; cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Opened {
    files: Arc<HashMap<PathBuf, usize>>,
    sender: SyncSender<Message>,
    stats: Arc<FileStats>,
}

impl Opened {
    /// A handle to one of the sinks that were opened.
    pub(crate) fn handle(&self, sink: &LogSink) -> Option<Handle> {
        let file = *self.files.get(&super::path(sink))?;
        Some(Handle { file, sender: self.sender.clone(), stats: Arc::clone(&self.stats) })
    }

    /// Opens every file again, which a rotation has moved away.
    pub(crate) fn reopen(&self) {
        // A full channel is emptied all the time; what it means to fail here is that the thread is gone.
        let _ = self.sender.send(Message::Reopen);
    }
}

/// The thread, with what leads to it.
#[derive(Debug)]
pub(crate) struct Writer {
    opened: Opened,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    /// Opens every sink and starts the thread, if there is any sink.
    pub(crate) fn start<'s>(
        sinks: impl Iterator<Item = &'s LogSink>,
        flush: Flush,
        stats: &Arc<FileStats>,
    ) -> io::Result<Self> {
        let mut files = HashMap::new();
        let mut logs = Vec::new();
        for sink in sinks {
            let path = super::path(sink);
            if !files.contains_key(&path) {
                files.insert(path.clone(), logs.len());
                logs.push(Log::open(path)?);
            }
        }
        let (sender, inbox) = sync_channel(limits::LOG_LINES);
        let opened = Opened { files: Arc::new(files), sender, stats: Arc::clone(stats) };
        let stats = Arc::clone(stats);
        let start = || {
            let thread = Thread { logs, inbox, flush, stats, flushed: Instant::now() };
            std::thread::Builder::new().name("access-log".to_owned()).spawn(move || thread.run())
        };
        let thread = if opened.files.is_empty() { None } else { Some(start()?) };
        Ok(Self { opened, thread })
    }

    pub(crate) fn opened(&self) -> &Opened {
        &self.opened
    }

    /// Writes what has come so far and ends the thread.
    pub(crate) fn stop(&mut self) {
        if let Some(thread) = self.thread.take() {
            let _ = self.opened.sender.send(Message::Stop);
            // A panic has been reported by the thread itself.
            let _ = thread.join();
        }
    }
}

#[derive(Debug)]
struct Log {
    path: PathBuf,
    file: File,
    gathered: Vec<u8>,
    /// The last write failed, which was logged.
    failing: bool,
}

impl Log {
    fn open(path: PathBuf) -> io::Result<Self> {
        let file = open(&path).map_err(|error| {
            io::Error::new(error.kind(), format!("unable to open file '{}': {error}", path.display()))
        })?;
        Ok(Self { path, file, gathered: Vec::new(), failing: false })
    }

    fn write(&mut self, stats: &FileStats) {
        if self.gathered.is_empty() {
            return;
        }
        let written = self.file.write_all(&self.gathered);
        match &written {
            Ok(()) => stats.write_completed.inc(),
            Err(error) => {
                stats.write_failed.inc();
                if !self.failing {
                    tracing::error!(path = %self.path.display(), %error, "an access log cannot be written; its lines are lost");
                }
            }
        }
        self.failing = written.is_err();
        stats.release(self.gathered.len() as u64);
        self.gathered.clear();
        // A burst's buffer is not kept.
        self.gathered.shrink_to(limits::LOG_BUFFER_KEPT);
    }

    fn reopen(&mut self, stats: &FileStats) {
        self.write(stats);
        match open(&self.path) {
            Ok(file) => self.file = file,
            Err(error) => {
                stats.reopen_failed.inc();
                tracing::error!(path = %self.path.display(), %error, "an access log cannot be opened again; lines go on to where it was moved");
            }
        }
    }
}

/// Standard output and error are the process' own: opening them anew fails where they are sockets.
fn open(path: &Path) -> io::Result<File> {
    use std::os::fd::AsFd;
    let own = match path.to_str() {
        Some("/dev/stdout" | "/proc/self/fd/1") => io::stdout().as_fd().try_clone_to_owned(),
        Some("/dev/stderr" | "/proc/self/fd/2") => io::stderr().as_fd().try_clone_to_owned(),
        _ => return File::options().create(true).append(true).open(path),
    };
    own.map(File::from)
}

struct Thread {
    logs: Vec<Log>,
    inbox: Receiver<Message>,
    flush: Flush,
    stats: Arc<FileStats>,
    flushed: Instant,
}

impl Thread {
    fn run(mut self) {
        loop {
            let due = self.flush.interval.saturating_sub(self.flushed.elapsed());
            match self.inbox.recv_timeout(due) {
                Ok(Message::Line { file, bytes }) => self.gather(file, &bytes),
                Ok(Message::Reopen) => self.logs.iter_mut().for_each(|log| log.reopen(&self.stats)),
                Err(RecvTimeoutError::Timeout) => {}
                Ok(Message::Stop) | Err(RecvTimeoutError::Disconnected) => break,
            }
            if self.flushed.elapsed() >= self.flush.interval {
                self.stats.flushed_by_timer.add(self.logs.len() as u64);
                self.write_all();
                self.flushed = Instant::now();
            }
        }
        self.write_all();
    }

    fn gather(&mut self, file: usize, bytes: &[u8]) {
        let Some(log) = self.logs.get_mut(file) else { return };
        self.stats.write_buffered.inc();
        log.gathered.extend_from_slice(bytes);
        if log.gathered.len() >= self.flush.bytes {
            log.write(&self.stats);
        }
    }

    fn write_all(&mut self) {
        self.logs.iter_mut().for_each(|log| log.write(&self.stats));
    }
}
