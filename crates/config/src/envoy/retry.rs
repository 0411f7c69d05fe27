//! RetryPolicy: of routes, virtual hosts and clusters.

use std::time::Duration;

use http::StatusCode;

use crate::model::{RetryOn, RetryPolicy};
use crate::read::{Field, Object};

use super::any::Extension;
use super::{matching, unsupported};

const BASE: Duration = Duration::from_millis(25);
const PREVIOUS_HOSTS: Extension = Extension {
    what: "the predicate of hosts tried before",
    types: &[
        "envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate",
        "envoy.config.retry.previous_hosts.v2.PreviousHostsPredicate",
    ],
    names: &["envoy.retry_host_predicates.previous_hosts"],
    bare: true,
};

/// Decodes a policy.
pub(super) fn decode(field: &Field<'_>) -> Option<RetryPolicy> {
    let mut object = field.object()?;
    let on = object.take("retry_on").map_or_else(|| Some(RetryOn::default()), |field| conditions(&field));
    let retries = object.take("num_retries").map_or(Some(1), |field| field.whole(0, u32::MAX));
    let per_try = object.take("per_try_timeout").map_or(Some(None), |field| field.duration_or_off());
    let statuses = matching::all(object.take("retriable_status_codes"), status);
    let answer_headers = matching::all(object.take("retriable_headers"), matching::header);
    let request_headers = matching::all(object.take("retriable_request_headers"), matching::header);
    let backoff =
        object.take("retry_back_off").map_or_else(|| Some((BASE, BASE * 10)), |field| backoff(&field));
    let other_endpoint = other_endpoint(&mut object);
    object.finish(unsupported::RETRY_POLICY);
    let (backoff_base, backoff_max) = backoff?;
    Some(RetryPolicy {
        on: on?,
        retries: retries?,
        per_try_timeout: per_try?,
        statuses: statuses?.into_iter().flatten().collect(),
        answer_headers: answer_headers?,
        request_headers: request_headers?,
        backoff_base,
        backoff_max,
        other_endpoint: other_endpoint?,
    })
}

/// Separated by commas. Envoy ignores what it does not know; here a misspelt condition is an error.
fn conditions(field: &Field<'_>) -> Option<RetryOn> {
    let mut on = RetryOn::default();
    for name in field.text()?.split(',').map(str::trim).filter(|name| !name.is_empty()) {
        if on.add(name) {
            continue;
        }
        let known: Vec<&str> = on.named().iter().map(|(name, _)| *name).collect();
        let (message, help) = match crate::read::nearest(name, &known) {
            Some(near) => (format!("unknown condition `{name}`"), format!("did you mean `{near}`?")),
            None => (format!("unknown condition `{name}`"), format!("write some of {}", known.join(", "))),
        };
        return field.refuse(message, help);
    }
    Some(on)
}

/// Statuses that no answer has are of no use, and no error in Envoy.
#[allow(clippy::option_option, reason = "the outer None is an error already reported")]
fn status(field: &Field<'_>) -> Option<Option<StatusCode>> {
    let code = field.whole(0, u32::MAX)?;
    Some(u16::try_from(code).ok().and_then(|code| StatusCode::from_u16(code).ok()))
}

fn backoff(field: &Field<'_>) -> Option<(Duration, Duration)> {
    let mut object = field.object()?;
    let base = object.require("base_interval", "write `base_interval: 0.025s`");
    let max = object.take("max_interval");
    object.finish(&[]);
    let base = base?.positive_duration()?;
    let Some(max) = max else { return Some((base, base.saturating_mul(10))) };
    match max.positive_duration()? {
        shorter if shorter < base => max.refuse(
            "retry_policy.max_interval must greater than or equal to the base_interval",
            "write a longer time",
        ),
        longer => Some((base, longer)),
    }
}

/// How often another endpoint is looked for than those that failed.
fn other_endpoint(object: &mut Object<'_>) -> Option<u32> {
    let attempts = object.take("host_selection_retry_max_attempts");
    let attempts = attempts.map_or(Some(1), |field| field.whole(0, u32::MAX));
    let mut wanted = false;
    for field in object.take("retry_host_predicate").map(|field| field.list()).unwrap_or_default() {
        let mut predicate = field.object()?;
        PREVIOUS_HOSTS.read(&mut predicate)?;
        predicate.finish(&[]);
        wanted = true;
    }
    Some(if wanted { attempts? } else { 0 })
}
