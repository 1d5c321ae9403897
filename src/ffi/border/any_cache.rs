//! The cache behind a handle of any cache type.

use crate::cache::{Cache, Holder};
use crate::error::{Error, Result};
use crate::ffi::border::handle::{create, free, get, try_fast_get};
use crate::ffi::border::handles::CacheHandle;
use crate::ffi::border::output::out;
use crate::ffi::border::types::*;

/// A C handle type of caches.
pub(in crate::ffi) trait CacheType: Sized {
    /// Its name in messages.
    const NAME: &'static str;
    /// Whether a handle of this type may refer to the cache.
    fn admits(cache: &Cache) -> bool;
}

macro_rules! cache_type {
    ($type:ident, $cache:ident => $admits:expr) => {
        impl CacheType for $type {
            const NAME: &'static str = stringify!($type);
            #[inline(always)]
            fn admits($cache: &Cache) -> bool {
                $admits
            }
        }
    };
}

cache_type!(phicache_cache, _cache => true);
cache_type!(phicache_dict_cache, cache => matches!(cache, Cache::Dict(_)));
cache_type!(phicache_redis_cache, cache => matches!(cache, Cache::Redis(cache) if !cache.is_mice()));
cache_type!(phicache_disk_cache, cache => matches!(cache, Cache::Disk(cache) if !cache.is_mice()));
cache_type!(phicache_purview_cache, cache => matches!(cache, Cache::Purview(_)));
cache_type!(phicache_mice_cache, cache => match cache {
    Cache::Mice(_) => true,
    Cache::Redis(cache) => cache.is_mice(),
    Cache::Disk(cache) => cache.is_mice(),
    _ => false,
});

/// Any cache, in a flat call: its key comes as a pointer and a length.
#[repr(transparent)]
pub(in crate::ffi) struct FlatCache(phicache_cache);

impl FlatCache {
    pub(in crate::ffi) fn of(cache: *mut phicache_cache) -> *mut Self {
        cache.cast()
    }

    /// The cache.
    pub(in crate::ffi) fn cache(flat: *mut Self) -> *mut phicache_cache {
        flat.cast()
    }
}

/// The cache behind the parameter `cache`.
#[inline(always)]
pub(in crate::ffi) fn cache_of<'c, C: CacheType>(cache: *mut C) -> Result<&'c Cache> {
    named_cache(cache, "cache")
}

/// The cache behind the parameter `name`.
#[inline(always)]
pub(in crate::ffi) fn named_cache<'c, C: CacheType>(cache: *mut C, name: &'static str) -> Result<&'c Cache> {
    let cache = &get::<CacheHandle, _>(cache, name)?.cache;
    if C::admits(cache) { Ok(cache) } else { Err(wrong_kind_named(name, C::NAME)) }
}

/// The cache behind a valid handle of its type.
#[inline(always)]
pub(in crate::ffi) fn try_fast_cache<'c, C: CacheType>(cache: *mut C) -> Option<&'c Cache> {
    try_fast_get::<CacheHandle, _>(cache).map(|handle| &handle.cache).filter(|cache| C::admits(cache))
}

/// The error of a function that was called with another type of cache.
#[cold]
pub(in crate::ffi) fn wrong_kind(expected: &str) -> Error {
    wrong_kind_named("cache", expected)
}

/// The error of a cache of another type, as the argument of this name.
#[cold]
fn wrong_kind_named(name: &str, expected: &str) -> Error {
    Error::InvalidHandle(format!("{name} is not a {expected}: it is a cache of another type").into())
}

/// Puts a cache behind a new handle.
pub(in crate::ffi) fn create_cache<C: CacheType>(
    cache: Cache,
    name: Option<&str>,
    holder: Option<Holder>,
) -> Result<*mut C> {
    create(CacheHandle::new(cache, name, holder)?)
}

/// Frees a handle of this type; nothing for NULL.
pub(in crate::ffi) fn free_cache<C: CacheType>(cache: *mut C) -> Result<phicache_status> {
    if !cache.is_null() {
        cache_of(cache)?;
        drop(free::<CacheHandle, _>(cache, "cache")?);
    }
    Ok(PHICACHE_OK)
}

/// The same handle as one of any cache.
pub(in crate::ffi) fn as_any<C: CacheType>(cache: *mut C, view: *mut *mut phicache_cache) -> Result<phicache_status> {
    let out = out(view, "out")?;
    cache_of(cache)?;
    *out = cache.cast();
    Ok(PHICACHE_OK)
}
