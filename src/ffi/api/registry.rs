//! Registry
//!
//! The registry has all caches of the process that have a name. A cache leaves it when its last handle is freed. If a
//! server fails, the list shows the part of its cache that is in this process; so it does for the remaining caches
//! after the list has taken 30 seconds. Clearing tries every cache, each within its `scan_timeout_ms`.
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
//!     for (size_t i = 0; i < count; i++) use(items[i].name, items[i].info.hits);
//! phicache_dict_cache_free(cache);
//! ```

use std::time::Instant;

use crate::cache::{Cache, RemoteOptions, registry};
use crate::ffi::api::prelude::*;
use crate::ffi::border::output::growing_items;
use crate::ffi::border::translate::registry_item;

/// Lists the named caches, ordered by name.
///
/// May wait for the servers and the file systems of all named caches.
///
/// @param items      [nullable] Receives the items; may be NULL if `capacity` is 0. Set `struct_size` of the first
///                   item to `sizeof` of an item.
/// @param capacity   The number of items that fit.
/// @param out_count  The number of caches, also if they do not fit. It changes if other threads make or free caches.
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
        let item = |(name, cache): &(String, Cache)| {
            // A failing server must not hide the other caches, nor a slow one delay them.
            let asked = if began.elapsed() < RemoteOptions::SCAN { cache.info().ok() } else { None };
            registry_item(name, cache, asked.unwrap_or_else(|| cache.info_here()))
        };
        items.fill(caches.iter().map(item), out_count)
    })
}

/// Gets hits, misses and size of a named cache.
///
/// May wait for the server or the file system, if the cache's values are there.
///
/// @param name  The name. It is an error if no cache has it.
/// @param out   The figures.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn phicache_registry_info(name: *const c_char, out: *mut phicache_info) -> phicache_status {
    catch_panics("phicache_registry_info", || {
        let out = self::out(out, "out")?;
        *out = find(name)?.info()?.into();
        Ok(PHICACHE_OK)
    })
}

/// Gets all statistics of a named cache.
///
/// May wait for the server or the file system, if the cache's values are there.
///
/// @param name  The name. It is an error if no cache has it.
/// @param out   The statistics. Set `struct_size` first.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn phicache_registry_stats(name: *const c_char, out: *mut phicache_stats) -> phicache_status {
    catch_panics("phicache_registry_stats", || {
        let out = growing(out, "out")?;
        out.fill(find(name)?.stats()?.into());
        Ok(PHICACHE_OK)
    })
}

/// Clears a named cache: removes all values, and sets all counts to zero.
///
/// May wait for the server or the file system, if the cache's values are there.
///
/// @param name  The name. It is an error if no cache has it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn phicache_registry_clear(name: *const c_char) -> phicache_status {
    catch_panics("phicache_registry_clear", || find(name)?.clear().map(|()| PHICACHE_OK))
}

/// Clears all named caches, those on disk or at a server for all processes. If one fails, the others are cleared all
/// the same, and the first error is returned.
///
/// May wait for the servers and the file systems of all named caches.
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
