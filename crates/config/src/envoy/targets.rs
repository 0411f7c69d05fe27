//! The connection manager's switches for hosts and paths.

use crate::model::{StripPort, TargetRules};
use crate::read::Object;

const AS_RECEIVED: &str =
    "paths reach the clusters as received, but for `merge_slashes` and rewrites of routes";

/// Decodes them; `None` if any was refused. What the route configuration says is not yet in.
pub(super) fn decode(object: &mut Object<'_>) -> Option<TargetRules> {
    let normalize = object.take("normalize_path");
    let escaped = object.take("path_with_escaped_slashes_action");
    let matching = object.take("strip_matching_host_port");
    let any = object.take("strip_any_host_port");
    // Before anything returns early: what is not asked for is reported as unknown.
    let mut flag = |name| object.take(name).and_then(|field| field.boolean()).unwrap_or(false);
    let (merge_slashes, strip_trailing_dot) = (flag("merge_slashes"), flag("strip_trailing_host_dot"));
    let is_set =
        |field: &Option<crate::read::Field<'_>>| field.as_ref().and_then(|f| f.boolean()) == Some(true);
    if let Some(field) = normalize.as_ref().filter(|_| is_set(&normalize)) {
        field.refuse::<()>(
            "is not supported: a rewritten path would no longer be what the client signed or meant",
            format!("write `normalize_path: false` (Envoy's default): {AS_RECEIVED}"),
        );
        return None;
    }
    if let Some(field) = escaped {
        let kept = field.choice(&[
            ("IMPLEMENTATION_SPECIFIC_DEFAULT", 0, true),
            ("KEEP_UNCHANGED", 1, true),
            ("REJECT_REQUEST", 2, false),
            ("UNESCAPE_AND_REDIRECT", 3, false),
            ("UNESCAPE_AND_FORWARD", 4, false),
        ])?;
        if !kept {
            return field.refuse("is not supported", format!("write `KEEP_UNCHANGED`: {AS_RECEIVED}"));
        }
    }
    let strip_port = match (is_set(&matching), is_set(&any)) {
        (true, true) => {
            return any.and_then(|field| {
                field.refuse_key(
                    "Only one of `strip_matching_host_port` or `strip_any_host_port` can be set.",
                    "",
                    "keep one of the two",
                )
            });
        }
        (true, false) => StripPort::Matching,
        (false, true) => StripPort::Any,
        (false, false) => StripPort::Never,
    };
    Some(TargetRules { merge_slashes, strip_port, strip_trailing_dot, ignore_port: false })
}
