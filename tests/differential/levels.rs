//! Which mirrors a request gets: policies at four levels, shares, and one cluster twice.

use crate::dsl::Request;

use super::BOTH;
use super::file::File;
use super::scenario::Scenario;

const OPTIONS: &str = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";

fn on_cluster(policies: &str) -> String {
    format!(
        "typed_extension_protocol_options: {{ {OPTIONS}: {{ \"@type\": type.googleapis.com/{OPTIONS}, explicit_http_config: {{ http_protocol_options: {{}} }}, request_mirror_policies: [{policies}] }} }}"
    )
}

/// Which of the servers get the copy of a write.
async fn copied(file: File, to: &[&str]) {
    let mut file = file;
    for name in ["config", "host", "route", "cluster"] {
        file = file.cluster(name, "");
    }
    let reached = [&["primary"], to].concat();
    let mut scenario = Scenario::of(file);
    for name in ["config", "host", "route", "cluster"] {
        scenario = scenario.upstream(name, |_| crate::dsl::Reply::ok());
    }
    scenario
        .run(async |run| {
            run.exchange("a write", &Request::push("x"), &reached).await;
            run.exchange("another", &Request::push("y"), &reached).await;
        })
        .await;
}

#[tokio::test]
async fn the_most_specific_level_counts_alone() {
    let none = || File::new().policies("[]");
    let config = || none().route_config("request_mirror_policies: [{ cluster: config }]");
    let host = || config().host("request_mirror_policies: [{ cluster: host }]");
    let route = || host().policies("[{ cluster: route }]");
    copied(none(), &[]).await;
    copied(config(), &["config"]).await;
    copied(host(), &["host"]).await;
    copied(route(), &["route"]).await;
    copied(route().cluster("primary", &on_cluster("{ cluster: cluster }")), &["cluster"]).await;
    copied(none().cluster("primary", &on_cluster("{ cluster: cluster }")), &["cluster"]).await;
    copied(route().cluster("primary", &on_cluster("")), &["route"]).await;
}

#[tokio::test]
async fn several_mirrors_and_one_twice() {
    let twice = "[{ cluster: route }, { cluster: host, host_rewrite_literal: lit }, { cluster: route, disable_shadow_host_suffix_append: true }]";
    Scenario::of(File::new().policies(twice).cluster("route", "").cluster("host", ""))
        .upstream("route", |_| crate::dsl::Reply::ok())
        .upstream("host", |_| crate::dsl::Reply::ok())
        // The two copies to one mirror come in any order.
        .only(|what| !what.contains("/ route: host"))
        .run(async |run| {
            run.exchange("a write", &Request::push("x"), &["primary", "host"]).await;
            run.arrived("one", &["route"]).await;
            run.arrived("two", &["route"]).await;
        })
        .await;
}

#[tokio::test]
async fn a_cluster_that_mirrors_to_itself() {
    Scenario::of(File::new().policies("[{ cluster: primary }]"))
        .only(|what| what.contains("client"))
        .run(async |run| {
            run.exchange("a write", &Request::push("x"), &["primary"]).await;
            run.arrived("the copy", &["primary"]).await;
        })
        .await;
}

#[tokio::test]
async fn all_and_nothing() {
    let share =
        |text: &str| File::new().policy(&format!("trace_sampled: false, runtime_fraction: {{ {text} }}"));
    for none in ["default_value: { numerator: 0 }", "default_value: {}"] {
        Scenario::of(share(none))
            .run(async |run| {
                for step in ["a write", "another"] {
                    run.exchange(step, &Request::push("x"), &["primary"]).await;
                }
            })
            .await;
    }
    for all in [
        "default_value: { numerator: 100 }, runtime_key: mirror.share",
        "default_value: { numerator: 150 }",
        "default_value: { numerator: 10000, denominator: TEN_THOUSAND }",
    ] {
        Scenario::of(share(all))
            .run(async |run| {
                for step in ["a write", "another"] {
                    run.exchange(step, &Request::push("x"), &BOTH).await;
                }
            })
            .await;
    }
}
