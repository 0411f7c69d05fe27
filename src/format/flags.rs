//! What went wrong with a request: Envoy's response flags.

/// A set of flags.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Flags(u32);

/// Short and long name by bit, in the order in which Envoy sets them where several hold.
const NAMES: [(&str, &str); 14] = [
    ("URX", "UpstreamRetryLimitExceeded"),
    ("UO", "UpstreamOverflow"),
    ("UH", "NoHealthyUpstream"),
    ("UT", "UpstreamRequestTimeout"),
    ("UF", "UpstreamConnectionFailure"),
    ("UC", "UpstreamConnectionTermination"),
    ("NR", "NoRouteFound"),
    ("DC", "DownstreamConnectionTermination"),
    ("SI", "StreamIdleTimeout"),
    ("DPE", "DownstreamProtocolError"),
    ("DT", "DurationTimeout"),
    ("UPE", "UpstreamProtocolError"),
    ("NC", "NoClusterFound"),
    ("UR", "UpstreamRemoteReset"),
];

impl Flags {
    pub(crate) const UPSTREAM_PROTOCOL: Self = Self(1 << 11);
    pub(crate) const NONE: Self = Self(0);
    pub(crate) const RETRY_LIMIT: Self = Self(1);
    pub(crate) const UPSTREAM_OVERFLOW: Self = Self(1 << 1);
    pub(crate) const NO_HEALTHY_UPSTREAM: Self = Self(1 << 2);
    pub(crate) const UPSTREAM_TIMEOUT: Self = Self(1 << 3);
    pub(crate) const CONNECTION_FAILURE: Self = Self(1 << 4);
    pub(crate) const CONNECTION_TERMINATION: Self = Self(1 << 5);
    pub(crate) const NO_ROUTE: Self = Self(1 << 6);
    pub(crate) const DOWNSTREAM_TERMINATION: Self = Self(1 << 7);
    pub(crate) const STREAM_IDLE: Self = Self(1 << 8);
    pub(crate) const DOWNSTREAM_PROTOCOL: Self = Self(1 << 9);
    pub(crate) const UPSTREAM_RESET: Self = Self(1 << 13);

    /// Both.
    pub(crate) const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether any flag is set.
    pub(crate) fn any(self) -> bool {
        self != Self::NONE
    }

    /// Whether a flag is set, by its short name.
    pub(crate) fn has(self, short: &str) -> bool {
        self.names().any(|(name, _)| name == short)
    }

    fn names(self) -> impl Iterator<Item = (&'static str, &'static str)> {
        NAMES.into_iter().enumerate().filter(move |(bit, _)| self.0 & (1 << bit) != 0).map(|(_, names)| names)
    }

    /// `URX,UF`; a dash without any, also where what is not known counts as empty.
    pub(super) fn short(self) -> String {
        self.joined(|(short, _)| short)
    }

    pub(super) fn long(self) -> String {
        self.joined(|(_, long)| long)
    }

    fn joined(self, which: impl Fn((&'static str, &'static str)) -> &'static str) -> String {
        if self == Self::NONE {
            return "-".to_owned();
        }
        self.names().map(which).collect::<Vec<_>>().join(",")
    }
}
