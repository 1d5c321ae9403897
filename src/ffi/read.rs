//! Reading in place, and many at once
//!
//! A pinned value stays until it is released. Where values are only looked at, a read section is cheaper still: what
//! `phicache_cache_read` finds in it stays valid, in place, until the section ends, and nothing need be released.
//!
//! ```c
//! phicache_read_begin();
//! for (size_t i = 0; i < count; i++) {
//!     phicache_bytes value;
//!     if (phicache_cache_read(cache, keys[i], &value) == PHICACHE_OK) use(value);
//! }
//! phicache_read_end();
//! ```
//!
//! A section belongs to its thread, and sections may stand inside each other. Keep them short: while one is open, no memory
//! that any thread lets go is given back. A thread that ends closes its sections.
//!
//! The batch functions fetch what they need for several keys at a time, which hides most of the time that memory takes to
//! answer: with many entries they are several times as fast as single lookups.

use super::boundary::guard;
use super::cache::any;
use super::input::{array, bytes, lent_bytes};
use super::output::{optional, out, outs};
use super::quick;
use super::types::*;
use crate::cache::Found;
use crate::error::Result;
use crate::store::{Section, section};

/// Begins a read section of this thread.
#[unsafe(no_mangle)]
pub extern "C" fn phicache_read_begin() -> phicache_status {
    guard("phicache_read_begin", || section::open().map(|()| PHICACHE_OK))
}

/// Ends the read section that this thread began last. What was read in the outermost is not valid any more.
///
/// @return OK; ERROR_INVALID_ARGUMENT when this thread has begun none.
#[unsafe(no_mangle)]
pub extern "C" fn phicache_read_end() -> phicache_status {
    guard("phicache_read_end", || section::close().map(|()| PHICACHE_OK))
}

/// Looks a key up in a read section; counts a hit or a miss.
///
/// @param cache  Any cache.
/// @param key    The key.
/// @param out    The value in place, at 16-byte alignment, valid until this thread's outermost read section ends; zero on
///               a miss. The pointer of an empty value is not NULL.
/// @return OK or MISS; ERROR_INVALID_ARGUMENT outside a read section.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn phicache_cache_read(
    cache: *mut phicache_cache,
    key: phicache_bytes,
    out: *mut phicache_bytes,
) -> phicache_status {
    quick::read(cache, key, out).unwrap_or_else(|| read(cache, key, out))
}

#[inline(never)]
extern "C" fn read(cache: *mut phicache_cache, key: phicache_bytes, out: *mut phicache_bytes) -> phicache_status {
    guard("phicache_cache_read", || {
        let out = self::out(out, "out")?;
        let section = section::current()?;
        let found = any(cache)?.look(&section, bytes(key, "key")?);
        Ok(found.map_or(PHICACHE_MISS, |value| {
            *out = lent(value);
            PHICACHE_OK
        }))
    })
}

/// Looks many keys up in a read section; counts a hit or a miss for each.
///
/// @param cache      Any cache.
/// @param keys       The keys.
/// @param count      The number of keys.
/// @param out        As many values, in place, valid until this thread's outermost read section ends; one that is missing
///                   is zero, and its pointer NULL.
/// @param out_found  [nullable] The number of values found.
/// @return OK, whether all were found or none; ERROR_INVALID_ARGUMENT outside a read section.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn phicache_cache_read_many(
    cache: *mut phicache_cache,
    keys: *const phicache_bytes,
    count: usize,
    out: *mut phicache_bytes,
    out_found: *mut usize,
) -> phicache_status {
    guard("phicache_cache_read_many", || {
        many(cache, keys, count, out, out_found, true, |place, _, found| *place = lent(found.entry.value()))
    })
}

/// Looks many keys up; counts a hit or a miss for each.
///
/// @param cache      Any cache.
/// @param keys       The keys.
/// @param count      The number of keys.
/// @param out        As many values, each pinned until `phicache_value_release`; one that is missing is zero, and its
///                   pointer NULL.
/// @param out_found  [nullable] The number of values found.
/// @return OK, whether all were found or none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn phicache_cache_get_many(
    cache: *mut phicache_cache,
    keys: *const phicache_bytes,
    count: usize,
    out: *mut phicache_value,
    out_found: *mut usize,
) -> phicache_status {
    guard("phicache_cache_get_many", || {
        many(cache, keys, count, out, out_found, false, |place, section, found| place.fill(found.pin(section)))
    })
}

fn lent(value: &[u8]) -> phicache_bytes {
    phicache_bytes { data: value.as_ptr(), len: value.len() }
}

/// Looks `count` keys up and lets `fill` write each value that is found.
#[inline(always)]
fn many<T>(
    cache: *mut phicache_cache,
    keys: *const phicache_bytes,
    count: usize,
    out: *mut T,
    out_found: *mut usize,
    in_section: bool,
    fill: impl Fn(&mut T, &Section, Found<'_>),
) -> Result<phicache_status> {
    // Both are zeroed, also when one is NULL.
    let out_found = optional(out_found, "out_found");
    let (out, out_found) = (outs(out, count, "out")?, out_found?);
    let keys = array(keys, count, "keys")?;
    keys.iter().try_for_each(|key| bytes(*key, "keys").map(drop))?;
    if in_section {
        section::current()?;
    }
    let mut number = 0;
    any(cache)?.get_many(keys.iter().map(lent_bytes), |at, section, found| {
        fill(&mut out[at], section, found);
        number += 1;
    });
    if let Some(out_found) = out_found {
        *out_found = number;
    }
    Ok(PHICACHE_OK)
}
