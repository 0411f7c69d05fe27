//! Health checks of endpoints: what is asked, who is left out, and who comes back.
//!
//! Checks go to a server of their own, `checks`, so that requests and checks do not mix; with a long interval there is
//! one.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::dsl::dns::DnsServer;
use crate::dsl::fault::Fault;
use crate::dsl::tls::Authority;
use crate::dsl::tls_server::{Showing, TlsUpstream};
use crate::dsl::{Reply, Request, Upstream};

use super::file::File;
use super::run::Run;
use super::scenario::Scenario;

const NEVER_PANIC: &str = "common_lb_config: { healthy_panic_threshold: { value: 0 } }";
/// One check in the time of a scenario.
const ONCE: &str = "timeout: 5s, interval: 60s, unhealthy_threshold: 2, healthy_threshold: 2";
/// Many.
const OFTEN: &str =
    "timeout: 30s, interval: 0.05s, no_traffic_interval: 0.05s, unhealthy_threshold: 2, healthy_threshold: 2";
const READY: &str = "http_health_check: { path: /ready }";

/// An endpoint at this server's port, checked as `config` says.
fn endpoint(server: &str, config: &str) -> String {
    format!(
        "{{ endpoint: {{ address: {{ socket_address: {{ address: 127.0.0.1, port_value: <{server}> }} }}, \
         health_check_config: {{ {config} }} }} }}"
    )
}

/// One endpoint, checked at the server of checks.
fn at_checks() -> [String; 1] {
    [endpoint("primary", "port_value: <checks>")]
}

fn cluster(file: File, name: &'static str, entries: &str, endpoints: &[String]) -> File {
    let all = endpoints.join(", ");
    let assignment =
        format!("load_assignment: {{ cluster_name: {name}, endpoints: [{{ lb_endpoints: [{all}] }}] }}");
    file.cluster(name, entries).cluster(name, &assignment)
}

/// No copies; a primary with this check, these entries and endpoints.
fn checked(check: &str, entries: &str, endpoints: &[String]) -> File {
    let file = File::new().policies("[]").cluster("primary", &format!("health_checks: [{{ {check} }}]"));
    cluster(file, "primary", entries, endpoints)
}

/// The primary's endpoint passes its checks, and gets a request.
async fn healthy(run: &mut Run) {
    run.stat("cluster.primary.membership_healthy", 1).await;
    run.exchange("a request", &Request::get("/x"), &["primary"]).await;
}

/// Checks pass until the gate is open, and the second waits for that.
fn until_the_gate(scenario: Scenario) -> Scenario {
    scenario.server("checks", |gate| {
        let first = AtomicBool::new(true);
        Upstream::scripted(move |_| match first.swap(false, Ordering::Relaxed) {
            true => Reply::ok(),
            false => Reply::new(503, "").behind(&gate),
        })
    })
}

/// Compares all but how many checks there were, which time decides.
fn but_checks(what: &str) -> bool {
    !what.starts_with("unexpected at checks")
}

#[tokio::test]
async fn http_check() {
    let file = checked(&format!("{ONCE}, {READY}"), NEVER_PANIC, &at_checks());
    Scenario::of(file)
        .upstream("checks", |_| Reply::ok())
        .run(async |run| {
            run.arrived("a check", &["checks"]).await;
            run.stat("cluster.primary.membership_healthy", 1).await;
            run.stat("cluster.primary.health_check.attempt", 1).await;
            run.stat("cluster.primary.health_check.success", 1).await;
            run.stat("cluster.primary.health_check.healthy", 1).await;
            run.exchange("a request", &Request::get("/x"), &["primary"]).await;
        })
        .await;
}

#[tokio::test]
async fn what_is_asked() {
    let check = format!(
        "{ONCE}, reuse_connection: false, initial_jitter: 0.01s, interval_jitter: 1s, interval_jitter_percent: 10, \
         http_health_check: {{ path: \"/ready?deep=1\", host: ready.test, method: POST, \
         expected_statuses: [{{ start: 201, end: 205 }}], retriable_statuses: [{{ start: 500, end: 600 }}], \
         request_headers_to_add: [{{ header: {{ key: x-scope-orgid, value: checks }} }}], codec_client_type: HTTP1 }}"
    );
    let file = checked(&check, NEVER_PANIC, &at_checks());
    Scenario::of(file)
        .upstream("checks", |_| Reply::new(204, ""))
        .run(async |run| {
            run.arrived("a check", &["checks"]).await;
            healthy(run).await;
        })
        .await;
}

#[tokio::test]
async fn a_failing_endpoint_is_left_out() {
    let endpoints = [
        endpoint("primary", "disable_active_health_check: true"),
        endpoint("second", "port_value: <checks>"),
    ];
    Scenario::of(checked(&format!("{ONCE}, {READY}"), "", &endpoints))
        .upstream("second", |_| Reply::ok())
        .upstream("checks", |_| Reply::new(503, "starting"))
        .run(async |run| {
            run.arrived("a check", &["checks"]).await;
            run.stat("cluster.primary.membership_total", 2).await;
            run.stat("cluster.primary.membership_healthy", 1).await;
            run.stat("cluster.primary.health_check.failure", 1).await;
            run.stat("cluster.primary.health_check.network_failure", 0).await;
            let clusters = run.proxy.admin_get("/clusters").await.text();
            let failed = clusters.lines().filter(|line| line.ends_with("::health_flags::/failed_active_hc"));
            run.note("endpoints that failed", failed.count());
            for step in ["one", "two", "three", "four"] {
                run.exchange(step, &Request::get("/x"), &["primary"]).await;
            }
        })
        .await;
}

#[tokio::test]
async fn no_healthy_endpoint() {
    let endpoints = [endpoint("primary", "port_value: <closed>")];
    Scenario::of(checked(&format!("{ONCE}, {READY}"), NEVER_PANIC, &endpoints))
        .faulty("closed", Fault::Refuse)
        .run(async |run| {
            run.stat("cluster.primary.health_check.network_failure", 1).await;
            run.stat("cluster.primary.health_check.failure", 1).await;
            run.exchange("a request", &Request::get("/x"), &[]).await;
            run.stat("cluster.primary.upstream_cx_none_healthy", 1).await;
        })
        .await;
}

/// Half of the endpoints must pass their checks, or all are used.
#[tokio::test]
async fn panic() {
    let endpoints = [endpoint("primary", "port_value: <closed>")];
    Scenario::of(checked(&format!("{ONCE}, {READY}"), "", &endpoints))
        .faulty("closed", Fault::Refuse)
        .run(async |run| {
            run.stat("cluster.primary.health_check.failure", 1).await;
            run.exchange("a request", &Request::get("/x"), &["primary"]).await;
            run.stat("cluster.primary.membership_healthy", 0).await;
            run.stat("cluster.primary.lb_healthy_panic", 1).await;
        })
        .await;
}

#[tokio::test]
async fn tcp_check() {
    let endpoints = [endpoint("primary", ""), endpoint("closed", "")];
    Scenario::of(checked(&format!("{ONCE}, tcp_health_check: {{}}"), "", &endpoints))
        .faulty("closed", Fault::Refuse)
        .run(async |run| {
            run.stat("cluster.primary.health_check.success", 1).await;
            run.stat("cluster.primary.health_check.network_failure", 1).await;
            run.stat("cluster.primary.membership_healthy", 1).await;
            for step in ["one", "two", "three"] {
                run.exchange(step, &Request::get("/x"), &["primary"]).await;
            }
        })
        .await;
}

/// Out, while no request came, at `no_traffic_interval`; in again after two successes.
#[tokio::test]
async fn an_endpoint_comes_back() {
    let check = format!("{OFTEN}, no_traffic_healthy_interval: 60s, name: c, {READY}");
    let file = checked(&check, NEVER_PANIC, &at_checks());
    Scenario::of(file)
        .replies("checks", &[Reply::new(503, ""), Reply::new(404, ""), Reply::ok()])
        .only(but_checks)
        .run(async |run| {
            run.stat("cluster.primary.health_check.name.c.success", 2).await;
            run.stat("cluster.primary.health_check.name.c.attempt", 4).await;
            run.stat("cluster.primary.membership_healthy", 1).await;
            run.stat("cluster.primary.membership_change", 1).await;
            run.exchange("a request", &Request::get("/x"), &["primary"]).await;
        })
        .await;
}

/// With requests: the intervals of sick endpoints, and `retriable_statuses`, which count up to the threshold.
#[tokio::test]
async fn intervals() {
    let check = "timeout: 5s, interval: 60s, no_traffic_interval: 0.05s, unhealthy_interval: 0.05s, \
                 unhealthy_edge_interval: 0.05s, healthy_edge_interval: 0.05s, unhealthy_threshold: 3, \
                 healthy_threshold: 4, http_health_check: { path: /ready, retriable_statuses: [{ start: 500, end: 501 }] }";
    let file = checked(check, "", &at_checks());
    let replies = [Reply::new(503, ""), Reply::new(500, ""), Reply::new(500, ""), Reply::new(503, "")];
    let replies: Vec<_> = replies.iter().cloned().cycle().take(20).chain([Reply::ok()]).collect();
    Scenario::of(file)
        .replies("checks", &replies)
        .only(but_checks)
        .run(async |run| {
            run.stat_above("cluster.primary.health_check.failure", 1).await;
            run.exchange("in a panic", &Request::get("/x"), &["primary"]).await;
            run.stat("cluster.primary.health_check.success", 4).await;
            run.stat("cluster.primary.health_check.failure", 20).await;
            run.stat("cluster.primary.membership_healthy", 1).await;
        })
        .await;
}

/// It answers, then no longer: its connections are closed.
#[tokio::test]
async fn connections_of_a_failing_endpoint_are_closed() {
    let entries = format!("{NEVER_PANIC}, close_connections_on_host_health_failure: true");
    let file = checked(&format!("{OFTEN}, {READY}"), &entries, &at_checks());
    until_the_gate(Scenario::of(file))
        .only(but_checks)
        .run(async |run| {
            healthy(run).await;
            run.stat("cluster.primary.upstream_cx_active", 1).await;
            run.gate.open();
            run.stat("cluster.primary.membership_healthy", 0).await;
            run.stat("cluster.primary.upstream_cx_active", 0).await;
            run.exchange("another", &Request::get("/x"), &[]).await;
        })
        .await;
}

/// A mirror that fails its checks gets no copies, once panic is switched off.
#[tokio::test]
async fn mirror() {
    let file = File::new().cluster("mirror", &format!("health_checks: [{{ {ONCE}, {READY} }}]"));
    let file = cluster(file, "mirror", NEVER_PANIC, &[endpoint("mirror", "port_value: <closed>")]);
    Scenario::of(file)
        .faulty("closed", Fault::Refuse)
        .run(async |run| {
            run.stat("cluster.mirror.health_check.network_failure", 1).await;
            run.stat("cluster.mirror.membership_healthy", 0).await;
            run.exchange("a write", &Request::push("x"), &["primary"]).await;
            run.stat_above("cluster.mirror.upstream_cx_none_healthy", 0).await;
        })
        .await;
}

/// Names whose endpoints are checked, with what becomes of those that leave.
#[tokio::test]
async fn names() {
    let resolver = "dns_resolvers: [{ socket_address: { address: 127.0.0.1, port_value: <dns> } }]";
    let entries = format!(
        "type: STRICT_DNS, dns_lookup_family: V4_ONLY, ignore_health_on_host_removal: true, {resolver}, {NEVER_PANIC}"
    );
    let endpoints = [endpoint("primary", "port_value: <checks>").replace("127.0.0.1", "named.test")];
    Scenario::of(checked(&format!("{ONCE}, {READY}"), &entries, &endpoints))
        .upstream("checks", |_| Reply::ok())
        .server("dns", |_| async { DnsServer::start().await.with("named.test", &[1], 30) })
        .run(async |run| {
            run.arrived("a check", &["checks"]).await;
            healthy(run).await;
        })
        .await;
}

/// Who passes the checks stays although DNS names another, and is marked.
#[tokio::test]
async fn a_name_with_another_address() {
    let resolver = "dns_resolvers: [{ socket_address: { address: 127.0.0.1, port_value: <dns> } }]";
    let entries = format!(
        "type: STRICT_DNS, dns_lookup_family: V4_ONLY, dns_refresh_rate: 0.1s, {resolver}, {NEVER_PANIC}"
    );
    let endpoints = [endpoint("primary", "port_value: <checks>").replace("127.0.0.1", "named.test")];
    let dns = Rc::new(RefCell::new(None::<Rc<DnsServer>>));
    let started = Rc::clone(&dns);
    Scenario::of(checked(&format!("{ONCE}, {READY}"), &entries, &endpoints))
        .only(but_checks)
        .upstream("checks", |_| Reply::ok())
        .server("dns", move |_| {
            let started = Rc::clone(&started);
            async move {
                let server = Rc::new(DnsServer::start().await.with("named.test", &[1], 1));
                *started.borrow_mut() = Some(Rc::clone(&server));
                server
            }
        })
        .run(async |run| {
            run.stat("cluster.primary.membership_healthy", 1).await;
            dns.borrow().as_ref().expect("it has started").set("named.test", &[2], 1);
            run.stat("cluster.primary.membership_total", 2).await;
            let text = run.proxy.admin_get("/clusters?filter=primary").await.text();
            for line in text.lines().filter(|line| line.contains("health_flags")) {
                let flags = line.rsplit("::").next().unwrap_or_default();
                run.note(&line[..line.find(':').unwrap_or(0) + 11], flags);
            }
            run.exchange("a request", &Request::get("/x"), &["primary"]).await;
        })
        .await;
}

/// As requests go: checks are made over TLS, too.
#[tokio::test]
async fn over_tls() {
    let ca = Authority::new("ca");
    let tls = "transport_socket: { name: tls, typed_config: { \"@type\": \
               type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext, sni: primary.test, \
               common_tls_context: { validation_context: { trusted_ca: { filename: \"<dir>/ca.crt\" } } } } }";
    let file =
        checked(&format!("{ONCE}, {READY}"), &format!("{tls}, {NEVER_PANIC}"), &[endpoint("primary", "")]);
    let showing = Showing { certificate: ca.issue(&["primary.test"]), clients: None, alpn: vec![] };
    Scenario::of(file)
        .with_file("ca.crt", ca.pem())
        .server("primary", move |_| TlsUpstream::answering(showing.clone(), Reply::new(200, "ok")))
        .run(async |run| {
            run.arrived("a check", &["primary"]).await;
            healthy(run).await;
        })
        .await;
}

/// Another port than the endpoint's, which Envoy reads and does not use.
#[tokio::test]
async fn alt_port() {
    let file = checked(
        &format!("{ONCE}, alt_port: 1, tcp_health_check: {{}}"),
        NEVER_PANIC,
        &[endpoint("primary", "")],
    );
    Scenario::of(file).run(healthy).await;
}

/// v2's name for `ignore_health_on_host_removal`, which Envoy no longer has.
#[tokio::test]
async fn v2_name() {
    let file = |name: &str| {
        let entries = format!("{name}: true, {NEVER_PANIC}");
        checked(&format!("{ONCE}, tcp_health_check: {{}}"), &entries, &[endpoint("primary", "")])
    };
    Scenario::of(file("ignore_health_on_host_removal"))
        .ours(file("drain_connections_on_host_removal"))
        .run(healthy)
        .await;
}
