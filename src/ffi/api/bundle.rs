//! Saved caches
//!
//! A cache in this process can be saved to one file, and a later run, another machine or a colleague goes on with it.
//! `phicache_cache_load` copies the values into a cache. `phicache_disk_cache_open` leaves them in the file and reads
//! them from there when they are requested, so that a program can begin at once with the results of a paper.
//!
//! A file has one context: how its values were computed. It is used with the same context only, so that a program does
//! not take values of another algorithm for its own. The file of a MICE cache also has the fingerprint of its subsystem
//! under its cut, and is loaded only into a MICE cache of the same one. That of a cache of `phicache_dict_cache_shared`
//! has its fingerprint, and is not loaded into one with another. Other dict caches and purview caches have none: if
//! their keys do not contain the network, as those of `phicache_subsystem_key` and of purviews, let the context contain
//! the fingerprint. `phicache-info --disk FILE` prints what a file is.
//!
//! The file appears under its name when it is complete and on the storage device. If saving fails, or the process is
//! killed, an older file of that name stays as it was. Programs that have it open go on with it.
//!
//! Every value has a checksum, which is verified whenever it is read; what is damaged is a miss, and counted. Checksums
//! show damage, not intent: a program that names a file trusts it, also one of another user. `docs/disk-format.md`
//! specifies the file.
//!
//! ```c
//! phicache_bytes context = { (const uint8_t *)"entropy of a channel, bits, version 1", 37 };
//! uint64_t count;
//! if (phicache_cache_save(cache, "results.phi", context, &count) != PHICACHE_OK) puts(phicache_last_error());
//!
//! phicache_load_counts counts;
//! counts.struct_size = sizeof counts;
//! if (phicache_cache_load(cache, "results.phi", context, &counts) != PHICACHE_OK) puts(phicache_last_error());
//! use(counts.loaded, counts.refused);
//! ```

use std::path::Path;

use crate::cache::{load, open, save};
use crate::config::Tier;
use crate::disk::{Bundle, inspect_bundle};
use crate::ffi::api::prelude::*;

/// Saves the values of a cache to a file, with what they cost to compute. Other threads may use the cache meanwhile:
/// what is there from the beginning to the end is saved; of what changes, the value before or after, or nothing.
///
/// May wait for the file system.
///
/// @param cache      A cache in this process. Values that a MICE cache inherits are its parent's, and are not saved.
/// @param path       A regular file. If it exists it is replaced, and the new one has its permissions; a symbolic link
///                   leads to the file that is replaced.
/// @param context    What the values are and how they are computed: algorithm, settings, version. Not empty.
/// @param out_count  [nullable] The number of values that were saved.
/// @return OK; ERROR_UNSUPPORTED for a cache in Redis or on disk; ERROR_STORAGE: then the path is as it was.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn phicache_cache_save(
    cache: *mut phicache_cache,
    path: *const c_char,
    context: phicache_bytes,
    out_count: *mut u64,
) -> phicache_status {
    catch_panics("phicache_cache_save", || {
        let out_count = optional(out_count, "out_count")?;
        let count = save(cache_of(cache)?, Path::new(text(path, "path")?), bytes(context, "context")?)?;
        if let Some(out_count) = out_count {
            *out_count = count;
        }
        Ok(PHICACHE_OK)
    })
}

/// Loads the values of a file into a cache of the type that was saved. Each is stored as a value of
/// `phicache_cache_set_with_cost` would be: one for which the cache has no room is refused, or others are evicted for
/// it. Keys that have a value keep it.
///
/// May wait for the file system.
///
/// @param cache    A cache in this process.
/// @param path     The file.
/// @param context  The context that it was saved with.
/// @param out      What has become of the values. Set `struct_size` first.
/// @return OK, also if values were refused or damaged; ERROR_INVALID_ARGUMENT if the file was saved with another
///         context, from another type of cache, from the MICE of another subsystem or cut, or from a shared dict cache,
///         if this one is shared with another fingerprint: nothing is loaded; ERROR_DAMAGED if it is not a saved cache,
///         or its description is damaged; ERROR_STORAGE if it cannot be read: what was loaded before stays.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn phicache_cache_load(
    cache: *mut phicache_cache,
    path: *const c_char,
    context: phicache_bytes,
    out: *mut phicache_load_counts,
) -> phicache_status {
    catch_panics("phicache_cache_load", || {
        let out = growing(out, "out")?;
        let counts = load(cache_of(cache)?, Path::new(text(path, "path")?), bytes(context, "context")?)?;
        out.fill(counts.into());
        Ok(PHICACHE_OK)
    })
}

/// Makes a cache of the values in a file, which are read from there when they are asked for; those that are used again
/// are kept in this process. Nothing is written: a store is REFUSED_DISABLED, a computed value stays in this process,
/// and `remove` and `clear` are errors. The file may be on a file system that cannot be written, and belong to another
/// user. If it is replaced, the cache goes on with the old file; if it is truncated, what is gone is a miss.
///
/// May wait for the file system.
///
/// @param config   [nullable] The configuration; NULL is the process default.
/// @param options  [nullable] Name, limits and verified mode; NULL is all defaults. What concerns directories has no
///                 effect.
/// @param path     A file to which a dict cache was saved.
/// @param context  The context that it was saved with.
/// @param out      The cache. Free it with `phicache_disk_cache_free`.
/// @return As `phicache_cache_load`.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn phicache_disk_cache_open(
    config: *mut phicache_config,
    options: *const phicache_cache_options,
    path: *const c_char,
    context: phicache_bytes,
    out: *mut *mut phicache_disk_cache,
) -> phicache_status {
    catch_panics("phicache_disk_cache_open", || {
        let (options, out) = (self::options(options, Tier::Disk), self::out(out, "out")?);
        let (path, context) = (text(path, "path")?, bytes(context, "context")?);
        let (options, name) = options?;
        let cache = open(self::config(config)?, options, Path::new(path), context)?;
        *out = create_cache(cache, name, None)?;
        Ok(PHICACHE_OK)
    })
}

/// Gets what a file is to which a cache was saved, and what it contains.
///
/// May wait for the file system.
///
/// @param path    The file.
/// @param verify  0 reads the file's own list of its values; any other number reads and verifies all values.
/// @param out     Identity, role, context, bytes, records and damage; `segments` is 1. Set `struct_size` first.
/// @return OK, also if values are damaged; ERROR_DAMAGED if it is not a saved cache, or its description is damaged;
///         ERROR_STORAGE if it cannot be read.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn phicache_bundle_describe(
    path: *const c_char,
    verify: i32,
    out: *mut phicache_disk_item,
) -> phicache_status {
    catch_panics("phicache_bundle_describe", || {
        let out = growing(out, "out")?;
        let bundle = Bundle::open(Path::new(text(path, "path")?))?;
        out.fill((&inspect_bundle(&bundle, verify != 0)?).into());
        Ok(PHICACHE_OK)
    })
}
