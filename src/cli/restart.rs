//! Flags of upgrades in place, which Envoy calls hot restarts.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

/// See the module.
#[derive(Debug, Args)]
#[command(next_help_heading = "Upgrades in place")]
pub(crate) struct HotRestart {
    /// Takes over from the process with the epoch before; 0 is the first.
    #[arg(long, value_name = "N")]
    pub(crate) restart_epoch: Option<u32>,
    /// Tells the lines of processes on one machine apart [default: 0].
    #[arg(long, value_name = "N")]
    pub(crate) base_id: Option<u32>,
    /// Chooses a free base id.
    #[arg(long)]
    pub(crate) use_dynamic_base_id: bool,
    /// Writes the base id to a file.
    #[arg(long, value_name = "FILE")]
    pub(crate) base_id_path: Option<PathBuf>,
    /// Takes over from nobody, and lets nobody take over.
    #[arg(long)]
    pub(crate) disable_hot_restart: bool,
    /// Where old and new process meet: a file, or with `@` an abstract name; base id and epoch are appended.
    #[arg(long, value_name = "PATH", default_value = "@mimir_mirror_domain_socket")]
    pub(crate) socket_path: String,
    /// Permissions of that file, octal.
    #[arg(long, value_name = "MODE", value_parser = mode)]
    pub(crate) socket_mode: Option<u32>,
    /// When the old process has to be gone at the latest, in seconds after this one serves.
    #[arg(long, value_name = "SECONDS", default_value_t = 900)]
    pub(crate) parent_shutdown_time_s: u32,
    /// Starts without the old process if there is none.
    #[arg(long)]
    pub(crate) skip_hot_restart_on_no_parent: bool,
    /// Prints which versions can take over from each other.
    #[arg(long)]
    pub(crate) hot_restart_version: bool,
}

fn mode(text: &str) -> Result<u32, String> {
    u32::from_str_radix(text, 8)
        .ok()
        .filter(|mode| *mode <= 0o7777)
        .ok_or_else(|| format!("invalid socket mode '{text}'; write it octal, such as 600"))
}

impl HotRestart {
    /// The epoch, from 0.
    pub(crate) fn epoch(&self) -> u32 {
        self.restart_epoch.unwrap_or_default()
    }

    /// Whether the operator counts on it, so that its failure ends the start.
    pub(crate) fn is_wanted(&self) -> bool {
        self.restart_epoch.is_some()
            || self.base_id.is_some()
            || self.use_dynamic_base_id
            || self.base_id_path.is_some()
            || !self.socket_path.starts_with("@mimir_mirror")
    }

    /// What is wrong with the flags together, in Envoy's words.
    pub(super) fn contradiction(&self) -> Option<String> {
        (self.use_dynamic_base_id && self.epoch() > 0)
            .then(|| format!("cannot use --restart-epoch={} with --use-dynamic-base-id", self.epoch()))
    }

    pub(crate) fn parent_shutdown_time(&self) -> Duration {
        Duration::from_secs(self.parent_shutdown_time_s.into())
    }
}
