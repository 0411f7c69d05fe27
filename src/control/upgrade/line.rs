//! The place in a line of processes and their configurations: what is taken from the one before, and the door for the
//! one after.

use std::sync::Arc;
use std::time::Duration;

use config::model::Config;
use tokio::sync::{mpsc, watch};

use super::address::{Address, Bound};
use super::channel::Channel;
use super::door::{self, Doorway, Offer, Successor};
use super::successor::{self, News, Predecessor};
use crate::cli::HotRestart;
use crate::control::reload::Way;
use crate::control::sockets::{self, Sockets};
use crate::lifecycle::Generation;
use crate::stats::mirror::unix_ms;

/// Base ids that are tried when any will do.
const TRIES: u32 = 100;
/// News of the old process that may wait to be heard.
const NEWS: usize = 64;

/// See the module.
#[derive(Debug)]
pub(in crate::control) struct Line {
    pub(in crate::control) generation: Generation,
    /// Where the next process comes to.
    door: Option<Arc<Bound>>,
    predecessor: Option<Predecessor>,
    /// That is another configuration of this process.
    within: bool,
    sockets: successor::Sockets,
}

/// Who was before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::control) enum Before {
    Nobody,
    Process,
    /// Another configuration of this process.
    Configuration,
}

impl Before {
    /// For the log.
    pub(in crate::control) fn name(self) -> &'static str {
        match self {
            Self::Nobody | Self::Process => "process",
            Self::Configuration => "configuration",
        }
    }
}

impl Line {
    /// Takes the sockets of the process before this one, if its epoch says that there is one.
    ///
    /// # Errors
    /// When the operator wants to be able to upgrade and that is not possible.
    pub(in crate::control) async fn join(flags: &HotRestart) -> anyhow::Result<Self> {
        let first =
            Generation { followed: false, epoch: flags.epoch(), number: 1, first_start_ms: unix_ms() };
        let mut line =
            Self { generation: first, door: None, predecessor: None, within: false, sockets: Vec::new() };
        if flags.disable_hot_restart {
            return Ok(line);
        }
        let (base_id, bound) = match bind(flags) {
            Ok(bound) => bound,
            Err(error) if flags.is_wanted() => return Err(error),
            Err(error) => {
                tracing::info!(%error, "another process has this base id; no process can take over from this one");
                return Ok(line);
            }
        };
        if let Some(path) = &flags.base_id_path
            && let Err(error) = std::fs::write(path, base_id.to_string())
        {
            tracing::error!(path = %path.display(), %error, "cannot write the base id to the file");
        }
        line.door = Some(Arc::new(bound));
        line.generation.followed = true;
        let own = address(flags, base_id);
        let inherited = successor::inherit(&own, flags.skip_hot_restart_on_no_parent).await?;
        if let Some((sockets, predecessor)) = inherited {
            tracing::info!(sockets = sockets.len(), "taking over from the process before this one");
            line.follow(sockets, predecessor);
        }
        Ok(line)
    }

    /// Takes the sockets of the configuration in force, of this same process.
    ///
    /// # Errors
    /// When it ends meanwhile.
    pub(in crate::control) async fn within(flags: &HotRestart, way: Way) -> anyhow::Result<Self> {
        let (here, doorway) = way;
        let (sockets, predecessor) = successor::take(Channel::new(here)?).await?;
        let door = doorway.bound;
        let generation =
            Generation { followed: door.is_some(), epoch: flags.epoch(), number: 1, first_start_ms: 0 };
        let mut line = Self { generation, door, predecessor: None, within: true, sockets: Vec::new() };
        line.follow(sockets, predecessor);
        Ok(line)
    }

    fn follow(&mut self, sockets: successor::Sockets, predecessor: Predecessor) {
        self.generation.number = predecessor.generation.saturating_add(1);
        self.generation.first_start_ms = predecessor.first_start_ms;
        (self.sockets, self.predecessor) = (sockets, Some(predecessor));
    }

    /// Who was before.
    pub(in crate::control) fn before(&self) -> Before {
        match (&self.predecessor, self.within) {
            (None, _) => Before::Nobody,
            (Some(_), false) => Before::Process,
            (Some(_), true) => Before::Configuration,
        }
    }

    /// Sockets that others have bound: the one before, or systemd, whose are taken once in the life of the process.
    pub(in crate::control) fn sockets(&mut self) -> anyhow::Result<successor::Sockets> {
        let mut passed = std::mem::take(&mut self.sockets);
        if !self.within {
            passed.extend(sockets::from_systemd()?);
        }
        Ok(passed)
    }

    /// Lets the next one come, from now on.
    pub(in crate::control) fn open_door(
        &mut self,
        config: &Arc<Config>,
        sockets: &Sockets,
        stop: &watch::Receiver<bool>,
    ) -> std::io::Result<(Doorway, mpsc::Receiver<Successor>)> {
        let offer = Offer {
            sockets: sockets.copies(config)?,
            mirrors: config.mirrors.iter().map(|mirror| mirror.name.clone()).collect(),
            generation: self.generation,
        };
        door::open(self.door.take(), offer, stop.clone())
    }

    /// Mirrors that the process before this one has earlier copies for.
    pub(in crate::control) fn awaited(&self) -> &[String] {
        self.predecessor.as_ref().map_or(&[], |predecessor| &predecessor.mirrors)
    }

    /// This one accepts: the one before may go. What that says comes through the channel.
    pub(in crate::control) async fn take_over(self, longest: Duration) -> mpsc::Receiver<News> {
        let (news, heard) = mpsc::channel(NEWS);
        if let Some(predecessor) = self.predecessor {
            predecessor.dismiss(longest).await;
            tokio::spawn(predecessor.follow(news));
        }
        heard
    }
}

fn address(flags: &HotRestart, base_id: u32) -> Address {
    Address::new(&flags.socket_path, base_id, flags.epoch(), flags.socket_mode)
}

/// The base id, and the door that it names.
fn bind(flags: &HotRestart) -> anyhow::Result<(u32, Bound)> {
    if !flags.use_dynamic_base_id {
        let base_id = flags.base_id.unwrap_or_default();
        return Ok((base_id, address(flags, base_id).bind()?));
    }
    for _ in 0..TRIES {
        let base_id = fastrand::u32(1..1 << 28);
        if let Ok(bound) = address(flags, base_id).bind() {
            return Ok((base_id, bound));
        }
    }
    anyhow::bail!("no free base id was found; is --socket-path in a directory that can be written to?")
}
