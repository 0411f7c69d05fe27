//! The files in `examples/` load, and mean what they say.

#![allow(clippy::expect_used, clippy::panic, reason = "test code outside of #[test] functions")]

use std::path::{Path, PathBuf};
use std::time::Duration;

use config::model::{
    Backlog, Config, Conventions, CopyHost, Delivery, Discovery, Dns, Domain, EnvoyConventions, Fraction,
    HeaderMutation, Host, PathMatch, Requests, RouteMatch, When,
};
use config::{Flags, Input, load};

fn example(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples").join(name)
}

fn read(name: &str) -> Config {
    let input = Input { path: Some(example(name)), ..Input::default() };
    load(&input).unwrap_or_else(|error| panic!("{error}"))
}

/// What two models share apart from their origin and text.
fn shape(config: &Config) -> String {
    format!("{:#?}\n{:#?}\n{:#?}\n{:#?}", config.admin, config.listeners, config.clusters, config.mirrors)
}

#[test]
fn documented_envoy_file_in_both_spellings() {
    let v2 = read("envoy-v2.yaml");
    assert_eq!(shape(&v2), shape(&read("envoy-v3.yaml")));
    assert_eq!(v2.warnings, Vec::<String>::new());
    assert_eq!(v2.admin.as_ref().map(|admin| admin.address.to_string()).as_deref(), Some("0.0.0.0:9901"));
    let [listener] = v2.listeners.as_slice() else { panic!("{:?}", v2.listeners) };
    assert_eq!((listener.name.as_str(), listener.address.port()), ("mimir_listener", 9900));
    let http = &listener.http;
    assert_eq!(http.stat_prefix, "mimir_ingress");
    assert_eq!(http.conventions, Conventions::Envoy(EnvoyConventions::default()));
    assert_eq!(http.stream_idle_timeout, Some(Duration::from_secs(300)));
    assert_eq!(http.idle_timeout, Some(Duration::from_secs(3600)));
    assert_eq!((http.request_timeout, http.request_headers_timeout), (None, None));
    let [host] = http.virtual_hosts.as_slice() else { panic!() };
    assert_eq!(host.domains, [Domain::Any]);
    let [route] = host.routes.as_slice() else { panic!() };
    assert_eq!(route.matches, RouteMatch::of(PathMatch::Prefix("/".to_owned())));
    let route = route.forward().expect("a primary");
    assert_eq!(route.timeout, Some(Duration::from_secs(15)));
    assert_eq!(v2.clusters[route.cluster].name, "mimir_primary");
    let [policy] = route.mirrors.as_slice() else { panic!() };
    assert_eq!((policy.fraction, &policy.host), (Fraction::ALL, &CopyHost::ShadowSuffix));
    let mirror = &v2.mirrors[policy.mirror];
    assert_eq!((mirror.name.as_str(), mirror.requests), ("mimir_secondary", Requests::All));
    let secondary = &v2.clusters[mirror.cluster];
    assert_eq!(secondary.endpoints[0].host, Host::Name("mimir-secondary".to_owned()));
    assert_eq!(secondary.connect_timeout, Duration::from_secs(1));
    assert_eq!(secondary.discovery, Discovery::Dns(Dns::strict(Duration::from_secs(5))));
}

#[test]
fn minimal_native_file_and_flags_are_the_same() {
    let file = read("minimal.yaml");
    let flags = Flags {
        primary: Some("http://mimir-primary:8080".to_owned()),
        mirrors: vec!["http://mimir-secondary:8080".to_owned()],
        ..Flags::default()
    };
    let flags = load(&Input { flags, ..Input::default() }).expect("flags load");
    assert_eq!(shape(&file), shape(&flags));
    assert_eq!(flags.origin, "command line");
    assert_eq!(file.listeners[0].http.conventions, Conventions::None);
    assert_eq!(file.mirrors[0].requests, Requests::Writes);
    assert_eq!(file.mirrors[0].name, "mimir-secondary");
    assert_eq!(file.clusters[0].name, "primary");
    let route = &file.listeners[0].http.virtual_hosts[0].routes[0];
    assert_eq!(
        route.forward().expect("a primary").mirrors[0].host,
        CopyHost::Literal("mimir-secondary:8080".parse().expect("a value"))
    );
    let [warning] = file.warnings.as_slice() else { panic!("{:?}", file.warnings) };
    assert!(warning.contains("in clear") && !warning.contains('\n'), "{warning}");
}

#[test]
fn every_native_key() {
    let config = read("native-full.yaml");
    let [first, second] = config.mirrors.as_slice() else { panic!() };
    assert_eq!(first.timeout, Some(Duration::from_secs(15)));
    assert_eq!((first.buffer, first.max_request), (256 << 20, 100 << 20));
    assert!(first.auth.is_none() && second.auth.is_some());
    let route = &config.listeners[0].http.virtual_hosts[0].routes[0];
    let policies = &route.forward().expect("a primary").mirrors;
    assert_eq!(policies[1].fraction, Fraction { numerator: 5_000, denominator: 1_000_000 });
    let expected = [
        HeaderMutation::Set(
            "x-mirrored-by".parse().expect("a name"),
            "mimir-mirror".parse().expect("a value"),
        ),
        HeaderMutation::Remove("cookie".parse().expect("a name")),
    ];
    assert_eq!(policies[0].headers, expected);
    assert_eq!(config.clusters[2].discovery, Discovery::Static);
    let shown = format!("{config:?}");
    assert!(!shown.contains("example-only") && !shown.contains("bWlycm9y"), "{shown}");
    assert_eq!(config.document["mirrors"][1]["auth"]["password"], "[redacted]");
}

#[test]
fn the_durable_example_spells_out_the_defaults() {
    let config = read("native-durable.yaml");
    assert_eq!(config.warnings, Vec::<String>::new());
    let [mirror] = config.mirrors.as_slice() else { panic!() };
    let defaults = Backlog::with_defaults("/var/lib/mimir-mirror/mimir-secondary".into());
    assert_eq!((&mirror.delivery, mirror.when), (&Delivery::Durable(defaults), When::Received));
    let keys = config.document["mirrors"][0]["backlog"].as_object().map(serde_json::Map::len);
    assert_eq!(keys, Some(7), "every key of `backlog` is shown");
}
