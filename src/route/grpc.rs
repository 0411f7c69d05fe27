//! gRPC: an answer of the proxy's own as a gRPC client understands it.
//!
//! The status is 200 and what went wrong stands in `grpc-status` and `grpc-message`, as Envoy has it (measured).

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use percent_encoding::{AsciiSet, CONTROLS, percent_encode};

const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");
const GRPC_MESSAGE: HeaderName = HeaderName::from_static("grpc-message");

/// What gRPC's messages are encoded for, beside everything outside of ASCII.
const ENCODED: &AsciiSet = &CONTROLS.add(b'%');

/// Whether a request is a gRPC call.
pub(crate) fn is_call(headers: &HeaderMap) -> bool {
    let Some(kind) = headers.get(CONTENT_TYPE) else { return false };
    let rest = kind.as_bytes().strip_prefix(b"application/grpc");
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(b"+"))
}

/// Makes an answer of the proxy's own one to a gRPC call.
pub(crate) fn answer(response: &mut Response<Bytes>) {
    let status = HeaderValue::from(code(response.status()));
    let body = std::mem::take(response.body_mut());
    *response.status_mut() = StatusCode::OK;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    // There is no body; HTTP/1.1 says so by itself.
    headers.remove(CONTENT_LENGTH);
    headers.insert(GRPC_STATUS, status);
    let message = percent_encode(&body, ENCODED).to_string();
    if let Ok(message) = HeaderValue::try_from(message)
        && !body.is_empty()
    {
        headers.insert(GRPC_MESSAGE, message);
    }
}

/// gRPC's code for a status of HTTP.
fn code(status: StatusCode) -> u16 {
    match status.as_u16() {
        400 => 13,
        401 => 16,
        403 => 7,
        404 => 12,
        429 | 502 | 503 | 504 => 14,
        _ => 2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_told_by_their_content_type() {
        let is_call = |kind: &'static str| {
            is_call(&[(CONTENT_TYPE, HeaderValue::from_static(kind))].into_iter().collect())
        };
        assert!(is_call("application/grpc") && is_call("application/grpc+proto"));
        assert!(!is_call("application/grpc-web") && !is_call("application/json"));
        assert!(!super::is_call(&HeaderMap::new()));
    }

    #[test]
    fn an_answer_says_in_grpc_what_went_wrong() {
        let mut response = Response::new(Bytes::from_static(b"100 % of it\nlost"));
        *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
        answer(&mut response);
        assert_eq!((response.status(), response.body().len()), (StatusCode::OK, 0));
        assert_eq!(response.headers()["grpc-status"], "14");
        assert_eq!(response.headers()["grpc-message"], "100 %25 of it%0Alost");
    }
}
