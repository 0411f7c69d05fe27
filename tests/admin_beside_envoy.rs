//! Every admin endpoint beside Envoy's: the same request to both must be answered with the same status and type, and
//! with a body of the same shape.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::dsl::http1::Message;
use crate::dsl::proxy::Program;
use crate::dsl::{Client, Config, Proxy, Reply, Request, Upstream};

/// What must be alike beside status, type and headers.
#[derive(Clone, Copy)]
enum Alike {
    /// Nothing more: the content is each program's own.
    Answer,
    /// Every byte.
    Body,
    /// The first line.
    Start,
    /// Lines, but for their numbers.
    Lines,
    /// Every key of Envoy's JSON down to a depth is here too.
    Keys(usize),
}

use Alike::{Answer, Body, Keys, Lines, Start};

const READS: &[(&str, Alike)] = &[
    ("/", Answer),
    ("/certs", Keys(1)),
    ("/clusters", Lines),
    ("/clusters?filter=primary", Lines),
    ("/clusters?format=json", Keys(9)),
    ("/config_dump", Keys(3)),
    ("/config_dump?resource=static_clusters", Keys(6)),
    ("/config_dump?resource=static_listeners", Keys(4)),
    ("/config_dump?resource=static_route_configs", Keys(4)),
    ("/config_dump?resource=dynamic_active_clusters", Body),
    ("/config_dump?resource=no_such_thing", Body),
    ("/config_dump?resource=bootstrap", Body),
    ("/config_dump?resource=static_clusters&mask=cluster.name", Keys(4)),
    ("/config_dump?resource=static_clusters&mask=nothing", Answer),
    ("/config_dump?mask=bootstrap.node.id", Keys(5)),
    ("/config_dump?mask=nothing", Body),
    ("/config_dump?name_regex=prim", Keys(2)),
    ("/config_dump?name_regex=%5B", Answer),
    ("/config_dump?include_eds", Keys(3)),
    ("/contention", Answer),
    ("/help", Start),
    ("/hot_restart_version", Answer),
    ("/init_dump", Body),
    ("/init_dump?mask=listener", Body),
    ("/listeners", Lines),
    ("/listeners?format=json", Keys(9)),
    ("/memory", Keys(1)),
    ("/no-such-page", Start),
    ("/ready", Body),
    ("/runtime", Keys(1)),
    ("/server_info", Keys(2)),
    ("/stats?filter=^server.live$", Body),
    ("/stats?filter=^server.live$&usedonly", Body),
    ("/stats?filter=^server.live$&format=json", Body),
    ("/stats?filter=^server.live$&format=prometheus", Body),
    ("/stats?filter=^server.live$&format=html", Answer),
    ("/stats?filter=^server.live$&format=active-html", Answer),
    ("/stats?format=xml", Body),
    ("/stats?type=Everything", Body),
    ("/stats?type=TextReadouts", Body),
    ("/stats?filter=%5B", Answer),
    ("/stats?histogram_buckets=all", Answer),
    ("/stats?filter=primary.upstream_cx_connect_ms&histogram_buckets=cumulative", Answer),
    ("/stats?filter=primary.upstream_cx_connect_ms&format=json", Keys(5)),
    ("/stats?filter=primary.upstream_cx_connect_ms&format=json&histogram_buckets=disjoint", Keys(6)),
    ("/stats?filter=primary.upstream_cx_connect_ms&format=json&histogram_buckets=detailed", Keys(6)),
    ("/stats/prometheus?filter=^server.live$", Body),
    ("/stats/prometheus?histogram_buckets=disjoint", Body),
    ("/stats/prometheus?histogram_buckets=summary", Answer),
    ("/stats/prometheus?text_readouts&filter=^server.live$", Body),
    ("/stats/recentlookups", Answer),
    // Each of these changes something, and so wants POST.
    ("/allocprofiler", Body),
    ("/cpuprofiler", Body),
    ("/drain_listeners", Body),
    ("/healthcheck/fail", Body),
    ("/healthcheck/ok", Body),
    ("/heapprofiler", Body),
    ("/logging", Body),
    ("/quitquitquit", Body),
    ("/reopen_logs", Body),
    ("/reset_counters", Body),
    ("/runtime_modify", Body),
    ("/stats/recentlookups/clear", Body),
    ("/stats/recentlookups/disable", Body),
    ("/stats/recentlookups/enable", Body),
];

const WRITES: &[(&str, Alike)] = &[
    ("/allocprofiler", Body),
    ("/allocprofiler?enable=n", Body),
    ("/cpuprofiler", Body),
    ("/cpuprofiler?enable=n", Body),
    ("/drain_listeners?inboundonly", Body),
    ("/drain_listeners?skip_exit", Body),
    ("/healthcheck/fail", Body),
    ("/healthcheck/ok", Body),
    ("/heapprofiler", Answer),
    ("/heapprofiler?enable=y", Answer),
    ("/logging", Start),
    ("/logging?level=warning", Start),
    ("/logging?level=loud", Start),
    ("/ready", Answer),
    ("/reopen_logs", Body),
    ("/reset_counters", Body),
    ("/runtime_modify", Start),
    ("/runtime_modify?a=b", Body),
    ("/runtime_modify?a", Body),
    ("/stats/recentlookups/enable", Body),
    ("/stats/recentlookups/clear", Body),
    ("/stats/recentlookups/disable", Body),
    ("/no-such-page", Start),
    ("/drain_listeners?graceful", Body),
    ("/quitquitquit", Body),
];

/// What is Envoy's own in shapes: part of a path of keys, and why it is not here.
const NOT_HERE: &[(&str, &str)] = &[
    (".pageheap_free", "the kernel's books know no page heap"),
    (".pageheap_unmapped", "as above"),
    (".total_thread_cache", "as above"),
    (".command_line_options.", "flags that this program has not"),
    (".user_agent_build_version.metadata", "there is no library of TLS to name"),
    (
        ".configs.cluster.dns_refresh_rate",
        "ours is written in the form that is not deprecated, as `cluster_type`",
    ),
    (".configs.cluster.type", "as above"),
    (".last_updated", "nothing is ever updated"),
    (".version_info", "as above"),
];

/// One program behind which a write and its copy have passed.
async fn start(program: Program) -> (Proxy, [Upstream; 2]) {
    let clusters = [Upstream::answering(Reply::ok()).await, Upstream::answering(Reply::ok()).await];
    let config = Config::envoy().primary(clusters[0].address()).mirror("secondary", clusters[1].address());
    let proxy = Proxy::launch(program, &config, &[]).await;
    assert_eq!(proxy.send(&Request::push("x")).await.status(), 200);
    clusters[1].received(1).await;
    (proxy, clusters)
}

async fn ask(proxy: &Proxy, method: &str, target: &str) -> Message {
    let request = Request::new(method, target).header("connection", "close");
    let request = if method == "POST" { request.body("") } else { request };
    let mut client = Client::connect(proxy.admin).await;
    client.send(request.bytes()).await;
    if method == "HEAD" { client.answer_to_head().await } else { client.answer().await }
}

/// Ports of one program become words.
fn named(proxy: &Proxy, clusters: &[Upstream; 2], message: &Message) -> String {
    let ports =
        [proxy.listen.port(), proxy.admin.port(), clusters[0].address().port(), clusters[1].address().port()];
    // Numbers, so that JSON stays JSON.
    let names = ["10001", "10002", "10003", "10004"];
    ports.iter().zip(names).fold(message.text(), |text, (port, name)| text.replace(&port.to_string(), name))
}

/// Paths of keys; those of a list's items are put together.
fn keys(value: &Value, depth: usize, at: &str, found: &mut BTreeSet<String>) {
    if depth == 0 {
        return;
    }
    match value {
        Value::Object(object) => {
            for (key, value) in object {
                let at = format!("{at}.{key}");
                keys(value, depth - 1, &at, found);
                found.insert(at);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| keys(item, depth - 1, at, found)),
        _ => {}
    }
}

fn lines(text: &str) -> BTreeSet<String> {
    let number = |line: &str| {
        let mut out = String::new();
        for c in line.chars() {
            match c {
                '0'..='9' if out.ends_with('0') => {}
                '0'..='9' => out.push('0'),
                _ => out.push(c),
            }
        }
        out
    };
    text.lines().map(number).collect()
}

fn differences(alike: Alike, envoy: &str, ours: &str) -> Option<String> {
    let equal = match alike {
        Answer => true,
        Body => envoy.trim_end() == ours.trim_end(),
        Start => envoy.lines().next() == ours.lines().next(),
        Lines => lines(envoy) == lines(ours),
        Keys(depth) => {
            let all = |text: &str| {
                let mut found = BTreeSet::new();
                keys(
                    &serde_json::from_str(text).unwrap_or_else(|e| panic!("{e}: {text}")),
                    depth,
                    "",
                    &mut found,
                );
                found
            };
            let (envoy, ours) = (all(envoy), all(ours));
            let missing: Vec<_> = envoy
                .difference(&ours)
                .filter(|path| !NOT_HERE.iter().any(|(end, _)| path.contains(end)))
                .collect();
            return (!missing.is_empty()).then(|| format!("lacks {missing:?}"));
        }
    };
    (!equal).then(|| format!("\n--- Envoy\n{envoy}\n--- ours\n{ours}"))
}

#[tokio::test]
async fn every_endpoint_answers_as_envoys_does() {
    let envoy = start(Program::Envoy).await;
    let ours = start(Program::MimirMirror).await;
    let mut wrong = Vec::new();
    let heads = READS.iter().map(|(target, _)| ("HEAD", *target, Answer));
    let reads = READS.iter().map(|(target, alike)| ("GET", *target, *alike));
    let writes = WRITES.iter().map(|(target, alike)| ("POST", *target, *alike));
    let odd = [("PUT", "/ready", Body), ("DELETE", "/quitquitquit", Body), ("OPTIONS", "/ready", Body)];
    for (method, target, alike) in heads.chain(reads).chain(odd).chain(writes) {
        let (theirs, own) = (ask(&envoy.0, method, target).await, ask(&ours.0, method, target).await);
        if theirs.status() != own.status() {
            wrong.push(format!("{method} {target}: Envoy {}, ours {}", theirs.status(), own.status()));
            continue;
        }
        let media = |message: &Message| {
            let all = message.header("content-type").unwrap_or_default();
            all.split(';').next().unwrap_or_default().to_owned()
        };
        // Envoy says some of them twice.
        for name in ["cache-control", "x-content-type-options"] {
            let all = |message: &Message| -> BTreeSet<String> {
                let of_name = message.headers.iter().filter(|(n, _)| n == name);
                of_name.map(|(_, value)| String::from_utf8_lossy(value).into_owned()).collect()
            };
            if all(&theirs) != all(&own) {
                wrong.push(format!("{method} {target}: {name} is {:?}", all(&own)));
            }
        }
        if media(&theirs) != media(&own) {
            wrong.push(format!("{method} {target}: Envoy {}, ours {}", media(&theirs), media(&own)));
        }
        if method == "HEAD" {
            continue;
        }
        let bodies = (named(&envoy.0, &envoy.1, &theirs), named(&ours.0, &ours.1, &own));
        wrong.extend(differences(alike, &bodies.0, &bodies.1).map(|how| format!("{method} {target}: {how}")));
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// `/help` is how people find an endpoint: every one of Envoy's stands there, with its parameters.
#[tokio::test]
async fn help_lists_every_endpoint_of_envoys() {
    let (envoy, _clusters) = start(Program::Envoy).await;
    let (ours, _own_clusters) = start(Program::MimirMirror).await;
    let names = |text: String| -> BTreeSet<String> {
        let mut endpoint = String::new();
        let mut found = BTreeSet::new();
        for line in text.lines().skip(1) {
            let name = line.split(':').next().unwrap_or_default();
            if let Some(parameter) = name.strip_prefix("      ") {
                found.insert(format!("{endpoint}?{parameter}"));
            } else {
                endpoint = name.trim().to_owned();
                found.insert(endpoint.clone());
            }
        }
        found
    };
    let (theirs, own) =
        (names(envoy.admin_get("/help").await.text()), names(ours.admin_get("/help").await.text()));
    let missing: Vec<_> = theirs.difference(&own).filter(|name| !name.starts_with("/logging")).collect();
    assert!(missing.is_empty(), "{missing:?}");
}
