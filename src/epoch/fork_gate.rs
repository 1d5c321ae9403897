//! A fork waits until no thread is in the middle of a change.
//!
//! A child of `fork` has one thread. Whatever the other threads had begun stays as it was at that moment: locks stay
//! locked, an entry that was unlinked and not yet retired is lost, and so is a retire list that a thread had taken to
//! free. So every operation that changes shared structures runs inside [`without_fork`], and the handler that runs
//! before a fork (`threads.rs`) waits until all other threads are outside.
//!
//! ```text
//! a thread that changes           a thread that forks
//!   changing = 1                    forking += 1
//!   light barrier                   heavy barrier
//!   forking? then step back         wait until no thread is changing
//! ```
//!
//! Neither waits long: a program may hold a lock of its own both around a fork and around a call of this library, and
//! must not hang. After a time either side goes on, and the child falls back on repair: locks of vanished threads start
//! over (`sync/fork_safe.rs`), which may forget entries and memory but is never wrong.

use std::time::{Duration, Instant};

use super::barrier;
use super::participant::Participant;
use super::threads::{threads, with};
use crate::sync::atomic::Ordering;

/// How long a change waits for a fork, which takes the longer the more memory the process has. Less than a fork waits
/// for changes: of two that wait for each other, the change gives way.
const PATIENCE: Duration = Duration::from_secs(1);

const STEP: Duration = Duration::from_micros(50);

/// Runs `work` while no fork happens. Calls may be nested; only the outermost waits, so it waits before any lock is
/// taken. `work` must be short, and must not call back.
#[inline]
pub fn without_fork<R>(work: impl FnOnce() -> R) -> R {
    with(|participant| {
        let _changing = Changing::begin(participant);
        work()
    })
}

struct Changing<'p>(&'p Participant);

impl<'p> Changing<'p> {
    #[inline(always)]
    fn begin(participant: &'p Participant) -> Self {
        // Only the owner writes it, and no change is nested 255 deep.
        let depth = participant.changing.load(Ordering::Relaxed);
        participant.changing.store(depth + 1, Ordering::Relaxed);
        barrier::light();
        if depth == 0 && threads().forking.load(Ordering::Acquire) != 0 {
            Self::step_back(participant);
        }
        Changing(participant)
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

impl Drop for Changing<'_> {
    /// Release: a fork that sees the change ended has all of it in the child.
    #[inline(always)]
    fn drop(&mut self) {
        self.0.changing.store(self.0.changing.load(Ordering::Relaxed) - 1, Ordering::Release);
    }
}
