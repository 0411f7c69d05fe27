//! Ports for programs that must be told theirs.
//!
//! Picked below the range from which the kernel takes ports for outgoing connections, and held by a locked file, so
//! that no test of any process takes a port that another has promised to a program that has not bound it yet.

use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

const FIRST: u16 = 11_000;
const COUNT: u16 = 9_000;

static TRIED: AtomicU32 = AtomicU32::new(0);

/// A port that belongs to this value until it is dropped.
pub(crate) struct Port {
    number: u16,
    // Locked; the lock ends with the file.
    _claim: File,
}

impl Port {
    /// A port that is free on every IPv4 address.
    pub(crate) fn reserve() -> Self {
        let start = std::process::id().wrapping_mul(97);
        for _ in 0..COUNT {
            let step = start.wrapping_add(TRIED.fetch_add(1, Ordering::Relaxed));
            let number = FIRST + u16::try_from(step % u32::from(COUNT)).expect("below COUNT");
            if let Some(port) = Self::claim(number) {
                return port;
            }
        }
        panic!("no free port from {FIRST} on");
    }

    fn claim(number: u16) -> Option<Self> {
        let path = folder().join(number.to_string());
        let claim = File::options().create(true).truncate(false).write(true).open(path).ok()?;
        claim.try_lock().ok()?;
        TcpListener::bind((Ipv4Addr::UNSPECIFIED, number)).ok()?;
        Some(Self { number, _claim: claim })
    }

    pub(crate) fn number(&self) -> u16 {
        self.number
    }

    /// `127.0.0.1` with this port.
    pub(crate) fn address(&self) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.number))
    }
}

fn folder() -> PathBuf {
    let folder = std::env::temp_dir().join("mimir-mirror-test-ports");
    std::fs::create_dir_all(&folder).expect("the temporary folder is writable");
    folder
}
