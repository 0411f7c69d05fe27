//! The walk through a 1.0 message, `prometheus.WriteRequest`: labels are hashed where they stand.
//!
//! Field numbers are those of `prompb/remote.proto` and `prompb/types.proto` in Prometheus.

use super::Reason;
use super::distinct::Distinct;
use super::hash::LabelHasher;
use crate::wire::{Fields, Malformed, Value};

/// `WriteRequest.timeseries`.
const TIMESERIES: u32 = 1;
/// `TimeSeries.labels`.
const LABELS: u32 = 1;
/// `TimeSeries.samples`, `.exemplars` and `.histograms`.
const SAMPLES: u32 = 2;
const EXEMPLARS: u32 = 3;
const HISTOGRAMS: u32 = 4;
/// `Label.name` and `.value`.
const NAME: u32 = 1;
const VALUE: u32 = 2;

/// How many labels of a series are remembered: more than nearly all series have.
const REMEMBERED: usize = 32;
/// A label that no series has: as it is written, and its number.
const NO_LABEL: (&[u8], u64) = (&[], 0);

/// The labels of the series before, in their places. Senders write one target's series one after the other, so most of
/// a series' labels are those of the one before, and to compare one costs less than to hash it.
type Before<'a> = [(&'a [u8], u64); REMEMBERED];

pub(super) fn walk(message: &[u8], hasher: &LabelHasher, found: &mut Distinct<'_>) -> Result<(), Reason> {
    let mut before = [NO_LABEL; REMEMBERED];
    for field in Fields::of(message) {
        match field? {
            (TIMESERIES, Value::Bytes(message)) => {
                if let Some(fingerprint) = series(message, hasher, &mut before)? {
                    found.insert(fingerprint)?;
                }
            }
            (TIMESERIES, _) => return Err(Reason::Unreadable),
            _ => {}
        }
    }
    Ok(())
}

/// The fingerprint of one series, or none if it brings nothing.
fn series<'a>(
    message: &'a [u8],
    hasher: &LabelHasher,
    before: &mut Before<'a>,
) -> Result<Option<u64>, Malformed> {
    let mut labels: u64 = 0;
    let mut before = before.iter_mut();
    let mut brings = false;
    let mut fields = Fields::of(message);
    loop {
        while let Some(message) = fields.short(LABELS) {
            let number = match before.next() {
                Some((same, number)) if *same == message => *number,
                Some(other) => {
                    *other = (message, label(message, hasher)?);
                    other.1
                }
                None => label(message, hasher)?,
            };
            labels = labels.wrapping_add(number);
        }
        let Some(field) = fields.next() else {
            return Ok(brings.then_some(labels));
        };
        match field? {
            (LABELS, Value::Bytes(message)) => labels = labels.wrapping_add(label(message, hasher)?),
            (SAMPLES | EXEMPLARS | HISTOGRAMS, Value::Bytes(_)) => brings = true,
            (LABELS..=HISTOGRAMS, _) => return Err(Malformed),
            _ => {}
        }
    }
}

#[inline]
fn label(message: &[u8], hasher: &LabelHasher) -> Result<u64, Malformed> {
    let mut fields = Fields::of(message);
    let (name, value) = match (fields.short(NAME), fields.short(VALUE)) {
        (Some(name), Some(value)) if fields.is_empty() => (name, value),
        _ => name_and_value(message)?,
    };
    Ok(hasher.label(hasher.string(name), hasher.string(value)))
}

/// A label in whatever way it is written. What is absent is empty, and what stands there twice counts the last time.
#[cold]
fn name_and_value(message: &[u8]) -> Result<(&[u8], &[u8]), Malformed> {
    let (mut name, mut value): (&[u8], &[u8]) = (&[], &[]);
    for field in Fields::of(message) {
        match field? {
            (NAME, Value::Bytes(bytes)) => name = bytes,
            (VALUE, Value::Bytes(bytes)) => value = bytes,
            (NAME | VALUE, _) => return Err(Malformed),
            _ => {}
        }
    }
    Ok((name, value))
}
