//! What Envoy's own tests of mirroring ask for, in their order: each is held by a scenario, or differs on purpose in
//! one, or needs a field that is refused.

use crate::dsl::fault::Fault;
use crate::dsl::{Client, Gate, Reply, Request, bytes_of};

use super::BOTH;
use super::file::File;
use super::run::Run;
use super::scenario::{Scenario, refused_by_ours};

/// Number, the scenario that holds it (or where it is refused), and what is asked.
const BEHAVIOURS: [(u8, &str, &str); 49] = [
    (1, "envoys_own::n01_two_requests", "two requests, one connection to each cluster"),
    (2, "envoys_own::n02_connection_pools_of_clients", "connection_pool_per_downstream_connection: refused"),
    (3, "envoys_own::n03_the_client_resets", "the client resets: both are reset"),
    (4, "envoys_own::n04_the_primary_resets", "the primary resets: the copy is reset"),
    (5, "envoys_own::n05_the_mirror_resets", "the mirror resets: the primary goes on"),
    (6, "envoys_own::n06_the_client_stalls", "the client stalls: both are reset"),
    (7, "envoys_own::n07_the_primary_is_silent", "the primary never answers: the copy is complete"),
    (
        8,
        "envoys_own::n08_the_mirror_is_silent",
        "the mirror never answers: the route's timeout ends the copy",
    ),
    (9, "envoys_own::n09_upstream_filters", "a buffering filter of the primary: refused"),
    (10, "envoys_own::n09_upstream_filters", "a buffering filter of the mirror: refused"),
    (11, "envoys_own::n11_buffer_limits_of_routes", "per_request_buffer_limit_bytes: refused"),
    (12, "envoys_own::n12_a_mirror_that_stops_reading", "the client is paused: not here"),
    (13, "basics::buffer_limits", "a buffer smaller than a chunk: everything arrives"),
    (14, "policies::several_mirrors", "a mirror by its cluster's name"),
    (15, "envoys_own::n09_upstream_filters", "upstream filters of the router: refused"),
    (16, "envoys_own::n09_upstream_filters", "upstream filters of a cluster: refused"),
    (17, "envoys_own::n09_upstream_filters", "a cluster named by a filter: refused"),
    (18, "envoys_own::n09_upstream_filters", "a filter of the primary answers: refused"),
    (19, "envoys_own::n09_upstream_filters", "a filter of the mirror answers: refused"),
    (20, "envoys_own::n09_upstream_filters", "a filter of the primary adds a body: refused"),
    (21, "envoys_own::n09_upstream_filters", "a filter of the mirror adds a body: refused"),
    (22, "requests::shadow_hosts", "the suffix of a name"),
    (23, "requests::shadow_hosts", "the suffix of addresses"),
    (24, "policies::disable_shadow_host_suffix_append", "no suffix"),
    (25, "cluster_policies::alone", "policies of the primary's cluster"),
    (26, "cluster_policies::with_a_share", "with a share"),
    (27, "cluster_policies::with_mutations", "with header mutations"),
    (28, "policies::none_where_there_is_no_policy", "no policy, no copy"),
    (29, "cluster_policies::without_a_suffix", "without the suffix"),
    (30, "policies::on_the_route", "the route's alone"),
    (31, "cluster_policies::alone", "the cluster's alone"),
    (32, "cluster_policies::before_the_routes", "the cluster's come before the route's"),
    (33, "cluster_policies::several_before_the_routes", "the same with several"),
    (34, "requests::shadow_hosts", "a name"),
    (35, "requests::shadow_hosts", "a name with a port"),
    (36, "requests::shadow_hosts", "a name with port 80"),
    (37, "policies::disable_shadow_host_suffix_append", "no suffix"),
    (38, "envoys_own::n08_the_mirror_is_silent", "the timeout is passed on"),
    (39, "envoys_own::n39_an_unknown_mirror", "an unknown cluster"),
    (40, "cluster_policies::named_by_a_header", "cluster_header without such a header: refused"),
    (41, "cluster_policies::named_by_a_header", "cluster_header with an empty one: refused"),
    (42, "envoys_own::n42_two_mirrors_and_chunks", "two policies, every chunk and the trailers"),
    (43, "malformed::refused_by_both", "no copy of CONNECT"),
    (44, "envoys_own::n03_the_client_resets", "a copy in progress is cancelled"),
    (45, "policies::header_mutations", "mutations of the copy alone"),
    (46, "policies::mutations_and_a_host", "mutations together with a host"),
    (47, "policies::a_share_of_nothing", "no share, no copy"),
    (48, "envoys_own::n48_the_mirror_answers_first", "a copy that ends first is left alone"),
    (
        49,
        "cluster_policies::a_primary_that_rejects_at_once",
        "no copy of what the primary's breakers reject: here they reject nothing",
    ),
];

#[test]
fn every_behaviour_is_held() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/differential");
    for (place, (number, proof, what)) in BEHAVIOURS.iter().enumerate() {
        assert_eq!(usize::from(*number), place + 1, "{what}");
        let (file, function) = proof.split_once("::").expect("file::function");
        let source = std::fs::read_to_string(folder.join(format!("{file}.rs"))).unwrap_or_default();
        assert!(source.contains(&format!("fn {function}() {{")), "{number}: no {proof}");
    }
}

#[tokio::test]
async fn n01_two_requests() {
    Scenario::of(File::new())
        .run(async |run| {
            let mut client = run.client().await;
            for (count, step) in ["first", "second"].into_iter().enumerate() {
                let answer = client.exchange(&Request::push("x")).await;
                run.answered(step, Some(&answer));
                run.arrived(step, &BOTH).await;
                // Before, the connection may not be idle yet.
                run.stat("cluster.mirror.internal.upstream_rq_completed", count as u64 + 1).await;
            }
            run.stat("cluster.primary.upstream_cx_total", 1).await;
            run.stat("cluster.mirror.upstream_cx_total", 1).await;
            run.stat("cluster.mirror.internal.upstream_rq_200", 2).await;
            run.stat("http.async-client.rq_total", 2).await;
        })
        .await;
}

#[test]
fn n02_connection_pools_of_clients() {
    let file = File::new().cluster("primary", "connection_pool_per_downstream_connection: true");
    refused_by_ours(&file, "connection_pool_per_downstream_connection");
}

const WHOLE: &str = "a mirror gets whole requests or nothing";
const HALF: &[u8] = b"POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nhalf";

/// The primary has half a request, and of ours the mirror has nothing.
async fn broken_off(run: &mut Run) {
    run.broken("half", "primary").await;
    if run.is_envoy() {
        run.broken("half", "mirror").await;
    }
}

/// Where there was a copy, it was cancelled.
async fn copy_cancelled(run: &Run) {
    let cancelled = u64::from(run.is_envoy());
    run.stat("cluster.mirror.upstream_cx_destroy_local_with_active_rq", cancelled).await;
}

/// Half a request that gets an answer.
async fn answered_half(run: &mut Run) -> Client {
    let mut client = run.client().await;
    client.send(HALF).await;
    let answer = client.answer().await;
    run.answered("half", Some(&answer));
    broken_off(run).await;
    client
}

#[tokio::test]
async fn n03_the_client_resets() {
    Scenario::of(File::new())
        .differs("half / mirror", "broken off", "(absent)", WHOLE)
        .run(async |run| {
            let mut client = run.client().await;
            client.send(HALF).await;
            broken_off(run).await;
            client.reset();
            run.stat("cluster.primary.upstream_cx_destroy_local_with_active_rq", 1).await;
            copy_cancelled(run).await;
            run.stat("http.ingress.downstream_rq_rx_reset", 1).await;
            run.exchange("a marker", &Request::push("x"), &BOTH).await;
        })
        .await;
}

#[tokio::test]
async fn n04_the_primary_resets() {
    Scenario::of(File::new())
        .upstream("primary", |_| Reply::raw("").early().reset())
        .differs("half / mirror", "broken off", "(absent)", WHOLE)
        .run(async |run| {
            drop(answered_half(run).await);
            run.stat("cluster.primary.upstream_cx_destroy_remote_with_active_rq", 1).await;
            copy_cancelled(run).await;
        })
        .await;
}

#[tokio::test]
async fn n05_the_mirror_resets() {
    Scenario::of(File::new())
        .faulty("mirror", Fault::DieMidRequest)
        .run(async |run| {
            run.exchange("a write", &Request::push(bytes_of(100_000, 1)), &["primary"]).await;
            run.stat("cluster.mirror.upstream_cx_destroy_remote_with_active_rq", 1).await;
            run.stat("cluster.primary.upstream_rq_200", 1).await;
        })
        .await;
}

#[tokio::test]
async fn n06_the_client_stalls() {
    Scenario::of(File::new().manager("stream_idle_timeout: 0.5s"))
        .differs("half / mirror", "broken off", "(absent)", WHOLE)
        .run(async |run| {
            let _client = answered_half(run).await;
            run.stat("http.ingress.downstream_rq_idle_timeout", 1).await;
            run.stat("cluster.primary.upstream_cx_destroy_local_with_active_rq", 1).await;
            copy_cancelled(run).await;
        })
        .await;
}

#[tokio::test]
async fn n07_the_primary_is_silent() {
    Scenario::of(File::new().action("timeout: 0.5s"))
        .gated("primary", |gate| Reply::ok().behind(gate))
        .run(async |run| {
            run.exchange("a write", &Request::push("x"), &BOTH).await;
            run.stat("cluster.primary.upstream_rq_timeout", 1).await;
            run.stat("cluster.primary.upstream_rq_504", 1).await;
            run.stat("cluster.mirror.upstream_rq_200", 1).await;
            run.stat("cluster.mirror.upstream_rq_tx_reset", 0).await;
        })
        .await;
}

#[tokio::test]
async fn n08_the_mirror_is_silent() {
    Scenario::of(File::new().action("timeout: 0.5s"))
        .gated("mirror", |gate| Reply::ok().behind(gate))
        .run(async |run| {
            run.exchange("a write", &Request::push("x"), &BOTH).await;
            run.stat("cluster.mirror.upstream_rq_timeout", 1).await;
            run.stat("cluster.mirror.upstream_cx_destroy_local_with_active_rq", 1).await;
            run.stat("cluster.mirror.internal.upstream_rq_504", 1).await;
            run.stat("cluster.primary.upstream_rq_200", 1).await;
        })
        .await;
}

const CODEC: &str = "[{ name: a, typed_config: { \"@type\": \
                     type.googleapis.com/envoy.extensions.filters.http.upstream_codec.v3.UpstreamCodec } }]";

/// None of the tests of such filters has anything to ask of a proxy that has none.
#[test]
fn n09_upstream_filters() {
    refused_by_ours(&File::new().router(&format!("upstream_http_filters: {CODEC}")), "upstream_http_filters");
    let options = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";
    let cluster = format!(
        "typed_extension_protocol_options: {{ {options}: {{ \"@type\": type.googleapis.com/{options}, \
         explicit_http_config: {{ http_protocol_options: {{}} }}, http_filters: {CODEC} }} }}"
    );
    refused_by_ours(&File::new().cluster("mirror", &cluster), "http_filters");
}

#[test]
fn n11_buffer_limits_of_routes() {
    let file = File::new().host("per_request_buffer_limit_bytes: 0");
    refused_by_ours(&file, "per_request_buffer_limit_bytes");
}

/// What the contract is about. Envoy stops reading the client, so that the primary waits for the mirror.
#[tokio::test]
async fn n12_a_mirror_that_stops_reading() {
    Scenario::of(File::new().cluster("mirror", "per_connection_buffer_limit_bytes: 65536"))
        .faulty("mirror", Fault::NeverRead)
        .differs("the primary has", "a part", "everything", "a mirror in no state is felt by the primary")
        .run(async |run| {
            let mut client = run.client().await;
            let request = Request::new("POST", "/x").body(bytes_of(24 << 20, 1)).bytes();
            if run.is_envoy() {
                let _sending = tokio::spawn(async move { client.attempt(&request).await.0.is_some() });
                run.stat_above("cluster.mirror.upstream_flow_control_backed_up_total", 0).await;
                run.broken("it", "primary").await;
                run.note("the primary has", "a part");
            } else {
                let (answer, _) = client.attempt(&request).await;
                assert_eq!(answer.map(|answer| answer.status()), Some(200));
                run.note("the primary has", "everything");
                run.note("it / primary", "broken off");
                run.skip("primary");
            }
        })
        .await;
}

/// Both refuse the file.
#[test]
fn n39_an_unknown_mirror() {
    let file = File::new().without_cluster("mirror");
    super::scenario::refused_by_both(&file, "unknown shadow cluster 'mirror'");
}

#[tokio::test]
async fn n42_two_mirrors_and_chunks() {
    let share = "runtime_fraction: { default_value: { numerator: 100 } }";
    let policies = format!("[{{ cluster: mirror, {share} }}, {{ cluster: other, {share} }}]");
    let why = "what a client announces is part of its request";
    Scenario::of(File::new().cluster("other", "").policies(&policies).action("timeout: 3s"))
        .upstream("other", |_| Reply::ok())
        .differs("chunks / primary: trailers", "[]", "[\"x-sum: 1\"]", why)
        .differs("chunks / mirror: trailers", "[]", "[\"x-sum: 1\"]", why)
        .differs("chunks / other: trailers", "[]", "[\"x-sum: 1\"]", why)
        .run(async |run| {
            let request = Request::new("POST", "/x")
                .header("Trailer", "X-Sum")
                .chunks_and_trailers(&[b"one", b"two", b"three"], &[("X-Sum", "1")]);
            run.exchange("chunks", &request, &["primary", "mirror", "other"]).await;
        })
        .await;
}

#[tokio::test]
async fn n48_the_mirror_answers_first() {
    Scenario::of(File::new())
        .gated("primary", |gate: &Gate| Reply::ok().behind(gate))
        .run(async |run| {
            let mut client = run.client().await;
            client.send(Request::push("x").bytes()).await;
            run.arrived("a write", &BOTH).await;
            run.stat("cluster.mirror.internal.upstream_rq_200", 1).await;
            run.gate.open();
            let answer = client.answer().await;
            run.answered("a write", Some(&answer));
            run.stat("cluster.primary.upstream_rq_200", 1).await;
        })
        .await;
}
