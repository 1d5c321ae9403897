//! The fast path of the most frequent functions: valid arguments, a key of ordinary length, and a single probe that
//! decides.
//!
//! In any other case the functions return None and have no effect; then the caller takes the slow path, which handles
//! every case and error. Nothing here can fail, panic or run user code, so a lookup needs neither a panic boundary nor
//! a stack frame.

use std::hint::cold_path;
use std::ptr;

use crate::cache::{Cache, Fast, Lease, Value};
use crate::epoch::guard::try_fast_in_open;
use crate::ffi::border::any_cache::{CacheType, try_fast_cache};
use crate::ffi::border::handles::{try_fast_key_builder, try_fast_memo, try_fast_method};
use crate::ffi::border::input::try_array;
use crate::ffi::border::output::{self, ValueOutputs, try_out};
use crate::ffi::border::panic::catch_panics;
use crate::ffi::border::translate::{lent, refusal};
use crate::ffi::border::types::*;
use crate::iit::{Direction, Mice, NodeSet};
use crate::key::{Element, KeyBuilder};
use crate::table::ORDINARY;

/// A key of ordinary length.
#[inline(always)]
fn ordinary<'k>(key: phicache_bytes) -> Option<&'k [u8]> {
    if !ORDINARY.contains(&key.len) {
        cold_path();
        return None;
    }
    try_array(key.data, key.len)
}

/// Lent bytes of any length.
#[inline(always)]
fn any_bytes<'a>(bytes: phicache_bytes) -> Option<&'a [u8]> {
    if bytes.len == 0 { Some(&[]) } else { try_array(bytes.data, bytes.len) }
}

/// Looks a key up.
#[inline(always)]
pub(in crate::ffi) fn get<C: CacheType>(
    cache: *mut C,
    key: phicache_bytes,
    out: *mut phicache_value,
) -> Option<phicache_status> {
    let (out, key) = (try_out(out)?, ordinary(key)?);
    match try_fast_cache(cache)?.try_fast_get(key) {
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
struct Buffer {
    start: *mut u8,
    capacity: usize,
}

impl Buffer {
    /// Copies a value, if it fits; returns its length.
    #[inline(always)]
    fn copy(&self, value: &[u8]) -> Option<usize> {
        if value.len() > self.capacity {
            return None;
        }
        // SAFETY: by the header's conventions the buffer has `capacity` bytes, none of which is the library's.
        unsafe { self.start.copy_from_nonoverlapping(value.as_ptr(), value.len()) };
        Some(value.len())
    }
}

/// Looks a key up and copies its value.
#[inline(always)]
pub(in crate::ffi) fn get_into<C: CacheType>(
    cache: *mut C,
    key: phicache_bytes,
    buffer: *mut u8,
    capacity: usize,
    out_len: *mut usize,
) -> Option<phicache_status> {
    let (out_len, key) = (try_out(out_len)?, ordinary(key)?);
    try_array(buffer.cast_const(), capacity)?;
    let buffer = Buffer { start: buffer, capacity };
    match try_fast_cache(cache)?.try_fast_read(key, |value| buffer.copy(value)) {
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

/// Looks up a key whose value is computed on a miss.
#[inline(always)]
pub(in crate::ffi) fn memoize<C: CacheType>(
    cache: *mut C,
    key: phicache_bytes,
    compute: phicache_compute,
    out: *mut phicache_value,
    code: *mut i32,
) -> Option<phicache_status> {
    compute?;
    let code = if code.is_null() { None } else { Some(try_out(code)?) };
    let (out, key) = (try_out(out)?, ordinary(key)?);
    out.write(try_fast_cache(cache)?.try_fast_hit(key)?.into());
    if let Some(code) = code {
        code.write(0);
    }
    Some(PHICACHE_OK)
}

/// Looks up a key whose value is computed with a lease on a miss.
#[inline(always)]
pub(in crate::ffi) fn begin<C: CacheType>(
    cache: *mut C,
    key: phicache_bytes,
    owner: u64,
    out: *mut phicache_value,
    out_lease: *mut *mut phicache_lease,
) -> Option<phicache_status> {
    let (out, out_lease, key) = (try_out(out)?, try_out(out_lease)?, ordinary(key)?);
    out.write(Lease::try_fast_begin(try_fast_cache(cache)?, key, owner)?.into());
    out_lease.write(ptr::null_mut());
    Some(PHICACHE_OK)
}

/// Looks up a memo's value for these arguments.
#[inline(always)]
pub(in crate::ffi) fn call_memo(
    memo: *mut phicache_memo,
    args: *mut phicache_key,
    out: *mut phicache_value,
    code: *mut i32,
) -> Option<phicache_status> {
    call(args, out, code, |args| try_fast_memo(memo)?.try_fast_hit(args))
}

/// Looks up a method's value for these arguments in an object's cache.
#[inline(always)]
pub(in crate::ffi) fn call_method(
    method: *mut phicache_method,
    cache: *mut phicache_cache,
    args: *mut phicache_key,
    out: *mut phicache_value,
    code: *mut i32,
) -> Option<phicache_status> {
    call(args, out, code, |args| try_fast_method(method)?.try_fast_hit(try_fast_cache(cache)?, args))
}

#[inline(always)]
fn call(
    args: *mut phicache_key,
    out: *mut phicache_value,
    code: *mut i32,
    hit: impl FnOnce(&mut KeyBuilder) -> Option<Value>,
) -> Option<phicache_status> {
    let code = if code.is_null() { None } else { Some(try_out(code)?) };
    let (out, args) = (try_out(out)?, try_fast_key_builder(args)?);
    out.write(hit(args)?.into());
    if let Some(code) = code {
        code.write(0);
    }
    Some(PHICACHE_OK)
}

/// Forgets the arguments of a list.
#[inline(always)]
pub(in crate::ffi) fn reset(key: *mut phicache_key) -> Option<phicache_status> {
    try_fast_key_builder(key)?.reset();
    Some(PHICACHE_OK)
}

/// Adds an argument to a list.
#[inline(always)]
pub(in crate::ffi) fn add(key: *mut phicache_key, element: Element<'_>) -> Option<phicache_status> {
    try_fast_key_builder(key)?.try_fast_add(element)?;
    Some(PHICACHE_OK)
}

/// Lends the key of an argument list.
#[inline(always)]
pub(in crate::ffi) fn key(key: *mut phicache_key, typed: i32, out: *mut phicache_bytes) -> Option<phicache_status> {
    let (out, builder) = (try_out(out)?, try_fast_key_builder(key)?);
    out.write(lent(builder.try_fast_key(typed != 0)?));
    Some(PHICACHE_OK)
}

/// Refuses a value that a cache has no room for.
#[inline(always)]
pub(in crate::ffi) fn refuse<C: CacheType>(
    cache: *mut C,
    key: phicache_bytes,
    value: phicache_bytes,
) -> Option<phicache_status> {
    let (key, value) = (ordinary(key)?, any_bytes(value)?);
    match try_fast_cache(cache)? {
        Cache::Dict(cache) => cache.try_fast_refuse_value(key, value).map(refusal),
        _ => None,
    }
}

/// Refuses a MICE.
#[inline(always)]
pub(in crate::ffi) fn refuse_mice(
    cache: *mut phicache_mice_cache,
    key: phicache_bytes,
    given: *const phicache_mice,
) -> Option<phicache_status> {
    let given = try_array(given, 1)?.first()?;
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
        payload: any_bytes(given.payload)?,
    };
    match try_fast_cache(cache)? {
        Cache::Mice(cache) => cache.try_fast_refuse_mice(ordinary(key)?, &mice).map(refusal),
        _ => None,
    }
}

/// Looks a MICE up.
#[inline(always)]
pub(in crate::ffi) fn get_mice(
    cache: *mut phicache_mice_cache,
    key: phicache_bytes,
    out_mice: *mut phicache_mice,
    out: *mut phicache_value,
) -> Option<phicache_status> {
    if try_array(out_mice.cast_const(), 1)?.first()?.struct_size != size_of::<phicache_mice>() {
        return None;
    }
    let (mice, record, key) = (try_out(out_mice)?, try_out(out)?, ordinary(key)?);
    match try_fast_cache(cache)?.try_fast_get(key) {
        Fast::Slow => None,
        Fast::Hit(value) => match Mice::read_kept(value.entry.value()) {
            Some(found) => {
                mice.write(found.into());
                record.write(value.into());
                Some(PHICACHE_OK)
            }
            // The lookup has been counted: the slow path would count it again.
            None => Some(not_a_record(value, out_mice, out)),
        },
        Fast::Miss => {
            mice.write(phicache_mice::ZERO);
            record.write(phicache_value::ZERO);
            Some(PHICACHE_MISS)
        }
    }
}

/// The status and the message of a lookup whose value is not a record.
#[cold]
#[inline(never)]
fn not_a_record(value: Value, out_mice: *mut phicache_mice, out: *mut phicache_value) -> phicache_status {
    catch_panics("phicache_mice_cache_get", || {
        (out_mice, out).zero()?;
        (out_mice, out).fill(value)
    })
}

/// Looks a key up in a read section.
#[inline(always)]
pub(in crate::ffi) fn read(
    cache: *mut phicache_cache,
    key: phicache_bytes,
    out: *mut phicache_bytes,
) -> Option<phicache_status> {
    let (out, key) = (try_out(out)?, ordinary(key)?);
    let cache = try_fast_cache(cache)?;
    try_fast_in_open(|guard| match cache.try_fast_look(guard, key) {
        Fast::Slow => None,
        Fast::Hit(value) => {
            out.write(lent(value));
            Some(PHICACHE_OK)
        }
        Fast::Miss => {
            out.write(phicache_bytes { data: std::ptr::null(), len: 0 });
            Some(PHICACHE_MISS)
        }
    })
}

/// Releases a value.
#[inline(always)]
pub(in crate::ffi) fn release(value: *mut phicache_value) -> Option<()> {
    output::try_fast_release(value)
}
