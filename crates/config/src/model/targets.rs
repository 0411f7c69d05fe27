//! What is made of a request's target before a route is looked for.

/// Envoy's switches for hosts and paths, all off by default.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TargetRules {
    /// `merge_slashes`: slashes that follow each other in the path become one, also for the clusters.
    pub merge_slashes: bool,
    /// Whether the port goes from `Host`, also for the clusters.
    pub strip_port: StripPort,
    /// `strip_trailing_host_dot`: a dot at the end of the host's name goes, also for the clusters.
    pub strip_trailing_dot: bool,
    /// `ignore_port_in_host_matching`: virtual hosts are looked for without the port.
    pub ignore_port: bool,
}

/// Whether the port goes from `Host`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum StripPort {
    /// No.
    #[default]
    Never,
    /// `strip_matching_host_port`: if it is the listener's.
    Matching,
    /// `strip_any_host_port`
    Any,
}
