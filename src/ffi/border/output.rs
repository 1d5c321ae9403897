//! Values on the way out. Every output is zero before anything else happens, so that it is zero on an error.

use std::ffi::{c_char, c_void};
use std::hint::cold_path;
use std::mem::MaybeUninit;
use std::ptr::{self, NonNull};

use crate::cache::{Info, Origin, Refusal, Stats, Stored, Value};
use crate::error::{Error, Result};
use crate::ffi::border::handle::null;
use crate::ffi::border::input::{array_mut, struct_size};
use crate::ffi::border::types::*;
use crate::iit::Mice;
use crate::redis::Health;
use crate::table::Pinned;

/// An output, checked and zeroed.
#[inline(always)]
pub(in crate::ffi) fn out<'a, T>(out: *mut T, name: &'static str) -> Result<&'a mut T> {
    let target = try_out(out).ok_or_else(|| not_an_output(name, out.is_null(), align_of::<T>()))?;
    // SAFETY: all outputs are plain C data, for which zero is a value.
    unsafe {
        target.as_mut_ptr().write_bytes(0, 1);
        Ok(target.assume_init_mut())
    }
}

/// An output that nothing was written to yet, if the pointer can be one.
#[inline(always)]
pub(in crate::ffi) fn try_out<'a, T>(out: *mut T) -> Option<&'a mut MaybeUninit<T>> {
    if out.is_null() {
        cold_path();
        return None;
    }
    if !out.is_aligned() {
        cold_path();
        return None;
    }
    // SAFETY: neither NULL nor askew; that it points to an output is the header's convention.
    Some(unsafe { &mut *out.cast() })
}

/// Many outputs, checked and zeroed.
pub(in crate::ffi) fn outs<'a, T>(out: *mut T, count: usize, name: &'static str) -> Result<&'a mut [T]> {
    let outs = array_mut(out, count, name)?;
    // SAFETY: all outputs are plain C data, for which zero is a value.
    unsafe { outs.as_mut_ptr().write_bytes(0, outs.len()) };
    Ok(outs)
}

#[cold]
#[inline(never)]
fn not_an_output(name: &'static str, is_null: bool, align: usize) -> Error {
    if is_null { null(name) } else { Error::invalid(format!("{name} is not aligned to {align} bytes")) }
}

/// An output that may be NULL.
#[inline]
pub(in crate::ffi) fn optional<'a, T>(pointer: *mut T, name: &'static str) -> Result<Option<&'a mut T>> {
    if pointer.is_null() { Ok(None) } else { out(pointer, name).map(Some) }
}

/// An output struct that may grow: all but its size is zeroed, and `fill` writes as much as the caller knows.
pub(in crate::ffi) struct Growing<T> {
    pointer: *mut T,
    size: usize,
}

pub(in crate::ffi) fn growing<T: Copy>(pointer: *mut T, name: &'static str) -> Result<Growing<T>> {
    if pointer.is_null() {
        return Err(null(name));
    }
    let size = struct_size(pointer, 2 * size_of::<usize>(), name)?;
    // SAFETY: the caller says that its struct has `size` bytes; the first field stays.
    unsafe { pointer.cast::<u8>().add(size_of::<usize>()).write_bytes(0, size - size_of::<usize>()) };
    Ok(Growing { pointer, size })
}

impl<T: Copy> Growing<T> {
    pub(in crate::ffi) fn fill(self, value: T) {
        let skip = size_of::<usize>();
        let len = self.size.min(size_of::<T>()) - skip;
        // SAFETY: no more is written than both structs have, and the size itself stays the caller's.
        unsafe {
            let from = ptr::from_ref(&value).cast::<u8>().add(skip);
            self.pointer.cast::<u8>().add(skip).copy_from_nonoverlapping(from, len);
        }
    }
}

/// An array of output structs that may grow: the first one says how far apart they are.
pub(in crate::ffi) struct GrowingItems<T> {
    first: *mut T,
    capacity: usize,
    stride: usize,
}

pub(in crate::ffi) fn growing_items<T: Copy>(
    first: *mut T,
    capacity: usize,
    name: &'static str,
) -> Result<GrowingItems<T>> {
    if first.is_null() && capacity > 0 {
        return Err(null(name));
    }
    let stride = if capacity == 0 { 0 } else { struct_size(first, size_of::<T>(), name)? };
    Ok(GrowingItems { first, capacity, stride })
}

impl<T: Copy> GrowingItems<T> {
    pub(in crate::ffi) fn capacity(&self) -> usize {
        self.capacity
    }

    /// Fills one item, and sets its size.
    pub(in crate::ffi) fn fill(&self, at: usize, value: T) {
        assert!(at < self.capacity, "item {at} of {}", self.capacity);
        let item = self.first.cast::<u8>().wrapping_add(at * self.stride).cast::<T>();
        // SAFETY: by the header's conventions there is room for `capacity` items of this size.
        unsafe {
            item.cast::<usize>().write(self.stride);
            let rest = item.cast::<u8>().add(size_of::<usize>());
            rest.write_bytes(0, self.stride - size_of::<usize>());
        }
        Growing { pointer: item, size: self.stride }.fill(value);
    }
}

/// Where a function hands a value out.
pub(in crate::ffi) trait ValueOutputs: Copy {
    /// Checks all outputs and zeroes them; also those beside one that is NULL.
    fn zero(self) -> Result<()>;

    /// Hands a value out, pinned.
    fn fill(self, value: Value) -> Result<phicache_status>;

    /// Hands out what a lookup has found.
    #[inline(always)]
    fn found(self, value: Option<Value>) -> Result<phicache_status> {
        value.map_or(Ok(PHICACHE_MISS), |value| self.fill(value))
    }
}

/// The value.
impl ValueOutputs for *mut phicache_value {
    #[inline(always)]
    fn zero(self) -> Result<()> {
        out(self, "out").map(drop)
    }

    #[inline(always)]
    fn fill(self, value: Value) -> Result<phicache_status> {
        out(self, "out")?.fill(value);
        Ok(PHICACHE_OK)
    }
}

/// A MICE, and the record that it points into.
impl ValueOutputs for (*mut phicache_mice, *mut phicache_value) {
    fn zero(self) -> Result<()> {
        let outs = (growing(self.0, "out_mice"), out(self.1, "out"));
        outs.0.and(outs.1).map(drop)
    }

    fn fill(self, value: Value) -> Result<phicache_status> {
        growing(self.0, "out_mice")?.fill(Mice::read(value.entry.value())?.into());
        self.1.fill(value)
    }
}

/// A list of purviews, its length, and the value that it points into.
impl ValueOutputs for (*mut *const u64, *mut usize, *mut phicache_value) {
    fn zero(self) -> Result<()> {
        let outs = (out(self.0, "out_purviews"), out(self.1, "out_count"), out(self.2, "out"));
        outs.0.and(outs.1).and(outs.2).map(drop)
    }

    fn fill(self, value: Value) -> Result<phicache_status> {
        let (purviews, count, out) = (out(self.0, "out_purviews")?, out(self.1, "out_count")?, out(self.2, "out")?);
        out.fill(value);
        *purviews = out.data.cast();
        *count = out.len / size_of::<u64>();
        Ok(PHICACHE_OK)
    }
}

/// Releases a value, and zeroes the struct; nothing for NULL.
pub(in crate::ffi) fn release(value: *mut phicache_value) {
    if let Some(value) = try_out(value) {
        // SAFETY: that it is a value, or zero, is the header's convention.
        unsafe { value.assume_init_mut() }.release();
    }
}

/// As [`release`], where the pin is of the usual kind.
#[inline(always)]
pub(in crate::ffi) fn try_fast_release(value: *mut phicache_value) -> Option<()> {
    // SAFETY: as in `release`.
    unsafe { try_out(value)?.assume_init_mut() }.try_fast_release().then_some(())
}

/// Lends bytes to C.
#[inline(always)]
pub(in crate::ffi) fn lent(bytes: &[u8]) -> phicache_bytes {
    phicache_bytes { data: bytes.as_ptr(), len: bytes.len() }
}

impl From<Value> for phicache_value {
    /// Hands a value out, pinned.
    #[inline(always)]
    fn from(value: Value) -> Self {
        let (bytes, origin) = (value.entry.value(), origin(value.origin));
        phicache_value { data: bytes.as_ptr(), len: bytes.len(), pin: value.entry.into_raw(), origin, reserved: 0 }
    }
}

impl phicache_value {
    /// No value.
    pub(in crate::ffi) const ZERO: Self =
        phicache_value { data: ptr::null(), len: 0, pin: ptr::null_mut(), origin: 0, reserved: 0 };

    /// Hands a value out, pinned.
    #[inline(always)]
    pub(in crate::ffi) fn fill(&mut self, value: Value) {
        *self = value.into();
    }

    #[inline(always)]
    fn try_fast_release(&mut self) -> bool {
        let Some(pin) = NonNull::new(self.pin) else { return false };
        // SAFETY: the pin came from `from`; that only one copy of the struct is released is the header's convention.
        let released = unsafe { Pinned::try_fast_drop_raw(pin) };
        if released {
            *self = Self::ZERO;
        }
        released
    }

    fn release(&mut self) {
        if let Some(pin) = NonNull::new(std::mem::replace(&mut self.pin, ptr::null_mut::<c_void>())) {
            // SAFETY: the pin came from `from`; that only one copy of the struct is released is the header's convention.
            unsafe { Pinned::drop_raw(pin) };
        }
        *self = Self::ZERO;
    }
}

#[inline(always)]
fn origin(origin: Origin) -> u32 {
    match origin {
        Origin::Hit => PHICACHE_ORIGIN_HIT,
        Origin::Computed => PHICACHE_ORIGIN_COMPUTED,
        Origin::Waited => PHICACHE_ORIGIN_WAITED,
        Origin::Parent => PHICACHE_ORIGIN_PARENT,
        Origin::NotStored(None) => PHICACHE_ORIGIN_NOT_STORED,
        Origin::NotStored(Some(reason)) => PHICACHE_ORIGIN_NOT_STORED + refusal(reason) as u32,
    }
}

/// The status of a refusal.
#[inline]
pub(in crate::ffi) fn refusal(reason: Refusal) -> phicache_status {
    match reason {
        Refusal::Cut => PHICACHE_REFUSED_CUT,
        Refusal::Phi => PHICACHE_REFUSED_PHI,
        Refusal::Memory => PHICACHE_REFUSED_MEMORY,
        Refusal::Disabled => PHICACHE_REFUSED_DISABLED,
        Refusal::Capacity => PHICACHE_REFUSED_CAPACITY,
        Refusal::Cleared => PHICACHE_REFUSED_CLEARED,
        Refusal::Server => PHICACHE_REFUSED_SERVER,
    }
}

/// The status of a store.
pub(in crate::ffi) fn stored(stored: Stored) -> phicache_status {
    stored.map_or_else(refusal, |()| PHICACHE_OK)
}

/// The status of a question whether something was found.
pub(in crate::ffi) fn found(found: bool) -> phicache_status {
    if found { PHICACHE_OK } else { PHICACHE_MISS }
}

impl From<Info> for phicache_info {
    fn from(info: Info) -> Self {
        phicache_info { hits: info.hits, misses: info.misses, size: info.size }
    }
}

impl From<Stats> for phicache_stats {
    fn from(stats: Stats) -> Self {
        let refused = |reason: Refusal| stats.refused[reason as usize];
        phicache_stats {
            struct_size: size_of::<Self>(),
            hits: stats.info.hits,
            misses: stats.info.misses,
            size: stats.info.size,
            bytes: stats.bytes,
            stores: stats.stores,
            refused_cut: refused(Refusal::Cut),
            refused_phi: refused(Refusal::Phi),
            refused_memory: refused(Refusal::Memory),
            refused_disabled: refused(Refusal::Disabled),
            refused_capacity: refused(Refusal::Capacity),
            refused_cleared: refused(Refusal::Cleared),
            waits: stats.waits,
            errors: stats.errors,
            compute_ns: stats.compute_ns,
            saved_ns: stats.saved_ns,
            refused_server: refused(Refusal::Server),
            damaged: stats.damaged,
        }
    }
}

impl From<Health> for phicache_redis_health {
    fn from(health: Health) -> Self {
        let mut last_error = [0; 256];
        let text = health.last_error.as_deref().unwrap_or_default();
        // Cut where a letter ends, with room for the NUL.
        let whole = text.floor_char_boundary(last_error.len() - 1);
        last_error.iter_mut().zip(text[..whole].bytes()).for_each(|(to, byte)| *to = byte as c_char);
        phicache_redis_health {
            struct_size: size_of::<Self>(),
            failures: health.failures,
            refusals: health.refusals,
            skipped: health.skipped,
            connections: health.connections,
            reconnects: health.reconnects,
            skipping_ms: health.skipping.map_or(0, |time| time.as_millis().max(1) as u64),
            last_error,
        }
    }
}

impl phicache_mice {
    /// No MICE, in a struct of this version.
    pub(in crate::ffi) const ZERO: Self = phicache_mice {
        struct_size: size_of::<Self>(),
        direction: 0,
        reserved: 0,
        mechanism: 0,
        purview: 0,
        phi: 0.0,
        payload: phicache_bytes { data: ptr::null(), len: 0 },
    };
}

impl From<Mice<'_>> for phicache_mice {
    #[inline(always)]
    fn from(mice: Mice<'_>) -> Self {
        phicache_mice {
            struct_size: size_of::<Self>(),
            direction: mice.direction as i32,
            reserved: 0,
            mechanism: mice.mechanism.0,
            purview: mice.purview.0,
            phi: mice.phi,
            payload: lent(mice.payload),
        }
    }
}

/// The length of what was written, or of what a buffer would need.
pub(in crate::ffi) fn length(written: Result<usize>, out_len: &mut usize) -> Result<phicache_status> {
    if let Ok(len) | Err(Error::BufferTooSmall { needed: len, .. }) = &written {
        *out_len = *len;
    }
    written.map(|_| PHICACHE_OK)
}
