//! Output parameters. Every output is zeroed before anything else happens, so that it is zero on an error.

use std::ffi::c_void;
use std::hint::cold_path;
use std::mem::MaybeUninit;
use std::ptr::{self, NonNull};

use crate::cache::Value;
use crate::error::{Error, Result};
use crate::ffi::border::handle::null;
use crate::ffi::border::input::{array_mut, struct_size};
use crate::ffi::border::pointer::is_valid;
use crate::ffi::border::translate::origin;
use crate::ffi::border::types::*;
use crate::iit::Mice;
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
    if !is_valid(out) {
        cold_path();
        return None;
    }
    // SAFETY: neither NULL nor misaligned; by the header's conventions it points to an output.
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

/// An output struct that may grow: all but its size is zeroed, and `fill` writes the fields that the caller knows.
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
    // `sizeof items` in place of `sizeof items[0]`: the items would be written beyond the end of the array.
    let (items, rest) = (stride / size_of::<T>(), stride % size_of::<T>());
    if rest == 0 && items >= capacity.max(2) {
        return Err(Error::invalid(format!(
            "{name}->struct_size is {stride}, the size of {items} structs; set it to that of one, {}",
            size_of::<T>()
        )));
    }
    Ok(GrowingItems { first, capacity, stride })
}

impl<T: Copy> GrowingItems<T> {
    /// Fills an item for each value, and sets its size. Fails if there are more values than items; in any case it tells
    /// how many there are.
    pub(in crate::ffi) fn fill(
        self,
        values: impl ExactSizeIterator<Item = T>,
        out_count: &mut usize,
    ) -> Result<phicache_status> {
        let GrowingItems { first, capacity, stride } = self;
        *out_count = values.len();
        if values.len() > capacity {
            return Err(Error::BufferTooSmall { needed: values.len(), capacity });
        }
        for (at, value) in values.enumerate().take(capacity) {
            // SAFETY: by the header's conventions there is room for `capacity` items of this size.
            let item = unsafe {
                let item = first.byte_add(at * stride);
                item.cast::<usize>().write_unaligned(stride);
                item.cast::<u8>().add(size_of::<usize>()).write_bytes(0, stride - size_of::<usize>());
                item
            };
            Growing { pointer: item, size: stride }.fill(value);
        }
        Ok(PHICACHE_OK)
    }
}

/// The outputs of a function that returns a value.
pub(in crate::ffi) trait ValueOutputs: Copy {
    /// Checks and zeroes all outputs. If one is NULL, the others are zeroed too.
    fn zero(self) -> Result<()>;

    /// Returns a value to C, pinned.
    fn fill(self, value: Value) -> Result<phicache_status>;

    /// Returns what a lookup found.
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
        try_out(self).ok_or_else(|| null("out"))?.write(value.into());
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
        // SAFETY: by the header's conventions it is a value, or zero.
        unsafe { value.assume_init_mut() }.release();
    }
}

/// As [`release`], if the pin is in a hazard slot.
#[inline(always)]
pub(in crate::ffi) fn try_fast_release(value: *mut phicache_value) -> Option<()> {
    // SAFETY: as in `release`.
    unsafe { try_out(value)?.assume_init_mut() }.try_fast_release().then_some(())
}

impl From<Value> for phicache_value {
    /// Returns a value to C, pinned.
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

    /// Lends C a value that stays pinned by its owner: releasing it does nothing.
    pub(in crate::ffi) fn lent(value: &Value) -> Self {
        let bytes = value.entry.value();
        phicache_value { data: bytes.as_ptr(), len: bytes.len(), origin: origin(value.origin), ..Self::ZERO }
    }

    /// Returns a value to C, pinned.
    #[inline(always)]
    pub(in crate::ffi) fn fill(&mut self, value: Value) {
        *self = value.into();
    }

    #[inline(always)]
    fn try_fast_release(&mut self) -> bool {
        let Some(pin) = NonNull::new(self.pin) else {
            cold_path();
            return false;
        };
        // SAFETY: the pin came from `from`; by the header's conventions only one copy of the struct is released.
        let released = unsafe { Pinned::try_fast_drop_raw(pin) };
        if released {
            *self = Self::ZERO;
        }
        released
    }

    pub(in crate::ffi) fn release(&mut self) {
        if let Some(pin) = NonNull::new(std::mem::replace(&mut self.pin, ptr::null_mut::<c_void>())) {
            // SAFETY: the pin came from `from`; by the header's conventions only one copy of the struct is released.
            unsafe { Pinned::drop_raw(pin) };
        }
        *self = Self::ZERO;
    }
}

/// Writes the length of the result, or the length that the buffer would need.
pub(in crate::ffi) fn length(written: Result<usize>, out_len: &mut usize) -> Result<phicache_status> {
    if let Ok(len) | Err(Error::BufferTooSmall { needed: len, .. }) = &written {
        *out_len = *len;
    }
    written.map(|_| PHICACHE_OK)
}
