//! Stores and removals of a space.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use super::catalog::{Growth, Located};
use super::failure::{Failure, Outcome};
use super::files;
use super::format::{Content, Footer, HEADER, Kind, LONGEST_RECORD, LONGEST_VALUE, Record, RecordKey, ValueFile};
use super::health::Evicted;
use super::kept_bound::{self, KeptBound};
use super::names::Name;
use super::open_files::Closes;
use super::segment::{Segment, is_value};
use super::space::{Options, Space};
use super::stamp::Stamp;
use super::writer::{Usable, Writer};
use super::{bound, compact, context, value_files};
use crate::error::{Error, Result};
use crate::memory::spare;
use crate::sync::MutexGuard;

/// The longest segment.
const LONGEST: u64 = 64 << 20;

/// A segment has at most this part of the bound.
const PART: u64 = 64;

/// The most values in files of one segment: they share a folder.
const MOST_FILES: u32 = 1024;

/// Of a segment that is removed, one of this number of parts may be kept.
const RESCUED: u64 = 4;

/// With more segments than this, small ones are joined; a full directory has a 64th of the bound in each.
const FRAGMENTED: usize = 256;

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

    /// Stores many values, one after another, and calls `done` with the index of each and the result.
    pub fn store_many(&self, entries: &[Entry], mut done: impl FnMut(usize, Outcome<Stored>)) {
        if self.options.read_only {
            return (0..entries.len()).for_each(|at| done(at, Ok(Stored::ReadOnly)));
        }
        let mut writer = self.writer.lock();
        self.leave_parent_writer(&mut writer);
        for (at, entry) in entries.iter().enumerate() {
            let mut stored = self.store_one(&mut writer, *entry);
            if let Some(current) = writer.as_ref().filter(|current| current.is_gone()) {
                // Somebody has removed or moved all values. The next segment is at a place where it is found.
                current.segment.set_lost();
                stored = self.store_one(&mut writer, *entry);
            }
            if stored.as_ref().is_err_and(Failure::lacks_space) {
                self.claims.announce_full();
            }
            done(at, self.watch(stored));
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
        let content = |file: ValueFile| if has_file { Content::File(file) } else { Content::Value(entry.value) };
        let none = ValueFile { number: 0, key_len: 0, value_len: 0, digest: [0; 16] };
        let mut record = Record { key, content: content(none), cost: entry.cost_ns as f32 };
        let mut bytes = record.buffer().map_err(Failure::of("store a value in", &self.folder))?;
        let current = self.ready(writer, hash, record.len() as u64, in_file)?;
        let mut written = None;
        if has_file {
            // The number is taken even if the file cannot be written.
            let file = value_files::describe(current.files, entry.key, entry.value);
            current.files += 1;
            let (folder, header) = (current.segment.value_folder(), current.segment.header);
            let modes = (self.directory.directory_mode(), self.directory.file_mode());
            value_files::write(&folder, modes, &header, &file, entry.key, entry.value, self.options.sync)?;
            current.file_bytes += bound::rounded(in_file);
            record.content = content(file);
            written = Some(folder.join(file.name()));
        }
        record.encode(&current.segment.header, current.end, &mut bytes);
        let (old, end) = (self.locate(hash), current.end);
        let appended = self.append(writer, hash, &record, &bytes);
        if let (Some(written), true) = (written, writer.as_ref().is_none_or(|current| current.end == end)) {
            // No record tells of it.
            let _ = files::remove(&written);
        }
        appended?;
        self.remove_replaced(hash, old);
        Ok(Stored::Stored)
    }

    /// Removes the file of the value that a record had before. If another process has stored a newer one, it stays.
    fn remove_replaced(&self, hash: u64, old: Option<Located>) {
        let Some(old) = old else { return };
        if self.locate(hash).is_some_and(|new| new.segment.name >= old.segment.name && !new.is_same(&old)) {
            self.remove_value_file(&old);
        }
    }

    /// Removes a key; returns whether it had a value.
    pub fn remove(&self, key: &[u8]) -> Result<bool> {
        self.check_writable()?;
        let mut writer = self.writer.lock();
        self.leave_parent_writer(&mut writer);
        self.watch(self.end_lease(key))?;
        self.watch(self.refresh())?;
        let key = RecordKey::of(key);
        let hash = key.hash();
        let Some(located) = self.locate(hash).filter(|located| located.extent.kind() != Kind::Removed) else {
            return Ok(false);
        };
        let record = Record { key, content: Content::Removed, cost: 0.0 };
        let remove = |writer: &mut MutexGuard<Option<Writer>>| {
            let current = self.ready(writer, hash, record.len() as u64, 0)?;
            let mut bytes = record.buffer().map_err(Failure::of("remove a value from", &self.folder))?;
            record.encode(&current.segment.header, current.end, &mut bytes);
            self.append(writer, hash, &record, &bytes)
        };
        self.watch(remove(&mut writer))?;
        self.remove_replaced(hash, Some(located));
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
        *listed = Stamp::default();
        let discarded = self.watch(self.directory.discard(&self.folder));
        self.drop_all();
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
        match &*self.writer.lock() {
            Some(writer) if !writer.is_lost() => Ok(self.watch(writer.sync())?),
            _ => Ok(()),
        }
    }

    /// Seals the segment of this process. Without that, the next process does it.
    pub fn close(&self) {
        let mut writer = self.writer.lock();
        self.leave_parent_writer(&mut writer);
        if let Some(current) = writer.take() {
            self.end_segment(current);
        }
    }

    /// Seals a segment, or removes it if it has no record.
    fn end_segment(&self, mut writer: Writer) {
        if !writer.is_lost() && writer.end > HEADER as u64 {
            // Another process may have stored a key in an older segment, unseen. It must not be found when this segment
            // is removed first.
            let is_seen = self.watch(self.refresh()).is_ok();
            writer.replaces |= !is_seen || self.catalog.read().own_replaces();
        }
        let has_ended = match writer.is_lost() {
            true => false,
            false if writer.end > HEADER as u64 => self.watch(writer.seal()).is_ok(),
            false => {
                writer.discard();
                false
            }
        };
        self.leave_segment(writer, if has_ended { Growth::Sealed } else { Growth::ReadTo(HEADER as u64) });
    }

    /// Treats the segment of a writer as that of another process. The segment's lock ends with the writer, so the next
    /// process that refreshes may seal it.
    fn leave_segment(&self, writer: Writer, growth: Growth) {
        let Writer { segment, number, .. } = writer;
        self.change(|catalog| {
            if catalog.is_number_of(number, &segment) {
                catalog.grow(number, growth);
            }
        });
        segment.close();
    }

    /// A forked child makes a segment of its own.
    fn leave_parent_writer(&self, writer: &mut Option<Writer>) {
        if let Some(parents) = writer.take_if(|writer| !writer.is_own()) {
            self.leave_segment(parents, Growth::ReadTo(HEADER as u64));
        }
    }

    /// The bound.
    pub(super) fn max_bytes(&self) -> u64 {
        self.bound.load(Relaxed).max(Options::LEAST_BYTES)
    }

    /// Asks the directory for the bound, at first for that of the options.
    fn renew_bound(&self) -> Outcome<()> {
        let kept = kept_bound::read(&self.directory)?;
        let bytes = match (self.options.max_bytes, kept) {
            (None, KeptBound::Bytes(bytes)) => bytes,
            (Some(_), KeptBound::Bytes(bytes)) if self.has_asked.load(Relaxed) => bytes,
            (Some(asked), kept) => {
                let has_asked =
                    kept == KeptBound::Bytes(asked) || self.watch(kept_bound::write(&self.directory, asked)).is_ok();
                // If it could not be written, this process obeys it, and tries again.
                self.has_asked.store(has_asked, Relaxed);
                asked
            }
            (None, KeptBound::Nothing) => Options::MAX_BYTES,
            // What is there may stay. It is removed for new values.
            (None, KeptBound::Damaged) => {
                self.health.count_damaged();
                Options::MAX_BYTES.max(bound::bytes_below(self.directory.root()))
            }
        };
        self.bound.store(bytes, Relaxed);
        Ok(())
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
        // If it fails, this process can still store.
        let _ = self.watch(self.refresh_if_due());
        let old = self.locate(hash);
        let ended = writer.take_if(|current| {
            current.longest = files::longest();
            let sealed = current.sealed_with(len);
            let full = current.end > HEADER as u64
                && (sealed + current.file_bytes + bound::rounded(in_file) > self.segment_bytes()
                    || sealed > current.longest);
            // Its records would be taken for older ones than the one that is replaced.
            let late = old.as_ref().is_some_and(|old| old.segment.name > current.segment.name);
            current.is_lost() || full || late || current.files >= MOST_FILES
        });
        if let Some(ended) = ended {
            self.end_segment(ended);
        }
        let current = match &mut **writer {
            Some(current) => current,
            none => none.insert(self.begin_segment(in_file)?),
        };
        current.note_alive();
        current.replaces |= self.locate(hash).is_some_and(|old| !Arc::ptr_eq(&old.segment, &current.segment));
        Ok(current)
    }

    /// Begins a segment, and makes room for it within the bound.
    fn begin_segment(&self, in_file: u64) -> Outcome<Writer> {
        let modes = (self.directory.directory_mode(), self.directory.file_mode());
        files::make_directories(&self.folder, modes.0).map_err(Failure::of("make the directory", &self.folder))?;
        if let (Some(context), Some(identity)) = (&self.context, self.folder.parent()) {
            // Values are found without it.
            let _ = self.watch(context::write(&self.directory, identity, context));
        }
        // What is worth keeping is copied from segments that are known.
        self.refresh()?;
        if self.catalog.read().segments().count() > FRAGMENTED {
            let _listed = self.listed.lock();
            let _ = self.watch(compact::compact(self));
        }
        self.renew_bound()?;
        let room = self.segment_bytes().max(bound::rounded(in_file)) + LONGEST_RECORD as u64;
        let mut copied = Vec::new();
        let removed = bound::enforce(&self.directory, self.max_bytes().saturating_sub(room), |usage| {
            let known = (usage.folder == self.folder).then(|| self.known(&usage.name)).flatten();
            let Some((number, segment)) = known else { return 0 };
            // What cannot be kept is lost, as the rest of the segment.
            let (evicted, kept) = self.watch(self.rescue(&segment, usage.bytes / RESCUED)).unwrap_or_default();
            copied.push((number, segment, evicted));
            kept
        })?;
        copied.retain(|(_, segment, _)| removed.iter().any(|usage| usage.name == segment.name));
        self.leave_removed(copied);
        let writer = {
            // A listing that was made before the segment would not show it.
            let _listed = self.listed.lock();
            let order = self.catalog.read().next_order();
            let mut writer = Writer::create(&self.folder, modes, self.digest, order)?;
            let added = self.change(|catalog| catalog.add(writer.segment.clone(), Growth::Own));
            writer.number = added.map_err(|error| {
                writer.discard();
                self.not_indexed(error)
            })?;
            writer
        };
        Ok(writer)
    }

    /// A segment with its number.
    fn known(&self, name: &Name) -> Option<(u16, Arc<Segment>)> {
        let catalog = self.catalog.read();
        let known = catalog.segments().find(|(_, known)| known.segment.name == *name);
        known.map(|(number, known)| (number, known.segment.clone()))
    }

    /// Counts what has left with segments that were removed, and forgets them.
    fn leave_removed(&self, removed: Vec<(u16, Arc<Segment>, Evicted)>) {
        if removed.is_empty() {
            return;
        }
        self.reads.clear();
        // A listing may have done it, and have given the number to another segment.
        let _listed = self.listed.lock();
        self.change(|catalog| {
            let numbers = removed.iter().filter(|(number, segment, _)| catalog.is_number_of(*number, segment));
            let numbers: Vec<u16> = numbers.map(|(number, ..)| *number).collect();
            catalog.drop_segments(&numbers);
        });
        removed.into_iter().for_each(|(.., evicted)| self.health.count_evicted(evicted));
    }

    /// Keeps what is worth it from a segment that is about to be removed: what this process has read, and what took
    /// long to compute. Copies it into a segment in the place of the removed one, of at most `most` bytes: in a newer
    /// one, it would hide what another process stores that has not seen it yet. Returns what is not kept, and the bytes
    /// of the copy.
    fn rescue(&self, removed: &Arc<Segment>, most: u64) -> Outcome<(Evicted, u64)> {
        // A listing would show the copy before it is known.
        let _listed = self.listed.lock();
        let footer = match removed.parts() {
            // Another process has removed it.
            Err(failure) if failure.is_absence() => return Ok(Default::default()),
            parts => parts?.0,
        };
        let mut evicted = Evicted { ns: footer.cost as u64, ..Evicted::default() };
        let kept = self.copy_worthy(removed, &footer, most, &mut evicted);
        Ok((evicted, self.watch(kept).unwrap_or(0)))
    }

    fn copy_worthy(&self, removed: &Arc<Segment>, footer: &Footer, most: u64, evicted: &mut Evicted) -> Outcome<u64> {
        let len: u64 = footer.parts().map(|(.., extent)| extent.len() as u64).sum();
        let mean = footer.cost / len.max(1) as f64;
        let order = removed.name.order + 1;
        let has_place = most >= bound::rounded(1) && {
            let catalog = self.catalog.read();
            let mut names = catalog.segments().map(|(_, known)| &known.segment.name);
            names.all(|name| *name <= removed.name || name.order > order)
        };
        let (mut new, mut copied) = (None, Vec::new());
        for (hash, offset, extent) in footer.parts() {
            let counts = self.locate(hash).is_some_and(|its| its.offset == offset && its.segment.name == removed.name);
            if !counts || !is_value(extent.kind()) {
                continue;
            }
            evicted.entries += 1;
            evicted.bytes += extent.len() as u64;
            if extent.kind() != Kind::Value || !has_place {
                continue;
            }
            let Ok(bytes) = removed.read(offset, extent) else { continue };
            let Some(record) = Record::decode(&removed.header, offset, &bytes) else { continue };
            if !self.reads.has(hash) && f64::from(record.cost) <= 4.0 * mean * extent.len() as f64 {
                continue;
            }
            let writer = match &mut new {
                Some(writer) => writer,
                none => {
                    let modes = (self.directory.directory_mode(), self.directory.file_mode());
                    none.insert(Writer::create(&self.folder, modes, self.digest, order)?)
                }
            };
            if bound::rounded(writer.sealed_with(extent.len() as u64)) > most {
                continue;
            }
            let at = writer.end;
            let Ok(mut copy) = record.buffer() else { continue };
            record.encode(&writer.segment.header, at, &mut copy);
            if let Err((failure, _)) = writer.append(&copy) {
                writer.discard();
                return Err(failure);
            }
            copied.push((hash, at, extent, record.cost));
        }
        let Some(mut writer) = new else { return Ok(0) };
        writer.replaces = footer.replaces;
        if !writer.seal_copy(std::slice::from_ref(removed)).inspect_err(|_| writer.discard())? {
            return Ok(0);
        }
        let kept = bound::rounded(writer.len());
        let name = writer.segment.name.clone();
        let Some(new) = Segment::open(&self.directory, &self.folder, name, Some(&self.digest), true)?.map(Arc::new)
        else {
            return Ok(kept);
        };
        new.note_open();
        self.change(|catalog| {
            let number = catalog.add(new, Growth::Sealed)?;
            for (hash, at, extent, cost) in copied {
                catalog.note(number, hash, at, extent)?;
                evicted.entries -= 1;
                evicted.bytes -= extent.len() as u64;
                evicted.ns = evicted.ns.saturating_sub(cost.max(0.0) as u64);
            }
            Ok(kept)
        })
        .map_err(|error| self.not_indexed(error))
    }

    /// Appends the bytes of a record and notes it.
    fn append(&self, writer: &mut MutexGuard<Option<Writer>>, hash: u64, record: &Record, bytes: &[u8]) -> Outcome<()> {
        let current = writer.as_mut().expect("it is ready");
        let (number, offset) = (current.number, current.end);
        if let Err((failure, usable)) = current.append(bytes) {
            // The next process seals it, without what was written in part.
            if usable == Usable::No
                && let Some(current) = writer.take()
            {
                self.leave_segment(current, Growth::ReadTo(HEADER as u64));
            }
            return Err(failure);
        }
        let noted = self.change(|catalog| match catalog.is_number_of(number, &current.segment) {
            true => catalog.note(number, hash, offset, record.extent()),
            // Somebody has just removed it.
            false => Ok(()),
        });
        noted.map_err(|error| self.not_indexed(error))?;
        if self.options.sync { current.sync() } else { Ok(()) }
    }
}

impl Drop for Space {
    fn drop(&mut self) {
        spare::make_room();
        self.close();
    }
}
