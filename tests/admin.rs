//! The admin interface: Envoy's addresses and spellings, so that what reads them goes on working.

use serde_json::Value;

use crate::dsl::fault::{Fault, Faulty};
use crate::dsl::http1::Message;
use crate::dsl::{Client, Config, Gate, Proxy, Reply, Request, Upstream, until};

/// Both clusters, and a proxy that has carried three writes and a read.
async fn used() -> (Upstream, Upstream, Proxy) {
    let primary = Upstream::answering(Reply::ok()).await;
    let mirror = Upstream::answering(Reply::ok()).await;
    let config = Config::envoy().primary(primary.address()).mirror("secondary", mirror.address());
    let proxy = Proxy::start(&config).await;
    let mut client = proxy.client().await;
    for _ in 0..3 {
        assert_eq!(client.exchange(&Request::push("x")).await.status(), 200);
    }
    assert_eq!(client.exchange(&Request::get("/ready")).await.status(), 200);
    mirror.received(4).await;
    (primary, mirror, proxy)
}

fn json(message: &Message) -> Value {
    serde_json::from_slice(&message.body).unwrap_or_else(|e| panic!("{e}: {}", message.text()))
}

#[tokio::test]
async fn ready_says_live() {
    let (_primary, _mirror, proxy) = used().await;
    let got = proxy.admin_get("/ready").await;
    assert_eq!((got.status(), got.text().trim_end()), (200, "LIVE"));
}

/// A load balancer that took a proxy out for its mirror would make the mirror's trouble the senders'.
#[tokio::test]
async fn ready_follows_no_mirror() {
    let primary = Upstream::answering(Reply::ok()).await;
    for fault in [Fault::Refuse, Fault::NeverAnswer] {
        let mirror = Faulty::start(fault).await;
        let config = Config::envoy().primary(primary.address()).mirror("secondary", mirror.address());
        // It is ready by now, whatever the mirror does.
        let proxy = Proxy::start(&config.setting("timeout", "200ms")).await;
        let mut client = proxy.client().await;
        for _ in 0..20 {
            assert_eq!(client.exchange(&Request::push("x")).await.status(), 200);
        }
        let failed = async || proxy.ledger("secondary").await.outcome("failed");
        until("failed copies", async || (failed().await >= 3).then_some(())).await;
        for question in ["/ready", "/ready?primary"] {
            let got = proxy.admin_get(question).await;
            assert_eq!((got.status(), got.text().trim_end()), (200, "LIVE"), "{question}");
        }
    }
}

/// Only where the prober asks for it: with one primary behind all proxies, none is better than another.
#[tokio::test]
async fn ready_follows_the_primary_where_that_is_asked_for() {
    let primary = Faulty::start(Fault::Refuse).await;
    let mirror = Upstream::answering(Reply::ok()).await;
    let proxy =
        Proxy::start(&Config::envoy().primary(primary.address()).mirror("secondary", mirror.address())).await;
    assert_eq!(proxy.admin_get("/ready?primary").await.status(), 200, "nothing was asked yet");
    assert_eq!(proxy.send(&Request::push("x")).await.status(), 503);
    until("a primary that is out", async || {
        let got = proxy.admin_get("/ready?primary").await;
        (got.status() == 503 && got.text().trim_end() == "PRIMARY OUT OF SERVICE").then_some(())
    })
    .await;
    let got = proxy.admin_get("/ready").await;
    assert_eq!((got.status(), got.text().trim_end()), (200, "LIVE"));
}

/// Waits until `/ready` answers so: commands are taken at once and done soon after.
async fn ready_says(proxy: &Proxy, status: u16, text: &str) {
    until(format!("{text} at /ready"), async || {
        let got = proxy.admin_get("/ready").await;
        (got.status() == status && got.text().trim_end() == text).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_failed_health_check_is_not_ready_but_serves() {
    let (_primary, _mirror, proxy) = used().await;
    assert_eq!(proxy.admin_post("/healthcheck/fail").await.text().trim_end(), "OK");
    ready_says(&proxy, 503, "DRAINING").await;
    let served = proxy.send(&Request::push("x")).await;
    assert_eq!((served.status(), served.header("connection").as_deref()), (200, Some("close")));
    assert_eq!(proxy.admin_post("/healthcheck/ok").await.text().trim_end(), "OK");
    ready_says(&proxy, 200, "LIVE").await;
}

#[tokio::test]
async fn drained_listeners_accept_nothing_and_the_process_stays() {
    let (_primary, _mirror, mut proxy) = used().await;
    assert_eq!(proxy.admin_post("/drain_listeners").await.text().trim_end(), "OK");
    until("the listener's end", async || {
        tokio::net::TcpStream::connect(proxy.listen).await.is_err().then_some(())
    })
    .await;
    assert_eq!(proxy.admin_get("/ready").await.status(), 200);
    assert!(proxy.process.ended().is_none());
}

#[tokio::test]
async fn quitquitquit_ends_the_process() {
    let (_primary, _mirror, mut proxy) = used().await;
    assert_eq!(proxy.admin_post("/quitquitquit").await.text().trim_end(), "OK");
    assert_eq!(proxy.process.end().await.code(), Some(0));
}

#[tokio::test]
async fn what_changes_something_needs_post() {
    let (_primary, _mirror, proxy) = used().await;
    for target in ["/quitquitquit", "/healthcheck/fail", "/healthcheck/ok", "/drain_listeners"] {
        let got = proxy.admin_get(target).await;
        let text = got.text();
        assert_eq!(
            (got.status(), text.trim_end()),
            (405, "Method GET not allowed, POST required."),
            "{target}"
        );
    }
    assert_eq!(proxy.admin_get("/ready").await.status(), 200);
}

#[tokio::test]
async fn an_unknown_path_is_404_and_help_lists_the_known_ones() {
    let (_primary, _mirror, proxy) = used().await;
    let unknown = proxy.admin_get("/no-such-page").await;
    assert_eq!(unknown.status(), 404);
    assert!(unknown.text().starts_with("invalid path. admin commands are:"), "{}", unknown.text());
    let help = proxy.admin_get("/help").await;
    assert_eq!(help.status(), 200);
    let pages =
        ["/ready", "/stats", "/stats/prometheus", "/clusters", "/server_info", "/config_dump", "/listeners"];
    for page in pages.into_iter().chain(["/quitquitquit", "/healthcheck/fail", "/drain_listeners"]) {
        assert!(help.text().contains(page), "{page} is not in the help");
    }
}

#[tokio::test]
async fn prometheus_statistics_have_envoys_names() {
    let (_primary, _mirror, proxy) = used().await;
    proxy.settled("secondary").await;
    let metrics = proxy.metrics().await;
    for cluster in ["primary", "secondary"] {
        let labels = [("envoy_cluster_name", cluster)];
        assert_eq!(metrics.sum("envoy_cluster_upstream_rq_total", &labels), 4, "{cluster}");
        assert_eq!(metrics.sum("envoy_cluster_upstream_rq_completed", &labels), 4, "{cluster}");
        assert_eq!(metrics.sum("envoy_cluster_membership_total", &labels), 1, "{cluster}");
        let ok = [labels[0], ("envoy_response_code", "200")];
        assert_eq!(metrics.sum("envoy_cluster_upstream_rq", &ok), 4, "{cluster}");
        let class = [labels[0], ("envoy_response_code_class", "2")];
        assert_eq!(metrics.sum("envoy_cluster_upstream_rq_xx", &class), 4, "{cluster}");
        assert_eq!(metrics.sum("envoy_cluster_upstream_rq_time_count", &labels), 4, "{cluster}");
        assert!(metrics.sum("envoy_cluster_upstream_cx_total", &labels) >= 1, "{cluster}");
    }
    let ingress = [("envoy_http_conn_manager_prefix", "mimir_ingress")];
    assert_eq!(metrics.sum("envoy_http_downstream_rq_total", &ingress), 4);
    let class = [ingress[0], ("envoy_response_code_class", "2")];
    assert_eq!(metrics.sum("envoy_http_downstream_rq_xx", &class), 4);
    assert_eq!(metrics.sum("envoy_server_live", &[]), 1);
}

#[tokio::test]
async fn our_own_metrics_are_there_before_the_first_copy() {
    let primary = Upstream::answering(Reply::ok()).await;
    let config = Config::envoy().primary(primary.address()).mirror("secondary", primary.address());
    let proxy = Proxy::start(&config).await;
    let metrics = proxy.metrics().await;
    let own = [("mirror", "secondary")];
    for name in ["received_total", "incomplete_total", "excluded_total", "pending_requests", "pending_bytes"]
    {
        let name = format!("mimir_mirror_{name}");
        assert!(metrics.has(&name, &own), "{name} is missing");
        assert_eq!(metrics.sum(&name, &own), 0, "{name}");
    }
    assert_eq!(metrics.sum("mimir_mirror_buffer_limit_bytes", &own), 256 << 20);
    assert_eq!(metrics.sum("mimir_mirror_lost_tokens_total", &[]), 0);
    assert!(metrics.has("mimir_mirror_connections", &own));
}

/// A scraper refuses a page with a mistake as a whole: the real one must take it.
#[tokio::test]
async fn prometheus_takes_the_metrics() {
    let (_primary, _mirror, proxy) = used().await;
    let page = proxy.admin_get("/stats/prometheus").await;
    let mut check = std::process::Command::new("promtool");
    check.args(["check", "metrics"]);
    check.stdin(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
    let mut check = check.spawn().expect("Debian's package prometheus");
    std::io::Write::write_all(&mut check.stdin.take().expect("piped"), &page.body).expect("it reads");
    let output = check.wait_with_output().expect("it ends");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!said.contains("error while linting"), "{said}");
    // What the linter dislikes in Envoy's names is Envoy's; ours follow the conventions.
    assert!(!said.lines().any(|line| line.starts_with("mimir_")), "{said}");
}

#[tokio::test]
async fn plain_statistics_have_envoys_names() {
    let (_primary, _mirror, proxy) = used().await;
    let text = proxy.admin_get("/stats").await.text();
    for line in [
        "cluster.primary.upstream_rq_total: 4",
        "cluster.secondary.upstream_rq_total: 4",
        "http.mimir_ingress.downstream_rq_total: 4",
        "server.live: 1",
    ] {
        assert!(text.lines().any(|l| l == line), "no {line:?} in {text}");
    }
}

#[tokio::test]
async fn clusters_are_listed() {
    let (primary, mirror, proxy) = used().await;
    let text = proxy.admin_get("/clusters").await.text();
    for (name, upstream) in [("primary", &primary), ("secondary", &mirror)] {
        let line = format!("{name}::{}::rq_total::4", upstream.address());
        assert!(text.lines().any(|l| l == line), "no {line:?} in {text}");
        let line = format!("{name}::{}::health_flags::healthy", upstream.address());
        assert!(text.lines().any(|l| l == line), "no {line:?} in {text}");
    }
}

#[tokio::test]
async fn listeners_are_listed() {
    let (_primary, _mirror, proxy) = used().await;
    let text = proxy.admin_get("/listeners").await.text();
    let line = format!("mimir_listener::{}", proxy.listen);
    assert!(text.lines().any(|l| l == line), "no {line:?} in {text}");
}

#[tokio::test]
async fn server_info_says_live() {
    let (_primary, _mirror, proxy) = used().await;
    let info = json(&proxy.admin_get("/server_info").await);
    assert_eq!(info["state"], "LIVE");
    let version = info["version"].as_str().expect("a version");
    assert!(version.contains(env!("CARGO_PKG_VERSION")), "{version}");
}

#[tokio::test]
async fn the_configuration_is_shown_without_secrets() {
    let primary = Upstream::answering(Reply::ok()).await;
    let config = Config::native().primary(primary.address()).mirror("secondary", primary.address());
    let proxy = Proxy::start(&config.setting("auth", "{ username: u, password: very-secret }")).await;
    let dump = proxy.admin_get("/config_dump").await;
    assert!(json(&dump)["configs"].is_array(), "{}", dump.text());
    assert!(dump.text().contains(&primary.address().to_string()), "{}", dump.text());
    for page in ["/config_dump", "/clusters", "/stats", "/server_info", "/"] {
        let text = proxy.admin_get(page).await.text();
        assert!(
            !text.contains("very-secret") && !text.contains("dTp2ZXJ5LXNlY3JldA"),
            "{page} shows the password"
        );
    }
}

#[tokio::test]
async fn head_is_answered_without_a_body() {
    let (_primary, _mirror, proxy) = used().await;
    let mut client = Client::connect(proxy.admin).await;
    client.send(Request::new("HEAD", "/ready").bytes()).await;
    assert_eq!(client.answer_to_head().await.status(), 200);
    client.send(Request::new("HEAD", "/ready").bytes()).await;
    assert_eq!(client.answer_to_head().await.status(), 200);
}

/// A scrape must not wait for a mirror, a primary or a client.
#[tokio::test]
async fn it_answers_while_everything_else_hangs() {
    let gate = Gate::closed();
    let primary = Upstream::answering(Reply::ok().behind(&gate)).await;
    let mirror = Upstream::answering(Reply::ok().behind(&gate)).await;
    let config = Config::envoy().primary(primary.address()).mirror("secondary", mirror.address());
    let proxy = Proxy::start(&config).await;
    let mut waiting = Vec::new();
    for _ in 0..50 {
        let mut client = proxy.client().await;
        client.send(Request::push("x").bytes()).await;
        waiting.push(client);
    }
    primary.received(50).await;
    for page in ["/ready", "/stats", "/stats/prometheus", "/clusters", "/server_info", "/config_dump"] {
        assert_eq!(proxy.admin_get(page).await.status(), 200, "{page}");
    }
    gate.open();
    for client in &mut waiting {
        assert_eq!(client.answer().await.status(), 200);
    }
}
