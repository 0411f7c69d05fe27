//! `metadata.filter_metadata["mimir_mirror"]`: the settings that Envoy's schema has no place for. Envoy
//! accepts and ignores them, so that one file runs on both.

use crate::read::{Field, Unsupported};

/// Our key in `filter_metadata`.
pub(crate) const KEY: &str = "mimir_mirror";

const UNSUPPORTED: &[Unsupported] =
    &[Unsupported::new("typed_filter_metadata", "no filter here reads it", "remove it")];

/// Our settings in a metadata message. Entries of other filters are theirs.
pub(super) fn settings<'a>(field: &Field<'a>) -> Option<Field<'a>> {
    let mut object = field.object()?;
    let filters = object.take("filter_metadata");
    object.finish(UNSUPPORTED);
    let mut filters = filters?.object()?;
    filters.take(KEY).map(|field| field.native())
}
