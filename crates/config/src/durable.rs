//! Durable delivery: `delivery` and `backlog`, and what can be judged only when every mirror has its name.

use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::diag::Diagnostic;
use crate::model::{Backlog, Delivery, HeaderMutation, Mirror, MirrorPolicy, Route, Sync};
use crate::parts::{Destination, Parts, Place};
use crate::read::{Field, Object};
use crate::tree::Value;
use crate::units;

/// Where backlogs are unless told otherwise, each in a directory named after its mirror.
const DIRECTORY: &str = "/var/lib/mimir-mirror";
/// What of a mirror's name may stand in a directory's name as it is.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'.').remove(b'_').remove(b'-');
/// Linux takes no longer name of a file.
const FILE_NAME_MAX: usize = 255;
/// One record of the backlog holds a copy's head and body and has at most 1 GiB.
const MAX_REQUEST_MAX: u64 = 512 << 20;
/// `max_bytes` holds so many of the largest copies: space is freed in whole segments, and one that is being sent stays.
const LARGEST_COPIES: u64 = 4;
/// `max_bytes` holds some copies' heads, however small `max_request` is.
const MAX_BYTES_MIN: u64 = 1 << 20;
/// More often than this, every append would be followed by a sync: that is `always`.
const SYNC_MIN: Duration = Duration::from_millis(1);
/// Prometheus gives up a request after 30 s.
const BEFORE_ANSWER_MAX: Duration = Duration::from_secs(10);
const ATTEMPTS_MAX: u32 = 1_000_000;

/// Reads `delivery` and `backlog`; `max_request` must have been read. Returns where they stand if the mirror is
/// durable. Its path stays empty unless it is written: the mirror may not have its name yet.
pub(crate) fn read<'a>(object: &mut Object<'a>, mirror: &mut Mirror) -> Option<Place<'a>> {
    let deliveries = [("memory", 0, false), ("durable", 1, true)];
    let delivery = object.take("delivery");
    let durable = delivery.as_ref().map_or(Some(false), |field| field.choice(&deliveries));
    let field = object.take("backlog");
    let mut backlog = Backlog::with_defaults(PathBuf::new());
    let path = field.as_ref().and_then(|field| read_backlog(field, &mut backlog, mirror.max_request));
    match (durable, field) {
        (Some(false), Some(field)) => field.refuse_key(
            "has no effect without `delivery: durable`",
            "",
            "write `delivery: durable` beside it, or remove it",
        ),
        (Some(true), _) => {
            let delivery = delivery?;
            if mirror.max_request > MAX_REQUEST_MAX {
                delivery.refuse::<()>(
                    format!(
                        "durable delivery takes requests up to {}, and `max_request` is {}",
                        units::size_text(MAX_REQUEST_MAX),
                        units::size_text(mirror.max_request)
                    ),
                    "lower `max_request`: one record of the backlog has at most 1GiB",
                );
            }
            if mirror.buffer < mirror.max_request.saturating_mul(2) {
                delivery.refuse::<()>(
                    "durable delivery needs a `buffer` of twice `max_request`",
                    "raise `buffer` or lower `max_request`: half of the buffer is for requests on their way in, half for \
                     copies that wait",
                );
            }
            mirror.delivery = Delivery::Durable(backlog);
            Some(Place { delivery, path })
        }
        _ => None,
    }
}

/// Reads the map `backlog`. Returns the field `path`, if it is written.
fn read_backlog<'a>(field: &Field<'a>, backlog: &mut Backlog, max_request: u64) -> Option<Field<'a>> {
    let mut object = field.object()?;
    let path = object.take("path");
    if let Some(path) = path.as_ref().and_then(directory) {
        backlog.path = path;
    }
    if let Some(bytes) = object.take("max_bytes").and_then(|field| max_bytes(&field, max_request)) {
        backlog.max_bytes = bytes;
    }
    if let Some(age) = object.take("max_age").and_then(|field| field.positive_duration()) {
        backlog.max_age = age;
    }
    if let Some(sync) = object.take("sync").and_then(|field| sync(&field)) {
        backlog.sync = sync;
    }
    if let Some(wait) = object.take("before_answer").and_then(|field| before_answer(&field)) {
        backlog.before_answer = wait;
    }
    if let Some(field) = object.take("credentials") {
        backlog.keep_credentials = field.choice(&[("drop", 0, false), ("keep", 1, true)]).unwrap_or(false);
        if backlog.keep_credentials {
            field.warn_line(
                "clients' credentials (`Authorization`, `Cookie`, `Proxy-Authorization`) are written to disk",
            );
        }
    }
    if let Some(attempts) = object.take("max_attempts").and_then(|field| field.whole(1, ATTEMPTS_MAX)) {
        backlog.max_attempts = attempts;
    }
    object.finish(&[]);
    path
}

fn directory(field: &Field<'_>) -> Option<PathBuf> {
    let path = field.name()?;
    if path.chars().any(char::is_control) {
        return field.refuse("is not a path", "remove line breaks and control characters");
    }
    Some(PathBuf::from(path))
}

fn max_bytes(field: &Field<'_>, max_request: u64) -> Option<u64> {
    let bytes = field.size()?;
    let least = max_request.saturating_mul(LARGEST_COPIES).max(MAX_BYTES_MIN);
    if bytes >= least {
        return Some(bytes);
    }
    let help = if least == MAX_BYTES_MIN {
        "less holds hardly a copy: raise it, or leave it at 10GiB".to_owned()
    } else {
        format!(
            "{LARGEST_COPIES} times `max_request`, since room is made by whole segments and what is being sent stays: \
             raise `max_bytes` or lower `max_request`"
        )
    };
    field.refuse(format!("must be at least {}", units::size_text(least)), help)
}

fn sync(field: &Field<'_>) -> Option<Sync> {
    let help = "write an interval such as `100ms`, or `always` or `never`";
    match &field.node.value {
        Value::Text(text) if &**text == "always" => return Some(Sync::Always),
        Value::Text(text) if &**text == "never" => return Some(Sync::Never),
        Value::Text(text) if text.starts_with(|c: char| c.is_ascii_digit() || c == '-') => {}
        Value::Number(_) => {}
        _ => return field.refuse("is neither an interval nor `always` nor `never`", help),
    }
    match field.duration()? {
        short if short < SYNC_MIN => {
            field.refuse("must be at least 1ms", "write `always` to sync with every append")
        }
        every => Some(Sync::Every(every)),
    }
}

fn before_answer(field: &Field<'_>) -> Option<Duration> {
    match field.duration()? {
        long if long > BEFORE_ANSWER_MAX => field.refuse(
            "must be at most 10s",
            "clients wait so long while the disk is slow: write a few milliseconds, such as `5ms`",
        ),
        wait => Some(wait),
    }
}

/// The directory of a mirror's backlog unless another is set.
pub(crate) fn default_path(mirror: &str) -> PathBuf {
    Path::new(DIRECTORY).join(file_name(mirror))
}

/// A name that is safe as that of one directory; different names stay different.
fn file_name(mirror: &str) -> String {
    match mirror {
        "." | ".." => mirror.replace('.', "%2E"),
        name => utf8_percent_encode(name, ENCODED).to_string(),
    }
}

/// Sets the paths that were not written, and judges what depends on several mirrors or on their routes.
pub(crate) fn complete(parts: &mut Parts<'_>) {
    let policies: Vec<&MirrorPolicy> = parts
        .listeners
        .iter()
        .flat_map(|listener| &listener.http.virtual_hosts)
        .flat_map(|host| &host.routes)
        .filter_map(Route::forward)
        .flat_map(|forward| &forward.mirrors)
        .collect();
    let mut taken: Vec<(PathBuf, &str, &Field<'_>)> = Vec::new();
    for (index, Destination { mirror, durable }) in parts.mirrors.iter_mut().enumerate() {
        let (Delivery::Durable(backlog), Some(place)) = (&mut mirror.delivery, &*durable) else { continue };
        if place.path.is_none() {
            backlog.path = default_path(&mirror.name);
            if file_name(&mirror.name).len() > FILE_NAME_MAX {
                place.delivery.refuse::<()>(
                    "the mirror's name is too long for the name of a directory",
                    "set `backlog: {path: ...}`",
                );
            }
        }
        let mut own = policies.iter().filter(|policy| policy.mirror == index);
        if mirror.auth.is_none() && !backlog.keep_credentials && own.any(|policy| needs_client(policy)) {
            place.delivery.warn_line(
                "copies that are read back from disk go without the client's `Authorization`; set `auth` if the \
                 mirror needs one, or remove the header from all copies",
            );
        }
        if backlog.path.as_os_str().is_empty() {
            continue;
        }
        let path = normal(&backlog.path);
        match taken.iter().find(|(other, ..)| *other == path) {
            Some((_, other, first)) => same_directory((other, first), (&mirror.name, place), &path),
            None => taken.push((path, &mirror.name, place.directory())),
        }
    }
}

/// Whether these copies carry the client's `Authorization`, if the client sends one.
fn needs_client(policy: &MirrorPolicy) -> bool {
    let settles = |change: &HeaderMutation| match change {
        HeaderMutation::Set(name, _)
        | HeaderMutation::AddIfAbsent(name, _)
        | HeaderMutation::Remove(name) => name == http::header::AUTHORIZATION,
        HeaderMutation::Append(..) | HeaderMutation::OverwriteIfPresent(..) | HeaderMutation::Added(_) => {
            false
        }
    };
    !policy.headers.iter().any(settles)
}

fn same_directory(first: (&str, &Field<'_>), second: (&str, &Place<'_>), path: &Path) {
    let (name, place) = second;
    let field = place.directory();
    let message =
        format!("the mirrors `{}` and `{name}` have the same backlog directory {}", first.0, path.display());
    let diagnostic = Diagnostic::new(field.node.span, &field.path, message)
        .other(first.1.node.span, "the first")
        .help("give each a `backlog: {path: ...}` of its own: a backlog holds the copies of one mirror");
    field.sink.error(diagnostic);
}

/// The path from the root, without `.` and `..`. Links are not followed: the directories need not exist.
fn normal(path: &Path) -> PathBuf {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let mut normal = PathBuf::new();
    for component in absolute.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => {
                normal.pop();
            }
            other => normal.push(other),
        }
    }
    normal
}
