//! Begins a reload: reads the configuration and starts a generation on it, on a thread of its own.

use std::os::fd::OwnedFd;
use std::sync::Arc;

use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};

use super::Generations;
use crate::control::upgrade::door::Doorway;
use crate::control::{self, notify};

/// Starts the next generation, if one is wanted and may be started now. `doorway` leads to the sockets of the one in
/// force; nothing where they are closed, or will be.
pub(in crate::control) fn begin(generations: &Arc<Generations>, doorway: Option<&Doorway>) {
    if !generations.may_begin() {
        return;
    }
    notify::reloading();
    let Some(doorway) = doorway.cloned() else {
        return refuse(generations, &anyhow::anyhow!("the listeners are closed"));
    };
    let next = Arc::clone(generations);
    let started = std::thread::Builder::new().name("control".to_owned()).spawn(move || {
        if let Err(error) = run(&next, doorway) {
            refuse(&next, &error);
        }
    });
    if let Err(error) = started {
        refuse(generations, &error.into());
    }
}

/// Ends when the generation does.
fn run(generations: &Arc<Generations>, doorway: Doorway) -> anyhow::Result<()> {
    generations.renew_watch();
    let config = generations.flags.load()?;
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let (there, here) = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)?;
    doorway.enter(there)?;
    control::run_generation(config, generations, Some((here, doorway)))
}

/// The new generation's end of the connection to the one in force, and the way to it.
pub(in crate::control) type Way = (OwnedFd, Doorway);

fn refuse(generations: &Generations, error: &anyhow::Error) {
    generations.reloads.count_refused();
    generations.started();
    let origin = generations.flags.origin();
    tracing::error!("configuration '{origin}' is refused, and the one before stays in force: {error:#}");
    notify::ready(false);
}
