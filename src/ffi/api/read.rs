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

use crate::cache::Cache;
use crate::epoch::guard;
use crate::ffi::api::prelude::*;
use crate::ffi::border::input::lent_bytes;
use crate::ffi::border::panic::code;
use crate::ffi::border::read_section;

/// Begins a read section of this thread.
#[unsafe(no_mangle)]
pub extern "C" fn phicache_read_begin() -> phicache_status {
    catch_panics("phicache_read_begin", read_section::open)
}

/// Ends the read section that this thread began last. What was read in the outermost is not valid any more.
///
/// @return OK; ERROR_INVALID_ARGUMENT when this thread has begun none.
#[unsafe(no_mangle)]
pub extern "C" fn phicache_read_end() -> phicache_status {
    catch_panics("phicache_read_end", read_section::close)
}

/// Looks a key up in a read section; counts a hit or a miss.
///
/// @param cache  Any cache.
/// @param key    The key.
/// @param out    The value in place, at 16-byte alignment, valid until this thread's outermost read section ends; zero on
///               a miss. The pointer of an empty value is not NULL.
/// @return OK or MISS; ERROR_INVALID_ARGUMENT outside a read section; ERROR_UNSUPPORTED for a cache whose values are at a
///         server.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn phicache_cache_read(
    cache: *mut phicache_cache,
    key: phicache_bytes,
    out: *mut phicache_bytes,
) -> phicache_status {
    fast_path::read(cache, key, out).unwrap_or_else(|| read(cache, key, out))
}

#[inline(never)]
extern "C" fn read(cache: *mut phicache_cache, key: phicache_bytes, out: *mut phicache_bytes) -> phicache_status {
    catch_panics("phicache_cache_read", || {
        let out = self::out(out, "out")?;
        let (cache, key) = (cache_of(cache)?, bytes(key, "key")?);
        guard::in_open(|section| {
            let found = cache.look(section, key)?;
            Ok(found.map_or(PHICACHE_MISS, |value| {
                *out = lent(value);
                PHICACHE_OK
            }))
        })
    })
}

/// Looks many keys up in a read section; counts a hit or a miss for each that could be looked for.
///
/// @param cache      Any cache.
/// @param keys       The keys.
/// @param count      The number of keys.
/// @param out        As many values, in place, valid until this thread's outermost read section ends, also on an error;
///                   one that is missing is zero, and its pointer NULL.
/// @param out_found  [nullable] The number of values found, also on an error.
/// @return OK, whether all were found or none; ERROR_INVALID_ARGUMENT outside a read section; another error if one or more
///         keys could not be looked for.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn phicache_cache_read_many(
    cache: *mut phicache_cache,
    keys: *const phicache_bytes,
    count: usize,
    out: *mut phicache_bytes,
    out_found: *mut usize,
) -> phicache_status {
    catch_panics("phicache_cache_read_many", || {
        let mut many = Many::new(cache, keys, count, out, out_found)?;
        let result = guard::in_open(|section| {
            many.cache.look_many(section, many.keys.iter().map(lent_bytes), |at, value| {
                many.out[at] = lent(value);
                many.found += 1;
            })
        });
        many.done(result)
    })
}

/// Looks many keys up; counts a hit or a miss for each. Where the call fails for some keys, it keeps what it has: values
/// that were found are handed out, and counted as hits; nothing else is counted.
///
/// @param cache      Any cache.
/// @param keys       The keys.
/// @param count      The number of keys.
/// @param out        As many values, each pinned until `phicache_value_release`, also on an error; one that is missing is
///                   zero, and its pointer NULL.
/// @param out_found  [nullable] The number of values found, also on an error.
/// @return OK, whether all were found or none; an error if one or more keys could not be asked for.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn phicache_cache_get_many(
    cache: *mut phicache_cache,
    keys: *const phicache_bytes,
    count: usize,
    out: *mut phicache_value,
    out_found: *mut usize,
) -> phicache_status {
    catch_panics("phicache_cache_get_many", || {
        let mut many = Many::new(cache, keys, count, out, out_found)?;
        let result = many.cache.get_many(many.keys.iter().map(lent_bytes), |at, value| {
            many.out[at].fill(value);
            many.found += 1;
        });
        many.done(result)
    })
}

/// Stores copies of many values; in Redis in one round trip, of which a part may fail: a node of a cluster, or a server
/// that runs out of memory half-way. What a server gave no answer about it may have stored.
///
/// @param cache         Any cache.
/// @param keys          The keys.
/// @param values        As many values.
/// @param count         The number of keys.
/// @param out_statuses  [nullable] As many statuses: of each key, what `phicache_cache_set` would answer for it. If the
///                      call itself fails, because of its arguments or in the library, each is that call's status: never
///                      is one OK that was not stored.
/// @return OK, also when some were refused; the first error, in the order of the keys, if there is one. The other keys are
///         stored or not, as their statuses say.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn phicache_cache_set_many(
    cache: *mut phicache_cache,
    keys: *const phicache_bytes,
    values: *const phicache_bytes,
    count: usize,
    out_statuses: *mut phicache_status,
) -> phicache_status {
    let mut own: Option<&mut [phicache_status]> = None;
    let mut told = false;
    let status = catch_panics("phicache_cache_set_many", || {
        let statuses =
            own.insert(if out_statuses.is_null() { &mut [] } else { outs(out_statuses, count, "out_statuses")? });
        let keys = all_bytes(keys, count, "keys")?.iter().map(lent_bytes);
        let values = all_bytes(values, count, "values")?.iter().map(lent_bytes);
        let answers = cache_of(cache)?.set_many(&keys.zip(values).collect::<Vec<_>>());
        statuses
            .iter_mut()
            .zip(&answers)
            .for_each(|(status, answer)| *status = answer.as_ref().map_or_else(code, |stored| self::stored(*stored)));
        told = true;
        answers.into_iter().try_for_each(|answer| answer.map(drop)).map(|()| PHICACHE_OK)
    });
    if let (false, Some(statuses)) = (told, own) {
        statuses.fill(status);
    }
    status
}

/// Lent bytes, checked one by one.
fn all_bytes<'a>(all: *const phicache_bytes, count: usize, name: &'static str) -> Result<&'a [phicache_bytes]> {
    let all = array(all, count, name)?;
    all.iter().try_for_each(|one| bytes(*one, name).map(drop))?;
    Ok(all)
}

/// The parameters of a lookup of many keys.
struct Many<'a, T> {
    cache: &'a Cache,
    keys: &'a [phicache_bytes],
    out: &'a mut [T],
    out_found: Option<&'a mut usize>,
    found: usize,
}

impl<T> Many<'_, T> {
    #[inline(always)]
    fn new(
        cache: *mut phicache_cache,
        keys: *const phicache_bytes,
        count: usize,
        out: *mut T,
        out_found: *mut usize,
    ) -> Result<Self> {
        // Both are zeroed, also when one is NULL.
        let out_found = optional(out_found, "out_found");
        let (out, out_found) = (outs(out, count, "out")?, out_found?);
        Ok(Many { keys: all_bytes(keys, count, "keys")?, cache: cache_of(cache)?, out, out_found, found: 0 })
    }

    /// Also where it failed for some: what was found is the caller's.
    fn done(self, result: Result<()>) -> Result<phicache_status> {
        if let Some(out_found) = self.out_found {
            *out_found = self.found;
        }
        result.map(|()| PHICACHE_OK)
    }
}
