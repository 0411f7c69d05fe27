//! Access logs in their Envoy v3 form and in the native one.

use serde_json::{Map, Value, json};

use super::Notes;
use crate::envoy::DEFAULT_FORMAT;
use crate::model::{
    AccessLog, Comparison, HeaderFilter, HeaderFilterTest, JsonValue, LogFilter, LogLine, LogSink, Operator,
};

const TYPES: &str = "type.googleapis.com/envoy.extensions.access_loggers";

/// One entry of `access_log`.
pub(super) fn to_v3(log: &AccessLog) -> Value {
    let (name, mut config) = match &log.sink {
        LogSink::File(path) => (
            "envoy.access_loggers.file",
            json!({ "@type": format!("{TYPES}.file.v3.FileAccessLog"), "path": path.to_string_lossy() }),
        ),
        LogSink::Stdout => {
            ("envoy.access_loggers.stdout", json!({ "@type": format!("{TYPES}.stream.v3.StdoutAccessLog") }))
        }
        LogSink::Stderr => {
            ("envoy.access_loggers.stderr", json!({ "@type": format!("{TYPES}.stream.v3.StderrAccessLog") }))
        }
    };
    if let (Some(format), Some(config)) = (log_format(log), config.as_object_mut()) {
        config.insert("log_format".to_owned(), format);
    }
    let mut entry = Map::new();
    entry.insert("name".to_owned(), json!(name));
    if let Some(wanted) = &log.filter {
        entry.insert("filter".to_owned(), filter(wanted));
    }
    entry.insert("typed_config".to_owned(), config);
    Value::Object(entry)
}

/// `None` where Envoy's default says the same.
fn log_format(log: &AccessLog) -> Option<Value> {
    let mut map = Map::new();
    match &log.line {
        LogLine::Text(text) if text.to_string() == DEFAULT_FORMAT && !log.omit_empty => return None,
        LogLine::Text(text) => {
            map.insert("text_format_source".to_owned(), json!({ "inline_string": text.to_string() }));
        }
        LogLine::Json(members) => {
            map.insert("json_format".to_owned(), object(members));
        }
    }
    if log.omit_empty {
        map.insert("omit_empty_values".to_owned(), json!(true));
    }
    Some(Value::Object(map))
}

fn object(members: &[(String, JsonValue)]) -> Value {
    Value::Object(members.iter().map(|(name, value)| (name.clone(), self::value(value))).collect())
}

fn value(value: &JsonValue) -> Value {
    match value {
        JsonValue::Object(members) => object(members),
        JsonValue::List(values) => Value::Array(values.iter().map(self::value).collect()),
        JsonValue::Format(format) => json!(format.to_string()),
        JsonValue::Number(number) => json!(number),
        JsonValue::Bool(value) => json!(value),
        JsonValue::Null => Value::Null,
    }
}

fn filter(filter: &LogFilter) -> Value {
    let all =
        |filters: &[LogFilter]| json!({ "filters": filters.iter().map(self::filter).collect::<Vec<_>>() });
    match filter {
        LogFilter::Status(wanted) => json!({ "status_code_filter": comparison(*wanted) }),
        LogFilter::Duration(wanted) => json!({ "duration_filter": comparison(*wanted) }),
        LogFilter::NotHealthCheck => json!({ "not_health_check_filter": {} }),
        LogFilter::Flags(names) if names.is_empty() => json!({ "response_flag_filter": {} }),
        LogFilter::Flags(names) => json!({ "response_flag_filter": { "flags": names } }),
        LogFilter::Share(share) => {
            json!({ "runtime_filter": { "runtime_key": KEY, "percent_sampled": super::route::percent(*share) } })
        }
        LogFilter::Header(wanted) => json!({ "header_filter": { "header": header(wanted) } }),
        LogFilter::And(filters) => json!({ "and_filter": all(filters) }),
        LogFilter::Or(filters) => json!({ "or_filter": all(filters) }),
    }
}

/// Envoy wants a key, which it looks up in a runtime that the file does not have.
const KEY: &str = "access_log";

fn comparison(wanted: Comparison) -> Value {
    let operator = match wanted.operator {
        Operator::Equal => "EQ",
        Operator::GreaterOrEqual => "GE",
        Operator::LessOrEqual => "LE",
        Operator::NotEqual => "NE",
    };
    json!({ "comparison": { "op": operator, "value": { "default_value": wanted.value, "runtime_key": KEY } } })
}

fn header(wanted: &HeaderFilter) -> Value {
    let mut map = Map::new();
    map.insert("name".to_owned(), json!(wanted.name.as_str()));
    let (name, test) = match &wanted.test {
        HeaderFilterTest::Present(there) => ("present_match", json!(there)),
        HeaderFilterTest::Exact(text) => ("string_match", json!({ "exact": text })),
        HeaderFilterTest::Prefix(text) => ("string_match", json!({ "prefix": text })),
        HeaderFilterTest::Suffix(text) => ("string_match", json!({ "suffix": text })),
        HeaderFilterTest::Contains(text) => ("string_match", json!({ "contains": text })),
    };
    map.insert(name.to_owned(), test);
    if wanted.invert {
        map.insert("invert_match".to_owned(), json!(true));
    }
    Value::Object(map)
}

/// `access_log` of the native form; nothing where there is no log.
pub(super) fn to_native(logs: &[AccessLog], notes: &mut Notes) -> Option<Value> {
    if logs.is_empty() {
        return None;
    }
    let entry = |log: &AccessLog| {
        if log.filter.is_some() {
            return notes.refuse("the native form has no filters of access logs");
        }
        let mut map = Map::new();
        let path = match &log.sink {
            LogSink::File(path) => path.to_string_lossy().into_owned(),
            LogSink::Stdout => "stdout".to_owned(),
            LogSink::Stderr => "stderr".to_owned(),
        };
        map.insert("path".to_owned(), json!(path));
        match &log.line {
            LogLine::Text(text) if text.to_string() == DEFAULT_FORMAT => {}
            LogLine::Text(text) => drop(map.insert("format".to_owned(), json!(text.to_string()))),
            LogLine::Json(members) => drop(map.insert("json".to_owned(), object(members))),
        }
        if log.omit_empty {
            map.insert("omit_empty".to_owned(), json!(true));
        }
        Some(Value::Object(map))
    };
    let entries: Vec<_> = logs.iter().map(entry).collect();
    entries.into_iter().collect::<Option<Vec<_>>>().map(Value::Array)
}
