//! Messages of access logs.

use super::{REMOVE, group};
use crate::read::Unsupported;

const NO_REGEX: &str = "only plain texts are compared here";

pub(in crate::envoy) const ACCESS_LOG: &[Unsupported] = &[];

pub(in crate::envoy) const LOG_FORMAT: &[Unsupported] = &[
    group("formatters", "formats have the commands of docs/envoy.md", "remove it"),
    group("json_format_options", "names are sorted, as Envoy does by default", REMOVE),
];

pub(in crate::envoy) const LOG_FILTER: &[Unsupported] = &[
    group("traceable_filter", "nothing is traced", REMOVE),
    group("log_type_filter", "a request has one line, written at its end", REMOVE),
    group("grpc_status_filter", "", "remove it; write `%GRPC_STATUS%` into the format"),
    group("extension_filter metadata_filter", "there is nothing that could set what it asks for", REMOVE),
];

pub(in crate::envoy) const LOG_HEADER: &[Unsupported] = &[
    group(
        "safe_regex_match regex_match",
        NO_REGEX,
        "write `string_match` with `exact`, `prefix`, `suffix` or `contains`",
    ),
    group("range_match treat_missing_header_as_empty", NO_REGEX, REMOVE),
];

pub(in crate::envoy) const LOG_STRING: &[Unsupported] = &[
    group("safe_regex custom", NO_REGEX, "write `exact`, `prefix`, `suffix` or `contains`"),
    group("ignore_case", "header values are compared as they are", REMOVE),
];
