//! Header changes in their Envoy v3 form.

use http::{HeaderName, HeaderValue};
use serde_json::{Map, Value, json};

use super::{Notes, value};
use crate::format;
use crate::model::{AddedHeader, AddedValue, AppendAction, HeaderChanges, HeaderMutation, RouteHeaders};

/// Puts the four lists of a level into its message.
pub(super) fn put(map: &mut Map<String, Value>, headers: &RouteHeaders, notes: &mut Notes) {
    for (kind, changes) in [("request", &headers.request), ("response", &headers.response)] {
        let HeaderChanges { remove, add } = changes;
        let remove: Vec<&str> = remove.iter().map(HeaderName::as_str).collect();
        if !remove.is_empty() {
            map.insert(format!("{kind}_headers_to_remove"), json!(remove));
        }
        let add: Vec<Value> = add.iter().filter_map(|added| option("headers", added, notes)).collect();
        if !add.is_empty() {
            map.insert(format!("{kind}_headers_to_add"), json!(add));
        }
    }
}

/// One entry of `request_headers_mutations`.
pub(super) fn mutation(mirror: &str, change: &HeaderMutation, notes: &mut Notes) -> Option<Value> {
    let subject = format!("mirror {mirror}");
    let (name, value, action) = match change {
        HeaderMutation::Remove(name) => return Some(json!({ "remove": name.as_str() })),
        HeaderMutation::Added(added) => return Some(json!({ "append": option(&subject, added, notes)? })),
        HeaderMutation::Set(name, value) => (name, value, AppendAction::Overwrite),
        HeaderMutation::Append(name, value) => (name, value, AppendAction::Append),
        HeaderMutation::AddIfAbsent(name, value) => (name, value, AppendAction::AddIfAbsent),
        HeaderMutation::OverwriteIfPresent(name, value) => (name, value, AppendAction::OverwriteIfPresent),
    };
    Some(json!({ "append": literal(&subject, name, value, action, notes)? }))
}

fn option(subject: &str, added: &AddedHeader, notes: &mut Notes) -> Option<Value> {
    let mut option = match &added.value {
        AddedValue::Literal(value) => literal(subject, &added.name, value, added.action, notes)?,
        AddedValue::Format(format) => printed(&added.name, &format.to_string(), added.action),
    };
    if let Some(option) = option.as_object_mut().filter(|_| added.keep_empty) {
        option.insert("keep_empty_value".to_owned(), json!(true));
    }
    Some(option)
}

fn literal(
    subject: &str,
    name: &HeaderName,
    text: &HeaderValue,
    action: AppendAction,
    notes: &mut Notes,
) -> Option<Value> {
    let text = value(notes, subject, name, text)?;
    let mut option = printed(name, &format::escape(&text), action);
    if let Some(option) = option.as_object_mut().filter(|_| text.is_empty()) {
        option.insert("keep_empty_value".to_owned(), json!(true));
    }
    Some(option)
}

fn printed(name: &HeaderName, text: &str, action: AppendAction) -> Value {
    let action = match action {
        AppendAction::Append => "APPEND_IF_EXISTS_OR_ADD",
        AppendAction::AddIfAbsent => "ADD_IF_ABSENT",
        AppendAction::Overwrite => "OVERWRITE_IF_EXISTS_OR_ADD",
        AppendAction::OverwriteIfPresent => "OVERWRITE_IF_EXISTS",
    };
    json!({ "header": { "key": name.as_str(), "value": text }, "append_action": action })
}
