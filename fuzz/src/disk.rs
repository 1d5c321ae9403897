//! A directory for each run, with a few values in it.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use phicache::disk::{Entry, Lookup, Options, Space, Stored};

/// A directory that is removed at the end.
pub struct Sample(PathBuf);

impl Sample {
    /// An empty directory, in memory if possible.
    pub fn new() -> Self {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let memory = Path::new("/dev/shm");
        let parent = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
        let number = NUMBER.fetch_add(1, Relaxed);
        Sample(parent.join(format!("phicache-fuzz-{}-{number}", std::process::id())))
    }

    /// A space that looks for other processes' records at every lookup that finds nothing.
    pub fn open(&self) -> Space {
        let options = Options { refresh: Duration::ZERO, ..Options::default() };
        Space::open(&self.0, &[7; 32], "values", options).unwrap()
    }

    /// Stores values in a sealed segment.
    pub fn store(&self, values: &[(&[u8], &[u8])]) -> Vec<(Vec<u8>, Vec<u8>)> {
        let space = self.open();
        for (key, value) in values {
            assert_eq!(space.store(Entry { key, value, cost_ns: 7 }).unwrap(), Stored::Stored);
        }
        values.iter().map(|(key, value)| (key.to_vec(), value.to_vec())).collect()
    }

    /// The path of a file in the directory, which is made.
    pub fn file_path(&self, name: &str) -> PathBuf {
        std::fs::create_dir_all(&self.0).unwrap();
        self.0.join(name)
    }

    /// The only sealed segment.
    pub fn segment(&self) -> PathBuf {
        self.file(|name| name.ends_with(".seg"))
    }

    /// The only file of a long value.
    pub fn value_file(&self) -> PathBuf {
        self.file(|name| name.len() == 8 && !name.contains('.'))
    }

    fn file(&self, is_it: impl Fn(&str) -> bool) -> PathBuf {
        let mut folders = vec![self.0.clone()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap()) {
                match entry.file_type().unwrap().is_dir() {
                    true => folders.push(entry.path()),
                    false if is_it(&entry.file_name().to_string_lossy()) => return entry.path(),
                    false => (),
                }
            }
        }
        panic!("there is no such file");
    }

    /// Whatever was in the directory, values can be stored and found.
    pub fn goes_on(&self, space: &Space) {
        assert_eq!(space.store(Entry { key: b"new", value: b"value", cost_ns: 0 }).unwrap(), Stored::Stored);
        assert_eq!(find(space, b"new").as_deref(), Some(&b"value"[..]));
        assert_eq!(find(&self.open(), b"new").as_deref(), Some(&b"value"[..]));
    }
}

impl Default for Sample {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Sample {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// The value of a key; none if it is damaged.
pub fn find(space: &Space, key: &[u8]) -> Option<Vec<u8>> {
    match space.find(key).unwrap() {
        Lookup::Found(found) => {
            let mut value = vec![0; found.len()];
            space.read(key, found, &mut value).unwrap().then_some(value)
        }
        Lookup::Nothing | Lookup::Damaged => None,
    }
}
