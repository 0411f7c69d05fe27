//! Answers of a cluster by status and class: `cluster.<name>.upstream_rq_200` and its kin, of all, of clients' requests,
//! of copies, and of what was sent again.

use std::collections::BTreeMap;

use super::cluster::CLUSTER;
use super::{Kind, Labels, Metrics};
use crate::admin::View;
use crate::stats::answers::AnswerStats;
use crate::stats::histogram::HistogramSum;

/// Answers of one cluster, summed over the workers.
#[derive(Debug, Default)]
pub(crate) struct Answers {
    pub(crate) external: Sum,
    pub(crate) internal: Sum,
    /// Answers whose request was sent again: in none of the other sums.
    retried: Sum,
}

/// Answers by status, and their times.
#[derive(Debug, Default, Clone)]
pub(crate) struct Sum {
    pub(crate) by_status: BTreeMap<u16, u64>,
    pub(crate) time: HistogramSum,
}

impl Sum {
    fn add(&mut self, stats: &AnswerStats) {
        self.add_statuses(stats.statuses());
        stats.time.add_to(&mut self.time);
    }

    fn add_statuses(&mut self, statuses: impl Iterator<Item = (u16, u64)>) {
        for (status, n) in statuses {
            *self.by_status.entry(status).or_default() += n;
        }
    }

    /// Answers with a status in this range.
    pub(crate) fn count(&self, statuses: std::ops::Range<u16>) -> u64 {
        self.by_status.range(statuses).map(|(_, n)| n).sum()
    }
}

impl Answers {
    pub(crate) fn of(view: &View, cluster: usize) -> Self {
        let mut answers = Self::default();
        for stats in view.stats.threads().filter_map(|worker| worker.clusters.get(cluster)) {
            answers.external.add(&stats.external);
            answers.internal.add(&stats.internal);
            answers.retried.add_statuses(stats.retried.statuses());
        }
        answers
    }

    /// Both kinds together.
    pub(crate) fn total(&self) -> Sum {
        let mut total = self.external.clone();
        total.add_statuses(self.internal.by_status.iter().map(|(status, n)| (*status, *n)));
        total.time.merge(&self.internal.time);
        total
    }

    pub(super) fn collect(&self, cluster: &str, metrics: &mut Metrics) {
        Group::ALL.name(cluster, &self.total(), metrics);
        // As in Envoy, these appear with their first answer.
        for (group, sum) in [(&Group::EXTERNAL, &self.external), (&Group::INTERNAL, &self.internal)] {
            if !sum.by_status.is_empty() || sum.time.count() > 0 {
                group.name(cluster, sum, metrics);
            }
        }
        if !self.retried.by_status.is_empty() {
            Group::RETRY.name(cluster, &self.retried, metrics);
        }
    }
}

/// The names of a group of answers.
struct Group {
    /// After `cluster.<name>.`
    text: &'static str,
    by_code: &'static str,
    by_class: &'static str,
    completed: &'static str,
    /// `None` where nobody waited for the answers.
    time: Option<&'static str>,
}

impl Group {
    const ALL: Self = Self {
        text: "",
        by_code: "envoy_cluster_upstream_rq",
        by_class: "envoy_cluster_upstream_rq_xx",
        completed: "envoy_cluster_upstream_rq_completed",
        time: Some("envoy_cluster_upstream_rq_time"),
    };
    const EXTERNAL: Self = Self {
        text: "external.",
        by_code: "envoy_cluster_external_upstream_rq",
        by_class: "envoy_cluster_external_upstream_rq_xx",
        completed: "envoy_cluster_external_upstream_rq_completed",
        time: Some("envoy_cluster_external_upstream_rq_time"),
    };
    const INTERNAL: Self = Self {
        text: "internal.",
        by_code: "envoy_cluster_internal_upstream_rq",
        by_class: "envoy_cluster_internal_upstream_rq_xx",
        completed: "envoy_cluster_internal_upstream_rq_completed",
        time: Some("envoy_cluster_internal_upstream_rq_time"),
    };

    const RETRY: Self = Self {
        text: "retry.",
        by_code: "envoy_cluster_retry_upstream_rq",
        by_class: "envoy_cluster_retry_upstream_rq_xx",
        completed: "envoy_cluster_retry_upstream_rq_completed",
        time: None,
    };

    fn name(&self, cluster: &str, sum: &Sum, metrics: &mut Metrics) {
        let text = |suffix: &str| format!("cluster.{cluster}.{}upstream_rq_{suffix}", self.text);
        let labels = |first: Option<(&'static str, String)>| -> Labels {
            first.into_iter().chain([(CLUSTER, cluster.to_owned())]).collect()
        };
        for (status, n) in &sum.by_status {
            let labels = labels(Some(("envoy_response_code", status.to_string())));
            metrics.envoy(self.by_code, Kind::Counter, text(&status.to_string()), labels, *n);
        }
        // All five from the start: a rate over a series that begins at 1 misses its first increment.
        for class in 1..=5u16 {
            let labels = labels(Some(("envoy_response_code_class", class.to_string())));
            let n = sum.count(class * 100..class * 100 + 100);
            metrics.envoy(self.by_class, Kind::Counter, text(&format!("{class}xx")), labels, n);
        }
        let completed = sum.by_status.values().sum();
        metrics.envoy(self.completed, Kind::Counter, text("completed"), labels(None), completed);
        if let Some(time) = self.time {
            metrics.envoy_time(time, text("time"), labels(None), sum.time.clone());
        }
    }
}
