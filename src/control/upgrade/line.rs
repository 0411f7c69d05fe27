//! The place of this process in its line: what it takes from the one before, and the door for the one after.

use std::sync::Arc;
use std::time::Duration;

use config::model::Config;
use tokio::sync::{mpsc, watch};

use super::address::{Address, Bound};
use super::door::{self, Offer, Successor};
use super::successor::{self, News, Predecessor};
use crate::cli::HotRestart;
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
    door: Option<Bound>,
    predecessor: Option<Predecessor>,
    sockets: successor::Sockets,
}

impl Line {
    /// Takes the sockets of the process before this one, if its epoch says that there is one.
    ///
    /// # Errors
    /// When the operator wants to be able to upgrade and that is not possible.
    pub(in crate::control) async fn join(flags: &HotRestart) -> anyhow::Result<Self> {
        let first =
            Generation { followed: false, epoch: flags.epoch(), number: 1, first_start_ms: unix_ms() };
        let mut line = Self { generation: first, door: None, predecessor: None, sockets: Vec::new() };
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
        line.door = Some(bound);
        line.generation.followed = true;
        let own = address(flags, base_id);
        let inherited = successor::inherit(&own, flags.skip_hot_restart_on_no_parent).await?;
        if let Some((sockets, predecessor)) = inherited {
            tracing::info!(sockets = sockets.len(), "taking over from the process before this one");
            line.generation.number = predecessor.generation.saturating_add(1);
            line.generation.first_start_ms = predecessor.first_start_ms;
            (line.sockets, line.predecessor) = (sockets, Some(predecessor));
        }
        Ok(line)
    }

    /// Sockets that others have bound: the process before this one, or systemd.
    pub(in crate::control) fn sockets(&mut self) -> anyhow::Result<successor::Sockets> {
        let mut passed = std::mem::take(&mut self.sockets);
        passed.extend(sockets::from_systemd()?);
        Ok(passed)
    }

    /// Lets the next process come, from now on.
    pub(in crate::control) fn open_door(
        &mut self,
        config: &Arc<Config>,
        sockets: &Sockets,
        stop: &watch::Receiver<bool>,
    ) -> std::io::Result<mpsc::Receiver<Successor>> {
        let (successors, heard) = mpsc::channel(1);
        if let Some(bound) = self.door.take() {
            let offer = Offer {
                sockets: sockets.copies(config)?,
                mirrors: config.mirrors.iter().map(|mirror| mirror.name.clone()).collect(),
                generation: self.generation,
            };
            tokio::spawn(door::open(bound, offer, stop.clone(), successors));
        }
        Ok(heard)
    }

    /// Mirrors that the process before this one has earlier copies for.
    pub(in crate::control) fn awaited(&self) -> &[String] {
        self.predecessor.as_ref().map_or(&[], |predecessor| &predecessor.mirrors)
    }

    /// This process accepts: the one before it may go. What it says comes through the channel.
    pub(in crate::control) async fn take_over(self, longest: Duration) -> (bool, mpsc::Receiver<News>) {
        let (news, heard) = mpsc::channel(NEWS);
        let took_over = self.predecessor.is_some();
        if let Some(predecessor) = self.predecessor {
            predecessor.dismiss(longest).await;
            tokio::spawn(predecessor.follow(news));
        }
        (took_over, heard)
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
