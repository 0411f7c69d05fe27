//! Routes that answer by themselves: `direct_response` and `redirect`.

use http::StatusCode;

use crate::model::{DirectResponse, PathRewrite, Redirect, RedirectPath};
use crate::read::{Field, Object};

use super::{action, data, unsupported};

/// Decodes DirectResponseAction. `body_max` is the route configuration's `max_direct_response_body_size_bytes`.
pub(super) fn direct(field: &Field<'_>, body_max: u32) -> Option<DirectResponse> {
    let mut object = field.object()?;
    let status = object.require("status", "write `status: 200`").and_then(|field| {
        let code = field.whole(200, 599)?;
        StatusCode::from_u16(u16::try_from(code).ok()?).ok()
    });
    let body = match object.take("body") {
        None => Some(Vec::new()),
        Some(field) => data::source(&field).and_then(|body| {
            if body.len() as u64 > u64::from(body_max) {
                return field.refuse_key(
                    format!("response body size is {} bytes; maximum is {body_max}", body.len()),
                    "",
                    "shorten it, or set the route configuration's `max_direct_response_body_size_bytes`",
                );
            }
            Some(body)
        }),
    };
    object.finish(unsupported::DIRECT_RESPONSE);
    Some(DirectResponse { status: status?, body: body? })
}

const STATUSES: [(&str, u32, StatusCode); 5] = [
    ("MOVED_PERMANENTLY", 0, StatusCode::MOVED_PERMANENTLY),
    ("FOUND", 1, StatusCode::FOUND),
    ("SEE_OTHER", 2, StatusCode::SEE_OTHER),
    ("TEMPORARY_REDIRECT", 3, StatusCode::TEMPORARY_REDIRECT),
    ("PERMANENT_REDIRECT", 4, StatusCode::PERMANENT_REDIRECT),
];

/// Decodes RedirectAction.
pub(super) fn redirect(field: &Field<'_>) -> Option<Redirect> {
    let mut object = field.object()?;
    let status = object
        .take("response_code")
        .map_or(Some(StatusCode::MOVED_PERMANENTLY), |field| field.choice(&STATUSES));
    let scheme = scheme(&mut object);
    let host = object.take("host_redirect").map_or(Some(None), |field| text(&field));
    let port = object.take("port_redirect").map_or(Some(0), |field| field.whole(0, 65535));
    let path = path(&mut object);
    let strip = object.take("strip_query").and_then(|field| field.boolean());
    object.finish(unsupported::REDIRECT);
    Some(Redirect {
        status: status?,
        scheme: scheme?,
        host: host?,
        port: port.map(|port| (port != 0).then_some(port))?,
        path: path?,
        strip_query: strip.unwrap_or(false),
    })
}

/// A part of a URL; empty is the default, as for any proto3 string.
#[allow(
    clippy::option_option,
    reason = "the outer None is an error already reported, the inner one is absent"
)]
fn text(field: &Field<'_>) -> Option<Option<String>> {
    let text = field.text()?;
    if text.bytes().any(|byte| byte <= b' ' || byte >= 0x7f) {
        return field.refuse("is not part of a URL", "remove blanks and characters beyond ASCII");
    }
    Some(Some(text.to_owned()).filter(|text| !text.is_empty()))
}

#[allow(
    clippy::option_option,
    reason = "the outer None is an error already reported, the inner one is absent"
)]
fn scheme(object: &mut Object<'_>) -> Option<Option<String>> {
    let https = object.take("https_redirect");
    let scheme = object.take("scheme_redirect");
    match (https, scheme) {
        (Some(_), Some(scheme)) => scheme.refuse_key(
            "`https_redirect` and `scheme_redirect` exclude each other",
            "",
            "keep one of the two",
        ),
        (Some(https), None) => Some(https.boolean()?.then(|| "https".to_owned())),
        (None, Some(scheme)) => text(&scheme),
        (None, None) => Some(None),
    }
}

fn path(object: &mut Object<'_>) -> Option<RedirectPath> {
    let to = object.take("path_redirect").filter(|field| field.text() != Some(""));
    let rewrite = action::path_rewrite(object)?;
    match (to, rewrite) {
        (Some(to), PathRewrite::None) => text(&to)?.map(RedirectPath::To),
        (Some(to), _) => to.refuse_key("excludes a rewrite of the path", "", "keep one of the two"),
        (None, rewrite) => Some(RedirectPath::Rewritten(rewrite)),
    }
}
