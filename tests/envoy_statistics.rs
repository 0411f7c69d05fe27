//! Statistics beside Envoy's, row by row: from one file and the same requests, every statistic that Envoy has stands
//! here with the same value, or in one of two lists with the reason why not.

use std::collections::BTreeMap;

use crate::dsl::http1::Message;
use crate::dsl::proxy::Program;
use crate::dsl::{Config, Proxy, Reply, Request, Upstream, until};

/// What Envoy counts and we do not, by the end of its name: no number is better than a wrong one.
const NO_FACT: &[(&str, &str)] = &[
    (".default.total_match_count", "a matcher of load balancers that has no other name or meaning"),
    ("_bytes_buffered", "buffers are the HTTP library's and are not measured"),
    ("_flow_control_backed_up_total", "reading stops with the other side's writing, uncounted"),
    ("_flow_control_drained_total", "as above"),
    ("_flow_control_paused_reading_total", "as above"),
    ("_flow_control_resumed_reading_total", "as above"),
    (".downstream_rq_response_before_rq_complete", "an early answer is not told from another"),
    (".downstream_rq_tx_reset", "HTTP/2 resets are the HTTP library's"),
    (".downstream_rq_ws_on_non_ws_route", "counted as 4xx"),
    (".rq_reset_after_downstream_response_started", "stays 0 in Envoy, too, where an answer breaks off"),
    ("dns.cares.", "names are not resolved by c-ares"),
    ("watchdog_mega_miss", "there is no watchdog"),
    ("watchdog_miss", "there is no watchdog"),
    ("runtime.load_success", "there is no runtime to load"),
    ("runtime.override_dir_not_exists", "as above"),
    ("envoy.overload_actions.", "there is no overload manager"),
    ("overload", "there is no overload manager that refreshes"),
    (".connections_accepted_per_socket_event", "connections are accepted one by one"),
    ("listener_manager.workers_pinned", "workers are not pinned to cores"),
    ("server.envoy_notifications", "Envoy's own"),
    ("server.seconds_until_first_ocsp_response_expiring", "there is no stapling"),
    ("thread_local_cluster_manager.main_thread.", "the main thread carries no requests"),
    (".max_host_weight", "weights are the balancer's own"),
];

/// What both have and cannot be equal, by the end of the name.
const OWN_VALUE: &[(&str, &str)] = &[
    ("server.memory_allocated", "another program"),
    ("server.memory_heap_size", "another program"),
    ("server.memory_physical_size", "another program"),
    ("server.version", "of the release, not of the commit"),
    ("server.uptime", "time"),
    ("server.stats_recent_lookups", "statistics are not looked up by name"),
    (".tx_bytes_total", "names and values of headers differ in length"),
    (
        "_tx_bytes_total",
        "answers of the admin listener differ; the primary's are relayed with the same headers",
    ),
    ("_rx_bytes_total", "as above"),
    (".update_attempt", "time"),
    (".update_success", "time"),
    (".update_no_rebuild", "time"),
    (".downstream_cx_active", "the scrape's own connection"),
    ("http.admin.", "scrapes until the numbers were there"),
    ("listener.admin.", "as above"),
];

fn reason<'a>(list: &'a [(&str, &str)], name: &str) -> Option<&'a str> {
    let matches = |part: &str| {
        if part.ends_with('.') {
            name.starts_with(part)
        } else {
            name.ends_with(part) || name.starts_with(part)
        }
    };
    list.iter().find(|(part, _)| matches(part)).map(|(_, why)| *why)
}

/// Numbers by name, and the names of distributions with how much is in them.
#[derive(Debug)]
struct Statistics {
    numbers: BTreeMap<String, u64>,
    distributions: BTreeMap<String, u64>,
}

/// What one program has counted after the same requests.
async fn observe(program: Program) -> (Statistics, String) {
    let primary =
        Upstream::scripted(
            |head: &Message| {
                if head.start.contains("/bad") { Reply::new(500, "no") } else { Reply::ok() }
            },
        )
        .await;
    let mirror = Upstream::answering(Reply::ok()).await;
    let config = Config::envoy().primary(primary.address()).mirror("secondary", mirror.address());
    // Envoy is started with one worker.
    let flags: &[&str] = if program == Program::Envoy { &[] } else { &["--concurrency", "1"] };
    let proxy = Proxy::launch(program, &config, flags).await;
    let mut client = proxy.client().await;
    for request in [Request::push("x"), Request::get("/query"), Request::get("/bad")] {
        client.exchange(&request).await;
        mirror.received(primary.begun()).await;
        settled(&proxy, "cluster.secondary.internal.upstream_rq_completed", primary.begun() as u64).await;
    }
    drop(client);
    settled(&proxy, "http.mimir_ingress.downstream_cx_destroy", 1).await;
    let page = proxy.admin_get("/stats/prometheus").await.text();
    let numbers = proxy.admin_get("/stats?format=json").await;
    let numbers: serde_json::Value = serde_json::from_slice(&numbers.body).expect("JSON");
    let port = proxy.listen.port().to_string();
    let numbers =
        numbers["stats"].as_array().expect("a list").iter().filter_map(|stat| {
            Some((stat["name"].as_str()?.replace(&port, "PORT"), stat["value"].as_u64()?))
        });
    let text = proxy.admin_get("/stats?type=Histograms&histogram_buckets=cumulative").await.text();
    let distributions = text.lines().filter_map(|line| {
        let (name, buckets) = line.split_once(": ")?;
        let last = buckets.rsplit_once(',').map_or("0", |(_, n)| n.trim_end_matches(')'));
        Some((name.replace(&port, "PORT"), last.parse().unwrap_or(0)))
    });
    let statistics = Statistics { numbers: numbers.collect(), distributions: distributions.collect() };
    (statistics, page.replace(&port, "PORT"))
}

async fn settled(proxy: &Proxy, name: &str, value: u64) {
    until(format!("{name} = {value}"), async || {
        let text = proxy.admin_get(&format!("/stats?filter=^{name}$")).await.text();
        (text.trim_end() == format!("{name}: {value}")).then_some(())
    })
    .await;
}

#[tokio::test]
async fn every_statistic_of_envoys_is_here_or_has_a_reason() {
    let (envoy, _) = observe(Program::Envoy).await;
    let (ours, _) = observe(Program::MimirMirror).await;
    let mut wrong = Vec::new();
    for (name, theirs) in &envoy.numbers {
        match ours.numbers.get(name) {
            None if reason(NO_FACT, name).is_none() => wrong.push(format!("{name}: missing")),
            Some(own) if own != theirs && reason(OWN_VALUE, name).is_none() => {
                wrong.push(format!("{name}: Envoy {theirs}, ours {own}"));
            }
            _ => {}
        }
    }
    for (name, theirs) in &envoy.distributions {
        match ours.distributions.get(name) {
            None if reason(NO_FACT, name).is_none() => wrong.push(format!("{name}: missing")),
            // Envoy merges every few seconds; what it shows is never more than there is.
            Some(own) if own < theirs && reason(OWN_VALUE, name).is_none() => {
                wrong.push(format!("{name}: Envoy {theirs} values, ours {own}"));
            }
            _ => {}
        }
    }
    let known = |(part, _): &&(&str, &str)| {
        !envoy
            .numbers
            .keys()
            .chain(envoy.distributions.keys())
            .any(|name| reason(&[(*part, "")], name).is_some())
    };
    wrong.extend(NO_FACT.iter().filter(known).map(|(part, _)| format!("{part}: Envoy has no such thing")));
    let stale = NO_FACT.iter().filter(|(part, _)| {
        let both = ours.numbers.keys().filter(|name| envoy.numbers.contains_key(*name));
        both.into_iter().any(|name| reason(&[(*part, "")], name).is_some())
    });
    wrong.extend(stale.map(|(part, _)| format!("{part}: is counted by now, take it out of the list")));
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// Names, labels, their order, and the types: a line of Envoy's that is here is here to the letter.
#[tokio::test]
async fn prometheus_lines_are_envoys_to_the_letter() {
    let (_, envoy) = observe(Program::Envoy).await;
    let (_, ours) = observe(Program::MimirMirror).await;
    let series =
        |page: &str| -> Vec<String> {
            let lines = page.lines().filter(|line| !line.starts_with("# HELP"));
            lines
                .map(|line| {
                    if line.starts_with('#') { line } else { line.rsplit_once(' ').map_or(line, |(s, _)| s) }
                })
                .map(str::to_owned)
                .collect()
        };
    let (envoy, ours) = (series(&envoy), series(&ours));
    let name = |line: &str| line.trim_start_matches("# TYPE ").split([' ', '{']).next().map(str::to_owned);
    let known: std::collections::HashSet<_> = ours.iter().filter_map(|line| name(line)).collect();
    let missing: Vec<_> = envoy
        .iter()
        .filter(|line| name(line).is_some_and(|name| known.contains(&name)) && !ours.contains(line))
        .collect();
    assert!(missing.is_empty(), "\n{missing:#?}");
    assert!(envoy.iter().filter(|line| ours.contains(line)).count() > 500);
}
