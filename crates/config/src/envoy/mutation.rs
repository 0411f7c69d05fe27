//! `request_headers_mutations`: changes to a copy's headers.

use crate::headers;
use crate::model::{AddedHeader, AddedValue, AppendAction, HeaderMutation};
use crate::read::Field;

use super::{added, unsupported};

/// All mutations, in order; `None` if any was refused.
pub(super) fn decode(field: &Field<'_>) -> Option<Vec<HeaderMutation>> {
    let decoded: Vec<_> = field.list().iter().map(mutation).collect();
    let decoded: Option<Vec<_>> = decoded.into_iter().collect();
    Some(decoded?.into_iter().flatten().collect())
}

/// The inner `None` changes nothing.
#[allow(clippy::option_option, reason = "the outer None is an error already reported")]
fn mutation(field: &Field<'_>) -> Option<Option<HeaderMutation>> {
    let mut object = field.object()?;
    let remove = object.take("remove");
    let append = object.take("append");
    let other = object.has_left();
    object.finish(unsupported::HEADER_MUTATION);
    match (remove, append) {
        (Some(remove), None) => headers::name_of(&remove).map(HeaderMutation::Remove).map(Some),
        (None, Some(append)) => Some(added::option(&append)?.map(plain)),
        (Some(remove), Some(_)) => {
            remove.refuse_key("`remove` and `append` exclude each other", "", "write two entries")
        }
        // What stands there has been reported.
        (None, None) if other => None,
        (None, None) => field.refuse_key("changes nothing", "", "write `append` or `remove`"),
    }
}

/// What is the same for every copy has a plain form.
fn plain(added: AddedHeader) -> HeaderMutation {
    let AddedHeader { name, value: AddedValue::Literal(value), action, keep_empty: _ } = added else {
        return HeaderMutation::Added(added);
    };
    match action {
        AppendAction::Append => HeaderMutation::Append(name, value),
        AppendAction::AddIfAbsent => HeaderMutation::AddIfAbsent(name, value),
        AppendAction::Overwrite => HeaderMutation::Set(name, value),
        AppendAction::OverwriteIfPresent => HeaderMutation::OverwriteIfPresent(name, value),
    }
}
