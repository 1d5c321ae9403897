//! The segment to which this process appends.
//!
//! It is made under a name that others ignore, locked, and then renamed: whoever finds it finds it locked, as long as
//! its owner lives.

use std::cell::Cell;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use super::failure::{Failure, Outcome};
use super::files;
use super::format::{FOOTER_PART, FileKind, Footer, HEADER, Header, TRAILER, seconds};
use super::names::{Name, State, random_id};
use super::segment::Segment;
use crate::sync::process;

/// A live segment of this process.
pub struct Writer {
    /// The segment, as readers see it.
    pub segment: Arc<Segment>,
    /// Its number in the catalog.
    pub number: u16,
    file: Arc<File>,
    /// The device and the inode of the file.
    identity: (u64, u64),
    folder: Arc<Path>,
    /// Where the next record begins.
    pub end: u64,
    /// The bytes of the values in files.
    pub file_bytes: u64,
    /// The number of values in files so far.
    pub files: u32,
    /// The process that made it.
    process: u32,
    /// The number of records.
    records: u32,
    /// The longest file that the process may write, when the last store began.
    pub longest: u64,
    /// Whether a record may replace one in an older segment.
    pub replaces: bool,
    /// When it noted that it is alive, in seconds since 1970.
    pub noted: u64,
    /// Whether its name may not be on the storage device.
    is_new: Cell<bool>,
}

impl Writer {
    /// Makes a segment in a folder. The caller adds it to the catalog and sets its number.
    pub fn create(folder: &Arc<Path>, modes: (u32, u32), space: [u8; 32], order: u64) -> Outcome<Self> {
        let name = Name::new(order);
        let created = seconds(SystemTime::now());
        let header = Header { kind: FileKind::Segment, order, created, id: random_id(), space };
        let (new, live) = (folder.join(name.file(State::New)), folder.join(name.file(State::Live)));
        let create = || {
            files::make_directories(folder, modes.0)?;
            let file = files::create_shared(&new, modes.1)?;
            // Without locks, the file's age shows whether its owner is alive.
            let _ = files::try_lock(&file);
            files::write_at(&file, &header.encode(), 0)?;
            let identity = files::identity(&files::metadata(&file)?);
            files::rename(&new, &live)?;
            Ok((Arc::new(file), identity))
        };
        let (file, identity) = create().map_err(|error| {
            let _ = files::remove(&new);
            Failure::of("make", &live)(error)
        })?;
        let segment = Arc::new(Segment::with_file(folder, name, header, file.clone(), false));
        Ok(Writer {
            segment,
            number: 0,
            file,
            identity,
            folder: folder.clone(),
            end: HEADER as u64,
            file_bytes: 0,
            files: 0,
            process: process(),
            records: 0,
            longest: files::longest(),
            replaces: false,
            noted: created,
            is_new: Cell::new(true),
        })
    }

    /// Whether this process made it: a forked child makes its own.
    pub fn is_own(&self) -> bool {
        self.process == process()
    }

    /// The bytes that the segment takes when it is sealed, with the files of its values.
    pub fn len(&self) -> u64 {
        self.end + u64::from(self.records) * FOOTER_PART + TRAILER as u64 + self.file_bytes
    }

    /// The length of the file when it is sealed after another record of this length.
    pub fn sealed_with(&self, len: u64) -> u64 {
        self.len() - self.file_bytes + FOOTER_PART + len
    }

    /// Whether it cannot be appended to: another process removed or sealed the segment, or made it.
    pub fn is_lost(&self) -> bool {
        self.segment.is_lost() || !self.is_own()
    }

    /// Appends a record. If that fails, the file is as before; if that fails too, the error says that the writer cannot
    /// be used any more.
    pub fn append(&mut self, bytes: &[u8]) -> Result<(), (Failure, Usable)> {
        let written = files::check_len(self.sealed_with(bytes.len() as u64), self.longest)
            .and_then(|()| files::write_checked(&self.file, bytes, self.end));
        if let Err(error) = written {
            let failure = Failure::of("append to", &self.segment.path())(error);
            let usable = files::truncate(&self.file, self.end).is_ok();
            return Err((failure, if usable { Usable::Yes } else { Usable::No }));
        }
        self.end += bytes.len() as u64;
        self.records += 1;
        Ok(())
    }

    /// Whether the file is not at its path any more: somebody removed it, or moved a directory above it. What is
    /// appended then is not found there.
    pub fn is_gone(&self) -> bool {
        let live = self.folder.join(self.segment.name.file(State::Live));
        match files::stat(&live).map_err(Failure::of("look at", &live)) {
            Ok(metadata) => files::identity(&metadata) != self.identity,
            Err(failure) => failure.is_absence(),
        }
    }

    /// Has all records written to the storage device.
    pub fn sync(&self) -> Outcome<()> {
        let sync = || {
            files::sync(&self.file)?;
            if self.is_new.get() {
                files::sync_directory(&self.folder)?;
                self.is_new.set(false);
            }
            Ok(())
        };
        sync().map_err(|error| Failure::of("sync", &self.segment.path())(error))
    }

    /// Notes that this process is alive.
    pub fn note_alive(&mut self) {
        let now = SystemTime::now();
        let seconds = seconds(now);
        if seconds.abs_diff(self.noted) >= 60 {
            self.noted = seconds;
            let _ = files::set_modified(&self.file, now);
        }
    }

    /// Ends the segment with its footer. Until that has succeeded, it is what a process leaves that was killed.
    pub fn seal(&self) -> Outcome<()> {
        let (mut footer, end) = self.segment.make_footer()?;
        footer.replaces = self.replaces;
        finish(&self.file, &self.segment.header, &footer, end)
            .map_err(|error| Failure::of("seal", &self.segment.path())(error))?;
        let (live, sealed) = (self.segment.name.file(State::Live), self.segment.name.file(State::Sealed));
        let live = self.folder.join(live);
        files::rename(&live, &self.folder.join(sealed)).map_err(Failure::of("rename", &live))
    }

    /// Seals the segment, if it has copies of records of others that are all still there; returns whether it did.
    /// Otherwise it is removed: somebody may have cleared the directory, and made it anew, before the segment was made
    /// there.
    pub fn seal_copy(&self, of: &[Arc<Segment>]) -> Outcome<bool> {
        let are_there = of.iter().map(|its| its.is_there()).try_fold(true, |all, is_there| Ok(all && is_there?))?;
        match are_there && self.end > HEADER as u64 {
            true => self.seal().map(|()| true),
            false => {
                self.discard();
                Ok(false)
            }
        }
    }

    /// Removes the segment, which has no record.
    pub fn discard(&self) {
        let _ = files::remove(&self.folder.join(self.segment.name.file(State::Live)));
    }
}

/// Whether a writer can be used after a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Usable {
    /// Its file is as before.
    Yes,
    /// Its file may end with a part of a record.
    No,
}

/// Writes a footer behind the last record.
pub fn finish(file: &File, header: &Header, footer: &Footer, end: u64) -> std::io::Result<()> {
    let bytes = footer.encode(header, end)?;
    files::write_at(file, &bytes, end)?;
    // What a failed append left behind the footer would hide it.
    files::truncate(file, end + bytes.len() as u64)
}
