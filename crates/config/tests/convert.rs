//! Converted text loads again, to the same model.

#![allow(clippy::expect_used, clippy::panic, reason = "test code outside of #[test] functions")]

use std::path::Path;

use config::convert::{to_envoy_v3, to_native};
use config::load_str;
use config::model::Config;

fn example(name: &str) -> Config {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples").join(name);
    read(name, &std::fs::read_to_string(path).expect("an example"))
}

fn read(origin: &str, text: &str) -> Config {
    load_str(origin, text).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

/// All that a conversion must keep. The examples' `auth` is a secret, which is not printed; whether a file is Envoy's
/// tells the admin apart, but on loopback changes nothing.
fn shape(config: &Config) -> String {
    let mut mirrors = config.mirrors.clone();
    mirrors.iter_mut().for_each(|mirror| mirror.auth = None);
    let mut admin = config.admin.clone();
    admin.iter_mut().for_each(|admin| admin.access.envoy &= !admin.address.ip().is_loopback());
    format!("{:#?}\n{:#?}\n{:#?}\n{:#?}", admin, config.listeners, config.clusters, mirrors)
}

#[test]
fn v2_becomes_v3() {
    let before = example("envoy-v2.yaml");
    let text = to_envoy_v3(&before).expect("converts");
    assert_eq!(shape(&read("v3", &text)), shape(&before), "{text}");
    assert!(!text.contains("Not the same"), "{text}");
}

#[test]
fn the_native_form_survives_both_conversions() {
    for name in ["minimal.yaml", "native-full.yaml", "native-durable.yaml"] {
        let before = example(name);
        for text in [to_native(&before).expect("converts"), to_envoy_v3(&before).expect("converts")] {
            assert_eq!(shape(&read(name, &text)), shape(&before), "{text}");
            assert!(!text.contains("example-only"), "{text}");
            assert_eq!(text.contains("`auth` is a secret"), name == "native-full.yaml", "{text}");
        }
    }
}

#[test]
fn an_envoy_file_becomes_native_with_its_differences_named() {
    let before = example("envoy-v2.yaml");
    let text = to_native(&before).expect("converts");
    for difference in ["statistics are named", "Envoy's own headers", "Host of its URL"] {
        assert!(text.contains(difference), "{difference} is not in {text}");
    }
    let after = read("native", &text);
    let endpoints =
        |config: &Config| format!("{:?}", config.clusters.iter().map(|c| &c.endpoints).collect::<Vec<_>>());
    assert_eq!(endpoints(&after), endpoints(&before));
    assert_eq!(after.mirrors[0].requests, before.mirrors[0].requests);
    assert_eq!(to_native(&after).map(|text| text.contains("Not the same")), Ok(false));
}

/// Everything that the Envoy form can say, in every leniency of its parser.
const RICH: &str = include_str!("rich.yaml");

#[test]
fn a_rich_file_becomes_v3() {
    let before = read("rich", RICH);
    assert_eq!(before.clusters[2].endpoints.len(), 3);
    // The route's own list counts alone, else the virtual host's, else the route configuration's.
    let hosts = &before.listeners[0].http.virtual_hosts;
    let mirrored = |host: usize, route: usize| {
        let policies = hosts[host].routes[route].forward().expect("a primary").mirrors.iter();
        policies.map(|policy| before.mirrors[policy.mirror].name.as_str()).collect::<Vec<_>>()
    };
    assert_eq!((mirrored(0, 0), mirrored(0, 1), mirrored(1, 0)), (vec!["b", "b"], vec!["b"], vec!["third"]));
    assert_eq!(before.mirrors.len(), 2);
    let text = to_envoy_v3(&before).expect("converts");
    let after = read("v3", &text);
    assert_eq!(shape(&after), shape(&before), "{text}");
    assert_eq!(format!("{:?}", after.node), format!("{:?}", before.node));
}

#[test]
fn what_the_native_form_cannot_say_is_refused() {
    let error = to_native(&read("rich", RICH)).expect_err("two virtual hosts");
    assert!(error.to_string().contains("one virtual host, not 2"), "{error}");
}
