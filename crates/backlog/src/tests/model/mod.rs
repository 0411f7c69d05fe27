//! A file system in memory that loses, tears and reorders what was not synced, runs full and fails on demand.
//!
//! It is harsher than the real ones: any subset of the unsynced writes, renames and removals may survive a loss of
//! power, each write whole, in pieces or as a hole. After a failed fsync the lost pages stay readable and count as
//! clean, as Linux does it.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::io::{self, IoSlice};
use std::path::Path;
use std::rc::Rc;

use crate::fs::{File, Fs, Listed};

mod disk;

pub(crate) use disk::Random;
use disk::{Change, NameChange, Node};

/// Calls that can be made to fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Call {
    Create,
    Open,
    Read,
    Write,
    Truncate,
    Sync,
    SyncDir,
    Rename,
    Remove,
}

#[derive(Debug, Clone)]
pub(crate) struct ModelFs(Rc<RefCell<State>>);

#[derive(Debug)]
pub(crate) struct ModelFile {
    fs: ModelFs,
    node: usize,
}

pub(crate) struct ModelLock {
    fs: ModelFs,
    boot: u64,
}

#[derive(Debug, Default)]
struct State {
    nodes: Vec<Node>,
    names: BTreeMap<String, usize>,
    durable_names: BTreeMap<String, usize>,
    name_changes: Vec<NameChange>,
    random: Random,
    boot: u64,
    locked: bool,
    crashed: bool,
    steps: u64,
    crash_at: Option<u64>,
    capacity: Option<u64>,
    short_writes: bool,
    faults: BTreeMap<Call, io::ErrorKind>,
    /// File and byte range that cannot be read.
    bad_sector: Option<(String, u64, u64)>,
    calls: BTreeMap<Call, u64>,
    salts: u64,
}

impl ModelFs {
    pub(crate) fn new(seed: u64) -> Self {
        let state = State { random: Random(Cell::new(seed)), ..State::default() };
        Self(Rc::new(RefCell::new(state)))
    }

    /// The machine loses power and starts again; or only the process ends.
    pub(crate) fn restart(&self, power_lost: bool) {
        let state = &mut *self.0.borrow_mut();
        if power_lost {
            for node in &mut state.nodes {
                for change in &node.pending {
                    change.survive(&state.random, &mut node.durable);
                }
                node.pending.clear();
                node.seen.clone_from(&node.durable);
            }
            for change in &state.name_changes {
                if state.random.coin() {
                    change.apply(&mut state.durable_names);
                }
            }
            state.name_changes.clear();
            state.names.clone_from(&state.durable_names);
        }
        state.boot += 1;
        (state.locked, state.crashed, state.crash_at) = (false, false, None);
        state.faults.clear();
        state.bad_sector = None;
    }

    /// The process dies at this many calls from now on.
    pub(crate) fn crash_after(&self, calls: u64) {
        let state = &mut *self.0.borrow_mut();
        state.crash_at = Some(state.steps + calls);
    }

    pub(crate) fn steps(&self) -> u64 {
        self.0.borrow().steps
    }

    pub(crate) fn crashed(&self) -> bool {
        self.0.borrow().crashed
    }

    /// The next such call fails.
    pub(crate) fn fail(&self, call: Call, kind: io::ErrorKind) {
        self.0.borrow_mut().faults.insert(call, kind);
    }

    pub(crate) fn heal(&self) {
        self.0.borrow_mut().faults.clear();
        self.0.borrow_mut().bad_sector = None;
    }

    pub(crate) fn set_capacity(&self, capacity: Option<u64>) {
        self.0.borrow_mut().capacity = capacity;
    }

    pub(crate) fn has_capacity(&self) -> bool {
        self.0.borrow().capacity.is_some()
    }

    pub(crate) fn set_short_writes(&self, short: bool) {
        self.0.borrow_mut().short_writes = short;
    }

    pub(crate) fn set_bad_sector(&self, name: &str, start: u64, end: u64) {
        self.0.borrow_mut().bad_sector = Some((name.to_owned(), start, end));
    }

    pub(crate) fn used(&self) -> u64 {
        self.0.borrow().used()
    }

    pub(crate) fn calls(&self, call: Call) -> u64 {
        self.0.borrow().calls.get(&call).copied().unwrap_or(0)
    }

    pub(crate) fn names(&self) -> Vec<String> {
        self.0.borrow().names.keys().cloned().collect()
    }

    pub(crate) fn bytes(&self, name: &str) -> Vec<u8> {
        let state = self.0.borrow();
        state.nodes[state.names[name]].seen.clone()
    }

    /// Puts bytes on the disk behind the store's back.
    pub(crate) fn put(&self, name: &str, bytes: &[u8]) {
        let state = &mut *self.0.borrow_mut();
        state.nodes.push(Node { seen: bytes.to_vec(), durable: bytes.to_vec(), pending: Vec::new() });
        state.names.insert(name.to_owned(), state.nodes.len() - 1);
        state.durable_names.insert(name.to_owned(), state.nodes.len() - 1);
    }

    pub(crate) fn delete(&self, name: &str) {
        let state = &mut *self.0.borrow_mut();
        state.names.remove(name);
        state.durable_names.remove(name);
    }

    fn enter(&self, call: Call) -> io::Result<bool> {
        let state = &mut *self.0.borrow_mut();
        if state.crashed {
            return Err(io::Error::other("the process is dead"));
        }
        state.steps += 1;
        *state.calls.entry(call).or_default() += 1;
        if state.crash_at.is_some_and(|at| state.steps >= at) {
            state.crashed = true;
            // Whether the call itself still happened is a matter of luck.
            return if state.random.coin() {
                Ok(false)
            } else {
                Err(io::Error::other("dies before the call"))
            };
        }
        match state.faults.get(&call) {
            Some(kind) if call != Call::Write && call != Call::Sync && call != Call::SyncDir => {
                Err((*kind).into())
            }
            _ => Ok(true),
        }
    }

    /// Runs a call; a process that dies after it never sees the result.
    fn call<T>(&self, call: Call, run: impl FnOnce(&mut State) -> io::Result<T>) -> io::Result<T> {
        let alive = self.enter(call)?;
        let result = run(&mut self.0.borrow_mut());
        if alive { result } else { Err(io::Error::other("dies after the call")) }
    }
}

impl State {
    fn used(&self) -> u64 {
        self.names.values().map(|node| self.nodes[*node].seen.len() as u64).sum()
    }

    fn node(&self, path: &Path) -> io::Result<usize> {
        self.names.get(&name(path)).copied().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    /// How many of `length` bytes a write may write now.
    fn allowed(&mut self, node: usize, offset: usize, length: usize) -> io::Result<usize> {
        let mut allowed = length;
        if let Some(kind) = self.faults.get(&Call::Write).copied() {
            // Some of it first: the error comes with the rest.
            allowed = self.random.below(length as u64) as usize;
            if allowed == 0 || self.random.coin() {
                self.faults.remove(&Call::Write);
                return Err(kind.into());
            }
        }
        if let Some(capacity) = self.capacity {
            let free = capacity.saturating_sub(self.used());
            let grows = (offset + length).saturating_sub(self.nodes[node].seen.len()) as u64;
            if grows > free {
                allowed = allowed.min(length - (grows - free) as usize);
            }
            if allowed == 0 {
                return Err(io::ErrorKind::StorageFull.into());
            }
        }
        if self.short_writes && length > 1 && self.random.coin() {
            allowed = allowed.min(1 + self.random.below(length as u64 - 1) as usize);
        }
        Ok(allowed)
    }

    fn change(&mut self, node: usize, change: Change) {
        let node = &mut self.nodes[node];
        change.apply(&mut node.seen);
        node.pending.push(change);
    }
}

fn name(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

impl Fs for ModelFs {
    type File = ModelFile;
    type Lock = ModelLock;

    fn make_dir(&self, _: &Path) -> io::Result<()> {
        Ok(())
    }

    fn list(&self, _: &Path) -> io::Result<Vec<Listed>> {
        let names = self.names().into_iter();
        Ok(names.map(|name| Listed { is_file: !name.ends_with(".d"), name }).collect())
    }

    fn create(&self, path: &Path) -> io::Result<ModelFile> {
        let name = name(path);
        let node = self.call(Call::Create, |state| {
            if state.names.contains_key(&name) {
                return Err(io::ErrorKind::AlreadyExists.into());
            }
            if state.capacity.is_some_and(|capacity| capacity <= state.used()) {
                return Err(io::ErrorKind::StorageFull.into());
            }
            state.nodes.push(Node::default());
            let node = state.nodes.len() - 1;
            state.names.insert(name.clone(), node);
            state.name_changes.push(NameChange::Create(name, node));
            Ok(node)
        })?;
        Ok(ModelFile { fs: self.clone(), node })
    }

    fn open(&self, path: &Path) -> io::Result<ModelFile> {
        let node = self.call(Call::Open, |state| state.node(path))?;
        Ok(ModelFile { fs: self.clone(), node })
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.call(Call::Rename, |state| {
            let node = state.node(from)?;
            let change = NameChange::Rename(name(from), name(to), node);
            change.apply(&mut state.names);
            state.name_changes.push(change);
            Ok(())
        })
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.call(Call::Remove, |state| {
            let change = NameChange::Remove(name(path), state.node(path)?);
            change.apply(&mut state.names);
            state.name_changes.push(change);
            Ok(())
        })
    }

    fn sync_dir(&self, _: &Path) -> io::Result<()> {
        self.call(Call::SyncDir, |state| {
            if let Some(kind) = state.faults.remove(&Call::SyncDir) {
                return Err(kind.into());
            }
            for change in std::mem::take(&mut state.name_changes) {
                change.apply(&mut state.durable_names);
            }
            Ok(())
        })
    }

    fn lock(&self, _: &Path) -> io::Result<Option<ModelLock>> {
        let state = &mut *self.0.borrow_mut();
        let free = !std::mem::replace(&mut state.locked, true);
        Ok(free.then(|| ModelLock { fs: self.clone(), boot: state.boot }))
    }

    fn is_locked(&self, _: &Path) -> io::Result<bool> {
        Ok(self.0.borrow().locked)
    }

    fn salt(&self) -> u64 {
        let state = &mut *self.0.borrow_mut();
        state.salts += 1;
        state.salts.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x1234_5678_9abc_def0
    }
}

impl Drop for ModelLock {
    fn drop(&mut self) {
        let mut state = self.fs.0.borrow_mut();
        if state.boot == self.boot {
            state.locked = false;
        }
    }
}

impl File for ModelFile {
    fn len(&self) -> io::Result<u64> {
        Ok(self.fs.0.borrow().nodes[self.node].seen.len() as u64)
    }

    fn write_at(&self, parts: &[IoSlice<'_>], offset: u64) -> io::Result<usize> {
        let mut bytes: Vec<u8> = parts.iter().flat_map(|part| part.iter().copied()).collect();
        self.fs.call(Call::Write, |state| {
            bytes.truncate(state.allowed(self.node, offset as usize, bytes.len())?);
            let written = bytes.len();
            state.change(self.node, Change::Write(offset as usize, bytes));
            Ok(written)
        })
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.fs.call(Call::Read, |state| {
            let bytes = state.nodes[self.node].seen.get(offset as usize..).unwrap_or_default();
            let mut read = bytes.len().min(buffer.len());
            if let Some((name, start, end)) = &state.bad_sector
                && state.names.get(name) == Some(&self.node)
                && offset < *end
                && offset + read as u64 > *start
            {
                // What comes before the bad bytes is still given.
                read = start.saturating_sub(offset) as usize;
                if read == 0 {
                    return Err(io::Error::from_raw_os_error(5));
                }
            }
            buffer[..read].copy_from_slice(&bytes[..read]);
            Ok(read)
        })
    }

    fn truncate(&self, len: u64) -> io::Result<()> {
        self.fs.call(Call::Truncate, |state| {
            state.change(self.node, Change::Length(len as usize));
            Ok(())
        })
    }

    fn sync(&self) -> io::Result<()> {
        self.fs.call(Call::Sync, |state| {
            let fails = state.faults.remove(&Call::Sync);
            let node = &mut state.nodes[self.node];
            for change in std::mem::take(&mut node.pending) {
                if fails.is_none() || state.random.coin() {
                    change.apply(&mut node.durable);
                }
            }
            fails.map_or(Ok(()), |kind| Err(kind.into()))
        })
    }
}
