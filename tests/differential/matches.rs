//! Which route a request takes.

use crate::dsl::Request;

use super::file::File;
use super::scenario::Scenario;

type Case = (&'static str, &'static str, &'static [(&'static str, &'static [(&'static str, &'static str)])]);

/// A route for each case, which answers with its number; every request of the case tells whether it got there.
async fn decide(cases: &[Case]) {
    let routes: Vec<String> = cases
        .iter()
        .enumerate()
        .map(|(number, (path, conditions, _))| {
            let body =
                format!("direct_response: {{ status: 200, body: {{ inline_string: \"route {number}\" }} }}");
            format!("{{ match: {{ {path}, {conditions} }}, {body} }}")
        })
        .collect();
    Scenario::of(File::new().routes(&format!("[{}]", routes.join(", "))))
        .run(async |run| {
            for (_, conditions, requests) in cases {
                for (number, (target, headers)) in requests.iter().enumerate() {
                    let mut request = Request::get(target);
                    for (name, value) in *headers {
                        request = request.header(name, value);
                    }
                    run.exchange(&format!("{conditions} {number} {target}"), &request, &[]).await;
                }
            }
        })
        .await;
}

#[tokio::test]
async fn paths() {
    decide(&[
        ("path: /a", "", &[("/a", &[]), ("/a?x", &[]), ("/a/", &[]), ("/A", &[])]),
        ("prefix: /b", "", &[("/bc", &[]), ("/%62", &[]), ("//b", &[]), ("/x/../b", &[])]),
        ("prefix: /C", "case_sensitive: false", &[("/cD", &[])]),
        ("path: /D", "case_sensitive: false", &[("/d?D", &[]), ("/dd", &[])]),
        (
            "path_separated_prefix: /e/f",
            "",
            &[("/e/f", &[]), ("/e/f/", &[]), ("/e/fx", &[]), ("/e/f?x", &[])],
        ),
        ("path_separated_prefix: /g", "case_sensitive: false", &[("/G/x", &[])]),
        ("safe_regex: { regex: \"/h[0-9]+(/.*)?\" }", "", &[("/h1", &[]), ("/h12/x?y", &[]), ("/hx", &[])]),
        ("safe_regex: { regex: /i }", "case_sensitive: false", &[("/I", &[]), ("/i", &[]), ("/ij", &[])]),
        ("safe_regex: { regex: \"(?i)/j\\\\d\" }", "", &[("/J1", &[]), ("/jx", &[])]),
    ])
    .await;
}

#[tokio::test]
async fn headers() {
    decide(&[
        ("prefix: /a", "headers: [{ name: x-a, string_match: { exact: \"\" } }]", &[("/a", &[]), ("/a", &[("x-a", "")]), ("/a", &[("x-a", "1")])]),
        ("prefix: /b", "headers: [{ name: x-a, string_match: { exact: v } }]", &[("/b", &[("x-a", "w"), ("x-a", "v")]), ("/b", &[("x-a", "v, w")]), ("/b", &[("X-A", "V")])]),
        ("prefix: /c", "headers: [{ name: X-A }]", &[("/c", &[]), ("/c", &[("x-a", "")])]),
        ("prefix: /d", "headers: [{ name: x-a, invert_match: true }]", &[("/d", &[]), ("/d", &[("x-a", "")])]),
        ("prefix: /e", "headers: [{ name: x-a, present_match: false }]", &[("/e", &[]), ("/e", &[("x-a", "")])]),
        ("prefix: /f", "headers: [{ name: x-a, present_match: false, invert_match: true }]", &[("/f", &[]), ("/f", &[("x-a", "")])]),
        ("prefix: /g", "headers: [{ name: x-a, string_match: { exact: v }, invert_match: true }]", &[("/g", &[]), ("/g", &[("x-a", "v")]), ("/g", &[("x-a", "w")]), ("/g", &[("x-a", "w"), ("x-a", "v")])]),
        ("prefix: /h", "headers: [{ name: x-a, string_match: { exact: v }, invert_match: true, treat_missing_header_as_empty: true }]", &[("/h", &[]), ("/h", &[("x-a", "v")])]),
        ("prefix: /i", "headers: [{ name: x-a, range_match: { start: -5, end: 10 } }]", &[("/i", &[("x-a", "-5")]), ("/i", &[("x-a", "10")]), ("/i", &[("x-a", "+9")]), ("/i", &[("x-a", "9x")]), ("/i", &[("x-a", "99"), ("x-a", "2")])]),
        ("prefix: /j", "headers: [{ name: x-a, string_match: { contains: BC, ignore_case: true } }]", &[("/j", &[("x-a", "abcd")]), ("/j", &[("x-a", "acb")])]),
        ("prefix: /k", "headers: [{ name: x-a, string_match: { safe_regex: { regex: \"b+\" } } }]", &[("/k", &[("x-a", "bb")]), ("/k", &[("x-a", "bbc")])]),
        ("prefix: /l", "headers: [{ name: x-a, string_match: { prefix: ab } }, { name: x-b, string_match: { suffix: yz } }]", &[("/l", &[("x-a", "abc"), ("x-b", "xyz")]), ("/l", &[("x-a", "abc")])]),
        ("prefix: /m", "headers: [{ name: x-envoy-internal, present_match: true }]", &[("/m", &[("x-envoy-internal", "true")])]),
        ("prefix: /n", "headers: [{ name: x-request-id, present_match: true }]", &[("/n", &[])]),
    ])
    .await;
}

#[tokio::test]
async fn pseudo_headers() {
    decide(&[
        ("prefix: /a", "headers: [{ name: \":method\", string_match: { exact: GET } }]", &[("/a", &[])]),
        ("prefix: /b", "headers: [{ name: \":method\", string_match: { exact: POST } }]", &[("/b", &[])]),
        (
            "prefix: /c",
            "headers: [{ name: \":path\", string_match: { suffix: \"?q\" } }]",
            &[("/c?q", &[]), ("/c", &[])],
        ),
        (
            "prefix: /d",
            "headers: [{ name: \":authority\", string_match: { prefix: \"mimir.\" } }]",
            &[("/d", &[])],
        ),
        ("prefix: /e", "headers: [{ name: host, string_match: { prefix: \"mimir.\" } }]", &[("/e", &[])]),
        (
            "prefix: /f",
            "headers: [{ name: \":scheme\", string_match: { exact: http } }]",
            &[("/f", &[]), ("/f", &[("x-forwarded-proto", "https")])],
        ),
    ])
    .await;
}

/// What Envoy calls deprecated and still takes.
#[tokio::test]
async fn older_spellings() {
    decide(&[
        (
            "prefix: /a",
            "headers: [{ name: x-a, exact_match: v }]",
            &[("/a", &[("x-a", "v")]), ("/a", &[("x-a", "w")])],
        ),
        (
            "prefix: /b",
            "headers: [{ name: x-a, exact_match: \"\" }]",
            &[("/b", &[("x-a", "v")]), ("/b", &[])],
        ),
        (
            "prefix: /c",
            "headers: [{ name: x-a, prefix_match: ab }]",
            &[("/c", &[("x-a", "abc")]), ("/c", &[("x-a", "cab")])],
        ),
        (
            "prefix: /d",
            "headers: [{ name: x-a, suffix_match: bc }]",
            &[("/d", &[("x-a", "abc")]), ("/d", &[("x-a", "bca")])],
        ),
        (
            "prefix: /e",
            "headers: [{ name: x-a, contains_match: b }]",
            &[("/e", &[("x-a", "abc")]), ("/e", &[("x-a", "ac")])],
        ),
        (
            "prefix: /f",
            "headers: [{ name: x-a, safe_regex_match: { google_re2: {}, regex: \"a+\" } }]",
            &[("/f", &[("x-a", "aa")]), ("/f", &[("x-a", "ab")])],
        ),
    ])
    .await;
}

#[tokio::test]
async fn query_parameters() {
    decide(&[
        (
            "prefix: /a",
            "query_parameters: [{ name: q }]",
            &[
                ("/a?q", &[]),
                ("/a?q=", &[]),
                ("/a?x&q=1", &[]),
                ("/a?Q=1", &[]),
                ("/a", &[]),
                ("/a?%71=1", &[]),
            ],
        ),
        (
            "prefix: /b",
            "query_parameters: [{ name: q, present_match: false }]",
            &[("/b?q", &[]), ("/b", &[])],
        ),
        (
            "prefix: /c",
            "query_parameters: [{ name: q, string_match: { exact: \"a%20b\" } }]",
            &[("/c?q=a%20b&q=x", &[]), ("/c?q=x&q=a%20b", &[]), ("/c?q=a+b", &[])],
        ),
        (
            "prefix: /d",
            "query_parameters: [{ name: q, string_match: { exact: \"\" } }]",
            &[("/d?q", &[]), ("/d?q=", &[]), ("/d", &[])],
        ),
        (
            "prefix: /e",
            "query_parameters: [{ name: q, string_match: { exact: \"1\" } }]",
            &[("/e?a;q=1", &[]), ("/e??q=1", &[]), ("/e?a?q=1", &[]), ("/e?q=1=1", &[])],
        ),
    ])
    .await;
}

#[tokio::test]
async fn shares_of_a_route() {
    decide(&[
        ("prefix: /a", "runtime_fraction: { default_value: { numerator: 0 } }", &[("/a", &[])]),
        (
            "prefix: /b",
            "runtime_fraction: { default_value: { numerator: 100 }, runtime_key: no.such.key }",
            &[("/b", &[])],
        ),
        (
            "prefix: /c",
            "runtime_fraction: { default_value: { numerator: 2000000, denominator: MILLION } }",
            &[("/c", &[])],
        ),
    ])
    .await;
}

#[tokio::test]
async fn grpc_requests() {
    let routes = "[{ match: { prefix: /, grpc: {} }, route: { cluster: mirror } }, { match: { prefix: / }, route: { cluster: primary } }]";
    Scenario::of(File::new().routes(routes))
        .run(async |run| {
            for (kind, to) in [
                ("application/grpc", "mirror"),
                ("application/grpc+proto", "mirror"),
                ("application/grpc-web", "primary"),
                ("text/plain", "primary"),
            ] {
                let request = Request::new("POST", "/x").header("content-type", kind).body("x");
                run.exchange(kind, &request, &[to]).await;
            }
        })
        .await;
}

async fn hosts(file: File, domains: &[(&str, &str)], asked: &[&str]) {
    let hosts: Vec<String> = domains
        .iter()
        .enumerate()
        .map(|(number, (domain, _))| {
            format!("{{ name: host-{number}, domains: [\"{domain}\"], routes: [{{ match: {{ prefix: / }}, route: {{ cluster: primary, regex_rewrite: {{ pattern: {{ regex: \"^\" }}, substitution: \"/host-{number}\" }}, request_mirror_policies: [{{ cluster: mirror }}] }} }}] }}")
        })
        .collect();
    let text = file.render();
    let at = text.find("virtual_hosts:").expect("a route configuration");
    let end = at + text[at..].find("},\n          http_filters").expect("the router behind");
    let text = format!("{}virtual_hosts: [{}] {}", &text[..at], hosts.join(", "), &text[end..]);
    Scenario::of(File::text(&text))
        .run(async |run| {
            for host in asked {
                let listen = run.listen().port().to_string();
                let request = Request::push("x").host(&host.replace("<listen>", &listen));
                run.exchange(host, &request, &super::BOTH).await;
            }
        })
        .await;
}

#[tokio::test]
async fn ports_of_hosts() {
    let domains = [("mimir.example", ""), ("mimir.example:81", ""), ("*", "")];
    let asked = ["mimir.example", "mimir.example:81", "[::1]:80", "mimir.example."];
    hosts(File::new(), &domains, &asked).await;
    hosts(File::new().manager("strip_any_host_port: true"), &domains, &asked).await;
    let own = ["mimir.example:<listen>", "mimir.example:81", "[::1]:<listen>"];
    hosts(File::new().manager("strip_matching_host_port: true"), &domains, &own).await;
    hosts(File::new().manager("strip_trailing_host_dot: true"), &domains, &asked).await;
    hosts(File::new().route_config("ignore_port_in_host_matching: true"), &domains, &asked).await;
}

#[tokio::test]
async fn merged_slashes() {
    let routes = "[{ match: { prefix: /a/b }, route: { cluster: primary, request_mirror_policies: [{ cluster: mirror }] } }]";
    Scenario::of(
        File::new()
            .manager("merge_slashes: true, path_with_escaped_slashes_action: KEEP_UNCHANGED")
            .routes(routes),
    )
    .run(async |run| {
        for target in ["/a/b", "/a//b", "//a///b//c//?d=//e", "/a/b?//"] {
            run.exchange(target, &Request::get(target), &super::BOTH).await;
        }
        run.exchange("elsewhere", &Request::get("/a%2F%2Fb"), &[]).await;
    })
    .await;
}
