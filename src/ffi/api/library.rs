//! The library
//!
//! Version, messages, releasing values, and the memory of this process. All threads may call these functions at once.
//!
//! Caches store values until the process's resident size reaches a percentage of the memory that the process may use
//! (`phicache_config_set_maximum_memory_percent`). That is the physical memory, or the lowest limit of the control
//! groups that the process is in, including their ancestors (version 1: `memory.limit_in_bytes`; version 2:
//! `memory.max` and `memory.high`). Limits of ancestors that are not mounted, as in containers, are found in version 1
//! only (in `memory.stat`).
//!
//! There are also hard limits, independent of the percentage: caches stop at 90 % of `RLIMIT_AS`, of `RLIMIT_DATA`,
//! and of a control group's limit. Each is compared with the memory that it counts (for a group, its usage without
//! inactive file pages). So the program's own allocations do not fail, and the system does not kill the process.
//!
//! A cache that reaches one of these limits, or its own `max_bytes`, is full. A full cache does one of two things with
//! a new value:
//!
//!  - REFUSE: `set` returns REFUSED_MEMORY or REFUSED_CAPACITY. `memoize` returns the value, and `origin` says that it
//!    was not stored. What the cache has stays. PyPhi's caches do this.
//!  - EVICT: it removes values of its own, so that the new one fits: those that cost the least computing time for each
//!    byte and were not used lately. The cost of a value is the time of its computation, without waits, or what
//!    `phicache_cache_set_with_cost` says. A pinned value stays valid when it is evicted. Now and then no room can be
//!    made at once, because values are pinned or being read; then the new value is refused.
//!
//! `on_full` in the options of a cache chooses; else the configuration, or `PHICACHE_ON_FULL` in the environment. By
//! default a cache evicts at its `max_bytes` and refuses at the limits of the process. The part of a MICE cache in
//! Redis that is in this process evicts at both.
//!
//! If a figure cannot be read (no `/proc`, no free file descriptor, a sandbox), the last good figure counts, or the
//! bytes that caches hold if those are more. The next call tries again. `known` in `phicache_memory` says which figures
//! could be read.
//!
//! ```c
//! phicache_memory memory;
//! memory.struct_size = sizeof memory;
//! if (phicache_memory_usage(&memory) == PHICACHE_OK) use(memory.percent, memory.held);
//! if (phicache_version_number() >> 8 != PHICACHE_VERSION_NUMBER >> 8) return 1;  // not the header's minor version
//! ```

use std::ffi::CStr;

use crate::epoch::flush;
use crate::ffi::api::prelude::*;
use crate::ffi::border::output::growing_items;
use crate::ffi::border::panic::last_error;
use crate::ffi::border::translate::memory_limit;
use crate::iit::NodeSet;
use crate::memory::limit::{self, Usage};

/// The memory now, without what waits to be freed.
fn usage() -> Usage {
    flush();
    limit::usage()
}

/// The version of the library, as in "1.2.3". Static; never freed.
#[unsafe(no_mangle)]
pub extern "C" fn phicache_version() -> *const c_char {
    VERSION.as_ptr()
}

const VERSION: &CStr = match CStr::from_bytes_with_nul(concat!(env!("CARGO_PKG_VERSION"), "\0").as_bytes()) {
    Ok(version) => version,
    Err(_) => unreachable!(),
};

/// The version of the library as `major << 16 | minor << 8 | patch`: compare it with `PHICACHE_VERSION_NUMBER`.
#[unsafe(no_mangle)]
pub extern "C" fn phicache_version_number() -> u32 {
    VERSION_NUMBER
}

const VERSION_NUMBER: u32 = number(env!("CARGO_PKG_VERSION_MAJOR")) << 16
    | number(env!("CARGO_PKG_VERSION_MINOR")) << 8
    | number(env!("CARGO_PKG_VERSION_PATCH"));

const fn number(text: &str) -> u32 {
    let (mut value, mut at) = (0, 0);
    while at < text.len() {
        value = value * 10 + (text.as_bytes()[at] - b'0') as u32;
        at += 1;
    }
    value
}

/// What the library was built with: a sum of `PHICACHE_FEATURE_…`.
#[unsafe(no_mangle)]
pub extern "C" fn phicache_features() -> u32 {
    let redis = if cfg!(feature = "redis") { PHICACHE_FEATURE_REDIS } else { 0 };
    redis + if cfg!(feature = "tls") { PHICACHE_FEATURE_TLS } else { 0 }
}

/// What the library was built from: the version of the compiler and of each library in it, as in "rustc 1.95.0, blake3
/// 1.8.7, …". Static; never freed.
#[unsafe(no_mangle)]
pub extern "C" fn phicache_built_from() -> *const c_char {
    BUILT_FROM.as_ptr()
}

const BUILT_FROM: &CStr = match CStr::from_bytes_with_nul(concat!(env!("PHICACHE_BUILT_FROM"), "\0").as_bytes()) {
    Ok(versions) => versions,
    Err(_) => unreachable!(),
};

/// The name of a status, such as "MISS"; "UNKNOWN" for any other number. Static; never freed.
///
/// @param status  Any number.
#[unsafe(no_mangle)]
pub extern "C" fn phicache_status_name(status: phicache_status) -> *const c_char {
    let name: &'static CStr = match status {
        PHICACHE_OK => c"OK",
        PHICACHE_MISS => c"MISS",
        PHICACHE_REFUSED_CUT => c"REFUSED_CUT",
        PHICACHE_REFUSED_PHI => c"REFUSED_PHI",
        PHICACHE_REFUSED_MEMORY => c"REFUSED_MEMORY",
        PHICACHE_REFUSED_DISABLED => c"REFUSED_DISABLED",
        PHICACHE_REFUSED_CAPACITY => c"REFUSED_CAPACITY",
        PHICACHE_REFUSED_CLEARED => c"REFUSED_CLEARED",
        PHICACHE_LEASE => c"LEASE",
        PHICACHE_BUSY => c"BUSY",
        PHICACHE_TIMEOUT => c"TIMEOUT",
        PHICACHE_REFUSED_SERVER => c"REFUSED_SERVER",
        PHICACHE_REFUSED_STORAGE => c"REFUSED_STORAGE",
        PHICACHE_ERROR_INVALID_ARGUMENT => c"ERROR_INVALID_ARGUMENT",
        PHICACHE_ERROR_INVALID_HANDLE => c"ERROR_INVALID_HANDLE",
        PHICACHE_ERROR_CALLBACK => c"ERROR_CALLBACK",
        PHICACHE_ERROR_RECURSION => c"ERROR_RECURSION",
        PHICACHE_ERROR_BUFFER_TOO_SMALL => c"ERROR_BUFFER_TOO_SMALL",
        PHICACHE_ERROR_OUT_OF_MEMORY => c"ERROR_OUT_OF_MEMORY",
        PHICACHE_ERROR_REDIS => c"ERROR_REDIS",
        PHICACHE_ERROR_UNSUPPORTED => c"ERROR_UNSUPPORTED",
        PHICACHE_ERROR_PANIC => c"ERROR_PANIC",
        PHICACHE_ERROR_CONFIGURATION => c"ERROR_CONFIGURATION",
        PHICACHE_ERROR_NAME_IN_USE => c"ERROR_NAME_IN_USE",
        PHICACHE_ERROR_DAMAGED => c"ERROR_DAMAGED",
        PHICACHE_ERROR_STORAGE => c"ERROR_STORAGE",
        _ => c"UNKNOWN",
    };
    name.as_ptr()
}

/// Why a value was not stored, from its origin.
///
/// @param origin  The `origin` of a value.
/// @return REFUSED_…; ERROR_OUT_OF_MEMORY if an allocation failed; OK for any other origin: the cache has the value.
#[unsafe(no_mangle)]
pub extern "C" fn phicache_origin_refusal(origin: u32) -> phicache_status {
    match origin.checked_sub(PHICACHE_ORIGIN_NOT_STORED) {
        None => PHICACHE_OK,
        Some(0) => PHICACHE_ERROR_OUT_OF_MEMORY,
        Some(reason) => i32::try_from(reason).unwrap_or(PHICACHE_OK),
    }
}

/// The message of this thread's last error: what was wrong and what was expected. Empty if there was no error.
///
/// The text belongs to the library, and is valid until this thread's next error. A call that succeeds does not change
/// it.
#[unsafe(no_mangle)]
pub extern "C" fn phicache_last_error() -> *const c_char {
    catch_panics_infallible("phicache_last_error", c"".as_ptr(), last_error)
}

/// Releases a value and zeroes the struct. Any thread may call it; it does not block.
///
/// Releasing a zeroed struct does nothing. If the struct was copied, release exactly one of the copies, once.
///
/// @param value  [nullable] The value.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn phicache_value_release(value: *mut phicache_value) {
    fast_path::release(value).unwrap_or_else(|| release(value));
}

#[inline(never)]
extern "C" fn release(value: *mut phicache_value) {
    catch_panics_infallible("phicache_value_release", (), || output::release(value));
}

/// The resident memory of this process as a percentage of the memory it may use, measured now (a few microseconds).
///
/// The memory that it may use is the physical memory, or the lowest limit of its control groups.
///
/// @param out_percent  The percentage; 0 if neither figure was ever known.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn phicache_memory_percent(out_percent: *mut f64) -> phicache_status {
    catch_panics("phicache_memory_percent", || {
        *out(out_percent, "out_percent")? = usage().percent();
        Ok(PHICACHE_OK)
    })
}

/// Tells whether this process occupies more memory than the configured maximum, or has reached a hard limit, measured
/// now. (PyPhi's `memory_full`.)
///
/// @param config    [nullable] The configuration; NULL is the process default.
/// @param out_full  1 or 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn phicache_memory_full(config: *mut phicache_config, out_full: *mut i32) -> phicache_status {
    catch_panics("phicache_memory_full", || {
        let full = out(out_full, "out_full")?;
        flush();
        *full = limit::is_full(self::config(config)?.maximum_memory()).into();
        Ok(PHICACHE_OK)
    })
}

/// The memory of this process in bytes, measured now.
///
/// @param out  The figures. Set `struct_size` first.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn phicache_memory_usage(out: *mut phicache_memory) -> phicache_status {
    catch_panics("phicache_memory_usage", || {
        let out = growing(out, "out")?;
        out.fill(usage().into());
        Ok(PHICACHE_OK)
    })
}

/// Lists all limits on the memory of this process that were found, measured now: the physical memory, the limits of its
/// control groups and their ancestors (version 1: `memory.limit_in_bytes`, and `memory.stat` for the
/// lowest limit of ancestors that are not mounted; version 2: `memory.max` and `memory.high`), RLIMIT_AS and
/// RLIMIT_DATA. Groups without a limit are not listed.
///
/// @param config     [nullable] The configuration, for its maximum memory; NULL is the process default.
/// @param limits     [nullable] Receives the limits; may be NULL if `capacity` is 0. Set `struct_size` of the first one
///                   to `sizeof` of one.
/// @param capacity   The number of limits that fit.
/// @param out_count  The number of limits, also if they do not fit.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn phicache_memory_limits(
    config: *mut phicache_config,
    limits: *mut phicache_memory_limit,
    capacity: usize,
    out_count: *mut usize,
) -> phicache_status {
    catch_panics("phicache_memory_limits", || {
        let out_count = out(out_count, "out_count")?;
        let limits = growing_items(limits, capacity, "limits")?;
        flush();
        let found = limit::limits(self::config(config)?.maximum_memory())?;
        let least = found.iter().map(|limit| limit.room).min().filter(|room| *room != u64::MAX);
        let counting = least.and_then(|least| found.iter().position(|limit| limit.room == least));
        let found = found.iter().enumerate();
        limits.fill(found.map(|(at, limit)| memory_limit(limit, counting == Some(at))), out_count)
    })
}

/// Makes the node set of these indices. Indices begin at 0, and may be in any order.
///
/// @param indices    [nullable] The indices; may be NULL if `count` is 0.
/// @param count      The number of indices.
/// @param out_nodes  The set: bit k is node k.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn phicache_nodes_from_indices(
    indices: *const i32,
    count: usize,
    out_nodes: *mut u64,
) -> phicache_status {
    catch_panics("phicache_nodes_from_indices", || {
        let out = out(out_nodes, "out_nodes")?;
        *out = NodeSet::from_indices(array(indices, count, "indices")?)?.0;
        Ok(PHICACHE_OK)
    })
}

/// Writes the indices of a node set, in ascending order, beginning at 0.
///
/// @param nodes      The set.
/// @param indices    [nullable] Receives the indices; may be NULL if `capacity` is 0.
/// @param capacity   The number of indices that fit; 64 is always enough.
/// @param out_count  The number of indices, also if they do not fit.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn phicache_nodes_to_indices(
    nodes: u64,
    indices: *mut i32,
    capacity: usize,
    out_count: *mut usize,
) -> phicache_status {
    catch_panics("phicache_nodes_to_indices", || {
        let out_count = out(out_count, "out_count")?;
        let room = array_mut(indices, capacity, "indices")?;
        length(write_indices(NodeSet(nodes), room), out_count)
    })
}

fn write_indices(nodes: NodeSet, room: &mut [i32]) -> Result<usize> {
    if nodes.len() > room.len() {
        return Err(Error::BufferTooSmall { needed: nodes.len(), capacity: room.len() });
    }
    room.iter_mut().zip(nodes.indices()).for_each(|(to, index)| *to = index as i32);
    Ok(nodes.len())
}

/// cbindgen:ignore
///
/// Not part of the API: panics on purpose, so that tests in any language can see what a panic becomes. The message is
/// formatted, as those of the standard library's own checks are.
#[unsafe(no_mangle)]
pub extern "C" fn phicache_test_panic() -> phicache_status {
    catch_panics("phicache_test_panic", || {
        panic!("on purpose, for a test of version {}", std::hint::black_box(VERSION_NUMBER))
    })
}
