//! What a process takes, looked at from outside after each answer: memory, sockets, threads, and bytes on a disk.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

/// At one time, or the most of all times that were looked at.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Usage {
    /// Resident bytes now.
    pub memory: u64,
    /// Resident bytes at the highest, by the kernel's own book.
    pub peak_memory: u64,
    pub sockets: usize,
    pub threads: usize,
    pub disk: u64,
}

/// Who looks at one process.
pub(super) struct Watch {
    process: u32,
    folder: Option<PathBuf>,
    most: Mutex<Usage>,
}

impl Watch {
    /// With the bytes of the files in this folder.
    pub(super) fn of(process: u32, folder: Option<PathBuf>) -> Self {
        Self { process, folder, most: Mutex::default() }
    }

    /// Notes what is the most so far.
    pub(super) fn look(&self) {
        let now = self.now();
        let mut most = self.most.lock().expect("no panic in there");
        *most = Usage {
            memory: most.memory.max(now.memory),
            peak_memory: most.peak_memory.max(now.peak_memory),
            sockets: most.sockets.max(now.sockets),
            threads: most.threads.max(now.threads),
            disk: most.disk.max(now.disk),
        };
    }

    /// The most that was seen.
    pub(super) fn most(&self) -> Usage {
        self.look();
        *self.most.lock().expect("no panic in there")
    }

    pub(super) fn now(&self) -> Usage {
        let status = std::fs::read_to_string(self.at("status")).expect("it runs");
        let of = |name: &str| {
            let value = status.lines().find_map(|line| line.strip_prefix(name)).expect("a Linux process");
            value.split_whitespace().next().and_then(|word| word.parse::<u64>().ok()).expect("a number")
        };
        Usage {
            memory: of("VmRSS:") * 1024,
            peak_memory: of("VmHWM:") * 1024,
            sockets: self.sockets(),
            threads: usize::try_from(of("Threads:")).expect("few"),
            disk: self.folder.as_deref().map_or(0, bytes_in),
        }
    }

    /// Each once, however many descriptors it has.
    fn sockets(&self) -> usize {
        let open = std::fs::read_dir(self.at("fd")).expect("it runs").flatten();
        let links = open.filter_map(|entry| std::fs::read_link(entry.path()).ok());
        let names = links.map(|link| link.to_string_lossy().into_owned());
        names.filter(|name| name.starts_with("socket:")).collect::<HashSet<_>>().len()
    }

    fn at(&self, name: &str) -> String {
        format!("/proc/{}/{name}", self.process)
    }
}

/// Files that disappear meanwhile count nothing.
fn bytes_in(folder: &Path) -> u64 {
    let files = std::fs::read_dir(folder).into_iter().flatten().flatten();
    files.filter_map(|entry| entry.metadata().ok()).map(|meta| meta.len()).sum()
}
