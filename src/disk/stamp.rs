//! Whether a directory has changed since it was listed.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;

use crate::sync::monotonic_ns;

/// A change shows in the time of modification only if that has been the same for this number of nanoseconds: file
/// systems have coarse clocks. They are not compared with this host's clock: a server's differs, and each may jump.
const SETTLED: u64 = 2_000_000_000;

/// The state of a directory when it was listed.
#[derive(Debug, Clone, Copy)]
pub struct Stamp {
    directory: (u64, u64),
    modified: (i64, i64),
    /// When this time of modification was first seen, by the monotonic clock.
    since: u64,
    is_settled: bool,
}

impl Stamp {
    /// The state now, and what it was before.
    pub fn of(metadata: &Metadata, before: Option<&Stamp>) -> Self {
        let (directory, modified) = ((metadata.dev(), metadata.ino()), (metadata.mtime(), metadata.mtime_nsec()));
        let now = monotonic_ns();
        let same = before.filter(|before| before.directory == directory && before.modified == modified);
        let since = same.map_or(now, |before| before.since);
        Stamp { directory, modified, since, is_settled: now.saturating_sub(since) > SETTLED }
    }

    /// The same, if something could not be read and is tried again.
    pub fn unsettled(self) -> Self {
        Stamp { is_settled: false, ..self }
    }

    /// Whether both are of one directory.
    pub fn is_same_directory(&self, other: &Stamp) -> bool {
        self.directory == other.directory
    }

    /// Whether a listing made in this state is still right in a later one.
    pub fn is_current(&self, now: &Stamp) -> bool {
        self.is_settled && self.is_same_directory(now) && self.modified == now.modified
    }
}
