//! Header changes of a mirror policy whose values are worked out for each copy, made literal.

use std::borrow::Cow;

use config::model::{AddedHeader, AddedValue, AppendAction, HeaderMutation, MirrorPolicy};
use http::HeaderValue;
use http::request::Parts;

use crate::format::{self, Facts, RequestHead, View};

/// Whether a policy asks for anything of its requests.
pub(crate) fn asks(policy: &MirrorPolicy) -> bool {
    policy.headers.iter().any(|change| matches!(change, HeaderMutation::Added(_)))
}

/// The policy for one copy. `head` is the primary's.
pub(super) fn resolve<'p>(
    policy: &'p MirrorPolicy,
    head: &Parts,
    facts: &Facts<'_>,
) -> Cow<'p, MirrorPolicy> {
    if !asks(policy) {
        return Cow::Borrowed(policy);
    }
    let request =
        RequestHead { method: &head.method, uri: &head.uri, headers: &head.headers, scheme: "http" };
    let view = View { request: Some(request), response: None, trailers: None, facts };
    let made = |change: &HeaderMutation| match change {
        HeaderMutation::Added(added) => literal(added, view),
        other => Some(other.clone()),
    };
    Cow::Owned(MirrorPolicy { headers: policy.headers.iter().filter_map(made).collect(), ..policy.clone() })
}

/// The change with its value; none if that is empty and not wanted then.
fn literal(added: &AddedHeader, view: View<'_>) -> Option<HeaderMutation> {
    let value = match &added.value {
        AddedValue::Literal(value) => value.clone(),
        AddedValue::Format(format) => {
            let mut out = Vec::new();
            format::write(&mut out, format, view, "");
            HeaderValue::from_bytes(&out).ok()?
        }
    };
    if value.is_empty() && !added.keep_empty {
        return None;
    }
    let name = added.name.clone();
    Some(match added.action {
        AppendAction::Append => HeaderMutation::Append(name, value),
        AppendAction::AddIfAbsent => HeaderMutation::AddIfAbsent(name, value),
        AppendAction::Overwrite => HeaderMutation::Set(name, value),
        AppendAction::OverwriteIfPresent => HeaderMutation::OverwriteIfPresent(name, value),
    })
}
