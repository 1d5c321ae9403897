//! Counts of failures and damage, and the text of the last failure.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::failure::Failure;
use crate::sync::Mutex;

/// What has failed so far.
#[derive(Default)]
pub struct Health {
    failures: AtomicU64,
    damaged: AtomicU64,
    evicted: Mutex<Evicted>,
    last: Mutex<String>,
}

/// Values that this process has removed because the directory was full.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Evicted {
    /// Their number.
    pub entries: u64,
    /// The bytes of their records.
    pub bytes: u64,
    /// About the nanoseconds that they took to compute.
    pub ns: u64,
}

impl Health {
    /// The number of file operations that failed.
    pub fn failures(&self) -> u64 {
        self.failures.load(Relaxed)
    }

    /// The number of records, segments and values that were damaged, not ours, or gone.
    pub fn damaged(&self) -> u64 {
        self.damaged.load(Relaxed)
    }

    /// The text of the last failure; empty if there was none.
    pub fn last_failure(&self) -> String {
        self.last.lock().clone()
    }

    pub(super) fn count_failure(&self, failure: &Failure) {
        self.failures.fetch_add(1, Relaxed);
        *self.last.lock() = failure.to_string();
    }

    /// What was removed because the directory was full.
    pub fn evicted(&self) -> Evicted {
        *self.evicted.lock()
    }

    pub(super) fn count_evicted(&self, evicted: Evicted) {
        let mut all = self.evicted.lock();
        all.entries += evicted.entries;
        all.bytes += evicted.bytes;
        all.ns = all.ns.saturating_add(evicted.ns);
    }

    pub(super) fn count_damaged(&self) {
        self.damaged.fetch_add(1, Relaxed);
    }
}
