//! Protocol options in the Envoy v3 form.

use serde_json::{Map, Value, json};

use crate::model::{ClientHttp, Codec, ConnectionLimits, Http2, Underscores, UpstreamHttp, UpstreamVersion};
use crate::units::proto_text;

const OPTIONS: &str = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";

/// `HttpProtocolOptions` of a cluster; `None` where all is the default.
pub(super) fn upstream(http: &UpstreamHttp) -> Option<Value> {
    let default = UpstreamHttp::default();
    if *http == default {
        return None;
    }
    let mut message = Map::new();
    message.insert("@type".to_owned(), json!(format!("type.googleapis.com/{OPTIONS}")));
    let one = if http.http1.title_case { json!({ "header_key_format": proper_case() }) } else { json!({}) };
    let two = http2(&http.http2, &default.http2);
    let (name, choice) = match http.version {
        UpstreamVersion::Http1 => ("explicit_http_config", json!({ "http_protocol_options": one })),
        UpstreamVersion::Http2 => ("explicit_http_config", json!({ "http2_protocol_options": two })),
        UpstreamVersion::AsClient => (
            "use_downstream_protocol_config",
            json!({ "http_protocol_options": one, "http2_protocol_options": two }),
        ),
        UpstreamVersion::Negotiated => {
            ("auto_config", json!({ "http_protocol_options": one, "http2_protocol_options": two }))
        }
    };
    message.insert(name.to_owned(), choice);
    let mut common = connections(&http.connections);
    if http.idle_timeout != default.idle_timeout {
        let idle = http.idle_timeout.unwrap_or_default();
        common.insert("idle_timeout".to_owned(), json!(proto_text(idle)));
    }
    if !common.is_empty() {
        message.insert("common_http_protocol_options".to_owned(), Value::Object(common));
    }
    Some(json!({ OPTIONS: message }))
}

/// Adds what a connection manager says of its clients' protocols.
pub(super) fn client(http: &ClientHttp, map: &mut Map<String, Value>) {
    let default = ClientHttp::default();
    let mut put = |name: &str, differs: bool, value: Value| {
        if differs {
            map.insert(name.to_owned(), value);
        }
    };
    let codec = match http.codec {
        Codec::Auto => "AUTO",
        Codec::Http1 => "HTTP1",
        Codec::Http2 => "HTTP2",
    };
    put("codec_type", http.codec != default.codec, json!(codec));
    put("http2_protocol_options", http.http2 != default.http2, http2(&http.http2, &default.http2));
    let mut one = Map::new();
    if http.http1.title_case {
        one.insert("header_key_format".to_owned(), proper_case());
    }
    if http.http1.http_10 {
        one.insert("accept_http_10".to_owned(), json!(true));
    }
    if let Some(host) = http.http1.default_host.as_ref().and_then(|host| host.to_str().ok()) {
        one.insert("default_host_for_http_10".to_owned(), json!(host));
    }
    put("http_protocol_options", !one.is_empty(), Value::Object(one));
}

/// What `common_http_protocol_options` of a connection manager says beside `idle_timeout`.
pub(super) fn client_common(http: &ClientHttp) -> Map<String, Value> {
    let mut map = connections(&http.connections);
    if http.max_headers != ClientHttp::default().max_headers {
        map.insert("max_headers_count".to_owned(), json!(http.max_headers));
    }
    let action = match http.underscores {
        Underscores::Allow => return map,
        Underscores::Reject => "REJECT_REQUEST",
        Underscores::Drop => "DROP_HEADER",
    };
    map.insert("headers_with_underscores_action".to_owned(), json!(action));
    map
}

fn proper_case() -> Value {
    json!({ "proper_case_words": {} })
}

fn connections(limits: &ConnectionLimits) -> Map<String, Value> {
    let mut map = Map::new();
    if let Some(age) = limits.max_duration {
        map.insert("max_connection_duration".to_owned(), json!(proto_text(age)));
    }
    if let Some(requests) = limits.max_requests {
        map.insert("max_requests_per_connection".to_owned(), json!(requests));
    }
    map
}

fn http2(options: &Http2, default: &Http2) -> Value {
    let mut map = Map::new();
    let mut put = |name: &str, value: u32, default: u32| {
        if value != default {
            map.insert(name.to_owned(), json!(value));
        }
    };
    put("max_concurrent_streams", options.max_concurrent_streams, default.max_concurrent_streams);
    put("initial_stream_window_size", options.stream_window, default.stream_window);
    put("initial_connection_window_size", options.connection_window, default.connection_window);
    if let Some(keepalive) = options.keepalive {
        let (interval, timeout) = (proto_text(keepalive.interval), proto_text(keepalive.timeout));
        let value = json!({ "interval": interval, "timeout": timeout });
        map.insert("connection_keepalive".to_owned(), value);
    }
    Value::Object(map)
}
