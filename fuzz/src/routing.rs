//! Finding a request's route and making of it what the primary gets: the same however often it is asked, a target that
//! can be sent or a refusal, and nothing destructive that a disguise hides.
//!
//! Bytes are the target on the first line, the host on the second, then one header a line.

use config::model::{Action, HttpManager};
use http::header::HOST;
use http::request::Parts;
use http::{HeaderName, HeaderValue, Method, Request};

use crate::paths::Kind;
use crate::route::matching::Asked;
use crate::route::{Table, headers, rewrite, targets};

const SITE: &str = include_str!("site.yaml");

/// The listener that the targets run on.
pub(crate) fn site() -> HttpManager {
    let config = config::load_str("site.yaml", SITE).expect("it is sound");
    config.listeners.first().expect("one listener").http.clone()
}

pub(crate) fn routing(site: &HttpManager, table: &Table, bytes: &[u8]) {
    let Some(head) = head(bytes) else { return };
    let host = head.headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let found = |host: &str| {
        let host = targets::matched_host(host, site.targets);
        table.find(&Asked { head: &head, host, random: 7 })
    };
    let route = found(host);
    assert!(same(route, found(&host.to_ascii_uppercase())), "case of a host");
    undisguised(head.uri.path());
    if let Some(route) = route
        && let Action::Forward(forward) = &route.action
    {
        let mut sent = head.clone();
        targets::apply(&mut sent, site.targets, 9900);
        if rewrite::apply(&mut sent, &route.matches, forward, true).is_ok() {
            rewrite::for_primary(&mut sent, forward, true);
            assert!(sent.uri.path().starts_with('/') || sent.uri.path() == "*", "{:?}", sent.uri);
            assert!(sent.uri.authority().is_none() && sent.headers.get_all(HOST).iter().count() <= 1);
        }
    }
}

fn same<T>(one: Option<&T>, other: Option<&T>) -> bool {
    match (one, other) {
        (Some(one), Some(other)) => std::ptr::eq(one, other),
        (None, None) => true,
        _ => false,
    }
}

/// What is destructive stays so in capitals, with slashes doubled, with dots between, percent-encoded.
fn undisguised(path: &str) {
    if Kind::of(&Method::DELETE, path) != Kind::Destructive {
        return;
    }
    let mut disguises = vec![path.to_uppercase(), path.replace('/', "//"), path.replace('/', "/./")];
    if !path.contains('%') {
        disguises.push(path.bytes().map(|byte| format!("%{byte:02x}")).collect());
    }
    for disguise in disguises {
        assert_eq!(Kind::of(&Method::DELETE, &disguise), Kind::Destructive, "{disguise}");
    }
}

fn head(bytes: &[u8]) -> Option<Parts> {
    let mut lines = bytes.split(|byte| *byte == b'\n');
    let (target, host) = (lines.next()?, lines.next().unwrap_or_default());
    let mut request = Request::get(target).header(HOST, host);
    for line in lines.take(100) {
        let colon = line.iter().position(|byte| *byte == b':')?;
        let name = HeaderName::from_bytes(&line[..colon]).ok()?;
        if name != HOST {
            request = request.header(name, HeaderValue::from_bytes(&line[colon + 1..]).ok()?);
        }
    }
    let (mut head, ()) = request.body(()).ok()?.into_parts();
    // As requests come here.
    head.uri = headers::origin_form(&head.uri);
    Some(head)
}
