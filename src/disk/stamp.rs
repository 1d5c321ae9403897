//! Whether a directory has changed since it was listed.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::time::{SystemTime, UNIX_EPOCH};

/// A change shows in the time of modification only if that is older than this number of seconds: file systems have
/// coarse clocks, and those of servers differ from ours.
const SETTLED: i64 = 2;

/// The state of a directory when it was listed.
#[derive(Debug, Clone, Copy)]
pub struct Stamp {
    directory: (u64, u64),
    modified: (i64, i64),
    is_settled: bool,
}

impl Stamp {
    /// The state now.
    pub fn of(metadata: &Metadata) -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs() as i64;
        Stamp {
            directory: (metadata.dev(), metadata.ino()),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            is_settled: now.abs_diff(metadata.mtime()) > SETTLED as u64,
        }
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
