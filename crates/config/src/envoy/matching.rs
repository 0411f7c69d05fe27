//! RouteMatch, and the matchers of headers and query parameters, in v3's spelling and the older ones.

use http::HeaderName;

use crate::model::{
    HeaderMatch, HeaderTest, PathMatch, QueryMatch, QueryTest, RouteMatch, StringMatch, StringTest, Subject,
};
use crate::read::{Field, Object};

use super::shares::Shares;
use super::{fraction, pattern, unsupported};

/// A field that is one of several, and how it is read.
type Kind<T> = (&'static str, fn(&Field<'_>) -> Option<T>);

/// What a route takes.
pub(super) fn decode(field: &Field<'_>, shares: &Shares<'_>) -> Option<RouteMatch> {
    let mut object = field.object()?;
    let path = path(&mut object);
    let case_sensitive = object.take("case_sensitive").and_then(|field| field.boolean()).unwrap_or(true);
    let headers = all(object.take("headers"), header);
    let query = all(object.take("query_parameters"), query);
    let grpc = object.take("grpc").map(|field| {
        if let Some(object) = field.object() {
            object.finish(&[]);
        }
    });
    let fraction = match object.take("runtime_fraction") {
        None => Some(None),
        Some(field) => fraction::decode(&field, shares).map(Some),
    };
    object.finish(unsupported::ROUTE_MATCH);
    Some(RouteMatch {
        path: path?,
        case_sensitive,
        headers: headers?,
        query: query?,
        grpc: grpc.is_some(),
        fraction: fraction?,
    })
}

/// Every element of a list, if none was refused.
pub(super) fn all<T>(field: Option<Field<'_>>, decode: impl Fn(&Field<'_>) -> Option<T>) -> Option<Vec<T>> {
    let fields = field.map(|field| field.list()).unwrap_or_default();
    let decoded: Vec<Option<T>> = fields.iter().map(decode).collect();
    decoded.into_iter().collect()
}

/// The path specifier, of which there is one.
fn path(object: &mut Object<'_>) -> Option<PathMatch> {
    let kinds: [Kind<PathMatch>; 5] = [
        ("prefix", |field| Some(PathMatch::Prefix(field.text()?.to_owned()))),
        ("path", |field| Some(PathMatch::Path(field.text()?.to_owned()))),
        ("path_separated_prefix", separated),
        ("safe_regex", |field| pattern::matcher(field).map(PathMatch::Regex)),
        ("regex", |field| pattern::bare(field).map(PathMatch::Regex)),
    ];
    let written: Vec<_> =
        kinds.iter().filter_map(|(name, decode)| Some((*name, object.take(name)?, decode))).collect();
    match written.as_slice() {
        [(_, field, decode)] => decode(field),
        [(first, ..), (second, field, _), ..] => field.refuse_key(
            format!("`{first}` and `{second}` exclude each other"),
            "",
            "keep one of the two",
        ),
        [] if ["connect_matcher", "connectMatcher", "path_match_policy", "pathMatchPolicy"]
            .iter()
            .any(|name| object.has(name)) =>
        {
            None
        }
        [] => object.field.refuse_key(
            "has neither `prefix` nor `path`",
            "",
            "write `prefix: \"/\"` for every path, or `path: /api/v1/push` for one",
        ),
    }
}

fn separated(field: &Field<'_>) -> Option<PathMatch> {
    let text = field.name()?;
    let whole = text.len() > 1 && !text.ends_with('/') && !text.contains(['?', '#']);
    if whole {
        return Some(PathMatch::SeparatedPrefix(text.to_owned()));
    }
    field.refuse(
        "must be a path without a slash at its end, query and fragment",
        "write it as `/api/v1`; it takes `/api/v1` and `/api/v1/push`, and not `/api/v1x`",
    )
}

/// HeaderMatcher.
pub(super) fn header(field: &Field<'_>) -> Option<HeaderMatch> {
    let mut object = field.object()?;
    let subject = object.require("name", "name the header").and_then(|field| subject(&field));
    let test = header_test(&mut object);
    let invert = object.take("invert_match").and_then(|field| field.boolean()).unwrap_or(false);
    let empty = object.take("treat_missing_header_as_empty").and_then(|field| field.boolean());
    object.finish(&[]);
    Some(HeaderMatch { subject: subject?, test: test?, invert, missing_as_empty: empty.unwrap_or(false) })
}

fn subject(field: &Field<'_>) -> Option<Subject> {
    let text = field.name()?;
    Some(match text.to_ascii_lowercase().as_str() {
        ":method" => Subject::Method,
        ":path" => Subject::Path,
        ":authority" | "host" => Subject::Authority,
        ":scheme" => Subject::Scheme,
        _ => match HeaderName::from_bytes(text.as_bytes()) {
            Ok(name) => Subject::Header(name),
            Err(_) => return field.refuse("is not the name of a header", "use letters, digits and dashes"),
        },
    })
}

/// What is demanded of the header; that it is there if nothing is written.
fn header_test(object: &mut Object<'_>) -> Option<HeaderTest> {
    let kinds: [Kind<HeaderTest>; 9] = [
        ("string_match", |field| string(field).map(HeaderTest::Text)),
        ("present_match", |field| field.boolean().map(HeaderTest::Present)),
        ("range_match", range),
        // Envoy takes an empty one for any value.
        ("exact_match", |field| match field.text()? {
            "" => Some(HeaderTest::Present(true)),
            text => Some(plain(StringTest::Exact(text.to_owned()))),
        }),
        ("prefix_match", |field| Some(plain(StringTest::Prefix(field.name()?.to_owned())))),
        ("suffix_match", |field| Some(plain(StringTest::Suffix(field.name()?.to_owned())))),
        ("contains_match", |field| Some(plain(StringTest::Contains(field.name()?.to_owned())))),
        ("safe_regex_match", |field| Some(plain(StringTest::Regex(pattern::matcher(field)?)))),
        ("regex_match", |field| Some(plain(StringTest::Regex(pattern::bare(field)?)))),
    ];
    one_of(object, &kinds).unwrap_or(Some(HeaderTest::Present(true)))
}

fn plain(test: StringTest) -> HeaderTest {
    HeaderTest::Text(StringMatch { test, ignore_case: false })
}

/// The one field of several that is written, decoded; `None` if none is.
#[allow(clippy::option_option, reason = "the outer None is nothing written, the inner one an error reported")]
fn one_of<T>(object: &mut Object<'_>, kinds: &[Kind<T>]) -> Option<Option<T>> {
    let written: Vec<_> =
        kinds.iter().filter_map(|(name, decode)| Some((*name, object.take(name)?, decode))).collect();
    match written.as_slice() {
        [] => None,
        [(_, field, decode)] => Some(decode(field)),
        [(first, ..), (second, field, _), ..] => Some(field.refuse_key(
            format!("`{first}` and `{second}` exclude each other"),
            "",
            "keep one of the two",
        )),
    }
}

fn range(field: &Field<'_>) -> Option<HeaderTest> {
    let mut object = field.object()?;
    let mut bound = |name| object.take(name).map_or(Some(0), |field| field.integer());
    let (start, end) = (bound("start"), bound("end"));
    object.finish(&[]);
    Some(HeaderTest::Range { start: start?, end: end? })
}

/// StringMatcher.
fn string(field: &Field<'_>) -> Option<StringMatch> {
    let mut object = field.object()?;
    let kinds: [Kind<StringTest>; 6] = [
        ("exact", |field| Some(StringTest::Exact(field.text()?.to_owned()))),
        ("prefix", |field| Some(StringTest::Prefix(field.name()?.to_owned()))),
        ("suffix", |field| Some(StringTest::Suffix(field.name()?.to_owned()))),
        ("contains", |field| Some(StringTest::Contains(field.name()?.to_owned()))),
        ("safe_regex", |field| pattern::matcher(field).map(StringTest::Regex)),
        ("regex", |field| pattern::bare(field).map(StringTest::Regex)),
    ];
    let test = one_of(&mut object, &kinds);
    let ignore = object.take("ignore_case");
    object.finish(unsupported::STRING_MATCHER);
    let ignore_case = ignore.as_ref().and_then(Field::boolean).unwrap_or(false);
    let Some(test) = test else {
        return field.refuse_key("compares with nothing", "", "write `exact`, `prefix` or another test");
    };
    if let (Some(StringTest::Regex(_)), true, Some(ignore)) = (&test, ignore_case, &ignore) {
        return ignore.refuse_key(
            "ignore_case has no effect for safe_regex.",
            "",
            "write `(?i)` at the start of the expression",
        );
    }
    Some(StringMatch { test: test?, ignore_case })
}

/// QueryParameterMatcher.
fn query(field: &Field<'_>) -> Option<QueryMatch> {
    let mut object = field.object()?;
    let name = object.require("name", "name the parameter").and_then(|field| field.name());
    let kinds: [Kind<QueryTest>; 2] = [
        ("string_match", |field| string(field).map(QueryTest::Text)),
        ("present_match", |field| field.boolean().map(QueryTest::Present)),
    ];
    let test = one_of(&mut object, &kinds).unwrap_or(Some(QueryTest::Present(true)));
    object.finish(unsupported::QUERY_MATCHER);
    Some(QueryMatch { name: name?.to_owned(), test: test? })
}
