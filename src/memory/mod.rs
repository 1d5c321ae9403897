//! How much memory caches hold, and how much they may.
//!
//! | file | its one idea |
//! |---|---|
//! | `account.rs` | the bytes one cache holds, exact |
//! | `held.rs` | their sum over the process, and claims on it, without a line that all threads write |
//! | `limit.rs` | whether the process has room for more, from samples of what it occupies |
//! | `usage.rs` | the memory of the process at one moment |
//! | `ceiling.rs` | where caches stop below a hard limit |
//! | `control_groups.rs` | the limits and the use of the process's control groups |
//! | `os.rs` | the figures that the operating system tells, where it tells any |
//!
//! Knows `epoch` (for each thread's scratch counters), `sync` and `error`. What is retired counts as held until it is
//! freed: callers that want it gone flush first.

mod account;
mod ceiling;
mod control_groups;
mod held;
pub mod limit;
mod os;
mod usage;

pub use account::Account;
pub(crate) use account::heap_bytes;

/// What the scratch counters of a participant mean. Only the owner writes them.
mod scratch {
    /// In `sums`: bytes taken from the sum of all bytes held, for any use.
    pub(super) const UNUSED: usize = 0;
    /// In `sums`: bytes taken for the store that is in progress.
    pub(super) const CLAIMED: usize = 1;
    /// In `counts`: 1 if the process-wide count of unused bytes includes this thread's.
    pub(super) const COUNTED: usize = 0;
    /// In `counts`: calls that asked for room since the last sample.
    pub(super) const ADMISSIONS: usize = 1;
    /// In `counts`: those that found none.
    pub(super) const REFUSALS: usize = 2;
}
