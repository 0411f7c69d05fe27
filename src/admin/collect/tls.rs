//! Envoy's `ssl.*` of listeners and clusters that have TLS, and how often certificates were renewed.

use super::{Kind, Labels, Metrics, Unit, Value, sum};
use crate::admin::View;
use crate::stats::WorkerStats;
use crate::stats::tls::TlsStats;
use crate::tls::provider::{GROUPS, SUITES};

type Row = (&'static str, fn(&TlsStats) -> u64);

const ROWS: &[Row] = &[
    ("connection_error", |s| s.connection_error.get()),
    ("fail_verify_cert_hash", |s| s.fail_verify_cert_hash.get()),
    ("fail_verify_error", |s| s.fail_verify_error.get()),
    ("fail_verify_no_cert", |s| s.fail_verify_no_cert.get()),
    ("fail_verify_san", |s| s.fail_verify_san.get()),
    ("handshake", |s| s.handshake.get()),
    ("no_certificate", |s| s.no_certificate.get()),
    ("session_reused", |s| s.session_reused.get()),
];
/// OCSP staples are not sent.
const NEVER: [&str; 4] =
    ["ocsp_staple_failed", "ocsp_staple_omitted", "ocsp_staple_requests", "ocsp_staple_responses"];
const VERSIONS: [&str; 2] = ["TLSv1.2", "TLSv1.3"];

/// What has TLS, by its index in the configuration.
#[derive(Debug, Clone, Copy)]
pub(super) enum Place {
    Listener(usize),
    Cluster(usize),
}

impl Place {
    fn stats(self, worker: &WorkerStats) -> Option<&TlsStats> {
        match self {
            Self::Listener(index) => worker.http.get(index).map(|http| &http.tls),
            Self::Cluster(index) => worker.clusters.get(index).map(|cluster| &cluster.tls),
        }
    }

    fn family(self) -> &'static str {
        match self {
            Self::Listener(_) => "envoy_listener",
            Self::Cluster(_) => "envoy_cluster",
        }
    }

    /// Envoy calls the cipher's label differently in the two.
    fn cipher_label(self) -> &'static str {
        match self {
            Self::Listener(_) => "envoy_ssl_cipher",
            Self::Cluster(_) => "cipher_suite",
        }
    }
}

/// One listener or cluster.
pub(super) struct Of<'a> {
    pub(super) view: &'a View,
    pub(super) place: Place,
    /// Before `.ssl...`: `listener.0.0.0.0_443`.
    pub(super) text: String,
    pub(super) labels: Labels,
}

impl Of<'_> {
    fn sum(&self, read: impl Fn(&TlsStats) -> u64) -> u64 {
        sum(self.view, |worker| self.place.stats(worker).map(&read))
    }

    pub(super) fn collect(&self, metrics: &mut Metrics) {
        for (name, read) in ROWS {
            self.put(name, self.sum(read), metrics);
        }
        NEVER.iter().for_each(|name| self.put(name, 0, metrics));
        for (index, version) in VERSIONS.iter().enumerate() {
            let n = self.sum(|tls| tls.versions.get(index).map_or(0, |n| n.get()));
            self.named("versions", "envoy_ssl_version", version, n, metrics);
        }
        for (index, (_, suite)) in SUITES.iter().enumerate() {
            let n = self.sum(|tls| tls.ciphers.get(index).map_or(0, |n| n.get()));
            self.named("ciphers", self.place.cipher_label(), suite, n, metrics);
        }
        for (index, (_, group)) in GROUPS.iter().enumerate() {
            let n = self.sum(|tls| tls.curves.get(index).map_or(0, |n| n.get()));
            self.named("curves", "envoy_ssl_curve", group, n, metrics);
        }
    }

    fn put(&self, name: &str, n: u64, metrics: &mut Metrics) {
        let (family, text) =
            (format!("{}_ssl_{name}", self.place.family()), format!("{}.ssl.{name}", self.text));
        metrics.envoy(family, Kind::Counter, text, self.labels.clone(), n);
    }

    /// As in Envoy, these appear with the first handshake that used them.
    fn named(&self, name: &str, label: &'static str, value: &str, n: u64, metrics: &mut Metrics) {
        if n == 0 {
            return;
        }
        let labels = [vec![(label, value.to_owned())], self.labels.clone()].concat();
        let (family, text) =
            (format!("{}_ssl_{name}", self.place.family()), format!("{}.ssl.{name}.{value}", self.text));
        metrics.envoy(family, Kind::Counter, text, labels, n);
    }
}

/// How often new certificates were found in files.
pub(super) fn collect(view: &View, metrics: &mut Metrics) {
    let control = &view.stats.control;
    let family = metrics.family(
        "mimir_mirror_certificate_reloads_total".into(),
        Kind::Counter,
        Unit::Kept,
        "Listeners and clusters whose certificate files changed: given the new ones, or kept on the old ones.",
    );
    for (result, n) in
        [("renewed", control.certificates_renewed.get()), ("refused", control.certificates_refused.get())]
    {
        family.push(
            format!("tls.certificates_{result}"),
            vec![("result", result.to_owned())],
            Value::Number(n),
        );
    }
}
