//! The health of a server: counters, for callers that treat failures as misses.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use super::failure::{Cause, Failure};
use crate::sync::Mutex;

/// The counters of a server, or of all nodes of a cluster.
#[derive(Default)]
pub struct HealthCounters {
    failures: AtomicU64,
    refusals: AtomicU64,
    skipped: AtomicU64,
    connections: AtomicU64,
    reconnects: AtomicU64,
    /// Connections that broke and are not replaced yet.
    broken: AtomicU64,
    last: Mutex<Option<String>>,
}

/// The health of a server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Health {
    /// Operations that failed because the server could not be asked, and values that were skipped because they were too
    /// long. Skipped operations do not count.
    pub failures: u64,
    /// Operations that the server refused, for example because its memory was full.
    pub refusals: u64,
    /// Operations that were skipped because the server had failed.
    pub skipped: u64,
    /// Connections that were opened.
    pub connections: u64,
    /// Those of them that replaced a broken one.
    pub reconnects: u64,
    /// How long operations are skipped from now on; `None` if the server is healthy. In a cluster, the longest time of
    /// a node.
    pub skipping: Option<Duration>,
    /// The message of the last operation that failed or was refused.
    pub last_error: Option<String>,
}

impl HealthCounters {
    /// Counts an opened connection.
    pub fn connected(&self) {
        self.connections.fetch_add(1, Relaxed);
        if self.broken.fetch_update(Relaxed, Relaxed, |broken| broken.checked_sub(1)).is_ok() {
            self.reconnects.fetch_add(1, Relaxed);
        }
    }

    /// Counts a broken connection.
    pub fn broke(&self) {
        self.broken.fetch_add(1, Relaxed);
    }

    /// Counts a failed operation.
    #[cold]
    pub fn failed(&self, failure: &Failure) {
        let count = match failure.cause {
            Cause::Skipped { .. } => {
                self.skipped.fetch_add(1, Relaxed);
                return;
            }
            Cause::Refused { .. } => &self.refusals,
            // A redirection is followed, and an invalid question is the caller's mistake.
            Cause::Elsewhere { .. } | Cause::Invalid(_) => return,
            Cause::Unreachable(_) | Cause::TimedOut { .. } | Cause::Lost(_) | Cause::TooLong { .. } => &self.failures,
        };
        self.record(count, failure);
    }

    /// Counts a key that no redirection led to.
    #[cold]
    pub fn went_astray(&self, failure: &Failure) {
        self.record(&self.refusals, failure);
    }

    fn record(&self, count: &AtomicU64, failure: &Failure) {
        count.fetch_add(1, Relaxed);
        *self.last.lock() = Some(failure.to_string());
    }

    /// All counters.
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
