//! Disk cache
//!
//! Values by keys, both bytes, in files: they outlive the process, and all processes that use the same directory share
//! them, also on a file system that several machines share. No server is needed. All threads may call the functions at
//! once. There are no background threads. `docs/disk-format.md` specifies the files.
//!
//! Each process appends to files of its own. The directory may be on a local disk, NFS or Lustre, as long as it belongs
//! to the user and nobody else may write into it. It is the configuration's (`phicache_config_set_disk_directory`,
//! `PHICACHE_DISK_DIRECTORY`); the default is the user's cache directory if that is on a local disk.
//!
//! A cache has an identity, which includes a context: how the values are computed. Two programs that compute
//! differently must not read each other's values, nor today's version of a program yesterday's: change the context when
//! the code changes. A memo on a disk cache needs a prefix with a version, such as "entropy@1", for the same reason.
//!
//! Values that are used again are kept in this process (`options.near_bytes`), where a hit costs as much as in a dict
//! cache. A value that another process stores is found once the next lookup that finds nothing has looked for new
//! records, at most every `options.refresh_ms`; on NFS, once the attribute cache of the mount has expired too. A value
//! that another process replaces or removes may still be returned from this process's memory.
//!
//! Of the processes that miss a key in `memoize`, in a memo or with leases, one computes it, and the others wait for
//! its value. If it ends without one, because its computation fails or it is killed, another one starts within two
//! seconds. On one host the system's file locks decide. For processes on several hosts, set `options.lease_ms` in all
//! of them: a lease then ends after that time if its host is gone. With 0, each host computes. If a computed value
//! cannot be stored, the others do not wait for each other. A file system without file locks makes every process
//! compute. Reading processes (`options.read_only`) do not wait, and computations that wait for each other in a circle
//! of processes are not noticed as such.
//!
//! `options.max_bytes` bounds all files in the directory, of all identities. The directory keeps the bound that was
//! asked for last, from the first store on; 0 asks for none, and 8 GiB count until somebody asks. Each process may
//! exceed it by the segment that it writes: a 64th of the bound, and at most 64 MiB. When the directory is full, whole
//! segments are removed: those with the least computing time per byte that have not been used for a long time. A value
//! may be up to a quarter of the bound.
//!
//! Each record has a checksum, which is verified whenever it is read. What is damaged, torn, or of another program is a
//! miss, and counts in `damaged` of the statistics. If a file operation fails, because the disk is full or a server is
//! gone, a lookup is a miss and a store is REFUSED_STORAGE; with `options.storage_errors` each of these is
//! ERROR_STORAGE. A removal that fails is always an error. A value that was computed is always returned.
//!
//! After a store has returned OK, the operating system has the value: a killed process loses nothing. After a power
//! cut, values of the last seconds may be missing, unless `options.sync` was set or `phicache_disk_sync` called. On
//! NFS, a failure to write may show only when the server is asked to sync.
//!
//! After `fork`, parent and child may both use the cache; the child writes a file of its own. A program that closes all
//! descriptors, as daemons do at their start, does so before it makes a cache: records would go into its own files.
//!
//! ```c
//! phicache_disk_cache *cache;
//! phicache_bytes context = { (const uint8_t *)"entropy of a channel, bits, version 1", 37 };
//! phicache_value value;
//! if (phicache_disk_cache_new(NULL, NULL, context, &cache) != PHICACHE_OK) return 1;
//! if (phicache_disk_cache_memoize(cache, key, compute, NULL, NULL, &value, NULL) == PHICACHE_OK) {
//!     use(value.data, value.len);  // the next run of the program finds it
//!     phicache_value_release(&value);
//! }
//! phicache_disk_cache_free(cache);
//! ```

use crate::cache::{Cache, shared_disk};
use crate::config::Tier;
use crate::disk::{Directory, inspect};
use crate::ffi::api::prelude::*;
use crate::ffi::border::any_cache::wrong_kind;
use crate::ffi::border::input::{any_fingerprint, fingerprint};
use crate::ffi::border::output::growing_items;
use crate::key::context;

/// Gets a handle to the cache of a context, in the configuration's directory. All handles of this process with the same
/// context and directory are of one cache. Freeing the last one ends the use of its file.
///
/// May wait for the file system.
///
/// @param config   [nullable] The configuration; NULL is the process default. The same for all handles.
/// @param options  [nullable] Name, limits, and how to use the directory; NULL is all defaults. The same for all
///                 handles.
/// @param context  What the values are and how they are computed: algorithm, settings, version. Not empty.
/// @param out      The cache. Free it with `phicache_disk_cache_free`.
/// @return OK; ERROR_STORAGE if the directory cannot be made, or if others may write into it.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn phicache_disk_cache_new(
    config: *mut phicache_config,
    options: *const phicache_cache_options,
    context: phicache_bytes,
    out: *mut *mut phicache_disk_cache,
) -> phicache_status {
    catch_panics("phicache_disk_cache_new", || {
        let (options, out) = (self::options(options, Tier::Disk), self::out(out, "out")?);
        let context = bytes(context, "context")?;
        let identity = self::context(context)?;
        let (options, name) = options?;
        let (cache, holder) = shared_disk(self::config(config)?, options, name, identity, "values", Some(context))?;
        *out = create_cache(cache, name, Some(holder))?;
        Ok(PHICACHE_OK)
    })
}

/// Gets a handle to the cache of an identity and role, in the configuration's directory. All handles of this process
/// with the same identity, role and directory are of one cache.
///
/// May wait for the file system.
///
/// @param config       [nullable] The configuration; NULL is the process default. The same for all handles.
/// @param options      [nullable] Name, limits, and how to use the directory; NULL is all defaults. The same for all
///                     handles.
/// @param fingerprint  The identity, such as that of a network or a subsystem, which includes a context.
/// @param role         What the values are, such as "repertoires".
/// @param out          The cache. Free it with `phicache_disk_cache_free`.
/// @return OK; ERROR_STORAGE if the directory cannot be made, or if others may write into it.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn phicache_disk_cache_shared(
    config: *mut phicache_config,
    options: *const phicache_cache_options,
    fingerprint: *const phicache_fingerprint,
    role: *const c_char,
    out: *mut *mut phicache_disk_cache,
) -> phicache_status {
    catch_panics("phicache_disk_cache_shared", || {
        let (options, out) = (self::options(options, Tier::Disk), self::out(out, "out")?);
        let fingerprint = self::fingerprint(fingerprint, "fingerprint")?;
        let (options, name) = options?;
        let role = text(role, "role")?;
        let (cache, holder) = shared_disk(self::config(config)?, options, name, fingerprint, role, None)?;
        *out = create_cache(cache, name, Some(holder))?;
        Ok(PHICACHE_OK)
    })
}

/// Waits until all values that this process has stored in the cache are on the storage device, so that they survive a
/// power cut.
///
/// May wait for the file system.
///
/// @param cache  The cache.
/// @return OK; ERROR_STORAGE if the device or a server failed: values of the last seconds may be missing then.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn phicache_disk_sync(cache: *mut phicache_disk_cache) -> phicache_status {
    catch_panics("phicache_disk_sync", || {
        if let Cache::Disk(cache) = cache_of(cache)? {
            cache.space().sync()?;
        }
        Ok(PHICACHE_OK)
    })
}

/// As `phicache_disk_sync`, for any cache on disk, such as a MICE cache.
///
/// May wait for the file system.
///
/// @param cache  A cache on disk.
/// @return OK; ERROR_INVALID_HANDLE if it is another type of cache; ERROR_STORAGE.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn phicache_cache_disk_sync(cache: *mut phicache_cache) -> phicache_status {
    catch_panics("phicache_cache_disk_sync", || match cache_of(cache)? {
        Cache::Disk(cache) => cache.space().sync().map(|()| PHICACHE_OK),
        _ => Err(wrong_kind("disk cache")),
    })
}

/// Gets the state of a disk cache, as this process sees it.
///
/// @param cache  A disk cache, as any cache.
/// @param out    The state. Set `struct_size` first.
/// @return OK; ERROR_INVALID_HANDLE if it is another type of cache.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn phicache_cache_disk_health(
    cache: *mut phicache_cache,
    out: *mut phicache_disk_health,
) -> phicache_status {
    catch_panics("phicache_cache_disk_health", || {
        let out = growing(out, "out")?;
        match cache_of(cache)? {
            Cache::Disk(cache) => out.fill(cache.space().into()),
            _ => return Err(wrong_kind("disk cache")),
        }
        Ok(PHICACHE_OK)
    })
}

/// Lists what is in the directory of a configuration, ordered by identity and role.
///
/// May wait for the file system.
///
/// @param config     [nullable] The configuration; NULL is the process default.
/// @param verify     0 reads the files' own lists; any other number reads every record and every value.
/// @param items      [nullable] Receives the items; may be NULL if `capacity` is 0. Set `struct_size` of the first item
///                   to `sizeof` of an item.
/// @param capacity   The number of items that fit.
/// @param out_count  The number of identities and roles, also if they do not fit.
/// @return OK; ERROR_BUFFER_TOO_SMALL; ERROR_STORAGE if the directory is missing or cannot be read.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn phicache_disk_list(
    config: *mut phicache_config,
    verify: i32,
    items: *mut phicache_disk_item,
    capacity: usize,
    out_count: *mut usize,
) -> phicache_status {
    catch_panics("phicache_disk_list", || {
        let out_count = out(out_count, "out_count")?;
        let items = growing_items(items, capacity, "items")?;
        let reports = inspect(&directory(config)?, verify != 0)?;
        items.fill(reports.iter().map(Into::into), out_count)
    })
}

/// Removes all values of an identity, of all roles, from the directory of a configuration. Processes that use it, this
/// one too, go on. They find the values no more once a lookup that finds nothing has looked for changes, at most every
/// `options.refresh_ms`; but those of which they have a copy in memory until they evict it, or clear their cache.
///
/// May wait for the file system.
///
/// @param config       [nullable] The configuration; NULL is the process default.
/// @param fingerprint  The identity.
/// @return OK, also if the directory has no values of it; ERROR_STORAGE.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn phicache_disk_remove(
    config: *mut phicache_config,
    fingerprint: *const phicache_fingerprint,
) -> phicache_status {
    catch_panics("phicache_disk_remove", || {
        let fingerprint = any_fingerprint(fingerprint, "fingerprint")?;
        let directory = directory(config)?;
        directory.discard(&directory.identity(&fingerprint.0))?;
        Ok(PHICACHE_OK)
    })
}

/// The directory of a configuration.
fn directory(config: *mut phicache_config) -> Result<Directory> {
    Directory::new(&self::config(config)?.disk_directory()?, true, false)
}

verbs! {
    disk_cache, "The cache":
    free, get, get_into, contains, set, memoize, remove, clear, size, info, stats, key, as_cache
}
