//! House rules that no other linter checks. Findings are `file:line: what is wrong`; any one fails the check.

mod links;
mod source;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use walkdir::{DirEntry, WalkDir};

use crate::shell;

/// Text files whose white space is ours to keep tidy (make files and lock files have their own rules).
const TEXT: [&str; 12] =
    ["css", "html", "js", "json", "md", "proto", "rs", "service", "sh", "toml", "yaml", "yml"];

/// One text file of the repository.
struct TextFile {
    /// Relative to the root.
    path: PathBuf,
    content: String,
}

impl TextFile {
    fn extension(&self) -> &str {
        self.path.extension().and_then(|extension| extension.to_str()).unwrap_or_default()
    }

    fn finding(&self, line: usize, what: impl std::fmt::Display) -> String {
        format!("{}:{line}: {what}", self.path.display())
    }
}

/// Checks the whole repository.
pub(crate) fn run() -> Result<()> {
    let files = text_files(shell::root())?;
    let mut findings = Vec::new();
    let mut long = Vec::new();
    for file in &files {
        findings.extend(source::white_space(file));
        if file.extension() == "rs" {
            findings.extend(source::module_documentation(file));
            findings.extend(source::length(file, &mut long));
        }
    }
    findings.extend(links::broken(shell::root(), &files));

    for warning in &long {
        eprintln!("tidy: {warning}");
    }
    if !findings.is_empty() {
        bail!("tidy has findings:\n{}", findings.join("\n"));
    }
    eprintln!("tidy: {} files", files.len());
    Ok(())
}

fn text_files(root: &Path) -> Result<Vec<TextFile>> {
    let mut files = Vec::new();
    for entry in WalkDir::new(root).sort_by_file_name().into_iter().filter_entry(is_ours) {
        let entry = entry?;
        let extension = entry.path().extension().and_then(|extension| extension.to_str());
        if !entry.file_type().is_file() || !extension.is_some_and(|extension| TEXT.contains(&extension)) {
            continue;
        }
        let content = fs::read_to_string(entry.path())
            .with_context(|| format!("{} is not readable as UTF-8", entry.path().display()))?;
        let path = entry.path().strip_prefix(root).unwrap_or_else(|_| entry.path()).to_owned();
        files.push(TextFile { path, content });
    }
    Ok(files)
}

/// Not what tools leave behind, nor files taken over from others as they are.
fn is_ours(entry: &DirEntry) -> bool {
    let name = entry.file_name().to_string_lossy();
    let foreign = ["target", ".git", "node_modules", "vendor", "third-party"].contains(&name.as_ref());
    !foreign && !name.contains(".min.")
}
