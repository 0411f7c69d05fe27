//! Shares whose number a static layer of the runtime sets.

use crate::dsl::Request;

use super::BOTH;
use super::file::File;
use super::scenario::Scenario;

fn layers(values: &str) -> File {
    File::new().bootstrap(&format!(
        "layered_runtime: {{ layers: [{{ name: static, static_layer: {{ {values} }} }}] }}"
    ))
}

async fn copied(file: File, reached: &[&str]) {
    Scenario::of(file)
        .run(async |run| {
            for step in ["a write", "another"] {
                run.exchange(step, &Request::push("x"), reached).await;
            }
        })
        .await;
}

const NONE: &str = "runtime_fraction: { default_value: { numerator: 0 }, runtime_key: mirror.share }";
const ALL: &str = "runtime_fraction: { default_value: { numerator: 100 }, runtime_key: mirror.share }";

#[tokio::test]
async fn keys_go_before_defaults() {
    copied(layers("mirror.share: 100").policy(NONE), &BOTH).await;
    copied(layers("mirror: { share: 0 }").policy(ALL), &["primary"]).await;
    copied(layers("mirror.share: 250").policy(NONE), &BOTH).await;
    let share = "mirror.share: { numerator: 1000000, denominator: MILLION }";
    copied(layers(share).policy(NONE), &BOTH).await;
}

#[tokio::test]
async fn of_a_route() {
    let routes = "[
        { match: { prefix: /, runtime_fraction: { default_value: { numerator: 100 }, runtime_key: route.share } }, direct_response: { status: 404 } },
        { match: { prefix: / }, route: { cluster: primary, request_mirror_policies: [{ cluster: mirror }] } }]";
    copied(layers("route.share: 0").routes(routes), &BOTH).await;
}
