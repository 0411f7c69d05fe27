//! Header changes that routes and the levels above them ask for. Pure.
//!
//! One level at a time, in Envoy's order within it: removals first; then every value is worked out; then headers that
//! overwrite are set, and those that append are added.

use config::model::{AddedHeader, AddedValue, AppendAction, Format, HeaderChanges};
use http::{HeaderMap, HeaderValue};

use super::headers::rebuild;
use crate::format::{self, View};

/// Changes the headers of one message. `formatted` yields a format's value, given those headers; see [`formatted`].
pub(crate) fn apply(
    headers: &mut HeaderMap,
    changes: &HeaderChanges,
    formatted: impl Fn(&HeaderMap, &Format) -> Option<HeaderValue>,
) {
    if changes.remove.iter().any(|name| headers.contains_key(name)) {
        rebuild(headers, |name, _| changes.remove.contains(name));
    }
    let values: Vec<_> = changes.add.iter().map(|added| value(headers, added, &formatted)).collect();
    let overwrites = |action| matches!(action, AppendAction::Overwrite | AppendAction::OverwriteIfPresent);
    for first in [true, false] {
        for (added, value) in changes.add.iter().zip(&values) {
            if let Some(value) = value.clone().filter(|_| overwrites(added.action) == first) {
                add(headers, added, value);
            }
        }
    }
}

/// The value, unless it is empty and not wanted then.
fn value(
    headers: &HeaderMap,
    added: &AddedHeader,
    formatted: impl Fn(&HeaderMap, &Format) -> Option<HeaderValue>,
) -> Option<HeaderValue> {
    let value = match &added.value {
        AddedValue::Literal(value) => value.clone(),
        AddedValue::Format(format) => formatted(headers, format)?,
    };
    (added.keep_empty || !value.is_empty()).then_some(value)
}

/// What a format yields as the value of a header; what is not known counts as empty. `None` if no header can have it.
pub(crate) fn formatted(format: &Format, view: View<'_>) -> Option<HeaderValue> {
    let mut out = Vec::new();
    format::write(&mut out, format, view, "");
    HeaderValue::from_maybe_shared(bytes::Bytes::from(out)).ok()
}

fn add(headers: &mut HeaderMap, added: &AddedHeader, value: HeaderValue) {
    let name = &added.name;
    match added.action {
        AppendAction::Append => drop(headers.append(name, value)),
        AppendAction::AddIfAbsent if headers.contains_key(name) => {}
        AppendAction::OverwriteIfPresent if !headers.contains_key(name) => {}
        AppendAction::AddIfAbsent | AppendAction::OverwriteIfPresent | AppendAction::Overwrite => {
            headers.insert(name, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderName;

    use super::*;
    use crate::format::Facts;

    fn added(name: &'static str, text: &str, action: AppendAction) -> AddedHeader {
        let format = config::format(text).unwrap();
        let value = match format.literal() {
            Some(text) => AddedValue::Literal(HeaderValue::from_str(text).unwrap()),
            None => AddedValue::Format(format),
        };
        AddedHeader { name: HeaderName::from_static(name), value, action, keep_empty: false }
    }

    fn changed(received: &[(&'static str, &'static str)], changes: &HeaderChanges) -> Vec<String> {
        let pairs = received
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(name, value);
        }
        let facts = Facts { cluster: Some("prim"), ..Facts::default() };
        apply(&mut headers, changes, |headers, format| {
            formatted(format, View { request: None, response: Some(headers), trailers: None, facts: &facts })
        });
        headers.iter().map(|(name, value)| format!("{name}: {}", value.to_str().unwrap())).collect()
    }

    #[test]
    fn removals_come_first_and_values_are_worked_out_before_any_is_added() {
        let changes = HeaderChanges {
            remove: vec![HeaderName::from_static("x-gone")],
            add: vec![
                added("x-seen", "%RESP(X-OLD)%,%RESP(X-GONE)%,%UPSTREAM_CLUSTER%", AppendAction::Append),
                added("x-old", "new", AppendAction::Overwrite),
                added("x-gone", "again", AppendAction::Append),
            ],
        };
        assert_eq!(
            changed(&[("x-gone", "1"), ("x-old", "old"), ("x-gone", "2")], &changes),
            ["x-old: new", "x-seen: old,,prim", "x-gone: again"]
        );
    }

    #[test]
    fn each_action_meets_present_and_absent_headers_as_in_envoy() {
        for (action, present, absent) in [
            (AppendAction::Append, "old,new", "new"),
            (AppendAction::AddIfAbsent, "old", "new"),
            (AppendAction::Overwrite, "new", "new"),
            (AppendAction::OverwriteIfPresent, "new", ""),
        ] {
            let changes = HeaderChanges { remove: vec![], add: vec![added("x-a", "new", action)] };
            let values = |received: &[(&'static str, &'static str)]| {
                let lines = changed(received, &changes);
                lines.iter().map(|line| line.replace("x-a: ", "")).collect::<Vec<_>>().join(",")
            };
            assert_eq!(
                (values(&[("x-a", "old")]).as_str(), values(&[]).as_str()),
                (present, absent),
                "{action:?}"
            );
        }
    }

    #[test]
    fn an_empty_value_is_added_only_where_that_is_wanted() {
        let mut empty = added("x-e", "%RESP(X-NONE)%", AppendAction::Append);
        let changes = |added: &AddedHeader| HeaderChanges { remove: vec![], add: vec![added.clone()] };
        assert!(changed(&[], &changes(&empty)).is_empty());
        empty.keep_empty = true;
        assert_eq!(changed(&[], &changes(&empty)), ["x-e: "]);
    }
}
