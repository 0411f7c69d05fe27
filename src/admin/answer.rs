//! What an endpoint answers: status, content type, body. How it travels is the server's business.

use bytes::Bytes;
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, HeaderValue, WWW_AUTHENTICATE,
};
use http::{Response, StatusCode};
use http_body_util::Full;

const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=UTF-8");
const JSON: HeaderValue = HeaderValue::from_static("application/json");
const HTML: HeaderValue = HeaderValue::from_static("text/html; charset=UTF-8");
const NOSNIFF: HeaderName = HeaderName::from_static("x-content-type-options");
/// Pages load from here alone, and no other site may frame their buttons.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; connect-src 'self'; img-src data:; \
     base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
);

/// One answer of the admin listener.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) content_type: HeaderValue,
    pub(crate) body: String,
}

impl Answer {
    /// 200 with plain text.
    pub(crate) fn text(body: impl Into<String>) -> Self {
        Self::error(StatusCode::OK, body)
    }

    /// Plain text with any status.
    pub(crate) fn error(status: StatusCode, body: impl Into<String>) -> Self {
        Self { status, content_type: TEXT, body: body.into() }
    }

    /// 200 with a page.
    pub(crate) fn html(body: String) -> Self {
        Self { status: StatusCode::OK, content_type: HTML, body }
    }

    /// 200 with a part of a page.
    pub(crate) fn file(media: &'static str, body: impl Into<String>) -> Self {
        Self { status: StatusCode::OK, content_type: HeaderValue::from_static(media), body: body.into() }
    }

    /// 200 with JSON on one line.
    pub(crate) fn compact_json(value: &serde_json::Value) -> Self {
        Self { status: StatusCode::OK, content_type: JSON, body: value.to_string() }
    }

    /// 200 with JSON on many lines, for eyes and `grep`, a blank for each step as Envoy writes it.
    pub(crate) fn json(value: &serde_json::Value) -> Self {
        let mut body = String::new();
        for line in format!("{value:#}").lines() {
            let blanks = line.len() - line.trim_start().len();
            body.extend([line.get(blanks / 2..).unwrap_or_default(), "\n"]);
        }
        Self { status: StatusCode::OK, content_type: JSON, body }
    }
}

impl From<Answer> for Response<Full<Bytes>> {
    fn from(answer: Answer) -> Self {
        let is_page = answer.content_type == HTML;
        let mut response = Self::new(Full::from(answer.body));
        *response.status_mut() = answer.status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, answer.content_type);
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache, max-age=0"));
        if answer.status == StatusCode::UNAUTHORIZED {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        headers.insert(NOSNIFF, HeaderValue::from_static("nosniff"));
        if is_page {
            headers.insert(CONTENT_SECURITY_POLICY, POLICY);
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_indented() {
        let answer = Answer::json(&serde_json::json!({"certificates": []}));
        assert_eq!(answer.body, "{\n \"certificates\": []\n}\n");
    }
}
