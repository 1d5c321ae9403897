//! Reading in place, and many at once
//!
//! A value from `phicache_cache_get` is pinned until it is released. To look at values briefly, a read section is
//! cheaper: a value from `phicache_cache_read` stays valid, in place, until the section ends, and needs no release.
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
//! A section belongs to the thread that began it. Sections nest. Keep them short: while one is open, no memory that any
//! thread retires is freed. If a thread ends, its sections end too.
//!
//! A thread that looks many keys up in one cache fills a reader first. Its lookups find the thread and the cache at
//! once:
//!
//! ```c
//! phicache_reader reader;
//! double phi;
//! size_t len;
//! if (phicache_reader_init(&reader, cache) != PHICACHE_OK) return 1;
//! for (size_t i = 0; i < count; i++) {
//!     if (phicache_reader_copy(&reader, keys[i], (uint8_t *)&phi, sizeof phi, &len) == PHICACHE_OK) use(&phi, len);
//! }
//! phicache_reader_release(&reader);
//! ```
//!
//! The batch functions prefetch the entries of several keys at a time, which hides most of the latency of memory. In a
//! large cache they are several times as fast as single lookups.

use crate::cache::Cache;
use crate::epoch::guard::in_open;
use crate::ffi::api::prelude::*;
use crate::ffi::border::input::lent_bytes;
use crate::ffi::border::panic::status_of;
use crate::ffi::border::read_section;
use crate::ffi::border::reader::{self, reader_of};

/// Begins a read section of the calling thread.
#[unsafe(no_mangle)]
pub extern "C" fn phicache_read_begin() -> phicache_status {
    catch_panics("phicache_read_begin", read_section::open)
}

/// Ends the read section that the calling thread began last. If it is the outermost, what was read in it is not valid
/// any more.
///
/// @return OK; ERROR_INVALID_ARGUMENT if this thread is in no read section.
#[unsafe(no_mangle)]
pub extern "C" fn phicache_read_end() -> phicache_status {
    catch_panics("phicache_read_end", read_section::close)
}

/// Looks a key up in a read section. Counts a hit or a miss.
///
/// May wait for the server or the file system, if the values are there.
///
/// @param cache  Any cache.
/// @param key    The key.
/// @param out    The value, in place, at 16-byte alignment. Valid until this thread's outermost read section ends. Zero
///               on a miss; the pointer of an empty value is not NULL.
/// @return OK or MISS; ERROR_INVALID_ARGUMENT outside a read section; ERROR_UNSUPPORTED for a Redis cache, and for a
///         MICE cache in Redis that has the whole database.
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
        look(cache_of(cache)?, bytes(key, "key")?, out)
    })
}

/// Looks a key up in the section that this thread has opened.
fn look(cache: &Cache, key: &[u8], out: &mut phicache_bytes) -> Result<phicache_status> {
    in_open(|guard| {
        let found = cache.look(guard, key)?;
        Ok(found.map_or(PHICACHE_MISS, |value| {
            *out = lent(value);
            PHICACHE_OK
        }))
    })
}

/// Fills a reader: lookups of the calling thread in this cache. The reader holds a share of the cache, which lives
/// until the last share is released, also if its handle is freed.
///
/// @param reader  The reader: a struct of the caller's, which must not be copied or moved. It can be used until its
///                thread ends. Release it with `phicache_reader_release`; what was in the struct before is lost.
/// @param cache   Any cache.
/// @return OK; ERROR_INVALID_ARGUMENT if this thread is ending.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn phicache_reader_init(
    reader: *mut phicache_reader,
    cache: *mut phicache_cache,
) -> phicache_status {
    catch_panics("phicache_reader_init", || reader::fill(reader, cache_of(cache)))
}

/// Looks a key up in a read section, as `phicache_cache_read` does.
///
/// May wait for the server or the file system, if the values are there.
///
/// @param reader  The reader, in the thread that filled it.
/// @param key     The key.
/// @param out     The value, in place. Valid until this thread's outermost read section ends. Zero on a miss.
/// @return OK or MISS; ERROR_INVALID_ARGUMENT outside a read section, and in another thread; ERROR_UNSUPPORTED for
///         caches that `phicache_cache_read` does not support.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn phicache_reader_read(
    reader: *mut phicache_reader,
    key: phicache_bytes,
    out: *mut phicache_bytes,
) -> phicache_status {
    fast_path::reader_read(reader, key, out).unwrap_or_else(|| reader_read(reader, key, out))
}

#[inline(never)]
extern "C" fn reader_read(
    reader: *mut phicache_reader,
    key: phicache_bytes,
    out: *mut phicache_bytes,
) -> phicache_status {
    catch_panics("phicache_reader_read", || {
        let out = self::out(out, "out")?;
        let (reader, key) = (reader_of(reader)?, bytes(key, "key")?);
        look(&reader.cache, key, out)
    })
}

/// Looks a key up and copies its value, as `phicache_cache_get_into` does.
///
/// May wait for the server or the file system, if the values are there.
///
/// @param reader    The reader, in the thread that filled it.
/// @param key       The key.
/// @param buffer    [nullable] Receives the value; may be NULL if `capacity` is 0.
/// @param capacity  The size of the buffer in bytes.
/// @param out_len   The length of the value, also if it does not fit; 0 on a miss.
/// @return OK, MISS, or ERROR_BUFFER_TOO_SMALL; ERROR_INVALID_ARGUMENT in another thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn phicache_reader_copy(
    reader: *mut phicache_reader,
    key: phicache_bytes,
    buffer: *mut u8,
    capacity: usize,
    out_len: *mut usize,
) -> phicache_status {
    fast_path::reader_copy(reader, key, buffer, capacity, out_len)
        .unwrap_or_else(|| reader_copy(reader, key, buffer, capacity, out_len))
}

#[inline(never)]
extern "C" fn reader_copy(
    reader: *mut phicache_reader,
    key: phicache_bytes,
    buffer: *mut u8,
    capacity: usize,
    out_len: *mut usize,
) -> phicache_status {
    catch_panics("phicache_reader_copy", || {
        let (out_len, buffer) = (output::out(out_len, "out_len")?, array_mut(buffer, capacity, "buffer")?);
        let copied = reader_of(reader)?.cache.get_into(bytes(key, "key")?, buffer).transpose();
        copied.map_or(Ok(PHICACHE_MISS), |copied| length(copied, out_len))
    })
}

/// Releases a reader and its share of the cache, and zeroes the struct. Any thread may call it.
///
/// @param reader  [nullable] The reader. Nothing happens if the struct is zero.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn phicache_reader_release(reader: *mut phicache_reader) {
    catch_panics_infallible("phicache_reader_release", (), || reader::release(reader));
}

/// Looks many keys up in a read section. Counts a hit or a miss for each key, unless its lookup failed.
///
/// May wait for the server or the file system, if the values are there.
///
/// @param cache      Any cache.
/// @param keys       The keys.
/// @param count      The number of keys.
/// @param out        `count` values, in place, valid until this thread's outermost read section ends. A missing value
///                   is zero, and its pointer is NULL. Valid also on an error.
/// @param out_found  [nullable] The number of values that were found, also on an error.
/// @return OK, also if some or all keys have no value; ERROR_INVALID_ARGUMENT outside a read section; another error if
///         the lookup of one or more keys failed.
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
        let result = in_open(|guard| {
            many.cache.look_many(guard, many.keys.iter().map(lent_bytes), |at, value| {
                many.out[at] = lent(value);
                many.found += 1;
            })
        });
        many.done(result)
    })
}

/// Looks many keys up. Counts a hit or a miss for each. If the lookup of some keys fails, the values that were found
/// are still returned, and only those are counted.
///
/// May wait for the server or the file system, if the values are there.
///
/// @param cache      Any cache.
/// @param keys       The keys.
/// @param count      The number of keys.
/// @param out        `count` values, each pinned until `phicache_value_release`. A missing value is zero, and its
///                   pointer is NULL. Valid also on an error.
/// @param out_found  [nullable] The number of values that were found, also on an error.
/// @return OK, also if some or all keys have no value; an error if the lookup of one or more keys failed.
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

/// Stores copies of many values. In Redis this takes one round trip, a part of which may fail: a node of a cluster is
/// down, or the server runs out of memory half-way. If the server does not reply, it may or may not have stored the
/// values.
///
/// May wait for the server or the file system, if the values are there.
///
/// @param cache         Any cache.
/// @param keys          The keys.
/// @param values        `count` values.
/// @param count         The number of keys.
/// @param out_statuses  [nullable] `count` statuses: for each key, what `phicache_cache_set` would return. If the call
///                      itself fails (invalid arguments, a failure inside the library), each is the status of the call.
///                      A status is OK only if the value was stored.
/// @return OK, also if some values were refused; otherwise the first error in the order of the keys. The statuses say
///         what happened to each key.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn phicache_cache_set_many(
    cache: *mut phicache_cache,
    keys: *const phicache_bytes,
    values: *const phicache_bytes,
    count: usize,
    out_statuses: *mut phicache_status,
) -> phicache_status {
    let mut own: Option<&mut [phicache_status]> = None;
    let mut filled = false;
    let status = catch_panics("phicache_cache_set_many", || {
        let statuses =
            own.insert(if out_statuses.is_null() { &mut [] } else { outs(out_statuses, count, "out_statuses")? });
        apart((keys, count), statuses, ["keys", "out_statuses"])?;
        apart((values, count), statuses, ["values", "out_statuses"])?;
        let keys = all_bytes(keys, count, ["keys", "one of the keys"])?.iter().map(lent_bytes);
        let values = all_bytes(values, count, ["values", "one of the values"])?.iter().map(lent_bytes);
        let (mut rest, mut first) = (statuses.iter_mut(), Ok(PHICACHE_OK));
        cache_of(cache)?.set_many(keys.zip(values), |answer| {
            if let Some(status) = rest.next() {
                *status = answer.as_ref().map_or_else(status_of, |stored| self::stored(*stored));
            }
            if let (Err(error), Ok(_)) = (answer, &first) {
                first = Err(error);
            }
        })?;
        filled = true;
        first
    });
    if let (false, Some(statuses)) = (filled, own) {
        statuses.fill(status);
    }
    status
}

/// Borrowed bytes, checked one by one. The names are those of the array and of one item.
fn all_bytes<'a>(all: *const phicache_bytes, count: usize, names: [&'static str; 2]) -> Result<&'a [phicache_bytes]> {
    let all = array(all, count, names[0])?;
    all.iter().try_for_each(|one| bytes(*one, names[1]).map(drop))?;
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
        // Both are zeroed, even if one is NULL.
        let out_found = optional(out_found, "out_found");
        let (out, out_found) = (outs(out, count, "out")?, out_found?);
        apart((keys, count), out, ["keys", "out"])?;
        let keys = all_bytes(keys, count, ["keys", "one of the keys"])?;
        Ok(Many { keys, cache: cache_of(cache)?, out, out_found, found: 0 })
    }

    /// Ends the lookup. What was found is the caller's, even if the lookup of other keys failed.
    fn done(self, result: Result<()>) -> Result<phicache_status> {
        if let Some(out_found) = self.out_found {
            *out_found = self.found;
        }
        result.map(|()| PHICACHE_OK)
    }
}
