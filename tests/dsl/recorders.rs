//! Two clusters that record what they get, with the proxy under test between them.

use super::config::Config;
use super::proxy::Proxy;
use super::upstream::{Reply, Upstream};

/// Both clusters, which answer everything with 200, and the proxy.
pub(crate) struct Recorders {
    pub primary: Upstream,
    pub mirror: Upstream,
    pub proxy: Proxy,
}

impl Recorders {
    /// On Envoy's form of the file, with these flags.
    pub(crate) async fn start(flags: &[&str]) -> Self {
        let primary = Upstream::answering(Reply::ok()).await;
        let mirror = Upstream::answering(Reply::ok()).await;
        let config = Config::envoy().primary(primary.address()).mirror("secondary", mirror.address());
        let proxy = Proxy::launch_with(&config, flags).await;
        Self { primary, mirror, proxy }
    }
}
