//! The values of one identity and role in a directory: lookups.
//!
//! A lookup takes no lock of a file and asks nothing of the directory: the index says where the record is, and one read
//! fetches it. If the index has no record, other processes may have stored one since the last refresh.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use super::bundle_reader::Bundle;
use super::catalog::{Catalog, Growth, Located};
use super::claims::Claims;
use super::directory::Directory;
use super::failure::{Failure, Outcome};
use super::files;
use super::format::{self, Content, Kind, PREFIX, Record, RecordKey, UNIT};
use super::health::Health;
use super::kept_bound::{self, KeptBound};
use super::leases::Leases;
use super::read_filter::ReadFilter;
use super::stamp::Stamp;
use super::value_files::OpenValue;
use super::writer::Writer;
use crate::error::{Error, Result};
use crate::memory::spare;
use crate::sync::{Mutex, RwLock, process};

/// The longest bundle in which an index can say where records are.
const LONGEST_BUNDLE: u64 = (1 << 32) * UNIT as u64;

/// How a space is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// The most bytes that all identities in the directory take together; `None` is what the directory says.
    pub max_bytes: Option<u64>,
    /// The time after which records of other processes are looked for.
    pub refresh: Duration,
    /// Whether nothing is ever written.
    pub read_only: bool,
    /// Whether each store is on the storage device before it returns.
    pub sync: bool,
    /// Whether members of the directory's group are trusted.
    pub trust_group: bool,
    /// The time after which another host computes a value that this one has begun; `None` makes claims between the
    /// processes of each host only.
    pub lease: Option<Duration>,
}

impl Options {
    /// The bound of a directory until a process asks for another one: 8 GiB.
    pub const MAX_BYTES: u64 = 8 << 30;
    /// The time after which other processes' records are looked for, unless another one is chosen.
    pub const REFRESH: Duration = Duration::from_secs(1);
    /// The least bound: each segment has a 64th of it.
    pub const LEAST_BYTES: u64 = 1 << 20;
}

impl Default for Options {
    fn default() -> Self {
        Options {
            max_bytes: None,
            refresh: Self::REFRESH,
            read_only: false,
            sync: false,
            trust_group: false,
            lease: None,
        }
    }
}

/// The values of one identity and role.
pub struct Space {
    pub(super) directory: Directory,
    pub(super) options: Options,
    /// The bound that counts now.
    pub(super) bound: AtomicU64,
    /// Whether the directory has got the bound of the options.
    pub(super) has_asked: AtomicBool,
    pub(super) folder: Arc<Path>,
    /// What is written down about the identity, for people.
    pub(super) context: Option<Box<[u8]>>,
    /// The identity and role, as headers have it.
    pub(super) digest: [u8; 32],
    pub(super) catalog: RwLock<Catalog>,
    /// The segment that this process writes. Locked before the catalog.
    pub(super) writer: Mutex<Option<Writer>>,
    /// The process that refreshed last: a forked child begins anew.
    pub(super) process: AtomicU32,
    /// The directory as it was last listed. Locked during a refresh.
    pub(super) listed: Mutex<Stamp>,
    /// When the next refresh is due, in nanoseconds of the monotonic clock.
    pub(super) due: AtomicU64,
    pub(super) reads: ReadFilter,
    pub(super) claims: &'static Claims,
    pub(super) leases: Leases,
    pub(super) health: Health,
    /// Whether it is a bundle, whose only segment is known from the beginning.
    pub(super) is_bundle: bool,
}

/// A value that was found. The caller makes room for it and has it read.
pub struct Found {
    /// The nanoseconds that it took to compute; 0 if that is not known.
    pub cost_ns: u64,
    hash: u64,
    located: Located,
    bytes: FoundBytes,
}

enum FoundBytes {
    /// In the record, verified, from this offset on.
    Record(Vec<u8>, std::ops::Range<usize>),
    /// In a file.
    File(OpenValue),
}

impl Found {
    /// The length of the value.
    pub fn len(&self) -> usize {
        match &self.bytes {
            FoundBytes::Record(_, range) => range.len(),
            FoundBytes::File(file) => file.len(),
        }
    }
}

/// The result of a lookup.
pub enum Lookup {
    /// There is no record.
    Nothing,
    /// There is a value.
    Found(Found),
    /// There is a record, and it is damaged.
    Damaged,
}

impl Space {
    /// The values of a fingerprint and a role in a directory, which is made if that is allowed.
    pub fn open(path: &Path, fingerprint: &[u8; 32], role: &str, options: Options) -> Result<Self> {
        spare::make_room();
        let directory = Directory::new(path, options.trust_group, !options.read_only)?;
        let folder: PathBuf = directory.space(fingerprint, role);
        let space = Self::new(directory, folder, format::space(fingerprint, role), options, false);
        if let (None, Ok(KeptBound::Bytes(bytes))) = (options.max_bytes, kept_bound::read(&space.directory)) {
            space.bound.store(bytes, Relaxed);
        }
        // Values of older formats are misses, until the bound removes them.
        let own = space.folder.strip_prefix(space.directory.values()).expect("it is below");
        let older = space.directory.older().into_iter().filter(|older| files::stat(&older.join(own)).is_ok());
        older.for_each(|_| space.health.count_damaged());
        Ok(space)
    }

    fn new(directory: Directory, folder: PathBuf, digest: [u8; 32], options: Options, is_bundle: bool) -> Self {
        let claims = Claims::of(&directory);
        let leases = Leases::new(&folder, (directory.directory_mode(), directory.file_mode()));
        Space {
            directory,
            options,
            bound: AtomicU64::new(options.max_bytes.unwrap_or(Options::MAX_BYTES)),
            has_asked: AtomicBool::new(false),
            folder: folder.into(),
            context: None,
            digest,
            catalog: RwLock::default(),
            writer: Mutex::default(),
            process: AtomicU32::new(process()),
            listed: Mutex::default(),
            due: AtomicU64::new(if is_bundle { u64::MAX } else { 0 }),
            reads: ReadFilter::new(),
            claims,
            leases,
            health: Health::default(),
            is_bundle,
        }
    }

    /// The values of a bundle, which are only read.
    pub fn of_bundle(bundle: Bundle) -> Result<Self> {
        let segment = bundle.into_segment();
        let path = segment.path();
        if segment.len()? > LONGEST_BUNDLE {
            return Err(Error::Storage(
                format!("{} is longer than 32 GiB and cannot be read in place; load it instead", path.display()).into(),
            ));
        }
        let options = Options { read_only: true, ..Options::default() };
        let space = Self::new(Directory::of_file(&path), path, segment.header.space, options, true);
        let (footer, is_damaged) = segment.parts()?;
        if is_damaged {
            space.health.count_damaged();
        }
        space.change(|catalog| {
            let number = catalog.add(segment, Growth::Sealed)?;
            catalog.note_all(number, &footer)
        })?;
        Ok(space)
    }

    /// The same, whose identity is that of this context: lists of the directory show it.
    pub fn with_context(mut self, context: &[u8]) -> Self {
        self.context = Some(context.into());
        self
    }

    /// The directory of all identities.
    pub fn directory(&self) -> &Path {
        self.directory.root()
    }

    /// How it is used.
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// What has failed so far.
    pub fn health(&self) -> &Health {
        &self.health
    }

    /// Looks a key up.
    pub fn find(&self, key: &[u8]) -> Outcome<Lookup> {
        let key = RecordKey::of(key);
        let hash = key.hash();
        self.watch(self.lookup(hash, Some(&key)))
    }

    fn lookup(&self, hash: u64, key: Option<&RecordKey>) -> Outcome<Lookup> {
        let located = match self.locate(hash) {
            None => {
                self.refresh_if_due()?;
                self.locate(hash)
            }
            located => located,
        };
        let Some(located) = located else { return Ok(Lookup::Nothing) };
        if let Some(lookup) = self.fetch(hash, key, &located)? {
            return Ok(lookup);
        }
        // Another process removed the segment, joined it with others, or replaced the value.
        self.refresh()?;
        let Some(again) = self.locate(hash) else { return Ok(Lookup::Nothing) };
        if !again.is_same(&located)
            && let Some(lookup) = self.fetch(hash, key, &again)?
        {
            return Ok(lookup);
        }
        self.forget(hash, &again);
        Ok(Lookup::Damaged)
    }

    /// The keys of all values, as hashes.
    pub fn hashes(&self) -> Outcome<Vec<u64>> {
        self.watch(self.refresh_if_due())?;
        self.catalog.read().hashes().map_err(Failure::of("list the values of", &self.folder))
    }

    /// Looks up the key with this hash; returns also the key.
    pub fn find_hash(&self, hash: u64) -> Outcome<(Lookup, Vec<u8>)> {
        let lookup = self.watch(self.lookup(hash, None))?;
        let key = match &lookup {
            Lookup::Found(Found { bytes: FoundBytes::Record(bytes, range), .. }) => bytes[PREFIX..range.start].to_vec(),
            Lookup::Found(Found { bytes: FoundBytes::File(file), .. }) => self.watch(file.read_key())?,
            Lookup::Nothing | Lookup::Damaged => Vec::new(),
        };
        Ok((lookup, key))
    }

    /// Reads a value into a buffer of its length; returns whether it is undamaged.
    pub fn read(&self, key: &[u8], found: Found, buffer: &mut [u8]) -> Outcome<bool> {
        match found.bytes {
            FoundBytes::Record(bytes, range) => {
                buffer.copy_from_slice(&bytes[range]);
                Ok(true)
            }
            FoundBytes::File(file) => {
                let read = self.watch(file.read_into(Some(key), buffer))?;
                if !read {
                    self.forget(found.hash, &found.located);
                }
                Ok(read)
            }
        }
    }

    /// Whether a key has a value, as far as its record says.
    pub fn contains(&self, key: &[u8]) -> Outcome<bool> {
        Ok(matches!(self.find(key)?, Lookup::Found(_)))
    }

    /// The number of values.
    pub fn len(&self) -> Outcome<u64> {
        self.watch(self.refresh_if_due())?;
        Ok(self.catalog.read().len() as u64)
    }

    /// The number of segments that are known.
    pub fn segments(&self) -> u64 {
        self.catalog.read().segments().count() as u64
    }

    /// The bytes of memory that the index takes.
    pub fn index_bytes(&self) -> u64 {
        self.catalog.read().bytes() as u64
    }

    pub(super) fn locate(&self, hash: u64) -> Option<Located> {
        self.catalog.read().locate(hash)
    }

    /// The value of a record; `None` if its file is gone.
    fn fetch(&self, hash: u64, key: Option<&RecordKey>, located: &Located) -> Outcome<Option<Lookup>> {
        if located.extent.kind() == Kind::Removed {
            return Ok(Some(Lookup::Nothing));
        }
        let damaged = || {
            self.forget(hash, located);
            Ok(Some(Lookup::Damaged))
        };
        let bytes = match located.segment.read(located.offset, located.extent) {
            Ok(bytes) => bytes,
            Err(failure) if failure.is_absence() && !self.is_bundle => return Ok(None),
            Err(failure) if failure.is_foreign() => return damaged(),
            Err(failure) => return Err(failure),
        };
        let header = &located.segment.header;
        let Some(record) = Record::decode(header, located.offset, &bytes) else { return damaged() };
        if key.is_some_and(|key| *key != record.key) {
            return Ok(Some(Lookup::Nothing));
        }
        self.reads.note(hash);
        let (cost_ns, end) = (record.cost.max(0.0) as u64, located.offset + record.len() as u64);
        let bytes = match record.content {
            Content::Removed => return Ok(Some(Lookup::Nothing)),
            Content::Value(value) => {
                let start = PREFIX + record.key.bytes().len();
                let range = start..start + value.len();
                FoundBytes::Record(bytes, range)
            }
            Content::File(described) => match OpenValue::of_record(&located.segment, end, described) {
                Ok(Some(file)) => FoundBytes::File(file),
                Ok(None) => return damaged(),
                Err(failure) if failure.is_absence() && !self.is_bundle => return Ok(None),
                Err(failure) => return Err(failure),
            },
        };
        Ok(Some(Lookup::Found(Found { cost_ns, hash, located: located.clone(), bytes })))
    }

    fn forget(&self, hash: u64, located: &Located) {
        self.health.count_damaged();
        self.change(|catalog| catalog.forget(hash, located));
    }

    /// Changes the catalog; a fork waits.
    pub(super) fn change<R>(&self, change: impl FnOnce(&mut Catalog) -> R) -> R {
        crate::epoch::without_fork(|| change(&mut self.catalog.write()))
    }

    /// Counts a failure.
    pub(super) fn watch<T>(&self, outcome: Outcome<T>) -> Outcome<T> {
        outcome.inspect_err(|failure: &Failure| self.health.count_failure(failure))
    }
}
