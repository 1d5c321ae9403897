//! A fork waits until no thread is in the middle of a change.
//!
//! A child of `fork` has one thread. Changes that other threads had begun stay unfinished: locks stay locked, and
//! entries or retire lists in the hands of a thread are lost. So every operation that changes shared structures runs
//! inside [`without_fork`], and the handler that runs before a fork (`threads.rs`) waits until all other threads are
//! outside.
//!
//! ```text
//! a thread that changes           a thread that forks
//!   changing = 1                    forking += 1
//!   light barrier                   heavy barrier
//!   forking? then step back         wait until no thread is changing
//! ```
//!
//! Both waits have a limit, because a program may hold a lock of its own around a fork and around calls of this
//! library, which would be a deadlock. After the limit either one proceeds, and the child repairs: locks of vanished
//! threads start over (`sync/fork_safe.rs`). It may lose entries and memory, but never returns a wrong value.

use std::time::{Duration, Instant};

use super::barrier;
use super::participant::Participant;
use super::threads::{This, current, threads};
use crate::sync::atomic::Ordering;

/// The longest wait of a change for a fork; forks of large processes are slow. Shorter than a fork's wait for changes,
/// so that the change continues first if each waits for the other.
const PATIENCE: Duration = Duration::from_secs(1);

const STEP: Duration = Duration::from_micros(50);

/// Runs `work` while no fork happens. Calls may be nested; only the outermost one waits, before it takes any lock.
/// `work` must be short and must not run user code.
#[inline(always)]
pub fn without_fork<R>(work: impl FnOnce() -> R) -> R {
    let _changing = Changing::begin();
    work()
}

/// A change. No fork happens until it is dropped. For code whose inlining matters: the compiler does not always inline
/// a closure.
pub struct Changing(This);

impl Changing {
    /// Begins a change of this thread; see [`without_fork`].
    #[inline(always)]
    pub fn begin() -> Self {
        Self::begin_by(current())
    }

    /// As [`Changing::begin`], for a caller that knows its thread's participant, if it has one already.
    #[inline(always)]
    pub fn begin_by(thread: Option<&'static Participant>) -> Self {
        let this = This::of(thread);
        let participant = this.participant;
        // Only the owner writes it, and changes nest only a few deep.
        let depth = participant.changing.load(Ordering::Relaxed);
        participant.changing.store(depth + 1, Ordering::Relaxed);
        barrier::light();
        if depth == 0 && threads().forking.load(Ordering::Acquire) != 0 {
            Self::step_back(participant);
        }
        Changing(this)
    }

    /// The participant of the thread that makes the change.
    #[inline(always)]
    pub fn participant(&self) -> &'static Participant {
        self.0.participant
    }

    #[cold]
    #[inline(never)]
    fn step_back(participant: &Participant) {
        let begun = Instant::now();
        while threads().forking.load(Ordering::Acquire) != 0 && begun.elapsed() < PATIENCE {
            participant.changing.store(0, Ordering::Release);
            std::thread::sleep(STEP);
            participant.changing.store(1, Ordering::Relaxed);
            barrier::light();
        }
    }
}

impl Drop for Changing {
    /// Release: a fork that sees the change ended copies all of it.
    #[inline(always)]
    fn drop(&mut self) {
        let changing = &self.0.participant.changing;
        changing.store(changing.load(Ordering::Relaxed) - 1, Ordering::Release);
    }
}
