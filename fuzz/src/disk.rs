//! A disk in memory without faults of its own, for a backlog whose files others damage.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::{self, IoSlice};
use std::path::Path;
use std::rc::Rc;

use backlog::fs::{File, Fs, Listed};

type Bytes = Rc<RefCell<Vec<u8>>>;

/// Clones share the files. There is one directory.
#[derive(Clone, Default)]
pub(crate) struct Disk(Rc<RefCell<BTreeMap<String, Bytes>>>);

pub(crate) struct Open(Bytes);

impl Disk {
    pub(crate) fn names(&self) -> Vec<String> {
        self.0.borrow().keys().cloned().collect()
    }

    pub(crate) fn change(&self, name: &str, change: impl FnOnce(&mut Vec<u8>)) {
        if let Some(file) = self.0.borrow().get(name) {
            change(&mut file.borrow_mut());
        }
    }
}

fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn missing() -> io::Error {
    io::ErrorKind::NotFound.into()
}

impl Fs for Disk {
    type File = Open;
    type Lock = ();

    fn make_dir(&self, _: &Path) -> io::Result<()> {
        Ok(())
    }

    fn list(&self, _: &Path) -> io::Result<Vec<Listed>> {
        Ok(self.names().into_iter().map(|name| Listed { name, is_file: true }).collect())
    }

    fn create(&self, path: &Path) -> io::Result<Open> {
        let file = Bytes::default();
        match self.0.borrow_mut().insert(name(path), Rc::clone(&file)) {
            None => Ok(Open(file)),
            Some(_) => Err(io::ErrorKind::AlreadyExists.into()),
        }
    }

    fn open(&self, path: &Path) -> io::Result<Open> {
        self.0.borrow().get(&name(path)).cloned().map(Open).ok_or_else(missing)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut files = self.0.borrow_mut();
        let file = files.remove(&name(from)).ok_or_else(missing)?;
        files.insert(name(to), file);
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.0.borrow_mut().remove(&name(path)).map(drop).ok_or_else(missing)
    }

    fn sync_dir(&self, _: &Path) -> io::Result<()> {
        Ok(())
    }

    fn lock(&self, _: &Path) -> io::Result<Option<()>> {
        Ok(Some(()))
    }

    fn is_locked(&self, _: &Path) -> io::Result<bool> {
        Ok(false)
    }

    fn salt(&self) -> u64 {
        0x0123_4567_89ab_cdef
    }
}

impl File for Open {
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.borrow().len() as u64)
    }

    fn write_at(&self, parts: &[IoSlice<'_>], offset: u64) -> io::Result<usize> {
        let (mut bytes, mut at) = (self.0.borrow_mut(), place(offset)?);
        let begin = at;
        for part in parts {
            let end = at + part.len();
            if bytes.len() < end {
                bytes.resize(end, 0);
            }
            bytes[at..end].copy_from_slice(part);
            at = end;
        }
        Ok(at - begin)
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let bytes = self.0.borrow();
        let there = bytes.get(place(offset)?..).unwrap_or_default();
        let count = there.len().min(buffer.len());
        buffer[..count].copy_from_slice(&there[..count]);
        Ok(count)
    }

    fn truncate(&self, len: u64) -> io::Result<()> {
        self.0.borrow_mut().resize(place(len)?, 0);
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        Ok(())
    }
}

/// Files here are small.
fn place(offset: u64) -> io::Result<usize> {
    usize::try_from(offset).ok().filter(|at| *at < 1 << 28).ok_or_else(|| io::ErrorKind::FileTooLarge.into())
}
