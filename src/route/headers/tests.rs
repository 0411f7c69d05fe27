//! What upstreams and clients get of headers (contract C1), and whom a request is taken to be from.

use super::*;
use config::model::Cidr;

const PEER: std::net::IpAddr = std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

fn upstream(request: request::Builder, conventions: &Conventions) -> Result<request::Parts, LocalReply> {
    let (mut head, ()) = request.body(()).unwrap().into_parts();
    let has_body = head.headers.contains_key(TRANSFER_ENCODING);
    let protocols = &ClientHttp::default();
    let source = Source::of(&head.headers, conventions, PEER);
    let received = Received {
        conventions,
        peer: PEER,
        port: 9009,
        secured: None,
        source,
        has_body,
        head_max: 60 << 10,
        protocols,
    };
    to_upstream(&mut head, received)?;
    Ok(head)
}

fn lines(headers: &HeaderMap) -> Vec<String> {
    headers.iter().map(|(name, value)| format!("{name}: {}", value.to_str().unwrap())).collect()
}

#[test]
fn c1_native_requests_pass_as_they_are() {
    let request = http::Request::get("/a//b/%2e?q=%zz")
        .header("host", "h:1")
        .header("x-b", "1")
        .header("x-a", "1")
        .header("x-b", "2")
        .header("x-envoy-internal", "true");
    let head = upstream(request, &Conventions::None).unwrap();
    assert_eq!(head.uri.to_string(), "/a//b/%2e?q=%zz");
    assert_eq!(lines(&head.headers), ["host: h:1", "x-b: 1", "x-b: 2", "x-a: 1", "x-envoy-internal: true"]);
}

#[test]
fn c6_an_origin_without_a_path_asks_for_its_root() {
    for (target, sent) in
        [("http://h", "/"), ("http://h#x", "/"), ("http://h/", "/"), ("http://h?q=1", "/?q=1")]
    {
        let head = upstream(http::Request::get(target), &Conventions::None).unwrap();
        assert_eq!(head.uri.path_and_query().unwrap().as_str(), sent, "{target}");
        assert_eq!(head.uri.to_string(), sent, "{target}");
    }
}

#[test]
fn c1_hop_by_hop_headers_go_and_the_order_of_values_stays() {
    let request = http::Request::post("/")
        .header("connection", "keep-alive, X-Mine, content-length")
        .header("keep-alive", "timeout=5")
        .header("host", "h")
        .header("x-mine", "1")
        .header("expect", "100-continue")
        .header("te", "trailers")
        .header("content-length", "3")
        .header("a", "2")
        .header("a", "1");
    let head = upstream(request, &Conventions::None).unwrap();
    assert_eq!(lines(&head.headers), ["host: h", "te: trailers", "content-length: 3", "a: 2", "a: 1"]);
}

#[test]
fn c1_absolute_form_becomes_origin_form_with_its_host() {
    let request = http::Request::get("http://user@abs.example:8/x?y=1").header("host", "other");
    let head = upstream(request, &Conventions::None).unwrap();
    assert_eq!(
        (head.uri.to_string().as_str(), head.headers["host"].to_str().unwrap()),
        ("/x?y=1", "abs.example:8")
    );
}

#[test]
fn c1_envoys_additions_follow_its_defaults() {
    let envoy = Conventions::Envoy(EnvoyConventions::default());
    let request = http::Request::get("/").header("host", "h").header("x-envoy-retry-on", "5xx");
    let mut head = upstream(request, &envoy).unwrap();
    add_route_headers(&mut head.headers, &envoy, Some(Duration::from_secs(15)));
    let names: Vec<_> = head.headers.keys().map(HeaderName::as_str).collect();
    assert_eq!(names, ["host", "x-forwarded-proto", "x-request-id", "x-envoy-expected-rq-timeout-ms"]);
    assert_eq!(head.headers["x-envoy-expected-rq-timeout-ms"], "15000");
    assert_eq!(head.headers["x-request-id"].len(), 36);
}

#[test]
fn c4_what_cannot_be_passed_on_is_answered() {
    let refused = |request: request::Builder| upstream(request, &Conventions::None).unwrap_err();
    let get = || http::Request::get("/").header("host", "h");
    assert_eq!(refused(http::Request::get("/")), LocalReply::MissingHost);
    assert_eq!(refused(get().version(Version::HTTP_10)), LocalReply::OldVersion);
    assert_eq!(
        refused(get().header("transfer-encoding", "gzip, chunked")),
        LocalReply::UnknownTransferCoding
    );
    let websocket = get().header("connection", "Upgrade").header("upgrade", "websocket");
    assert_eq!(refused(websocket), LocalReply::Upgrade);
}

#[test]
fn c1_the_answers_headers_survive_but_for_hop_by_hop() {
    let answer = http::Response::builder()
        .header("retry-after", "5")
        .header("connection", "close")
        .header("server", "mimir");
    let (mut head, ()) = answer.body(()).unwrap().into_parts();
    let date = HeaderValue::from_static("now");
    let none = &Conventions::None;
    upstream_told(&mut head, none, Version::HTTP_11, Some(Duration::ZERO));
    to_client(&mut head, none, Version::HTTP_11, None, &date);
    assert_eq!(lines(&head.headers), ["retry-after: 5", "server: mimir"]);
    let envoy = Conventions::Envoy(EnvoyConventions::default());
    upstream_told(&mut head, &envoy, Version::HTTP_11, Some(Duration::from_millis(7)));
    to_client(&mut head, &envoy, Version::HTTP_11, None, &date);
    assert_eq!(
        lines(&head.headers),
        ["retry-after: 5", "server: envoy", "x-envoy-upstream-service-time: 7", "date: now"]
    );
}

#[test]
fn c1_whom_a_request_is_from_is_counted_from_the_right() {
    let ranges = vec![Cidr::new("10.0.0.0".parse().unwrap(), 8).unwrap()];
    let of = |use_remote_address, trusted_hops, lists: &[&str]| {
        let envoy = EnvoyConventions {
            use_remote_address,
            trusted_hops,
            internal: ranges.clone(),
            ..EnvoyConventions::default()
        };
        let mut headers = HeaderMap::new();
        for list in lists {
            headers.append("x-forwarded-for", HeaderValue::from_str(list).unwrap());
        }
        let source = Source::of(&headers, &Conventions::Envoy(envoy), PEER);
        (source.forwarded.map(|ip| ip.to_string()).unwrap_or_default(), source.is_internal)
    };
    let from = |ip: &str, internal| (ip.to_owned(), internal);
    assert_eq!(of(false, 0, &[]), from("", false));
    assert_eq!(of(false, 0, &["10.0.0.1"]), from("10.0.0.1", true));
    assert_eq!(of(false, 0, &["9.9.9.9, 10.0.0.1"]), from("10.0.0.1", false));
    assert_eq!(of(false, 0, &["9.9.9.9", "10.0.0.1"]), from("10.0.0.1", false));
    assert_eq!(of(false, 1, &["9.9.9.9,8.8.8.8 , 10.0.0.1"]), from("8.8.8.8", false));
    assert_eq!(of(false, 2, &["9.9.9.9, 10.0.0.1"]), from("", false));
    assert_eq!(of(true, 0, &["10.0.0.1"]), from("", false));
    assert_eq!(of(true, 1, &["10.0.0.1"]), from("10.0.0.1", false));
    assert_eq!(of(true, 2, &["10.0.0.1"]), from("", false));
    assert_eq!(of(false, 0, &["nonsense"]), from("", false));
}
