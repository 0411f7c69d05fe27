//! Shares that a static layer of the runtime sets: a `runtime_key` in the file means them, in place of its default.

use std::cell::Cell;
use std::collections::BTreeMap;

use crate::model::Fraction;
use crate::read::Field;

/// By key. Later layers go before earlier ones.
#[derive(Debug, Default)]
pub(super) struct Shares<'a>(BTreeMap<String, Share<'a>>);

#[derive(Debug)]
struct Share<'a> {
    field: Field<'a>,
    value: Value,
    used: Cell<bool>,
}

#[derive(Debug, Clone, Copy)]
enum Value {
    /// Of a hundred; of ten thousand where v2 says so.
    Number(u32),
    Fraction(Fraction),
}

impl<'a> Shares<'a> {
    /// A key with a whole number.
    pub(super) fn number(&mut self, key: String, field: Field<'a>, number: u32) {
        self.0.insert(key, Share { field, value: Value::Number(number), used: Cell::new(false) });
    }

    /// A key with a FractionalPercent.
    pub(super) fn fraction(&mut self, key: String, field: Field<'a>, fraction: Fraction) {
        self.0.insert(key, Share { field, value: Value::Fraction(fraction), used: Cell::new(false) });
    }

    /// What a key says; a number counts in parts of `denominator`.
    pub(super) fn find(&self, key: &str, denominator: u32) -> Option<Fraction> {
        let share = self.0.get(key)?;
        share.used.set(true);
        Some(match share.value {
            Value::Number(numerator) => Fraction { numerator, denominator },
            Value::Fraction(fraction) => fraction,
        })
    }

    /// Tells which keys nobody asked for.
    pub(super) fn finish(&self) {
        for (key, share) in self.0.iter().filter(|(_, share)| !share.used.get()) {
            share.field.warn(
                format!("`{key}` has no effect: no `runtime_key` of a share names it"),
                "remove it, or correct the name",
            );
        }
    }
}
