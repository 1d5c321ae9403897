//! Long values, each in a file of its own: a header, the key, the value. The record in the segment has their digest. In
//! a bundle, key and value are behind the record instead.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::failure::{Failure, Outcome};
use super::files;
use super::format::{FileKind, HEADER, Header, ValueFile};
use super::segment::Segment;

/// The bytes of a key that are compared at once.
const CHUNK: usize = 64 << 10;

/// What the record of a value says of its file.
pub fn describe(number: u32, key: &[u8], value: &[u8]) -> ValueFile {
    ValueFile {
        number,
        key_len: u32::try_from(key.len()).expect("keys are shorter"),
        value_len: value.len() as u64,
        digest: digest(key.len(), |hasher| {
            hasher.update(key).update(value);
        }),
    }
}

/// Writes the file of a value, below a name that nobody looks for until its record is written. One that could not be
/// written is removed.
pub fn write(
    folder: &Path,
    modes: (u32, u32),
    segment: &Header,
    file: &ValueFile,
    key: &[u8],
    value: &[u8],
    sync: bool,
) -> Outcome<()> {
    let path = folder.join(file.name());
    let header = header(segment, file).encode();
    let create = || {
        files::make_directories(folder, modes.0)?;
        // A file of this name is left over from a store that failed.
        files::remove(&path)?;
        files::create_shared(&path, modes.1)
    };
    let write = |to: &File| {
        let (key_at, value_at) = (HEADER as u64, (HEADER + key.len()) as u64);
        files::check_len(file.len(), files::longest())?;
        files::write_checked(to, &header, 0)?;
        files::write_checked(to, key, key_at)?;
        files::write_checked(to, value, value_at)?;
        if sync { files::sync(to).and_then(|()| files::sync_directory(folder)) } else { Ok(()) }
    };
    let written = create().and_then(|to| {
        write(&to).inspect_err(|_| {
            let _ = files::remove(&path);
        })
    });
    written.map_err(Failure::of("write the value in", &path))
}

/// An open file of a value, which is read when the caller has room for it.
pub struct OpenValue {
    file: Arc<File>,
    path: PathBuf,
    /// Where the key begins.
    start: u64,
    described: ValueFile,
}

impl OpenValue {
    /// Opens the value that a record describes, which ends at `end` of its segment. `None` if there is another file or
    /// another length: callers make room for the value.
    pub fn of_record(segment: &Arc<Segment>, end: u64, described: ValueFile) -> Outcome<Option<Self>> {
        if !segment.is_bundle() {
            return Self::open(&segment.value_folder(), &segment.header, described);
        }
        let len = segment.len()?;
        let is_whole = end.checked_add(described.len_behind()).is_some_and(|end| end <= len);
        let whole = OpenValue { file: segment.file()?, path: segment.path(), start: end, described };
        Ok(is_whole.then_some(whole))
    }

    /// Opens the file that a record of a segment describes.
    fn open(folder: &Path, segment: &Header, described: ValueFile) -> Outcome<Option<Self>> {
        let path = folder.join(described.name());
        let file = match files::open(&path).map_err(Failure::of("open", &path)) {
            Err(failure) if failure.is_foreign() => return Ok(None),
            opened => opened?,
        };
        let mut bytes = [0; HEADER];
        let len = files::read_at(&file, &mut bytes, 0).map_err(Failure::of("read", &path))?;
        let whole = files::metadata(&file).map_err(Failure::of("look at", &path))?.len() == described.len();
        let belongs = whole && Header::decode(&bytes[..len]) == Some(header(segment, &described));
        Ok(belongs.then_some(OpenValue { file: Arc::new(file), path, start: HEADER as u64, described }))
    }

    /// The length of the value.
    pub fn len(&self) -> usize {
        usize::try_from(self.described.value_len).unwrap_or(usize::MAX)
    }

    /// Reads the key.
    pub fn read_key(&self) -> Outcome<Vec<u8>> {
        let mut key = Vec::new();
        while key.len() < self.described.key_len as usize {
            // Memory grows with what is there, not with what is announced.
            let (done, part) = (key.len(), CHUNK.min(self.described.key_len as usize - key.len()));
            key.try_reserve(part)
                .map_err(|_| Failure::of("read", &self.path)(std::io::ErrorKind::OutOfMemory.into()))?;
            key.resize(done + part, 0);
            let read = self.read_at(&mut key[done..], done)?;
            if read < part {
                key.truncate(done + read);
                break;
            }
        }
        Ok(key)
    }

    /// Reads the value into a buffer of its length. Returns whether value and key are undamaged; `key` is compared, if
    /// given.
    pub fn read_into(&self, key: Option<&[u8]>, value: &mut [u8]) -> Outcome<bool> {
        let stored = self.read_key()?;
        let read = self.read_at(value, self.described.key_len as usize)?;
        let digest = digest(stored.len(), |hasher| {
            hasher.update(&stored).update(value);
        });
        let whole = read == self.len() && stored.len() == self.described.key_len as usize;
        Ok(whole && digest == self.described.digest && key.is_none_or(|key| key == stored))
    }

    /// Reads at an offset from the beginning of the key.
    fn read_at(&self, buffer: &mut [u8], offset: usize) -> Outcome<usize> {
        files::read_at(&self.file, buffer, self.start + offset as u64).map_err(Failure::of("read", &self.path))
    }
}

fn header(segment: &Header, file: &ValueFile) -> Header {
    Header { kind: FileKind::Value, order: file.number.into(), ..*segment }
}

fn digest(key_len: usize, update: impl FnOnce(&mut blake3::Hasher)) -> [u8; 16] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&(key_len as u64).to_le_bytes());
    update(&mut hasher);
    *hasher.finalize().as_bytes().first_chunk().expect("32 bytes")
}
