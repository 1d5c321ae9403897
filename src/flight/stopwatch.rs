//! The computing time of a flight: the time since its computation began, without what its thread has waited meanwhile.
//!
//! Each thread adds up the time that it waits for computations of others. A stopwatch reads that sum when it starts. If
//! another thread reads the stopwatch, that one's waits are not known, and the time since the start counts.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};

use crate::epoch::{Participant, current};
use crate::sync::{monotonic_ns, stopwatch_ns};

/// The computing time of one flight.
pub(super) struct Stopwatch {
    /// When it started, in nanoseconds.
    started: AtomicU64,
    /// The thread that started it, plus one; 0 if that thread adds nothing up.
    thread: AtomicU32,
    /// The nanoseconds that this thread had waited before.
    waited: AtomicU64,
}

impl Stopwatch {
    /// Starts.
    #[inline(always)]
    pub(super) fn start() -> Self {
        let (thread, waited) = waited(current());
        Stopwatch {
            started: AtomicU64::new(stopwatch_ns()),
            thread: AtomicU32::new(thread),
            waited: AtomicU64::new(waited),
        }
    }

    /// Starts again, in the thread with this participant.
    #[inline(always)]
    pub(super) fn restart(&self, thread: Option<&Participant>) {
        let (thread, waited) = waited(thread);
        self.started.store(stopwatch_ns(), Relaxed);
        self.thread.store(thread, Relaxed);
        self.waited.store(waited, Relaxed);
    }

    /// The computing time, in nanoseconds, for this thread, if it has a participant.
    #[inline(always)]
    pub(super) fn computing(&self, thread: Option<&Participant>) -> u64 {
        let age = stopwatch_ns().saturating_sub(self.started.load(Relaxed));
        let waited_meanwhile = match waited(thread) {
            (thread, waited) if thread != 0 && thread == self.thread.load(Relaxed) => {
                waited.saturating_sub(self.waited.load(Relaxed))
            }
            _ => 0,
        };
        age.saturating_sub(waited_meanwhile)
    }
}

/// Runs `wait`, in which this thread waits for a computation of another thread or process. The time is not part of the
/// computations of this thread.
pub fn waiting<R>(wait: impl FnOnce() -> R) -> R {
    let began = monotonic_ns();
    let result = wait();
    if let Some(participant) = current() {
        let waited = participant.waited.load(Relaxed);
        participant.waited.store(waited.wrapping_add(monotonic_ns().saturating_sub(began)), Relaxed);
    }
    result
}

/// This thread's number, plus one, and the nanoseconds that it has waited.
#[inline(always)]
fn waited(thread: Option<&Participant>) -> (u32, u64) {
    thread.map_or((0, 0), |participant| (participant.id() + 1, participant.waited.load(Relaxed)))
}
