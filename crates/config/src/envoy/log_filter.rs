//! `access_log.filter`: which requests get a line.

use http::HeaderName;

use crate::model::{Comparison, Fraction, HeaderFilter, HeaderFilterTest, LogFilter, Operator};
use crate::read::{Field, Object};

use super::{fraction, unsupported};

/// Every flag of Envoy's that a filter may name.
const FLAGS: &str = "LH UH UT LR UR UF UC UO NR DI FI RL UAEX RLSE DC URX SI IH DPE UMSDR RFCF NFCF DT UPE NC OM DF DO \
    DR UDO";

/// Decodes an AccessLogFilter.
pub(super) fn decode(field: &Field<'_>) -> Option<LogFilter> {
    let mut object = field.object()?;
    let status = object.take("status_code_filter").map(|field| comparison(&field).map(LogFilter::Status));
    let duration = object.take("duration_filter").map(|field| comparison(&field).map(LogFilter::Duration));
    let health = object.take("not_health_check_filter").map(|field| {
        field.object()?.finish(&[]);
        Some(LogFilter::NotHealthCheck)
    });
    let flags = object.take("response_flag_filter").map(|field| flags(&field));
    let share = object.take("runtime_filter").map(|field| share(&field));
    let header = object.take("header_filter").map(|field| header(&field));
    let and = object.take("and_filter").map(|field| filters(&field).map(LogFilter::And));
    let or = object.take("or_filter").map(|field| filters(&field).map(LogFilter::Or));
    let others = object.has_left();
    object.finish(unsupported::LOG_FILTER);
    let mut found = [status, duration, health, flags, share, header, and, or].into_iter().flatten();
    match (found.next(), found.next()) {
        (Some(filter), None) => filter,
        (Some(_), Some(_)) => field.refuse_key("has two filters", "", "join them in an `and_filter`"),
        (None, _) if others => None,
        (None, _) => {
            field.refuse_key("has no filter", "", "write one, such as `status_code_filter`, or remove it")
        }
    }
}

fn filters(field: &Field<'_>) -> Option<Vec<LogFilter>> {
    let mut object = field.object()?;
    let list = object.require("filters", "write at least two filters");
    object.finish(&[]);
    let filters: Vec<_> = list?.list().iter().map(decode).collect();
    filters.into_iter().collect()
}

fn comparison(field: &Field<'_>) -> Option<Comparison> {
    let mut object = field.object()?;
    let inner = object.require("comparison", "write `comparison: { op: GE, value: { default_value: 500 } }`");
    object.finish(&[]);
    let mut object = inner?.object()?;
    let operators = [
        ("EQ", 0, Operator::Equal),
        ("GE", 1, Operator::GreaterOrEqual),
        ("LE", 2, Operator::LessOrEqual),
        ("NE", 3, Operator::NotEqual),
    ];
    let operator = object.take("op").map_or(Some(Operator::Equal), |field| field.choice(&operators));
    let value = object.require("value", "write `value: { default_value: 500 }`");
    object.finish(&[]);
    let mut object = value?.object()?;
    let value = object.take("default_value").map_or(Some(0), |field| field.whole(0, u32::MAX));
    runtime_key(&mut object);
    object.finish(&[]);
    Some(Comparison { operator: operator?, value: value? })
}

/// Envoy asks for a key here even where nobody has a runtime, so that it is no reason for a warning.
fn runtime_key(object: &mut Object<'_>) {
    object.take("runtime_key").and_then(|field| field.text());
}

fn flags(field: &Field<'_>) -> Option<LogFilter> {
    let mut object = field.object()?;
    let names = object.take("flags").map(|field| field.list()).unwrap_or_default();
    object.finish(&[]);
    let named = |field: &Field<'_>| {
        let name = field.name()?;
        if FLAGS.split_ascii_whitespace().any(|flag| flag == name) {
            return Some(name.to_owned());
        }
        field.refuse(format!("`{name}` is not a response flag"), format!("write one of {FLAGS}"))
    };
    let names: Vec<_> = names.iter().map(named).collect();
    names.into_iter().collect::<Option<_>>().map(LogFilter::Flags)
}

fn share(field: &Field<'_>) -> Option<LogFilter> {
    let mut object = field.object()?;
    runtime_key(&mut object);
    let percent = object.take("percent_sampled");
    object.take("use_independent_randomness").and_then(|field| field.boolean());
    object.finish(&[]);
    let none = Fraction { numerator: 0, denominator: 100 };
    percent.map_or(Some(none), |field| fraction::fractional_percent(&field)).map(LogFilter::Share)
}

fn header(field: &Field<'_>) -> Option<LogFilter> {
    let mut object = field.object()?;
    let inner = object.require("header", "write `header: { name: x-log, present_match: true }`");
    object.finish(&[]);
    let mut object = inner?.object()?;
    let name = object
        .require("name", "write the header's name")
        .and_then(|field| field.name().map(|n| (n, field.clone())));
    let invert = object.take("invert_match").map_or(Some(false), |field| field.boolean());
    let present = object.take("present_match");
    let exact = object.take("exact_match");
    let prefix = object.take("prefix_match");
    let suffix = object.take("suffix_match");
    let contains = object.take("contains_match");
    let string = object.take("string_match");
    object.finish(unsupported::LOG_HEADER);
    let text = |field: Option<Field<'_>>, make: fn(String) -> HeaderFilterTest| {
        field.map(|field| field.text().map(|text| make(text.to_owned())))
    };
    let tests = [
        present.map(|field| field.boolean().map(HeaderFilterTest::Present)),
        text(exact, HeaderFilterTest::Exact),
        text(prefix, HeaderFilterTest::Prefix),
        text(suffix, HeaderFilterTest::Suffix),
        text(contains, HeaderFilterTest::Contains),
        string.map(|field| string_match(&field)),
    ];
    let test = tests.into_iter().flatten().next().unwrap_or(Some(HeaderFilterTest::Present(true)));
    let (name, place) = name?;
    let name = HeaderName::from_bytes(name.as_bytes()).ok();
    let name =
        name.or_else(|| place.refuse("is not the name of a header", "use letters, digits and dashes"))?;
    Some(LogFilter::Header(HeaderFilter { name, test: test?, invert: invert? }))
}

fn string_match(field: &Field<'_>) -> Option<HeaderFilterTest> {
    let mut object = field.object()?;
    let mut text = |name, make: fn(String) -> HeaderFilterTest| {
        object.take(name).map(|field| field.text().map(|text| make(text.to_owned())))
    };
    let tests = [
        text("exact", HeaderFilterTest::Exact),
        text("prefix", HeaderFilterTest::Prefix),
        text("suffix", HeaderFilterTest::Suffix),
        text("contains", HeaderFilterTest::Contains),
    ];
    let left = object.has_left();
    object.finish(unsupported::LOG_STRING);
    match tests.into_iter().flatten().next() {
        Some(test) => test,
        None if left => None,
        None => {
            field.refuse_key("has nothing to match", "", "write `exact`, `prefix`, `suffix` or `contains`")
        }
    }
}
