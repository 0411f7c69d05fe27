//! Loggers by component: Envoy's names where this program has the component, and names of its own.
//!
//! A component is a set of modules. A line belongs to the component with the longest matching module path.

use std::fmt::Write;

use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;

use super::{level_name, pattern};

/// Name and modules of every component, sorted by name. `misc` is whatever stands in no other.
const COMPONENTS: [(&str, &[&str]); 19] = [
    ("admin", &["mimir_mirror::admin"]),
    ("backlog", &["mimir_mirror::mirror::durable", "mimir_mirror::offline", "mimir_mirror_backlog"]),
    ("config", &["mimir_mirror_config", "mimir_mirror::cli"]),
    ("conn_handler", &["mimir_mirror::server::accept"]),
    ("connection", &["mimir_mirror::server", "mimir_mirror::upstream::dial", "mimir_mirror::upstream::io"]),
    ("dns", &["mimir_mirror::cluster::discovery", "mimir_mirror::cluster::dns", "hickory_resolver"]),
    ("file", &["mimir_mirror::access_log"]),
    ("hc", &["mimir_mirror::cluster::health"]),
    ("http", &["mimir_mirror::server", "hyper"]),
    ("http2", &["h2"]),
    ("main", &["mimir_mirror::control", "mimir_mirror::worker", "mimir_mirror::descriptors"]),
    ("mirror", &["mimir_mirror::mirror"]),
    ("misc", &[]),
    ("order", &["mimir_mirror::mirror::order"]),
    ("pool", &["mimir_mirror::upstream"]),
    ("router", &["mimir_mirror::route", "mimir_mirror::exchange"]),
    ("secret", &["mimir_mirror::tls", "rustls"]),
    ("stats", &["mimir_mirror::stats"]),
    ("upstream", &["mimir_mirror::cluster"]),
];

/// Envoy's other names. Nothing logs under them here; they are accepted and change nothing.
const ELSEWHERE: &str = "a2a ai_protocol_manager alternate_protocols_cache aws assert backtrace basic_auth \
    cache_filter client compression credential_injector decompression dubbo envoy_bug ext_authz ext_proc rocketmq \
    filter forward_proxy geolocation grpc happy_eyeballs hystrix init io jwt json_rpc kafka key_value_store lua \
    local_rate_limit matcher mcp mongo multi_connection notification oauth2 quic quic_stream rate_limit_quota rbac \
    rds redis runtime sse tap testing thrift tracing udp wasm websocket golang stats_sinks dynamic_modules \
    ip_tagging";

/// A name that a level can be given to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Component {
    /// One of ours, by its place in the table.
    Here(usize),
    /// One that only Envoy has.
    Elsewhere,
}

/// The component of this name.
pub(crate) fn find(name: &str) -> Option<Component> {
    // Envoy has two names for health checks.
    let name = if name == "health_checker" { "hc" } else { name };
    let here = COMPONENTS.iter().position(|(own, _)| *own == name).map(Component::Here);
    here.or_else(|| ELSEWHERE.split_ascii_whitespace().any(|own| own == name).then_some(Component::Elsewhere))
}

/// The component that a line of this module belongs to.
pub(super) fn of_target(target: &str) -> &'static str {
    let matching =
        COMPONENTS.iter().flat_map(|(name, modules)| modules.iter().map(move |module| (name, module)));
    let matching = matching.filter(|(_, module)| is_within(target, module));
    matching.max_by_key(|(_, module)| module.len()).map_or("misc", |(name, _)| name)
}

fn is_within(target: &str, module: &str) -> bool {
    target.strip_prefix(module).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

/// Changes to make, in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Changes(Vec<(Component, LevelFilter)>);

impl Changes {
    pub(crate) fn push(&mut self, component: Component, level: LevelFilter) {
        self.0.push((component, level));
    }

    /// As on the command line.
    pub(crate) fn text(&self) -> String {
        let name = |component: &Component| match component {
            Component::Here(index) => COMPONENTS.get(*index).map_or("misc", |(name, _)| name),
            Component::Elsewhere => "(not here)",
        };
        let texts: Vec<_> = self
            .0
            .iter()
            .map(|(component, level)| format!("{}:{}", name(component), level_name(*level)))
            .collect();
        texts.join(",")
    }
}

/// The level of every component.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Levels([LevelFilter; COMPONENTS.len()]);

impl Levels {
    /// The same for all.
    pub(crate) fn all(level: LevelFilter) -> Self {
        Self([level; COMPONENTS.len()])
    }

    pub(crate) fn apply(&mut self, changes: &Changes) {
        for (component, level) in &changes.0 {
            if let Component::Here(index) = component
                && let Some(own) = self.0.get_mut(*index)
            {
                *own = *level;
            }
        }
    }

    /// Envoy's list.
    pub(crate) fn list(&self) -> String {
        let mut out = String::from("active loggers:\n");
        for ((name, _), level) in COMPONENTS.iter().zip(self.0) {
            let _ = writeln!(out, "  {name}: {}", level_name(level));
        }
        out.push('\n');
        out
    }

    pub(super) fn filter(&self) -> Targets {
        let mut filter = Targets::new();
        for ((_, modules), level) in COMPONENTS.iter().zip(self.0) {
            filter = match *modules {
                [] => filter.with_default(level),
                modules => filter.with_targets(modules.iter().map(|module| (*module, level))),
            };
        }
        filter
    }
}

impl pattern::Logger for tracing::Metadata<'_> {
    fn logger(&self) -> &'static str {
        of_target(self.target())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_belongs_to_the_nearest_component() {
        for (target, component) in [
            ("mimir_mirror::mirror::order::thread", "order"),
            ("mimir_mirror::mirror::send", "mirror"),
            ("mimir_mirror::mirror", "mirror"),
            ("mimir_mirror::upstream::dial", "connection"),
            ("mimir_mirror::upstreams", "misc"),
            ("mimir_mirror", "misc"),
            ("h2::proto::streams", "http2"),
        ] {
            assert_eq!(of_target(target), component, "{target}");
        }
    }

    #[test]
    fn levels_are_per_component() {
        let mut levels = Levels::all(LevelFilter::INFO);
        let mut changes = Changes::default();
        changes.push(find("mirror").unwrap(), LevelFilter::DEBUG);
        changes.push(find("lua").unwrap(), LevelFilter::TRACE);
        changes.push(find("health_checker").unwrap(), LevelFilter::OFF);
        levels.apply(&changes);
        let filter = levels.filter();
        let enabled = |target: &str, level| filter.would_enable(target, &level);
        assert!(enabled("mimir_mirror::mirror::send", tracing::Level::DEBUG));
        assert!(!enabled("mimir_mirror::mirror::order::cell", tracing::Level::DEBUG));
        assert!(!enabled("mimir_mirror::cluster::health", tracing::Level::ERROR));
        assert!(enabled("some_crate", tracing::Level::INFO));
        assert!(levels.list().starts_with("active loggers:\n  admin: info\n"), "{}", levels.list());
        assert!(levels.list().contains("\n  mirror: debug\n"));
        assert_eq!(find("nope"), None);
    }
}
