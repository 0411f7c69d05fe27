//! Log lines: to standard error, as text or JSON, at a level that can be changed while running.
//!
//! Nothing logs on the path of a request, and nothing ever logs header values or bodies, but for the first words of a
//! mirror's refusal.

use std::io::IsTerminal;

use tracing::level_filters::LevelFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Registry, fmt, reload};

/// Changes the level.
#[derive(Debug, Clone)]
pub(crate) struct Level(reload::Handle<LevelFilter, Registry>);

impl Level {
    pub(crate) fn set(&self, level: LevelFilter) {
        // Fails only once the subscriber is gone, with the process.
        let _ = self.0.reload(level);
    }
}

/// Envoy's names of levels; there is nothing above `error` here.
pub(crate) fn level(name: &str) -> Option<LevelFilter> {
    Some(match name {
        "trace" => LevelFilter::TRACE,
        "debug" => LevelFilter::DEBUG,
        "info" => LevelFilter::INFO,
        "warning" | "warn" => LevelFilter::WARN,
        "error" | "critical" => LevelFilter::ERROR,
        "off" => LevelFilter::OFF,
        _ => return None,
    })
}

/// Starts logging.
pub(crate) fn init(level: LevelFilter, json: bool) -> Level {
    let (filter, handle) = reload::Layer::new(level);
    let registry = tracing_subscriber::registry().with(filter);
    if json {
        registry
            .with(fmt::layer().json().flatten_event(true).with_target(false).with_writer(std::io::stderr))
            .init();
    } else {
        let colour = std::io::stderr().is_terminal();
        registry.with(fmt::layer().with_ansi(colour).with_target(false).with_writer(std::io::stderr)).init();
    }
    Level(handle)
}
