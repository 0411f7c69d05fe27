//! `access_log` of the native form: `{ path, format }` or `{ path, json }`, one or several.

use crate::envoy::json_line;
use crate::format;
use crate::model::{AccessLog, LogLine, LogSink};
use crate::read::Field;

/// The line of a copy, where the mirror's log has no format.
pub(crate) const COPY_FORMAT: &str = "[%START_TIME%] \"%REQ(:METHOD)% %REQ(:PATH)%\" %MIRROR% %COPY_OUTCOME% %COPY_REASON% \
    %RESPONSE_CODE% %COPY_BYTES% %COPY_WAIT% %DURATION% \"%COPY_TENANT%\" \"%REQ(X-REQUEST-ID)%\" \"%UPSTREAM_HOST%\"\n";

/// The logs of a list, or the one; `None` if any was refused.
///
/// `default` is the format of a log that has none.
pub(crate) fn list(field: Option<Field<'_>>, default: &str) -> Option<Vec<AccessLog>> {
    let logs: Vec<_> = field.iter().flat_map(Field::list).map(|field| entry(&field, default)).collect();
    logs.into_iter().collect()
}

/// The line end may be left out.
fn text_line(field: &Field<'_>) -> Option<LogLine> {
    let mut text = field.text()?.to_owned();
    if !text.ends_with('\n') {
        text.push('\n');
    }
    format::of(field)?;
    format::parse(&text).ok().map(LogLine::Text)
}

fn entry(field: &Field<'_>, default: &str) -> Option<AccessLog> {
    let mut object = field.object()?;
    let path = object.require("path", "write a file, `stdout` or `stderr`: `path: stdout`");
    let (text, json) = (object.take("format"), object.take("json"));
    let omit_empty = object.take("omit_empty").map_or(Some(false), |field| field.boolean());
    object.finish(&[]);
    let sink = match path?.name()? {
        "stdout" => LogSink::Stdout,
        "stderr" => LogSink::Stderr,
        path => LogSink::File(path.into()),
    };
    let line = match (text, json) {
        (Some(text), None) => text_line(&text),
        (None, Some(json)) => json_line(&json),
        (None, None) => format::parse(default).ok().map(LogLine::Text),
        (Some(_), Some(json)) => {
            json.refuse_key("`format` and `json` exclude each other", "", "keep one of the two")
        }
    };
    Some(AccessLog { sink, line: line?, omit_empty: omit_empty?, filter: None })
}
