//! The mirrors as the control thread knows them: durable delivery is started and ended here, and an operator's wishes are
//! passed on.

use std::sync::Arc;

use config::model::Config;
use http::HeaderValue;
use tokio::sync::watch;

use crate::cluster::Addresses;
use crate::mirror::Shared;
use crate::mirror::durable::start::{Durable, Plan};
use crate::mirror::send::pace::Pace;
use crate::stats::Stats;

/// All mirrors, by index.
#[derive(Debug, Default)]
pub(super) struct Running(Vec<Mirror>);

#[derive(Debug)]
struct Mirror {
    pace: Arc<Pace>,
    durable: Option<Durable>,
}

impl Running {
    /// Starts what durable mirrors need, and lets the workers in.
    pub(super) fn start(
        config: &Arc<Config>,
        stats: &Stats,
        addresses: &[watch::Receiver<Addresses>],
        own_address: &HeaderValue,
        shared: &mut [Shared],
    ) -> std::io::Result<Self> {
        let mut running = Vec::new();
        for (index, (mirror, shared)) in config.mirrors.iter().zip(shared).enumerate() {
            let plan = addresses.get(mirror.cluster).map(|addresses| Plan {
                config,
                mirror: index,
                stats,
                addresses: addresses.clone(),
                pace: &shared.pace,
                own_address: own_address.clone(),
            });
            let durable = plan.map(Durable::start).transpose()?.flatten().map(|(durable, gate)| {
                shared.gate = Some(gate);
                durable
            });
            running.push(Mirror { pace: Arc::clone(&shared.pace), durable });
        }
        Ok(Self(running))
    }

    /// How fast each is sent to.
    pub(super) fn paces(&self) -> Vec<Arc<Pace>> {
        self.0.iter().map(|mirror| Arc::clone(&mirror.pace)).collect()
    }

    /// Stops all sending to a mirror, or lets it go on.
    pub(super) fn hold(&self, mirror: usize, held: bool) {
        if let Some(mirror) = self.0.get(mirror) {
            mirror.pace.hold(held);
        }
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
