//! Handles: pointers to slots that are never returned to the allocator. A mark in each slot says what type of value is
//! in it.
//!
//! A slot stays readable forever. So a handle that was freed, or is of another type, is detected: it is INVALID_HANDLE,
//! until its slot is reused. Freeing a handle does not block, so that finalizers of other languages may do it on any
//! thread.

use std::alloc::{Layout, alloc};
use std::cell::UnsafeCell;
use std::hint::cold_path;
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicPtr, AtomicU64, Ordering};

use crate::epoch::without_fork;
use crate::error::{Error, Result};
use crate::sync::Mutex;

/// A type of value that is behind handles.
pub(in crate::ffi) trait Handle: Sized + 'static {
    /// The mark of slots with such a value.
    const MARK: u64;
    /// Its name in messages.
    const NAME: &'static str;
    /// The free slots of this type.
    fn slots() -> &'static Slots<Self>;
}

#[repr(C)]
pub(in crate::ffi) struct Slot<T> {
    /// The type's mark while the handle is valid, 0 after it was freed.
    mark: AtomicU64,
    value: UnsafeCell<Option<T>>,
    next: UnsafeCell<*mut Slot<T>>,
}

/// The free slots: those that were returned, and those of them that a thread that makes handles has moved to its list.
pub(in crate::ffi) struct Slots<T> {
    free: Mutex<FreeList<T>>,
    returned: AtomicPtr<Slot<T>>,
}

struct FreeList<T>(*mut Slot<T>);

// SAFETY: the list's slots are free, so no other thread reads them, and the mutex guards the list.
unsafe impl<T> Send for FreeList<T> {}

impl<T> Default for FreeList<T> {
    fn default() -> Self {
        FreeList(ptr::null_mut())
    }
}

impl<T> Slots<T> {
    pub(in crate::ffi) const fn new() -> Self {
        Slots { free: Mutex::new(FreeList(ptr::null_mut())), returned: AtomicPtr::new(ptr::null_mut()) }
    }

    fn take(&self) -> Option<NonNull<Slot<T>>> {
        without_fork(|| {
            let mut free = self.free.lock();
            if free.0.is_null() {
                free.0 = self.returned.swap(ptr::null_mut(), Ordering::Acquire);
            }
            let slot = NonNull::new(free.0)?;
            // SAFETY: slots are never freed, and those in the list belong to the thread that holds the lock.
            free.0 = unsafe { *slot.as_ref().next.get() };
            Some(slot)
        })
    }

    fn put_back(&self, slot: &Slot<T>) {
        let mut first = self.returned.load(Ordering::Relaxed);
        loop {
            // SAFETY: this thread freed the slot, so no other thread uses its link before it is in the list.
            unsafe { *slot.next.get() = first };
            // Slots leave this list only all at once, so there is no ABA problem.
            let slot = ptr::from_ref(slot).cast_mut();
            match self.returned.compare_exchange_weak(first, slot, Ordering::Release, Ordering::Relaxed) {
                Ok(_) => return,
                Err(now) => first = now,
            }
        }
    }
}

/// Makes a handle of a value. `O` is the incomplete type that C sees.
pub(in crate::ffi) fn create<T: Handle, O>(value: T) -> Result<*mut O> {
    let slot = match T::slots().take() {
        Some(slot) => slot,
        None => {
            let layout = Layout::new::<Slot<T>>();
            // SAFETY: the size of a slot is not 0.
            let slot = NonNull::new(unsafe { alloc(layout) }.cast::<Slot<T>>());
            let slot = slot.ok_or(Error::OutOfMemory(layout.size()))?;
            let empty =
                Slot { mark: AtomicU64::new(0), value: UnsafeCell::new(None), next: UnsafeCell::new(ptr::null_mut()) };
            // SAFETY: the memory was just allocated with the layout of a slot.
            unsafe { slot.write(empty) };
            slot
        }
    };
    // SAFETY: the slot is free, and only this thread uses it until the mark is set.
    unsafe {
        *slot.as_ref().value.get() = Some(value);
        slot.as_ref().mark.store(T::MARK, Ordering::Release);
    }
    Ok(slot.as_ptr().cast())
}

/// The value behind a handle; `name` is that of the parameter.
#[inline(always)]
pub(in crate::ffi) fn get<'h, T: Handle, O>(handle: *const O, name: &'static str) -> Result<&'h T> {
    let slot = slot::<T, O>(handle, name)?;
    // SAFETY: the mark says that a value is here; by the header's conventions no thread frees it meanwhile.
    unsafe { &*slot.value.get() }.as_ref().ok_or_else(|| invalid::<T>(name, 0))
}

/// The value behind a handle that only one thread may use at a time.
#[inline]
pub(in crate::ffi) fn get_mut<'h, T: Handle, O>(handle: *mut O, name: &'static str) -> Result<&'h mut T> {
    let slot = slot::<T, O>(handle, name)?;
    // SAFETY: as in `get`; by the header's conventions only one thread at a time uses this handle.
    unsafe { &mut *slot.value.get() }.as_mut().ok_or_else(|| invalid::<T>(name, 0))
}

/// Frees a handle, and returns its value; nothing for NULL.
pub(in crate::ffi) fn free<T: Handle, O>(handle: *mut O, name: &'static str) -> Result<Option<T>> {
    if handle.is_null() {
        return Ok(None);
    }
    let slot = slot::<T, O>(handle, name)?;
    if slot.mark.compare_exchange(T::MARK, 0, Ordering::AcqRel, Ordering::Relaxed).is_err() {
        return Err(invalid::<T>(name, 0));
    }
    // SAFETY: this thread has removed the mark, so no other thread uses the value.
    let value = unsafe { (*slot.value.get()).take() };
    T::slots().put_back(slot);
    Ok(value)
}

/// The value behind a handle, if it is valid.
#[inline(always)]
pub(in crate::ffi) fn try_fast_get<'h, T: Handle, O>(handle: *const O) -> Option<&'h T> {
    let slot = try_slot::<T, O>(handle)?;
    // SAFETY: as in `get`.
    unsafe { &*slot.value.get() }.as_ref()
}

/// The value behind a handle that only one thread may use at a time, if it is valid.
#[inline(always)]
pub(in crate::ffi) fn try_fast_get_mut<'h, T: Handle, O>(handle: *mut O) -> Option<&'h mut T> {
    let slot = try_slot::<T, O>(handle)?;
    // SAFETY: as in `get_mut`.
    unsafe { &mut *slot.value.get() }.as_mut()
}

#[inline(always)]
fn slot<'h, T: Handle, O>(handle: *const O, name: &'static str) -> Result<&'h Slot<T>> {
    try_slot::<T, O>(handle).ok_or_else(|| match mark(handle) {
        _ if handle.is_null() => null(name),
        mark => invalid::<T>(name, mark.unwrap_or(0)),
    })
}

#[inline(always)]
fn try_slot<'h, T: Handle, O>(handle: *const O) -> Option<&'h Slot<T>> {
    // SAFETY: the mark says which type of slot it is.
    (mark(handle)? == T::MARK).then(|| unsafe { &*handle.cast::<Slot<T>>() })
}

/// The mark of the slot behind a handle.
#[inline(always)]
fn mark<O>(handle: *const O) -> Option<u64> {
    let mark = handle.cast::<AtomicU64>();
    if mark.is_null() {
        cold_path();
        return None;
    }
    if !mark.is_aligned() {
        cold_path();
        return None;
    }
    // SAFETY: by the header's conventions a handle comes from this library. Slots are never freed, and begin with their
    // mark, whatever their type.
    Some(unsafe { &*mark }.load(Ordering::Acquire))
}

#[cold]
#[inline(never)]
pub(in crate::ffi) fn null(name: &'static str) -> Error {
    Error::invalid(format!("{name} must not be NULL"))
}

#[cold]
#[inline(never)]
fn invalid<T: Handle>(name: &'static str, mark: u64) -> Error {
    let reason = if mark == 0 { "it was freed" } else { "it is of another type, or not a handle" };
    Error::InvalidHandle(format!("{name} is not a valid {} handle: {reason}", T::NAME).into())
}

/// Declares a type of value behind handles: the type, its name in messages, and eight letters for its mark.
macro_rules! handle {
    ($type:ty, $name:literal, $mark:literal) => {
        impl $crate::ffi::border::handle::Handle for $type {
            const MARK: u64 = u64::from_le_bytes(*$mark);
            const NAME: &'static str = $name;
            fn slots() -> &'static $crate::ffi::border::handle::Slots<Self> {
                static SLOTS: $crate::ffi::border::handle::Slots<$type> = $crate::ffi::border::handle::Slots::new();
                &SLOTS
            }
        }
    };
}
pub(in crate::ffi) use handle;
