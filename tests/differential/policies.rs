//! Mirror policies: where they stand, whom they choose, and how their copies look.

use crate::dsl::Request;

use super::BOTH;
use super::file::File;
use super::scenario::Scenario;

async fn one(file: File, reached: &[&str]) {
    Scenario::of(file)
        .run(async |run| {
            run.exchange("a write", &Request::push("x").header("Secret", "1"), reached).await;
            run.exchange("a read", &Request::get("/x"), reached).await;
        })
        .await;
}

const ROUTE: &str = "[{ match: { prefix: / }, route: { cluster: primary } }]";

#[tokio::test]
async fn on_the_route_configuration() {
    let file = File::new().routes(ROUTE).route_config("request_mirror_policies: [{ cluster: mirror }]");
    one(file, &BOTH).await;
}

#[tokio::test]
async fn on_the_virtual_host() {
    let file = File::new()
        .cluster("other", "")
        .routes(ROUTE)
        .route_config("request_mirror_policies: [{ cluster: other }]")
        .host("request_mirror_policies: [{ cluster: mirror }]");
    Scenario::of(file)
        .upstream("other", |_| crate::dsl::Reply::ok())
        .run(async |run| {
            run.exchange("a write", &Request::push("x"), &BOTH).await;
        })
        .await;
}

#[tokio::test]
async fn on_the_route() {
    let file = File::new()
        .cluster("other", "")
        .route_config("request_mirror_policies: [{ cluster: other }]")
        .host("request_mirror_policies: [{ cluster: other }]");
    Scenario::of(file)
        .upstream("other", |_| crate::dsl::Reply::ok())
        .run(async |run| {
            run.exchange("a write", &Request::push("x"), &BOTH).await;
        })
        .await;
}

#[tokio::test]
async fn none_where_there_is_no_policy() {
    one(File::new().policies("[]"), &["primary"]).await;
}

#[tokio::test]
async fn several_mirrors() {
    let file = File::new().cluster("other", "").policies("[{ cluster: mirror }, { cluster: other }]");
    Scenario::of(file)
        .upstream("other", |_| crate::dsl::Reply::ok())
        .run(async |run| {
            run.exchange("a write", &Request::push("x"), &["primary", "mirror", "other"]).await;
        })
        .await;
}

fn share(numerator: u32, denominator: &str) -> File {
    let value = format!("numerator: {numerator}, denominator: {denominator}");
    File::new().policy(&format!("runtime_fraction: {{ default_value: {{ {value} }} }}"))
}

#[tokio::test]
async fn a_share_of_nothing() {
    one(share(0, "HUNDRED"), &["primary"]).await;
}

#[tokio::test]
async fn a_share_of_everything() {
    one(share(1_000_000, "MILLION"), &BOTH).await;
}

#[tokio::test]
async fn a_share_of_more_than_everything() {
    one(share(20_000, "TEN_THOUSAND"), &BOTH).await;
}

/// Of 400 requests with a share of a half. The number that both accept is wide: one in ten million runs is outside.
#[tokio::test]
async fn a_share_of_a_half() {
    Scenario::of(share(50, "HUNDRED"))
        .only(|_| false)
        .run(async |run| {
            let mut client = run.client().await;
            for _ in 0..400 {
                client.exchange(&Request::push("x")).await;
            }
            run.stat("cluster.primary.upstream_rq_200", 400).await;
            let text = run.read_stat("http.async-client.rq_total").await;
            let copies: u32 = text.parse().unwrap_or_else(|_| panic!("{text}"));
            assert!((146..=254).contains(&copies), "{copies} of 400");
        })
        .await;
}

#[tokio::test]
async fn trace_sampled() {
    one(File::new().policy("trace_sampled: false"), &BOTH).await;
}

#[tokio::test]
async fn disable_shadow_host_suffix_append() {
    one(File::new().policy("disable_shadow_host_suffix_append: true"), &BOTH).await;
}

#[tokio::test]
async fn host_rewrite_literal() {
    one(File::new().policy("host_rewrite_literal: \"mirror.example:99\""), &BOTH).await;
}

#[tokio::test]
async fn header_mutations() {
    let file = File::new().policy(
        "request_headers_mutations: [{ remove: secret }, { append: { header: { key: x-copy, value: \"yes\" } } }]",
    );
    one(file, &BOTH).await;
}

#[tokio::test]
async fn append_actions() {
    let one = |action: &str, key: &str| {
        format!("{{ append: {{ header: {{ key: {key}, value: new }}, append_action: {action} }} }}")
    };
    let actions =
        ["APPEND_IF_EXISTS_OR_ADD", "ADD_IF_ABSENT", "OVERWRITE_IF_EXISTS_OR_ADD", "OVERWRITE_IF_EXISTS"];
    let list: Vec<_> =
        actions.iter().flat_map(|action| ["x-there", "x-away"].map(|key| (action, key))).collect();
    for (action, key) in list {
        let file = File::new().policy(&format!("request_headers_mutations: [{}]", one(action, key)));
        Scenario::of(file)
            .run(async |run| {
                run.exchange("a write", &Request::push("x").header("X-There", "old"), &BOTH).await;
            })
            .await;
    }
}

/// `x-envoy-internal` comes after the mutations, so that none removes it.
#[tokio::test]
async fn mutations_and_a_host() {
    let file = File::new().policy(
        "host_rewrite_literal: h, request_headers_mutations: [{ remove: x-envoy-internal }, { append: \
         { header: { key: x-scope-orgid, value: copy }, append_action: OVERWRITE_IF_EXISTS_OR_ADD } }]",
    );
    one(file, &BOTH).await;
}
