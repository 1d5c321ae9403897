//! Writing a bundle: a sealed segment that is one file, with its long values behind their records.
//!
//! It is written under a name that nobody looks for, in the directory where it belongs, and renamed when it is on the
//! storage device: readers see the file that was there before, or the whole new one.

use std::fs::File;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::description::{self, Description};
use super::failure::{Failure, Outcome};
use super::files;
use super::format::{
    Content, Extent, FileKind, Footer, Header, LONGEST_RECORD, LONGEST_VALUE, Record, RecordKey, UNIT, seconds,
};
use super::names::{Name, State, random_id};
use super::store::Entry;
use super::writer::finish;
use super::{repair, value_files};
use crate::error::{Error, Result};

/// The bytes that are written at once.
const CHUNK: usize = 1 << 20;

/// The permissions of a bundle, from which the process takes what it takes from all files: bundles are made to be
/// passed on.
const MODE: u32 = 0o666;

/// A bundle that is being written. Without [`BundleWriter::finish`], nothing is left of it.
pub struct BundleWriter {
    file: File,
    /// What it is called until it is complete.
    new: PathBuf,
    path: PathBuf,
    header: Header,
    footer: Footer,
    /// The last records, which are not in the file yet.
    buffer: Vec<u8>,
    /// Where they begin.
    start: u64,
    is_finished: bool,
}

impl BundleWriter {
    /// Begins a bundle that will have this path. A file that is there stays until the bundle is complete.
    pub fn create(path: &Path, description: &Description) -> Result<Self> {
        if description.len() > description::LONGEST {
            return Err(Error::invalid(format!(
                "the context has {} bytes; a bundle has room for a mebibyte of role and context",
                description.context.len()
            )));
        }
        let path = target(path)?;
        let folder = path.parent().unwrap_or(Path::new("/"));
        if let Ok(names) = files::list(folder) {
            repair::remove_unfinished(folder, &names);
        }
        let new = folder.join(Name::new(0).file(State::New));
        let file = files::create(&new, MODE).map_err(Failure::of("make", &new))?;
        files::keep_permissions(&file, &path);
        // Others see by the lock that the process is alive which makes the file.
        let _ = files::try_lock(&file);
        let header = Header {
            kind: FileKind::Bundle,
            order: description.len() as u64,
            created: seconds(SystemTime::now()),
            id: random_id(),
            space: description.space(),
        };
        let mut writer = BundleWriter {
            file,
            new,
            path,
            header,
            footer: Footer::default(),
            buffer: Vec::new(),
            start: 0,
            is_finished: false,
        };
        writer.buffer.try_reserve_exact(CHUNK + LONGEST_RECORD).map_err(|_| Error::OutOfMemory(CHUNK))?;
        writer.buffer.extend_from_slice(&header.encode());
        writer.buffer.extend_from_slice(&description.encode(&header));
        writer.note_other(description.len() as u64)?;
        Ok(writer)
    }

    /// Appends a value. No two have the same key.
    pub fn push(&mut self, Entry { key, value, cost_ns }: Entry) -> Outcome<()> {
        let record_key = RecordKey::of(key);
        let is_long = value.len() > LONGEST_VALUE || matches!(record_key, RecordKey::Digest(_));
        let content = match is_long {
            true => Content::File(value_files::describe(0, key, value)),
            false => Content::Value(value),
        };
        let record = Record { key: record_key, content, cost: cost_ns as f32 };
        self.note(record.key.hash(), record.extent())?;
        self.footer.cost += f64::from(record.cost);
        record.encode(&self.header, self.end(), &mut self.buffer);
        if is_long {
            return self.append_long(key, value);
        }
        if self.buffer.len() >= CHUNK { self.flush() } else { Ok(()) }
    }

    /// Writes the footer, has all of it written to the storage device, and lets it appear.
    pub fn finish(mut self) -> Outcome<()> {
        self.flush()?;
        let written = finish(&self.file, &self.header, &self.footer, self.start);
        written.and_then(|()| files::sync(&self.file)).map_err(Failure::of("write", &self.new))?;
        files::rename(&self.new, &self.path).map_err(Failure::of("save", &self.path))?;
        self.is_finished = true;
        // Without it, the file that was there before may be there again after a power cut.
        let _ = files::sync_directory(self.path.parent().unwrap_or(Path::new("/")));
        Ok(())
    }

    /// Where the next record begins.
    fn end(&self) -> u64 {
        self.start + self.buffer.len() as u64
    }

    /// Appends key and value of a long value behind its record.
    fn append_long(&mut self, key: &[u8], value: &[u8]) -> Outcome<()> {
        self.flush()?;
        let len = (key.len() + value.len()).next_multiple_of(UNIT);
        let padding = [0; UNIT];
        let mut start = self.start;
        for part in [key, value, &padding[..len - key.len() - value.len()]] {
            files::write_at(&self.file, part, start).map_err(Failure::of("write", &self.new))?;
            start += part.len() as u64;
        }
        self.start = start;
        self.note_other(len as u64)
    }

    /// Writes the records that are not in the file yet.
    fn flush(&mut self) -> Outcome<()> {
        files::write_at(&self.file, &self.buffer, self.start).map_err(Failure::of("write", &self.new))?;
        self.start = self.end();
        self.buffer.clear();
        Ok(())
    }

    /// Notes a part for the footer.
    fn note(&mut self, hash: u64, extent: Extent) -> Outcome<()> {
        let noted = match self.footer.hashes.len() >= u32::MAX as usize {
            true => Err(ErrorKind::FileTooLarge.into()),
            false => self.footer.push(hash, extent),
        };
        noted.map_err(Failure::of("write", &self.new))
    }

    /// Notes bytes that are not a record.
    fn note_other(&mut self, len: u64) -> Outcome<()> {
        Extent::damaged(len as usize).try_for_each(|extent| self.note(0, extent))
    }
}

impl Drop for BundleWriter {
    fn drop(&mut self) {
        if !self.is_finished {
            let _ = files::remove(&self.new);
        }
    }
}

/// Where a file is to be: if there is a symbolic link, where that leads, also if nothing is there yet. The rename would
/// replace a device or a pipe too, such as `/dev/null`, so these are refused.
fn target(path: &Path) -> Result<PathBuf> {
    match path.canonicalize() {
        Ok(there) => {
            return match there.metadata() {
                Ok(metadata) if !metadata.is_file() => Err(Failure::of("save", &there)(files::not_regular()).into()),
                _ => Ok(there),
            };
        }
        // Links in a circle are another error, so this ends.
        Err(error) if error.kind() == ErrorKind::NotFound => {
            if let Ok(to) = path.read_link() {
                return target(&path.parent().unwrap_or(Path::new("")).join(to));
            }
        }
        Err(_) => (),
    }
    let Some(name) = path.file_name() else {
        return Err(Error::invalid(format!(
            "\"{}\" is not the path of a file; name the file to write",
            path.display()
        )));
    };
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let folder = folder.canonicalize().map_err(Failure::of("find the directory", folder))?;
    Ok(folder.join(name))
}
