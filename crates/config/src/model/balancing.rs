//! How an endpoint is chosen.

/// Envoy's load balancing policies, as far as they are supported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Balancing {
    /// In turn, by weight (the default).
    #[default]
    RoundRobin,
    /// Of so many endpoints taken at random the one with the fewest requests; with unequal weights, in turn by weight
    /// divided by the requests in progress.
    LeastRequest {
        /// `choice_count`. Default 2.
        choices: u32,
    },
    /// Any, whatever its weight.
    Random,
}
