//! The header switches of the connection manager and the router in the Envoy v3 form.

use serde_json::{Map, Value, json};

use super::tls_envoy;
use crate::model::{EnvoyConventions, ServerHeader};

/// Adds what a connection manager says of headers.
pub(super) fn manager(envoy: &EnvoyConventions, map: &mut Map<String, Value>) {
    let default = EnvoyConventions::default();
    let mut put = |name: &str, differs: bool, value: Value| {
        if differs {
            map.insert(name.to_owned(), value);
        }
    };
    for (name, value) in tls_envoy::client_cert(&envoy.client_cert) {
        put(name, true, value);
    }
    put("server_name", envoy.server_name != default.server_name, json!(envoy.server_name));
    let server = match envoy.server_header {
        ServerHeader::Overwrite => "OVERWRITE",
        ServerHeader::IfAbsent => "APPEND_IF_ABSENT",
        ServerHeader::PassThrough => "PASS_THROUGH",
    };
    put("server_header_transformation", envoy.server_header != default.server_header, json!(server));
    let via = envoy.via.as_ref().and_then(|via| via.to_str().ok());
    put("via", via.is_some(), json!(via));
    put("generate_request_id", !envoy.generate_request_id, json!(false));
    put("preserve_external_request_id", envoy.preserve_request_id, json!(true));
    put("always_set_request_id_in_response", envoy.request_id_in_response, json!(true));
    put("use_remote_address", envoy.use_remote_address, json!(true));
    put("skip_xff_append", envoy.skip_xff_append, json!(true));
    put("append_x_forwarded_port", envoy.forwarded_port, json!(true));
    put("xff_num_trusted_hops", envoy.trusted_hops != 0, json!(envoy.trusted_hops));
    let ranges: Vec<Value> = envoy
        .internal
        .iter()
        .map(|range| json!({ "address_prefix": range.address(), "prefix_len": range.length() }))
        .collect();
    put("internal_address_config", !ranges.is_empty(), json!({ "cidr_ranges": ranges }));
}

/// Adds what the router says of them.
pub(super) fn router(envoy: &EnvoyConventions, map: &mut Map<String, Value>) {
    if envoy.suppress_envoy_headers {
        map.insert("suppress_envoy_headers".to_owned(), json!(true));
    }
    if envoy.respect_expected_timeout {
        map.insert("respect_expected_rq_timeout".to_owned(), json!(true));
    }
}
