//! Where the processes of one line meet: a Unix socket for each epoch.

use std::fmt;
use std::io;
use std::os::fd::OwnedFd;
use std::path::PathBuf;

use rustix::fs::Mode;
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, SocketAddrUnix, SocketFlags, SocketType, bind, connect, listen, socket_with,
};

/// Successors that may wait at the door.
const WAITING: i32 = 4;

/// `PATH_BASEID_EPOCH`; a path that begins with `@` is an abstract name, which no file stands for.
#[derive(Debug, Clone)]
pub(crate) struct Address {
    path: String,
    base_id: u32,
    epoch: u32,
    mode: Option<u32>,
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}_{}_{}", self.path, self.base_id, self.epoch)
    }
}

impl Address {
    /// `mode` are the permissions of a socket that is a file.
    pub(crate) fn new(path: &str, base_id: u32, epoch: u32, mode: Option<u32>) -> Self {
        Self { path: path.to_owned(), base_id, epoch, mode }
    }

    /// Of the process before this one.
    pub(super) fn before(&self) -> Option<Self> {
        Some(Self { epoch: self.epoch.checked_sub(1)?, ..self.clone() })
    }

    fn file(&self) -> Option<PathBuf> {
        (!self.path.starts_with('@')).then(|| PathBuf::from(self.to_string()))
    }

    fn socket_address(&self) -> io::Result<SocketAddrUnix> {
        let name = self.to_string();
        Ok(match name.strip_prefix('@') {
            Some(name) => SocketAddrUnix::new_abstract_name(name.as_bytes())?,
            None => SocketAddrUnix::new(name)?,
        })
    }

    /// Opens it for the next process.
    ///
    /// # Errors
    /// When another process has it, in Envoy's words, or the path cannot be used.
    pub(crate) fn bind(&self) -> anyhow::Result<Bound> {
        let busy = |error: io::Error| {
            let errno = error.raw_os_error().unwrap_or_default();
            anyhow::anyhow!(
                "unable to bind domain socket with base_id={}, id={}, errno={errno} (see --base-id option)",
                self.base_id,
                self.epoch
            )
        };
        let bound = self.try_bind().or_else(|error| {
            // A file that its process left behind.
            let file = self.file().filter(|_| error.kind() == io::ErrorKind::AddrInUse);
            match file.filter(|_| self.connect().is_err()) {
                Some(file) => std::fs::remove_file(file).and_then(|()| self.try_bind()),
                None => Err(error),
            }
        });
        bound.map(|socket| Bound { socket, file: self.file() }).map_err(busy)
    }

    fn try_bind(&self) -> io::Result<OwnedFd> {
        let socket = new_socket()?;
        bind(&socket, &self.socket_address()?)?;
        if let (Some(file), Some(mode)) = (self.file(), self.mode) {
            rustix::fs::chmod(file, Mode::from_raw_mode(mode))?;
        }
        listen(&socket, WAITING)?;
        Ok(socket)
    }

    /// To the process that has it.
    pub(super) fn connect(&self) -> io::Result<OwnedFd> {
        let socket = new_socket()?;
        connect(&socket, &self.socket_address()?)?;
        Ok(socket)
    }
}

fn new_socket() -> Result<OwnedFd, Errno> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)
}

/// An address that belongs to this process.
#[derive(Debug)]
pub(crate) struct Bound {
    pub(super) socket: OwnedFd,
    file: Option<PathBuf>,
}

impl Drop for Bound {
    fn drop(&mut self) {
        if let Some(file) = &self.file {
            let _ = std::fs::remove_file(file);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken_once(path: &str) {
        let address = Address::new(path, 7, 1, Some(0o600));
        let first = address.bind().unwrap();
        let said = address.bind().unwrap_err().to_string();
        let expected = "unable to bind domain socket with base_id=7, id=1, errno=98 (see --base-id option)";
        assert_eq!(said, expected);
        drop(first);
        drop(address.bind().unwrap());
        assert!(address.connect().is_err());
    }

    #[test]
    fn an_address_belongs_to_one_process() {
        taken_once(&format!("@mimir-mirror-test-{}", std::process::id()));
        taken_once(&std::env::temp_dir().join(format!("mm-{}", std::process::id())).display().to_string());
    }

    #[test]
    fn a_file_left_behind_is_replaced() {
        let path = std::env::temp_dir().join(format!("mm-left-{}", std::process::id())).display().to_string();
        let address = Address::new(&path, 0, 0, None);
        let bound = address.bind().unwrap();
        let Bound { file, .. } = &bound;
        let file = file.clone().unwrap();
        std::fs::hard_link(&file, file.with_extension("kept")).unwrap();
        drop(bound);
        std::fs::rename(file.with_extension("kept"), &file).unwrap();
        drop(address.bind().unwrap());
    }
}
