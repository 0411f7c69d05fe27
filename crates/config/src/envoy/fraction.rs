//! RuntimeFractionalPercent: a share of the requests.

use crate::model::Fraction;
use crate::read::Field;

use super::shares::Shares;

/// Decodes the share.
pub(super) fn decode(field: &Field<'_>, shares: &Shares<'_>) -> Option<Fraction> {
    let mut object = field.object()?;
    let default = object.require("default_value", "write `default_value: { numerator: 100 }`");
    let key = object.take("runtime_key").and_then(|field| field.text());
    object.finish(&[]);
    let default = fractional_percent(&default?);
    // Without a layer that has the key, Envoy takes the default as well.
    key.and_then(|key| shares.find(key, 100)).or(default)
}

/// FractionalPercent.
pub(super) fn fractional_percent(field: &Field<'_>) -> Option<Fraction> {
    let mut object = field.object()?;
    let numerator = object.take("numerator").map_or(Some(0), |field| field.whole(0, u32::MAX));
    let denominators = [("HUNDRED", 0, 100), ("TEN_THOUSAND", 1, 10_000), ("MILLION", 2, 1_000_000)];
    let denominator = object.take("denominator").map_or(Some(100), |field| field.choice(&denominators));
    object.finish(&[]);
    Some(Fraction { numerator: numerator?, denominator: denominator? })
}
