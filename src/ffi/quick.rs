//! The usual case of the functions that are called all the time: arguments that are as they should be, a key of ordinary
//! length, a table in which one look decides.
//!
//! These answer None in any other case, and then nothing has happened: the caller goes the whole way, which knows every
//! case and every message. Here nothing can fail, panic or call; so a lookup takes no panic boundary and no frame.

use std::hint::cold_path;

use super::cache::CacheHandle;
use super::handle::live;
use super::input::usable;
use super::output::place;
use super::types::*;
use crate::cache::{Cache, Value};
use crate::store::{ORDINARY, section};

/// A key, if it is an ordinary one.
#[inline(always)]
fn ordinary<'k>(key: phicache_bytes) -> Option<&'k [u8]> {
    if !ORDINARY.contains(&key.len) {
        cold_path();
        return None;
    }
    usable(key.data, key.len)
}

/// The cache behind a view.
#[inline(always)]
pub(super) fn any<'c>(cache: *mut phicache_cache) -> Option<&'c Cache> {
    live::<CacheHandle, _>(cache).map(|handle| &handle.cache)
}

/// Looks a key up, which `get` does.
#[inline(always)]
pub(super) fn get(
    key: phicache_bytes,
    out: *mut phicache_value,
    get: impl FnOnce(&[u8]) -> Option<Option<Value>>,
) -> Option<phicache_status> {
    let (out, key) = (place(out)?, ordinary(key)?);
    match get(key)? {
        Some(value) => {
            out.write(value.into());
            Some(PHICACHE_OK)
        }
        None => {
            out.write(phicache_value::ZERO);
            Some(PHICACHE_MISS)
        }
    }
}

/// Looks a key up that may be computed otherwise, which `hit` does.
#[inline(always)]
pub(super) fn memoize(
    key: phicache_bytes,
    compute: phicache_compute,
    out: *mut phicache_value,
    code: *mut i32,
    hit: impl FnOnce(&[u8]) -> Option<Value>,
) -> Option<phicache_status> {
    compute?;
    let code = if code.is_null() { None } else { Some(place(code)?) };
    let (out, key) = (place(out)?, ordinary(key)?);
    out.write(hit(key)?.into());
    if let Some(code) = code {
        code.write(0);
    }
    Some(PHICACHE_OK)
}

/// Looks a key up in a read section.
#[inline(always)]
pub(super) fn read(
    cache: *mut phicache_cache,
    key: phicache_bytes,
    out: *mut phicache_bytes,
) -> Option<phicache_status> {
    let (out, key) = (place(out)?, ordinary(key)?);
    let cache = any(cache)?;
    let section = section::current_if_any()?;
    match cache.look_quickly(&section, key)? {
        Some(value) => {
            out.write(phicache_bytes { data: value.as_ptr(), len: value.len() });
            Some(PHICACHE_OK)
        }
        None => {
            out.write(phicache_bytes { data: std::ptr::null(), len: 0 });
            Some(PHICACHE_MISS)
        }
    }
}
