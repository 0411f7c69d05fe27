//! The product in a terminal, with nothing else needed: two clusters, a sender, the proxy between them, and keys
//! that hurt the secondary while the primary goes on answering.
//!
//! Enters: the flags of `mimir-mirror demo`, and keys on stdin. Leaves: a log on stdout. The clusters and the sender
//! are parts of this process, each on a thread of its own; the proxy is this same binary as a child process, so what
//! is shown is the real one. Everything listens on loopback only.
//!
//! Nothing else in the package depends on this room, and it uses nothing of the proxy's but its flags and its admin, and
//! what `status` knows of terminals.

mod admin;
mod cluster;
mod compare;
mod fault;
mod head;
mod keys;
mod plan;
mod proxy;
mod screen;
mod sender;
mod session;
mod shard;
#[cfg(test)]
mod tests;
mod verdict;
mod watch;

use std::ffi::OsString;
use std::process::ExitCode;

use fault::Script;

/// Two clusters, a sender and this proxy between them, all on loopback: see what mirroring does, and what it does not
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Options {
    /// Stop after this many seconds; the exit status then says whether both clusters ended the same and healthy
    #[arg(long, value_name = "N")]
    seconds: Option<u64>,
    /// Connections of the sender, each with one request in flight
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=256))]
    shards: u32,
    /// Series, each written once in series/rate seconds
    #[arg(long, value_name = "N", default_value_t = 20_000, value_parser = clap::value_parser!(u32).range(1..=5_000_000))]
    series: u32,
    /// Samples a second
    #[arg(long, value_name = "N", default_value_t = 20_000, value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    rate: u32,
    /// Samples in one request
    #[arg(long, value_name = "N", default_value_t = 2_000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    batch: u32,
    /// Press keys at given seconds, e.g. "5:h,15:g"
    #[arg(long, value_name = "SECOND:KEY,…")]
    script: Option<Script>,
    /// The process to end with, when becoming the demo's proxy
    #[arg(long, value_name = "PID", hide = true, requires = "proxy")]
    proxy_of: Option<i32>,
    /// The proxy's flags
    #[arg(last = true, hide = true, requires = "proxy_of")]
    proxy: Vec<OsString>,
}

/// Runs the demo to its end. Call it from the main thread, with no runtime running.
///
/// # Errors
/// If the flags do not fit together, the clusters or the proxy cannot be started, or stdout is closed.
pub(crate) fn run(options: Options) -> anyhow::Result<ExitCode> {
    if let Some(parent) = options.proxy_of {
        match proxy::become_proxy(parent, &options.proxy)? {}
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    match runtime.block_on(session::run(options)) {
        // Whoever read the log has left (`| head`): no news to them, but no verdict either.
        Err(error) if is_broken_pipe(&error) => Ok(ExitCode::FAILURE),
        outcome => outcome,
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.downcast_ref::<std::io::Error>().is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
}
