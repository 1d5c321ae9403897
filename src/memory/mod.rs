//! The memory limit: how many bytes caches hold, and how many they may hold.
//!
//! | file | its one idea |
//! |---|---|
//! | `account.rs` | the exact number of bytes that one cache holds, and the bounds of its growth |
//! | `held.rs` | the sum over all caches, and claims on it, without a cache line that every store writes |
//! | `limit.rs` | whether the process has room for more, from samples of its memory |
//! | `usage.rs` | the memory of the process at one moment |
//! | `ceiling.rs` | the margin that caches keep below a hard limit |
//! | `control_groups.rs` | the limits and the use of the process's control groups |
//! | `os.rs` | the figures of the operating system, any of which may be missing |
//! | `spare.rs` | memory for small allocations that must not fail |
//!
//! Caches and the table use it. Imports `epoch` (for each thread's scratch counters), `sync` and `error`. Retired
//! entries count as held until they are freed, so a caller that needs the figure without them calls `epoch::flush`
//! first.

mod account;
mod ceiling;
mod control_groups;
mod held;
pub mod limit;
mod os;
pub mod spare;
mod usage;

pub(crate) use account::heap_bytes;
pub use account::{Account, Bounds, Exceeded};

/// The meaning of a participant's scratch counters. Only the owner writes them.
mod scratch {
    /// In `sums`: bytes that the thread has added to the sum of held bytes in advance, for its next stores.
    pub(super) const UNUSED: usize = 0;
    /// In `sums`: bytes that the thread has claimed for the store in progress.
    pub(super) const CLAIMED: usize = 1;
    /// In `counts`: 1 if the process-wide count of unused bytes includes this thread's.
    pub(super) const COUNTED: usize = 0;
    /// In `counts`: requests for room since the last sample.
    pub(super) const ADMISSIONS: usize = 1;
    /// In `counts`: refused requests since the last sample.
    pub(super) const REFUSALS: usize = 2;
}
