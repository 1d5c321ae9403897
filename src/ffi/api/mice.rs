//! MICE cache
//!
//! PyPhi's `MICECache`: the maximally irreducible causes and effects of one subsystem. It stores only while the subsystem
//! is uncut, φ is positive, and memory is not full, and answers which of these refused it, in this order.
//!
//! A cache may have a parent: a cache of the same system, uncut. What the child lacks it looks up there, and returns it if
//! its own cut does not damage it. That is a live view: making a child copies nothing and costs the same whatever the
//! parent holds; what the parent stores later is seen; what the parent clears, or frees by freeing its handle, children
//! that exist keep. At most 64 parents stand one behind the other. Clearing a child detaches it for good. Inheriting moves
//! no count of the parent.
//!
//! A cache may be in Redis (see "Redis cache"): then of the refusals only the first applies, φ ≤ 0 is stored, and processes
//! share what they store. What was fetched or stored once is kept in this process, within `max_bytes` and the memory limit,
//! so no record is asked for twice; a cut subsystem asks for its parent's record, and remembers also that the cut damages
//! it. A record that is damaged, or that answers another question, is a miss.
//!
//! Keys are any bytes; `phicache_key_mice` writes the standard one, and no MICE of another direction or mechanism is stored
//! under it, whichever way it comes. Values are records (`docs/mice-format.md`). All
//! functions may be called from any thread at once.
//!
//! ```c
//! phicache_mice_cache *parent, *child;
//! phicache_bytes key = { (const uint8_t *)"key", 3 };
//! phicache_mice mice = { sizeof mice, PHICACHE_EFFECT, 0, 0x2, 0x1, 0.5, { NULL, 0 } };
//! phicache_value record;
//! if (phicache_mice_cache_new(NULL, NULL, uncut, NULL, &parent) != PHICACHE_OK ||
//!     phicache_mice_cache_new(NULL, NULL, cut, parent, &child) != PHICACHE_OK) return 1;
//! phicache_mice_cache_set(parent, key, &mice);
//! if (phicache_mice_cache_get(child, key, &mice, &record) == PHICACHE_OK) {  // if the cut does not damage it
//!     use(mice.phi, mice.purview, mice.payload);
//!     phicache_value_release(&record);
//! }
//! phicache_mice_cache_free(child);
//! phicache_mice_cache_free(parent);
//! ```

use crate::cache::{Cache, MiceCache, RedisCache};
use crate::ffi::api::prelude::*;
use crate::ffi::border::any_cache::{named_cache, wrong_kind};
use crate::ffi::border::handles::subsystem;
use crate::ffi::border::input;
use crate::iit::Mice;

/// Makes an empty cache: in this process, or in Redis where the configuration says so.
///
/// @param config     [nullable] The configuration; NULL is the process default.
/// @param options    [nullable] Name and limit; NULL is neither.
/// @param subsystem  Whose MICE they are; it may be freed afterwards.
/// @param parent     [nullable] A cache of the same system, uncut, to inherit from; it may be freed afterwards.
/// @param out        The cache, to be freed by `phicache_mice_cache_free`.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn phicache_mice_cache_new(
    config: *mut phicache_config,
    options: *const phicache_cache_options,
    subsystem: *mut phicache_subsystem,
    parent: *mut phicache_mice_cache,
    out: *mut *mut phicache_mice_cache,
) -> phicache_status {
    catch_panics("phicache_mice_cache_new", || {
        let out = self::out(out, "out")?;
        let at_server = self::config(config)?.redis();
        make(config, options, subsystem, parent, out, at_server)
    })
}

/// Makes an empty cache in this process.
///
/// @param config     [nullable] The configuration; NULL is the process default.
/// @param options    [nullable] Name and limit; NULL is neither.
/// @param subsystem  Whose MICE they are; it may be freed afterwards.
/// @param parent     [nullable] A cache of the same system, uncut, to inherit from; it may be freed afterwards.
/// @param out        The cache, to be freed by `phicache_mice_cache_free`.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn phicache_dict_mice_cache_new(
    config: *mut phicache_config,
    options: *const phicache_cache_options,
    subsystem: *mut phicache_subsystem,
    parent: *mut phicache_mice_cache,
    out: *mut *mut phicache_mice_cache,
) -> phicache_status {
    catch_panics("phicache_dict_mice_cache_new", || {
        make(config, options, subsystem, parent, self::out(out, "out")?, false)
    })
}

/// Makes a cache at the configuration's Redis server, which all processes share that compute the same system in the same
/// context. Connects to nothing yet.
///
/// @param config     [nullable] The configuration; NULL is the process default.
/// @param options    [nullable] Name, limits, and how the server is used; NULL is the default of all.
/// @param subsystem  Whose MICE they are; it may be freed afterwards.
/// @param parent     [nullable] A cache in Redis of the same system, uncut, to inherit from; it may be freed afterwards.
/// @param out        The cache, to be freed by `phicache_mice_cache_free`.
/// @return OK; ERROR_UNSUPPORTED where the library was built without Redis.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn phicache_redis_mice_cache_new(
    config: *mut phicache_config,
    options: *const phicache_cache_options,
    subsystem: *mut phicache_subsystem,
    parent: *mut phicache_mice_cache,
    out: *mut *mut phicache_mice_cache,
) -> phicache_status {
    catch_panics("phicache_redis_mice_cache_new", || {
        make(config, options, subsystem, parent, self::out(out, "out")?, true)
    })
}

fn make(
    config: *mut phicache_config,
    options: *const phicache_cache_options,
    subsystem: *mut phicache_subsystem,
    parent: *mut phicache_mice_cache,
    out: &mut *mut phicache_mice_cache,
    at_server: bool,
) -> Result<phicache_status> {
    let subsystem = self::subsystem(subsystem)?;
    let parent = if parent.is_null() { None } else { Some(named_cache(parent, "parent")?) };
    let (options, name) = self::options(options)?;
    let config = self::config(config)?;
    let cache = match (at_server, parent) {
        (false, None) => MiceCache::mice(config, options, subsystem, None)?.into(),
        (false, Some(Cache::Mice(parent))) => MiceCache::mice(config, options, subsystem, Some(parent))?.into(),
        (true, None) => RedisCache::mice(config, options, subsystem, None)?.into(),
        (true, Some(Cache::Redis(parent))) => RedisCache::mice(config, options, subsystem, Some(parent))?.into(),
        _ => return Err(Error::invalid("parent and child must both be in this process, or both in Redis")),
    };
    *out = create_cache(cache, name, None)?;
    Ok(PHICACHE_OK)
}

/// Frees a cache. Pins stay valid, and children keep what they inherit.
///
/// @param cache  [nullable] The cache.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn phicache_mice_cache_free(cache: *mut phicache_mice_cache) -> phicache_status {
    catch_panics("phicache_mice_cache_free", || free_cache(cache))
}

/// Looks a MICE up, its parents included; counts a hit or a miss.
///
/// @param cache     The cache.
/// @param key       The key.
/// @param out_mice  The MICE; `struct_size` is set by the caller. Its payload is valid until `out` is released.
/// @param out       The record, pinned until `phicache_value_release`; zero on a miss.
/// @return OK or MISS.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn phicache_mice_cache_get(
    cache: *mut phicache_mice_cache,
    key: phicache_bytes,
    out_mice: *mut phicache_mice,
    out: *mut phicache_value,
) -> phicache_status {
    fast_path::get_mice(cache, key, out_mice, out).unwrap_or_else(|| get_mice(cache, key, out_mice, out))
}

#[inline(never)]
extern "C" fn get_mice(
    cache: *mut phicache_mice_cache,
    key: phicache_bytes,
    out_mice: *mut phicache_mice,
    out: *mut phicache_value,
) -> phicache_status {
    catch_panics("phicache_mice_cache_get", || {
        let outputs = (out_mice, out);
        outputs.zero()?;
        outputs.found(cache_of(cache)?.get(bytes(key, "key")?)?)
    })
}

/// Stores a copy of a MICE, unless cut, φ or memory refuse it. A MICE that contradicts a standard key, by direction,
/// mechanism or candidate purviews, is ERROR_INVALID_ARGUMENT; an empty purview answers every list of candidates.
///
/// @param cache  The cache.
/// @param key    The key.
/// @param mice   The MICE; `struct_size` is set by the caller.
/// @return OK, REFUSED_CUT, REFUSED_PHI, REFUSED_MEMORY or REFUSED_CAPACITY; in Redis OK, REFUSED_CUT or REFUSED_SERVER.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn phicache_mice_cache_set(
    cache: *mut phicache_mice_cache,
    key: phicache_bytes,
    mice: *const phicache_mice,
) -> phicache_status {
    fast_path::refuse_mice(cache, key, mice).unwrap_or_else(|| set(cache, key, mice))
}

#[inline(never)]
extern "C" fn set(cache: *mut phicache_mice_cache, key: phicache_bytes, mice: *const phicache_mice) -> phicache_status {
    catch_panics("phicache_mice_cache_set", || {
        let (cache, key) = (cache_of(cache)?, bytes(key, "key")?);
        let mice = input::mice(mice)?;
        match cache {
            Cache::Mice(cache) => cache.set_mice(key, &mice),
            Cache::Redis(cache) => cache.set_mice(key, &mice),
            _ => Err(wrong_kind("phicache_mice_cache")),
        }
        .map(stored)
    })
}

/// What `phicache_mice_cache_set` would answer for a MICE with this φ: ask before you put a payload together.
///
/// @param cache  The cache.
/// @param phi    The φ; NaN is an error.
/// @return OK, REFUSED_CUT, REFUSED_PHI or REFUSED_MEMORY. Counts nothing.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn phicache_mice_cache_would_store(cache: *mut phicache_mice_cache, phi: f64) -> phicache_status {
    catch_panics("phicache_mice_cache_would_store", || {
        let cache = cache_of(cache)?;
        if phi.is_nan() {
            return Err(Error::invalid("phi is NaN; expected a number"));
        }
        Ok(stored(match cache {
            Cache::Mice(cache) => cache.would_store(phi),
            Cache::Redis(cache) => cache.would_store(),
            _ => return Err(wrong_kind("phicache_mice_cache")),
        }))
    })
}

/// Looks a MICE up, its parents included, and on a miss lets `compute` write it by `phicache_result_mice`.
///
/// The MICE comes back also when it could not be stored: `out->origin` tells. Counts a hit or a miss.
///
/// @param cache          The cache.
/// @param key            The key.
/// @param compute        Computes the MICE.
/// @param user_data      [nullable] Handed to `compute`.
/// @param call_data      [nullable] Handed to `compute`.
/// @param out_mice       The MICE; `struct_size` is set by the caller. Its payload is valid until `out` is released.
/// @param out            The record, pinned until `phicache_value_release`.
/// @param callback_code  [nullable] What `compute` returned, whatever the status; 0 when it was not called.
/// @return OK; ERROR_CALLBACK when `compute` did not return 0; where its last reservation failed, the status of that;
///         ERROR_DAMAGED when it wrote no MICE; ERROR_INVALID_ARGUMENT when its MICE contradicts a standard key. On an error
///         nothing was stored.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn phicache_mice_cache_memoize(
    cache: *mut phicache_mice_cache,
    key: phicache_bytes,
    compute: phicache_compute,
    user_data: *mut c_void,
    call_data: *mut c_void,
    out_mice: *mut phicache_mice,
    out: *mut phicache_value,
    callback_code: *mut i32,
) -> phicache_status {
    let callback = Callback { compute, user_data };
    callback::compute(cache, key, callback, call_data, (out_mice, out), callback_code)
}

impl Computes for phicache_mice_cache {
    const FUNCTION: &'static str = "phicache_mice_cache_memoize";
    type Key = phicache_bytes;
    type Given = Callback;
    type Keep = Callback;
    type Outputs = (*mut phicache_mice, *mut phicache_value);

    fn look_up(cache: *mut Self, key: phicache_bytes, callback: Callback) -> Result<(Answer, Callback)> {
        callback.check()?;
        Ok((cache_of(cache)?.get_or_reserve(bytes(key, "key")?)?.into(), callback))
    }
}

/// Tells whether a key has a MICE, inherited ones included; counts nothing. OK, which says yes, is 0.
///
/// @param cache  The cache.
/// @param key    The key.
/// @return OK or MISS.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn phicache_mice_cache_contains(
    cache: *mut phicache_mice_cache,
    key: phicache_bytes,
) -> phicache_status {
    catch_panics("phicache_mice_cache_contains", || Ok(found(cache_of(cache)?.contains(bytes(key, "key")?)?)))
}

/// Takes a MICE of the cache's own out; its pins stay valid. Children no longer see it.
///
/// @param cache  The cache.
/// @param key    The key.
/// @return OK, or MISS when it had none of its own.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn phicache_mice_cache_remove(
    cache: *mut phicache_mice_cache,
    key: phicache_bytes,
) -> phicache_status {
    catch_panics("phicache_mice_cache_remove", || Ok(found(cache_of(cache)?.remove(bytes(key, "key")?)?)))
}

verbs! { mice_cache, "The cache": clear, size, info, stats, as_cache }

/// Writes a MICE as the record that caches keep (`docs/mice-format.md`).
///
/// @param mice      The MICE; `struct_size` is set by the caller.
/// @param buffer    [nullable] Where the record is written; may be NULL if `capacity` is 0.
/// @param capacity  Bytes of the buffer: 64 and the payload's.
/// @param out_len   The record's length, also when it does not fit.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn phicache_mice_encode(
    mice: *const phicache_mice,
    buffer: *mut u8,
    capacity: usize,
    out_len: *mut usize,
) -> phicache_status {
    catch_panics("phicache_mice_encode", || {
        let out_len = out(out_len, "out_len")?;
        let buffer = array_mut(buffer, capacity, "buffer")?;
        let mice = input::mice(mice)?;
        let needed = mice.record_len();
        let written = match buffer.get_mut(..needed) {
            Some(record) => {
                mice.write(record);
                Ok(needed)
            }
            None => Err(Error::BufferTooSmall { needed, capacity }),
        };
        length(written, out_len)
    })
}

/// Reads a record, whose version and checksum are verified.
///
/// @param record  The record.
/// @param out     The MICE; `struct_size` is set by the caller. Its payload points into `record`.
/// @return OK, or ERROR_DAMAGED.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn phicache_mice_decode(record: phicache_bytes, out: *mut phicache_mice) -> phicache_status {
    catch_panics("phicache_mice_decode", || {
        let out = growing(out, "out")?;
        out.fill(Mice::read_checked(bytes(record, "record")?)?.into());
        Ok(PHICACHE_OK)
    })
}
