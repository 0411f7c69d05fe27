//! An admin request: whatever is asked, an answer with a status that HTTP has and without the file's secrets, and
//! nothing changed by who only reads.
//!
//! Bytes are method and target on the first line, then the body of a form.

use http::header::CONTENT_TYPE;
use http::{Method, Request};

use crate::admin::View;
use crate::admin::endpoints::answer;

/// `secret` is what the view's configuration keeps to itself; `commanded` tells whether a command came since it was asked
/// last.
pub(crate) fn admin(view: &View, secret: &str, commanded: impl FnOnce() -> bool, bytes: &[u8]) {
    let line = bytes.iter().position(|byte| *byte == b'\n').unwrap_or(bytes.len());
    let (line, body) = (&bytes[..line], bytes.get(line + 1..).unwrap_or_default());
    let (method, target) = match line.strip_prefix(b"POST ") {
        Some(target) => (Method::POST, target),
        None => (Method::GET, line),
    };
    let is_read = method == Method::GET;
    let request = Request::builder().method(method).uri(target);
    let Ok(request) = request.header(CONTENT_TYPE, "application/x-www-form-urlencoded").body(()) else {
        return;
    };
    let (head, ()) = request.into_parts();
    let answer = answer(view, &head, body);
    assert!((200..600).contains(&answer.status.as_u16()), "{answer:?}");
    assert!(!answer.body.contains(secret), "{answer:?}");
    assert!(!(commanded() && is_read), "{:?} changed something", head.uri);
}
