//! The bound that a directory keeps: the last one that a process asked for. The others obey it, so a process that asks
//! for none does not remove what the directory has room for.

use std::io::{self, ErrorKind};

use super::directory::Directory;
use super::failure::{Failure, Outcome};
use super::files;
use super::format::{FileKind, HEADER, Header};
use super::names::random;

/// The bound that a directory keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeptBound {
    /// No process has asked for one.
    Nothing,
    /// In bytes.
    Bytes(u64),
    /// It is not known: the file is damaged, or not to be trusted.
    Damaged,
}

/// Reads the bound. A failure is not taken for `Nothing`: that could remove values.
pub fn read(directory: &Directory) -> Outcome<KeptBound> {
    let path = directory.bound();
    let read = || -> io::Result<KeptBound> {
        let file = files::open(&path)?;
        let metadata = files::metadata(&file)?;
        let mut bytes = [0; HEADER];
        let len = files::read_at(&file, &mut bytes, 0)?;
        Ok(Header::decode(&bytes[..len])
            .filter(|header| *header == self::header(header.order) && directory.trusts(&metadata))
            .map_or(KeptBound::Damaged, |header| KeptBound::Bytes(header.order)))
    };
    match read() {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(KeptBound::Nothing),
        read => match read.map_err(Failure::of("read", &path)) {
            Err(failure) if failure.is_foreign() => Ok(KeptBound::Damaged),
            read => read,
        },
    }
}

/// Writes the bound. Readers find the old one or this one, also after a power cut.
pub fn write(directory: &Directory, bytes: u64) -> Outcome<()> {
    let path = directory.bound();
    let new = path.with_extension(format!("{:016x}", random()));
    let write = || {
        let file = files::create_shared(&new, directory.file_mode())?;
        files::write_at(&file, &header(bytes).encode(), 0)?;
        files::sync(&file)?;
        files::rename(&new, &path)
    };
    write().map_err(|error| {
        let _ = files::remove(&new);
        Failure::of("write", &path)(error)
    })
}

/// The file is a header alone.
fn header(bytes: u64) -> Header {
    Header { kind: FileKind::Bound, order: bytes, created: 0, id: [0; 16], space: [0; 32] }
}
