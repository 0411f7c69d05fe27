//! Rewrites of paths and hosts, for the primary and for the copy; and answers that routes give themselves.

use crate::dsl::{Reply, Request};

use super::BOTH;
use super::file::File;
use super::scenario::Scenario;

/// One route whose action has these entries; every target goes through it.
async fn rewritten(matching: &str, action: &str, requests: &[Request]) {
    Scenario::of(File::new().matching(matching).action(action))
        .run(async |run| {
            for (number, request) in requests.iter().enumerate() {
                run.exchange(&format!("{matching} {action} {number}"), request, &BOTH).await;
            }
        })
        .await;
}

#[tokio::test]
async fn prefixes() {
    let get = |target| Request::get(target);
    rewritten("prefix: /pre", "prefix_rewrite: /new", &[get("/pre/a?b=1"), get("/prefix"), get("/pre")])
        .await;
    rewritten("prefix: /pre/", "prefix_rewrite: /", &[get("/pre/api/v1/push"), get("/pre//x")]).await;
    rewritten("path: /exact", "prefix_rewrite: /new", &[get("/exact?x")]).await;
    rewritten("path_separated_prefix: /a/b", "prefix_rewrite: /", &[get("/a/b"), get("/a/b/c")]).await;
    rewritten("safe_regex: { regex: \"/re.*x\" }", "prefix_rewrite: /new", &[get("/reax?q=/z")]).await;
    let own = get("/pre").header("X-Envoy-Original-Path", "/mine").header("X-Envoy-Original-Host", "mine");
    rewritten("prefix: /PRE, case_sensitive: false", "prefix_rewrite: /new", &[own]).await;
}

#[tokio::test]
async fn expressions() {
    let service = "regex_rewrite: { pattern: { regex: \"^/service/([^/]+)(/.*)$\" }, substitution: \"\\\\2/instance/\\\\1\" }";
    let targets = ["/service/foo/v1/api?x=/service/", "/service/foo", "/other"];
    rewritten("prefix: /", service, &targets.map(Request::get)).await;
    let letters = "regex_rewrite: { pattern: { regex: \"b+\" }, substitution: \"<\\\\0>\" }";
    rewritten(
        "prefix: /",
        "regex_rewrite: { pattern: { regex: \"b*\" }, substitution: \"\" }",
        &[Request::get("/abbc")],
    )
    .await;
    rewritten("prefix: /", &letters.replace(['<', '>'], "."), &[Request::get("/abbcb?b")]).await;
}

#[tokio::test]
async fn hosts() {
    let get = || Request::get("/x").host("mimir.example:81");
    rewritten("prefix: /", "host_rewrite_literal: \"lit.example:99\"", &[get()]).await;
    rewritten("prefix: /", "host_rewrite: lit.example", &[get()]).await;
    let named = [
        get().header("X-H", "from.header"),
        get(),
        get().header("X-H", ""),
        get().header("X-H", "a").header("X-H", "b"),
    ];
    rewritten("prefix: /", "host_rewrite_header: x-h", &named).await;
    let path =
        "host_rewrite_path_regex: { pattern: { regex: \"^/([^/]+)/.*$\" }, substitution: \"\\\\1.example\" }";
    rewritten("prefix: /", path, &[Request::get("/tenant/api?x=1")]).await;
    let append = "host_rewrite_literal: lit.example, append_x_forwarded_host: true, prefix_rewrite: /new";
    let forwarded = [get(), get().header("X-Forwarded-Host", "mine")];
    rewritten("prefix: /", append, &forwarded).await;
    rewritten("prefix: /", "append_x_forwarded_host: true", &forwarded).await;
    rewritten("prefix: /", "auto_host_rewrite: true, append_x_forwarded_host: true", &[get()]).await;
}

#[tokio::test]
async fn the_name_of_an_endpoint() {
    let named = "type: STRICT_DNS, dns_lookup_family: V4_ONLY, load_assignment: { cluster_name: primary, endpoints: [{ lb_endpoints: [{ endpoint: { address: { socket_address: { address: localhost, port_value: <primary> } } } }] }] }";
    Scenario::of(File::new().cluster("primary", named).action("auto_host_rewrite: true"))
        .not_convertible("Envoy warns of the older fields of DNS")
        .run(async |run| {
            run.exchange("a named endpoint", &Request::push("x"), &BOTH).await;
        })
        .await;
}

#[tokio::test]
async fn without_envoys_headers() {
    let file = File::new().router("suppress_envoy_headers: true");
    let file = file.action("prefix_rewrite: /new, host_rewrite_literal: lit.example");
    Scenario::of(file)
        .run(async |run| {
            run.exchange("a write", &Request::push("x"), &BOTH).await;
        })
        .await;
}

#[tokio::test]
async fn direct_responses() {
    let routes = "[
        { match: { prefix: /hello }, direct_response: { status: 200, body: { inline_string: \"hello\" } } },
        { match: { prefix: /empty }, direct_response: { status: 503 } },
        { match: { prefix: /bytes }, direct_response: { status: 404, body: { inline_bytes: \"aGk=\" } } },
        { match: { prefix: /file }, direct_response: { status: 200, body: { filename: \"<dir>/page.txt\" } } }]";
    Scenario::of(File::new().routes(routes))
        .with_file("page.txt", "from a file\n")
        .differs(
            "a write / client: connection",
            "close",
            "(absent)",
            "the request was read to its end, so the connection can go on",
        )
        .run(async |run| {
            for target in ["/hello?x", "/empty", "/bytes", "/file"] {
                run.exchange(target, &Request::get(target), &[]).await;
            }
            run.exchange("a write", &Request::new("POST", "/hello").body("x"), &[]).await;
            run.stat("http.ingress.rq_direct_response", 5).await;
            run.stat("http.ingress.downstream_rq_2xx", 3).await;
        })
        .await;
}

#[tokio::test]
async fn redirects() {
    let routes = "[
        { match: { prefix: /https }, redirect: { https_redirect: true, prefix_rewrite: /x } },
        { match: { prefix: /port }, redirect: { port_redirect: 8443, path_redirect: \"/p?q=1\", response_code: FOUND } },
        { match: { prefix: /path }, redirect: { path_redirect: /p, response_code: SEE_OTHER } },
        { match: { prefix: /strip }, redirect: { host_redirect: o.example, strip_query: true, response_code: PERMANENT_REDIRECT } },
        { match: { prefix: /regex }, redirect: { scheme_redirect: ftp, regex_rewrite: { pattern: { regex: \"^/regex/(.*)$\" }, substitution: \"/\\\\1\" }, response_code: TEMPORARY_REDIRECT } }]";
    Scenario::of(File::new().routes(routes))
        .run(async |run| {
            for target in ["/https/a?b", "/port/a?z", "/path?a", "/strip/a?z=1", "/regex/a/b?c"] {
                for host in ["mimir.example", "mimir.example:81", "h:80", "[::1]:80", "h:443"] {
                    let request = Request::get(target).host(host);
                    run.exchange(&format!("{target} of {host}"), &request, &[]).await;
                }
            }
            let secure = Request::get("/https").host("h:443").header("X-Forwarded-Proto", "https");
            run.exchange("https already", &secure, &[]).await;
            run.stat("http.ingress.rq_direct_response", 26).await;
        })
        .await;
}

#[tokio::test]
async fn long_bodies() {
    let body = "long ".repeat(1000);
    let route = format!("direct_response: {{ status: 200, body: {{ inline_string: \"{body}\" }} }}");
    let file = File::new().route(&route);
    let file = file.route_config("validate_clusters: false, max_direct_response_body_size_bytes: 5000");
    Scenario::of(file)
        .run(async |run| {
            run.exchange("a read", &Request::get("/x"), &[]).await;
        })
        .await;
}

/// The primary is silent for longer than the route allows; the copy has been sent.
#[tokio::test]
async fn idle_timeouts() {
    let file = File::new().manager("stream_idle_timeout: 60s").action("idle_timeout: 0.2s, timeout: 60s");
    Scenario::of(file)
        .upstream("primary", |_| Reply::silence())
        .run(async |run| {
            run.exchange("a read", &Request::get("/x"), &BOTH).await;
            run.stat("http.ingress.downstream_rq_idle_timeout", 1).await;
        })
        .await;
}
