//! Flags and subcommands. Nothing else knows about them.
//!
//! Names, meanings and exit codes are Envoy's where Envoy has them. `serve` are the flags of the running proxy, `compat`
//! those that only Envoy's command lines have a use for, `values` how values are read.

mod compat;
#[cfg(test)]
mod generated;
mod report;
mod restart;
mod serve;
mod values;

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

pub(crate) use restart::HotRestart;
pub(crate) use serve::{Mode, Serve};

/// What is shown after the flags.
const EXAMPLES: &str = "\
Examples:
  # Two clusters, a sender and the proxy between them, in this terminal
  mimir-mirror demo

  # Without a file
  mimir-mirror --primary http://mimir-primary:8080 --mirror http://mimir-secondary:8080

  # With one: the native form, or the Envoy file of Mimir's documentation as it is
  mimir-mirror -c /etc/mimir-mirror/mimir-mirror.yaml

  # Is a file right? Says what is wrong with line, column and remedy
  mimir-mirror --mode validate -c mimir-mirror.yaml

  # An Envoy file in the native form
  mimir-mirror convert envoy.yaml

  # How the copies fare, while it runs
  curl 127.0.0.1:9901/mirrors";

/// Mirrors requests: every request goes to the primary, whose answer the client gets; a copy goes to each mirror in
/// the background.
#[derive(Debug, Parser)]
#[command(name = "mimir-mirror", args_conflicts_with_subcommands = true, after_help = EXAMPLES)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    /// Prints the version.
    #[arg(short = 'V', long)]
    pub(crate) version: bool,
    #[command(flatten)]
    pub(crate) serve: Serve,
}

/// What else the program can do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Prints a configuration in another spelling.
    Convert(Convert),
    /// Looks at the backlog of a durable mirror, sends what is in it, or empties it.
    Backlog(Backlog),
    /// Says whether the primary is well and each mirror's copy complete; exits with 2 if a copy is not.
    Status(Status),
    /// Shows two clusters, a sender and the proxy between them, on this machine.
    Demo(crate::demo::Options),
}

/// `mimir-mirror convert`
#[derive(Debug, Args)]
pub(crate) struct Convert {
    /// The configuration to read: an Envoy bootstrap (v2, v3) or the native form.
    pub(crate) file: PathBuf,
    /// The spelling to print.
    #[arg(long, value_enum, default_value = "native")]
    pub(crate) to: Spelling,
}

/// The spellings that can be printed.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Spelling {
    /// The native form.
    Native,
    /// An Envoy v3 bootstrap.
    EnvoyV3,
}

/// `mimir-mirror status`
#[derive(Debug, Args)]
pub(crate) struct Status {
    /// The admin listener of the proxy to ask.
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:9901")]
    pub(crate) admin: String,
    /// Ask again every two seconds, until interrupted.
    #[arg(long)]
    pub(crate) watch: bool,
    /// Print the JSON of /api/status, one line each time.
    #[arg(long)]
    pub(crate) json: bool,
}

/// `mimir-mirror backlog`
#[derive(Debug, Args)]
pub(crate) struct Backlog {
    #[command(subcommand)]
    pub(crate) action: BacklogAction,
}

/// What to do with a backlog.
#[derive(Debug, Subcommand)]
pub(crate) enum BacklogAction {
    /// Says what is in it. Changes nothing, and works beside a running proxy.
    Inspect {
        #[command(flatten)]
        which: Which,
        /// Read and check every copy, not only its header.
        #[arg(long)]
        verify: bool,
        /// Print JSON, with every segment and tenant.
        #[arg(long)]
        json: bool,
    },
    /// Sends every copy in it to its mirror, and ends when all have an outcome. The proxy must not be running.
    Drain(Drain),
    /// Lets go of every copy in it, for good. The proxy must not be running.
    Drop {
        #[command(flatten)]
        which: Which,
        /// Do it; otherwise it only says what would go, and exits with 1.
        #[arg(long)]
        yes: bool,
    },
}

/// `mimir-mirror backlog drain`
#[derive(Debug, Args)]
pub(crate) struct Drain {
    /// The configuration that says where the backlog is, and where its copies go.
    #[arg(short = 'c', long, value_name = "FILE")]
    pub(crate) config_path: PathBuf,
    /// The name of its mirror in that configuration [default: every durable mirror].
    #[arg(long, value_name = "NAME")]
    pub(crate) mirror: Option<String>,
    /// When to give up; what is not delivered then stays.
    #[arg(long, value_name = "DURATION", default_value = "10m", value_parser = config::duration)]
    pub(crate) timeout: Duration,
}

/// Which backlog: a directory, or a mirror of a configuration.
#[derive(Debug, Args)]
pub(crate) struct Which {
    /// The backlog's directory.
    #[arg(value_name = "DIR", required_unless_present = "config_path", conflicts_with = "config_path")]
    pub(crate) directory: Option<PathBuf>,
    /// Instead of a directory: the configuration that says where the backlog is.
    #[arg(short = 'c', long, value_name = "FILE", requires = "mirror")]
    pub(crate) config_path: Option<PathBuf>,
    /// The name of its mirror in that configuration.
    #[arg(long, value_name = "NAME", requires = "config_path")]
    pub(crate) mirror: Option<String>,
}

/// What `--version` prints, in the shape of Envoy's: the name that the program was called by, then source, version,
/// state of the source, build and TLS library.
pub(crate) fn version() -> String {
    let name =
        std::env::args_os().next().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    let (package, version) = (env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"));
    let build = if cfg!(debug_assertions) { "DEBUG" } else { "RELEASE" };
    format!("\n{name}  version: {package}/{version}/Distribution/{build}/rustls\n\n")
}
