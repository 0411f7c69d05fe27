//! The backlog of a mirror: where it is, how it is kept, and what its files look like from outside.

use std::path::{Path, PathBuf};

use super::dir::Dir;

/// A backlog's directory, and the settings of the mirror that uses it.
pub(crate) struct Backlog {
    path: PathBuf,
    keys: Vec<(&'static str, String)>,
    /// Settings of the mirror beside `backlog`.
    settings: Vec<(&'static str, String)>,
    #[allow(dead_code, reason = "held, never read")]
    own: Option<Dir>,
}

impl Backlog {
    /// In a folder of its own. Answers wait for the append, so that every answered write is known to be kept.
    pub(crate) fn new() -> Self {
        let dir = Dir::new("backlog");
        Self { path: dir.path().join("kept"), own: Some(dir), ..Self::at(PathBuf::new()) }
    }

    /// In this directory, which need not exist.
    pub(crate) fn at(path: PathBuf) -> Self {
        let keys = vec![("before_answer", "10s".to_owned())];
        Self { path, keys, settings: vec![("delivery", "durable".to_owned())], own: None }
    }

    /// Little memory, and so small a bound on disk that a segment has 4 MiB: most copies are read back from disk, from
    /// several segments.
    pub(crate) fn small(self) -> Self {
        let mut this = self.with("max_bytes", "16MiB");
        this.settings.push(("buffer", "4MiB".to_owned()));
        this.settings.push(("max_request", "1MiB".to_owned()));
        this
    }

    /// With this key of `backlog`.
    pub(crate) fn with(mut self, key: &'static str, value: &str) -> Self {
        self.keys.retain(|(k, _)| *k != key);
        self.keys.push((key, value.to_owned()));
        self
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// All settings of the mirror.
    pub(crate) fn settings(&self) -> Vec<(&'static str, String)> {
        let keys: Vec<_> = self.keys.iter().map(|(key, value)| format!("{key}: {value}")).collect();
        let backlog = format!("{{ path: \"{}\", {} }}", self.path.display(), keys.join(", "));
        self.settings.iter().cloned().chain([("backlog", backlog)]).collect()
    }

    /// Its segment files, oldest first.
    pub(crate) fn segments(&self) -> Vec<PathBuf> {
        let mut segments = self.files();
        segments.retain(|path| path.extension().is_some_and(|e| e == "segment"));
        segments.sort();
        segments
    }

    /// All its files.
    pub(crate) fn files(&self) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(&self.path).into_iter().flatten().flatten();
        entries.map(|entry| entry.path()).collect()
    }

    /// Bytes of its files. Files that disappear meanwhile count nothing.
    pub(crate) fn bytes(&self) -> u64 {
        let length = |path: PathBuf| std::fs::metadata(path).map_or(0, |meta| meta.len());
        self.files().into_iter().map(length).sum()
    }
}
