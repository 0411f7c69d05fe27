//! The walk through a 2.0 message, `io.prometheus.write.v2.Request`: each symbol is hashed once, a label is two
//! look-ups.
//!
//! Senders write the table before the series, but protobuf lets fields come in any order. So the message is gone
//! through twice: for the symbols, then for the series, the second time with nothing but hops over the symbols.
//!
//! Field numbers are those of `prompb/io/prometheus/write/v2/types.proto` in Prometheus.

use super::distinct::Distinct;
use super::hash::LabelHasher;
use super::{MAX_SYMBOLS, Reason};
use crate::wire::{Fields, Malformed, Value, varint};

/// `Request.symbols` and `.timeseries`.
const SYMBOLS: u32 = 4;
const TIMESERIES: u32 = 5;
/// `TimeSeries.labels_refs`.
const LABELS_REFS: u32 = 1;
/// `TimeSeries.samples`, `.histograms` and `.exemplars`.
const SAMPLES: u32 = 2;
const HISTOGRAMS: u32 = 3;
const EXEMPLARS: u32 = 4;

/// `symbols` is room for the table; what stood in it is gone.
pub(super) fn walk(
    message: &[u8],
    hasher: &LabelHasher,
    symbols: &mut Vec<u64>,
    found: &mut Distinct<'_>,
) -> Result<(), Reason> {
    table(message, hasher, symbols)?;
    for field in Fields::of(message) {
        match field? {
            (TIMESERIES, Value::Bytes(message)) => {
                if let Some(fingerprint) = series(message, hasher, symbols)? {
                    found.insert(fingerprint)?;
                }
            }
            (TIMESERIES, _) => return Err(Reason::Unreadable),
            _ => {}
        }
    }
    Ok(())
}

fn table(message: &[u8], hasher: &LabelHasher, symbols: &mut Vec<u64>) -> Result<(), Reason> {
    symbols.clear();
    for field in Fields::of(message) {
        match field? {
            (SYMBOLS, Value::Bytes(_)) if symbols.len() == MAX_SYMBOLS => return Err(Reason::TooMany),
            (SYMBOLS, Value::Bytes(symbol)) => symbols.push(hasher.string(symbol)),
            (SYMBOLS, _) => return Err(Reason::Unreadable),
            _ => {}
        }
    }
    Ok(())
}

/// The fingerprint of one series, or none if it brings nothing.
fn series(message: &[u8], hasher: &LabelHasher, symbols: &[u64]) -> Result<Option<u64>, Malformed> {
    let mut labels = Labels { hasher, symbols, name: None, sum: 0 };
    let mut brings = false;
    for field in Fields::of(message) {
        match field? {
            (LABELS_REFS, Value::Bytes(mut packed)) => {
                while !packed.is_empty() {
                    labels.reference(varint(&mut packed)?)?;
                }
            }
            // Repeated numbers may stand one by one as well, even in the midst of packed ones.
            (LABELS_REFS, Value::Varint(reference)) => labels.reference(reference)?,
            (SAMPLES | HISTOGRAMS | EXEMPLARS, Value::Bytes(_)) => brings = true,
            (LABELS_REFS..=EXEMPLARS, _) => return Err(Malformed),
            _ => {}
        }
    }
    if labels.name.is_some() {
        return Err(Malformed);
    }
    Ok(brings.then_some(labels.sum))
}

/// Takes references one by one, names and values in turn.
struct Labels<'a> {
    hasher: &'a LabelHasher,
    symbols: &'a [u64],
    name: Option<u64>,
    sum: u64,
}

impl Labels<'_> {
    #[inline]
    fn reference(&mut self, reference: u64) -> Result<(), Malformed> {
        // Protobuf reads a `uint32` by its lower 32 bits, whatever else the varint holds.
        let place = usize::try_from(reference & u64::from(u32::MAX)).map_err(|_| Malformed)?;
        let symbol = *self.symbols.get(place).ok_or(Malformed)?;
        match self.name.take() {
            None => self.name = Some(symbol),
            Some(name) => self.sum = self.sum.wrapping_add(self.hasher.label(name, symbol)),
        }
        Ok(())
    }
}
