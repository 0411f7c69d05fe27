//! C6: the copy equals what the primary received, but for the documented changes.

use std::collections::BTreeSet;

use crate::dsl::http1::{Fields, Framing, Message};
use crate::dsl::{Config, Proxy, Reply, Request, Upstream, bytes_of};

/// Names in lower case, sorted; without the framing, which the copy may say in its own way.
fn without_framing(message: &Message) -> Fields {
    let mut fields: Fields =
        message.headers.iter().map(|(n, v)| (n.to_ascii_lowercase(), v.clone())).collect();
    fields.retain(|(n, _)| n != "content-length" && n != "transfer-encoding");
    fields.sort_by(|a, b| a.0.cmp(&b.0));
    fields
}

fn replace(fields: &mut Fields, name: &str, value: &str) {
    fields.retain(|(n, _)| n != name);
    fields.push((name.to_owned(), value.as_bytes().to_vec()));
    fields.sort_by(|a, b| a.0.cmp(&b.0));
}

/// What both clusters got of a request, from a configuration to which the two are added.
async fn both(
    config: Config,
    requests: &[Request],
    change: impl FnOnce(Config) -> Config,
) -> [Vec<Message>; 2] {
    let primary = Upstream::answering(Reply::ok()).await;
    let mirror = Upstream::answering(Reply::ok()).await;
    let config = change(config.primary(primary.address()).mirror("secondary", mirror.address()));
    let proxy = Proxy::start(&config).await;
    let mut client = proxy.client().await;
    for request in requests {
        assert_eq!(client.exchange(request).await.status(), 200);
    }
    [primary.received(requests.len()).await, mirror.received(requests.len()).await]
}

/// The same for one request: what the primary got, and the copy.
async fn one(config: Config, request: Request, change: impl FnOnce(Config) -> Config) -> (Message, Message) {
    let [mut primary, mut mirror] = both(config, &[request], change).await;
    (primary.remove(0), mirror.remove(0))
}

/// Bodies and framing: equal, whole, and with one unambiguous end.
fn assert_same_body(primary: &Message, copy: &Message) {
    assert!(copy.complete && copy.body == primary.body, "the copy's body was changed");
    assert_eq!((copy.method(), copy.target()), (primary.method(), primary.target()));
    assert_eq!(copy.trailers, primary.trailers);
    let ends = copy.values("content-length").len() + copy.values("transfer-encoding").len();
    assert!(ends <= 1, "two ends: {:?}", copy.headers);
    let has_body = primary.framing != Framing::None && !primary.body.is_empty();
    assert!(!has_body || copy.framing != Framing::None, "a body without an end: {:?}", copy.headers);
}

fn a_write() -> Request {
    Request::push(bytes_of(67_000, 1))
        .header("User-Agent", "Prometheus/2.42.0")
        .header("Authorization", "Basic dXNlcjpwYXNz")
        .header("X-Many", "one")
        .header("X-Bytes", [0x80, 0xff])
        .header("X-Many", "two")
}

#[tokio::test]
async fn c6_from_an_envoy_file_the_copy_differs_as_envoys_does() {
    let (primary, copy) = one(Config::envoy(), a_write().host("mimir.example:9009"), |c| c).await;
    assert_same_body(&primary, &copy);
    let mut expected = without_framing(&primary);
    replace(&mut expected, "host", "mimir.example-shadow:9009");
    replace(&mut expected, "x-envoy-internal", "true");
    let forwarded = copy.header("x-forwarded-for").expect("the proxy's address");
    forwarded.parse::<std::net::IpAddr>().expect("an address");
    replace(&mut expected, "x-forwarded-for", &forwarded);
    assert_eq!(without_framing(&copy), expected);
    assert_eq!(copy.header("x-request-id"), primary.header("x-request-id"));
}

#[tokio::test]
async fn c6_from_an_envoy_file_the_address_is_appended_to_the_clients() {
    let request = a_write().header("X-Forwarded-For", "192.0.2.9");
    let (primary, copy) = one(Config::envoy(), request, |c| c).await;
    assert_eq!(primary.header("x-forwarded-for").as_deref(), Some("192.0.2.9"));
    let forwarded = copy.header("x-forwarded-for").expect("appended");
    let appended = forwarded.strip_prefix("192.0.2.9,").expect("the client's own first");
    appended.trim().parse::<std::net::IpAddr>().expect("an address");
}

#[tokio::test]
async fn c6_from_the_native_form_only_the_host_differs() {
    let primary = Upstream::answering(Reply::ok()).await;
    let mirror = Upstream::answering(Reply::ok()).await;
    let config = Config::native().primary(primary.address()).mirror("secondary", mirror.address());
    let proxy = Proxy::start(&config).await;
    assert_eq!(proxy.send(&a_write()).await.status(), 200);
    let (got, copy) = (primary.only().await, mirror.only().await);
    assert_same_body(&got, &copy);
    let mut expected = without_framing(&got);
    replace(&mut expected, "host", &mirror.address().to_string());
    assert_eq!(without_framing(&copy), expected);
}

#[tokio::test]
async fn c6_the_shadow_suffix_stands_before_the_port() {
    let hosts = [
        ("h", "h-shadow"),
        ("h:8080", "h-shadow:8080"),
        ("10.1.2.3", "10.1.2.3-shadow"),
        ("10.1.2.3:80", "10.1.2.3-shadow:80"),
        ("[::1]", "[::1]-shadow"),
        ("[::1]:8080", "[::1]-shadow:8080"),
    ];
    let requests: Vec<_> = hosts.iter().map(|(host, _)| Request::push(*host).host(host)).collect();
    let [_, copies] = both(Config::envoy(), &requests, |c| c).await;
    // Copies of different requests may come in any order: the body tells which it is.
    let got: BTreeSet<_> = copies.iter().map(|m| (m.text(), m.header("host").unwrap_or_default())).collect();
    let expected: BTreeSet<_> = hosts.iter().map(|(h, s)| ((*h).to_owned(), (*s).to_owned())).collect();
    assert_eq!(got, expected);
}

#[tokio::test]
async fn c6_the_shadow_suffix_can_be_left_out() {
    let request = a_write().host("mimir.example:9009");
    let change = |c: Config| c.policy("disable_shadow_host_suffix_append: true");
    let (_, copy) = one(Config::envoy(), request, change).await;
    assert_eq!(copy.header("host").as_deref(), Some("mimir.example:9009"));
}

#[tokio::test]
async fn c6_the_copys_host_can_be_written() {
    let (primary, copy) =
        one(Config::envoy(), a_write(), |c| c.policy("host_rewrite_literal: \"testing.example:99\"")).await;
    assert_eq!(copy.header("host").as_deref(), Some("testing.example:99"));
    assert_eq!(primary.header("host").as_deref(), Some("mimir.example"));
}

#[tokio::test]
async fn c6_header_mutations_change_the_copy_only() {
    let mutations = "request_headers_mutations: [\
        { append: { header: { key: x-many, value: three } } }, \
        { append: { header: { key: x-new, value: added }, append_action: ADD_IF_ABSENT } }, \
        { append: { header: { key: user-agent, value: mirror }, append_action: OVERWRITE_IF_EXISTS_OR_ADD } }, \
        { remove: authorization }]";
    let (primary, copy) = one(Config::envoy(), a_write(), |c| c.policy(mutations)).await;
    assert_same_body(&primary, &copy);
    assert_eq!(copy.values("x-many"), [b"one".as_slice(), b"two", b"three"]);
    assert_eq!(copy.header("x-new").as_deref(), Some("added"));
    assert_eq!((copy.header("user-agent").as_deref(), copy.header("authorization")), (Some("mirror"), None));
    assert_eq!(primary.values("x-many"), [b"one".as_slice(), b"two"]);
    assert_eq!(primary.header("x-new"), None);
    assert_eq!(primary.header("authorization").as_deref(), Some("Basic dXNlcjpwYXNz"));
}

#[tokio::test]
async fn c6_native_headers_change_the_copy_only() {
    let change = |c: Config| c.setting("headers", "{ set: { X-Many: set }, remove: [authorization] }");
    let (primary, copy) = one(Config::native(), a_write(), change).await;
    assert_same_body(&primary, &copy);
    assert_eq!((copy.header("x-many").as_deref(), copy.header("authorization")), (Some("set"), None));
    assert_eq!(primary.values("x-many"), [b"one".as_slice(), b"two"]);
}

#[tokio::test]
async fn c6_the_mirrors_own_credentials_replace_the_clients() {
    let change = |c: Config| c.setting("auth", "{ username: u, password: p }");
    let (primary, copy) = one(Config::native(), a_write(), change).await;
    assert_eq!(copy.header("authorization").as_deref(), Some("Basic dTpw"));
    assert_eq!(primary.header("authorization").as_deref(), Some("Basic dXNlcjpwYXNz"));
}

#[tokio::test]
async fn c6_every_framing_is_copied() {
    let body = bytes_of(100_000, 2);
    let requests = [
        Request::push(body.clone()),
        Request::push(""),
        Request::new("POST", "/chunked").chunks(&[&body[..10], &body[10..]]),
        Request::new("POST", "/chunked/empty").chunks(&[]),
        Request::get("/get"),
        Request::get("/get/length").body("query=up"),
        Request::get("/get/chunked").chunks(&[b"query=up"]),
        Request::new("PUT", "/put").body("x"),
        Request::new("DELETE", "/delete"),
        Request::get("/a//b/../c/%2e%2F?x=%zz&&y[]=1"),
    ];
    let [primary, copies] = both(Config::envoy(), &requests, |c| c).await;
    for got in &primary {
        let copy = copies.iter().find(|c| c.target() == got.target() && c.body == got.body);
        assert_same_body(got, copy.unwrap_or_else(|| panic!("no copy of {}", got.start)));
    }
}

#[tokio::test]
async fn c6_a_body_sent_as_many_small_chunks_is_copied() {
    let body = bytes_of(50_000, 3);
    let chunks: Vec<_> = body.chunks(7).collect();
    let request = Request::new("POST", "/api/v1/push").chunks(&chunks);
    let (primary, copy) = one(Config::envoy(), request, |c| c).await;
    assert_same_body(&primary, &copy);
    assert!(primary.body == body, "the body was changed");
}

#[tokio::test]
async fn c6_announced_trailers_are_copied() {
    let request = Request::new("POST", "/api/v1/push")
        .header("Trailer", "X-Checksum")
        .header("TE", "trailers")
        .chunks_and_trailers(&[b"body"], &[("X-Checksum", "abc")]);
    let (primary, copy) = one(Config::native(), request, |c| c).await;
    assert_same_body(&primary, &copy);
    assert_eq!(copy.trailers, [("x-checksum".to_owned(), b"abc".to_vec())]);
}

#[tokio::test]
async fn c6_hop_by_hop_headers_and_expect_are_not_copied() {
    let request = a_write()
        .header("Connection", "keep-alive, X-Private")
        .header("X-Private", "secret")
        .header("Keep-Alive", "timeout=5")
        .header("Expect", "100-continue");
    let (_, copy) = one(Config::envoy(), request, |c| c).await;
    for gone in ["x-private", "keep-alive", "expect"] {
        assert_eq!(copy.values(gone), Vec::<&[u8]>::new(), "{gone} was copied");
    }
}

#[tokio::test]
async fn c6_each_of_several_mirrors_gets_each_request_once() {
    let primary = Upstream::answering(Reply::ok()).await;
    let mut mirrors = Vec::new();
    let mut config = Config::envoy().primary(primary.address());
    for name in ["one", "two", "three"] {
        let mirror = Upstream::answering(Reply::ok()).await;
        config = config.mirror(name, mirror.address());
        mirrors.push(mirror);
    }
    let proxy = Proxy::start(&config).await;
    let mut client = proxy.client().await;
    for n in 0..50 {
        assert_eq!(client.exchange(&Request::push(format!("{n}"))).await.status(), 200);
    }
    let expected: BTreeSet<_> = (0..50).map(|n| n.to_string()).collect();
    for (name, mirror) in ["one", "two", "three"].iter().zip(&mirrors) {
        assert_eq!(proxy.settled_at(name, 50).await.delivered(), 50);
        let got: BTreeSet<_> = mirror.requests().iter().map(Message::text).collect();
        assert_eq!((mirror.begun(), got), (50, expected.clone()), "{name}");
    }
}

/// A test cluster that is the primary itself: every request twice, the second time as a copy.
#[tokio::test]
async fn c6_a_cluster_can_be_its_own_mirror() {
    let cluster = Upstream::answering(Reply::ok()).await;
    let config = Config::envoy().primary(cluster.address()).mirror("secondary", cluster.address());
    let proxy = Proxy::start(&config).await;
    assert_eq!(proxy.send(&a_write()).await.status(), 200);
    let got = cluster.received(2).await;
    let mut hosts: Vec<_> = got.iter().filter_map(|m| m.header("host")).collect();
    hosts.sort();
    assert_eq!(hosts, ["mimir.example", "mimir.example-shadow"]);
    assert!(got[0].body == got[1].body, "the copy's body was changed");
}
