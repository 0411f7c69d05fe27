//! The documented configuration, unchanged but for addresses, mirrors a real Prometheus to two real ones.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::dsl::dir::Dir;
use crate::dsl::prometheus::{AllSeries, Prometheus, Target, count};
use crate::dsl::proxy::Program;
use crate::dsl::relay::{Relay, Way};
use crate::dsl::{Proxy, alone, until};

/// The file's text as it is published.
fn published(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// The file's text with these addresses in place of its own. Nothing else is touched.
fn with_addresses(text: &str, addresses: &[(&str, SocketAddr)]) -> String {
    let mut text = text.to_owned();
    for (written, address) in addresses {
        let own = format!("{{ address: {}, port_value: {} }}", address.ip(), address.port());
        assert_eq!(text.matches(written).count(), 1, "{written}");
        text = text.replace(written, &own);
    }
    text
}

/// Starts ours on an Envoy file of the examples between these two clusters.
async fn start(name: &str, primary: SocketAddr, secondary: SocketAddr) -> Proxy {
    let text = published(name);
    let between = |listen, admin| {
        with_addresses(
            &text,
            &[
                ("{ address: 0.0.0.0, port_value: 9900 }", listen),
                ("{ address: 0.0.0.0, port_value: 9901 }", admin),
                ("{ address: mimir-primary, port_value: 8080 }", primary),
                ("{ address: mimir-secondary, port_value: 8080 }", secondary),
            ],
        )
    };
    Proxy::on_text(Program::MimirMirror.command(), between, &[]).await
}

/// Waits until the sender has scraped often enough, stops it, and waits until the primary has every sample.
async fn send(target: &Target, sender: Prometheus, scrapes: usize, primary: &Prometheus) -> AllSeries {
    until("the scrapes", async || (target.scrapes() >= scrapes).then_some(())).await;
    // From the primary's own data: what is written is what the target served, or the test would compare nothings.
    until("samples at the primary", async || (count(&primary.series().await) > 0).then_some(())).await;
    sender.stop().await;
    let series = primary.series().await;
    let of_target = series.iter().filter(|(labels, _)| labels.contains("test_requests_total"));
    let lengths: Vec<_> = of_target.map(|(_, samples)| samples.len()).collect();
    assert_eq!(lengths.len(), Target::SERIES);
    // The last scrape may have been cut off by the sender's end.
    assert!(
        lengths.iter().all(|n| *n + 1 >= scrapes),
        "of {scrapes} scrapes the primary has {:?}",
        lengths.iter().min()
    );
    series
}

/// Sends like [`send`], but nothing gets through for the first scrapes, so that the sender has to catch up.
pub(crate) async fn send_backlog(proxy: &Proxy, primary: &Prometheus) -> AllSeries {
    let way = Relay::before(proxy.listen).await;
    way.set(Way::Cut);
    let target = Target::start().await;
    let sender =
        Prometheus::sender(target.address(), &format!("http://{}/api/v1/write", way.address())).await;
    until("a backlog", async || (target.scrapes() >= 16).then_some(())).await;
    assert_eq!(count(&primary.series().await), 0, "nothing was held up");
    way.set(Way::Open);
    until("the end of the backlog", async || {
        let scraped = target.scrapes();
        let held = count(&primary.series().await);
        (held >= scraped.saturating_sub(2) * Target::SERIES).then_some(())
    })
    .await;
    send(&target, sender, 20, primary).await
}

/// Waits until both have the same series with the same samples, thousands of them.
pub(crate) async fn assert_same(expected: &AllSeries, secondary: &Prometheus) {
    assert!(count(expected) >= 5000, "only {} samples", count(expected));
    until("the secondary's equality", async || (secondary.series().await == *expected).then_some(())).await;
}

/// A real sender through a running proxy: both receivers must hold the same in the end.
async fn mirrors_a_real_prometheus(
    proxy: &Proxy,
    mirror: &str,
    primary: &Prometheus,
    secondary: &Prometheus,
) {
    let _alone = alone().await;
    let target = Target::start().await;
    let sender = Prometheus::sender(target.address(), &format!("http://{}/api/v1/write", proxy.listen)).await;
    let expected = send(&target, sender, 20, primary).await;
    assert_same(&expected, secondary).await;
    let ledger = proxy.settled(mirror).await;
    assert_eq!(ledger.delivered(), ledger.received, "{ledger:?}");
}

#[tokio::test]
async fn the_documented_file_mirrors_a_real_prometheus() {
    let (primary, secondary) = (Prometheus::receiver().await, Prometheus::receiver().await);
    let proxy = start("envoy-v2.yaml", primary.address(), secondary.address()).await;
    mirrors_a_real_prometheus(&proxy, "mimir_secondary", &primary, &secondary).await;
}

#[tokio::test]
async fn its_v3_twin_mirrors_a_real_prometheus() {
    let (primary, secondary) = (Prometheus::receiver().await, Prometheus::receiver().await);
    let proxy = start("envoy-v3.yaml", primary.address(), secondary.address()).await;
    mirrors_a_real_prometheus(&proxy, "mimir_secondary", &primary, &secondary).await;
}

#[tokio::test]
async fn flags_alone_mirror_a_real_prometheus() {
    let (primary, secondary) = (Prometheus::receiver().await, Prometheus::receiver().await);
    let url = |of: &Prometheus| format!("http://{}", of.address());
    let proxy = Proxy::on_flags(|listen, admin| {
        let flags =
            ["--primary", &url(&primary), "--mirror", &url(&secondary), "--listen"].map(str::to_owned);
        [flags.as_slice(), &[listen.to_string(), "--admin".to_owned(), admin.to_string()]].concat()
    })
    .await;
    // The mirror is named after its host.
    mirrors_a_real_prometheus(&proxy, "127.0.0.1", &primary, &secondary).await;
}

/// The page's promise: neither the performance nor the availability of the secondary touches the primary.
#[tokio::test]
async fn c2_a_secondary_that_hangs_and_dies_costs_the_primary_no_sample() {
    let _alone = alone().await;
    let (primary, secondary) = (Prometheus::receiver().await, Prometheus::receiver().await);
    let relay = Relay::before(secondary.address()).await;
    let proxy = start("envoy-v2.yaml", primary.address(), relay.address()).await;
    let target = Target::start().await;
    let sender = Prometheus::sender(target.address(), &format!("http://{}/api/v1/write", proxy.listen)).await;
    for way in [Way::Held, Way::Cut, Way::Held] {
        relay.set(way);
        let then = target.scrapes() + 8;
        until("more scrapes", async || (target.scrapes() >= then).then_some(())).await;
    }
    let expected = send(&target, sender, 24, &primary).await;
    assert!(count(&expected) >= 5000, "only {} samples", count(&expected));
    let ledger = proxy.ledger("mimir_secondary").await;
    assert!(ledger.delivered() < ledger.received, "the secondary was never away: {ledger:?}");
    // Whatever waited in memory meanwhile has its end now.
    relay.set(Way::Open);
    proxy.settled("mimir_secondary").await;
}

/// Runs ours in validation mode on this text, in a file of this name.
fn validate(name: &str, text: &str) -> (PathBuf, Output) {
    let dir = Dir::new("validate");
    let path = dir.write(name, text);
    let mut command: Command = Program::MimirMirror.command();
    let output = command.arg("-c").arg(&path).args(["--mode", "validate"]).output().expect("it starts");
    (path, output)
}

#[test]
fn the_examples_are_valid() {
    for name in ["envoy-v2.yaml", "envoy-v3.yaml", "minimal.yaml", "native-full.yaml", "native-durable.yaml"]
    {
        let (path, output) = validate(name, &published(name));
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(said, format!("configuration '{}' OK\n", path.display()), "{name}: {output:?}");
        assert_eq!(output.status.code(), Some(0), "{name}");
    }
}

#[test]
fn the_documented_file_is_the_pages() {
    // The page's own file, byte for byte, or people compare in vain.
    let text = published("envoy-v2.yaml");
    for line in
        ["hosts: [{ socket_address: { address: mimir-primary, port_value: 8080 }}]", "- name: envoy.router"]
    {
        assert!(text.contains(line), "{line}");
    }
}

/// A wrong value is refused where it stands.
fn refused(name: &str, wrong: &str, right: &str) {
    let text = published(name);
    assert_eq!(text.matches(right).count(), 1, "{right} in {name}");
    let text = text.replace(right, wrong);
    let (path, output) = validate(name, &text);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!((output.status.code(), output.stdout.len()), (Some(1), 0), "{wrong}: {said}");
    let at = text.find(wrong).expect("just written");
    let line = text[..at].matches('\n').count() + 1;
    let place = format!("{}:{line}:", path.display());
    let column = said.split(&place).nth(1).and_then(|rest| rest.split(|c: char| !c.is_ascii_digit()).next());
    let column: usize =
        column.and_then(|c| c.parse().ok()).unwrap_or_else(|| panic!("no {place}COLUMN in {said}"));
    let of_line = text.lines().nth(line - 1).expect("that line");
    assert!((1..=of_line.len()).contains(&column), "column {column} of {of_line:?}");
}

#[test]
fn mistakes_are_refused_with_file_line_and_column() {
    refused("envoy-v2.yaml", "tiemout: 15s", "timeout: 15s");
    refused("envoy-v2.yaml", "timeout: 15 seconds", "timeout: 15s");
    refused("envoy-v2.yaml", "- cluster: mimir_tertiary", "- cluster: mimir_secondary");
    refused("envoy-v3.yaml", "stat_prefix: [a]", "stat_prefix: mimir_ingress");
    refused("envoy-v3.yaml", "http_filters: {", "http_filters:\n");
    refused("minimal.yaml", "primary: https//mimir", "primary: http://mimir-primary:8080");
    refused("minimal.yaml", "mirors:", "mirrors:");
}

#[test]
fn a_missing_file_is_refused() {
    let mut command: Command = Program::MimirMirror.command();
    let output = command.args(["-c", "/nowhere/at-all.yaml"]).output().expect("it starts");
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("/nowhere/at-all.yaml"), "{output:?}");
}

#[test]
fn without_a_configuration_there_is_nothing_to_do() {
    let output = Program::MimirMirror.command().output().expect("it starts");
    assert!(!output.status.success() && !output.stderr.is_empty(), "{output:?}");
}
