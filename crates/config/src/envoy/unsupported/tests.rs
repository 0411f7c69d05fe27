//! Every field that is refused by name has a row in `docs/fields`, so that the tables there leave nothing out.

use std::path::Path;

use super::*;

#[test]
fn every_refused_field_has_a_row() {
    let pages: &[(&str, &[Unsupported])] = &[
        ("bootstrap", BOOTSTRAP),
        ("static-resources", STATIC_RESOURCES),
        ("node", NODE),
        ("admin", ADMIN),
        ("socket-address", SOCKET_ADDRESS),
        ("listener", LISTENER),
        ("filter-chain", FILTER_CHAIN),
        ("router", ROUTER),
        ("http-connection-manager", HCM),
        ("common-http-protocol-options", HTTP_PROTOCOL_OPTIONS),
        ("route-configuration", ROUTE_CONFIG),
        ("virtual-host", VIRTUAL_HOST),
        ("route", ROUTE),
        ("route-match", ROUTE_MATCH),
        ("route-action", ROUTE_ACTION),
        ("header-mutation", HEADER_MUTATION),
        ("cluster", CLUSTER),
        ("cluster-manager", CLUSTER_MANAGER),
        ("bind-config", BIND_CONFIG),
        ("upstream-connection-options", CONNECTION_OPTIONS),
        ("load-assignment", LOAD_ASSIGNMENT),
        ("locality-lb-endpoints", LOCALITY),
        ("lb-endpoint", LB_ENDPOINT),
        ("endpoint", ENDPOINT),
        ("upstream-http-protocol-options", UPSTREAM_PROTOCOL_OPTIONS),
        ("upstream-common-http-protocol-options", UPSTREAM_COMMON_OPTIONS),
        ("upstream-http1-protocol-options", UPSTREAM_HTTP1_OPTIONS),
        ("upstream-http2-protocol-options", HTTP2_PROTOCOL_OPTIONS),
    ];
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/fields");
    let mut missing = Vec::new();
    for (page, groups) in pages {
        let text = std::fs::read_to_string(folder.join(format!("{page}.md"))).unwrap_or_default();
        let names = groups.iter().flat_map(Unsupported::names);
        let without = names.filter(|name| !text.contains(&format!("\n| `{name}` | ")));
        missing.extend(without.map(|name| format!("{page} {name}")));
    }
    assert!(missing.is_empty(), "add rows to docs/fields:\n{}", missing.join("\n"));
}
