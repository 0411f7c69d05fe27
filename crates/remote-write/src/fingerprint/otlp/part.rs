//! The parts of an OTLP message: sub-messages by their field numbers, attributes, texts.

use super::super::Reason;
use crate::wire::{Fields, Value};

/// `KeyValue.key` and `.value`.
const KEY: u32 = 1;
const VALUE: u32 = 2;
/// `AnyValue.string_value`.
const STRING_VALUE: u32 = 1;

/// Hands every message in fields of these numbers to `each`.
#[inline]
pub(super) fn messages<'a>(
    message: &'a [u8],
    numbers: &[u32],
    mut each: impl FnMut(&'a [u8]) -> Result<(), Reason>,
) -> Result<(), Reason> {
    for field in Fields::of(message) {
        match field? {
            (number, Value::Bytes(message)) if numbers.contains(&number) => each(message)?,
            (number, _) if numbers.contains(&number) => return Err(Reason::Unreadable),
            _ => {}
        }
    }
    Ok(())
}

/// Keeps what may be written once.
pub(super) fn once<'a>(place: &mut Option<&'a [u8]>, bytes: &'a [u8]) -> Result<(), Reason> {
    match place.replace(bytes) {
        None => Ok(()),
        Some(_) => Err(Reason::Ambiguous),
    }
}

/// The parts of an attribute; the value is an `AnyValue`.
#[inline]
pub(super) fn key_value(message: &[u8]) -> Result<(&[u8], &[u8]), Reason> {
    let mut fields = Fields::of(message);
    if let (Some(key), Some(value)) = (fields.short(KEY), fields.short(VALUE))
        && fields.is_empty()
    {
        return Ok((key, value));
    }
    let (mut key, mut value) = (None, None);
    for field in Fields::of(message) {
        match field? {
            (KEY, Value::Bytes(bytes)) => once(&mut key, bytes)?,
            (VALUE, Value::Bytes(bytes)) => once(&mut value, bytes)?,
            (KEY | VALUE, _) => return Err(Reason::Unreadable),
            _ => {}
        }
    }
    Ok((key.unwrap_or_default(), value.unwrap_or_default()))
}

/// The text of an `AnyValue`; one without a value has the empty text.
pub(super) fn text(value: &[u8]) -> Result<&[u8], Reason> {
    let mut text = None;
    for field in Fields::of(value) {
        match field? {
            (STRING_VALUE, Value::Bytes(bytes)) => once(&mut text, bytes)?,
            _ => return Err(Reason::Ambiguous),
        }
    }
    let text = text.unwrap_or_default();
    if std::str::from_utf8(text).is_ok() { Ok(text) } else { Err(Reason::Ambiguous) }
}
