//! The segment to which this process appends.
//!
//! It is made under a name that others ignore, locked, and then renamed: whoever finds it finds it locked, as long as
//! its owner lives.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use super::failure::{Failure, Outcome};
use super::files;
use super::format::{FileKind, Footer, HEADER, Header};
use super::names::{Name, State, random};
use super::segment::Segment;

/// A live segment of this process.
pub struct Writer {
    /// The segment, as readers see it.
    pub segment: Arc<Segment>,
    /// Its number in the catalog.
    pub number: u16,
    file: Arc<File>,
    folder: Arc<Path>,
    /// Where the next record begins.
    pub end: u64,
    /// The bytes of the values in files.
    pub file_bytes: u64,
    /// The number of values in files so far.
    pub files: u32,
    /// The process that made it.
    process: u32,
    /// When it noted that it is alive, in seconds since 1970.
    pub noted: u64,
}

impl Writer {
    /// Makes a segment in a folder. The caller adds it to the catalog and sets its number.
    pub fn create(folder: &Arc<Path>, modes: (u32, u32), space: [u8; 32], order: u64) -> Outcome<Self> {
        let name = Name::new(order);
        let mut id = [0; 16];
        id[..8].copy_from_slice(&random().to_le_bytes());
        id[8..].copy_from_slice(&random().to_le_bytes());
        let created = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let header = Header { kind: FileKind::Segment, order, created, id, space };
        let (new, live) = (folder.join(name.file(State::New)), folder.join(name.file(State::Live)));
        let create = || {
            files::make_directories(folder, modes.0)?;
            let file = files::create(&new, modes.1)?;
            // Without locks, the file's age shows whether its owner is alive.
            let _ = files::try_lock(&file);
            files::write_at(&file, &header.encode(), 0)?;
            files::rename(&new, &live)?;
            Ok(Arc::new(file))
        };
        let file = create().map_err(|error| {
            let _ = files::remove(&new);
            Failure::of("make", &live)(error)
        })?;
        let segment = Arc::new(Segment::with_file(folder, name, header, file.clone(), false));
        Ok(Writer {
            segment,
            number: 0,
            file,
            folder: folder.clone(),
            end: HEADER as u64,
            file_bytes: 0,
            files: 0,
            process: std::process::id(),
            noted: created,
        })
    }

    /// Whether this process made it: a forked child makes its own.
    pub fn is_own(&self) -> bool {
        self.process == std::process::id()
    }

    /// Appends records. If that fails, the file is as before; if that fails too, the error says that the writer cannot
    /// be used any more.
    pub fn append(&mut self, bytes: &[u8], sync: bool) -> Result<(), (Failure, Usable)> {
        let path = || self.segment.path();
        let written =
            files::write_at(&self.file, bytes, self.end).map_err(|error| Failure::of("append to", &path())(error));
        if let Err(failure) = written {
            let usable = files::truncate(&self.file, self.end).is_ok();
            return Err((failure, if usable { Usable::Yes } else { Usable::No }));
        }
        self.end += bytes.len() as u64;
        if sync { self.sync().map_err(|failure| (failure, Usable::Yes)) } else { Ok(()) }
    }

    /// Has all records written to the storage device.
    pub fn sync(&self) -> Outcome<()> {
        files::sync(&self.file).map_err(|error| Failure::of("sync", &self.segment.path())(error))
    }

    /// Notes that this process is alive.
    pub fn note_alive(&mut self) {
        let now = SystemTime::now();
        let seconds = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        if seconds.abs_diff(self.noted) >= 60 {
            self.noted = seconds;
            let _ = files::note_alive(&self.file, now);
        }
    }

    /// Ends the segment with its footer. Until that has succeeded, it is what a process leaves that was killed.
    pub fn seal(&self) -> Outcome<()> {
        let (footer, end) = self.segment.make_footer()?;
        finish(&self.file, &self.segment.header, &footer, end)
            .map_err(|error| Failure::of("seal", &self.segment.path())(error))?;
        let (live, sealed) = (self.segment.name.file(State::Live), self.segment.name.file(State::Sealed));
        let live = self.folder.join(live);
        files::rename(&live, &self.folder.join(sealed)).map_err(Failure::of("rename", &live))
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
    let bytes = footer.encode(header, end);
    files::write_at(file, &bytes, end)?;
    // What a failed append left behind the footer would hide it.
    files::truncate(file, end + bytes.len() as u64)
}
