//! The flags of the running proxy.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use tracing::level_filters::LevelFilter;

use super::compat::Compat;
use super::restart::HotRestart;
use super::values;
use crate::log::{self, components};

/// The proxy's own flags.
#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// Configuration file: an Envoy bootstrap (v2 or v3) or the native form, YAML or JSON.
    #[arg(short = 'c', long, value_name = "FILE")]
    pub(crate) config_path: Option<PathBuf>,
    /// Read the configuration file again when it changes, as at SIGHUP.
    #[arg(long)]
    pub(crate) watch: bool,
    /// Configuration given inline; laid over the file, if there is one.
    #[arg(long, value_name = "YAML")]
    pub(crate) config_yaml: Option<String>,
    /// `validate` checks the configuration and exits; `init_only` starts everything but serving, and exits.
    #[arg(long, default_value = "serve", value_parser = values::mode)]
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
    /// The admin does what it is asked wherever it listens, not on loopback alone; overrides the file.
    #[arg(long)]
    pub(crate) admin_writes: bool,
    /// Whoever asks the admin has to show the token in this file (`Authorization: Bearer`); overrides the file.
    #[arg(long, value_name = "FILE")]
    pub(crate) admin_token_file: Option<String>,
    /// Worker threads [default: one for each core].
    #[arg(long, value_name = "N")]
    pub(crate) concurrency: Option<usize>,
    /// How long requests and copies in progress may take to finish after SIGTERM, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 25)]
    pub(crate) drain_time_s: u64,
    /// trace, debug, info, warning, error, critical or off.
    #[arg(short = 'l', long, value_name = "LEVEL", default_value = "info", value_parser = values::level)]
    pub(crate) log_level: LevelFilter,
    /// Levels of single components, such as `mirror:debug,upstream:trace`.
    #[arg(long, value_name = "NAME:LEVEL,...", value_parser = values::component_levels)]
    pub(crate) component_log_level: Option<components::Changes>,
    /// How log lines are written: `text`, `json`, or a pattern of spdlog's such as `[%Y-%m-%d %T.%e][%l][%n] %v`.
    #[arg(long, value_name = "FORMAT", default_value = "text", value_parser = log::Format::parse)]
    pub(crate) log_format: log::Format,
    /// Write line ends within a log line as `\n`.
    #[arg(long)]
    pub(crate) log_format_escaped: bool,
    /// Log to a file instead of standard error; SIGUSR1 opens it again.
    #[arg(long, value_name = "FILE")]
    pub(crate) log_path: Option<PathBuf>,
    /// Ignore fields of an Envoy file that nobody knows; each is named in the log.
    #[arg(long, visible_alias = "allow-unknown-fields")]
    pub(crate) allow_unknown_static_fields: bool,
    /// Write the address of the admin interface to a file, once it is bound.
    #[arg(long, value_name = "FILE")]
    pub(crate) admin_address_path: Option<PathBuf>,
    /// Reported as the node's id.
    #[arg(long, value_name = "ID")]
    pub(crate) service_node: Option<String>,
    /// Reported as the node's cluster.
    #[arg(long, value_name = "NAME")]
    pub(crate) service_cluster: Option<String>,
    /// Reported as the node's zone.
    #[arg(long, value_name = "NAME")]
    pub(crate) service_zone: Option<String>,
    /// Which of the machine's addresses copies name in `x-forwarded-for`: v4 or v6.
    #[arg(long, value_name = "VERSION", default_value = "v4", value_parser = values::ip_version)]
    pub(crate) local_address_ip_version: IpVersion,
    /// How long an access log may keep lines to itself, in milliseconds.
    #[arg(long, value_name = "MILLISECONDS", default_value_t = 10_000)]
    pub(crate) file_flush_interval_msec: u32,
    /// How many KiB of lines an access log collects before it writes them [default: 64].
    #[arg(long, value_name = "KIB")]
    pub(crate) file_flush_min_size_kb: Option<u32>,
    /// A label of every metric, `NAME:VALUE`; may be given several times.
    #[arg(long, value_name = "NAME:VALUE", value_parser = values::stats_tag)]
    pub(crate) stats_tag: Vec<(String, String)>,
    #[command(flatten)]
    pub(crate) restart: HotRestart,
    #[command(flatten)]
    pub(crate) compat: Compat,
}

/// `--mode`
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Mode {
    /// Run.
    Serve,
    /// Check the configuration; neither binds nor resolves.
    Validate,
    /// Bind and resolve, then exit.
    InitOnly,
}

/// `--local-address-ip-version`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum IpVersion {
    V4,
    V6,
}

impl Serve {
    /// When access logs write what they have gathered. Envoy takes an interval of 0 as well; here it is a millisecond.
    pub(crate) fn log_flush(&self) -> crate::access_log::writer::Flush {
        let kib = self.file_flush_min_size_kb.unwrap_or(crate::limits::LOG_FLUSH_KB);
        crate::access_log::writer::Flush {
            interval: Duration::from_millis(u64::from(self.file_flush_interval_msec.max(1))),
            bytes: kib as usize * 1024,
        }
    }

    /// The configuration as the flags ask for it.
    pub(crate) fn load(&self) -> Result<config::model::Config, config::ConfigError> {
        config::load(&config::Input {
            path: self.config_path.clone(),
            inline: self.config_yaml.clone(),
            allow_unknown_fields: self.allow_unknown_static_fields,
            flags: config::Flags {
                primary: self.primary.clone(),
                mirrors: self.mirror.clone(),
                listen: self.listen.clone(),
                admin: self.admin.clone(),
                admin_writes: self.admin_writes,
                admin_token_file: self.admin_token_file.clone(),
                service_node: self.service_node.clone(),
                service_cluster: self.service_cluster.clone(),
                service_zone: self.service_zone.clone(),
            },
        })
    }

    /// What is wrong with the flags together, in Envoy's words.
    pub(crate) fn contradiction(&self) -> Option<String> {
        if self.compat.enable_fine_grain_logging && self.component_log_level.is_some() {
            return Some("--component-log-level will not work with --enable-fine-grain-logging".to_owned());
        }
        if self.watch && self.config_path.is_none() {
            return Some("--watch needs a configuration file (-c)".to_owned());
        }
        self.restart.contradiction()
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

    /// Whether the proxy's own address is one of IPv6.
    pub(crate) fn prefers_v6(&self) -> bool {
        self.local_address_ip_version == IpVersion::V6
    }

    /// The log file, for messages.
    pub(crate) fn log_file(&self) -> String {
        self.log_path.as_ref().map_or_else(String::new, |path| path.display().to_string())
    }

    /// The labels that every metric gets. They live as long as the process.
    pub(crate) fn tags(&self) -> Vec<(&'static str, String)> {
        self.stats_tag.iter().map(|(name, value)| (&*name.clone().leak(), value.clone())).collect()
    }

    /// How the program logs.
    pub(crate) fn log(&self) -> log::Options {
        let mut levels = components::Levels::all(self.log_level);
        if let Some(changes) = &self.component_log_level {
            levels.apply(changes);
        }
        log::Options {
            levels,
            format: self.log_format.clone(),
            escaped: self.log_format_escaped,
            path: self.log_path.clone(),
        }
    }
}
