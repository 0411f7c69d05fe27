//! The same file and the same requests on Envoy 1.40 and on ours: clients, clusters, statistics and access logs must
//! be alike, but for the differences that a scenario lists with their reasons, which must really be there.
//!
//! A scenario is a test in one of the files of `differential/`:
//!
//! ```ignore
//! #[tokio::test]
//! async fn prefix_rewrite() {
//!     let file = File::new().matching("prefix: /old").action("prefix_rewrite: /new");
//!     Scenario::of(file)
//!         .upstream("primary", |_| Reply::new(200, "ok"))
//!         .differs("a write / mirror: x-envoy-original-path", "/old/x", "(absent)", "why so, in a sentence")
//!         .run(async |run| {
//!             run.exchange("a write", &Request::new("POST", "/old/x").body("x"), &BOTH).await;
//!             run.stat("cluster.primary.upstream_rq_200", 1).await;
//!         })
//!         .await;
//! }
//! ```
//!
//! - [`File`](file::File) is a whole Envoy file with holes, in YAML's flow style: a listener, a connection manager, a
//!   route to the cluster `primary` with a mirror `mirror`. `File::text` takes a file of the scenario's own. In both,
//!   `<listen>`, `<admin>`, `<primary>` (the name of any server or `port`) are ports of 127.0.0.1, `<dir>` is a folder.
//! - Servers: [`Scenario`](scenario::Scenario)'s `upstream` (a reply for each head), `replies` (in order of arrival),
//!   `gated` (waits for `run.gate`), `faulty`, and `server` for any [`Server`](server::Server) (HTTP/2, TLS). Every
//!   program gets fresh ones. `primary` and `mirror` answer 200 unless said otherwise.
//! - The script runs once for each program. `run.exchange(step, request, reached)` sends on a new connection, and
//!   records under `step / client: ...`, `step / primary: ...` what each saw. `reached` names every server that must
//!   get the request: it waits for those. That a server got nothing shows by the next request that does reach it, so
//!   end with one; whatever arrives beyond fails the scenario. `run.raw`, `run.answered`, `run.arrived` and `run.note`
//!   are the parts, for other clients (`run.client()`, `run.listen()`).
//! - `run.stat(name, value)` waits until a statistic (Envoy's name, `/stats`) has this value; `run.log(file, lines)`
//!   waits for lines of an access log in `<dir>` and records them.
//! - What chance decides is recorded as what it is: `(id 1)`, `(now)`, `(milliseconds)`, `(the proxy)`, `<primary>`.
//! - At the end, unless `not_convertible`, the file must convert to v3 (`mimir-mirror convert`), twice the same, and
//!   Envoy must accept that without a warning.
//!
//! `docs/envoy.md`'s table names scenarios as `file::function`, and a test holds that they exist.

mod convert;
#[allow(dead_code, reason = "the language of the scenarios; not every word is used at any time")]
mod file;
#[allow(dead_code, reason = "the language of the scenarios; not every word is used at any time")]
mod run;
#[allow(dead_code, reason = "the language of the scenarios; not every word is used at any time")]
mod scenario;
mod seen;
mod server;

mod access_logs;
mod basics;
mod breakers;
mod cluster_policies;
mod clusters;
mod documents;
mod envoys_own;
mod error_flags;
mod error_replies;
mod forwarded;
mod headers;
mod health;
mod http2;
mod levels;
mod listeners;
mod log_facts;
mod malformed;
mod manager;
mod matches;
mod on_purpose;
mod policies;
mod process;
mod requests;
mod resets;
mod retries;
mod rewrites;
mod shares;
mod sockets;
mod tls;
mod tls_clusters;
mod tls_http2;

/// What most requests reach.
const BOTH: [&str; 2] = ["primary", "mirror"];

/// As for the files of tests: one that no `mod` line names would never run.
#[test]
fn every_file_is_compiled() {
    let here = include_str!("differential.rs");
    for entry in std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/differential")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let module = name.strip_suffix(".rs").unwrap_or(&name);
        assert!(here.contains(&format!("mod {module};")), "{name} is not named in tests/differential.rs");
    }
}
