//! Which mirrors a request gets, from the file's text to the route: at every combination of levels the most specific
//! list of policies counts alone, and of two shares with one denominator the smaller is part of the larger.

use config::model::Fraction;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

use super::*;

/// Lists of policies at the four levels, from the most general: route configuration, virtual host, route, the
/// primary's cluster. A policy is the number of its mirror's cluster; `None` is a level that does not say a word.
type Levels = [Option<Vec<usize>>; 4];

/// Clusters that can be mirrors.
const MIRRORS: usize = 5;

fn policies(list: Option<&Vec<usize>>, denominator: &str) -> String {
    let Some(list) = list else { return String::new() };
    let of = |mirror: &usize| {
        // The share tells the policies of one mirror apart.
        format!(
            "{{ cluster: m{mirror}, runtime_fraction: {{ default_value: {{ numerator: {mirror}, denominator: \
             {denominator} }} }} }}"
        )
    };
    format!("request_mirror_policies: [{}], ", list.iter().map(of).collect::<Vec<_>>().join(", "))
}

fn file([config, host, route, cluster]: &Levels) -> String {
    const OPTIONS: &str = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";
    let at = |level: &Option<Vec<usize>>| policies(level.as_ref(), "HUNDRED");
    let options = format!(
        "typed_extension_protocol_options: {{ {OPTIONS}: {{ '@type': type.googleapis.com/{OPTIONS}, {} \
         explicit_http_config: {{ http_protocol_options: {{}} }} }} }}",
        at(cluster)
    );
    let mirrors: String = (0..MIRRORS).map(|n| format!("{}, ", of_cluster(&format!("m{n}"), ""))).collect();
    let hosts = format!(
        "[{{ name: all, domains: ['*'], {} routes: [{{ match: {{ prefix: / }}, route: {{ {} cluster: primary }} }}] }}]",
        at(host),
        at(route)
    );
    bootstrap(
        &format!("{} virtual_hosts: {hosts}", at(config)),
        &(mirrors + &of_cluster("primary", &options)),
    )
}

fn of_cluster(name: &str, entries: &str) -> String {
    let address = "{ socket_address: { address: 127.0.0.1, port_value: 9 } }";
    format!(
        "{{ name: {name}, type: STATIC, load_assignment: {{ cluster_name: {name}, endpoints: [{{ lb_endpoints: \
         [{{ endpoint: {{ address: {address} }} }}] }}] }}, {entries} }}"
    )
}

fn bootstrap(route_config: &str, clusters: &str) -> String {
    const PACKAGE: &str = "type.googleapis.com/envoy.extensions.filters";
    format!(
        "static_resources: {{ listeners: [{{ name: l, address: {{ socket_address: {{ address: 127.0.0.1, port_value: 0 \
         }} }}, filter_chains: [{{ filters: [{{ name: envoy.filters.network.http_connection_manager, typed_config: {{ \
         '@type': {PACKAGE}.network.http_connection_manager.v3.HttpConnectionManager, stat_prefix: s, route_config: \
         {{ name: r, {route_config} }}, http_filters: [{{ name: envoy.filters.http.router, typed_config: {{ '@type': \
         {PACKAGE}.http.router.v3.Router }} }}] }} }}] }}] }}], clusters: [{clusters}] }}"
    )
}

/// The policies of the route that a request finds: each mirror's name with its share.
fn found_by_a_request(text: &str) -> Vec<(String, Fraction)> {
    let config = config::load_str("test", text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    let table = Table::new(&config.listeners[0].http.virtual_hosts);
    let route = found(&table, "mimir.example", "/api/v1/push").expect("a route for everything");
    let of =
        |policy: &config::model::MirrorPolicy| (config.mirrors[policy.mirror].name.clone(), policy.fraction);
    route.mirrors.iter().map(of).collect()
}

fn level() -> impl Strategy<Value = Option<Vec<usize>>> {
    proptest::option::weighted(0.8, vec(0..MIRRORS, 0..4))
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 500,
        rng_seed: RngSeed::Fixed(0xc6),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn c6_the_most_specific_list_of_policies_counts_alone(levels in [level(), level(), level(), level()]) {
        let expected = levels.iter().rev().flatten().find(|list| !list.is_empty());
        let expected = expected.into_iter().flatten();
        let expected: Vec<_> = expected
            .map(|n| (format!("m{n}"), Fraction { numerator: u32::try_from(*n).unwrap(), denominator: 100 }))
            .collect();
        prop_assert_eq!(found_by_a_request(&file(&levels)), expected);
    }

    /// Whatever number the request drew. Every share is one of these denominators.
    #[test]
    fn c6_shares_nest(
        random: u64,
        denominator in prop::sample::select(&[100_u32, 10_000, 1_000_000][..]),
        shares in [0.0..1.2_f64, 0.0..1.2],
    ) {
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of a small number")]
        let [a, b] = shares.map(|share| (share * f64::from(denominator)) as u32);
        let chooses = |numerator| Fraction { numerator, denominator }.chooses(random);
        let (smaller, larger) = (a.min(b), a.max(b));
        prop_assert!(!chooses(smaller) || chooses(larger), "{smaller} and not {larger} of {denominator}");
        prop_assert!(!chooses(0) && chooses(denominator));
    }
}

/// The sixteen combinations of lists and silence, each once.
#[test]
fn c6_each_combination_of_levels() {
    for present in 0..16_usize {
        let levels: Levels = std::array::from_fn(|level| (present >> level & 1 == 1).then(|| vec![level]));
        let names: Vec<_> = found_by_a_request(&file(&levels)).into_iter().map(|(name, _)| name).collect();
        let expected = (0..4).rev().find(|level| present >> level & 1 == 1).map(|level| format!("m{level}"));
        assert_eq!(names, Vec::from_iter(expected), "{levels:?}");
    }
}
