//! An asymmetric barrier: light for readers, who pass it all the time, and heavy for those who free memory.
//!
//! On Linux, membarrier(2) makes every thread of the process pass a full barrier when one thread asks for it, so
//! readers need no instruction for theirs. Where the system forbids membarrier, every reader executes a fence.
//!
//! The system may forbid it later: a program that sandboxes itself after it has started. Then all readers are told to
//! use fences from then on. A reader that has not noticed yet wrote its epoch before it looked, so its store reaches
//! memory within the time that a processor keeps stores to itself, far below a microsecond; [`heavy`] trusts no reader
//! for a whole second.
//!
//! On a weakly ordered processor nothing changes: membarrier orders all earlier accesses of each thread before all
//! later ones, whichever the processor, and the compiler is kept from reordering by the compiler fence.

use std::sync::atomic::{AtomicU32, AtomicU64};

use crate::sync::atomic::{Ordering, compiler_fence, fence};

const UNKNOWN: u32 = 0;
const MEMBARRIER: u32 = 1;
const FENCE: u32 = 2;

/// The kind that this process uses.
static KIND: AtomicU32 = AtomicU32::new(UNKNOWN);

/// The millisecond from which all readers are known to use fences, if they began without; else 0.
static FENCES_FROM: AtomicU64 = AtomicU64::new(0);

/// Chooses the kind, once for the process. Until then readers use fences.
pub(super) fn prepare() {
    if KIND.load(Ordering::Relaxed) == UNKNOWN {
        let found = if register() { MEMBARRIER } else { FENCE };
        // Another thread may have found the other kind: filters for system calls are per thread. The first choice
        // stays, since readers rely on it already.
        let _ = KIND.compare_exchange(UNKNOWN, found, Ordering::AcqRel, Ordering::Relaxed);
    }
}

/// Whether readers need no instruction for theirs.
#[inline(always)]
pub(super) fn is_fence_free() -> bool {
    // The model checker runs one thread at a time, and each sees what the others did.
    cfg!(shuttle) || KIND.load(Ordering::Relaxed) == MEMBARRIER
}

/// The readers' half.
#[inline(always)]
pub(super) fn light() {
    if is_fence_free() {
        compiler_fence(Ordering::SeqCst);
    } else {
        fence(Ordering::SeqCst);
    }
}

/// The other half: tells whether all threads have passed a barrier. `use_fences` tells all readers to use fences from
/// now on.
pub(super) fn heavy(use_fences: impl FnOnce()) -> bool {
    fence(Ordering::SeqCst);
    if KIND.load(Ordering::Acquire) == MEMBARRIER
        && !command(PRIVATE_EXPEDITED)
        && !(register() && command(PRIVATE_EXPEDITED))
    {
        let trusted = milliseconds() + 1000;
        let _ = FENCES_FROM.compare_exchange(0, trusted, Ordering::AcqRel, Ordering::Relaxed);
        KIND.store(FENCE, Ordering::Release);
        // A participant that registers at this moment reads the kind again after it is listed.
        fence(Ordering::SeqCst);
        use_fences();
    }
    let from = FENCES_FROM.load(Ordering::Acquire);
    from == 0 || from <= milliseconds()
}

#[cfg(unix)]
fn milliseconds() -> u64 {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the clock exists, and writes to `now`.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &mut now) };
    now.tv_sec as u64 * 1000 + now.tv_nsec as u64 / 1_000_000
}

const PRIVATE_EXPEDITED: libc::c_long = 1 << 3;
const REGISTER_PRIVATE_EXPEDITED: libc::c_long = 1 << 4;

fn register() -> bool {
    command(REGISTER_PRIVATE_EXPEDITED)
}

#[cfg(all(target_os = "linux", not(shuttle)))]
fn command(command: libc::c_long) -> bool {
    // SAFETY: the call takes two numbers and changes no memory of ours.
    unsafe { libc::syscall(libc::SYS_membarrier, command, 0 as libc::c_long) == 0 }
}

#[cfg(not(all(target_os = "linux", not(shuttle))))]
fn command(_command: libc::c_long) -> bool {
    false
}
