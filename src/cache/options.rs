//! The options of a new cache.

use std::time::Duration;

use super::verify::Verifier;
pub use crate::config::OnFull;

/// The options of a cache.
#[derive(Default)]
pub struct Options {
    /// The maximum of the bytes that the cache holds in this process. For a cache in Redis also the longest value that
    /// it fetches. For a cache in files, the maximum of the bytes of all files in the directory.
    pub max_bytes: Option<u64>,
    /// What the cache does when it is full.
    pub on_full: OnFull,
    /// The options of caches at a server.
    pub remote: RemoteOptions,
    /// The options of caches in files.
    pub disk: DiskOptions,
    /// The verifier of its hits, in verified mode.
    pub verifier: Option<Box<Verifier>>,
}

impl Options {
    /// These options for a cache in files, in a place that the program has not chosen: the limit is that of its memory.
    /// As a bound of the directory it would remove what other programs have stored there.
    pub fn of_memory(mut self) -> Self {
        if self.disk.near_bytes.is_none() {
            self.disk.near_bytes = self.max_bytes.take();
        }
        self
    }
}

/// The options of a cache at a server.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RemoteOptions {
    /// How long the server keeps a value; `None` is forever.
    pub ttl: Option<Duration>,
    /// The time after which another process computes a value that this one has begun; `None` lets every process
    /// compute.
    pub lease: Option<Duration>,
    /// Whether a failing server is an error. Otherwise it is a miss.
    pub strict: bool,
    /// Whether values are stored without a seal, the checksum that ties each to its key.
    pub no_checksum: bool,
    /// How long counting and clearing may take; `None` is [`SCAN`](RemoteOptions::SCAN).
    pub scan: Option<Duration>,
}

impl RemoteOptions {
    /// The default time for counting and clearing: enough to scan more than ten million names.
    pub const SCAN: Duration = Duration::from_secs(30);
}

/// The options of a cache in files.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DiskOptions {
    /// The maximum of the bytes that the cache holds in this process, beside its index; `None` is
    /// [`NEAR_BYTES`](DiskOptions::NEAR_BYTES).
    pub near_bytes: Option<u64>,
    /// The time after which records of other processes are looked for; `None` is a second.
    pub refresh: Option<Duration>,
    /// Whether nothing is ever written.
    pub read_only: bool,
    /// Whether each store is on the storage device before it returns.
    pub sync: bool,
    /// Whether members of the directory's group are trusted.
    pub trust_group: bool,
    /// Whether a failed file operation is an error. Otherwise it is a miss or a refusal.
    pub strict: bool,
}

impl DiskOptions {
    /// The default maximum in this process.
    pub const NEAR_BYTES: u64 = 64 << 20;
}
