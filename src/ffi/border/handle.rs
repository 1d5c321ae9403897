//! Handles: pointers to slots that are never returned to the allocator, each with a mark that says what lives in it.
//!
//! Because a slot stays readable for ever, a handle that was freed, or one of another type, is told from a live one: it
//! answers INVALID_HANDLE, until its slot is used again. Giving a slot back never waits, so that finalizers of other
//! languages may free handles from anywhere.

use std::alloc::{Layout, alloc};
use std::cell::UnsafeCell;
use std::hint::cold_path;
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicPtr, AtomicU64, Ordering};

use crate::epoch::without_fork;
use crate::error::{Error, Result};
use crate::sync::Mutex;

/// What may stand behind a handle.
pub(in crate::ffi) trait Handle: Sized + 'static {
    /// What the slots of this type are marked with.
    const MARK: u64;
    /// What messages call it.
    const NAME: &'static str;
    /// The slots of this type that are free.
    fn slots() -> &'static Slots<Self>;
}

#[repr(C)]
pub(in crate::ffi) struct Slot<T> {
    /// The type's mark while the handle is live, 0 when it was freed.
    mark: AtomicU64,
    value: UnsafeCell<Option<T>>,
    next: UnsafeCell<*mut Slot<T>>,
}

/// The free slots: those that were given back, and those of them that whoever makes handles has taken over.
pub(in crate::ffi) struct Slots<T> {
    free: Mutex<FreeList<T>>,
    returned: AtomicPtr<Slot<T>>,
}

struct FreeList<T>(*mut Slot<T>);

// SAFETY: the list's slots are free, so nobody else looks at them, and the mutex guards the list.
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
            // SAFETY: slots in the list are alive, as all slots are, and belong to whoever holds the lock.
            free.0 = unsafe { *slot.as_ref().next.get() };
            Some(slot)
        })
    }

    fn give_back(&self, slot: &Slot<T>) {
        let mut first = self.returned.load(Ordering::Relaxed);
        loop {
            // SAFETY: the slot was freed by this thread, so nobody else uses its link before it is in the list.
            unsafe { *slot.next.get() = first };
            // Slots leave this list only all at once, so it does not matter what stands behind the first by now.
            let slot = ptr::from_ref(slot).cast_mut();
            match self.returned.compare_exchange_weak(first, slot, Ordering::Release, Ordering::Relaxed) {
                Ok(_) => return,
                Err(now) => first = now,
            }
        }
    }
}

/// Puts a value behind a new handle. `O` is the incomplete type that C sees.
pub(in crate::ffi) fn create<T: Handle, O>(value: T) -> Result<*mut O> {
    let slot = match T::slots().take() {
        Some(slot) => slot,
        None => {
            let layout = Layout::new::<Slot<T>>();
            // SAFETY: a slot is not empty.
            let slot = NonNull::new(unsafe { alloc(layout) }.cast::<Slot<T>>());
            let slot = slot.ok_or(Error::OutOfMemory(layout.size()))?;
            let empty =
                Slot { mark: AtomicU64::new(0), value: UnsafeCell::new(None), next: UnsafeCell::new(ptr::null_mut()) };
            // SAFETY: the memory is ours, aligned and large enough.
            unsafe { slot.write(empty) };
            slot
        }
    };
    // SAFETY: the slot is free and this thread's alone until the mark is set.
    unsafe {
        *slot.as_ref().value.get() = Some(value);
        slot.as_ref().mark.store(T::MARK, Ordering::Release);
    }
    Ok(slot.as_ptr().cast())
}

/// The value behind a handle; `name` is the parameter's.
#[inline(always)]
pub(in crate::ffi) fn get<'h, T: Handle, O>(handle: *const O, name: &'static str) -> Result<&'h T> {
    let slot = slot::<T, O>(handle, name)?;
    // SAFETY: the mark says that a value lives here; that nobody frees it meanwhile is the header's convention.
    unsafe { &*slot.value.get() }.as_ref().ok_or_else(|| invalid::<T>(name, 0))
}

/// The value behind a handle that only one thread may use at a time.
#[inline]
pub(in crate::ffi) fn get_mut<'h, T: Handle, O>(handle: *mut O, name: &'static str) -> Result<&'h mut T> {
    let slot = slot::<T, O>(handle, name)?;
    // SAFETY: as in `get`; that only one thread uses it at a time is the header's convention for this handle.
    unsafe { &mut *slot.value.get() }.as_mut().ok_or_else(|| invalid::<T>(name, 0))
}

/// Takes the value from behind a handle, which is freed; nothing for NULL.
pub(in crate::ffi) fn free<T: Handle, O>(handle: *mut O, name: &'static str) -> Result<Option<T>> {
    if handle.is_null() {
        return Ok(None);
    }
    let slot = slot::<T, O>(handle, name)?;
    if slot.mark.compare_exchange(T::MARK, 0, Ordering::AcqRel, Ordering::Relaxed).is_err() {
        return Err(invalid::<T>(name, 0));
    }
    // SAFETY: this thread has taken the mark away, so the value is its own.
    let value = unsafe { (*slot.value.get()).take() };
    T::slots().give_back(slot);
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

/// What is marked on the slot behind what seems to be a handle.
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
    // SAFETY: by the header's conventions a handle comes from this library, and slots stay for ever; all slots begin
    // with their mark, whatever their type.
    Some(unsafe { &*mark }.load(Ordering::Acquire))
}

#[cold]
#[inline(never)]
pub(in crate::ffi) fn null(name: &'static str) -> Error {
    Error::invalid(format!("{name} is NULL"))
}

#[cold]
#[inline(never)]
fn invalid<T: Handle>(name: &'static str, mark: u64) -> Error {
    let found = if mark == 0 { "it was freed" } else { "it is another handle, or none" };
    Error::InvalidHandle(format!("{name} is no live {}: {found}", T::NAME).into())
}

/// Declares what stands behind a handle: the type, its name in messages, and eight letters for its mark.
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
