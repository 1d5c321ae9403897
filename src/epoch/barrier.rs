//! The two halves of an asymmetric barrier: a light one that readers pass all the time, and a heavy one for those who free.
//!
//! On Linux, membarrier(2) makes every thread of the process pass a full barrier at the request of one, so that readers
//! need no instruction for theirs. Where the system forbids it, every reader executes a fence.
//!
//! A system may forbid it later: a program that sandboxes itself after it has started. Then readers are told to fence from
//! now on. One that has not noticed yet wrote its epoch before it looked, so its store reaches memory within the time that
//! a processor keeps stores to itself, which is far below a microsecond; [`heavy`] trusts nobody for a whole second.

use crate::epoch::participant::global;
use crate::sync::atomic::{Ordering, compiler_fence, fence};

const UNKNOWN: u32 = 0;
const MEMBARRIER: u32 = 1;
const FENCE: u32 = 2;

/// Decides which kind there is, once for the process; before that, readers take the full one.
pub(crate) fn prepare() {
    let kind = &global().barrier;
    if kind.load(Ordering::Relaxed) == UNKNOWN {
        let found = if register() { MEMBARRIER } else { FENCE };
        // Another thread may have found otherwise: filters for system calls are per thread. The first decision stands,
        // since readers act on it already.
        let _ = kind.compare_exchange(UNKNOWN, found, Ordering::AcqRel, Ordering::Relaxed);
    }
}

/// Whether readers need no instruction for theirs.
#[inline(always)]
pub(crate) fn is_light() -> bool {
    // A model checker runs one thread at a time, each seeing what the others did: there it needs none either.
    cfg!(shuttle) || global().barrier.load(Ordering::Relaxed) == MEMBARRIER
}

#[inline(always)]
pub(crate) fn light() {
    if is_light() {
        compiler_fence(Ordering::SeqCst);
    } else {
        fence(Ordering::SeqCst);
    }
}

/// Says whether all threads have passed it.
pub(crate) fn heavy() -> bool {
    fence(Ordering::SeqCst);
    if global().barrier.load(Ordering::Acquire) == MEMBARRIER
        && !command(PRIVATE_EXPEDITED)
        && !(register() && command(PRIVATE_EXPEDITED))
    {
        fence_from_now();
    }
    let from = global().fences_from.load(Ordering::Acquire);
    from == 0 || from <= milliseconds()
}

/// Has all readers take the full barrier from now on.
#[cold]
fn fence_from_now() {
    let global = global();
    let trusted = milliseconds() + 1000;
    let _ = global.fences_from.compare_exchange(0, trusted, Ordering::AcqRel, Ordering::Relaxed);
    global.barrier.store(FENCE, Ordering::Release);
    // A record that is claimed at this moment looks at the kind again after it is listed.
    fence(Ordering::SeqCst);
    global.records().for_each(|record| record.light.store(false, Ordering::Relaxed));
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
