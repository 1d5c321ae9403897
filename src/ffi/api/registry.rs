//! Registry
//!
//! The live caches that were given a name, from every thread. A cache leaves the registry when its handle is freed. Where a
//! server fails, a list shows what this process has of its cache; and so it does of the caches that are left once all of it
//! has taken 30 seconds. Clearing tries each cache, each within its `scan_timeout_ms`.
//!
//! ```c
//! phicache_cache_options options = { 0 };
//! phicache_dict_cache *cache;
//! phicache_registry_item items[16];
//! size_t count;
//! options.struct_size = sizeof options;
//! options.name = "repertoires";
//! if (phicache_dict_cache_new(NULL, &options, &cache) != PHICACHE_OK) return 1;
//! items[0].struct_size = sizeof items[0];
//! if (phicache_registry_list(items, 16, &count) == PHICACHE_OK)
//!     for (size_t i = 0; i < count && i < 16; i++) use(items[i].name, items[i].info.hits);
//! phicache_dict_cache_free(cache);
//! ```

use std::time::Instant;

use crate::cache::{Cache, RemoteOptions, registry};
use crate::ffi::api::prelude::*;
use crate::ffi::border::output::growing_items;

/// Lists the named caches in order of their names.
///
/// @param items      [nullable] Where they are written; may be NULL if `capacity` is 0. `struct_size` of the first item is
///                   set by the caller, and says how far apart items are.
/// @param capacity   How many items fit.
/// @param out_count  How many caches there are, also when they do not fit; caches that others make or free meanwhile may
///                   change that.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn phicache_registry_list(
    items: *mut phicache_registry_item,
    capacity: usize,
    out_count: *mut usize,
) -> phicache_status {
    catch_panics("phicache_registry_list", || {
        let out_count = out(out_count, "out_count")?;
        let items = growing_items(items, capacity, "items")?;
        let (caches, began) = (registry::all()?, Instant::now());
        *out_count = caches.len();
        if caches.len() > items.capacity() {
            return Err(Error::BufferTooSmall { needed: caches.len(), capacity });
        }
        for (at, (name, cache)) in caches.iter().enumerate() {
            items.fill(at, item(name, cache, began.elapsed() < RemoteOptions::SCAN));
        }
        Ok(PHICACHE_OK)
    })
}

/// Hits, misses and size of a named cache.
///
/// @param name  The name; that of no live cache is an error.
/// @param out   The figures.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn phicache_registry_info(name: *const c_char, out: *mut phicache_info) -> phicache_status {
    catch_panics("phicache_registry_info", || {
        let out = self::out(out, "out")?;
        *out = find(name)?.info()?.into();
        Ok(PHICACHE_OK)
    })
}

/// All figures of a named cache.
///
/// @param name  The name; that of no live cache is an error.
/// @param out   The figures; `struct_size` is set by the caller.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn phicache_registry_stats(name: *const c_char, out: *mut phicache_stats) -> phicache_status {
    catch_panics("phicache_registry_stats", || {
        let out = growing(out, "out")?;
        out.fill(find(name)?.stats()?.into());
        Ok(PHICACHE_OK)
    })
}

/// Takes all values out of a named cache and sets its counts to zero.
///
/// @param name  The name; that of no live cache is an error.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn phicache_registry_clear(name: *const c_char) -> phicache_status {
    catch_panics("phicache_registry_clear", || find(name)?.clear().map(|()| PHICACHE_OK))
}

/// Takes all values out of all named caches and sets their counts to zero. The first error is the answer; the others are
/// cleared all the same.
#[unsafe(no_mangle)]
pub extern "C" fn phicache_registry_clear_all() -> phicache_status {
    catch_panics("phicache_registry_clear_all", || {
        let mut first = Ok(PHICACHE_OK);
        for (_, cache) in registry::all()? {
            if let Err(error) = cache.clear() {
                first = first.and(Err(error));
            }
        }
        first
    })
}

fn find(name: *const c_char) -> Result<Cache> {
    registry::find(text(name, "name")?)
}

fn item(name: &str, cache: &Cache, in_time: bool) -> phicache_registry_item {
    let mut bytes = [0; registry::NAME_MAX + 1];
    bytes.iter_mut().zip(name.bytes()).for_each(|(to, byte)| *to = byte as c_char);
    phicache_registry_item {
        struct_size: size_of::<phicache_registry_item>(),
        name: bytes,
        kind: match cache {
            Cache::Dict(_) => PHICACHE_KIND_DICT,
            Cache::Purview(_) => PHICACHE_KIND_PURVIEW,
            Cache::Mice(_) => PHICACHE_KIND_MICE,
            Cache::Redis(cache) if cache.is_mice() => PHICACHE_KIND_REDIS_MICE,
            Cache::Redis(_) => PHICACHE_KIND_REDIS,
        },
        reserved: 0,
        // A server that fails must not hide the other caches, nor one that never comes to an end hold them up.
        info: in_time.then(|| cache.info().ok()).flatten().unwrap_or_else(|| cache.info_here()).into(),
    }
}
