//! All numbers, under all their names. Enters: the [`View`]. Leaves: [`Metrics`], for `render`.
//!
//! **To add a number:** give it a field in `stats` (a [`Counter`](crate::stats::counter::Counter) or `Gauge` of the
//! thread that counts it), and a row in the table of its scope here, one file each: `cluster` (`cluster.*`), `http`
//! (`http.*`), `listener` (`listener.*`), `server` (the process), `mirror` (ours). A row is the name, the kind and how
//! to read it; text, JSON and Prometheus follow. If the name stands in `never`, take it out there.
//!
//! Each number has Envoy's dotted name (`cluster.a.upstream_rq_total`) and a Prometheus family with labels, as
//! Envoy's tag extraction would split it. Cluster names with dots stay whole in the label, where Envoy would cut
//! them. Labels come from the configuration and from status codes, so their number is bounded.

mod answers;
mod backlog;
mod by_status;
mod cluster;
mod files;
mod http;
mod listener;
mod mirror;
mod never;
mod reloads;
mod server;
mod tls;

use std::borrow::Cow;
use std::collections::BTreeMap;

pub(crate) use by_status::Answers;

use super::View;
use crate::stats::WorkerStats;
use crate::stats::histogram::HistogramSum;

/// What kind of number a family holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Counter,
    Gauge,
    Histogram,
}

/// In which unit Prometheus gets a number that is kept in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    /// As it is: counts, bytes, and Envoy's milliseconds.
    Kept,
    /// Milliseconds become seconds, Prometheus' base unit.
    Seconds,
}

/// One number, or one distribution.
#[derive(Debug, Clone)]
pub(crate) enum Value {
    Number(u64),
    Durations(HistogramSum),
}

impl Value {
    fn merge(&mut self, other: &Self) {
        match (self, other) {
            (Self::Number(a), Self::Number(b)) => *a = a.saturating_add(*b),
            (Self::Durations(a), Self::Durations(b)) => a.merge(b),
            _ => debug_assert!(false, "a name stands for a number and for durations"),
        }
    }
}

/// Names and values of labels, in the order of printing.
pub(crate) type Labels = Vec<(&'static str, String)>;

/// One line, or one histogram, of a family.
#[derive(Debug, Clone)]
pub(crate) struct Sample {
    /// Envoy's dotted name; empty if the number is for Prometheus only.
    pub(crate) text: String,
    pub(crate) labels: Labels,
    pub(crate) value: Value,
    /// From where readers count, if the counters were reset.
    pub(crate) base: u64,
}

impl Sample {
    /// What readers see of a number; `None` for a distribution.
    pub(crate) fn number(&self) -> Option<u64> {
        match self.value {
            Value::Number(n) => Some(n.saturating_sub(self.base)),
            Value::Durations(_) => None,
        }
    }
}

/// All samples under one Prometheus name.
#[derive(Debug)]
pub(crate) struct Family {
    pub(crate) kind: Kind,
    pub(crate) unit: Unit,
    /// Empty for Envoy's own families: Envoy prints none.
    pub(crate) help: &'static str,
    pub(crate) samples: Vec<Sample>,
}

impl Family {
    /// Adds a sample; one that has the same names as another is merged with it, as Envoy does with listeners that
    /// share a `stat_prefix`.
    fn push(&mut self, text: String, labels: Labels, value: Value) {
        match self.samples.iter_mut().find(|old| old.text == text && old.labels == labels) {
            Some(old) => old.value.merge(&value),
            None => self.samples.push(Sample { text, labels, value, base: 0 }),
        }
    }
}

/// The families by Prometheus name.
#[derive(Debug, Default)]
pub(crate) struct Metrics(BTreeMap<Cow<'static, str>, Family>);

impl Metrics {
    /// Families in the order of their names.
    pub(crate) fn families(&self) -> impl Iterator<Item = (&str, &Family)> {
        self.0.iter().map(|(name, family)| (name.as_ref(), family))
    }

    pub(crate) fn samples_mut(&mut self) -> impl Iterator<Item = &mut Sample> {
        self.0.values_mut().flat_map(|family| &mut family.samples)
    }

    fn family(&mut self, name: Cow<'static, str>, kind: Kind, unit: Unit, help: &'static str) -> &mut Family {
        self.0.entry(name).or_insert(Family { kind, unit, help, samples: Vec::new() })
    }

    /// Gives every sample these labels, before its own and but for those that it has.
    fn tag(&mut self, tags: &[(&'static str, String)]) {
        if tags.is_empty() {
            return;
        }
        for sample in self.samples_mut() {
            let own = std::mem::take(&mut sample.labels);
            let is_own = |name: &str| own.iter().any(|(other, _)| *other == name);
            let added = tags.iter().filter(|(name, _)| !is_own(name)).cloned();
            sample.labels = added.chain(own.iter().cloned()).collect();
        }
    }

    /// A number of Envoy's.
    fn envoy(
        &mut self,
        name: impl Into<Cow<'static, str>>,
        kind: Kind,
        text: String,
        labels: Labels,
        n: u64,
    ) {
        self.family(name.into(), kind, Unit::Kept, "").push(text, labels, Value::Number(n));
    }

    /// A histogram of Envoy's, in milliseconds.
    fn envoy_time(&mut self, name: &'static str, text: String, labels: Labels, sum: HistogramSum) {
        self.family(name.into(), Kind::Histogram, Unit::Kept, "").push(text, labels, Value::Durations(sum));
    }
}

/// Reads everything once.
pub(crate) fn collect(view: &View) -> Metrics {
    let mut metrics = Metrics::default();
    http::collect(view, &mut metrics);
    listener::collect(view, &mut metrics);
    cluster::collect(view, &mut metrics);
    mirror::collect(view, &mut metrics);
    tls::collect(view, &mut metrics);
    reloads::collect(view, &mut metrics);
    server::collect(view, &mut metrics);
    files::collect(view, &mut metrics);
    never::process(&mut metrics);
    metrics.tag(&view.tags);
    metrics
}

/// The sum of a number over the workers.
pub(crate) fn sum(view: &View, read: impl Fn(&WorkerStats) -> Option<u64>) -> u64 {
    view.stats.threads().filter_map(|worker| read(worker)).sum()
}

/// A name as part of a dotted name: Envoy replaces colons, and a line break would forge a line.
pub(crate) fn sanitized(name: &str) -> String {
    name.replace("://", "_").replace(":/", "_").replace(|c: char| c == ':' || c.is_control(), "_")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admin::fixture;

    fn number(metrics: &Metrics, family: &str, text: &str) -> Option<u64> {
        let (_, family) = metrics.families().find(|(name, _)| *name == family)?;
        let sample = family.samples.iter().find(|sample| sample.text == text)?;
        match sample.value {
            Value::Number(n) => Some(n),
            Value::Durations(_) => None,
        }
    }

    #[test]
    fn names_are_made_safe_as_envoy_does() {
        assert_eq!(sanitized("[::1]:9900"), "[__1]_9900");
        assert_eq!(sanitized("http://a:80"), "http_a_80");
        assert_eq!(sanitized("a\nb"), "a_b");
    }

    #[test]
    fn workers_are_summed() {
        let fixture = fixture::new();
        for worker in &fixture.view.stats.workers {
            worker.http[0].rq_total.add(2);
        }
        let metrics = collect(&fixture.view);
        assert_eq!(
            number(&metrics, "envoy_http_downstream_rq_total", "http.ingress.downstream_rq_total"),
            Some(4)
        );
    }

    #[test]
    fn listeners_that_share_a_prefix_share_their_lines() {
        let mut fixture = fixture::new();
        let mut config = (*fixture.view.config).clone();
        config.listeners.push(config.listeners[0].clone());
        fixture.reconfigure(config);
        fixture.view.listening.push("127.0.0.1:9999".parse().unwrap());
        for http in &fixture.view.stats.workers[0].http {
            http.rq_total.add(3);
            http.rq_time.record(std::time::Duration::from_millis(1));
        }
        let metrics = collect(&fixture.view);
        assert_eq!(
            number(&metrics, "envoy_http_downstream_rq_total", "http.ingress.downstream_rq_total"),
            Some(6)
        );
        let (_, times) =
            metrics.families().find(|(name, _)| *name == "envoy_http_downstream_rq_time").unwrap();
        assert!(
            matches!(&times.samples[..], [Sample { value: Value::Durations(sum), .. }] if sum.count() == 2)
        );
    }

    #[test]
    fn no_two_samples_of_a_family_have_the_same_labels() {
        let metrics = collect(&fixture::busy().view);
        for (name, family) in metrics.families() {
            let labels: std::collections::HashSet<_> = family.samples.iter().map(|s| &s.labels).collect();
            assert_eq!(labels.len(), family.samples.len(), "{name}");
        }
    }
}
