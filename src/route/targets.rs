//! What is made of hosts and paths before a route is looked for, where the configuration asks for it.

use std::borrow::Cow;

use config::model::{StripPort, TargetRules};
use http::header::HOST;
use http::request::Parts;
use http::{HeaderValue, Uri};

/// Changes the head as the rules say. `port` is the listener's.
pub(crate) fn apply(head: &mut Parts, rules: TargetRules, port: u16) {
    if rules == TargetRules::default() {
        return;
    }
    if rules.merge_slashes && head.uri.path().contains("//") {
        merge_slashes(head);
    }
    let Some(host) = head.headers.get(HOST).and_then(|host| host.to_str().ok()) else { return };
    let mut wanted = Cow::Borrowed(host);
    if let Some(at) = port_at(host).filter(|at| is_stripped(rules.strip_port, host, *at, port)) {
        wanted = Cow::Borrowed(host.get(..at).unwrap_or(host));
    }
    if rules.strip_trailing_dot {
        let (name, port) = wanted.split_at(port_at(&wanted).unwrap_or(wanted.len()));
        if let Some(name) = name.strip_suffix('.') {
            wanted = Cow::Owned(format!("{name}{port}"));
        }
    }
    if wanted != host
        && let Ok(value) = HeaderValue::from_str(&wanted)
    {
        head.headers.insert(HOST, value);
    }
}

/// What virtual hosts are found by.
pub(crate) fn matched_host(host: &str, rules: TargetRules) -> &str {
    let at = if rules.ignore_port { port_at(host) } else { None };
    at.and_then(|at| host.get(..at)).unwrap_or(host)
}

fn is_stripped(strip: StripPort, host: &str, at: usize, port: u16) -> bool {
    match strip {
        StripPort::Never => false,
        StripPort::Any => true,
        StripPort::Matching => host.get(at + 1..).and_then(|text| text.parse().ok()) == Some(port),
    }
}

/// Where the port begins, with its colon: `h:80` -> 1, `[::1]:80` -> 5.
fn port_at(host: &str) -> Option<usize> {
    let name = host.rfind(']').map_or(0, |at| at + 1);
    let at = name + host.get(name..)?.rfind(':')?;
    let digits = host.get(at + 1..)?;
    (!digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())).then_some(at)
}

fn merge_slashes(head: &mut Parts) {
    let mut merged = String::with_capacity(head.uri.path().len());
    for c in head.uri.path().chars() {
        if c != '/' || !merged.ends_with('/') {
            merged.push(c);
        }
    }
    if let Some(query) = head.uri.query() {
        merged.push('?');
        merged.push_str(query);
    }
    if let Ok(uri) = merged.parse::<Uri>() {
        head.uri = uri;
    }
}
