//! Which requests get a line.

use config::model::{Comparison, HeaderFilter, HeaderFilterTest, LogFilter, Operator};

use crate::format::View;

/// Whether a filter lets a request pass.
pub(super) fn passes(filter: &LogFilter, view: View<'_>) -> bool {
    let facts = view.facts;
    match filter {
        LogFilter::Status(wanted) => compare(*wanted, facts.code.map_or(0, |code| u64::from(code.as_u16()))),
        LogFilter::Duration(wanted) => {
            let millis = facts.took.map_or(0, |took| took.as_millis());
            compare(*wanted, u64::try_from(millis).unwrap_or(u64::MAX))
        }
        LogFilter::NotHealthCheck => true,
        LogFilter::Flags(names) if names.is_empty() => facts.flags.any(),
        LogFilter::Flags(names) => names.iter().any(|name| facts.flags.has(name)),
        LogFilter::Share(share) => share.chooses(fastrand::u64(..)),
        LogFilter::Header(wanted) => header(wanted, view) != wanted.invert,
        LogFilter::And(all) => all.iter().all(|filter| passes(filter, view)),
        LogFilter::Or(any) => any.iter().any(|filter| passes(filter, view)),
    }
}

fn compare(wanted: Comparison, value: u64) -> bool {
    let limit = u64::from(wanted.value);
    match wanted.operator {
        Operator::Equal => value == limit,
        Operator::GreaterOrEqual => value >= limit,
        Operator::LessOrEqual => value <= limit,
        Operator::NotEqual => value != limit,
    }
}

fn header(wanted: &HeaderFilter, view: View<'_>) -> bool {
    let value = view.request.and_then(|request| request.headers.get(&wanted.name));
    let tested = |test: &dyn Fn(&[u8]) -> bool| value.is_some_and(|value| test(value.as_bytes()));
    match &wanted.test {
        HeaderFilterTest::Present(there) => value.is_some() == *there,
        HeaderFilterTest::Exact(text) => tested(&|value| value == text.as_bytes()),
        HeaderFilterTest::Prefix(text) => tested(&|value| value.starts_with(text.as_bytes())),
        HeaderFilterTest::Suffix(text) => tested(&|value| value.ends_with(text.as_bytes())),
        HeaderFilterTest::Contains(text) => tested(&|value| contains(value, text.as_bytes())),
    }
}

fn contains(value: &[u8], part: &[u8]) -> bool {
    part.is_empty() || value.windows(part.len()).any(|window| window == part)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use config::model::Fraction;
    use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri};

    use super::*;
    use crate::format::{Facts, Flags, RequestHead};

    fn passed(filter: &LogFilter) -> bool {
        let facts = Facts {
            code: Some(StatusCode::SERVICE_UNAVAILABLE),
            took: Some(Duration::from_millis(30)),
            flags: Flags::NO_HEALTHY_UPSTREAM,
            ..Facts::default()
        };
        let mut headers = HeaderMap::new();
        headers.insert("x-a", HeaderValue::from_static("hello"));
        let uri = Uri::from_static("/");
        let request = RequestHead { method: &Method::GET, uri: &uri, headers: &headers, scheme: "http" };
        passes(filter, View { request: Some(request), response: None, trailers: None, facts: &facts })
    }

    #[test]
    fn numbers_are_compared() {
        let compare = |operator, value| Comparison { operator, value };
        for (wanted, expected) in [
            (compare(Operator::Equal, 503), true),
            (compare(Operator::GreaterOrEqual, 504), false),
            (compare(Operator::LessOrEqual, 503), true),
            (compare(Operator::NotEqual, 503), false),
        ] {
            assert_eq!(passed(&LogFilter::Status(wanted)), expected, "{wanted:?}");
        }
        assert!(passed(&LogFilter::Duration(compare(Operator::GreaterOrEqual, 30))));
    }

    #[test]
    fn flags_headers_and_shares() {
        let flags = |names: &[&str]| LogFilter::Flags(names.iter().map(|&name| name.to_owned()).collect());
        assert!(passed(&flags(&[])) && passed(&flags(&["UT", "UH"])) && !passed(&flags(&["UT"])));
        let header = |name: &'static str, test, invert| {
            LogFilter::Header(HeaderFilter { name: HeaderName::from_static(name), test, invert })
        };
        let text = || "ell".to_owned();
        assert!(passed(&header("x-a", HeaderFilterTest::Present(true), false)));
        assert!(passed(&header("x-b", HeaderFilterTest::Present(false), false)));
        assert!(passed(&header("x-a", HeaderFilterTest::Contains(text()), false)));
        assert!(!passed(&header("x-a", HeaderFilterTest::Prefix(text()), false)));
        assert!(passed(&header("x-a", HeaderFilterTest::Exact(text()), true)));
        assert!(passed(&LogFilter::Share(Fraction::ALL)));
        assert!(!passed(&LogFilter::Share(Fraction { numerator: 0, denominator: 100 })));
        let (yes, no) = (LogFilter::NotHealthCheck, flags(&["UT"]));
        assert!(passed(&LogFilter::Or(vec![no.clone(), yes.clone()])));
        assert!(!passed(&LogFilter::And(vec![yes, no])));
    }
}
