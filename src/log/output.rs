//! Where log lines go: standard error, or a file that can be opened again after a rotation.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use tracing_subscriber::fmt::MakeWriter;

/// See the module.
#[derive(Debug, Clone)]
pub(crate) struct Output {
    file: Option<Arc<Opened>>,
    escaped: bool,
}

#[derive(Debug)]
struct Opened {
    path: PathBuf,
    file: Mutex<File>,
}

impl Output {
    pub(super) fn stderr() -> Self {
        Self { file: None, escaped: false }
    }

    pub(super) fn file(path: PathBuf) -> io::Result<Self> {
        let file = Mutex::new(open(&path)?);
        Ok(Self { file: Some(Arc::new(Opened { path, file })), escaped: false })
    }

    /// Line ends within a line are written as `\n`.
    pub(super) fn escaped(self) -> Self {
        Self { escaped: true, ..self }
    }

    pub(super) fn is_stderr(&self) -> bool {
        self.file.is_none()
    }

    pub(super) fn reopen(&self) -> io::Result<()> {
        if let Some(opened) = &self.file {
            let file = open(&opened.path)?;
            *opened.file.lock().unwrap_or_else(PoisonError::into_inner) = file;
        }
        Ok(())
    }
}

fn open(path: &Path) -> io::Result<File> {
    File::options().create(true).append(true).open(path)
}

impl<'a> MakeWriter<'a> for Output {
    type Writer = Line<'a>;

    fn make_writer(&'a self) -> Line<'a> {
        Line(self)
    }
}

/// Takes one whole line in one call.
#[derive(Debug)]
pub(crate) struct Line<'a>(&'a Output);

impl Write for Line<'_> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let escaped;
        let bytes = if self.0.escaped {
            escaped = escape(line);
            escaped.as_slice()
        } else {
            line
        };
        match &self.0.file {
            Some(opened) => {
                opened.file.lock().unwrap_or_else(PoisonError::into_inner).write_all(bytes)?;
            }
            None => io::stderr().write_all(bytes)?,
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Line ends and tabs within the line as C writes them.
fn escape(line: &[u8]) -> Vec<u8> {
    let text = line.strip_suffix(b"\n").unwrap_or(line);
    let mut out = Vec::with_capacity(line.len() + 8);
    for byte in text {
        match byte {
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            byte => out.push(*byte),
        }
    }
    out.extend_from_slice(line.get(text.len()..).unwrap_or_default());
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_stays_one_line() {
        assert_eq!(escape(b"a\nb\tc\n"), b"a\\nb\\tc\n");
        assert_eq!(escape(b"a"), b"a");
    }

    #[test]
    fn a_moved_file_is_opened_again() {
        let path = std::env::temp_dir().join(format!("mimir-mirror-log-{}", std::process::id()));
        let moved = path.with_extension("1");
        let output = Output::file(path.clone()).unwrap();
        output.make_writer().write_all(b"first\n").unwrap();
        std::fs::rename(&path, &moved).unwrap();
        output.reopen().unwrap();
        output.make_writer().write_all(b"second\n").unwrap();
        let read = |path: &Path| std::fs::read_to_string(path).unwrap();
        assert_eq!((read(&moved).as_str(), read(&path).as_str()), ("first\n", "second\n"));
        for path in [path, moved] {
            std::fs::remove_file(path).unwrap();
        }
    }
}
