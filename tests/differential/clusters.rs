//! Clusters: names and their servers, and which endpoint is next.

use crate::dsl::dns::DnsServer;
use crate::dsl::{Client, Reply, Request, until};

use super::file::File;
use super::run::Run;
use super::scenario::Scenario;
use super::server::Server;

impl Server for DnsServer {
    fn address(&self) -> std::net::SocketAddr {
        Self::address(self)
    }

    fn messages(&self) -> Vec<crate::dsl::http1::Message> {
        Vec::new()
    }
}

const TYPE: &str = "type.googleapis.com/envoy.extensions";

/// An endpoint at this server's port, with further entries.
fn endpoint(host: &str, server: &str, entries: &str) -> String {
    format!(
        "{{ {entries} endpoint: {{ address: {{ socket_address: {{ address: {host}, port_value: <{server}> }} }} }} }}"
    )
}

fn assignment(endpoints: &[String]) -> String {
    format!(
        "load_assignment: {{ cluster_name: primary, endpoints: [{{ lb_endpoints: [{}] }}] }}",
        endpoints.join(", ")
    )
}

/// No copies, and a primary with these entries and endpoints.
fn file(entries: &str, endpoints: &[String]) -> File {
    File::new().policies("[]").cluster("primary", entries).cluster("primary", &assignment(endpoints))
}

/// `named.test` is 127.0.0.1, by a server of the scenario's.
async fn names() -> DnsServer {
    DnsServer::start().await.with("named.test", &[1], 30)
}

fn scenario_of_names(entries: &str) -> Scenario {
    let entries = entries.replace("SERVER", "{ socket_address: { address: 127.0.0.1, port_value: <dns> } }");
    Scenario::of(file(&entries, &[endpoint("named.test", "primary", "")])).server("dns", |_| names())
}

/// The cluster has one endpoint, and it is used.
async fn one_endpoint(run: &mut Run) {
    run.stat("cluster.primary.membership_total", 1).await;
    run.exchange("a request", &Request::get("/x"), &["primary"]).await;
}

#[tokio::test]
async fn dns_cluster() {
    let resolver = format!(
        "typed_dns_resolver_config: {{ name: r, typed_config: {{ \"@type\": \
         {TYPE}.network.dns_resolver.cares.v3.CaresDnsResolverConfig, resolvers: [SERVER] }} }}"
    );
    let fields = "dns_refresh_rate: 5s, dns_failure_refresh_rate: { base_interval: 0.1s, max_interval: 1s }, \
                  respect_dns_ttl: true, dns_jitter: 0.1s, dns_min_refresh_rate: 2s, dns_lookup_family: V4_ONLY";
    let kind = format!(
        "cluster_type: {{ name: dns, typed_config: {{ \"@type\": {TYPE}.clusters.dns.v3.DnsCluster, {fields}, {resolver} }} }}"
    );
    scenario_of_names(&kind)
        .run(async |run| {
            one_endpoint(run).await;
            run.stat("cluster.primary.update_success", 1).await;
        })
        .await;
}

#[tokio::test]
async fn dns_servers() {
    let entries = "type: STRICT_DNS, dns_resolvers: [SERVER], dns_lookup_family: V4_ONLY, respect_dns_ttl: true, \
                   dns_jitter: 0.1s, dns_failure_refresh_rate: { base_interval: 1s }";
    scenario_of_names(entries).run(one_endpoint).await;
}

#[tokio::test]
async fn dns_over_tcp() {
    let entries = "type: STRICT_DNS, dns_resolvers: [SERVER], dns_lookup_family: V4_ONLY, use_tcp_for_dns_lookups: true";
    scenario_of_names(entries).run(one_endpoint).await;
}

/// The oldest spelling of them.
#[tokio::test]
async fn dns_resolution_config() {
    let entries = "type: STRICT_DNS, dns_lookup_family: V4_ONLY, dns_resolution_config: { resolvers: [SERVER], \
                   dns_resolver_options: { use_tcp_for_dns_lookups: true, no_default_search_domain: true } }";
    scenario_of_names(entries).run(one_endpoint).await;
}

/// A name with two addresses is one endpoint.
#[tokio::test]
async fn logical_dns() {
    let kind = format!(
        "cluster_type: {{ name: dns, typed_config: {{ \"@type\": {TYPE}.clusters.dns.v3.DnsCluster, \
         all_addresses_in_single_endpoint: true, dns_lookup_family: V4_ONLY, typed_dns_resolver_config: {{ name: r, \
         typed_config: {{ \"@type\": {TYPE}.network.dns_resolver.cares.v3.CaresDnsResolverConfig, resolvers: [{{ \
         socket_address: {{ address: 127.0.0.1, port_value: <dns> }} }}] }} }} }} }}"
    );
    Scenario::of(file(&kind, &[endpoint("two.test", "primary", "")]))
        .server("dns", |_| async { DnsServer::start().await.with("two.test", &[1, 2], 30) })
        .run(one_endpoint)
        .await;
}

/// The older spelling of the type, and of getaddrinfo.
#[tokio::test]
async fn logical_dns_of_the_system() {
    let entries = format!(
        "type: LOGICAL_DNS, dns_lookup_family: V4_ONLY, typed_dns_resolver_config: {{ name: g, typed_config: {{ \
         \"@type\": {TYPE}.network.dns_resolver.getaddrinfo.v3.GetAddrInfoDnsResolverConfig }} }}"
    );
    Scenario::of(file(&entries, &[endpoint("localhost", "primary", "")])).run(one_endpoint).await;
}

/// Four requests at once, on as many connections: two for each endpoint, however many workers there are.
#[tokio::test]
async fn least_request() {
    let entries = "lb_policy: LEAST_REQUEST, least_request_lb_config: { choice_count: 100 }";
    let both = [endpoint("127.0.0.1", "primary", ""), endpoint("127.0.0.1", "second", "")];
    Scenario::of(file(entries, &both))
        .gated("primary", |gate| Reply::ok().behind(gate))
        .gated("second", |gate| Reply::ok().behind(gate))
        .run(async |run| {
            let mut clients: Vec<Client> = Vec::new();
            for n in 1..=4 {
                let mut client = run.client().await;
                client.send(Request::get("/x").bytes()).await;
                clients.push(client);
                let begun = || run.servers.iter().map(|s| s.server.messages().len()).sum::<usize>();
                until("the request at an endpoint", async || (begun() >= n).then_some(())).await;
            }
            run.gate.open();
            for mut client in clients {
                assert_eq!(client.answer().await.status(), 200);
            }
            for step in ["first", "second"] {
                run.arrived(step, &["primary", "second"]).await;
            }
        })
        .await;
}

/// One in three, over any whole number of rounds.
#[tokio::test]
async fn weights() {
    let endpoints = [
        endpoint("127.0.0.1", "primary", "load_balancing_weight: 1,"),
        endpoint("127.0.0.1", "second", "load_balancing_weight: 2,"),
    ];
    Scenario::of(file("lb_policy: ROUND_ROBIN", &endpoints))
        .upstream("second", |_| Reply::ok())
        .run(async |run| {
            let mut client = run.client().await;
            for _ in 0..12 {
                assert_eq!(client.exchange(&Request::get("/x")).await.status(), 200);
            }
            for n in 1..=4 {
                run.arrived(&format!("round {n}"), &["primary", "second"]).await;
                run.arrived(&format!("round {n}, again"), &["second"]).await;
            }
        })
        .await;
}

fn one_of_three() -> [String; 3] {
    let sick = "health_status: UNHEALTHY,";
    [
        endpoint("127.0.0.1", "primary", "health_status: HEALTHY,"),
        endpoint("127.0.0.1", "second", sick),
        endpoint("127.0.0.1", "third", sick),
    ]
}

#[tokio::test]
async fn health_status() {
    let entries = "lb_policy: RANDOM, common_lb_config: { healthy_panic_threshold: { value: 0 }, update_merge_window: 1s }";
    Scenario::of(file(entries, &one_of_three()))
        .upstream("second", |_| Reply::ok())
        .upstream("third", |_| Reply::ok())
        .run(async |run| {
            run.stat("cluster.primary.membership_total", 3).await;
            run.stat("cluster.primary.membership_healthy", 1).await;
            for step in ["one", "two", "three", "four", "five", "six"] {
                run.exchange(step, &Request::get("/x"), &["primary"]).await;
            }
            run.stat("cluster.primary.lb_healthy_panic", 0).await;
        })
        .await;
}

/// With less than half of them healthy, all are used.
#[tokio::test]
async fn panic_threshold() {
    Scenario::of(file("", &one_of_three()))
        .upstream("second", |_| Reply::ok())
        .upstream("third", |_| Reply::ok())
        .run(async |run| {
            let mut client = run.client().await;
            for _ in 0..3 {
                assert_eq!(client.exchange(&Request::get("/x")).await.status(), 200);
            }
            run.arrived("each in turn", &["primary", "second", "third"]).await;
            run.stat("cluster.primary.lb_healthy_panic", 3).await;
        })
        .await;
}

#[tokio::test]
async fn no_healthy_endpoint() {
    let sick = [endpoint("127.0.0.1", "primary", "health_status: DRAINING,")];
    let none = "common_lb_config: { healthy_panic_threshold: {} }";
    Scenario::of(file(none, &sick))
        .run(async |run| {
            run.exchange("a request", &Request::get("/x"), &[]).await;
            run.stat("cluster.primary.upstream_cx_none_healthy", 1).await;
        })
        .await;
}

#[tokio::test]
async fn typed_policy() {
    let policy = |name: &str| {
        format!(
            "{{ typed_extension_config: {{ name: p, typed_config: {{ \"@type\": {TYPE}.load_balancing_policies.{name} }} }} }}"
        )
    };
    let entries = format!(
        "load_balancing_policy: {{ policies: [{}, {}] }}",
        policy("random.v3.Random"),
        policy("round_robin.v3.RoundRobin")
    );
    Scenario::of(file(&entries, &[endpoint("127.0.0.1", "primary", "")]))
        .run(async |run| {
            run.exchange("a request", &Request::get("/x"), &["primary"]).await;
        })
        .await;
}

/// What `/clusters` says of an endpoint once it has answered.
#[tokio::test]
async fn endpoint_numbers() {
    let named = "{ endpoint: { hostname: shown.example, address: { socket_address: { address: 127.0.0.1, port_value: \
                 <primary> } } } }";
    Scenario::of(file("", &[named.to_owned()]))
        .replies("primary", &[Reply::ok(), Reply::new(404, ""), Reply::new(503, "")])
        .run(async |run| {
            for step in ["one", "two", "three"] {
                run.exchange(step, &Request::get("/x"), &["primary"]).await;
            }
            run.stat("cluster.primary.upstream_rq_503", 1).await;
            let text = run.proxy.admin_get("/clusters").await.text();
            for number in [
                "cx_connect_fail",
                "rq_active",
                "rq_error",
                "rq_success",
                "rq_timeout",
                "rq_total",
                "hostname",
            ] {
                let key = format!("::{number}::");
                let line = text.lines().find(|line| line.starts_with("primary::127") && line.contains(&key));
                run.note(number, line.and_then(|line| line.rsplit("::").next()).unwrap_or("(absent)"));
            }
        })
        .await;
}

/// The older field of the watermark's timeout is taken: what it cures cannot happen.
#[tokio::test]
async fn watermark_timeout() {
    let file = File::new().cluster("mirror", "per_connection_buffer_high_watermark_timeout: 2s");
    Scenario::of(file)
        .run(async |run| {
            run.exchange("a write", &Request::push("x"), &super::BOTH).await;
        })
        .await;
}

/// They bound what a mirror is sent; what one write needs is within the bounds of both.
#[tokio::test]
async fn circuit_breakers() {
    let thresholds = "circuit_breakers: { thresholds: [{ max_connections: 1, max_pending_requests: 10, max_requests: 10, \
                      max_retries: 1, track_remaining: true }, { priority: HIGH, max_requests: 1 }] }";
    Scenario::of(File::new().cluster("mirror", thresholds).cluster("primary", thresholds))
        .not_convertible(
            "what a mirror is bounded by becomes its own settings, which win over the thresholds",
        )
        .run(async |run| {
            run.exchange("a write", &Request::push("x"), &super::BOTH).await;
        })
        .await;
}
