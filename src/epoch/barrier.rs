//! An asymmetric barrier: light for readers, which pass it often, and heavy for threads that free memory or fork.
//!
//! On Linux, membarrier(2) makes every thread of the process execute a full fence on request of one thread. So the
//! readers' half is a compiler fence only. If the system forbids membarrier, every reader executes a real fence.
//!
//! The system may forbid it later, if a program sandboxes itself after its start. Then all readers are told to use
//! fences. A reader that still saw the old setting had written its epoch before, and a processor's store buffer
//! delays that store by less than a microsecond. For one second, [`heavy`] reports that readers have not passed.
//!
//! This also holds on weakly ordered processors: membarrier orders all earlier accesses of each thread before all later
//! ones, and the compiler fence keeps the compiler from reordering.

use std::hint::cold_path;
use std::sync::atomic::{AtomicU32, AtomicU64};

use crate::sync::atomic::{Ordering, compiler_fence, fence};
use crate::sync::monotonic_ns;

const UNKNOWN: u32 = 0;
const MEMBARRIER: u32 = 1;
const FENCE: u32 = 2;

/// The implementation that this process uses.
static KIND: AtomicU32 = AtomicU32::new(UNKNOWN);

/// If membarrier was forbidden later: the millisecond from which all readers surely use fences. Else 0.
static FENCES_FROM: AtomicU64 = AtomicU64::new(0);

/// Chooses the implementation, once for the process. Until then readers use fences.
pub(super) fn prepare() {
    if KIND.load(Ordering::Relaxed) == UNKNOWN {
        let found = if register() { MEMBARRIER } else { FENCE };
        // Filters for system calls are per thread, so another thread may have chosen differently. The first choice
        // stays, since readers already rely on it.
        let _ = KIND.compare_exchange(UNKNOWN, found, Ordering::AcqRel, Ordering::Relaxed);
    }
}

/// Whether the readers' half is a compiler fence only.
#[inline(always)]
pub(super) fn is_fence_free() -> bool {
    // The model checker is sequentially consistent.
    cfg!(shuttle) || KIND.load(Ordering::Relaxed) == MEMBARRIER
}

/// The readers' half.
#[inline(always)]
pub(super) fn light() {
    if is_fence_free() {
        compiler_fence(Ordering::SeqCst);
    } else {
        cold_path();
        fence(Ordering::SeqCst);
    }
}

/// The heavy half. Returns whether all threads have passed a barrier. It calls `use_fences`, which tells all readers to
/// use fences, if membarrier is forbidden from now on.
pub(super) fn heavy(use_fences: impl FnOnce()) -> bool {
    fence(Ordering::SeqCst);
    if KIND.load(Ordering::Acquire) == MEMBARRIER
        && !command(PRIVATE_EXPEDITED)
        && !(register() && command(PRIVATE_EXPEDITED))
    {
        let trusted = milliseconds() + 1000;
        let _ = FENCES_FROM.compare_exchange(0, trusted, Ordering::AcqRel, Ordering::Relaxed);
        KIND.store(FENCE, Ordering::Release);
        // A participant that registers concurrently reads KIND again after it is listed.
        fence(Ordering::SeqCst);
        use_fences();
    }
    let from = FENCES_FROM.load(Ordering::Acquire);
    from == 0 || from <= milliseconds()
}

fn milliseconds() -> u64 {
    monotonic_ns() / 1_000_000
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
