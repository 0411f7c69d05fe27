//! Access logs.
//!
//! Enters: what is known of a request at its end, on its worker. Leaves: a line, put into the bounded channel of the
//! log thread ([`writer`]), which alone writes files. A worker never waits for it: a full channel drops the line and
//! counts it. Where no log is configured nothing here runs.

mod filter;
mod json;
pub(crate) mod writer;

use std::path::{Path, PathBuf};
use std::rc::Rc;

use config::model::{AccessLog, LogLine, LogSink};

use crate::format::{self, View};
use writer::Handle;

/// The logs of one place of the configuration, on one worker.
#[derive(Debug)]
pub(crate) struct Logs {
    logs: Vec<(AccessLog, Handle)>,
}

impl Logs {
    /// `None` where there is nothing to write.
    pub(crate) fn new(logs: &[AccessLog], handle: impl Fn(&LogSink) -> Option<Handle>) -> Option<Rc<Self>> {
        let logs: Vec<_> = logs.iter().filter_map(|log| Some((log.clone(), handle(&log.sink)?))).collect();
        (!logs.is_empty()).then(|| Rc::new(Self { logs }))
    }

    /// One line for each log whose filter lets it pass.
    pub(crate) fn write(&self, view: View<'_>) {
        for (log, handle) in &self.logs {
            if log.filter.as_ref().is_none_or(|wanted| filter::passes(wanted, view)) {
                handle.send(line(log, view));
            }
        }
    }
}

fn line(log: &AccessLog, view: View<'_>) -> Vec<u8> {
    let mut out = Vec::with_capacity(256);
    match &log.line {
        LogLine::Text(text) => {
            format::write(&mut out, text, view, if log.omit_empty { "" } else { "-" });
        }
        LogLine::Json(members) => json::write(&mut out, members, log.omit_empty, view),
    }
    out
}

/// What a sink is called where it is opened.
pub(crate) fn path(sink: &LogSink) -> PathBuf {
    match sink {
        LogSink::File(path) => path.clone(),
        LogSink::Stdout => Path::new("/dev/stdout").to_owned(),
        LogSink::Stderr => Path::new("/dev/stderr").to_owned(),
    }
}
