//! What went wrong so far, for those who would rather know than be told each time.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use super::failure::{Cause, Failure};
use crate::sync::Mutex;

/// The counts of a server, or of all nodes of a cluster.
#[derive(Default)]
pub struct HealthCounters {
    failures: AtomicU64,
    refusals: AtomicU64,
    skipped: AtomicU64,
    connections: AtomicU64,
    reconnects: AtomicU64,
    /// Connections that broke, and were not replaced yet.
    broken: AtomicU64,
    last: Mutex<Option<String>>,
}

/// How a server is doing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Health {
    /// Operations that failed because the server could not be asked, or values that were passed over because they were
    /// too long; those that were skipped do not count.
    pub failures: u64,
    /// Operations that the server refused, for example because it was full.
    pub refusals: u64,
    /// Operations that were skipped because the server had failed.
    pub skipped: u64,
    /// Connections that were opened.
    pub connections: u64,
    /// Those of them that replaced a broken one.
    pub reconnects: u64,
    /// How long operations are skipped from now on; none when the server is well. Of a cluster, the longest of its nodes'.
    pub skipping: Option<Duration>,
    /// What the last operation that failed or was refused had to say.
    pub last_error: Option<String>,
}

impl HealthCounters {
    /// A connection was opened.
    pub fn connected(&self) {
        self.connections.fetch_add(1, Relaxed);
        if self.broken.fetch_update(Relaxed, Relaxed, |broken| broken.checked_sub(1)).is_ok() {
            self.reconnects.fetch_add(1, Relaxed);
        }
    }

    /// A connection broke.
    pub fn broke(&self) {
        self.broken.fetch_add(1, Relaxed);
    }

    /// An operation failed.
    #[cold]
    pub fn failed(&self, failure: &Failure) {
        let count = match failure.cause {
            Cause::Skipped { .. } => {
                self.skipped.fetch_add(1, Relaxed);
                return;
            }
            Cause::Refused { .. } => &self.refusals,
            // The one is followed, the other the caller's.
            Cause::Elsewhere { .. } | Cause::Invalid(_) => return,
            Cause::Unreachable(_) | Cause::TimedOut { .. } | Cause::Lost(_) | Cause::TooLong { .. } => &self.failures,
        };
        self.told(count, failure);
    }

    /// A key was followed from node to node, and not found.
    #[cold]
    pub fn went_astray(&self, failure: &Failure) {
        self.told(&self.refusals, failure);
    }

    fn told(&self, count: &AtomicU64, failure: &Failure) {
        count.fetch_add(1, Relaxed);
        *self.last.lock() = Some(failure.to_string());
    }

    /// All of it.
    pub fn health(&self, skipping: Option<Duration>) -> Health {
        Health {
            failures: self.failures.load(Relaxed),
            refusals: self.refusals.load(Relaxed),
            skipped: self.skipped.load(Relaxed),
            connections: self.connections.load(Relaxed),
            reconnects: self.reconnects.load(Relaxed),
            skipping,
            last_error: self.last.lock().clone(),
        }
    }
}
