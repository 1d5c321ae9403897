//! Entries
//!
//! What a cache holds, without a trace in its counts: one value with `phicache_cache_peek`, or all entries with a walk.
//! A walk calls a function with each entry (`phicache_cache_for_each`), or returns the entries one by one
//! (`phicache_walk_next`).
//!
//! Other threads read and change the cache during a walk. Readers never wait for it, writers for a moment. The walk
//! sees each entry that is there from its beginning to its end exactly once, in no particular order. It sees an entry
//! that is added, replaced or removed meanwhile at most once; one that has just been removed may still come. No lock is
//! held and no read section is open between two entries, so the program may do anything then, also change or clear the
//! cache.
//!
//! ```c
//! phicache_walk *walk;
//! phicache_entry entry;
//! phicache_value value;
//! uint64_t bytes = 0;
//! entry.struct_size = sizeof entry;
//! if (phicache_walk_new(cache, &walk) != PHICACHE_OK) return 1;
//! while (phicache_walk_next(walk, &entry, &value) == PHICACHE_OK) {
//!     if (entry.key.len == 3) bytes += entry.bytes;
//!     phicache_value_release(&value);
//! }
//! phicache_walk_free(walk);
//! use(bytes);
//! ```

use crate::cache::Walk;
use crate::ffi::api::prelude::*;
use crate::ffi::border::entries;
use crate::ffi::border::handles::walk;

/// Looks a key up. Counts nothing, and does not make the entry count as used.
///
/// A Redis cache asks its server if this process does not have the value. The cache counts nothing, but a server that
/// counts lookups itself does (see `phicache_config_set_redis_whole_database`).
///
/// May wait for the server or the file system, if the values are there.
///
/// @param cache  Any cache.
/// @param key    The key.
/// @param out    The value, pinned until `phicache_value_release`; zero on a miss.
/// @return OK or MISS.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn phicache_cache_peek(
    cache: *mut phicache_cache,
    key: phicache_bytes,
    out: *mut phicache_value,
) -> phicache_status {
    catch_panics("phicache_cache_peek", || {
        out.zero()?;
        out.found(cache_of(cache)?.peek(bytes(key, "key")?)?)
    })
}

/// Calls a function with each entry of a cache in this process or on disk. Counts nothing. The entries that a MICE
/// cache inherits are its parent's, and do not come.
///
/// May wait for the file system, if the values are there.
///
/// @param cache          A cache in this process or on disk.
/// @param visit          Called with each entry.
/// @param user_data      [nullable] Passed to `visit`.
/// @param callback_code  [nullable] The code other than 0 with which `visit` ended the walk; 0 if the walk came to its
///                       end.
/// @return OK, also if `visit` ended the walk; ERROR_UNSUPPORTED for a cache in Redis: its entries are at the server;
///         ERROR_OUT_OF_MEMORY in the middle of a walk if an allocation fails.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn phicache_cache_for_each(
    cache: *mut phicache_cache,
    visit: phicache_visit,
    user_data: *mut c_void,
    callback_code: *mut i32,
) -> phicache_status {
    catch_panics("phicache_cache_for_each", || {
        entries::for_each("phicache_cache_for_each", cache_of(cache), visit, user_data, callback_code)
    })
}

/// Begins a walk through a cache in this process or on disk. The cache may be freed during the walk, which then
/// continues with the entries that the cache had. One thread at a time uses the walk.
///
/// May wait for the file system, if the values are there.
///
/// @param cache  A cache in this process or on disk.
/// @param out    The walk. Free it with `phicache_walk_free`.
/// @return OK; ERROR_UNSUPPORTED for a cache in Redis: its entries are at the server.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn phicache_walk_new(
    cache: *mut phicache_cache,
    out: *mut *mut phicache_walk,
) -> phicache_status {
    catch_panics("phicache_walk_new", || {
        let out = self::out(out, "out")?;
        *out = create(Walk::new(cache_of(cache)?.clone())?)?;
        Ok(PHICACHE_OK)
    })
}

/// Gets the next entry. Counts nothing.
///
/// May wait for the file system, if the values are there.
///
/// @param walk       The walk.
/// @param out_entry  The entry; set `struct_size` first. Its key is valid until `out` is released.
/// @param out        The value, pinned until `phicache_value_release`: release it before the next call.
/// @return OK; MISS after the last entry, with zero outputs; ERROR_OUT_OF_MEMORY if an allocation fails: the next call
///         continues the walk.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn phicache_walk_next(
    walk: *mut phicache_walk,
    out_entry: *mut phicache_entry,
    out: *mut phicache_value,
) -> phicache_status {
    catch_panics("phicache_walk_next", || entries::next_entry(self::walk(walk), out_entry, out))
}

/// Ends a walk. Values that it returned stay valid until they are released.
///
/// @param walk  [nullable] The walk.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn phicache_walk_free(walk: *mut phicache_walk) -> phicache_status {
    catch_panics("phicache_walk_free", || {
        drop(free::<Walk, _>(walk, "walk")?);
        Ok(PHICACHE_OK)
    })
}
