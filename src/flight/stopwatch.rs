//! The computing time of a flight: the time since its computation began, without what its thread has waited meanwhile.
//!
//! Each thread adds up the time that it waits for computations of others. A stopwatch reads that sum when it starts. If
//! another thread reads the stopwatch, that one's waits are not known, and the time since the start counts.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use crate::epoch::current;

/// The computing time of one flight.
pub(super) struct Stopwatch {
    made: Instant,
    /// The nanoseconds from `made` to the start.
    started: AtomicU64,
    /// The thread that started it, plus one; 0 if that thread adds nothing up.
    thread: AtomicU32,
    /// The nanoseconds that this thread had waited before.
    waited: AtomicU64,
}

impl Stopwatch {
    /// Starts.
    pub(super) fn start() -> Self {
        let (thread, waited) = waited();
        Stopwatch {
            made: Instant::now(),
            started: AtomicU64::new(0),
            thread: AtomicU32::new(thread),
            waited: AtomicU64::new(waited),
        }
    }

    /// Starts again.
    pub(super) fn restart(&self) {
        let (thread, waited) = waited();
        self.started.store(nanoseconds(self.made.elapsed()), Relaxed);
        self.thread.store(thread, Relaxed);
        self.waited.store(waited, Relaxed);
    }

    /// The computing time.
    pub(super) fn computing(&self) -> Duration {
        let age = self.made.elapsed().saturating_sub(Duration::from_nanos(self.started.load(Relaxed)));
        match waited() {
            (thread, waited) if thread != 0 && thread == self.thread.load(Relaxed) => {
                age.saturating_sub(Duration::from_nanos(waited.saturating_sub(self.waited.load(Relaxed))))
            }
            _ => age,
        }
    }
}

/// Runs `wait`, in which this thread waits for a computation of another thread or process. The time is not part of the
/// computations of this thread.
pub fn waiting<R>(wait: impl FnOnce() -> R) -> R {
    let began = Instant::now();
    let result = wait();
    if let Some(participant) = current() {
        let waited = participant.waited.load(Relaxed);
        participant.waited.store(waited.wrapping_add(nanoseconds(began.elapsed())), Relaxed);
    }
    result
}

/// This thread's number, plus one, and the nanoseconds that it has waited.
fn waited() -> (u32, u64) {
    current().map_or((0, 0), |participant| (participant.id() + 1, participant.waited.load(Relaxed)))
}

fn nanoseconds(time: Duration) -> u64 {
    time.as_nanos() as u64
}
