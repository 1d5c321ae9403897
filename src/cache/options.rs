//! The options of a new cache.

use std::time::Duration;

use super::verify::Verifier;
pub use crate::config::OnFull;

/// The options of a cache.
#[derive(Default)]
pub struct Options {
    /// The maximum of the bytes that the cache holds in this process. For a cache in Redis also the longest value that
    /// it fetches.
    pub max_bytes: Option<u64>,
    /// What the cache does when it is full.
    pub on_full: OnFull,
    /// The options of caches at a server.
    pub remote: RemoteOptions,
    /// The verifier of its hits, in verified mode.
    pub verifier: Option<Box<Verifier>>,
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
