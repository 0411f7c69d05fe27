//! Which request goes where: domains and paths, in Envoy's order.

use crate::dsl::{Config, Proxy, Reply, Request, Upstream};

/// Clusters that answer with their own names, and a configuration that knows them.
async fn clusters(names: &[&'static str]) -> (Vec<Upstream>, Config) {
    let mut running = Vec::new();
    let mut config = Config::envoy();
    for name in names {
        let upstream = Upstream::answering(Reply::new(200, name)).await;
        config = config.cluster(name, &[("127.0.0.1", upstream.address().port())]);
        running.push(upstream);
    }
    (running, config)
}

/// A virtual host that leads everything to one cluster.
fn host(domains: &str, cluster: &str) -> String {
    format!(
        "{{ name: {cluster}, domains: {domains}, routes: [{{ match: {{ prefix: / }}, route: {{ cluster: {cluster} }} }}] }}"
    )
}

/// A route of a virtual host.
fn route(condition: &str, cluster: &str) -> String {
    format!("{{ match: {{ {condition} }}, route: {{ cluster: {cluster} }} }}")
}

/// The answer's text, or the status if it has none.
async fn asked(proxy: &Proxy, host: &str, target: &str) -> String {
    let got = proxy.send(&Request::get(target).host(host)).await;
    if got.body.is_empty() { got.status().to_string() } else { got.text() }
}

#[tokio::test]
async fn domains_are_searched_exact_then_suffix_then_prefix_then_any() {
    let (_running, config) = clusters(&["any", "prefix", "suffix", "longer", "exact", "port"]).await;
    let hosts = [
        host("[\"*\"]", "any"),
        host("[\"mimir.*\"]", "prefix"),
        host("[\"*.example\"]", "suffix"),
        host("[\"*.long.example\"]", "longer"),
        host("[\"mimir.example\", \"other.test\"]", "exact"),
        host("[\"mimir.example:9009\"]", "port"),
    ];
    let proxy = Proxy::start(&config.virtual_hosts(&format!("[{}]", hosts.join(", ")))).await;
    for (name, expected) in [
        ("mimir.example", "exact"),
        ("MIMIR.Example", "exact"),
        ("other.test", "exact"),
        ("mimir.example:9009", "port"),
        ("a.example", "suffix"),
        ("a.b.example", "suffix"),
        ("a.long.example", "longer"),
        ("mimir.internal", "prefix"),
        ("mimir.example:80", "prefix"),
        ("example", "any"),
        (".example", "any"),
        ("elsewhere.test", "any"),
    ] {
        assert_eq!(asked(&proxy, name, "/x").await, expected, "{name}");
    }
}

#[tokio::test]
async fn without_a_matching_domain_there_is_no_route() {
    let (_running, config) = clusters(&["one"]).await;
    let proxy =
        Proxy::start(&config.virtual_hosts(&format!("[{}]", host("[\"mimir.example\"]", "one")))).await;
    assert_eq!(asked(&proxy, "mimir.example", "/x").await, "one");
    assert_eq!(asked(&proxy, "mimir.example.test", "/x").await, "404");
}

#[tokio::test]
async fn the_first_matching_route_wins() {
    let (_running, config) = clusters(&["push", "api", "exact", "rest"]).await;
    let routes = [
        route("path: /api/v1/push/", "exact"),
        route("prefix: /api/v1/push", "push"),
        route("prefix: /api/", "api"),
        route("path: /api/v1/push", "rest"),
        route("prefix: /", "rest"),
    ];
    let hosts = format!("[{{ name: all, domains: [\"*\"], routes: [{}] }}]", routes.join(", "));
    let proxy = Proxy::start(&config.virtual_hosts(&hosts)).await;
    for (target, expected) in [
        ("/api/v1/push", "push"),
        ("/api/v1/push/", "exact"),
        ("/api/v1/push/?a=b", "exact"),
        ("/api/v1/pushed?x", "push"),
        ("/api/v1/query?path=/api/v1/push", "api"),
        ("/api", "rest"),
        ("/API/v1/push", "rest"),
        ("//api/v1/push", "rest"),
        ("/%61pi/v1/push", "rest"),
        ("/x/../api/v1/push", "rest"),
    ] {
        assert_eq!(asked(&proxy, "h", target).await, expected, "{target}");
    }
}

#[tokio::test]
async fn each_route_has_its_own_mirrors() {
    let primary = Upstream::answering(Reply::ok()).await;
    let one = Upstream::answering(Reply::ok()).await;
    let two = Upstream::answering(Reply::ok()).await;
    let config = Config::envoy().primary(primary.address());
    let config = config.mirror("one", one.address()).mirror("two", two.address());
    let to = |mirrors: &str| format!("route: {{ cluster: primary, request_mirror_policies: [{mirrors}] }}");
    let routes = [
        format!("{{ match: {{ prefix: /both }}, {} }}", to("{ cluster: one }, { cluster: two }")),
        format!("{{ match: {{ prefix: /one }}, {} }}", to("{ cluster: one }")),
        format!("{{ match: {{ prefix: / }}, {} }}", to("")),
    ];
    let hosts = format!("[{{ name: all, domains: [\"*\"], routes: [{}] }}]", routes.join(", "));
    let proxy = Proxy::start(&config.virtual_hosts(&hosts)).await;
    for target in ["/both", "/one", "/none"] {
        assert_eq!(proxy.send(&Request::get(target)).await.status(), 200);
    }
    assert_eq!(proxy.settled_at("one", 2).await.delivered(), 2);
    assert_eq!(proxy.settled_at("two", 1).await.delivered(), 1);
    let seen = |upstream: &Upstream| -> Vec<_> {
        let mut targets: Vec<_> = upstream.requests().iter().map(|m| m.target().to_owned()).collect();
        targets.sort();
        targets
    };
    assert_eq!(
        (seen(&one), seen(&two)),
        (vec!["/both".to_owned(), "/one".to_owned()], vec!["/both".to_owned()])
    );
    assert_eq!(primary.completed(), 3);
}

/// The most specific list of mirrors wins as a whole: route, then virtual host, then route configuration.
#[tokio::test]
async fn the_most_specific_list_of_mirrors_wins() {
    let primary = Upstream::answering(Reply::ok()).await;
    let one = Upstream::answering(Reply::ok()).await;
    let two = Upstream::answering(Reply::ok()).await;
    let config = Config::envoy().primary(primary.address());
    let config = config.mirror("one", one.address()).mirror("two", two.address());
    let hosts = "[{ name: all, domains: [\"*\"], request_mirror_policies: [{ cluster: one }], routes: [\
        { match: { prefix: /own }, route: { cluster: primary, request_mirror_policies: [{ cluster: two }] } }, \
        { match: { prefix: / }, route: { cluster: primary } }] }]";
    let proxy = Proxy::start(&config.virtual_hosts(hosts)).await;
    for target in ["/own", "/inherited"] {
        assert_eq!(proxy.send(&Request::get(target)).await.status(), 200);
    }
    assert_eq!((one.only().await.target(), two.only().await.target()), ("/inherited", "/own"));
}
