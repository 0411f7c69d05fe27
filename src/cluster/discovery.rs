//! From a cluster's endpoints to its members, again and again, with what checks find of them. Runs on the control thread.
//!
//! A failed resolution keeps the last members: a DNS outage must not become an outage of the proxy.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use config::model::{Cluster, Discovery, Dns, Endpoint, EndpointHealth, Host};
use tokio::sync::{mpsc, watch};

use super::health::{Checks, Common};
use super::lookup::{self, Answer};
use super::{Flags, Id, Member, Members};
use crate::limits;
use crate::stats::DiscoveryStats;

/// Longest pause between attempts while a cluster has no member at all.
const RETRY_WITHOUT_ADDRESS: Duration = Duration::from_secs(1);

/// A cluster whose members are wanted.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted<'a> {
    /// In the configuration.
    pub(crate) index: usize,
    pub(crate) cluster: &'a Cluster,
    /// Whether the first answer is waited for.
    pub(crate) awaited: bool,
}

/// Starts discovery of these clusters, each in a task of its own, and waits a moment for the first answers of those that
/// are awaited, with the first checks of what these named. Returns the members in the same order, and whether all of
/// those answered.
pub(crate) async fn start(
    clusters: impl Iterator<Item = Wanted<'_>>,
    common: Common,
) -> (Vec<watch::Receiver<Members>>, bool) {
    let common = Arc::new(common);
    let (done, mut all_done) = mpsc::channel::<()>(1);
    let (ignored, _) = mpsc::channel::<()>(1);
    let mut published = Vec::new();
    for Wanted { index, cluster, awaited } in clusters {
        let (publish, receiver) = watch::channel(Members::from([]));
        published.push(receiver);
        let membership = Membership {
            checks: Checks::new(cluster, index, &common),
            cluster: cluster.clone(),
            index,
            found: Vec::new(),
            publish,
            common: Arc::clone(&common),
            first: Some(if awaited { done.clone() } else { ignored.clone() }),
        };
        tokio::spawn(membership.run());
    }
    drop(done);
    // `recv` ends when every first attempt has dropped its sender.
    let answered = tokio::time::timeout(limits::FIRST_RESOLUTION, all_done.recv()).await.is_ok();
    (published, answered)
}

/// One cluster's members.
#[derive(Debug)]
struct Membership {
    cluster: Cluster,
    /// In the configuration.
    index: usize,
    /// As resolved; what checks know is not in here.
    found: Vec<Member>,
    checks: Option<Checks>,
    publish: watch::Sender<Members>,
    common: Arc<Common>,
    /// Dropped after the first attempt, and the first checks.
    first: Option<mpsc::Sender<()>>,
}

impl Membership {
    /// Publishes the members, for ever if that needs DNS or checks.
    async fn run(mut self) {
        let mut pause = Pause::default();
        let mut failing = false;
        loop {
            let resolved = resolve_all(&self.cluster).await;
            record(&self.cluster.name, &resolved, &mut failing);
            let outcome = match &resolved {
                Ok(found) if found.members.is_empty() => Outcome::Empty,
                Ok(found) => Outcome::Found(found.ttl),
                Err(_) => Outcome::Failed,
            };
            let members = resolved.unwrap_or_default().members;
            let changed = self.take(members);
            if let Some(stats) = self.common.stats(self.index) {
                count(stats, outcome, changed);
            }
            self.publish();
            let next = match &self.cluster.discovery {
                Discovery::Dns(dns) => {
                    Some(pause.next(dns, outcome, !self.found.is_empty(), fastrand::f64()))
                }
                Discovery::Static if self.checks.is_some() => None,
                Discovery::Static => return,
            };
            self.wait(next).await;
        }
    }

    /// Takes what was resolved; true if that changed the members.
    fn take(&mut self, mut members: Vec<Member>) -> bool {
        if members.is_empty() {
            return false;
        }
        if let Some(checks) = self.checks.as_ref().filter(|_| !self.cluster.health.ignore_on_removal) {
            // An endpoint that answers is not given up because DNS does not name it any more.
            let gone = self.found.iter().filter(|old| members.iter().all(|new| new.id != old.id));
            let mut stay: Vec<_> = gone.filter(|old| checks.passes(old.id)).cloned().collect();
            stay.iter_mut().for_each(|member| member.health.leaving = true);
            members.extend(stay);
            members.sort_by_key(|member| member.address);
        }
        let same = self.found.iter().map(lasting).eq(members.iter().map(lasting));
        self.found = members;
        if same {
            return false;
        }
        let addresses: Vec<_> = self.found.iter().map(|member| member.address).collect();
        tracing::info!(cluster = self.cluster.name, ?addresses, "endpoints");
        if let Some(stats) = self.common.stats(self.index) {
            stats.membership_change.inc();
        }
        true
    }

    /// Tells the workers what has changed, if anything has.
    fn publish(&mut self) {
        let mut members = self.found.clone();
        if let Some(checks) = &mut self.checks {
            checks.follow(&mut members);
        }
        if let Some(stats) = self.common.stats(self.index) {
            stats.membership_total.set(members.len() as u64);
            let healthy = members.iter().filter(|member| member.health.is_healthy()).count();
            stats.membership_healthy.set(healthy as u64);
            stats.check_healthy.set(self.checks.as_ref().map_or(0, Checks::passing));
        }
        if self.publish.borrow()[..] != members[..] {
            self.publish.send_replace(members.into());
        }
    }

    /// Waits so long, or for ever, and publishes what the checks find meanwhile.
    async fn wait(&mut self, pause: Option<Duration>) {
        let due = async {
            match pause {
                Some(pause) => tokio::time::sleep(pause).await,
                None => std::future::pending().await,
            }
        };
        tokio::pin!(due);
        loop {
            if self.checks.as_ref().is_none_or(Checks::is_complete) {
                drop(self.first.take());
            }
            let Some(checks) = &mut self.checks else { return due.await };
            tokio::select! {
                () = &mut due => return,
                () = checks.change() => self.publish(),
            }
        }
    }
}

/// A member, whether DNS names it or not.
fn lasting(member: &Member) -> Member {
    let mut member = member.clone();
    member.health.leaving = false;
    member
}

/// How a resolution ended.
#[derive(Debug, Clone, Copy)]
enum Outcome {
    Found(Option<Duration>),
    Empty,
    Failed,
}

fn count(stats: &DiscoveryStats, outcome: Outcome, changed: bool) {
    stats.update_attempt.inc();
    match outcome {
        Outcome::Failed => stats.update_failure.inc(),
        Outcome::Empty => stats.update_empty.inc(),
        Outcome::Found(_) => stats.update_success.inc(),
    }
    if matches!(outcome, Outcome::Found(_)) && !changed {
        stats.update_no_rebuild.inc();
    }
}

/// How long until the next resolution.
#[derive(Debug, Default)]
struct Pause {
    /// Failures in a row.
    failures: u32,
}

impl Pause {
    /// `random` is from 0 to 1.
    fn next(&mut self, dns: &Dns, outcome: Outcome, has_member: bool, random: f64) -> Duration {
        let Outcome::Found(ttl) = outcome else {
            let failures = self.failures;
            self.failures = failures.saturating_add(1);
            return match dns.failure_refresh {
                Some((base, longest)) => {
                    let most = base.saturating_mul(1 << failures.min(20)).min(longest);
                    // Full jitter, as Envoy, but never at once again.
                    most.mul_f64(random).max(base / 2)
                }
                None if has_member => dns.refresh,
                None => dns.refresh.min(RETRY_WITHOUT_ADDRESS),
            };
        };
        self.failures = 0;
        let rate = match ttl.filter(|ttl| dns.respect_ttl && !ttl.is_zero()) {
            Some(ttl) => ttl.max(dns.min_refresh),
            None => dns.refresh,
        };
        rate + dns.jitter.mul_f64(random)
    }
}

/// Says so once when a cluster stops resolving and once when it does again.
fn record(name: &str, resolved: &Result<Found, std::io::Error>, failing: &mut bool) {
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

#[derive(Debug, Default)]
struct Found {
    members: Vec<Member>,
    /// The shortest of all names.
    ttl: Option<Duration>,
}

/// All members of all endpoints, sorted and without repetition. An error only if no endpoint resolved.
async fn resolve_all(cluster: &Cluster) -> Result<Found, std::io::Error> {
    let mut found = Found::default();
    let mut error = None;
    for endpoint in &cluster.endpoints {
        match (&endpoint.host, &cluster.discovery) {
            (Host::Name(name), Discovery::Dns(dns)) => match lookup::addresses(name, dns).await {
                Ok(Answer { addresses, ttl }) => {
                    found.ttl = ttl.into_iter().chain(found.ttl).min();
                    let few = if dns.logical { 1 } else { usize::MAX };
                    let addresses = addresses.into_iter().take(few);
                    found
                        .members
                        .extend(addresses.map(|ip| member(cluster, endpoint, name, ip, dns.logical)));
                }
                Err(e) => error = Some(e),
            },
            (Host::Ip(ip), discovery) => {
                // Where names could stand, an address is its own.
                let (logical, name) = match discovery {
                    Discovery::Static => (false, String::new()),
                    Discovery::Dns(dns) => (dns.logical, ip.to_string()),
                };
                found.members.push(member(cluster, endpoint, &name, *ip, logical));
            }
            // Refused by the configuration.
            (Host::Name(_), Discovery::Static) => {}
        }
    }
    found.members.sort_by_key(|member| member.address);
    found.members.dedup_by_key(|member| member.address);
    match error {
        Some(error) if found.members.is_empty() => Err(error),
        _ => Ok(found),
    }
}

fn member(cluster: &Cluster, endpoint: &Endpoint, name: &str, ip: IpAddr, logical: bool) -> Member {
    let address = SocketAddr::new(ip, endpoint.port);
    let is_checked = cluster.health.check.is_some() && !endpoint.unchecked;
    Member {
        id: if logical { Id::Logical } else { Id::Address(address) },
        address,
        hostname: endpoint.hostname.as_deref().unwrap_or(name).into(),
        weight: endpoint.weight,
        health: Flags {
            configured: endpoint.health == EndpointHealth::Unhealthy,
            checked: false,
            leaving: false,
        },
        check: is_checked.then(|| SocketAddr::new(ip, endpoint.check_port.unwrap_or(endpoint.port))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn the_next_resolution_comes_after_the_rate_or_the_time_to_live() {
        let mut dns = Dns::strict(5 * SECOND);
        let mut pause = Pause::default();
        let mut next = |dns: &Dns, outcome| pause.next(dns, outcome, true, 0.5);
        assert_eq!(next(&dns, Outcome::Found(Some(30 * SECOND))), 5 * SECOND);
        dns.respect_ttl = true;
        assert_eq!(next(&dns, Outcome::Found(Some(30 * SECOND))), 30 * SECOND);
        assert_eq!(next(&dns, Outcome::Found(Some(SECOND / 2))), SECOND);
        assert_eq!(next(&dns, Outcome::Found(None)), 5 * SECOND);
        assert_eq!(next(&dns, Outcome::Failed), 5 * SECOND);
        dns.jitter = 2 * SECOND;
        assert_eq!(next(&dns, Outcome::Found(None)), 6 * SECOND);
    }

    #[test]
    fn failures_back_off_until_a_success() {
        let dns = Dns { failure_refresh: Some((SECOND, 6 * SECOND)), ..Dns::strict(60 * SECOND) };
        let mut pause = Pause::default();
        let mut next = |outcome| pause.next(&dns, outcome, false, 1.0);
        let waits: Vec<_> = (0..5).map(|_| next(Outcome::Failed).as_secs()).collect();
        assert_eq!(waits, [1, 2, 4, 6, 6]);
        assert_eq!(next(Outcome::Found(None)), 60 * SECOND);
        assert_eq!(next(Outcome::Empty), SECOND);
    }

    #[test]
    fn without_a_member_the_next_attempt_is_not_far() {
        let mut pause = Pause::default();
        assert_eq!(pause.next(&Dns::strict(60 * SECOND), Outcome::Failed, false, 1.0), SECOND);
    }
}
