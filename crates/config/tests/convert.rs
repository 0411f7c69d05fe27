//! Converted text loads again, to the same model.

use std::path::Path;

use config::convert::{to_envoy_v3, to_native};
use config::load_str;
use config::model::Config;

fn example(name: &str) -> Config {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples").join(name);
    read(name, &std::fs::read_to_string(path).expect("an example"))
}

fn read(origin: &str, text: &str) -> Config {
    load_str(origin, text).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

/// All that a conversion must keep. The examples' `auth` is a secret, which is not printed.
fn shape(config: &Config) -> String {
    let mut mirrors = config.mirrors.clone();
    mirrors.iter_mut().for_each(|mirror| mirror.auth = None);
    format!("{:#?}\n{:#?}\n{:#?}\n{:#?}", config.admin, config.listeners, config.clusters, mirrors)
}

#[test]
fn v2_becomes_v3() {
    let before = example("envoy-v2.yaml");
    let text = to_envoy_v3(&before).expect("converts");
    assert_eq!(shape(&read("v3", &text)), shape(&before), "{text}");
    assert!(!text.contains("Not the same"), "{text}");
}

#[test]
fn the_native_form_survives_both_conversions() {
    for name in ["minimal.yaml", "native-full.yaml"] {
        let before = example(name);
        for text in [to_native(&before).expect("converts"), to_envoy_v3(&before).expect("converts")] {
            assert_eq!(shape(&read(name, &text)), shape(&before), "{text}");
            assert!(!text.contains("example-only"), "{text}");
            assert_eq!(text.contains("`auth` is a secret"), name == "native-full.yaml", "{text}");
        }
    }
}

#[test]
fn an_envoy_file_becomes_native_with_its_differences_named() {
    let before = example("envoy-v2.yaml");
    let text = to_native(&before).expect("converts");
    for difference in ["statistics are named", "Envoy's own headers", "Host of its URL"] {
        assert!(text.contains(difference), "{difference} is not in {text}");
    }
    let after = read("native", &text);
    let endpoints =
        |config: &Config| format!("{:?}", config.clusters.iter().map(|c| &c.endpoints).collect::<Vec<_>>());
    assert_eq!(endpoints(&after), endpoints(&before));
    assert_eq!(after.mirrors[0].requests, before.mirrors[0].requests);
    assert_eq!(to_native(&after).map(|text| text.contains("Not the same")), Ok(false));
}

/// Everything that the v3 form can say, twice as much as any example uses.
const RICH: &str = r#"
node: { id: node-1, cluster: c, locality: { zone: z } }
admin: { address: { socket_address: { address: "::1", port_value: "9901" } } }
staticResources:
  listeners:
    name: l
    address: { socketAddress: { protocol: tcp, address: 127.0.0.1, portValue: 0 } }
    filter_chains:
      filters:
        name: anything
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: "on"
          codec_type: http1
          server_name: mimir
          use_remote_address: true
          generate_request_id: false
          stream_idle_timeout: 0s
          request_timeout: 30s
          request_headers_timeout: 0.25s
          common_http_protocol_options: { idle_timeout: 60s }
          max_request_headers_kb: 96
          http_filters:
            name: r
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router
              suppress_envoy_headers: true
          route_config:
            name: routes
            request_mirror_policies: { cluster: third }
            virtual_hosts:
              - name: one
                domains: ["Mimir.Example:9009", "*.example", "mimir.*"]
                request_mirror_policies: [{ cluster: b, disable_shadow_host_suffix_append: true }]
                routes:
                  - match: { path: /api/v1/push }
                    name: push
                    route:
                      cluster: a
                      timeout: 0s
                      request_mirror_policies:
                        - cluster: b
                          host_rewrite_literal: "b:99"
                          runtime_fraction: { default_value: { numerator: 5, denominator: ten_thousand } }
                          request_headers_mutations:
                            - remove: cookie
                            - append: { header: { key: X-A, value: "100%%" } }
                            - append: { header: { key: X-B, value: "1" }, append_action: ADD_IF_ABSENT }
                            - append: { header: { key: X-C, value: "é: #" }, append_action: OVERWRITE_IF_EXISTS }
                            - append: { header: { key: X-D, value: "no" }, append_action: 2 }
                        - cluster: b
                  - match: { prefix: "/" }
                    route: { cluster: a }
              - name: rest
                domains: "*"
                routes: { match: { prefix: "" }, route: { cluster: b, timeout: 1.5s } }
  clusters:
    - name: unused
      connect_timeout: 0.5s
    - name: a
      type: strict_dns
      dns_lookup_family: v4_only
      dns_refresh_rate: 1s
      hosts: { socket_address: { address: Mimir-Primary, port_value: 8080 } }
    - name: b
      lb_policy: round_robin
      metadata:
        filter_metadata:
          other: { anything: 1 }
          mimir_mirror: { requests: writes, copy_admin: true, timeout: 500ms, buffer: 1GiB, max_request: 512MiB, max_age: 1h, max_connections: 8, max_copies: 9 }
      load_assignment:
        cluster_name: b
        endpoints:
          - locality: { zone: x }
            lb_endpoints:
              - endpoint: { address: { socket_address: { address: 127.0.0.1, port_value: 1 } } }
              - load_balancing_weight: 1
                endpoint: { address: { socket_address: { address: "::1", port_value: 2 } } }
          - lb_endpoints: { endpoint: { address: { socket_address: { address: 127.0.0.1, port_value: 3 } } } }
    - name: third
"#;

#[test]
fn a_rich_file_becomes_v3() {
    let before = read("rich", RICH);
    assert_eq!(before.clusters[2].endpoints.len(), 3);
    // The route's own list counts alone, else the virtual host's, else the route configuration's.
    let hosts = &before.listeners[0].http.virtual_hosts;
    let mirrored = |host: usize, route: usize| {
        let policies = hosts[host].routes[route].mirrors.iter();
        policies.map(|policy| before.mirrors[policy.mirror].name.as_str()).collect::<Vec<_>>()
    };
    assert_eq!((mirrored(0, 0), mirrored(0, 1), mirrored(1, 0)), (vec!["b", "b"], vec!["b"], vec!["third"]));
    assert_eq!(before.mirrors.len(), 2);
    let text = to_envoy_v3(&before).expect("converts");
    let after = read("v3", &text);
    assert_eq!(shape(&after), shape(&before), "{text}");
    assert_eq!(format!("{:?}", after.node), format!("{:?}", before.node));
}

#[test]
fn what_the_native_form_cannot_say_is_refused() {
    let error = to_native(&read("rich", RICH)).expect_err("two virtual hosts");
    assert!(error.to_string().contains("one virtual host, not 2"), "{error}");
}
