//! Flags and subcommands. Nothing else knows about them.
//!
//! Names, meanings and exit codes are Envoy's where Envoy has them.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use tracing::level_filters::LevelFilter;

use crate::log;

/// Mirrors requests: every request goes to the primary, whose answer the client gets; a copy goes to each mirror in
/// the background.
#[derive(Debug, Parser)]
#[command(name = "mimir-mirror", version, args_conflicts_with_subcommands = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
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

/// The proxy's own flags.
#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// Configuration file: an Envoy bootstrap (v2 or v3) or the native form, YAML or JSON.
    #[arg(short = 'c', long, value_name = "FILE")]
    pub(crate) config_path: Option<PathBuf>,
    /// Configuration given inline.
    #[arg(long, value_name = "YAML")]
    pub(crate) config_yaml: Option<String>,
    /// `validate` checks the configuration and exits.
    #[arg(long, value_enum, default_value = "serve")]
    pub(crate) mode: Mode,
    /// Without a file: where requests go, `http://HOST[:PORT]`.
    #[arg(long, value_name = "URL")]
    pub(crate) primary: Option<String>,
    /// Without a file: where copies go; may be given several times.
    #[arg(long, value_name = "URL")]
    pub(crate) mirror: Vec<String>,
    /// Without a file: where clients connect [default: 0.0.0.0:9900].
    #[arg(long, value_name = "ADDR")]
    pub(crate) listen: Option<String>,
    /// Without a file: where the admin listens [default: 127.0.0.1:9901].
    #[arg(long, value_name = "ADDR")]
    pub(crate) admin: Option<String>,
    /// Worker threads [default: one for each core].
    #[arg(long, value_name = "N")]
    pub(crate) concurrency: Option<usize>,
    /// How long requests and copies in progress may take to finish after SIGTERM, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 25)]
    pub(crate) drain_time_s: u64,
    /// trace, debug, info, warning, error, critical or off.
    #[arg(short = 'l', long, value_name = "LEVEL", default_value = "info", value_parser = parse_level)]
    pub(crate) log_level: LevelFilter,
    /// How log lines are written.
    #[arg(long, value_enum, default_value = "text")]
    pub(crate) log_format: LogFormat,
    /// Reported as the node's id.
    #[arg(long, value_name = "ID")]
    pub(crate) service_node: Option<String>,
    /// Reported as the node's cluster.
    #[arg(long, value_name = "NAME")]
    pub(crate) service_cluster: Option<String>,
    /// Reported as the node's zone.
    #[arg(long, value_name = "NAME")]
    pub(crate) service_zone: Option<String>,
}

/// `--mode`
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Mode {
    /// Run.
    Serve,
    /// Check the configuration; neither binds nor resolves.
    Validate,
}

/// `--log-format`
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// For people.
    Text,
    /// One object a line.
    Json,
}

impl Serve {
    /// The configuration as the flags ask for it.
    pub(crate) fn load(&self) -> Result<config::model::Config, config::ConfigError> {
        config::load(&config::Input {
            path: self.config_path.clone(),
            inline: self.config_yaml.clone(),
            flags: config::Flags {
                primary: self.primary.clone(),
                mirrors: self.mirror.clone(),
                listen: self.listen.clone(),
                admin: self.admin.clone(),
                service_node: self.service_node.clone(),
                service_cluster: self.service_cluster.clone(),
                service_zone: self.service_zone.clone(),
            },
        })
    }

    /// What to call the configuration in messages.
    pub(crate) fn origin(&self) -> String {
        self.config_path.as_ref().map_or_else(|| "command line".to_owned(), |path| path.display().to_string())
    }

    pub(crate) fn drain_time(&self) -> Duration {
        Duration::from_secs(self.drain_time_s)
    }

    /// Worker threads; 0 runs one, as in Envoy.
    pub(crate) fn workers(&self) -> usize {
        let cores = || std::thread::available_parallelism().map_or(1, usize::from);
        self.concurrency.unwrap_or_else(cores).max(1)
    }

    /// For `/server_info`.
    pub(crate) fn report(&self) -> serde_json::Value {
        serde_json::json!({
            "concurrency": self.workers(),
            "config_path": self.config_path,
            "log_level": self.log_level.to_string().to_ascii_lowercase(),
            "drain_time": format!("{}s", self.drain_time_s),
            "mode": "Serve",
        })
    }
}

/// A level as Envoy names it.
fn parse_level(name: &str) -> Result<LevelFilter, String> {
    log::level(name).ok_or_else(|| format!("invalid log level specified '{name}'"))
}
