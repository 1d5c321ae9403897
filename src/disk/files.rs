//! The file operations of disk caches.
//!
//! Each operation of the file system that a disk cache performs is one of these functions, so that tests can make each
//! fail, one after another ([`faults`]). They retry what a signal interrupted and continue what was read or written in
//! part. Without a descriptor left, they close the files that segments keep open, and try again. They follow no
//! symbolic link in the last component of a path.

use std::fs::{self, DirBuilder, File, FileTimes, Metadata, OpenOptions, Permissions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt, FileExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::time::SystemTime;

use rustix::fs::OFlags;
use rustix::process::{Resource, getrlimit};

use super::open_files::with_descriptor;
use crate::sync::{LockFile, Mode, off_standard};

/// Opens a regular file to read.
pub fn open(path: &Path) -> io::Result<File> {
    open_with(OpenOptions::new().read(true), path)
}

/// Opens a regular file to lock it: some network file systems lock only what could be written.
pub fn open_to_lock(path: &Path) -> io::Result<File> {
    open_with(OpenOptions::new().read(true).write(true), path)
}

fn open_with(options: &mut OpenOptions, path: &Path) -> io::Result<File> {
    // A named pipe would block the open without NONBLOCK, which has no effect on regular files.
    options.custom_flags((OFlags::NOFOLLOW | OFlags::NONBLOCK).bits() as i32);
    let file = with_descriptor(|| {
        faults::check()?;
        off_standard(options.open(path)?)
    })?;
    match metadata(&file)?.is_file() {
        true => Ok(file),
        false => Err(not_regular()),
    }
}

/// The error of a path where something else is than a regular file.
pub fn not_regular() -> io::Error {
    io::Error::new(ErrorKind::InvalidInput, "not a regular file")
}

/// Creates a file, which must not exist, to read and write.
pub fn create(path: &Path, mode: u32) -> io::Result<File> {
    with_descriptor(|| {
        faults::check()?;
        off_standard(OpenOptions::new().read(true).write(true).create_new(true).mode(mode).open(path)?)
    })
}

/// As [`create`], but what the process takes from the permissions of new files does not count if a group shares them.
pub fn create_shared(path: &Path, mode: u32) -> io::Result<File> {
    let file = create(path, mode)?;
    if mode & 0o060 != 0 {
        // A file system without permissions has its own.
        let _ = file.set_permissions(Permissions::from_mode(mode));
    }
    Ok(file)
}

/// Gives a new file the permissions of the one that it will replace, if that is there: it may be private.
pub fn keep_permissions(file: &File, replaced: &Path) {
    if let Ok(replaced) = stat(replaced) {
        // A file system without permissions has its own.
        let _ = file.set_permissions(Permissions::from_mode(replaced.permissions().mode() & 0o777));
    }
}

/// Reads at an offset until the buffer is full or the file ends; returns the number of bytes.
pub fn read_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    let mut done = 0;
    while done < buffer.len() {
        let part = faults::part(buffer.len() - done);
        match part.and_then(|part| file.read_at(&mut buffer[done..done + part], offset + done as u64)) {
            Ok(0) => break,
            Ok(read) => done += read,
            Err(error) if error.kind() == ErrorKind::Interrupted => (),
            Err(error) => return Err(error),
        }
    }
    Ok(done)
}

/// The longest file that this process may write (`ulimit -f`).
pub fn longest() -> u64 {
    getrlimit(Resource::Fsize).current.unwrap_or(u64::MAX)
}

/// Fails if a file of this length is longer than `longest`. A write beyond that raises a signal that ends the process.
pub fn check_len(len: u64, longest: u64) -> io::Result<()> {
    if len > longest { Err(ErrorKind::FileTooLarge.into()) } else { Ok(()) }
}

/// Writes all bytes at an offset.
pub fn write_at(file: &File, bytes: &[u8], offset: u64) -> io::Result<()> {
    check_len(offset + bytes.len() as u64, longest())?;
    write_checked(file, bytes, offset)
}

/// As [`write_at`], into a file of a length that the caller has checked.
pub fn write_checked(file: &File, bytes: &[u8], offset: u64) -> io::Result<()> {
    let mut done = 0;
    while done < bytes.len() {
        let part = faults::part(bytes.len() - done);
        match part.and_then(|part| file.write_at(&bytes[done..done + part], offset + done as u64)) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(written) => done += written,
            Err(error) if error.kind() == ErrorKind::Interrupted => (),
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Cuts a file off.
pub fn truncate(file: &File, len: u64) -> io::Result<()> {
    faults::check()?;
    file.set_len(len)
}

/// Has a file's bytes written to the storage device.
pub fn sync(file: &File) -> io::Result<()> {
    faults::check()?;
    file.sync_data()
}

/// Has the names in a directory written to the storage device.
pub fn sync_directory(path: &Path) -> io::Result<()> {
    let directory = with_descriptor(|| {
        faults::check()?;
        File::open(path)
    })?;
    match directory.sync_all() {
        // Some file systems cannot do it for directories, and do not need it.
        Err(error) if error.kind() == ErrorKind::InvalidInput => Ok(()),
        result => result,
    }
}

/// What the system knows of an open file.
pub fn metadata(file: &File) -> io::Result<Metadata> {
    faults::check()?;
    file.metadata()
}

/// The device and the inode, which no other file has while this one is open.
pub fn identity(metadata: &Metadata) -> (u64, u64) {
    (metadata.dev(), metadata.ino())
}

/// What the system knows of a path, of a symbolic link itself.
pub fn stat(path: &Path) -> io::Result<Metadata> {
    faults::check()?;
    fs::symlink_metadata(path)
}

/// The names in a directory that are UTF-8; ours are.
pub fn list(path: &Path) -> io::Result<Vec<String>> {
    let entries = with_descriptor(|| {
        faults::check()?;
        fs::read_dir(path)
    })?;
    let mut names = Vec::new();
    for entry in entries {
        faults::check()?;
        names.extend(entry?.file_name().into_string());
    }
    Ok(names)
}

/// Makes a directory and its parents. What the process takes from the permissions of new files does not count here: a
/// group could not share the directory.
pub fn make_directories(path: &Path, mode: u32) -> io::Result<()> {
    faults::check()?;
    match make_directory(path, mode) {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).ok_or(error)?;
            make_directories(parent, mode)?;
            // Not again: below /proc nothing is ever found.
            make_directory(path, mode)
        }
        made => made,
    }
}

fn make_directory(path: &Path, mode: u32) -> io::Result<()> {
    match DirBuilder::new().mode(mode).create(path) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
        Err(error) => Err(error),
        Ok(()) => {
            // The bit by which what is made below belongs to the same group stays.
            let made = fs::symlink_metadata(path)?.permissions().mode();
            match made & mode == mode {
                true => Ok(()),
                false => fs::set_permissions(path, Permissions::from_mode(made | mode)),
            }
        }
    }
}

/// Gives a file a second name, which must not exist.
pub fn link(from: &Path, to: &Path) -> io::Result<()> {
    faults::check()?;
    fs::hard_link(from, to)
}

/// Renames a file or directory.
pub fn rename(from: &Path, to: &Path) -> io::Result<()> {
    faults::check()?;
    fs::rename(from, to)
}

/// Removes a file. One that is not there has been removed.
pub fn remove(path: &Path) -> io::Result<()> {
    faults::check()?;
    absent_is_done(fs::remove_file(path))
}

/// Removes a directory and what it contains.
pub fn remove_tree(path: &Path) -> io::Result<()> {
    with_descriptor(|| {
        faults::check()?;
        absent_is_done(fs::remove_dir_all(path))
    })
}

fn absent_is_done(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        result => result,
    }
}

/// Locks a file, if no other process has; returns whether it did. The lock ends with the process.
pub fn try_lock(file: &File) -> io::Result<bool> {
    faults::check()?;
    match file.try_lock() {
        Ok(()) => Ok(true),
        Err(fs::TryLockError::WouldBlock) => Ok(false),
        Err(fs::TryLockError::Error(error)) => Err(error),
    }
}

/// Locks a byte of a file, or changes its lock; returns false if another process holds a lock that excludes it.
pub fn try_lock_byte(file: &LockFile, byte: u64, mode: Mode) -> io::Result<bool> {
    faults::check()?;
    file.try_lock(byte, mode)
}

/// Unlocks a byte of a file.
pub fn unlock_byte(file: &LockFile, byte: u64) -> io::Result<()> {
    faults::check()?;
    file.unlock(byte)
}

/// How another process has locked a byte of a file.
pub fn locked_byte(file: &LockFile, byte: u64) -> io::Result<Option<Mode>> {
    faults::check()?;
    file.locked(byte)
}

/// Notes in a file's access time that it was read now.
pub fn note_read(file: &File, now: SystemTime) -> io::Result<()> {
    faults::check()?;
    file.set_times(FileTimes::new().set_accessed(now))
}

/// Notes a time as a file's modification time.
pub fn set_modified(file: &File, time: SystemTime) -> io::Result<()> {
    faults::check()?;
    file.set_times(FileTimes::new().set_modified(time))
}

/// For tests: makes operations fail.
#[doc(hidden)]
pub mod faults {
    use std::io;
    use std::sync::atomic::{AtomicI32, AtomicU64, Ordering::Relaxed};

    /// The number of operations until one fails; 0 if none does.
    static LEFT: AtomicU64 = AtomicU64::new(0);
    static FAULT: AtomicI32 = AtomicI32::new(0);
    static LASTS: AtomicI32 = AtomicI32::new(0);

    /// In place of an error number: half of the bytes are transferred.
    pub const SHORT: i32 = -1;

    /// Makes the operation number `number`, counted from 1, fail with an error number; if it `lasts`, all later ones
    /// too.
    pub fn arm(number: u64, fault: i32, lasts: bool) {
        FAULT.store(fault, Relaxed);
        LASTS.store(lasts.into(), Relaxed);
        LEFT.store(number, Relaxed);
    }

    /// Ends all faults; returns whether an operation has failed since they were armed.
    pub fn disarm() -> bool {
        let (left, lasts) = (LEFT.swap(0, Relaxed), LASTS.swap(0, Relaxed) != 0);
        left == 0 || lasts && left == 1
    }

    /// The fault of the next operation.
    fn next() -> Option<i32> {
        if LEFT.load(Relaxed) == 0 {
            return None;
        }
        let lasts = LASTS.load(Relaxed) != 0;
        let count = |left: u64| match left {
            0 => None,
            1 if lasts => Some(1),
            left => Some(left - 1),
        };
        let left = LEFT.fetch_update(Relaxed, Relaxed, count).ok()?;
        (left == 1).then(|| FAULT.load(Relaxed))
    }

    pub(super) fn check() -> io::Result<()> {
        match next() {
            None | Some(SHORT) => Ok(()),
            Some(error) => Err(io::Error::from_raw_os_error(error)),
        }
    }

    /// The number of bytes of `len` to transfer at once.
    pub(super) fn part(len: usize) -> io::Result<usize> {
        match next() {
            None => Ok(len),
            Some(SHORT) => Ok(len.div_ceil(2)),
            Some(error) => Err(io::Error::from_raw_os_error(error)),
        }
    }
}
