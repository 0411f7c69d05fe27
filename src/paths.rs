//! Which of Mimir's paths mean what for a mirror.
//!
//! Sources: the HTTP API page of Mimir's documentation, Cortex' routes of the same descent, and Prometheus' own
//! remote write receiver (`/api/v1/write`).

use std::borrow::Cow;

use http::Method;
use percent_encoding::percent_decode_str;

/// What a request is to a mirror.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Prometheus remote write.
    Write,
    /// An OTLP push.
    OtlpWrite,
    /// A push in Influx' line protocol.
    InfluxWrite,
    /// Changes or stops something in the cluster other than by writing samples: never copied unless asked for.
    Destructive,
    /// Everything else: queries, metadata, health.
    Other,
}

impl Kind {
    pub(crate) fn is_write(self) -> bool {
        matches!(self, Self::Write | Self::OtlpWrite | Self::InfluxWrite)
    }

    /// Judges a request by the path that the client asked for and the one that the clusters get. What either of them
    /// would destroy is destructive, and what either is as a write is a write: the first is what the client repeats or
    /// drops, the second what the clusters do.
    pub(crate) fn of_both(method: &Method, received: &str, sent: &str) -> Self {
        let kinds = [Self::of(method, sent), Self::of(method, received)];
        if kinds.contains(&Self::Destructive) {
            return Self::Destructive;
        }
        kinds.into_iter().find(|kind| kind.is_write()).unwrap_or(Self::Other)
    }

    /// Judges a request by its method and path (query excluded).
    pub(crate) fn of(method: &Method, path: &str) -> Self {
        if method == Method::POST {
            match path {
                "/api/v1/push" | "/api/v1/write" | "/api/prom/push" => return Self::Write,
                "/api/v1/push/influx/write" => return Self::InfluxWrite,
                "/otlp/v1/metrics" | "/api/v1/otlp/v1/metrics" => return Self::OtlpWrite,
                _ => {}
            }
        }
        if is_destructive(method, &as_routed(path)) { Self::Destructive } else { Self::Other }
    }
}

/// Destructive whatever the method: Mimir and Cortex accept some of these as GET. Found anywhere in the path, since
/// a gateway may have put a prefix before them.
const ALWAYS: [&str; 9] = [
    "/ingester/shutdown",
    "/ingester/flush",
    "/prepare-",
    "/ingester/mode",
    "/ingester/renewtokens",
    "/compactor/delete_tenant",
    "/delete_tenant_config",
    "/debug/pprof",
    "/debug/fgprof",
];

/// Destructive unless the method is safe: forms and API calls that change the cluster's state.
const UNLESS_SAFE: [&str; 14] = [
    "/ring",
    "-ring",
    "/unregister-on-shutdown",
    "/memberlist",
    "/config/v1/rules",
    "/ruler/",
    "/api/v1/rules",
    "/api/prom/rules",
    "/api/v1/alerts",
    "/alertmanager",
    "/multitenant_alertmanager",
    "/api/v1/user-overrides",
    "/api/v1/upload/block",
    "/api/v1/grafana/",
];

fn is_destructive(method: &Method, path: &str) -> bool {
    ALWAYS.iter().any(|part| path.contains(part))
        || (!method.is_safe() && UNLESS_SAFE.iter().any(|part| path.contains(part)))
}

/// The path as the receiving server's router may come to see it: percent-decoded, lower case, without empty and
/// dot segments. Only for judging; what is sent is never touched.
fn as_routed(path: &str) -> Cow<'_, str> {
    let plain = !path.contains(['%', '.'])
        && !path.contains("//")
        && !path.bytes().any(|byte| byte.is_ascii_uppercase());
    if plain {
        return Cow::Borrowed(path);
    }
    let decoded = percent_decode_str(path).decode_utf8_lossy().to_ascii_lowercase();
    let mut segments: Vec<&str> = Vec::new();
    for segment in decoded.split('/') {
        match segment {
            "" | "." => {}
            ".." => {
                segments.pop();
            }
            other => segments.push(other),
        }
    }
    // What is looked for may end with a slash.
    let end = if decoded.ends_with('/') && !segments.is_empty() { "/" } else { "" };
    Cow::Owned(format!("/{}{end}", segments.join("/")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_are_told_by_method_and_exact_path() {
        assert_eq!(Kind::of(&Method::POST, "/api/v1/push"), Kind::Write);
        assert_eq!(Kind::of(&Method::POST, "/otlp/v1/metrics"), Kind::OtlpWrite);
        assert_eq!(Kind::of(&Method::GET, "/api/v1/push"), Kind::Other);
        assert_eq!(Kind::of(&Method::POST, "/api/v1/push/"), Kind::Other);
    }

    #[test]
    fn destructive_paths_are_found_under_any_disguise() {
        for path in [
            "/ingester/shutdown",
            "/mimir/ingester/shutdown",
            "//ingester//shutdown",
            "/ingester/./shutdown",
            "/x/../ingester/shutdown",
            "/ingester/%73hutdown",
            "/Ingester/Shutdown",
        ] {
            assert_eq!(Kind::of(&Method::GET, path), Kind::Destructive, "{path}");
        }
    }

    #[test]
    fn a_slash_at_the_end_stays_under_a_disguise() {
        for path in ["/ruler/", "/Ruler/", "//ruler//", "/r%75ler/"] {
            assert_eq!(Kind::of(&Method::POST, path), Kind::Destructive, "{path}");
        }
    }

    #[test]
    fn a_rewrite_hides_neither_a_write_nor_a_destructive_path() {
        let judged = |received, sent| Kind::of_both(&Method::POST, received, sent);
        assert_eq!(judged("/x/ingester/shutdown", "/"), Kind::Destructive);
        assert_eq!(judged("/safe", "/ingester/shutdown"), Kind::Destructive);
        assert_eq!(judged("/api/v1/push", "/ingester/flush"), Kind::Destructive);
        assert_eq!(judged("/mimir/api/v1/push", "/api/v1/push"), Kind::Write);
        assert_eq!(judged("/api/v1/push", "/mimir/api/v1/push"), Kind::Write);
        assert_eq!(judged("/api/v1/push", "/otlp/v1/metrics"), Kind::OtlpWrite);
        assert_eq!(judged("/a", "/b"), Kind::Other);
    }

    #[test]
    fn state_is_changed_by_unsafe_methods_only() {
        assert_eq!(Kind::of(&Method::POST, "/prometheus/config/v1/rules/ns"), Kind::Destructive);
        assert_eq!(Kind::of(&Method::GET, "/prometheus/config/v1/rules/ns"), Kind::Other);
        assert_eq!(Kind::of(&Method::DELETE, "/api/v1/alerts"), Kind::Destructive);
        assert_eq!(Kind::of(&Method::POST, "/ingester/partition-ring"), Kind::Destructive);
        assert_eq!(Kind::of(&Method::PUT, "/ingester/unregister-on-shutdown"), Kind::Destructive);
        assert_eq!(
            Kind::of(&Method::GET, "/usage-tracker/prepare-instance-ring-downscale"),
            Kind::Destructive
        );
        assert_eq!(Kind::of(&Method::POST, "/prometheus/api/v1/query_range"), Kind::Other);
    }
}
