//! Log lines: to standard error or a file, as text, JSON or by a pattern, at a level for each component that can be
//! changed while running.
//!
//! Nothing logs on the path of a request, and nothing ever logs header values or bodies, but for the first words of a
//! mirror's refusal. `components` are the names, `pattern` is spdlog's language of formats, `output` where lines go.

pub(crate) mod components;
mod output;
mod pattern;

use std::io::IsTerminal;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, Registry, fmt, reload};

use components::Levels;
use output::Output;
use pattern::Pattern;

/// How lines are written.
#[derive(Debug, Clone)]
pub(crate) enum Format {
    /// For people.
    Text,
    /// One object a line.
    Json,
    /// As a pattern says.
    Pattern(Pattern),
}

impl Format {
    /// `text`, `json`, or a pattern: whatever has a per cent sign.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        match text {
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            _ if text.contains('%') => Pattern::parse(text).map(Self::Pattern),
            _ => Err("write `text`, `json` or a pattern such as `[%Y-%m-%d %T.%e][%l][%n] %v`".to_owned()),
        }
    }

    /// As it was written.
    pub(crate) fn text(&self) -> &str {
        match self {
            Self::Text => "text",
            Self::Json => "json",
            Self::Pattern(pattern) => pattern.text(),
        }
    }
}

/// What the command line says about logging.
#[derive(Debug, Clone)]
pub(crate) struct Options {
    pub(crate) levels: Levels,
    pub(crate) format: Format,
    /// Line ends within a line are written as `\n`.
    pub(crate) escaped: bool,
    /// Instead of standard error.
    pub(crate) path: Option<PathBuf>,
}

impl Options {
    /// Text to standard error, at one level.
    pub(crate) fn plain(level: LevelFilter) -> Self {
        Self { levels: Levels::all(level), format: Format::Text, escaped: false, path: None }
    }
}

/// The loggers of this process: their levels, and their file.
#[derive(Debug, Clone)]
pub(crate) struct Loggers(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    levels: Mutex<Levels>,
    filter: Option<reload::Handle<Targets, Registry>>,
    output: Output,
}

impl Loggers {
    /// The levels in force.
    pub(crate) fn levels(&self) -> Levels {
        *self.0.levels.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn set(&self, levels: Levels) {
        *self.0.levels.lock().unwrap_or_else(PoisonError::into_inner) = levels;
        if let Some(filter) = &self.0.filter {
            // Fails only once the subscriber is gone, with the process.
            let _ = filter.reload(levels.filter());
        }
    }

    /// Opens the file again, which a rotation has moved away.
    pub(crate) fn reopen(&self) {
        if let Err(error) = self.0.output.reopen() {
            tracing::error!(%error, "the log file cannot be opened again; lines go on to where it was moved");
        }
    }

    /// Without any output, for tests.
    #[cfg(any(test, fuzzing))]
    pub(crate) fn silent() -> Self {
        let levels = Mutex::new(Levels::all(LevelFilter::INFO));
        Self(Arc::new(Inner { levels, filter: None, output: Output::stderr() }))
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

/// Envoy's name of a level.
pub(crate) fn level_name(level: LevelFilter) -> &'static str {
    match level {
        LevelFilter::OFF => "off",
        LevelFilter::ERROR => "error",
        LevelFilter::WARN => "warning",
        LevelFilter::INFO => "info",
        LevelFilter::DEBUG => "debug",
        LevelFilter::TRACE => "trace",
    }
}

/// Starts logging.
///
/// # Errors
/// When the file cannot be opened.
pub(crate) fn init(options: Options) -> std::io::Result<Loggers> {
    let output = match options.path {
        Some(path) => Output::file(path)?,
        None => Output::stderr(),
    };
    let output = if options.escaped { output.escaped() } else { output };
    let (filter, handle) = reload::Layer::new(options.levels.filter());
    let lines = fmt::layer().with_writer(output.clone());
    let colour = output.is_stderr() && std::io::stderr().is_terminal();
    let lines: Box<dyn Layer<_> + Send + Sync> = match options.format {
        Format::Text => lines.with_ansi(colour).with_target(false).boxed(),
        Format::Json => lines.json().flatten_event(true).with_target(false).boxed(),
        Format::Pattern(pattern) => lines.with_ansi(false).event_format(pattern).boxed(),
    };
    tracing_subscriber::registry().with(filter).with(lines).init();
    let levels = Mutex::new(options.levels);
    Ok(Loggers(Arc::new(Inner { levels, filter: Some(handle), output })))
}
