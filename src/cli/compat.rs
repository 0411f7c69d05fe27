//! Envoy's flags that have nothing to do here. They are accepted, so that a command line written for Envoy starts this
//! program too, and each that is given is named in the log with the reason.

use clap::Args;

/// See the module.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Envoy's flags that change nothing here")]
pub(crate) struct Compat {
    /// Workers follow the cores that the process may use anyway.
    #[arg(long)]
    pub(crate) cpuset_threads: bool,
    /// Cores are dumped whenever the system's limits allow it.
    #[arg(long)]
    pub(crate) enable_core_dump: bool,
    /// There are no mutexes on the path of a request.
    #[arg(long)]
    pub(crate) enable_mutex_tracing: bool,
    /// Loggers are components, not files.
    #[arg(long)]
    pub(crate) enable_fine_grain_logging: bool,
    /// A panic is one entry.
    #[arg(long)]
    pub(crate) log_stacktrace_single_entry: bool,
    /// There is no dynamic configuration.
    #[arg(long)]
    pub(crate) reject_unknown_dynamic_fields: bool,
    /// There is no dynamic configuration.
    #[arg(long)]
    pub(crate) ignore_unknown_dynamic_fields: bool,
    /// Nobody warns of deprecated spellings.
    #[arg(long)]
    pub(crate) skip_deprecated_logs: bool,
    /// Statistics begin anew with each process.
    #[arg(long)]
    pub(crate) skip_hot_restart_parent_stats: bool,
    /// There are no extensions to disable.
    #[arg(long, value_name = "NAMES")]
    pub(crate) disable_extensions: Option<String>,
    /// gradual or immediate: answers ask clients to leave from the begin of a drain on.
    #[arg(long, value_name = "STRATEGY", default_value = "gradual", value_parser = super::values::drain_strategy)]
    pub(crate) drain_strategy: DrainStrategy,
    /// Arguments after `--`.
    #[arg(last = true, hide = true)]
    pub(crate) ignored: Vec<String>,
}

/// `--drain-strategy`
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum DrainStrategy {
    #[default]
    Gradual,
    Immediate,
}

impl Compat {
    /// The flags that were given and change nothing, with the reason.
    pub(crate) fn notes(&self) -> Vec<(&'static str, &'static str)> {
        let no_dynamic = "there is no dynamic configuration";
        let given = [
            (
                self.cpuset_threads,
                "--cpuset-threads",
                "workers follow the cores that the process may use anyway",
            ),
            (self.enable_core_dump, "--enable-core-dump", "the system's limits decide about core dumps"),
            (self.enable_mutex_tracing, "--enable-mutex-tracing", "requests take no mutexes"),
            (
                self.enable_fine_grain_logging,
                "--enable-fine-grain-logging",
                "loggers are components, not files",
            ),
            (self.log_stacktrace_single_entry, "--log-stacktrace-single-entry", "a panic is one entry"),
            (self.reject_unknown_dynamic_fields, "--reject-unknown-dynamic-fields", no_dynamic),
            (self.ignore_unknown_dynamic_fields, "--ignore-unknown-dynamic-fields", no_dynamic),
            (self.skip_deprecated_logs, "--skip-deprecated-logs", "nobody warns of deprecated spellings"),
            (
                self.skip_hot_restart_parent_stats,
                "--skip-hot-restart-parent-stats",
                "statistics begin anew with each process",
            ),
            (self.disable_extensions.is_some(), "--disable-extensions", "there are no extensions"),
            (!self.ignored.is_empty(), "--", "what follows it is ignored"),
        ];
        given.into_iter().filter(|(given, ..)| *given).map(|(_, flag, why)| (flag, why)).collect()
    }
}
