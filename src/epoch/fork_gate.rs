//! A fork waits until no thread is in the middle of a change.
//!
//! A child of `fork` has one thread. What the others had begun stays as it was at that moment: locks stay locked, an entry
//! that was taken out of its table and not retired yet is lost, and so is a retire list that a thread had taken to free.
//! So every operation that changes shared structures runs inside [`change`], and the handler that runs before a fork waits
//! until all threads are outside.
//!
//! ```text
//! a thread that changes           a thread that forks
//!   changing = 1                    forking += 1
//!   light barrier                   heavy barrier
//!   forking? then step back         wait until nobody's `changing` is set
//! ```
//!
//! Nobody waits long: a program may hold a lock of its own both around a fork and around a call of this library, and must
//! not hang. After a time either side goes on, and the child falls back on mending: locks of vanished threads begin anew
//! (`lock/fork.rs`), which may forget entries and memory, and is never wrong.

use std::time::{Duration, Instant};

use super::barrier;
use crate::epoch::participant::{Participant, global, with};
use crate::sync::atomic::Ordering;

/// How long a change waits for a fork, which takes the longer the more memory the process has. Less than a fork waits for
/// changes: of two that wait for each other, this one gives way.
const PATIENCE_OF_CHANGES: Duration = Duration::from_secs(1);

const STEP: Duration = Duration::from_micros(50);

/// Runs `work` while no fork happens. Changes may be nested; only the outermost waits, so it begins before any lock is
/// taken. `work` must be short, and must not call back.
#[inline]
pub fn without_fork<R>(work: impl FnOnce() -> R) -> R {
    with(|record| {
        let _changing = Changing::begin(record);
        work()
    })
}

struct Changing<'r>(&'r Participant);

impl<'r> Changing<'r> {
    #[inline(always)]
    fn begin(record: &'r Participant) -> Self {
        // Only the owner writes it, and no change is nested 255 deep.
        let depth = record.changing.load(Ordering::Relaxed);
        record.changing.store(depth + 1, Ordering::Relaxed);
        barrier::light();
        if depth == 0 && global().forking.load(Ordering::Acquire) != 0 {
            Self::step_back(record);
        }
        Changing(record)
    }

    #[cold]
    #[inline(never)]
    fn step_back(record: &Participant) {
        let begun = Instant::now();
        while global().forking.load(Ordering::Acquire) != 0 && begun.elapsed() < PATIENCE_OF_CHANGES {
            record.changing.store(0, Ordering::Release);
            std::thread::sleep(STEP);
            record.changing.store(1, Ordering::Relaxed);
            barrier::light();
        }
    }
}

impl Drop for Changing<'_> {
    #[inline(always)]
    fn drop(&mut self) {
        self.0.changing.store(self.0.changing.load(Ordering::Relaxed) - 1, Ordering::Release);
    }
}

/// What happens around a fork, once [`watch`] has been called.
#[cfg(not(shuttle))]
mod handlers {
    use super::*;
    use crate::epoch::participant::own;
    use crate::sync::atomic::AtomicBool;

    /// How long a fork waits for changes that are under way, which take microseconds.
    const PATIENCE_OF_FORKS: Duration = Duration::from_secs(5);

    /// Asks to be told of forks. Done with the first record, so that no thread has one that a fork would not look at.
    pub(crate) fn watch() {
        static WATCHING: AtomicBool = AtomicBool::new(false);
        if WATCHING.load(Ordering::Acquire) {
            return;
        }
        // Threads that are first at once all ask: one that went on while another asks could be overtaken by a fork that
        // knows of neither. To be told twice does no harm.
        // SAFETY: the handlers are plain functions that stay: the library is never unloaded.
        if unsafe { libc::pthread_atfork(Some(before), Some(after), Some(in_child)) } == 0 {
            WATCHING.store(true, Ordering::Release);
        }
    }

    extern "C" fn before() {
        let global = global();
        global.forking.fetch_add(1, Ordering::SeqCst);
        barrier::heavy();
        let own = own();
        let others = || global.records().filter(|record| own.is_none_or(|own| !std::ptr::eq(*record, own)));
        let begun = Instant::now();
        while others().any(|record| record.changing.load(Ordering::Acquire) != 0) && begun.elapsed() < PATIENCE_OF_FORKS
        {
            std::thread::sleep(STEP);
        }
    }

    extern "C" fn after() {
        global().forking.fetch_sub(1, Ordering::Release);
    }

    /// Runs in the thread that has forked, which goes on reading what it reads, and keeps its record. The other threads are
    /// not there any more, and read no more. What they had pinned stays: this thread may have it in hand.
    extern "C" fn in_child() {
        let (global, own) = (global(), own());
        let others = global.records().filter(|record| own.is_none_or(|own| !std::ptr::eq(*record, own)));
        others.for_each(Participant::leave);
        global.forking.store(0, Ordering::Release);
        global.orphans.store(true, Ordering::Release);
    }
}

#[cfg(not(shuttle))]
pub(crate) use handlers::watch;

/// The model checker knows no forks.
#[cfg(shuttle)]
pub(crate) fn watch() {}
