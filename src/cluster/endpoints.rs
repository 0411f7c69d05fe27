//! One worker's view of a cluster's members: which can be used, and which is next.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use config::model::{Balancing, Cluster};
use tokio::sync::watch;

use super::balancer::Balancer;
use super::{Host, Members};
use crate::stats::WorkerStats;

/// See the module.
#[derive(Debug)]
pub(crate) struct Endpoints {
    /// Index of the cluster.
    cluster: usize,
    policy: Balancing,
    /// In per cent.
    panic_threshold: u8,
    close_on_failure: bool,
    stats: Arc<WorkerStats>,
    now: RefCell<Now>,
}

#[derive(Debug)]
struct Now {
    members: Vec<Rc<Host>>,
    /// Those that requests go to: the healthy ones, or in a panic all.
    usable: Vec<Rc<Host>>,
    panics: bool,
    balancer: Balancer,
}

impl Endpoints {
    /// Takes every change that the control thread publishes, until the publisher ends.
    pub(crate) fn follow(
        index: usize,
        cluster: &Cluster,
        stats: &Arc<WorkerStats>,
        published: &watch::Receiver<Members>,
    ) -> Rc<Self> {
        let mut published = published.clone();
        let members = Arc::clone(&published.borrow_and_update());
        let endpoints = Self::new(index, cluster, stats, &members);
        let following = Rc::clone(&endpoints);
        tokio::task::spawn_local(async move {
            while published.changed().await.is_ok() {
                let members = Arc::clone(&published.borrow_and_update());
                following.update(&members);
            }
        });
        endpoints
    }

    pub(super) fn new(
        index: usize,
        cluster: &Cluster,
        stats: &Arc<WorkerStats>,
        members: &Members,
    ) -> Rc<Self> {
        let policy = cluster.balancing;
        let balancer = Balancer::new(policy, &[], fastrand::Rng::new());
        let now = Now { members: Vec::new(), usable: Vec::new(), panics: false, balancer };
        let endpoints = Rc::new(Self {
            cluster: index,
            policy,
            panic_threshold: cluster.health.panic_threshold,
            close_on_failure: cluster.health.close_on_failure,
            stats: Arc::clone(stats),
            now: RefCell::new(now),
        });
        endpoints.update(members);
        endpoints
    }

    fn update(&self, members: &Members) {
        let mut now = self.now.borrow_mut();
        let Some(stats) = self.stats.clusters.get(self.cluster) else { return };
        let hosts: Vec<Rc<Host>> = members
            .iter()
            .map(|member| match now.members.iter().find(|host| host.id == member.id) {
                Some(host) if host.weight == member.weight => {
                    host.update(member);
                    Rc::clone(host)
                }
                _ => Host::new(member, stats.hosts.of(member.id)),
            })
            .collect();
        let healthy: Vec<_> = hosts.iter().filter(|host| host.is_healthy()).cloned().collect();
        // In whole per cents, as Envoy counts them.
        let share = (100 * healthy.len()).checked_div(hosts.len()).unwrap_or(100);
        let panics = share < usize::from(self.panic_threshold);
        let usable = if panics { hosts.clone() } else { healthy };
        let same = usable.len() == now.usable.len()
            && usable.iter().zip(&now.usable).all(|(new, old)| Rc::ptr_eq(new, old));
        if !same {
            let weights: Vec<u32> = usable.iter().map(|host| host.weight).collect();
            now.balancer = Balancer::new(self.policy, &weights, fastrand::Rng::new());
        }
        now.members = hosts;
        now.usable = usable;
        now.panics = panics;
        drop(now);
        stats.hosts.forget_unused();
    }

    /// The next endpoint by the cluster's policy; `None` while it has none that can be used.
    pub(crate) fn pick(&self) -> Option<Rc<Host>> {
        let now = self.now.borrow();
        let active = |index: usize| now.usable.get(index).map_or(0, |host| host.stats.rq_active.get());
        let index = now.balancer.next(active)?;
        if now.panics
            && let Some(stats) = self.stats.clusters.get(self.cluster)
        {
            stats.lb_healthy_panic.inc();
        }
        now.usable.get(index).cloned()
    }

    /// Whether connections to it are worth keeping.
    pub(crate) fn keeps(&self, host: &Rc<Host>) -> bool {
        let is_member = self.now.borrow().members.iter().any(|member| Rc::ptr_eq(member, host));
        is_member && (!self.close_on_failure || host.is_healthy())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use config::model::{Config, Discovery};

    use super::*;
    use crate::cluster::{Flags, Id, Member};

    fn cluster(panic_threshold: u8) -> Cluster {
        let mut cluster = Cluster::new("a".to_owned(), Discovery::Static, Vec::new(), Duration::from_secs(1));
        cluster.health.panic_threshold = panic_threshold;
        cluster
    }

    fn endpoints(cluster: &Cluster, members: &[Member]) -> Rc<Endpoints> {
        let config = Config {
            origin: String::new(),
            node: config::model::Node::default(),
            process: config::model::Process::default(),
            admin: None,
            listeners: Vec::new(),
            clusters: vec![cluster.clone()],
            mirrors: Vec::new(),
            warnings: Vec::new(),
            document: serde_json::Value::Null,
        };
        Endpoints::new(0, cluster, &Arc::new(WorkerStats::new(&config)), &members.into())
    }

    fn failed(address: &str) -> Member {
        Member { health: Flags { checked: true, ..Flags::default() }, ..Member::at(address) }
    }

    fn ports(endpoints: &Endpoints, n: usize) -> Vec<u16> {
        let mut ports: Vec<_> =
            (0..n).filter_map(|_| endpoints.pick()).map(|host| host.address().port()).collect();
        ports.sort_unstable();
        ports
    }

    #[test]
    fn addresses_take_turns_and_none_is_none() {
        let two = endpoints(&cluster(50), &[Member::at("127.0.0.1:1"), Member::at("127.0.0.1:2")]);
        assert_eq!(ports(&two, 4), [1, 1, 2, 2]);
        assert!(endpoints(&cluster(50), &[]).pick().is_none());
    }

    #[test]
    fn the_unhealthy_are_left_out_until_too_few_are_healthy() {
        let members = [Member::at("127.0.0.1:1"), failed("127.0.0.1:2"), failed("127.0.0.1:3")];
        let panic = |endpoints: &Endpoints| endpoints.stats.clusters[0].lb_healthy_panic.get();
        let half = endpoints(&cluster(50), &members[..2]);
        assert_eq!((ports(&half, 4), panic(&half)), (vec![1; 4], 0));
        let third = endpoints(&cluster(50), &members);
        assert_eq!((ports(&third, 3), panic(&third)), (vec![1, 2, 3], 3));
        let never = endpoints(&cluster(0), &members);
        assert_eq!((ports(&never, 3), panic(&never)), (vec![1; 3], 0));
        assert!(endpoints(&cluster(0), &members[1..]).pick().is_none());
    }

    #[test]
    fn a_logical_member_keeps_its_connections_when_its_address_changes() {
        let logical = |address: &str| Member { id: Id::Logical, ..Member::at(address) };
        let endpoints = endpoints(&cluster(50), &[logical("127.0.0.1:1")]);
        let before = endpoints.pick().unwrap();
        endpoints.update(&[logical("127.0.0.2:1")].as_slice().into());
        let after = endpoints.pick().unwrap();
        assert!(Rc::ptr_eq(&before, &after) && endpoints.keeps(&before));
        assert_eq!(after.address(), "127.0.0.2:1".parse().unwrap());
    }

    #[test]
    fn a_member_that_leaves_takes_its_numbers_along() {
        let endpoints = endpoints(&cluster(50), &[Member::at("127.0.0.1:1")]);
        let host = endpoints.pick().unwrap();
        endpoints.update(&[Member::at("127.0.0.1:2")].as_slice().into());
        assert!(!endpoints.keeps(&host));
        let ids = || {
            endpoints.stats.clusters[0].hosts.read(|all| all.iter().map(|(id, _)| *id).collect::<Vec<_>>())
        };
        // As long as a connection holds it.
        assert_eq!(ids().len(), 2);
        drop(host);
        endpoints.update(&[Member::at("127.0.0.1:2")].as_slice().into());
        assert_eq!(ids(), [Id::Address("127.0.0.1:2".parse().unwrap())]);
    }
}
