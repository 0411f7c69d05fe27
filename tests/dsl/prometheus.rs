//! A real Prometheus on both ends: one that scrapes a target and writes remotely, and ones that receive.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::client::Client;
use super::dir::Dir;
use super::ports::Port;
use super::process::Process;
use super::request::Request;
use super::upstream::{Reply, Upstream};
use super::wait::{LIMIT, until, until_within};

/// Series by their labels (as JSON), each with its samples in order: time and value as text.
pub(crate) type AllSeries = BTreeMap<String, Vec<(String, String)>>;

/// A running Prometheus (Debian's package `prometheus`).
pub(crate) struct Prometheus {
    process: Process,
    port: Port,
}

impl Prometheus {
    /// One that takes remote writes at `/api/v1/write`.
    pub(crate) async fn receiver() -> Self {
        Self::start("receiver", "global: {}\n", &["--web.enable-remote-write-receiver"]).await
    }

    /// One that scrapes `target` five times a second and writes every sample to `url`, a hundred in a request, eight
    /// requests at a time.
    pub(crate) async fn sender(target: SocketAddr, url: &str) -> Self {
        let config = format!(
            "global: {{ scrape_interval: 200ms, scrape_timeout: 200ms, external_labels: {{ sender: test }} }}\n\
             scrape_configs: [{{ job_name: target, static_configs: [{{ targets: [\"{target}\"] }}] }}]\n\
             remote_write: [{{ url: \"{url}\", queue_config: {{ batch_send_deadline: 200ms, min_backoff: 30ms, \
             max_backoff: 300ms, min_shards: 8, max_samples_per_send: 100 }} }}]\n"
        );
        Self::start("sender", &config, &[]).await
    }

    /// One that scrapes a path of `target` five times a second.
    pub(crate) async fn scraper(target: SocketAddr, path: &str) -> Self {
        let config = format!(
            "global: {{ scrape_interval: 200ms, scrape_timeout: 200ms }}\n\
             scrape_configs: [{{ job_name: target, metrics_path: {path}, \
             static_configs: [{{ targets: [\"{target}\"] }}] }}]\n"
        );
        Self::start("scraper", &config, &[]).await
    }

    /// The same with this file of rules, evaluated as often.
    pub(crate) async fn with_rules(target: SocketAddr, path: &str, rules: &Path) -> Self {
        let config = format!(
            "global: {{ scrape_interval: 200ms, scrape_timeout: 200ms, evaluation_interval: 200ms }}\n\
             rule_files: [\"{}\"]\n\
             scrape_configs: [{{ job_name: target, metrics_path: {path}, \
             static_configs: [{{ targets: [\"{target}\"] }}] }}]\n",
            rules.display()
        );
        Self::start("scraper", &config, &[]).await
    }

    /// The expressions of its rules.
    pub(crate) async fn rules(&self) -> Vec<String> {
        let (status, body) = self.get("/api/v1/rules").await;
        let answer: serde_json::Value = serde_json::from_slice(&body).expect("JSON");
        assert_eq!(status, 200, "{answer}");
        let groups = answer["data"]["groups"].as_array().expect("groups").iter();
        let rules = groups.flat_map(|group| group["rules"].as_array().expect("rules"));
        rules.map(|rule| rule["query"].as_str().expect("an expression").to_owned()).collect()
    }

    /// The values of an expression now, or what Prometheus says against it.
    pub(crate) async fn query(&self, expression: &str) -> Result<Vec<String>, String> {
        let encoded: String = expression.bytes().map(|byte| format!("%{byte:02X}")).collect();
        let (status, body) = self.get(&format!("/api/v1/query?query={encoded}")).await;
        let answer: serde_json::Value = serde_json::from_slice(&body).expect("JSON");
        if status != 200 {
            return Err(answer["error"].to_string());
        }
        let series = answer["data"]["result"].as_array().expect("a vector");
        Ok(series.iter().filter_map(|one| one["value"][1].as_str().map(str::to_owned)).collect())
    }

    async fn start(name: &str, config: &str, flags: &[&str]) -> Self {
        let dir = Dir::new(name);
        let port = Port::reserve();
        let file = dir.write("prometheus.yml", config);
        let mut command = Command::new("prometheus");
        command.arg(format!("--config.file={}", file.display()));
        command.arg(format!("--storage.tsdb.path={}", dir.path().join("data").display()));
        command.arg(format!("--web.listen-address={}", port.address())).args(flags);
        let mut this = Self { process: Process::spawn(name, command, dir), port };
        until(format!("the readiness of the {name}"), async || {
            if let Some(status) = this.process.ended() {
                panic!("prometheus ended at its start: {status}");
            }
            tokio::net::TcpStream::connect(this.address()).await.ok()?;
            (this.get("/-/ready").await.0 == 200).then_some(())
        })
        .await;
        this
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.port.address()
    }

    /// Asks it to end, which makes a sender flush its queue, and waits for the end.
    pub(crate) async fn stop(self) {
        self.stop_within(LIMIT).await;
    }

    /// The same with more patience.
    pub(crate) async fn stop_within(mut self, limit: Duration) {
        self.process.signal("TERM");
        let status = until_within(limit, "the end of prometheus", async || self.process.ended()).await;
        assert!(status.success(), "prometheus ended with {status}");
    }

    async fn get(&self, target: &str) -> (u16, Vec<u8>) {
        let answer = Client::once(self.address(), &Request::get(target).header("connection", "close")).await;
        (answer.status(), answer.body)
    }

    /// Every series it holds, with every sample of the last hour.
    pub(crate) async fn series(&self) -> AllSeries {
        // {__name__=~".+"}[1h]
        let query = "/api/v1/query?query=%7B__name__%3D~%22.%2B%22%7D%5B1h%5D";
        let (status, body) = self.get(query).await;
        let answer: serde_json::Value = serde_json::from_slice(&body).expect("JSON");
        assert_eq!((status, answer["status"].as_str()), (200, Some("success")), "{answer}");
        let series = answer["data"]["result"].as_array().expect("a matrix");
        series.iter().map(|one| (one["metric"].to_string(), samples(&one["values"]))).collect()
    }
}

fn samples(values: &serde_json::Value) -> Vec<(String, String)> {
    let values = values.as_array().expect("samples");
    values.iter().map(|v| (v[0].to_string(), v[1].as_str().unwrap_or_default().to_owned())).collect()
}

/// How many samples there are.
pub(crate) fn count(series: &AllSeries) -> usize {
    series.values().map(Vec::len).sum()
}

/// A scrape target of three hundred series whose values change with each scrape.
pub(crate) struct Target {
    server: Upstream,
}

impl Target {
    pub(crate) const SERIES: usize = 300;

    pub(crate) async fn start() -> Self {
        let scrapes = Arc::new(AtomicU64::new(0));
        let server = Upstream::scripted(move |_| {
            let page = Self::page(scrapes.fetch_add(1, Ordering::Relaxed));
            let length = page.len();
            Reply::raw(format!(
                "HTTP/1.1 200 OK\r\ncontent-type: text/plain; version=0.0.4\r\ncontent-length: {length}\r\n\r\n{page}"
            ))
        })
        .await;
        Self { server }
    }

    fn page(scrape: u64) -> String {
        let mut page = String::from("# TYPE test_requests_total counter\n");
        for series in 0..Self::SERIES as u64 {
            let value = scrape * (series + 1);
            let labels = format!("path=\"/item/{series}\",status=\"{}\"", 200 + series % 4);
            let _ = writeln!(page, "test_requests_total{{{labels}}} {value}");
        }
        page
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// How often it was scraped.
    pub(crate) fn scrapes(&self) -> usize {
        self.server.completed()
    }
}
