//! What the maker of a cache may choose.

use std::time::Duration;

/// The options of a cache.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Options {
    /// The most bytes that the cache holds in this process; of a cache at a server, the longest value that it fetches.
    pub max_bytes: Option<u64>,
    /// The options of caches at a server.
    pub remote: RemoteOptions,
}

/// The options of a cache at a server.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RemoteOptions {
    /// How long the server keeps a value; `None` is forever.
    pub ttl: Option<Duration>,
    /// How long a worker may take to compute a value before another one starts; `None` lets every process compute.
    pub lease: Option<Duration>,
    /// Whether a failing server is an error. Otherwise it is a miss.
    pub strict: bool,
    /// Whether values are stored as they are, without the seal that ties each to its key.
    pub no_checksum: bool,
    /// How long counting and clearing may take; `None` is [`SCAN`](RemoteOptions::SCAN).
    pub scan: Option<Duration>,
}

impl RemoteOptions {
    /// The default time for counting and clearing: enough to scan more than ten million names.
    pub const SCAN: Duration = Duration::from_secs(30);
}
