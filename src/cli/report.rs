//! The command line as `/server_info` reports it: Envoy's fields, and what they are here.

use std::path::PathBuf;

use serde_json::{Value, json};

use super::compat::DrainStrategy;
use super::serve::{IpVersion, Serve};
use crate::log::components;

impl Serve {
    /// For `/server_info`.
    pub(crate) fn report(&self) -> Value {
        let flags = &self.compat;
        let split = |text: &Option<String>| -> Vec<String> {
            text.iter().flat_map(|text| text.split(',')).map(str::to_owned).collect()
        };
        let components: Vec<_> = self.component_log_level.iter().map(components::Changes::text).collect();
        let mut report = json!({
            "concurrency": self.workers(),
            "config_path": text(&self.config_path),
            "config_yaml": if self.config_yaml.is_some() { "[not shown]" } else { "" },
            "allow_unknown_static_fields": self.allow_unknown_static_fields,
            "admin_address_path": text(&self.admin_address_path),
            "local_address_ip_version":
                if self.local_address_ip_version == IpVersion::V4 { "v4" } else { "v6" },
            "log_level": crate::log::level_name(self.log_level),
            "component_log_level": components.concat(),
            "log_format": self.log_format.text(),
            "log_format_escaped": self.log_format_escaped,
            "log_path": text(&self.log_path),
            "service_cluster": self.service_cluster.as_deref().unwrap_or_default(),
            "service_node": self.service_node.as_deref().unwrap_or_default(),
            "service_zone": self.service_zone.as_deref().unwrap_or_default(),
            "file_flush_interval": format!("{}s", f64::from(self.file_flush_interval_msec) / 1000.0),
            "file_flush_min_size": self.file_flush_min_size_kb.unwrap_or_default(),
            "drain_time": format!("{}s", self.drain_time_s),
            "drain_strategy":
                if flags.drain_strategy == DrainStrategy::Gradual { "Gradual" } else { "Immediate" },
            "mode": "Serve",
            "cpuset_threads": flags.cpuset_threads,
            "enable_core_dump": flags.enable_core_dump,
            "enable_mutex_tracing": flags.enable_mutex_tracing,
            "enable_fine_grain_logging": flags.enable_fine_grain_logging,
            "reject_unknown_dynamic_fields": flags.reject_unknown_dynamic_fields,
            "ignore_unknown_dynamic_fields": flags.ignore_unknown_dynamic_fields,
            "skip_deprecated_logs": flags.skip_deprecated_logs,
            "log_stacktrace_single_entry": flags.log_stacktrace_single_entry,
            "disabled_extensions": split(&flags.disable_extensions),
            "stats_tag": self.stats_tag.iter().map(|(name, value)| format!("{name}:{value}")).collect::<Vec<_>>(),
        });
        if let (Some(all), Value::Object(restart)) = (report.as_object_mut(), self.restart_report()) {
            all.extend(restart);
        }
        report
    }

    fn restart_report(&self) -> Value {
        let restart = &self.restart;
        json!({
            "parent_shutdown_time": format!("{}s", restart.parent_shutdown_time_s),
            "base_id": restart.base_id.unwrap_or_default().to_string(),
            "use_dynamic_base_id": restart.use_dynamic_base_id,
            "base_id_path": text(&restart.base_id_path),
            "restart_epoch": restart.epoch(),
            "disable_hot_restart": restart.disable_hot_restart,
            "socket_path": restart.socket_path,
            "socket_mode": restart.socket_mode.unwrap_or_default(),
            "skip_hot_restart_on_no_parent": restart.skip_hot_restart_on_no_parent,
            "skip_hot_restart_parent_stats": self.compat.skip_hot_restart_parent_stats,
        })
    }
}

fn text(path: &Option<PathBuf>) -> String {
    path.as_ref().map_or_else(String::new, |path| path.display().to_string())
}
