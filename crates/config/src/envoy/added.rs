//! `HeaderValueOption`: a header to add, with a literal or a formatted value. Routes and mirror policies share it.

use http::HeaderName;

use crate::format;
use crate::headers;
use crate::model::{AddedHeader, AddedValue, AppendAction, HeaderChanges, RouteHeaders};
use crate::read::{Field, Object};

use super::unsupported;

const ACTIONS: [(&str, u32, AppendAction); 4] = [
    ("APPEND_IF_EXISTS_OR_ADD", 0, AppendAction::Append),
    ("ADD_IF_ABSENT", 1, AppendAction::AddIfAbsent),
    ("OVERWRITE_IF_EXISTS_OR_ADD", 2, AppendAction::Overwrite),
    ("OVERWRITE_IF_EXISTS", 3, AppendAction::OverwriteIfPresent),
];

/// The four lists of a route configuration, a virtual host or a route; `None` if anything in them was refused.
pub(super) fn route_headers(object: &mut Object<'_>) -> Option<RouteHeaders> {
    let request = (object.take("request_headers_to_remove"), object.take("request_headers_to_add"));
    let response = (object.take("response_headers_to_remove"), object.take("response_headers_to_add"));
    let (request, response) = (changes(request), changes(response));
    Some(RouteHeaders { request: request?, response: response? })
}

fn changes((remove, add): (Option<Field<'_>>, Option<Field<'_>>)) -> Option<HeaderChanges> {
    let removed: Vec<_> = remove.iter().flat_map(Field::list).map(|field| removed(&field)).collect();
    let added: Vec<_> = add.iter().flat_map(Field::list).map(|field| option(&field)).collect();
    let add = added.into_iter().collect::<Option<Vec<_>>>()?.into_iter().flatten().collect();
    Some(HeaderChanges { remove: removed.into_iter().collect::<Option<_>>()?, add })
}

fn removed(field: &Field<'_>) -> Option<HeaderName> {
    let text = field.name()?;
    if text.starts_with(':') || text.eq_ignore_ascii_case("host") {
        return field.refuse(":-prefixed or host headers may not be removed", "remove this entry");
    }
    headers::name_of(field)
}

/// One HeaderValueOption. The inner `None` is a header that is never added.
#[allow(clippy::option_option, reason = "the outer None is an error already reported")]
pub(super) fn option(field: &Field<'_>) -> Option<Option<AddedHeader>> {
    let mut object = field.object()?;
    let header = object.require("header", "write `header: { key: x-proxy, value: \"1\" }`");
    let action = action(&mut object);
    let keep_empty = object.take("keep_empty_value").map_or(Some(false), |field| field.boolean());
    object.finish(&[]);
    let mut header = header?.object()?;
    let key = header.require("key", "write the header's name");
    let value = header.take("value");
    let path = header.field.clone();
    header.finish(unsupported::HEADER_VALUE);
    let name = headers::name_of(&key?);
    let (keep_empty, action) = (keep_empty?, action?);
    let Some(value) = value.filter(|value| value.text() != Some("")) else {
        if !keep_empty {
            path.warn(
                "has no value, so that the header is never added",
                "write a `value`, or remove the entry",
            );
            return Some(None);
        }
        let value = AddedValue::Literal(http::HeaderValue::from_static(""));
        return Some(Some(AddedHeader { name: name?, value, action, keep_empty }));
    };
    let value = added_value(&value, name.as_ref())?;
    Some(Some(AddedHeader { name: name?, value, action, keep_empty }))
}

fn added_value(field: &Field<'_>, name: Option<&HeaderName>) -> Option<AddedValue> {
    let format = format::of(field)?;
    match format.literal() {
        Some(text) => headers::value(field, name, text).map(AddedValue::Literal),
        None => Some(AddedValue::Format(format)),
    }
}

/// `append_action`, or the deprecated `append`.
fn action(object: &mut Object<'_>) -> Option<AppendAction> {
    let old = object.take("append");
    match (object.take("append_action"), old) {
        (None, None) => Some(AppendAction::Append),
        (Some(action), None) => action.choice(&ACTIONS),
        (None, Some(old)) => {
            Some(if old.boolean()? { AppendAction::Append } else { AppendAction::Overwrite })
        }
        (Some(_), Some(old)) => old.refuse_key(
            "Both append and append_action are set and it's not allowed",
            "deprecated in Envoy",
            "keep `append_action`",
        ),
    }
}
