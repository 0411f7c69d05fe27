//! Looking at a directory without changing it: which files are ours, and what they hold.

use std::collections::BTreeSet;
use std::io;
use std::path::Path;

use crate::error::OpenError;
use crate::format::{FILE_HEADER, FileHeader, FileKind, HeaderFault, KIND_MAX, RecordHeader};
use crate::fs::{File, Fs, Listed, read_full};
use crate::index::{Index, Located};
use crate::names;
use crate::recovery::ForeignReason;
use crate::scan::{Depth, Scanned, scan};
use crate::seal;
use crate::store::Segment;

/// Everything in the directory but lock and checkpoint.
#[derive(Debug, Default)]
pub(crate) struct Survey {
    pub(crate) segments: Vec<Surveyed>,
    /// Number, name and length of files that a crash left between their making and their first record.
    pub(crate) empty: Vec<(u64, String, u64)>,
    pub(crate) unreadable: Vec<u64>,
    pub(crate) foreign: Vec<(String, ForeignReason)>,
}

/// A segment as it was found.
#[derive(Debug)]
pub(crate) struct Surveyed {
    pub(crate) segment: Segment,
    pub(crate) scanned: Scanned,
    pub(crate) sealed: bool,
    pub(crate) header_damaged: bool,
    pub(crate) mirror: Option<u64>,
}

/// What one file turned out to be.
enum Examined {
    Segment(Surveyed),
    Empty(u64),
    Foreign(ForeignReason),
}

impl Survey {
    /// Reads all of `dir`; `mirror` is whose segments to accept (`None`: anybody's).
    pub(crate) fn take<S: Fs>(fs: &S, dir: &Path, mirror: Option<u64>) -> Result<Self, OpenError> {
        let mut listed = fs.list(dir).map_err(|source| OpenError::Io {
            what: "cannot list",
            path: dir.to_owned(),
            source,
        })?;
        listed.sort_by(|a, b| a.name.cmp(&b.name));
        let mut survey = Self::default();
        let mut numbers = BTreeSet::new();
        for Listed { name, is_file } in listed {
            if is_file && [names::LOCK, names::CHECKPOINT, names::CHECKPOINT_NEW].contains(&name.as_str()) {
                continue;
            }
            let Some((number, salt)) = names::parse(&name).filter(|_| is_file) else {
                survey.foreign.push((name, ForeignReason::Name));
                continue;
            };
            match examine(fs, &dir.join(&name), number, salt, mirror) {
                Ok(Examined::Segment(segment)) if numbers.insert(number) => survey.segments.push(segment),
                Ok(Examined::Segment(_)) => survey.foreign.push((name, ForeignReason::Twice)),
                Ok(Examined::Empty(len)) => survey.empty.push((number, name, len)),
                Ok(Examined::Foreign(reason)) => survey.foreign.push((name, reason)),
                Err(Trouble::Future(version)) => {
                    return Err(OpenError::FutureVersion { file: dir.join(name), version });
                }
                // Removed since it was listed, by the process that an inspection looks at.
                Err(Trouble::Io(error)) if error.kind() == io::ErrorKind::NotFound => {}
                Err(Trouble::Io(_)) => survey.unreadable.push(number),
            }
        }
        Ok(survey)
    }
}

enum Trouble {
    Future(u32),
    Io(io::Error),
}

fn examine<S: Fs>(
    fs: &S,
    path: &Path,
    number: u64,
    salt: u64,
    mirror: Option<u64>,
) -> Result<Examined, Trouble> {
    let file = fs.open(path).map_err(Trouble::Io)?;
    let len = file.len().map_err(Trouble::Io)?;
    let mut bytes = [0; FILE_HEADER as usize];
    let read = read_full(&file, &mut bytes, 0).map_err(Trouble::Io)?;
    let bytes = bytes.get(..read).unwrap_or_default();
    let owner = match FileHeader::decode(bytes) {
        Err(HeaderFault::Future(version)) => return Err(Trouble::Future(version)),
        Err(HeaderFault::Damaged) => None,
        Ok(header) if header.kind != FileKind::Segment || (header.number, header.salt) != (number, salt) => {
            return Ok(Examined::Foreign(ForeignReason::Renamed));
        }
        Ok(header) => Some(header.mirror),
    };
    if owner.is_some_and(|owner| mirror.is_some_and(|mirror| mirror != owner)) {
        return Ok(Examined::Foreign(ForeignReason::OtherMirror));
    }
    let surveyed = read_records(&file, len, number, salt, owner);
    if owner.is_none() && surveyed.segment.index.entries().is_empty() && !surveyed.scanned.refused {
        let ours = bytes.iter().zip(b"mmBKLOG\n").all(|(byte, magic)| *byte == 0 || byte == magic);
        return Ok(if ours { Examined::Empty(len) } else { Examined::Foreign(ForeignReason::Content) });
    }
    Ok(Examined::Segment(surveyed))
}

fn read_records(file: &impl File, len: u64, number: u64, salt: u64, mirror: Option<u64>) -> Surveyed {
    let sealed = seal::read(file, len, salt).ok().flatten();
    let mut scanned = Scanned::default();
    let (sealed, index) = match sealed {
        Some(index) => (true, index),
        None => {
            let mut index = Index::default();
            scanned = scan(file, len, salt, Depth::Full, |offset, header| add(&mut index, offset, header));
            (false, index)
        }
    };
    let mut segment = Segment::new(number, salt, len, index);
    segment.pinned = scanned.refused;
    Surveyed { segment, scanned, sealed, header_damaged: mirror.is_none(), mirror }
}

/// Seals are passed over: here they are of no use.
pub(crate) fn add(index: &mut Index, offset: u64, header: &RecordHeader) {
    let RecordHeader { place, arrival_ms, length, kind, .. } = *header;
    if kind <= KIND_MAX {
        index.push(&Located { place, arrival_ms, offset, length });
    }
}
