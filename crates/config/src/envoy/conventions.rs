//! The connection manager's header switches, and whom it takes a request to be from.

use http::HeaderValue;

use crate::model::{Cidr, EnvoyConventions, ServerHeader};
use crate::read::{Field, Object};

use super::{address, client_cert, unsupported};

const SERVER_HEADERS: [(&str, u32, ServerHeader); 3] = [
    ("OVERWRITE", 0, ServerHeader::Overwrite),
    ("APPEND_IF_ABSENT", 1, ServerHeader::IfAbsent),
    ("PASS_THROUGH", 2, ServerHeader::PassThrough),
];

/// Takes the switches out of the connection manager's message; the router's own are filled in later.
pub(super) fn decode(object: &mut Object<'_>) -> Option<EnvoyConventions> {
    let default = EnvoyConventions::default();
    let mut flag = |name, default| object.take(name).and_then(|field| field.boolean()).unwrap_or(default);
    let generate_request_id = flag("generate_request_id", default.generate_request_id);
    let preserve_request_id = flag("preserve_external_request_id", default.preserve_request_id);
    let request_id_in_response = flag("always_set_request_id_in_response", default.request_id_in_response);
    let use_remote_address = flag("use_remote_address", default.use_remote_address);
    let skip_xff_append = flag("skip_xff_append", default.skip_xff_append);
    let forwarded_port = flag("append_x_forwarded_port", default.forwarded_port);
    let client_cert = client_cert::decode(object);
    let server_name = object.take("server_name").and_then(|field| header_text(&field));
    let server_header = match object.take("server_header_transformation") {
        None => Some(default.server_header),
        Some(field) => field.choice(&SERVER_HEADERS),
    };
    let via = object.take("via").and_then(|field| header_text(&field));
    let hops = object.take("xff_num_trusted_hops").and_then(|field| field.whole(0, u32::MAX));
    let internal = match object.take("internal_address_config") {
        None => Some(Vec::new()),
        Some(field) => internal(&field),
    };
    for name in unsupported::MANAGER_WITHOUT_EFFECT {
        if let Some(field) = object.take(name) {
            field.warn("has no effect: how connections are closed is fixed", "remove it");
        }
    }
    Some(EnvoyConventions {
        server_name: server_name.unwrap_or(default.server_name),
        server_header: server_header?,
        via: via.and_then(|text| HeaderValue::try_from(text).ok()),
        generate_request_id,
        preserve_request_id,
        request_id_in_response,
        use_remote_address,
        skip_xff_append,
        forwarded_port,
        client_cert,
        trusted_hops: hops.unwrap_or_default(),
        internal: internal?,
        suppress_envoy_headers: default.suppress_envoy_headers,
        respect_expected_timeout: default.respect_expected_timeout,
    })
}

/// The value of a header; empty is the default, as for any proto3 string.
fn header_text(field: &Field<'_>) -> Option<String> {
    let text = field.text()?;
    if HeaderValue::from_str(text).is_err() {
        return field.refuse("is not the value of a header", "remove line breaks and control characters");
    }
    Some(text.to_owned()).filter(|text| !text.is_empty())
}

/// `internal_address_config`.
fn internal(field: &Field<'_>) -> Option<Vec<Cidr>> {
    let mut object = field.object()?;
    let ranges = object.take("cidr_ranges");
    if let Some(field) = object.take("unix_sockets") {
        field.warn("has no effect: clients come over TCP", "remove it");
    }
    object.finish(&[]);
    let ranges = ranges.map(|field| field.list()).unwrap_or_default();
    let ranges: Vec<Option<Cidr>> = ranges.iter().map(cidr).collect();
    ranges.into_iter().collect()
}

/// `CidrRange`.
fn cidr(field: &Field<'_>) -> Option<Cidr> {
    const HELP: &str = "write an address such as `10.0.0.0`";
    let mut object = field.object()?;
    let prefix = object.require("address_prefix", HELP);
    let length = object.take("prefix_len");
    object.finish(&[]);
    let address = prefix.and_then(|field| address::literal(&field, HELP))?;
    let bits = match &length {
        None => 0,
        Some(field) => field.whole(0, 128)?,
    };
    let range = Cidr::new(address, bits);
    if let (None, Some(field)) = (range, &length) {
        return field.refuse("is more bits than the address has", "write at most 32 for IPv4, 128 for IPv6");
    }
    range
}
