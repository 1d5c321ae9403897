//! MICE cache
//!
//! PyPhi's `MICECache`: the maximally irreducible causes and effects (MICE) of one subsystem. It stores a MICE only if
//! the subsystem is uncut, φ is positive, and memory is not full. Otherwise the status says which of these conditions
//! failed first, in this order.
//!
//! A cache may have a parent: a cache of the same system, uncut. If the child has no value for a key, it looks the key
//! up in its parent, and returns that MICE unless its own cut damages it. The child is a live view: making it copies
//! nothing, and takes the same time however much the parent holds. It sees what the parent stores later. If the parent
//! is cleared or freed, existing children keep what they inherit; a full parent that evicts removes that first. A chain
//! of parents has at most 64 caches. Clearing a child detaches it from its parent permanently. Lookups of a child do
//! not change the counts of its parent.
//!
//! What a child inherits is exact for cuts that divide all nodes of the system in two parts. A cut that severs only
//! some of the connections between two parts can raise the φ of another purview above that of the MICE, which the child
//! still returns, as in PyPhi. Compute the MICE of such cuts in caches without a parent.
//!
//! A cache may be in Redis (see "Redis cache"). Processes then share what they store. Of the conditions above only the
//! cut applies: a MICE with φ ≤ 0 is stored. The cache also keeps every record that it fetched or stored in this
//! process, within `max_bytes` and the memory limit, so that it is fetched only once. A cut subsystem fetches its
//! parent's record, and remembers if the cut damages it. A record that is damaged, or that belongs to another key, is a
//! miss.
//!
//! A cache may be on disk (see "Disk cache"), where later runs find the values too. The same holds as in Redis. In
//! both, what the parent clears is gone for its children, too.
//!
//! A key may be any bytes. `phicache_key_mice` writes the standard key; a MICE of another direction or mechanism is
//! never stored under it. Values are records (`docs/mice-format.md`). All threads may call the functions at once.
//!
//! ```c
//! phicache_mice_cache *parent, *child;
//! phicache_bytes key = { (const uint8_t *)"key", 3 };
//! phicache_mice mice = { sizeof mice, PHICACHE_EFFECT, 0, 0x2, 0x1, 0.5, { NULL, 0 } };
//! phicache_value record;
//! if (phicache_mice_cache_new(NULL, NULL, uncut, NULL, &parent) != PHICACHE_OK ||
//!     phicache_mice_cache_new(NULL, NULL, cut, parent, &child) != PHICACHE_OK) return 1;
//! phicache_mice_cache_set(parent, key, &mice);
//! if (phicache_mice_cache_get(child, key, &mice, &record) == PHICACHE_OK) {  // unless the cut damages it
//!     use(mice.phi, mice.purview, mice.payload);
//!     phicache_value_release(&record);
//! }
//! phicache_mice_cache_free(child);
//! phicache_mice_cache_free(parent);
//! ```

use crate::cache::{Cache, MiceCache, Options, RedisCache, shared_disk_mice};
use crate::config::Tier;
use crate::ffi::api::prelude::*;
use crate::ffi::border::any_cache::{named_cache, wrong_kind};
use crate::ffi::border::handles::subsystem;
use crate::ffi::border::input;
use crate::iit::Mice;

/// Makes a cache where its parent is, or, without a parent, where the configuration says: in Redis
/// (`phicache_config_set_redis_cache`), on disk if a directory was set (`phicache_config_set_disk_directory`), else in
/// this process. Redis and a directory together are an error: choose one, or call the function of one of them.
///
/// `options.max_bytes` bounds the memory of the cache in this process, wherever the values are. Only together with
/// `options.near_bytes` it bounds the directory, as in `phicache_disk_mice_cache_new`.
///
/// May wait for the file system, if the values are there.
///
/// @param config     [nullable] The configuration; NULL is the process default.
/// @param options    [nullable] Name and limit; NULL is no name and no limit.
/// @param subsystem  The subsystem of the MICE; it may be freed afterwards.
/// @param parent     [nullable] The cache to inherit from, of the same system, uncut; it may be freed afterwards.
/// @param out        The cache. Free it with `phicache_mice_cache_free`.
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
        let (options, out) = (self::options(options, None), self::out(out, "out")?);
        make(config, options?, subsystem, parent, out, None)
    })
}

/// Makes an empty MICE cache in this process, whatever the configuration says. Its type is
/// `phicache_mice_cache`.
///
/// @param config     [nullable] The configuration; NULL is the process default.
/// @param options    [nullable] Name and limit; NULL is no name and no limit.
/// @param subsystem  The subsystem of the MICE; it may be freed afterwards.
/// @param parent     [nullable] The cache to inherit from, of the same system, uncut; it may be freed afterwards.
/// @param out        The cache. Free it with `phicache_mice_cache_free`.
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
        let (options, out) = (self::options(options, Tier::Memory), self::out(out, "out")?);
        make(config, options?, subsystem, parent, out, Some(Tier::Memory))
    })
}

/// Makes a MICE cache at the configuration's Redis server. Its type is `phicache_mice_cache`: all functions of this
/// section work on it. Processes that compute the same system in the same context share its values. Does not connect
/// yet.
///
/// @param config     [nullable] The configuration; NULL is the process default.
/// @param options    [nullable] Name, limits, and how to use the server; NULL is all defaults.
/// @param subsystem  The subsystem of the MICE; it may be freed afterwards.
/// @param parent     [nullable] The cache to inherit from, in Redis, of the same system, uncut; it may be freed
///                   afterwards.
/// @param out        The cache. Free it with `phicache_mice_cache_free`.
/// @return OK; ERROR_UNSUPPORTED if the library was built without Redis.
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
        let (options, out) = (self::options(options, Tier::Redis), self::out(out, "out")?);
        make(config, options?, subsystem, parent, out, Some(Tier::Redis))
    })
}

/// Makes a MICE cache in the configuration's directory (see "Disk cache"). Its type is `phicache_mice_cache`: all
/// functions of this section work on it. Processes that compute the same system in the same context share its values,
/// and later runs find them. All caches of this process for the same system, uncut, in the same directory are one.
///
/// May wait for the file system.
///
/// @param config     [nullable] The configuration; NULL is the process default. The same for all caches of the system.
/// @param options    [nullable] Name, limits, and how to use the directory; NULL is all defaults. The same for all
///                   caches of the system, uncut. The cache of a cut subsystem uses its parent's directory as that
///                   does.
/// @param subsystem  The subsystem of the MICE; it may be freed afterwards.
/// @param parent     [nullable] The cache to inherit from, on disk, of the same system, uncut; it may be freed
///                   afterwards.
/// @param out        The cache. Free it with `phicache_mice_cache_free`.
/// @return OK; ERROR_STORAGE if the directory cannot be made, or if others may write into it.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn phicache_disk_mice_cache_new(
    config: *mut phicache_config,
    options: *const phicache_cache_options,
    subsystem: *mut phicache_subsystem,
    parent: *mut phicache_mice_cache,
    out: *mut *mut phicache_mice_cache,
) -> phicache_status {
    catch_panics("phicache_disk_mice_cache_new", || {
        let (options, out) = (self::options(options, Tier::Disk), self::out(out, "out")?);
        make(config, options?, subsystem, parent, out, Some(Tier::Disk))
    })
}

fn make(
    config: *mut phicache_config,
    (options, name): (Options, Option<&str>),
    subsystem: *mut phicache_subsystem,
    parent: *mut phicache_mice_cache,
    out: &mut *mut phicache_mice_cache,
    tier: Option<Tier>,
) -> Result<phicache_status> {
    let subsystem = self::subsystem(subsystem)?;
    let parent = if parent.is_null() { None } else { Some(named_cache(parent, "parent")?) };
    let config = self::config(config)?;
    let is_chosen = tier.is_none();
    let tier = match (tier, parent) {
        (Some(tier), _) => tier,
        // Elsewhere than its parent, a child could not inherit.
        (None, Some(Cache::Mice(_))) => Tier::Memory,
        (None, Some(Cache::Redis(_))) => Tier::Redis,
        (None, Some(Cache::Disk(_))) => Tier::Disk,
        (None, _) => config.mice_tier()?,
    };
    let options = if is_chosen && tier == Tier::Disk { options.of_memory() } else { options };
    let (cache, holder) = match (tier, parent) {
        (Tier::Memory, None) => (MiceCache::mice(config, options, subsystem, None)?.into(), None),
        (Tier::Memory, Some(Cache::Mice(parent))) => {
            (MiceCache::mice(config, options, subsystem, Some(parent))?.into(), None)
        }
        (Tier::Redis, None) => (RedisCache::mice(config, options, subsystem, None)?.into(), None),
        (Tier::Redis, Some(Cache::Redis(parent))) => {
            (RedisCache::mice(config, options, subsystem, Some(parent))?.into(), None)
        }
        (Tier::Disk, None) => shared_disk_mice(config, options, name, subsystem, None)?,
        (Tier::Disk, Some(Cache::Disk(parent))) => shared_disk_mice(config, options, name, subsystem, Some(parent))?,
        _ => {
            return Err(Error::invalid(
                "parent and child must both be in this process, both in Redis, or both on disk; \
                 phicache_mice_cache_new makes a child where its parent is",
            ));
        }
    };
    *out = create_cache(cache, name, holder)?;
    Ok(PHICACHE_OK)
}

/// Destroys the cache. Pinned values stay valid, and children keep what they inherit.
///
/// @param cache  [nullable] The cache.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn phicache_mice_cache_free(cache: *mut phicache_mice_cache) -> phicache_status {
    catch_panics("phicache_mice_cache_free", || free_cache(cache))
}

/// Looks a MICE up, also in the parents. Counts a hit or a miss.
///
/// May wait for the server or the file system, if the values are there.
///
/// @param cache     The cache.
/// @param key       The key.
/// @param out_mice  The MICE. Set `struct_size` first. Its payload is valid until `out` is released.
/// @param out       The record, pinned until `phicache_value_release`; zero on a miss.
/// @return OK or MISS.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn phicache_mice_cache_get(
    cache: *mut phicache_mice_cache,
    key: phicache_bytes,
    out_mice: *mut phicache_mice,
    out: *mut phicache_value,
) -> phicache_status {
    match ordinary(key) {
        Some(ordinary) => fast_path::get_mice(cache, Some(ordinary), out_mice, out)
            .unwrap_or_else(|| get_mice(cache, key, out_mice, out)),
        None => get_mice_other(cache, key, out_mice, out),
    }
}

#[inline(never)]
extern "C" fn get_mice_other(
    cache: *mut phicache_mice_cache,
    key: phicache_bytes,
    out_mice: *mut phicache_mice,
    out: *mut phicache_value,
) -> phicache_status {
    fast_path::get_mice(cache, other(key), out_mice, out).unwrap_or_else(|| get_mice(cache, key, out_mice, out))
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

/// Stores a copy of a MICE, unless the cut, φ or memory refuse it. ERROR_INVALID_ARGUMENT if the MICE has nodes that
/// are not in the subsystem, or contradicts its standard key (another direction or mechanism, or a purview that is not
/// a candidate). An empty purview fits every list of candidates.
///
/// May wait for the server or the file system, if the values are there.
///
/// @param cache  The cache.
/// @param key    The key.
/// @param mice   The MICE. Set `struct_size` first.
/// @return OK, REFUSED_CUT, REFUSED_PHI, REFUSED_MEMORY or REFUSED_CAPACITY; in Redis OK, also if the server failed and
///         only this process has the MICE, REFUSED_CUT, or REFUSED_SERVER if it has no room for it either; on disk OK,
///         REFUSED_CUT, REFUSED_STORAGE, REFUSED_DISABLED, or REFUSED_CAPACITY for more than a quarter of the bound.
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
            Cache::Disk(cache) => cache.set_mice(key, &mice),
            _ => Err(wrong_kind("phicache_mice_cache")),
        }
        .map(stored)
    })
}

/// Tells whether `phicache_mice_cache_set` would refuse every MICE with this φ, before you prepare its payload. Counts
/// nothing. After OK, `set` may still refuse a MICE for which there is no room, or because the file system fails.
///
/// @param cache  The cache.
/// @param phi    The φ; NaN is an error.
/// @return OK, REFUSED_CUT, REFUSED_PHI or REFUSED_MEMORY; on disk OK, REFUSED_CUT, or, if it is read only,
///         REFUSED_DISABLED; in Redis OK or REFUSED_CUT.
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
            Cache::Disk(cache) => cache.would_store(),
            _ => return Err(wrong_kind("phicache_mice_cache")),
        }))
    })
}

/// Looks a MICE up, also in the parents. On a miss, calls `compute`, which writes it with `phicache_result_mice`.
/// Counts a hit or a miss.
///
/// The MICE is returned even if the cache could not store it; `out->origin` says whether it did.
///
/// May wait for another thread or process that computes the value, and for the server or the file system, if the
/// values are there.
///
/// @param cache          The cache.
/// @param key            The key.
/// @param compute        Computes the MICE.
/// @param user_data      [nullable] Passed to `compute`.
/// @param call_data      [nullable] Passed to `compute`.
/// @param out_mice       The MICE. Set `struct_size` first. Its payload is valid until `out` is released.
/// @param out            The record, pinned until `phicache_value_release`.
/// @param callback_code  [nullable] The code that `compute` returned, whatever the status; 0 if it was not called.
/// @return OK; ERROR_CALLBACK if `compute` did not return 0; the status of its last reservation if that failed;
///         ERROR_DAMAGED if it wrote no MICE; ERROR_INVALID_ARGUMENT if its MICE contradicts its standard key, or has
///         nodes that are not in the subsystem. On an error nothing is stored.
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

    fn look_up(cache: *mut Self, key: phicache_bytes, callback: Callback) -> Result<(TaskLookup, Callback)> {
        callback.check()?;
        Ok((cache_of(cache)?.get_or_reserve(bytes(key, "key")?)?.into(), callback))
    }
}

/// Tells whether a key has a MICE, also in the parents. Counts nothing. Note that OK, which means yes, is 0.
///
/// May wait for the server or the file system, if the values are there.
///
/// @param cache  The cache.
/// @param key    The key.
/// @return OK or MISS.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn phicache_mice_cache_contains(
    cache: *mut phicache_mice_cache,
    key: phicache_bytes,
) -> phicache_status {
    fast_path::contains(cache, key).unwrap_or_else(|| {
        catch_panics("phicache_mice_cache_contains", || Ok(found(cache_of(cache)?.contains(bytes(key, "key")?)?)))
    })
}

/// Removes a MICE of this cache, not of its parents. If it is pinned, it stays valid until it is released. Children do
/// not see it any more.
///
/// May wait for the server or the file system, if the values are there.
///
/// @param cache  The cache.
/// @param key    The key.
/// @return OK, or MISS if this cache itself had none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn phicache_mice_cache_remove(
    cache: *mut phicache_mice_cache,
    key: phicache_bytes,
) -> phicache_status {
    catch_panics("phicache_mice_cache_remove", || Ok(found(cache_of(cache)?.remove(bytes(key, "key")?)?)))
}

verbs! { mice_cache, "The cache": clear, size, info, stats, as_cache }

/// Writes a MICE as a record, the format in which caches store it (`docs/mice-format.md`).
///
/// @param mice      The MICE. Set `struct_size` first.
/// @param buffer    [nullable] Receives the record; may be NULL if `capacity` is 0.
/// @param capacity  The size of the buffer in bytes; a record is 64 bytes longer than its payload.
/// @param out_len   The length of the record, also if it does not fit.
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
        apart((mice.payload.as_ptr(), mice.payload.len()), buffer, ["mice->payload", "buffer"])?;
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

/// Reads a record, and verifies its version and checksum.
///
/// @param record  The record.
/// @param out     The MICE. Set `struct_size` first. Its payload points into `record`.
/// @return OK, or ERROR_DAMAGED.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn phicache_mice_decode(record: phicache_bytes, out: *mut phicache_mice) -> phicache_status {
    catch_panics("phicache_mice_decode", || {
        let out = growing(out, "out")?;
        out.fill(Mice::read_checked(bytes(record, "record")?)?.into());
        Ok(PHICACHE_OK)
    })
}
