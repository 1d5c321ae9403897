//! Stores and removals of a space.

use std::sync::atomic::Ordering::Relaxed;

use super::bound;
use super::catalog::{Growth, Located};
use super::failure::{Failure, Outcome};
use super::files;
use super::format::{Content, HEADER, Kind, LONGEST_RECORD, LONGEST_VALUE, Record, RecordKey, ValueFile};
use super::space::{Lookup, Options, Space};
use super::value_files;
use super::writer::{Usable, Writer};
use crate::error::{Error, Result};
use crate::sync::MutexGuard;

/// The longest segment.
const LONGEST: u64 = 64 << 20;

/// A segment has at most this part of the bound.
const PART: u64 = 64;

/// The most values in files of one segment: they share a folder.
const MOST_FILES: u32 = 1024;

/// The result of a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stored {
    /// The operating system has the record.
    Stored,
    /// The value is longer than a quarter of the bound.
    TooLong,
    /// The space is only read.
    ReadOnly,
}

/// A value to be stored, and the nanoseconds that it took to compute; 0 if that is not known.
#[derive(Clone, Copy)]
pub struct Entry<'e> {
    /// The key.
    pub key: &'e [u8],
    /// The value.
    pub value: &'e [u8],
    /// The cost.
    pub cost_ns: u64,
}

impl Space {
    /// Stores a value.
    pub fn store(&self, entry: Entry) -> Outcome<Stored> {
        let mut stored = Ok(Stored::ReadOnly);
        self.store_many(std::slice::from_ref(&entry), |_, outcome| stored = outcome);
        stored
    }

    /// Stores many values, and calls `done` with the index of each and the result. Values that follow each other are
    /// written at once.
    pub fn store_many(&self, entries: &[Entry], mut done: impl FnMut(usize, Outcome<Stored>)) {
        if self.options.read_only {
            return (0..entries.len()).for_each(|at| done(at, Ok(Stored::ReadOnly)));
        }
        let mut writer = self.writer.lock();
        for (at, entry) in entries.iter().enumerate() {
            done(at, self.watch(self.store_one(&mut writer, *entry)));
        }
    }

    fn store_one(&self, writer: &mut MutexGuard<Option<Writer>>, entry: Entry) -> Outcome<Stored> {
        let key = RecordKey::of(entry.key);
        let hash = key.hash();
        let has_file = entry.value.len() > LONGEST_VALUE || matches!(key, RecordKey::Digest(_));
        let in_file = if has_file { (HEADER + entry.key.len() + entry.value.len()) as u64 } else { 0 };
        if in_file > self.max_bytes() / 4 {
            return Ok(Stored::TooLong);
        }
        let mut bytes = Vec::new();
        let content = |file: ValueFile| if has_file { Content::File(file) } else { Content::Value(entry.value) };
        let none = ValueFile { number: 0, key_len: 0, value_len: 0, digest: [0; 16] };
        let mut record = Record { key, content: content(none), cost: entry.cost_ns as f32 };
        let current = self.ready(writer, hash, record.len() as u64, in_file)?;
        if has_file {
            // The number is taken even if the file cannot be written.
            let file = value_files::describe(current.files, entry.key, entry.value);
            current.files += 1;
            let (folder, header) = (current.segment.value_folder(), current.segment.header);
            let modes = (self.directory.directory_mode(), self.directory.file_mode());
            value_files::write(&folder, modes, &header, &file, entry.key, entry.value, self.options.sync)?;
            current.file_bytes += bound::rounded(in_file);
            record.content = content(file);
        }
        record.encode(&current.segment.header, current.end, &mut bytes);
        let old = self.locate(hash);
        self.append(writer, hash, &record, &bytes)?;
        if let Some(old) = old {
            self.remove_value_file(&old);
        }
        Ok(Stored::Stored)
    }

    /// Removes a key; returns whether it had a value.
    pub fn remove(&self, key: &[u8]) -> Result<bool> {
        self.check_writable()?;
        let mut writer = self.writer.lock();
        self.watch(self.refresh())?;
        let key = RecordKey::of(key);
        let hash = key.hash();
        let Some(located) = self.locate(hash).filter(|located| located.extent.kind() != Kind::Removed) else {
            return Ok(false);
        };
        let record = Record { key, content: Content::Removed, cost: 0.0 };
        let remove = |writer: &mut MutexGuard<Option<Writer>>| {
            let current = self.ready(writer, hash, record.len() as u64, 0)?;
            let mut bytes = Vec::new();
            record.encode(&current.segment.header, current.end, &mut bytes);
            self.append(writer, hash, &record, &bytes)
        };
        self.watch(remove(&mut writer))?;
        self.remove_value_file(&located);
        Ok(true)
    }

    /// Removes the file of a value that is not found any more. Without it, it would stay as long as its segment.
    fn remove_value_file(&self, Located { segment, offset, extent, .. }: &Located) {
        if extent.kind() != Kind::File {
            return;
        }
        let Ok(bytes) = segment.read(*offset, *extent) else { return };
        if let Some(Record { content: Content::File(file), .. }) = Record::decode(&segment.header, *offset, &bytes) {
            let _ = files::remove(&segment.value_folder().join(file.name()));
        }
    }

    /// Removes all values of this identity and role.
    pub fn clear(&self) -> Result<()> {
        self.check_writable()?;
        let mut writer = self.writer.lock();
        let mut listed = self.listed.lock();
        // Its file is removed with all others.
        *writer = None;
        *listed = None;
        let discarded = self.watch(self.directory.discard(&self.folder));
        self.change(|catalog| {
            let all: Vec<u16> = catalog.segments().map(|(number, _)| number).collect();
            catalog.drop_segments(&all);
        });
        self.reads.clear();
        Ok(discarded?)
    }

    fn check_writable(&self) -> Result<()> {
        match self.options.read_only {
            false => Ok(()),
            true => Err(Error::Unsupported("the disk cache is read_only; nothing can be removed from it")),
        }
    }

    /// Has everything that this process stored written to the storage device.
    pub fn sync(&self) -> Result<()> {
        if let Some(writer) = &*self.writer.lock() {
            self.watch(writer.sync())?;
        }
        Ok(())
    }

    /// Seals the segment of this process. Without that, the next process does it.
    pub fn close(&self) {
        let Some(writer) = self.writer.lock().take() else { return };
        if writer.is_own() && !self.writer_is_lost.load(Relaxed) {
            match writer.end > HEADER as u64 {
                true => drop(self.watch(writer.seal())),
                false => writer.discard(),
            }
        }
    }

    /// The bound.
    pub(super) fn max_bytes(&self) -> u64 {
        self.options.max_bytes.max(Options::LEAST_BYTES)
    }

    /// The most bytes of a segment with the files of its values. One record fits in any case.
    pub(super) fn segment_bytes(&self) -> u64 {
        (self.max_bytes() / PART).min(LONGEST)
    }

    /// A writer with room for a record of this hash and length, and for its file.
    fn ready<'w>(
        &self,
        writer: &'w mut MutexGuard<Option<Writer>>,
        hash: u64,
        len: u64,
        in_file: u64,
    ) -> Outcome<&'w mut Writer> {
        debug_assert!(len as usize <= LONGEST_RECORD);
        self.refresh_if_due()?;
        if let Some(current) = &mut **writer {
            let lost = self.writer_is_lost.load(Relaxed) || !current.is_own();
            let used = current.end + current.file_bytes;
            let full = current.end > HEADER as u64 && used + len + in_file > self.segment_bytes();
            // Its records would be taken for older ones than the one that is replaced.
            let old = self.catalog.read().is_after(hash, &current.segment.name);
            if lost {
                **writer = None;
            } else if full || old || current.files >= MOST_FILES {
                let sealed = current.seal();
                let number = current.number;
                **writer = None;
                let growth = if self.watch(sealed).is_ok() { Growth::Sealed } else { Growth::ReadTo(HEADER as u64) };
                self.change(|catalog| catalog.grow(number, growth));
            } else {
                current.note_alive();
            }
        }
        if writer.is_none() {
            **writer = Some(self.begin_segment(in_file)?);
        }
        Ok(writer.as_mut().expect("it was made"))
    }

    /// Begins a segment, and makes room for it within the bound.
    fn begin_segment(&self, in_file: u64) -> Outcome<Writer> {
        let modes = (self.directory.directory_mode(), self.directory.file_mode());
        files::make_directories(&self.folder, modes.0).map_err(Failure::of("make the directory", &self.folder))?;
        // Segments that are about to be removed are opened now, so that what is worth keeping can be copied.
        self.refresh()?;
        let room = self.segment_bytes().max(in_file) + LONGEST_RECORD as u64;
        let removed = bound::enforce(&self.directory, self.max_bytes().saturating_sub(room))?;
        let order = self.catalog.read().next_order();
        let mut writer = Writer::create(&self.folder, modes, self.digest, order)?;
        self.writer_is_lost.store(false, Relaxed);
        let added = self.change(|catalog| catalog.add(writer.segment.clone(), Growth::Own));
        writer.number =
            added.map_err(|error| Failure::of("index", &self.folder)(std::io::Error::other(error.to_string())))?;
        let own: Vec<_> = removed.into_iter().filter(|usage| usage.folder == self.folder).collect();
        for usage in own {
            self.rescue(&usage.name, &mut writer)?;
        }
        Ok(writer)
    }

    /// Copies what is worth keeping from a segment that was removed to a new one: what this process has read, and what
    /// took long to compute; at most a quarter.
    fn rescue(&self, name: &super::names::Name, writer: &mut Writer) -> Outcome<()> {
        let found = {
            let catalog = self.catalog.read();
            catalog
                .segments()
                .find(|(_, known)| known.segment.name == *name)
                .map(|(number, known)| (number, known.segment.clone()))
        };
        let Some((number, segment)) = found else { return Ok(()) };
        // A segment whose descriptor was closed is gone.
        let Ok((footer, _)) = segment.parts() else { return Ok(()) };
        let len: u64 = footer.parts().map(|(.., extent)| extent.len() as u64).sum();
        let (mean, mut room) = (footer.cost / len.max(1) as f64, len.min(self.segment_bytes()) / 4);
        for (hash, offset, extent) in footer.parts() {
            let counts = self.locate(hash).is_some_and(|its| its.offset == offset && its.segment.name == *name);
            if extent.kind() != Kind::Value || !counts || extent.len() as u64 > room {
                continue;
            }
            let Ok(bytes) = segment.read(offset, extent) else { continue };
            let Some(record) = Record::decode(&segment.header, offset, &bytes) else { continue };
            if self.reads.has(hash) || f64::from(record.cost) > 4.0 * mean * extent.len() as f64 {
                room -= extent.len() as u64;
                let mut copy = Vec::new();
                record.encode(&writer.segment.header, writer.end, &mut copy);
                let at = writer.end;
                writer.append(&copy, false).map_err(|(failure, _)| failure)?;
                let _ = self.change(|catalog| catalog.note(writer.number, hash, at, extent));
            }
        }
        self.reads.clear();
        let _listed = self.listed.lock();
        self.change(|catalog| catalog.drop_segments(&[number]));
        Ok(())
    }

    /// Appends the bytes of a record and notes it.
    fn append(&self, writer: &mut MutexGuard<Option<Writer>>, hash: u64, record: &Record, bytes: &[u8]) -> Outcome<()> {
        let current = writer.as_mut().expect("it is ready");
        let (number, offset) = (current.number, current.end);
        let appended = current.append(bytes, self.options.sync);
        if let Err((failure, usable)) = appended {
            if usable == Usable::No {
                // The next process seals it, without what was written in part.
                **writer = None;
                self.change(|catalog| catalog.grow(number, Growth::ReadTo(offset)));
                return Err(failure);
            }
            if current.end == offset {
                return Err(failure);
            }
        }
        let noted = self.change(|catalog| catalog.note(number, hash, offset, record.extent()));
        noted.map_err(|error| Failure::of("index", &self.folder)(std::io::Error::other(error.to_string())))
    }

    /// As [`Space::find`], for keys that other processes may have stored this moment.
    pub fn find_now(&self, key: &[u8]) -> Outcome<Lookup> {
        self.watch(self.refresh())?;
        self.find(key)
    }
}

impl Drop for Space {
    fn drop(&mut self) {
        self.close();
    }
}
