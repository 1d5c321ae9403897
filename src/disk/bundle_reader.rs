//! Reading a bundle: all of it in order, or as a space that is only read.
//!
//! A program that names a file trusts it, also one of another user. Everything that is read from it is checked, so
//! damage, and a file that changes meanwhile, give misses.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::description::{self, Description};
use super::failure::{Failure, Outcome};
use super::files;
use super::format::{Content, FileKind, HEADER, Header, LONGEST_RECORD, Record, RecordKey, UNIT, VERSION, ValueFile};
use super::segment::{Segment, is_value};
use super::value_files::OpenValue;
use crate::error::{Error, Result};

/// The bytes that are read at once; more than the longest record.
const CHUNK: usize = 1 << 20;

/// How far ahead keys are announced: enough for the memory to answer meanwhile.
const AHEAD: usize = 8;

const _: () = assert!(CHUNK > LONGEST_RECORD);

/// A bundle.
pub struct Bundle {
    segment: Arc<Segment>,
    description: Description,
}

/// A part of a bundle.
pub enum Item<'b> {
    /// A value.
    Value {
        /// Its key.
        key: &'b [u8],
        /// The value.
        value: &'b [u8],
        /// The nanoseconds that it took to compute; 0 if that is not known.
        cost_ns: u64,
    },
    /// A value for which the caller has no room.
    NoRoom,
    /// A damaged value, or a damaged list of the values.
    Damaged,
}

impl Bundle {
    /// The bundle with this path; symbolic links are followed.
    pub fn open(path: &Path) -> Result<Self> {
        if path.as_os_str().is_empty() {
            return Err(Error::invalid("the path is empty; it names the file of a saved cache"));
        }
        let path = path.canonicalize().map_err(Failure::of("open", path))?;
        let file = files::open(&path).map_err(Failure::of("open", &path))?;
        let not_a_bundle = |why: String| Error::Damaged(format!("{} {why}", path.display()).into());
        let mut bytes = vec![0; HEADER];
        let len = files::read_at(&file, &mut bytes, 0).map_err(Failure::of("read", &path))?;
        let header = match Header::decode(&bytes[..len]) {
            Some(header) if header.kind == FileKind::Bundle => header,
            Some(_) => return Err(not_a_bundle("is a file of a disk cache, not one that a cache was saved to".into())),
            None => {
                return Err(not_a_bundle(match Header::claimed_version(&bytes[..len]) {
                    Some(version) if version != VERSION => {
                        format!("has version {version} of the format; this library reads version {VERSION}")
                    }
                    Some(_) => "is damaged at its beginning; copy it again".into(),
                    None => "is not a file that a cache was saved to".into(),
                }));
            }
        };
        let len = usize::try_from(header.order).ok().filter(|len| *len <= description::LONGEST);
        let mut bytes = vec![0; len.unwrap_or(0)];
        let read = files::read_at(&file, &mut bytes, HEADER as u64).map_err(Failure::of("read", &path))?;
        let description = Description::decode(&header, &bytes[..read])
            .ok_or_else(|| not_a_bundle("is damaged where it says what it is; copy it again".into()))?;
        Ok(Bundle { segment: Arc::new(Segment::of_bundle(&path, header, file)), description })
    }

    /// What it is.
    pub fn description(&self) -> &Description {
        &self.description
    }

    /// Its path.
    pub fn path(&self) -> PathBuf {
        self.segment.path()
    }

    /// Its records.
    pub(super) fn segment(&self) -> &Arc<Segment> {
        &self.segment
    }

    /// Its records, without its description.
    pub(super) fn into_segment(self) -> Arc<Segment> {
        self.segment
    }

    /// Calls `see` with each value, in the order of the file. `has_room` is asked before a long value is read. `ahead`
    /// is called some values before, with a key that is not checked yet.
    pub fn read_all(
        &self,
        has_room: impl Fn(u64) -> bool,
        ahead: impl Fn(&[u8]),
        mut see: impl FnMut(Item),
    ) -> Outcome<()> {
        let (footer, is_damaged) = self.segment.parts()?;
        if is_damaged {
            see(Item::Damaged);
        }
        let file = self.segment.file()?;
        let mut window = Window { buffer: vec![0; CHUNK], start: 0, len: 0 };
        let mut later = footer.places().skip(AHEAD);
        for (offset, extent) in footer.places() {
            if let Some((offset, extent)) = later.next()
                && let Some(key) = window.peek(offset, extent.len()).and_then(Record::announced_key)
            {
                ahead(key);
            }
            if !is_value(extent.kind()) {
                continue;
            }
            let read = window.at(&file, offset, extent.len());
            let bytes = read.map_err(|error| Failure::of("read", &self.path())(error))?;
            match Record::decode(&self.segment.header, offset, bytes) {
                Some(Record { key: RecordKey::Whole(key), content: Content::Value(value), cost }) => {
                    see(Item::Value { key, value, cost_ns: cost.max(0.0) as u64 });
                }
                Some(record @ Record { content: Content::File(described), .. }) => {
                    self.read_long(&record, offset + record.len() as u64, described, &has_room, &mut see)?;
                }
                _ => see(Item::Damaged),
            }
        }
        Ok(())
    }

    /// Reads the value behind a record, which ends at `end`.
    fn read_long(
        &self,
        record: &Record,
        end: u64,
        described: ValueFile,
        has_room: impl Fn(u64) -> bool,
        mut see: impl FnMut(Item),
    ) -> Outcome<()> {
        let Some(open) = OpenValue::of_record(&self.segment, end, described)? else {
            see(Item::Damaged);
            return Ok(());
        };
        let mut value = Vec::new();
        // The file is as long as the record says.
        if !has_room(open.len() as u64) || value.try_reserve_exact(open.len()).is_err() {
            see(Item::NoRoom);
            return Ok(());
        }
        value.resize(open.len(), 0);
        let key = open.read_key()?;
        let is_whole = open.read_into(Some(&key), &mut value)? && RecordKey::of(&key) == record.key;
        see(match is_whole && self.is_padded(end, described)? {
            true => Item::Value { key: &key, value: &value, cost_ns: record.cost.max(0.0) as u64 },
            false => Item::Damaged,
        });
        Ok(())
    }

    /// Whether the bytes behind a long value are zeros, which no checksum covers.
    fn is_padded(&self, end: u64, described: ValueFile) -> Outcome<bool> {
        let mut padding = [0; UNIT];
        let len = (described.len_behind() - u64::from(described.key_len) - described.value_len) as usize;
        let file = self.segment.file()?;
        let read = files::read_at(&file, &mut padding[..len], end + described.len_behind() - len as u64);
        let read = read.map_err(|error| Failure::of("read", &self.path())(error))?;
        Ok(read == len && padding == [0; UNIT])
    }
}

/// The part of a file that is in memory.
struct Window {
    buffer: Vec<u8>,
    start: u64,
    len: usize,
}

impl Window {
    /// The bytes at an offset, if they are in memory.
    fn peek(&self, offset: u64, len: usize) -> Option<&[u8]> {
        let from = usize::try_from(offset.checked_sub(self.start)?).ok()?;
        self.buffer[..self.len].get(from..from.checked_add(len)?)
    }

    /// The bytes at an offset; fewer, if the file ends.
    fn at(&mut self, file: &File, offset: u64, len: usize) -> std::io::Result<&[u8]> {
        if self.peek(offset, len).is_none() {
            self.len = 0;
            self.len = files::read_at(file, &mut self.buffer, offset)?;
            self.start = offset;
        }
        let from = (offset - self.start) as usize;
        Ok(&self.buffer[from..self.len.min(from + len)])
    }
}
