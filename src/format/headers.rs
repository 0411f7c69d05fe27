//! Commands that look into the heads of a request and its answer.

use std::borrow::Cow;

use config::model::{HeaderChoice, HeaderRef};
use http::header::HOST;
use http::{HeaderMap, HeaderName, HeaderValue};

use super::{RequestHead, Value, View, grpc};

pub(super) const TENANT: HeaderName = HeaderName::from_static("x-scope-orgid");
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const ORIGINAL_PATH: HeaderName = HeaderName::from_static("x-envoy-original-path");
const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");

impl<'a> View<'a> {
    pub(super) fn request_header(&self, choice: &HeaderChoice) -> Value<'a> {
        let Some(request) = self.request else { return Value::Missing };
        chosen(choice, |name| match name {
            HeaderRef::Method => Some(request.method.as_str().as_bytes()),
            HeaderRef::Path => Some(request.path()),
            HeaderRef::Authority => request.headers.get(HOST).map(HeaderValue::as_bytes),
            HeaderRef::Scheme => Some(request.scheme.as_bytes()),
            HeaderRef::Status => None,
            HeaderRef::Name(name) => first(request.headers, name),
        })
    }

    pub(super) fn response_header(&self, choice: &HeaderChoice) -> Value<'a> {
        let Some(headers) = self.response else { return Value::Missing };
        let code = self.facts.code;
        let asks = |name: &Option<HeaderRef>| name.as_ref() == Some(&HeaderRef::Status);
        if (choice.first == HeaderRef::Status || asks(&choice.or)) && code.is_some() {
            return Value::owned(code.map(|code| code.as_str().to_owned()));
        }
        chosen(choice, |name| match name {
            HeaderRef::Name(name) => first(headers, name),
            _ => None,
        })
    }

    pub(super) fn trailer(&self, choice: &HeaderChoice) -> Value<'a> {
        let Some(trailers) = self.trailers else { return Value::Missing };
        chosen(choice, |name| match name {
            HeaderRef::Name(name) => first(trailers, name),
            _ => None,
        })
    }

    pub(super) fn named(&self, name: &HeaderName) -> Value<'a> {
        let value = self.request.and_then(|request| first(request.headers, name));
        value.map_or(Value::Missing, |value| Value::Text(Cow::Borrowed(value)))
    }

    pub(super) fn stream_id(&self) -> Value<'a> {
        self.named(&REQUEST_ID)
    }

    /// As received, without the query.
    pub(super) fn path_without_query(&self) -> Value<'a> {
        let path = self.received_path().and_then(|path| path.split(|byte| *byte == b'?').next());
        path.map_or(Value::Missing, |path| Value::Text(Cow::Borrowed(path)))
    }

    pub(super) fn query_parameter(&self, wanted: &str) -> Value<'a> {
        let query = self.received_path().and_then(|path| path.splitn(2, |byte| *byte == b'?').nth(1));
        let mut pairs = query.unwrap_or_default().split(|byte| *byte == b'&');
        let found = pairs.find_map(|pair| {
            let mut parts = pair.splitn(2, |byte| *byte == b'=');
            (parts.next()? == wanted.as_bytes()).then(|| parts.next().unwrap_or_default())
        });
        found.map_or(Value::Missing, |value| Value::Text(Cow::Borrowed(value)))
    }

    fn received_path(&self) -> Option<&'a [u8]> {
        let request = self.request?;
        Some(first(request.headers, &ORIGINAL_PATH).unwrap_or_else(|| request.path()))
    }

    /// As Envoy counts: names and values, with HTTP/2's pseudo headers.
    pub(super) fn request_header_bytes(&self) -> Value<'a> {
        let Some(request) = self.request else { return Value::Number(0) };
        let pseudo = [":method", ":path", ":scheme"].iter().map(|name| name.len()).sum::<usize>()
            + request.method.as_str().len()
            + request.path().len()
            + request.scheme.len()
            // Host goes by the name of `:authority`.
            + (":authority".len() - HOST.as_str().len());
        Value::Number((size(request.headers) + pseudo) as u64)
    }

    pub(super) fn response_header_bytes(&self) -> Value<'a> {
        let status = self.facts.code.map_or(0, |_| ":status200".len());
        Value::Number(self.response.map_or(0, |headers| (size(headers) + status) as u64))
    }

    pub(super) fn grpc_status(&self, number: bool) -> Value<'a> {
        let status = [self.trailers, self.response].into_iter().flatten();
        let Some(status) = status.filter_map(|headers| first(headers, &GRPC_STATUS)).next() else {
            return Value::Missing;
        };
        let code = std::str::from_utf8(status).ok().and_then(|text| text.parse().ok());
        match (number, code) {
            (true, code) => Value::number(code),
            (false, Some(code)) => Value::owned(Some(grpc::name(code))),
            (false, None) => Value::text(Some("InvalidCode")),
        }
    }
}

impl<'a> RequestHead<'a> {
    /// Origin-form.
    fn path(&self) -> &'a [u8] {
        self.uri.path_and_query().map_or(&b"/"[..], |path| path.as_str().as_bytes())
    }
}

fn chosen<'a>(choice: &HeaderChoice, find: impl Fn(&HeaderRef) -> Option<&'a [u8]>) -> Value<'a> {
    let found = find(&choice.first).or_else(|| choice.or.as_ref().and_then(find));
    found.map_or(Value::Missing, |value| Value::Text(Cow::Borrowed(value)))
}

fn first<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a [u8]> {
    headers.get(name).map(HeaderValue::as_bytes)
}

fn size(headers: &HeaderMap) -> usize {
    headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum()
}
