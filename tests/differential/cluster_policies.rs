//! Mirror policies of the primary's cluster, those that a header would name, and what is not copied.

use crate::dsl::{Reply, Request};

use super::BOTH;
use super::file::File;
use super::scenario::{Scenario, refused_by_ours};

const OPTIONS: &str = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";

/// A file whose primary's cluster has these policies.
fn policies(list: &str) -> File {
    let options = format!(
        "typed_extension_protocol_options: {{ {OPTIONS}: {{ \"@type\": type.googleapis.com/{OPTIONS}, \
         explicit_http_config: {{ http_protocol_options: {{}} }}, request_mirror_policies: {list} }} }}"
    );
    File::new().cluster("primary", &options)
}

async fn one(file: File, reached: &[&str]) {
    Scenario::of(file.cluster("other", ""))
        .upstream("other", |_| Reply::ok())
        .run(async |run| {
            run.exchange("a write", &Request::push("x").header("Secret", "1"), reached).await;
            run.exchange("a read", &Request::get("/x"), reached).await;
        })
        .await;
}

#[tokio::test]
async fn alone() {
    one(policies("[{ cluster: mirror }]").policies("[]"), &BOTH).await;
}

#[tokio::test]
async fn with_a_share() {
    let none = "runtime_fraction: { default_value: { numerator: 0 } }";
    one(policies(&format!("[{{ cluster: mirror, {none} }}]")).policies("[]"), &["primary"]).await;
}

#[tokio::test]
async fn with_mutations() {
    let mutations =
        "request_headers_mutations: [{ remove: secret }, { append: { header: { key: x-copy, value: a } } }]";
    one(policies(&format!("[{{ cluster: mirror, {mutations} }}]")).policies("[]"), &BOTH).await;
}

#[tokio::test]
async fn without_a_suffix() {
    let list = "[{ cluster: mirror, disable_shadow_host_suffix_append: true }]";
    one(policies(list).policies("[]"), &BOTH).await;
}

#[tokio::test]
async fn before_the_routes() {
    one(policies("[{ cluster: mirror }]").policies("[{ cluster: other }]"), &BOTH).await;
}

#[tokio::test]
async fn several_before_the_routes() {
    let file = policies("[{ cluster: mirror }, { cluster: other }]").policies("[{ cluster: mirror }]");
    one(file, &["primary", "mirror", "other"]).await;
}

/// A mirror that a request names is none that the file bounds and counts.
#[test]
fn named_by_a_header() {
    refused_by_ours(&File::new().policies("[{ cluster_header: x-mirror }]"), "cluster_header");
}

/// A request that a breaker of the primary refuses at once has no copy.
#[tokio::test]
async fn a_primary_that_rejects_at_once() {
    let none = "circuit_breakers: { thresholds: [{ max_pending_requests: 0 }] }";
    Scenario::of(File::new().cluster("primary", none))
        .run(async |run| {
            run.exchange("a read", &Request::get("/x"), &[]).await;
            run.stat("cluster.primary.upstream_rq_pending_overflow", 1).await;
        })
        .await;
}
