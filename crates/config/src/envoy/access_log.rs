//! `access_log` and `upstream_log`: the file, stdout and stderr loggers, in v3 and v2.

use crate::format;
use crate::model::{AccessLog, JsonValue, LogLine, LogSink};
use crate::read::{Field, Object};
use crate::tree::Value;

use super::any::{Configured, Extension};
use super::{log_filter, unsupported};

const LOGGER: Extension = Extension {
    what: "the file, stdout and stderr access loggers",
    types: &[
        "envoy.extensions.access_loggers.file.v3.FileAccessLog",
        "envoy.extensions.access_loggers.stream.v3.StdoutAccessLog",
        "envoy.extensions.access_loggers.stream.v3.StderrAccessLog",
        "envoy.config.accesslog.v2.FileAccessLog",
    ],
    names: &["envoy.access_loggers.file", "envoy.file_access_log"],
    bare: false,
};

/// Envoy's own format, for logs without one.
pub(crate) const DEFAULT_FORMAT: &str = "[%START_TIME%] \"%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%\" \
    %RESPONSE_CODE% %RESPONSE_FLAGS% %BYTES_RECEIVED% %BYTES_SENT% %DURATION% %RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)% \
    \"%REQ(X-FORWARDED-FOR)%\" \"%REQ(USER-AGENT)%\" \"%REQ(X-REQUEST-ID)%\" \"%REQ(:AUTHORITY)%\" \"%UPSTREAM_HOST%\"\n";

/// The logs of a list; `None` if any was refused.
pub(super) fn list(field: Option<Field<'_>>) -> Option<Vec<AccessLog>> {
    let logs: Vec<_> = field.iter().flat_map(Field::list).map(|field| entry(&field)).collect();
    logs.into_iter().collect()
}

fn entry(field: &Field<'_>) -> Option<AccessLog> {
    let mut object = field.object()?;
    let filter = object.take("filter").map_or(Some(None), |field| log_filter::decode(&field).map(Some));
    let typed = object.type_of("typed_config");
    let configured = LOGGER.read(&mut object);
    object.finish(unsupported::ACCESS_LOG);
    let Configured::Message(message) = configured? else { return None };
    let stream = typed.and_then(|name| match name.rsplit('.').next() {
        Some("StdoutAccessLog") => Some(LogSink::Stdout),
        Some("StderrAccessLog") => Some(LogSink::Stderr),
        _ => None,
    });
    let (sink, line, omit_empty) = logger(message, stream)?;
    Some(AccessLog { sink, line, omit_empty, filter: filter? })
}

fn logger(mut object: Object<'_>, stream: Option<LogSink>) -> Option<(LogSink, LogLine, bool)> {
    let sink = match stream {
        Some(stream) => Some(stream),
        None => object
            .require("path", "write the file's path: `path: /var/log/access.log`")
            .and_then(|field| field.name())
            .map(|path| LogSink::File(path.into())),
    };
    let is_file = matches!(sink, Some(LogSink::File(_)) | None);
    let mut old = |name| if is_file { object.take(name) } else { None };
    let (text, json, typed) = (old("format"), old("json_format"), old("typed_json_format"));
    let new = object.take("log_format");
    object.finish(&[]);
    let second = [&text, &json, &typed, &new].into_iter().flatten().nth(1).cloned();
    if let Some(second) = second {
        return second.refuse_key("stands beside another format", "", "keep one, best `log_format`");
    }
    let (line, omit) = match (text, json.or(typed), new) {
        (Some(text), _, _) => (text_line(&text), false),
        (None, Some(json), _) => (json_line(&json), false),
        (None, None, Some(new)) => log_format(&new)?,
        (None, None, None) => (format::parse(DEFAULT_FORMAT).ok().map(LogLine::Text), false),
    };
    Some((sink?, line?, omit))
}

/// SubstitutionFormatString.
fn log_format(field: &Field<'_>) -> Option<(Option<LogLine>, bool)> {
    let mut object = field.object()?;
    let (text, source, json) =
        (object.take("text_format"), object.take("text_format_source"), object.take("json_format"));
    let omit = object.take("omit_empty_values").map_or(Some(false), |field| field.boolean());
    // Of a response's body; a line of a log has none.
    object.take("content_type").and_then(|field| field.text());
    object.finish(unsupported::LOG_FORMAT);
    let line = match (text, source, json) {
        (Some(text), None, None) => text_line(&text),
        (None, Some(source), None) => inline(&source),
        (None, None, Some(json)) => json_line(&json),
        (None, None, None) => field.refuse_key(
            "has no format",
            "",
            "write `text_format_source: { inline_string: \"...\\n\" }` or `json_format`",
        ),
        _ => field.refuse_key("has more than one format", "", "keep one"),
    };
    Some((line, omit?))
}

fn inline(field: &Field<'_>) -> Option<LogLine> {
    let mut object = field.object()?;
    let text = object.require("inline_string", "write the format in place: `inline_string: \"...\\n\"`");
    object.finish(unsupported::DATA_SOURCE);
    text_line(&text?)
}

fn text_line(field: &Field<'_>) -> Option<LogLine> {
    if field.text() == Some("") {
        return format::parse(DEFAULT_FORMAT).ok().map(LogLine::Text);
    }
    format::of(field).map(LogLine::Text)
}

/// A JSON object of formats.
pub(crate) fn json_line(field: &Field<'_>) -> Option<LogLine> {
    members(field).map(LogLine::Json)
}

fn members(field: &Field<'_>) -> Option<Vec<(String, JsonValue)>> {
    let fields = field.object()?.rest();
    let members: Vec<_> =
        fields.into_iter().map(|(name, field)| Some((name.to_owned(), value(&field)?))).collect();
    let mut members: Vec<_> = members.into_iter().collect::<Option<_>>()?;
    members.sort_by(|(a, _), (b, _)| a.cmp(b));
    Some(members)
}

fn value(field: &Field<'_>) -> Option<JsonValue> {
    Some(match &field.node.value {
        Value::Map(_) => JsonValue::Object(members(field)?),
        Value::List(_) => {
            let values: Vec<_> = field.list().iter().map(value).collect();
            JsonValue::List(values.into_iter().collect::<Option<_>>()?)
        }
        Value::Text(_) => JsonValue::Format(format::of(field)?),
        Value::Bool(value) => JsonValue::Bool(*value),
        Value::Number(number) => match number.whole.and_then(|whole| i32::try_from(whole).ok()) {
            Some(whole) => JsonValue::Number(whole),
            None => JsonValue::Format(format::parse(&format::escape(&number.raw)).ok()?),
        },
        Value::Null => JsonValue::Null,
    })
}
