//! Whether a request is what a route takes. As Envoy 1.40 decides, measured: of several values of a header one that
//! matches is enough; a header that is not there fails every test of its value, also an inverted one.

use config::model::{
    HeaderMatch, HeaderTest, PathMatch, QueryMatch, QueryTest, RouteMatch, StringMatch, StringTest, Subject,
};
use http::header::{CONTENT_TYPE, HOST};
use http::request::Parts;
use http::{HeaderMap, HeaderName};

const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// A request that asks for its route.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asked<'a> {
    pub(crate) head: &'a Parts,
    /// What virtual hosts are found by.
    pub(crate) host: &'a str,
    /// The request's random number.
    pub(crate) random: u64,
}

/// Whether all conditions hold. Most routes have a path alone.
pub(super) fn matches(route: &RouteMatch, asked: &Asked<'_>) -> bool {
    path(route, asked.head.uri.path())
        && (route.headers.is_empty() || route.headers.iter().all(|one| header(one, asked.head)))
        && (route.query.is_empty() || all_parameters(&route.query, asked.head))
        && (!route.grpc || is_grpc(&asked.head.headers))
        && route.fraction.is_none_or(|fraction| fraction.chooses(asked.random))
}

fn path(route: &RouteMatch, path: &str) -> bool {
    let begins = |prefix: &str| {
        if route.case_sensitive {
            path.starts_with(prefix)
        } else {
            path.as_bytes().get(..prefix.len()).is_some_and(|b| b.eq_ignore_ascii_case(prefix.as_bytes()))
        }
    };
    match &route.path {
        PathMatch::Prefix(prefix) => begins(prefix),
        PathMatch::Path(whole) => path.len() == whole.len() && begins(whole),
        PathMatch::SeparatedPrefix(prefix) => {
            begins(prefix) && path.as_bytes().get(prefix.len()).is_none_or(|next| *next == b'/')
        }
        PathMatch::Regex(pattern) => pattern.is_match(path.as_bytes()),
    }
}

/// Whether a request has what is demanded of one of its headers.
pub(crate) fn header(demand: &HeaderMatch, head: &Parts) -> bool {
    match &demand.subject {
        Subject::Method => value(demand, Some(head.method.as_str().as_bytes()).into_iter()),
        Subject::Path => {
            value(demand, head.uri.path_and_query().map(|path| path.as_str().as_bytes()).into_iter())
        }
        Subject::Scheme => {
            let scheme = head.headers.get(&X_FORWARDED_PROTO).map_or(&b"http"[..], |value| value.as_bytes());
            value(demand, Some(scheme).into_iter())
        }
        Subject::Authority => in_map(demand, &HOST, &head.headers),
        Subject::Header(name) => in_map(demand, name, &head.headers),
    }
}

/// Whether an answer has what is demanded of one of its headers.
pub(crate) fn answer_header(demand: &HeaderMatch, headers: &HeaderMap) -> bool {
    match &demand.subject {
        Subject::Header(name) => in_map(demand, name, headers),
        _ => value(demand, std::iter::empty()),
    }
}

fn in_map(demand: &HeaderMatch, name: &HeaderName, headers: &HeaderMap) -> bool {
    value(demand, headers.get_all(name).iter().map(|value| value.as_bytes()))
}

fn value<'v>(demand: &HeaderMatch, values: impl Iterator<Item = &'v [u8]>) -> bool {
    let mut values = values.peekable();
    let there = values.peek().is_some() || demand.missing_as_empty;
    let holds = match &demand.test {
        HeaderTest::Present(present) => there == *present,
        _ if !there => return false,
        test if values.peek().is_none() => one(test, b""),
        test => values.any(|value| one(test, value)),
    };
    holds != demand.invert
}

fn one(test: &HeaderTest, value: &[u8]) -> bool {
    match test {
        HeaderTest::Present(present) => *present,
        HeaderTest::Text(matcher) => text(matcher, value),
        HeaderTest::Range { start, end } => {
            let number = std::str::from_utf8(value).ok().and_then(|text| text.trim().parse::<i64>().ok());
            number.is_some_and(|number| (*start..*end).contains(&number))
        }
    }
}

fn text(matcher: &StringMatch, value: &[u8]) -> bool {
    let same = |a: &[u8], b: &[u8]| if matcher.ignore_case { a.eq_ignore_ascii_case(b) } else { a == b };
    match &matcher.test {
        StringTest::Exact(whole) => same(value, whole.as_bytes()),
        StringTest::Prefix(start) => {
            value.get(..start.len()).is_some_and(|part| same(part, start.as_bytes()))
        }
        StringTest::Suffix(end) => {
            let from = value.len().checked_sub(end.len());
            from.and_then(|from| value.get(from..)).is_some_and(|part| same(part, end.as_bytes()))
        }
        StringTest::Contains(part) => {
            value.windows(part.len().max(1)).any(|window| same(window, part.as_bytes()))
        }
        StringTest::Regex(pattern) => pattern.is_match(value),
    }
}

/// Whether all demanded parameters are in the query, which is taken as written.
fn all_parameters(demands: &[QueryMatch], head: &Parts) -> bool {
    let query = head.uri.query().unwrap_or_default();
    demands.iter().all(|demand| {
        let found = query.split('&').find_map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (name == demand.name).then_some(value)
        });
        match (&demand.test, found) {
            (QueryTest::Present(present), found) => found.is_some() == *present,
            (QueryTest::Text(matcher), Some(value)) => text(matcher, value.as_bytes()),
            (QueryTest::Text(_), None) => false,
        }
    })
}

/// Whether this is a gRPC request.
pub(crate) fn is_grpc(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).and_then(|value| value.as_bytes().strip_prefix(b"application/grpc"));
    kind.is_some_and(|rest| rest.is_empty() || rest.starts_with(b"+"))
}
