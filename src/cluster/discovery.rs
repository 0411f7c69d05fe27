//! From a cluster's endpoints to addresses, again and again. Runs on the control thread.
//!
//! Names go to the system's resolver (getaddrinfo), which reads `/etc/hosts`, the search domains and their changes
//! as every other program on the machine does. A failed resolution keeps the last addresses: a DNS outage must not
//! become an outage of the proxy.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use config::model::{Cluster, Discovery, Host, LookupFamily};
use tokio::sync::{mpsc, watch};

use super::Addresses;
use crate::limits;
use crate::stats::ControlStats;

/// Longest pause between attempts while a cluster has no address at all.
const RETRY_WITHOUT_ADDRESS: Duration = Duration::from_secs(1);

/// A cluster whose addresses are wanted.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted<'a> {
    /// In the configuration.
    pub(crate) index: usize,
    pub(crate) cluster: &'a Cluster,
    /// Whether the first answer is waited for.
    pub(crate) awaited: bool,
}

/// Starts discovery of these clusters, each in a task of its own, and waits a moment for the first answers of those that
/// are awaited. Returns the addresses in the same order, and whether all of those answered.
pub(crate) async fn start(
    clusters: impl Iterator<Item = Wanted<'_>>,
    stats: &Arc<ControlStats>,
) -> (Vec<watch::Receiver<Addresses>>, bool) {
    let (done, mut all_done) = mpsc::channel::<()>(1);
    let (ignored, _) = mpsc::channel::<()>(1);
    let mut published = Vec::new();
    for Wanted { index, cluster, awaited } in clusters {
        let (publish, receiver) = watch::channel(Addresses::from([]));
        published.push(receiver);
        let first = if awaited { done.clone() } else { ignored.clone() };
        tokio::spawn(run(cluster.clone(), index, publish, Arc::clone(stats), first));
    }
    drop(done);
    // `recv` ends when every first attempt has dropped its sender.
    let answered = tokio::time::timeout(limits::FIRST_RESOLUTION, all_done.recv()).await.is_ok();
    (published, answered)
}

/// Publishes the addresses of cluster `index`, for ever if it needs DNS. `first` is dropped after the first attempt.
async fn run(
    cluster: Cluster,
    index: usize,
    publish: watch::Sender<Addresses>,
    stats: Arc<ControlStats>,
    first: mpsc::Sender<()>,
) {
    let mut first = Some(first);
    let mut failing = false;
    loop {
        let resolved = resolve_all(&cluster).await;
        record(&cluster.name, &resolved, &mut failing);
        if let Some(stats) = stats.clusters.get(index) {
            stats.update_attempt.inc();
            match &resolved {
                Ok(addresses) if addresses.is_empty() => stats.update_empty.inc(),
                Ok(_) => stats.update_success.inc(),
                Err(_) => stats.update_failure.inc(),
            }
        }
        let addresses = resolved.unwrap_or_default();
        let changed = !addresses.is_empty() && publish.borrow()[..] != addresses[..];
        if changed {
            tracing::info!(cluster = cluster.name, ?addresses, "endpoints");
            if let Some(stats) = stats.clusters.get(index) {
                stats.membership_change.inc();
                stats.membership_total.set(addresses.len() as u64);
            }
            publish.send_replace(addresses.into());
        }
        drop(first.take());
        let Discovery::StrictDns { refresh, .. } = cluster.discovery else { return };
        let has_address = !publish.borrow().is_empty();
        tokio::time::sleep(if has_address { refresh } else { refresh.min(RETRY_WITHOUT_ADDRESS) }).await;
    }
}

/// Says so once when a cluster stops resolving and once when it does again.
fn record(name: &str, resolved: &Result<Vec<SocketAddr>, std::io::Error>, failing: &mut bool) {
    match resolved {
        Err(error) if !*failing => {
            tracing::warn!(cluster = name, %error, "cannot resolve; the last known addresses stay in use");
            *failing = true;
        }
        Ok(_) if *failing => {
            tracing::info!(cluster = name, "resolves again");
            *failing = false;
        }
        _ => {}
    }
}

/// All addresses of all endpoints, sorted and without repetition. An error only if no endpoint resolved.
async fn resolve_all(cluster: &Cluster) -> Result<Vec<SocketAddr>, std::io::Error> {
    let mut addresses = Vec::new();
    let mut error = None;
    for endpoint in &cluster.endpoints {
        match &endpoint.host {
            Host::Ip(ip) => addresses.push(SocketAddr::new(*ip, endpoint.port)),
            Host::Name(name) => match tokio::net::lookup_host((name.as_str(), endpoint.port)).await {
                Ok(found) => addresses.extend(of_family(found.collect(), cluster.discovery)),
                Err(e) => error = Some(e),
            },
        }
    }
    addresses.sort_unstable();
    addresses.dedup();
    match error {
        Some(error) if addresses.is_empty() => Err(error),
        _ => Ok(addresses),
    }
}

/// What `dns_lookup_family` leaves of a name's addresses.
fn of_family(found: Vec<SocketAddr>, discovery: Discovery) -> Vec<SocketAddr> {
    let Discovery::StrictDns { family, .. } = discovery else { return found };
    let (v4, v6): (Vec<_>, Vec<_>) = found.into_iter().partition(|address| is_v4(address.ip()));
    match family {
        LookupFamily::V4Only => v4,
        LookupFamily::V6Only => v6,
        LookupFamily::Auto if v6.is_empty() => v4,
        LookupFamily::Auto => v6,
        LookupFamily::V4Preferred if v4.is_empty() => v6,
        LookupFamily::V4Preferred => v4,
        LookupFamily::All => [v4, v6].concat(),
    }
}

fn is_v4(ip: IpAddr) -> bool {
    ip.to_canonical().is_ipv4()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_are_chosen_as_envoy_does() {
        let found: Vec<SocketAddr> = vec!["127.0.0.1:1".parse().unwrap(), "[::1]:1".parse().unwrap()];
        let chosen = |family, found: &[SocketAddr]| {
            let discovery = Discovery::StrictDns { refresh: Duration::from_secs(5), family };
            of_family(found.to_vec(), discovery)
        };
        assert_eq!(chosen(LookupFamily::V4Only, &found), found[..1]);
        assert_eq!(chosen(LookupFamily::Auto, &found), found[1..]);
        assert_eq!(chosen(LookupFamily::Auto, &found[..1]), found[..1]);
        assert_eq!(chosen(LookupFamily::V4Preferred, &found[1..]), found[1..]);
        assert_eq!(chosen(LookupFamily::All, &found), found);
    }
}
