//! A [`View`] for tests: one listener, a primary and a mirror, two workers.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use config::model::{
    Action, ClientHttp, Cluster, Config, Conventions, CopyHost, Discovery, Dns, Domain, Endpoint, Forward,
    Fraction, HeaderMutation, Host, HttpManager, Listener, LookupFamily, Mirror, MirrorPolicy, Node,
    PathMatch, Requests, Route, RouteMatch, TargetRules, VirtualHost,
};
use http::{HeaderName, HeaderValue};
use tokio::sync::{mpsc, watch};

use super::{Command, View};
use crate::cluster::{Id, Member};
use crate::lifecycle::{Generation, Lifecycle};
use crate::mirror::ledger::Ledger;
use crate::mirror::send::pace::Pace;
use crate::stats::Stats;
use crate::stats::mirror::Outcome;

/// What no answer may contain.
pub(crate) const SECRET: &str = "c2VjcmV0";

/// A view, with the other ends of its channels.
pub(crate) struct Fixture {
    pub(crate) view: View,
    pub(crate) commands: mpsc::Receiver<Command>,
}

impl Fixture {
    /// Replaces the configuration, with fresh counters.
    pub(crate) fn reconfigure(&mut self, config: Config) {
        self.view.stats = stats(&config);
        self.view.paces = paces(&config);
        self.view.breakers = vec![None; config.clusters.len()];
        self.view.config = Arc::new(config);
    }
}

/// Nothing has happened yet; the listeners are open.
pub(crate) fn new() -> Fixture {
    let config = config();
    let (send, commands) = mpsc::channel(2);
    let lifecycle = Lifecycle::default();
    lifecycle.set_live();
    let mut secondary = Member::at("10.0.0.7:8081");
    secondary.hostname = Arc::from("secondary.example");
    let members = [Member::at("127.0.0.1:8080"), secondary];
    let endpoints = members.map(|member| watch::channel(Arc::from([member])).1).into();
    let view = View {
        stats: stats(&config),
        paces: paces(&config),
        breakers: vec![None; config.clusters.len()],
        config: Arc::new(config),
        lifecycle: Arc::new(lifecycle),
        endpoints,
        materials: watch::channel(Arc::default()).1,
        certificates: watch::channel(Arc::from([])).1,
        listening: vec!["127.0.0.1:9900".parse().unwrap()],
        books: Arc::default(),
        watch: Arc::default(),
        options: serde_json::json!({"concurrency": 2}),
        tags: Vec::new(),
        loggers: crate::log::Loggers::silent(),
        reloads: Arc::default(),
        generation: Generation { followed: true, epoch: 2, number: 3, first_start_ms: 0 },
        commands: send,
    };
    Fixture { view, commands }
}

/// Four requests, of which one got a 503; five copies, of which two are still pending.
pub(crate) fn busy() -> Fixture {
    let fixture = new();
    let stats = &fixture.view.stats;
    stats.control.listeners[0].accepted.add(7);
    stats.control.clusters[0].membership_total.set(1);
    stats.control.clusters[0].membership_healthy.set(1);
    for (worker, statuses) in stats.workers.iter().zip([[200, 200], [200, 503]]) {
        for status in statuses {
            worker.http[0].rq_total.inc();
            worker.http[0].rq_completed.inc();
            worker.http[0].rq_by_class[usize::from(status / 100 - 1)].inc();
            worker.clusters[0].rq_total.inc();
            let host = worker.clusters[0].hosts.of(Id::Address("127.0.0.1:8080".parse().unwrap()));
            host.rq_total.inc();
            if status < 500 {
                host.rq_success.inc()
            } else {
                host.rq_error.inc()
            }
            worker.clusters[0].external.count(status);
            worker.clusters[0].external.time.record(Duration::from_millis(4));
        }
        worker.clusters[1].internal.count(204);
        worker.clusters[1].hosts.of(Id::Address("10.0.0.7:8081".parse().unwrap())).rq_success.inc();
        worker.mirrors[0].duration.record(Duration::from_millis(20));
    }
    stats.workers[0].mirrors[0].lag_ms.set(1500);
    stats.workers[1].mirrors[0].lag_ms.set(20);
    let ledger = Rc::new(Ledger::new(Arc::clone(&stats.workers[0]), 0).unwrap());
    for outcome in [Outcome::Delivered, Outcome::Delivered, Outcome::FailedServerError] {
        ledger.receive().finish(outcome);
    }
    // Still pending: forgetting the tokens keeps their places.
    std::mem::forget([ledger.receive(), ledger.receive()]);
    fixture
}

fn stats(config: &Config) -> Arc<Stats> {
    Arc::new(Stats::new(config, 2))
}

fn paces(config: &Config) -> Vec<Arc<Pace>> {
    config.mirrors.iter().map(|mirror| Pace::new(mirror.max_connections)).collect()
}

fn config() -> Config {
    let secret = |scheme: &str| HeaderValue::from_str(&format!("{scheme} {SECRET}")).unwrap();
    let mirror = Mirror {
        auth: Some(secret("Basic")),
        ..Mirror::with_defaults("a \"quoted\" name".to_owned(), 1, Requests::Writes)
    };
    let policy = MirrorPolicy {
        mirror: 0,
        fraction: Fraction { numerator: 25, denominator: 10_000 },
        host: CopyHost::Literal(HeaderValue::from_static("secondary.example")),
        headers: vec![
            HeaderMutation::Set(HeaderName::from_static("x-token"), secret("Bearer")),
            HeaderMutation::Remove(HeaderName::from_static("cookie")),
        ],
    };
    let route = Route {
        name: String::new(),
        matches: RouteMatch::of(PathMatch::Prefix("/".to_owned())),
        action: Action::Forward(Box::new(Forward::to(0, Some(Duration::from_secs(15)), vec![policy]))),
        headers: Arc::default(),
        levels: vec![],
    };
    Config {
        origin: "test.yaml".to_owned(),
        node: Node {
            id: "n1".to_owned(),
            cluster: "c1".to_owned(),
            zone: "z1".to_owned(),
            ..Node::default()
        },
        process: config::model::Process::default(),
        admin: None,
        listeners: vec![listener(route)],
        clusters: clusters(),
        mirrors: vec![mirror],
        warnings: vec![],
        document: serde_json::json!({"listen": "127.0.0.1:9900"}),
    }
}

fn listener(route: Route) -> Listener {
    let host = VirtualHost {
        name: "all".to_owned(),
        domains: vec![Domain::Any],
        routes: vec![route],
        headers: Arc::default(),
    };
    Listener {
        name: "ingress".to_owned(),
        address: "127.0.0.1:0".parse().unwrap(),
        socket: config::model::ListenerSocket::default(),
        tls: None,
        http: HttpManager {
            stat_prefix: "ingress".to_owned(),
            conventions: Conventions::None,
            route_config: "local".to_owned(),
            virtual_hosts: vec![host],
            headers: Arc::default(),
            most_specific_headers_win: false,
            access_logs: vec![],
            stream_idle_timeout: Some(Duration::from_secs(300)),
            request_timeout: None,
            request_headers_timeout: None,
            idle_timeout: Some(Duration::from_secs(3600)),
            max_request_headers_kb: 60,
            protocols: ClientHttp::default(),
            targets: TargetRules::default(),
        },
    }
}

fn clusters() -> Vec<Cluster> {
    let primary = Endpoint::new(Host::Ip("127.0.0.1".parse().unwrap()), 8080);
    let mirror = Endpoint::new(Host::Name("secondary.example".to_owned()), 8081);
    let dns = Dns { family: LookupFamily::V4Only, ..Dns::strict(Duration::from_secs(5)) };
    let second = Duration::from_secs(1);
    vec![
        Cluster::new("primary".to_owned(), Discovery::Static, vec![primary], 5 * second),
        Cluster::new("mirror_a".to_owned(), Discovery::Dns(dns), vec![mirror], second / 4),
    ]
}
