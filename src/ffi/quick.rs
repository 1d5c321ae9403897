//! The usual case of the functions that are called all the time: arguments that are as they should be, a key of ordinary
//! length, a table in which one look decides.
//!
//! These answer None in any other case, and then nothing has happened: the caller goes the whole way, which knows every
//! case and every message. Here nothing can fail, panic or call; so a lookup takes no panic boundary and no frame.

use std::hint::cold_path;

use super::cache::CacheHandle;
use super::handle::{live, live_mut};
use super::input::usable;
use super::key::{KeyHandle, lend};
use super::output::{place, refusal};
use super::types::*;
use crate::cache::{Cache, MiceCache, Refusal, Value};
use crate::iit::{Direction, Mice, NodeSet};
use crate::key::{Element, KeyBuilder};
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

/// Where a value is copied to.
pub(super) struct Buffer {
    start: *mut u8,
    capacity: usize,
}

impl Buffer {
    /// Copies a value, if it fits, and tells its length.
    #[inline(always)]
    pub(super) fn take(&self, value: &[u8]) -> Option<usize> {
        if value.len() > self.capacity {
            return None;
        }
        // SAFETY: the buffer has room for so many bytes, by the header's conventions, and is not the library's.
        unsafe { self.start.copy_from_nonoverlapping(value.as_ptr(), value.len()) };
        Some(value.len())
    }
}

/// Looks a key up and copies its value, which `read` does.
#[inline(always)]
pub(super) fn get_into(
    key: phicache_bytes,
    buffer: *mut u8,
    capacity: usize,
    out_len: *mut usize,
    read: impl FnOnce(&[u8], Buffer) -> Option<Option<usize>>,
) -> Option<phicache_status> {
    let (out_len, key) = (place(out_len)?, ordinary(key)?);
    usable(buffer.cast_const(), capacity)?;
    match read(key, Buffer { start: buffer, capacity })? {
        Some(len) => {
            out_len.write(len);
            Some(PHICACHE_OK)
        }
        None => {
            out_len.write(0);
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

/// Looks up what a function makes of these arguments, which `hit` does.
#[inline(always)]
pub(super) fn call(
    args: *mut phicache_key,
    out: *mut phicache_value,
    code: *mut i32,
    hit: impl FnOnce(&mut KeyBuilder) -> Option<Value>,
) -> Option<phicache_status> {
    let code = if code.is_null() { None } else { Some(place(code)?) };
    let (out, args) = (place(out)?, builder(args)?);
    out.write(hit(args)?.into());
    if let Some(code) = code {
        code.write(0);
    }
    Some(PHICACHE_OK)
}

/// Forgets the arguments of a list.
#[inline(always)]
pub(super) fn reset(key: *mut phicache_key) -> Option<phicache_status> {
    builder(key)?.reset();
    Some(PHICACHE_OK)
}

/// Adds an argument to a list.
#[inline(always)]
pub(super) fn add(key: *mut phicache_key, element: Element<'_>) -> Option<phicache_status> {
    builder(key)?.add_quickly(element)?;
    Some(PHICACHE_OK)
}

/// Lends the key of an argument list.
#[inline(always)]
pub(super) fn key(key: *mut phicache_key, typed: i32, out: *mut phicache_bytes) -> Option<phicache_status> {
    let (out, builder) = (place(out)?, builder(key)?);
    out.write(lend(builder.key_quickly(typed != 0)?));
    Some(PHICACHE_OK)
}

#[inline(always)]
fn builder<'k>(key: *mut phicache_key) -> Option<&'k mut KeyBuilder> {
    Some(&mut live_mut::<KeyHandle, _>(key)?.0)
}

/// Refuses a value, which `refuse` does.
#[inline(always)]
pub(super) fn refuse(
    key: phicache_bytes,
    value: phicache_bytes,
    refuse: impl FnOnce(&[u8], &[u8]) -> Option<Refusal>,
) -> Option<phicache_status> {
    refuse(ordinary(key)?, lent(value)?).map(refusal)
}

/// Refuses a MICE.
#[inline(always)]
pub(super) fn refuse_mice(
    cache: *mut phicache_mice_cache,
    key: phicache_bytes,
    given: *const phicache_mice,
) -> Option<phicache_status> {
    let given = usable(given, 1)?.first()?;
    if given.struct_size != size_of::<phicache_mice>() || given.reserved != 0 || given.phi.is_nan() {
        return None;
    }
    let mice = Mice {
        direction: match given.direction {
            PHICACHE_CAUSE => Direction::Cause,
            PHICACHE_EFFECT => Direction::Effect,
            _ => return None,
        },
        mechanism: NodeSet(given.mechanism),
        purview: NodeSet(given.purview),
        phi: given.phi,
        payload: lent(given.payload)?,
    };
    mice_cache(cache)?.refuse_mice_quickly(ordinary(key)?, &mice).map(refusal)
}

/// Looks a MICE up.
#[inline(always)]
pub(super) fn get_mice(
    cache: *mut phicache_mice_cache,
    key: phicache_bytes,
    out_mice: *mut phicache_mice,
    out: *mut phicache_value,
) -> Option<phicache_status> {
    let whole = usable(out_mice.cast_const(), 1)?.first()?.struct_size == size_of::<phicache_mice>();
    if !whole {
        return None;
    }
    let (out_mice, out, key) = (place(out_mice)?, place(out)?, ordinary(key)?);
    let found = match &live::<CacheHandle, _>(cache)?.cache {
        Cache::Mice(cache) => cache.get_quickly(key)?,
        // What is not near has to be asked for.
        Cache::Redis(cache) if cache.is_mice() => Some(cache.near().hit_quickly(key)?),
        _ => return None,
    };
    match found {
        Some(value) => match Mice::read_kept(value.entry.value()) {
            Some(mice) => {
                out_mice.write(mice.into());
                out.write(value.into());
                Some(PHICACHE_OK)
            }
            // It has been counted and pinned: the slow path would do so again.
            None => Some(super::mice::fill_slowly(value, out_mice.as_mut_ptr(), out.as_mut_ptr())),
        },
        None => {
            out_mice.write(phicache_mice::ZERO);
            out.write(phicache_value::ZERO);
            Some(PHICACHE_MISS)
        }
    }
}

#[inline(always)]
fn mice_cache<'c>(cache: *mut phicache_mice_cache) -> Option<&'c MiceCache> {
    match &live::<CacheHandle, _>(cache)?.cache {
        Cache::Mice(cache) => Some(cache),
        _ => None,
    }
}

/// Lent bytes, if they can be some.
#[inline(always)]
fn lent<'a>(bytes: phicache_bytes) -> Option<&'a [u8]> {
    if bytes.len == 0 { Some(&[]) } else { usable(bytes.data, bytes.len) }
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
    section::in_open_quickly(|section| match cache.look_quickly(section, key)? {
        Some(value) => {
            out.write(phicache_bytes { data: value.as_ptr(), len: value.len() });
            Some(PHICACHE_OK)
        }
        None => {
            out.write(phicache_bytes { data: std::ptr::null(), len: 0 });
            Some(PHICACHE_MISS)
        }
    })
}
