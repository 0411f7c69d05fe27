//! Repeatable, realistic remote write traffic.
//!
//! A [`Generator`] stands for one shard of a Prometheus: it owns a fixed number of series, all of them distinct
//! from those of every other shard, and walks through them round after round as scrapes do. The same arguments
//! give the same bytes on every machine.
//!
//! Shape: about 10 labels and 250 raw bytes a sample, one sample a series and message, as Prometheus sends them.
//! 2000 samples make a body of about 67 KB (505 KB raw), the figures of a Prometheus 2.42 that scrapes some
//! 15 000 series with Kubernetes' label sets.

mod catalogue;
mod random;

use crate::encode::encode;
use crate::message::{Label, Sample, TimeSeries, WriteRequest};
use catalogue::Template;
use random::{mix, pod_suffix};

/// What the samples of a batch are apart when a batch comes round to the same series again, milliseconds.
const DEFAULT_STEP_MS: u64 = 1_000;

/// How far on in a pod's scrape the next series stands. A Prometheus with several shards deals series out in turn,
/// so neighbours in one shard's batch are not neighbours in the scrape, and compress the worse for it.
/// It shares no factor with the number of templates, so every template has its turn.
const STRIDE: u64 = 7;

/// One sender's series and its place among them.
pub struct Generator {
    seed: u64,
    shard: u32,
    series: u64,
    step_ms: u64,
    position: u64,
    templates: Vec<Template>,
}

impl Generator {
    /// A sender of `series` series (at least one). Different `shard`s of one `seed` share no series.
    #[must_use]
    pub fn new(seed: u64, shard: u32, series: u32) -> Self {
        let templates = catalogue::templates();
        Self {
            seed,
            shard,
            series: u64::from(series.max(1)),
            step_ms: DEFAULT_STEP_MS,
            position: 0,
            templates,
        }
    }

    /// Sets what two samples of one series are apart within a batch, milliseconds (default 1000).
    #[must_use]
    pub fn with_step_ms(mut self, step_ms: u64) -> Self {
        self.step_ms = step_ms;
        self
    }

    /// How many samples have been handed out. Sample `n` is the one of series `n % series` at round `n / series`.
    #[must_use]
    pub fn position(&self) -> u64 {
        self.position
    }

    /// How often all series have had their turn: the round that the next sample belongs to.
    #[must_use]
    pub fn round(&self) -> u64 {
        self.position / self.series
    }

    /// The next samples, going on where the last batch ended. The first has the timestamp given; each time the
    /// batch comes round to the first series again, the timestamp rises by the step. A caller whose timestamps
    /// never fall below the last ones it used keeps every series in order.
    pub fn batch(&mut self, samples: usize, timestamp_ms: i64) -> WriteRequest {
        let request = self.peek(samples, timestamp_ms);
        self.position += samples as u64;
        request
    }

    /// [`Generator::batch`] as a body ready for the wire.
    pub fn body(&mut self, samples: usize, timestamp_ms: i64) -> Vec<u8> {
        encode(&self.batch(samples, timestamp_ms))
    }

    /// The next samples as a body of about `bytes` bytes: within 1 %, or as near as whole samples come (the first
    /// takes about 250 bytes, in larger bodies each about 33). Costs several encodings: prepare them beforehand.
    pub fn body_of(&mut self, bytes: usize, timestamp_ms: i64) -> Vec<u8> {
        let body = |samples: usize| encode(&self.peek(samples, timestamp_ms));
        let (mut below, mut enough) = (0, 1);
        while body(enough).len() < bytes {
            below = enough;
            enough *= 2;
        }
        let mut best = body(enough);
        let mut samples = enough;
        while enough - below > 1 && best.len().abs_diff(bytes) > bytes / 100 {
            let middle = below.midpoint(enough);
            let tried = body(middle);
            if tried.len() < bytes {
                below = middle;
            } else {
                enough = middle;
            }
            if tried.len().abs_diff(bytes) < best.len().abs_diff(bytes) {
                (best, samples) = (tried, middle);
            }
        }
        self.position += samples as u64;
        best
    }

    fn peek(&self, samples: usize, timestamp_ms: i64) -> WriteRequest {
        let first_round = self.round();
        let places = self.position..self.position + samples as u64;
        let mut pod: Option<(u64, Vec<Label>)> = None;
        let timeseries = places.filter_map(|place| {
            let (series, round) = (place % self.series, place / self.series);
            let width = self.templates.len() as u64;
            let template = self.templates.get(usize::try_from(series % width * STRIDE % width).ok()?)?;
            let number = series / width;
            if pod.as_ref().is_none_or(|(known, _)| *known != number) {
                pod = Some((number, self.pod_labels(number)));
            }
            let labels = series_labels(template, &pod.as_ref()?.1);
            let value = template.value(self.identity(series), round);
            let later = (round - first_round).saturating_mul(self.step_ms);
            let timestamp = timestamp_ms.saturating_add_unsigned(later);
            Some(TimeSeries { labels, samples: vec![Sample { value, timestamp }], exemplars: Vec::new() })
        });
        WriteRequest { timeseries: timeseries.collect(), metadata: Vec::new() }
    }

    /// A number that no other shard of this seed gives to any of its pods or series.
    fn identity(&self, number: u64) -> u64 {
        mix(self.seed) ^ mix(u64::from(self.shard) << 32 | number)
    }

    fn pod_labels(&self, number: u64) -> Vec<Label> {
        // Shards start at different workloads, so that a small body is not the same workload for each of them.
        let pod = number + u64::from(self.shard);
        catalogue::pod_labels(pod, &pod_suffix(self.identity(number)))
    }
}

/// A pod's labels and the template's own, merged in the order of their names.
fn series_labels(template: &Template, pod: &[Label]) -> Vec<Label> {
    let own = [("__name__", template.metric)].into_iter().chain(template.labels.iter().copied());
    let own = own.map(|(name, value)| Label { name: name.to_owned(), value: value.to_owned() });
    let mut labels: Vec<Label> = own.chain(pod.iter().cloned()).collect();
    labels.sort();
    labels
}
