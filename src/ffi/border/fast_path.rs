//! The usual case of the functions that are called all the time: arguments that are as they should be, a key of ordinary
//! length, a table in which one look decides.
//!
//! These answer None in any other case, and then nothing has happened: the caller goes the whole way, which knows every
//! case and every message. Here nothing can fail, panic or call; so a lookup takes no panic boundary and no frame.

use std::hint::cold_path;

use crate::cache::{Cache, Fast, MiceCache, Refusal, Value};
use crate::epoch::guard;
use crate::ffi::api::cache::CacheHandle;
use crate::ffi::api::key::{KeyHandle, lend};
use crate::ffi::border::handle::{live, live_mut};
use crate::ffi::border::input::usable;
use crate::ffi::border::output::{place, refusal};
use crate::ffi::border::types::*;
use crate::iit::{Direction, Mice, NodeSet};
use crate::key::{Element, KeyBuilder};
use crate::table::ORDINARY;

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
pub(in crate::ffi) fn as_any<'c>(cache: *mut phicache_cache) -> Option<&'c Cache> {
    live::<CacheHandle, _>(cache).map(|handle| &handle.cache)
}

/// Looks a key up, which `get` does.
#[inline(always)]
pub(in crate::ffi) fn get<C>(
    cache: Option<C>,
    key: phicache_bytes,
    out: *mut phicache_value,
    get: impl FnOnce(C, &[u8]) -> Fast<Value>,
) -> Option<phicache_status> {
    let (out, key) = (place(out)?, ordinary(key)?);
    match get(cache?, key) {
        Fast::Slow => None,
        Fast::Hit(value) => {
            out.write(value.into());
            Some(PHICACHE_OK)
        }
        Fast::Miss => {
            out.write(phicache_value::ZERO);
            Some(PHICACHE_MISS)
        }
    }
}

/// Where a value is copied to.
pub(in crate::ffi) struct Buffer {
    start: *mut u8,
    capacity: usize,
}

impl Buffer {
    /// Copies a value, if it fits, and tells its length.
    #[inline(always)]
    pub(in crate::ffi) fn take(&self, value: &[u8]) -> Option<usize> {
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
pub(in crate::ffi) fn get_into<C>(
    cache: Option<C>,
    key: phicache_bytes,
    buffer: *mut u8,
    capacity: usize,
    out_len: *mut usize,
    read: impl FnOnce(C, &[u8], Buffer) -> Fast<usize>,
) -> Option<phicache_status> {
    let (out_len, key) = (place(out_len)?, ordinary(key)?);
    usable(buffer.cast_const(), capacity)?;
    match read(cache?, key, Buffer { start: buffer, capacity }) {
        Fast::Slow => None,
        Fast::Hit(len) => {
            out_len.write(len);
            Some(PHICACHE_OK)
        }
        Fast::Miss => {
            out_len.write(0);
            Some(PHICACHE_MISS)
        }
    }
}

/// Looks a key up that may be computed otherwise, which `hit` does.
#[inline(always)]
pub(in crate::ffi) fn memoize(
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
pub(in crate::ffi) fn call(
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
pub(in crate::ffi) fn reset(key: *mut phicache_key) -> Option<phicache_status> {
    builder(key)?.reset();
    Some(PHICACHE_OK)
}

/// Adds an argument to a list.
#[inline(always)]
pub(in crate::ffi) fn add(key: *mut phicache_key, element: Element<'_>) -> Option<phicache_status> {
    builder(key)?.try_fast_add(element)?;
    Some(PHICACHE_OK)
}

/// Lends the key of an argument list.
#[inline(always)]
pub(in crate::ffi) fn key(key: *mut phicache_key, typed: i32, out: *mut phicache_bytes) -> Option<phicache_status> {
    let (out, builder) = (place(out)?, builder(key)?);
    out.write(lend(builder.try_fast_key(typed != 0)?));
    Some(PHICACHE_OK)
}

#[inline(always)]
fn builder<'k>(key: *mut phicache_key) -> Option<&'k mut KeyBuilder> {
    Some(&mut live_mut::<KeyHandle, _>(key)?.0)
}

/// Refuses a value, which `refuse` does.
#[inline(always)]
pub(in crate::ffi) fn refuse(
    key: phicache_bytes,
    value: phicache_bytes,
    refuse: impl FnOnce(&[u8], &[u8]) -> Option<Refusal>,
) -> Option<phicache_status> {
    refuse(ordinary(key)?, lent(value)?).map(refusal)
}

/// Refuses a MICE.
#[inline(always)]
pub(in crate::ffi) fn refuse_mice(
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
    mice_cache(cache)?.try_fast_refuse_mice(ordinary(key)?, &mice).map(refusal)
}

/// Looks a MICE up.
#[inline(always)]
pub(in crate::ffi) fn get_mice(
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
        Cache::Mice(cache) => cache.try_fast_get(key),
        // What is not near has to be asked for.
        Cache::Redis(cache) if cache.is_mice() => cache.near().try_fast_hit(key).map_or(Fast::Slow, Fast::Hit),
        _ => return None,
    };
    match found {
        Fast::Slow => None,
        Fast::Hit(value) => match Mice::read_kept(value.entry.value()) {
            Some(mice) => {
                out_mice.write(mice.into());
                out.write(value.into());
                Some(PHICACHE_OK)
            }
            // It has been counted and pinned: the slow path would do so again.
            None => Some(crate::ffi::api::mice::fill_slowly(value, out_mice.as_mut_ptr(), out.as_mut_ptr())),
        },
        Fast::Miss => {
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
pub(in crate::ffi) fn read(
    cache: *mut phicache_cache,
    key: phicache_bytes,
    out: *mut phicache_bytes,
) -> Option<phicache_status> {
    let (out, key) = (place(out)?, ordinary(key)?);
    let cache = as_any(cache)?;
    guard::try_fast_in_open(|section| match cache.try_fast_look(section, key) {
        Fast::Slow => None,
        Fast::Hit(value) => {
            out.write(phicache_bytes { data: value.as_ptr(), len: value.len() });
            Some(PHICACHE_OK)
        }
        Fast::Miss => {
            out.write(phicache_bytes { data: std::ptr::null(), len: 0 });
            Some(PHICACHE_MISS)
        }
    })
}
