//! The page's file: in v2 as it is published here, in v3 as ours converts it on both.

use crate::dsl::dir::Dir;
use crate::dsl::proxy::Program;
use crate::dsl::{Reply, Request, bytes_of};

use super::BOTH;
use super::file::File;
use super::scenario::Scenario;

const V2: &str = include_str!("../../examples/envoy-v2.yaml");
const V3: &str = include_str!("../../examples/envoy-v3.yaml");

/// What ours prints as the v3 form of the page's file.
fn converted() -> String {
    let dir = Dir::new("page");
    let mut command = Program::MimirMirror.command();
    command.args(["convert", "--to", "envoy-v3"]).arg(dir.write("page.yaml", V2));
    let output = command.output().expect("it starts");
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).expect("YAML is UTF-8")
}

/// The text with the scenario's addresses in place of its own.
fn here(text: &str) -> File {
    let own =
        [("0.0.0.0", "9900", "listen"), ("0.0.0.0", "9901", "admin"), ("mimir-primary", "8080", "primary")];
    let mut text = text.to_owned();
    for (host, port, name) in own.into_iter().chain([("mimir-secondary", "8080", "mirror")]) {
        let written = format!("address: {host}, port_value: {port}");
        assert_eq!(text.matches(&written).count(), 1, "{written} in {text}");
        text = text.replace(&written, &format!("address: 127.0.0.1, port_value: <{name}>"));
    }
    File::text(&text)
}

async fn alike(envoy: File, ours: File) {
    Scenario::of(envoy)
        .ours(ours)
        .upstream("primary", |_| Reply::new(200, "ok"))
        .run(async |run| {
            run.stat("cluster.mimir_secondary.membership_total", 1).await;
            run.exchange("a write", &Request::push(bytes_of(70_000, 1)).host("mimir.example:9900"), &BOTH)
                .await;
            let chunks = Request::new("POST", "/api/v1/push").chunks(&[b"some", b"more"]);
            run.exchange("a chunked write", &chunks, &BOTH).await;
            run.exchange("a query", &Request::get("/prometheus/api/v1/query?query=up"), &BOTH).await;
            run.stat("cluster.mimir_primary.upstream_rq_200", 3).await;
            run.stat("cluster.mimir_secondary.internal.upstream_rq_200", 3).await;
            run.stat("http.mimir_ingress.downstream_rq_2xx", 3).await;
        })
        .await;
}

#[tokio::test]
async fn the_page_in_v2() {
    alike(here(&converted()), here(V2)).await;
}

#[tokio::test]
async fn the_page_converted() {
    alike(here(&converted()), here(&converted())).await;
}

/// The v3 file that the documentation shows beside it.
#[tokio::test]
async fn its_twin_in_v3() {
    alike(here(V3), here(V3)).await;
}

#[tokio::test]
async fn one_policy_of_v2() {
    let before = "request_mirror_policies:\n                              - cluster: mimir_secondary";
    let after = "request_mirror_policy:\n                              cluster: mimir_secondary";
    assert!(V2.contains(before));
    alike(here(&converted()), here(&V2.replace(before, after))).await;
}

/// v2 has it beside the other timeouts.
#[tokio::test]
async fn idle_timeout_of_v2() {
    let v2 = V2.replace(
        "stat_prefix: mimir_ingress",
        "stat_prefix: mimir_ingress\n                idle_timeout: 0.5s",
    );
    let prefix = "stat_prefix: mimir_ingress\n";
    let v3 = V3.replace(
        prefix,
        &format!("{prefix}                common_http_protocol_options: {{ idle_timeout: 0.5s }}\n"),
    );
    assert!(v2 != V2 && v3 != V3);
    Scenario::of(here(&v3))
        .ours(here(&v2))
        .run(async |run| {
            run.stat("cluster.mimir_secondary.membership_total", 1).await;
            let mut client = run.client().await;
            let answer = client.exchange(&Request::push("x")).await;
            run.answered("a write", Some(&answer));
            run.arrived("a write", &BOTH).await;
            run.note("rest", client.rest().await.len());
        })
        .await;
}

/// Since v3 it is called `host_rewrite_header`.
#[tokio::test]
async fn host_header_of_v2() {
    Scenario::of(File::new().action("host_rewrite_header: x-host"))
        .ours(File::new().action("auto_host_rewrite_header: x-host"))
        .run(async |run| {
            run.exchange("a write", &Request::push("x").header("X-Host", "named.example"), &BOTH).await;
        })
        .await;
}
