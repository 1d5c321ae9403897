//! Whether a directory has changed since it was listed.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;

use crate::sync::monotonic_ns;

/// A change shows in the time of modification only if that has been the same for this number of nanoseconds: file
/// systems have coarse clocks. They are not compared with this host's clock: a server's differs, and each may jump.
const SETTLED: u64 = 2_000_000_000;

/// The state of a directory when it was listed. By default, that of one that was not listed: no file is on device 0.
/// (An option would do as well, but valgrind would report it: compilers compare the fields of an option before they see
/// that it is `None`.)
#[derive(Debug, Default, Clone, Copy)]
pub struct Stamp {
    directory: (u64, u64),
    modified: (i64, i64),
    /// When this time of modification was first seen, by the monotonic clock.
    since: u64,
    is_settled: bool,
}

impl Stamp {
    /// The state now, and what it was before.
    pub fn of(metadata: &Metadata, before: &Stamp) -> Self {
        let (directory, modified) = ((metadata.dev(), metadata.ino()), (metadata.mtime(), metadata.mtime_nsec()));
        let now = monotonic_ns();
        let is_same = before.directory == directory && before.modified == modified;
        let since = if is_same { before.since } else { now };
        Stamp { directory, modified, since, is_settled: now.saturating_sub(since) > SETTLED }
    }

    /// The same, if something could not be read and is tried again.
    pub fn unsettled(self) -> Self {
        Stamp { is_settled: false, ..self }
    }

    /// Whether the directory was listed.
    pub fn is_listed(&self) -> bool {
        self.directory != Self::default().directory
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
