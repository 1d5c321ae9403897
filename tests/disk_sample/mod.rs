//! Directories and values for the tests of disks.
#![allow(dead_code)] // each test uses some of it

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::Duration;

use phicache::disk::files::faults;
use phicache::disk::{Entry, Lookup, Options, Space, Stored};

/// A directory that is removed at the end.
pub struct Scratch(PathBuf);

impl Scratch {
    pub fn new() -> Self {
        Self::at(&std::env::temp_dir())
    }

    /// In memory, if the system has such a directory.
    pub fn fast() -> Self {
        let memory = Path::new("/dev/shm");
        let temporary = std::env::temp_dir();
        Self::at(if memory.is_dir() { memory } else { &temporary })
    }

    fn at(parent: &Path) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Relaxed);
        let path = parent.join(format!("phicache-disk-{}-{number}", std::process::id()));
        fs::create_dir(&path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).unwrap();
        Scratch(path)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The errors that file systems give, and a transfer in parts.
pub const FAULTS: [(&str, i32); 10] = [
    ("ENOSPC", libc::ENOSPC),
    ("EDQUOT", libc::EDQUOT),
    ("EFBIG", libc::EFBIG),
    ("EIO", libc::EIO),
    ("ESTALE", libc::ESTALE),
    ("EROFS", libc::EROFS),
    ("EACCES", libc::EACCES),
    ("EMFILE", libc::EMFILE),
    ("EINTR", libc::EINTR),
    ("short transfer", faults::SHORT),
];

pub const FINGERPRINT: [u8; 32] = [7; 32];

/// Other processes' records are looked for at every lookup that finds nothing.
pub fn at_once() -> Options {
    Options { refresh: Duration::ZERO, ..Options::default() }
}

pub fn open(path: &Path, options: Options) -> Space {
    Space::open(path, &FINGERPRINT, "values", options).unwrap()
}

pub fn store(space: &Space, key: &[u8], value: &[u8]) {
    assert_eq!(space.store(Entry { key, value, cost_ns: 1000 }).unwrap(), Stored::Stored);
}

/// A segment that has this length, none of which the file system has to keep, in a role of its own.
pub fn huge_segment(path: &Path, len: u64) -> PathBuf {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let role = format!("huge-{}", NUMBER.fetch_add(1, Relaxed));
    store(&Space::open(path, &FINGERPRINT, &role, at_once()).unwrap(), b"k", b"v");
    let is_its = |file: &PathBuf| file.to_str().unwrap().contains(&format!("/{role}/"));
    let segment = files_ending(path, ".seg").into_iter().find(is_its).unwrap();
    fs::OpenOptions::new().write(true).open(&segment).unwrap().set_len(len).unwrap();
    segment
}

/// The value of a key. What is damaged, or fails to be read, is a miss.
pub fn try_get(space: &Space, key: &[u8]) -> Option<Vec<u8>> {
    match space.find(key) {
        Ok(Lookup::Found(found)) => {
            let mut value = vec![0; found.len()];
            space.read(key, found, &mut value).unwrap_or(false).then_some(value)
        }
        Ok(Lookup::Nothing | Lookup::Damaged) | Err(_) => None,
    }
}

/// The value of a key; no failure.
pub fn get(space: &Space, key: &[u8]) -> Option<Vec<u8>> {
    match space.find(key).unwrap() {
        Lookup::Nothing => None,
        Lookup::Found(found) => {
            let mut value = vec![0; found.len()];
            space.read(key, found, &mut value).unwrap().then_some(value)
        }
        Lookup::Damaged => None,
    }
}

pub fn number(number: u32) -> [u8; 4] {
    number.to_le_bytes()
}

/// The files of a directory, with their paths.
pub fn files(path: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![path.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            match entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                true => folders.push(entry.path()),
                false => found.push(entry.path()),
            }
        }
    }
    found.sort();
    found
}

/// The files of a directory whose names end so.
pub fn files_ending(path: &Path, end: &str) -> Vec<PathBuf> {
    files(path).into_iter().filter(|path| path.to_string_lossy().ends_with(end)).collect()
}

/// The files of long values in a directory.
pub fn value_files(path: &Path) -> Vec<PathBuf> {
    files(path).into_iter().filter(|path| path.extension().is_none()).collect()
}

/// The bytes that the files of a directory take.
pub fn bytes(path: &Path) -> u64 {
    files(path)
        .iter()
        .filter_map(|path| fs::metadata(path).ok())
        .map(|metadata| metadata.len().next_multiple_of(4096))
        .sum()
}

/// Copies a directory with all that is in it.
pub fn copy(from: &Path, to: &Path) {
    for path in files(from) {
        let copy = to.join(path.strip_prefix(from).unwrap());
        fs::create_dir_all(copy.parent().unwrap()).unwrap();
        fs::copy(&path, &copy).unwrap();
    }
    // As the library makes them.
    let mut folders = vec![to.to_owned()];
    while let Some(folder) = folders.pop() {
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o700)).unwrap();
        let entries = fs::read_dir(folder).unwrap().flatten();
        folders.extend(entries.map(|entry| entry.path()).filter(|path| path.is_dir()));
    }
}
