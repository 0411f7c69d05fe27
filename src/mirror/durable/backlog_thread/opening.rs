//! Opening the backlog, and saying what that found or why it fails.

use std::time::{Duration, Instant};

use backlog::fs::RealFs;
use backlog::{Backlog, CheckpointState, OpenError, Options, Recovery};
use config::model::{self, Sync};

/// How often the same trouble is told.
const QUIET: Duration = Duration::from_secs(60);

/// Why the backlog is not open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Closed {
    /// Another process has it, as at an upgrade: copies wait for it.
    Locked,
    /// The disk says no: copies go on without it.
    Unusable,
}

/// Tries to open, and remembers what it has told.
#[derive(Debug, Default)]
pub(super) struct Opening {
    told: Option<(String, Instant)>,
}

impl Opening {
    /// Places from `taken_from` on, if that is set, belong to copies that were handed on without the backlog.
    pub(super) fn try_open(
        &mut self,
        mirror: &str,
        settings: &model::Backlog,
        taken_from: Option<u64>,
    ) -> Result<(Backlog, Recovery), Closed> {
        match Backlog::open(&settings.path, options(mirror, settings), RealFs) {
            Ok((_, recovery)) if taken_from.is_some_and(|taken| taken < recovery.next_place) => {
                self.tell_error(mirror, &format!(
                    "{} was written when the clock was ahead of today's, and cannot be used until the next start",
                    settings.path.display()
                ));
                Err(Closed::Unusable)
            }
            Ok((backlog, recovery)) => {
                tell(mirror, settings, &recovery);
                Ok((backlog, recovery))
            }
            Err(error @ OpenError::Locked { .. }) => {
                if self.is_news(&error.to_string()) {
                    tracing::warn!(mirror, %error, "copies wait in memory until the backlog is free");
                }
                Err(Closed::Locked)
            }
            Err(error) => {
                self.tell_error(mirror, &error.to_string());
                Err(Closed::Unusable)
            }
        }
    }

    fn tell_error(&mut self, mirror: &str, error: &str) {
        if self.is_news(error) {
            tracing::error!(
                mirror,
                error,
                "the backlog cannot be opened, copies are in memory only: they do not survive this process. \
                 Make its directory usable for this process, or name another with backlog.path; \
                 opening is tried again every 10 s"
            );
        }
    }

    fn is_news(&mut self, text: &str) -> bool {
        let told = self.told.as_ref().is_some_and(|(told, at)| told == text && at.elapsed() < QUIET);
        if !told {
            self.told = Some((text.to_owned(), Instant::now()));
        }
        !told
    }
}

fn options(mirror: &str, settings: &model::Backlog) -> Options {
    Options {
        max_bytes: settings.max_bytes,
        max_age: settings.max_age,
        sync: match settings.sync {
            Sync::Always => backlog::Sync::Always,
            Sync::Every(_) => backlog::Sync::Interval,
            Sync::Never => backlog::Sync::Never,
        },
        ..Options::new(mirror)
    }
}

/// One line: quiet where all is well, with every number where something needs attention.
fn tell(mirror: &str, settings: &model::Backlog, recovery: &Recovery) {
    let path = settings.path.display();
    let Recovery { segments, records, payload_bytes, .. } = *recovery;
    if recovery.is_clean() {
        tracing::info!(mirror, %path, copies = records, bytes = payload_bytes, segments, "the backlog is open");
        return;
    }
    tracing::warn!(
        mirror,
        %path,
        copies = records,
        bytes = payload_bytes,
        segments,
        damaged_places = damaged(recovery),
        damaged_headers = recovery.damaged_headers,
        missing_segments = recovery.missing.iter().map(|gap| gap.end() - gap.start() + 1).sum::<u64>(),
        unreadable_segments = recovery.unreadable.len(),
        foreign_files = recovery.foreign.len(),
        checkpoints_ahead = recovery.checkpoint_ahead,
        checkpoint = match recovery.checkpoint {
            CheckpointState::Fresh | CheckpointState::Loaded => "sound",
            CheckpointState::Damaged => "damaged",
            CheckpointState::Lost => "lost",
        },
        durable = recovery.durable,
        "the backlog is open, but not all of it is sound"
    );
}

/// Places that nobody could read, but for the tail that a crash tears off.
pub(super) fn damaged(recovery: &Recovery) -> u64 {
    recovery.damage.iter().filter(|damage| !damage.tail).count() as u64
}
