//! What is acknowledged, on disk: one file that grows by what is new and is written afresh when it has grown long.
//!
//! Acknowledgements are kept as byte ranges of segments, not as places: byte ranges of neighbours join whatever
//! places they have, and stay right when damage hides how many records lie before them.

use std::collections::BTreeMap;
use std::io::{self, IoSlice};
use std::path::Path;

use crate::bugs::{Bug, seeded};
use crate::bytes::Fields;
use crate::error::OpenError;
use crate::format::{
    FILE_HEADER, FileHeader, FileKind, HeaderFault, KIND_CHECKPOINT, RECORD_HEADER, RecordHeader,
};
use crate::fs::{File, Fs, read_full, write_all};
use crate::names;
use crate::ranges::RangeSet;
use crate::recovery::CheckpointState;
use crate::scan::{Depth, scan};

/// The file is written afresh when it is longer than this and four times its first record.
const LOG_MIN: u64 = 64 << 10;

/// What a checkpoint says; also what is to be added to it.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct State {
    /// Larger than every segment number ever used.
    pub(crate) next_segment: u64,
    /// Larger than every place ever appended.
    pub(crate) next_place: u64,
    /// Numbers of segments that are given up, whether or not their files are gone already.
    pub(crate) gone: RangeSet,
    /// Bytes of other segments that are done with.
    pub(crate) done: BTreeMap<u64, RangeSet>,
}

impl State {
    pub(crate) fn is_empty(&self) -> bool {
        self.gone.is_empty() && self.done.is_empty()
    }

    pub(crate) fn finish(&mut self, segment: u64, start: u64, end: u64) {
        self.done.entry(segment).or_default().insert(start, end);
    }

    fn merge(&mut self, other: &Self) {
        self.next_segment = self.next_segment.max(other.next_segment);
        self.next_place = self.next_place.max(other.next_place);
        self.gone.extend(&other.gone);
        for (segment, ranges) in &other.done {
            self.done.entry(*segment).or_default().extend(ranges);
        }
    }

    fn encode(&self) -> Vec<u8> {
        let done = || {
            self.done.iter().flat_map(|(segment, ranges)| ranges.iter().map(move |range| (*segment, range)))
        };
        let counts = [self.gone.iter().count() as u64, done().count() as u64];
        let fixed = [self.next_segment, self.next_place].into_iter().chain(counts);
        let gone = self.gone.iter().flat_map(|(start, end)| [start, end]);
        let done = done().flat_map(|(segment, (start, end))| [segment, start, end]);
        fixed.chain(gone).chain(done).flat_map(u64::to_le_bytes).collect()
    }

    fn decode(payload: &[u8]) -> Option<Self> {
        let mut fields = Fields(payload);
        let mut state = Self { next_segment: fields.long()?, next_place: fields.long()?, ..Self::default() };
        let (gone, done) = (fields.long()?, fields.long()?);
        for _ in 0..gone {
            state.gone.insert(fields.long()?, fields.long()?);
        }
        for _ in 0..done {
            state.finish(fields.long()?, fields.long()?, fields.long()?);
        }
        Some(state)
    }
}

/// The checkpoint's records need no secret salt, since no client has a say in them; a fixed one lets them be found
/// even when the header is damaged.
fn salt(mirror: u64) -> u64 {
    mirror
}

/// Reads the checkpoint of `dir`. Only a newer version or a checkpoint of another mirror than `mirror` (`None`: any) is
/// an error.
pub(crate) fn load<S: Fs>(
    fs: &S,
    dir: &Path,
    mirror: Option<u64>,
) -> Result<(CheckpointState, State), OpenError> {
    let path = dir.join(names::CHECKPOINT);
    let mut state = State::default();
    let file = match fs.open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok((CheckpointState::Fresh, state)),
        Err(_) => return Ok((CheckpointState::Damaged, state)),
    };
    let mut header = [0; FILE_HEADER as usize];
    let read = read_full(&file, &mut header, 0).unwrap_or(0);
    let owner = match FileHeader::decode(header.get(..read).unwrap_or_default()) {
        Ok(header) => {
            Some(header).filter(|header| header.kind == FileKind::Checkpoint).map(|header| header.mirror)
        }
        Err(HeaderFault::Future(version)) => return Err(OpenError::FutureVersion { file: path, version }),
        Err(HeaderFault::Damaged) => None,
    };
    if owner.is_some_and(|owner| mirror.is_some_and(|mirror| mirror != owner)) {
        return Err(OpenError::OtherMirror { dir: dir.to_owned() });
    }
    let Some(mirror) = mirror.or(owner) else { return Ok((CheckpointState::Damaged, state)) };
    let mut sound = owner.is_some();
    let len = file.len().unwrap_or(0);
    let mut records = Vec::new();
    let scanned = scan(&file, len, salt(mirror), Depth::Full, |offset, header| {
        if header.kind == KIND_CHECKPOINT {
            records.push((offset, header.length));
        }
    });
    sound &= scanned.damaged.is_empty() && !scanned.refused && !records.is_empty();
    for (offset, length) in records {
        match payload(&file, offset, length).as_deref().and_then(State::decode) {
            Some(delta) => state.merge(&delta),
            None => sound = false,
        }
    }
    Ok((if sound { CheckpointState::Loaded } else { CheckpointState::Damaged }, state))
}

/// Whose checkpoint is in `dir`, if there is one with a sound header.
pub(crate) fn owner<S: Fs>(fs: &S, dir: &Path) -> Option<u64> {
    let file = fs.open(&dir.join(names::CHECKPOINT)).ok()?;
    let mut header = [0; FILE_HEADER as usize];
    let read = read_full(&file, &mut header, 0).ok()?;
    let header = FileHeader::decode(header.get(..read)?).ok()?;
    (header.kind == FileKind::Checkpoint).then_some(header.mirror)
}

fn payload(file: &impl File, offset: u64, length: u32) -> Option<Vec<u8>> {
    let mut bytes = vec![0; usize::try_from(length).ok()?];
    let read = read_full(file, &mut bytes, offset.saturating_add(RECORD_HEADER)).ok()?;
    (read == bytes.len()).then_some(bytes)
}

/// The checkpoint as this process writes it.
#[derive(Debug)]
pub(crate) struct Log<F> {
    /// `None` until the first write and after one that failed: then the whole state is written afresh.
    file: Option<F>,
    end: u64,
    first: u64,
}

impl<F: File> Log<F> {
    pub(crate) fn new() -> Self {
        Self { file: None, end: 0, first: 0 }
    }

    /// Whether the file on disk says all that was written so far.
    pub(crate) fn is_open(&self) -> bool {
        self.file.is_some()
    }

    /// Whether [`Log::add`] can be used.
    pub(crate) fn takes_more(&self) -> bool {
        self.file.is_some() && self.end <= LOG_MIN.saturating_add(self.first.saturating_mul(4))
    }

    /// Appends what is new, and makes it durable if `durable`. After an error the file is not used again.
    pub(crate) fn add(&mut self, mirror: u64, new: &State, durable: bool) -> io::Result<()> {
        let Some(file) = self.file.take() else { return Err(io::ErrorKind::NotFound.into()) };
        let record = record(mirror, new, self.end)?;
        write_all(&file, &mut [IoSlice::new(&record)], self.end)?;
        if durable {
            file.sync()?;
        }
        self.end = self.end.saturating_add(record.len() as u64);
        self.file = Some(file);
        Ok(())
    }

    /// Writes the whole state to a new file, which takes the place of the old one once it is durable.
    pub(crate) fn rewrite<S: Fs<File = F>>(
        &mut self,
        fs: &S,
        dir: &Path,
        mirror: u64,
        whole: &State,
        durable: bool,
    ) -> io::Result<()> {
        self.file = None;
        let new = dir.join(names::CHECKPOINT_NEW);
        match fs.remove(&new) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let header =
            FileHeader { kind: FileKind::Checkpoint, mirror, number: 0, salt: salt(mirror) }.encode();
        let record = record(mirror, whole, FILE_HEADER)?;
        let file = fs.create(&new)?;
        let written = write_all(&file, &mut [IoSlice::new(&header), IoSlice::new(&record)], 0)
            .and_then(|()| if durable && !seeded(Bug::RenameBeforeSync) { file.sync() } else { Ok(()) })
            .and_then(|()| fs.rename(&new, &dir.join(names::CHECKPOINT)));
        if let Err(error) = written {
            // It would be removed before the next try anyway; on a full disk its bytes are worth having back now.
            let _ = fs.remove(&new);
            return Err(error);
        }
        if durable && !seeded(Bug::NoDirectorySync) {
            fs.sync_dir(dir)?;
        }
        self.first = record.len() as u64;
        self.end = FILE_HEADER.saturating_add(self.first);
        self.file = Some(file);
        Ok(())
    }
}

fn record(mirror: u64, state: &State, offset: u64) -> io::Result<Vec<u8>> {
    let payload = state.encode();
    let length = u32::try_from(payload.len()).map_err(|_| io::Error::from(io::ErrorKind::FileTooLarge))?;
    let header = RecordHeader {
        length,
        place: 0,
        arrival_ms: 0,
        tenant: 0,
        kind: KIND_CHECKPOINT,
        payload_crc: crc32c::crc32c(&payload),
    };
    let mut record = Vec::with_capacity(payload.len().saturating_add(64));
    header.encode(salt(mirror), offset, &mut record);
    record.extend(payload);
    Ok(record)
}
