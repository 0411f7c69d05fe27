//! Matches and actions of routes in Envoy's v3 form, for conversions and for the dump of the configuration.

use base64::Engine;
use serde_json::{Map, Value, json};

use crate::model::{
    Action, DirectResponse, Forward, Fraction, HeaderMatch, HeaderTest, HostRewrite, Idle, PathMatch,
    PathRewrite, Pattern, QueryMatch, QueryTest, Redirect, RedirectPath, Replacement, RetryPolicy,
    RouteMatch, StringMatch, StringTest, Subject,
};
use crate::units::proto_text;

const PREVIOUS_HOSTS: &str =
    "type.googleapis.com/envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate";

/// `match` of a route.
#[must_use]
pub fn route_match(matches: &RouteMatch) -> Value {
    let mut map = Map::new();
    let (name, value) = match &matches.path {
        PathMatch::Prefix(prefix) => ("prefix", json!(prefix)),
        PathMatch::Path(path) => ("path", json!(path)),
        PathMatch::SeparatedPrefix(prefix) => ("path_separated_prefix", json!(prefix)),
        PathMatch::Regex(pattern) => ("safe_regex", regex(pattern)),
    };
    map.insert(name.to_owned(), value);
    let mut put = |name: &str, differs: bool, value: Value| {
        if differs {
            map.insert(name.to_owned(), value);
        }
    };
    put("case_sensitive", !matches.case_sensitive, json!(false));
    put("headers", !matches.headers.is_empty(), matches.headers.iter().map(header).collect());
    put("query_parameters", !matches.query.is_empty(), matches.query.iter().map(query).collect());
    put("grpc", matches.grpc, json!({}));
    if let Some(fraction) = matches.fraction {
        put("runtime_fraction", true, json!({ "default_value": percent(fraction) }));
    }
    Value::Object(map)
}

/// The entry of a route that is its action: `direct_response` or `redirect`, or nothing for `route`.
#[must_use]
pub fn route_reply(action: &Action) -> Option<(&'static str, Value)> {
    match action {
        Action::Forward(_) => None,
        Action::Respond(response) => Some(("direct_response", direct(response))),
        Action::Redirect(redirect) => Some(("redirect", redirection(redirect))),
    }
}

/// What an action changes in requests and how it repeats them: entries of `route` that are not the default.
#[must_use]
pub fn route_changes(forward: &Forward) -> Map<String, Value> {
    let mut map = Map::new();
    match forward.idle {
        Idle::Inherited => {}
        Idle::Off => drop(map.insert("idle_timeout".to_owned(), json!("0s"))),
        Idle::After(time) => drop(map.insert("idle_timeout".to_owned(), json!(proto_text(time)))),
    }
    rewrite(&forward.path, &mut map);
    let host = match &forward.host {
        HostRewrite::None => None,
        HostRewrite::Literal(host) => {
            Some(("host_rewrite_literal", json!(String::from_utf8_lossy(host.as_bytes()))))
        }
        HostRewrite::Header(name) => Some(("host_rewrite_header", json!(name.as_str()))),
        HostRewrite::PathRegex(replaced) => Some(("host_rewrite_path_regex", replacement(replaced))),
        HostRewrite::Endpoint(_) => Some(("auto_host_rewrite", json!(true))),
    };
    map.extend(host.map(|(name, value)| (name.to_owned(), value)));
    if forward.append_x_forwarded_host {
        map.insert("append_x_forwarded_host".to_owned(), json!(true));
    }
    if let Some(policy) = &forward.retry {
        map.insert("retry_policy".to_owned(), retry(policy));
    }
    map
}

/// FractionalPercent.
pub(super) fn percent(fraction: Fraction) -> Value {
    let denominator = match fraction.denominator {
        10_000 => "TEN_THOUSAND",
        1_000_000 => "MILLION",
        _ => "HUNDRED",
    };
    json!({ "numerator": fraction.numerator, "denominator": denominator })
}

fn regex(pattern: &Pattern) -> Value {
    json!({ "regex": pattern.source() })
}

fn replacement(replacement: &Replacement) -> Value {
    json!({ "pattern": regex(&replacement.pattern), "substitution": replacement.substitution })
}

fn rewrite(path: &PathRewrite, map: &mut Map<String, Value>) {
    match path {
        PathRewrite::None => {}
        PathRewrite::Prefix(prefix) => drop(map.insert("prefix_rewrite".to_owned(), json!(prefix))),
        PathRewrite::Regex(replaced) => drop(map.insert("regex_rewrite".to_owned(), replacement(replaced))),
    }
}

fn header(matcher: &HeaderMatch) -> Value {
    let name = match &matcher.subject {
        Subject::Method => ":method",
        Subject::Path => ":path",
        Subject::Authority => ":authority",
        Subject::Scheme => ":scheme",
        Subject::Header(name) => name.as_str(),
    };
    let (test, value) = match &matcher.test {
        HeaderTest::Present(present) => ("present_match", json!(present)),
        HeaderTest::Text(text) => ("string_match", string(text)),
        HeaderTest::Range { start, end } => ("range_match", json!({ "start": start, "end": end })),
    };
    let mut map = Map::new();
    map.insert("name".to_owned(), json!(name));
    map.insert(test.to_owned(), value);
    if matcher.invert {
        map.insert("invert_match".to_owned(), json!(true));
    }
    if matcher.missing_as_empty {
        map.insert("treat_missing_header_as_empty".to_owned(), json!(true));
    }
    Value::Object(map)
}

fn query(matcher: &QueryMatch) -> Value {
    match &matcher.test {
        QueryTest::Present(present) => json!({ "name": matcher.name, "present_match": present }),
        QueryTest::Text(text) => json!({ "name": matcher.name, "string_match": string(text) }),
    }
}

fn string(matcher: &StringMatch) -> Value {
    let (test, value) = match &matcher.test {
        StringTest::Exact(text) => ("exact", json!(text)),
        StringTest::Prefix(text) => ("prefix", json!(text)),
        StringTest::Suffix(text) => ("suffix", json!(text)),
        StringTest::Contains(text) => ("contains", json!(text)),
        StringTest::Regex(pattern) => ("safe_regex", regex(pattern)),
    };
    let mut map = Map::new();
    map.insert(test.to_owned(), value);
    if matcher.ignore_case {
        map.insert("ignore_case".to_owned(), json!(true));
    }
    Value::Object(map)
}

fn direct(response: &DirectResponse) -> Value {
    let mut map = Map::new();
    map.insert("status".to_owned(), json!(response.status.as_u16()));
    if !response.body.is_empty() {
        let body = match std::str::from_utf8(&response.body) {
            Ok(text) => json!({ "inline_string": text }),
            Err(_) => {
                let text = base64::engine::general_purpose::STANDARD.encode(&response.body);
                json!({ "inline_bytes": text })
            }
        };
        map.insert("body".to_owned(), body);
    }
    Value::Object(map)
}

fn redirection(redirect: &Redirect) -> Value {
    let mut map = Map::new();
    let mut put = |name: &str, value: Value| drop(map.insert(name.to_owned(), value));
    match redirect.scheme.as_deref() {
        None => {}
        Some("https") => put("https_redirect", json!(true)),
        Some(scheme) => put("scheme_redirect", json!(scheme)),
    }
    if let Some(host) = &redirect.host {
        put("host_redirect", json!(host));
    }
    if let Some(port) = redirect.port {
        put("port_redirect", json!(port));
    }
    let status = match redirect.status.as_u16() {
        302 => "FOUND",
        303 => "SEE_OTHER",
        307 => "TEMPORARY_REDIRECT",
        308 => "PERMANENT_REDIRECT",
        _ => "MOVED_PERMANENTLY",
    };
    put("response_code", json!(status));
    if redirect.strip_query {
        put("strip_query", json!(true));
    }
    match &redirect.path {
        RedirectPath::To(path) => drop(map.insert("path_redirect".to_owned(), json!(path))),
        RedirectPath::Rewritten(path) => rewrite(path, &mut map),
    }
    Value::Object(map)
}

fn retry(policy: &RetryPolicy) -> Value {
    let on: Vec<&str> = policy.on.named().into_iter().filter(|(_, set)| *set).map(|(name, _)| name).collect();
    let mut map = Map::new();
    let mut put = |name: &str, differs: bool, value: Value| {
        if differs {
            map.insert(name.to_owned(), value);
        }
    };
    put("retry_on", !on.is_empty(), json!(on.join(",")));
    put("num_retries", true, json!(policy.retries));
    if let Some(time) = policy.per_try_timeout {
        put("per_try_timeout", true, json!(proto_text(time)));
    }
    let statuses: Vec<u16> = policy.statuses.iter().map(|status| status.as_u16()).collect();
    put("retriable_status_codes", !statuses.is_empty(), json!(statuses));
    let headers = |matchers: &[HeaderMatch]| -> Value { matchers.iter().map(header).collect() };
    put("retriable_headers", !policy.answer_headers.is_empty(), headers(&policy.answer_headers));
    put("retriable_request_headers", !policy.request_headers.is_empty(), headers(&policy.request_headers));
    let (base, max) = (policy.backoff_base, policy.backoff_max);
    let backoff = json!({ "base_interval": proto_text(base), "max_interval": proto_text(max) });
    put("retry_back_off", true, backoff);
    if policy.other_endpoint > 0 {
        let predicate = json!({
            "name": "envoy.retry_host_predicates.previous_hosts",
            "typed_config": { "@type": PREVIOUS_HOSTS },
        });
        put("retry_host_predicate", true, json!([predicate]));
        put("host_selection_retry_max_attempts", true, json!(policy.other_endpoint));
    }
    Value::Object(map)
}
