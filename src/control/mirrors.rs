//! The mirrors as the control thread knows them: durable delivery is started and ended here, and an operator's wishes are
//! passed on.

use std::sync::Arc;

use config::model::Config;
use http::HeaderValue;
use tokio::sync::watch;

use crate::access_log::writer::Opened;
use crate::cluster::Members;
use crate::mirror::Shared;
use crate::mirror::durable::start::{Durable, Plan};
use crate::mirror::send::pace::Pace;
use crate::stats::Stats;
use crate::tls::Materials;

/// All mirrors, by index.
#[derive(Debug, Default)]
pub(super) struct Running(Vec<Mirror>);

#[derive(Debug)]
struct Mirror {
    name: String,
    pace: Arc<Pace>,
    durable: Option<Durable>,
    /// An operator wants nothing sent.
    paused: bool,
    /// The process before this one still has copies for it.
    after_another: bool,
}

/// What durable delivery finds in place, as the workers do.
pub(super) struct Around<'a> {
    /// By cluster.
    pub(super) addresses: &'a [watch::Receiver<Members>],
    pub(super) tls: &'a watch::Receiver<Arc<Materials>>,
    pub(super) own_address: &'a HeaderValue,
    pub(super) logs: &'a Opened,
}

impl Mirror {
    fn settle(&self) {
        self.pace.hold(self.paused || self.after_another);
    }
}

impl Running {
    /// Starts what durable mirrors need, and lets the workers in. Of the mirrors in `awaited` the process before this one
    /// has earlier copies: nothing is sent to them until [`Self::release`].
    pub(super) fn start(
        config: &Arc<Config>,
        stats: &Stats,
        around: Around<'_>,
        shared: &mut [Shared],
        awaited: &[String],
    ) -> std::io::Result<Self> {
        let Around { addresses, tls, own_address, logs } = around;
        let mut running = Vec::new();
        for (index, (mirror, shared)) in config.mirrors.iter().zip(shared).enumerate() {
            let after_another = awaited.contains(&mirror.name);
            let plan = addresses.get(mirror.cluster).map(|addresses| Plan {
                config,
                mirror: index,
                stats,
                addresses: addresses.clone(),
                tls: tls.clone(),
                pace: &shared.pace,
                own_address: own_address.clone(),
                logs: Some(logs),
                waits: after_another,
            });
            let durable = plan.map(Durable::start).transpose()?.flatten().map(|(durable, gate)| {
                shared.gate = Some(gate);
                durable
            });
            let mirror = Mirror {
                name: mirror.name.clone(),
                pace: Arc::clone(&shared.pace),
                durable,
                paused: false,
                after_another,
            };
            mirror.settle();
            running.push(mirror);
        }
        Ok(Self(running))
    }

    /// How fast each is sent to.
    pub(super) fn paces(&self) -> Vec<Arc<Pace>> {
        self.0.iter().map(|mirror| Arc::clone(&mirror.pace)).collect()
    }

    /// Stops all sending to a mirror, or lets it go on.
    pub(super) fn hold(&mut self, mirror: usize, held: bool) {
        if let Some(mirror) = self.0.get_mut(mirror) {
            mirror.paused = held;
            mirror.settle();
        }
    }

    /// The process before this one has no copies for this mirror any more, or for any. Returns the mirrors that waited.
    pub(super) fn release(&mut self, name: Option<&str>) -> Vec<String> {
        let chosen =
            |mirror: &&mut Mirror| mirror.after_another && name.is_none_or(|name| name == mirror.name);
        let released = self.0.iter_mut().filter(chosen).map(|mirror| {
            mirror.after_another = false;
            mirror.settle();
            mirror.durable.iter().for_each(Durable::free);
            mirror.name.clone()
        });
        released.collect()
    }

    /// Whether one before this one may still have copies for a mirror.
    pub(super) fn waits(&self) -> bool {
        self.0.iter().any(|mirror| mirror.after_another)
    }

    /// No worker has clients any more: gives the backlogs free. Blocks for about half a second.
    pub(super) fn leave_backlogs(&mut self) {
        self.0.iter_mut().filter_map(|mirror| mirror.durable.take()).for_each(Durable::leave);
    }

    /// Lets go of all copies that wait for a mirror.
    pub(super) fn skip(&self, mirror: usize) {
        let Some(mirror) = self.0.get(mirror) else { return };
        mirror.pace.skip();
        if let Some(durable) = &mirror.durable {
            durable.skip();
        }
    }

    /// The workers have ended: ends durable delivery. Blocks for about half a second.
    pub(super) fn leave(self) {
        self.0.into_iter().filter_map(|mirror| mirror.durable).for_each(Durable::leave);
    }
}
