//! Handles: pointers to slots that are never returned to the allocator. A mark in each slot says what type of value is
//! in it, and which copy of the library has made it: a program and its plugins may each contain the archive. Copies
//! have different hash seeds and epochs, so one would find nothing in the caches of another, or free what it reads.
//!
//! A slot stays readable forever. So a handle that was freed, or is of another type, is detected: it is INVALID_HANDLE,
//! until its slot is reused, which is that of the handle that was freed first. All slots have the same size, so that a
//! freed one is of use to every type: it has room for a cache, of which programs make most, and for the address of a
//! larger one. Freeing a handle does not block, so that finalizers of other languages may do it on any thread.

use std::alloc::{Layout, alloc};
use std::cell::UnsafeCell;
use std::hint::cold_path;
use std::mem::MaybeUninit;
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicPtr, AtomicU64, AtomicUsize, Ordering};

use crate::epoch::without_fork;
use crate::error::{Error, Result};
use crate::ffi::border::pointer::is_valid;
use crate::sync::{Mutex, try_box};

/// A type of value that is behind handles.
pub(in crate::ffi) trait Handle: Sized + 'static {
    /// The mark of slots with such a value: an address in this copy of the library.
    fn mark() -> u64;
    /// Its name in messages.
    const NAME: &'static str;
}

/// The room for a value in a slot.
type Room = [*mut (); 3];

/// Whether a slot has room for a `T`. Otherwise it has the address of a box.
const fn fits<T>() -> bool {
    size_of::<T>() <= size_of::<Room>() && align_of::<T>() <= align_of::<Room>()
}

#[repr(C)]
struct Slot {
    /// The type's mark while the handle is valid, 0 after it was freed.
    mark: AtomicU64,
    /// Has a value, or the address of one, while the handle is valid.
    room: UnsafeCell<MaybeUninit<Room>>,
    next: UnsafeCell<*mut Slot>,
}

impl Slot {
    /// The place of its value.
    ///
    /// # Safety
    /// The slot has a value of this type.
    #[inline(always)]
    unsafe fn value<T>(&self) -> NonNull<T> {
        let room = self.room.get();
        // SAFETY: the caller's promise; the room has an address.
        unsafe { if fits::<T>() { NonNull::new_unchecked(room.cast()) } else { *room.cast::<NonNull<T>>() } }
    }

    /// Puts a value in.
    ///
    /// # Safety
    /// The slot is the caller's, and has no value.
    unsafe fn fill<T>(&self, value: T) -> Result<()> {
        let room = self.room.get();
        // SAFETY: the caller's promise; the room is large enough.
        unsafe {
            match fits::<T>() {
                true => room.cast::<T>().write(value),
                false => room.cast::<*mut T>().write(Box::into_raw(try_box(value)?)),
            }
        }
        Ok(())
    }

    /// Takes the value out.
    ///
    /// # Safety
    /// The slot is the caller's, and has a value of this type.
    unsafe fn empty<T>(&self) -> T {
        // SAFETY: the caller's promise; a larger value was boxed by `fill`.
        unsafe {
            let value = self.value::<T>();
            if fits::<T>() { value.read() } else { *Box::from_raw(value.as_ptr()) }
        }
    }
}

/// The free slots: those that were returned, and those of them that a thread that makes handles has moved to its list.
static FREE: Mutex<FreeList> = Mutex::new(FreeList(ptr::null_mut()));
static RETURNED: AtomicPtr<Slot> = AtomicPtr::new(ptr::null_mut());

/// The number of slots in [`RETURNED`]; it may lag behind, also below 0.
static WAITING: AtomicUsize = AtomicUsize::new(0);

/// Returned slots are used again once there are this many. So a handle that is used after it was freed is not at once
/// that of another cache, with other values.
const ENOUGH: usize = 64;

struct FreeList(*mut Slot);

// SAFETY: the list's slots are free, so no other thread reads them, and the mutex guards the list.
unsafe impl Send for FreeList {}

impl Default for FreeList {
    fn default() -> Self {
        FreeList(ptr::null_mut())
    }
}

/// A slot without a value, which is the caller's.
fn take() -> Result<NonNull<Slot>> {
    let free = without_fork(|| {
        let mut free = FREE.lock();
        if free.0.is_null() && WAITING.load(Ordering::Relaxed) >= ENOUGH {
            free.0 = oldest_first(RETURNED.swap(ptr::null_mut(), Ordering::Acquire));
        }
        let slot = NonNull::new(free.0)?;
        // SAFETY: slots are never freed, and those in the list belong to the thread that holds the lock.
        free.0 = unsafe { *slot.as_ref().next.get() };
        Some(slot)
    });
    match free {
        Some(slot) => Ok(slot),
        None => allocate(),
    }
}

/// Reverses a list of slots that the caller has taken, which no longer wait.
fn oldest_first(mut newest: *mut Slot) -> *mut Slot {
    let (mut reversed, mut count) = (ptr::null_mut(), 0);
    while let Some(slot) = NonNull::new(newest) {
        // SAFETY: slots are never freed, and these are the caller's.
        let next = unsafe { slot.as_ref().next.get() };
        // SAFETY: as above; nobody else uses the links.
        newest = unsafe { next.replace(reversed) };
        reversed = slot.as_ptr();
        count += 1;
    }
    WAITING.fetch_sub(count, Ordering::Relaxed);
    reversed
}

fn allocate() -> Result<NonNull<Slot>> {
    let layout = Layout::new::<Slot>();
    // SAFETY: the size of a slot is not 0.
    let slot = NonNull::new(unsafe { alloc(layout) }.cast::<Slot>()).ok_or(Error::OutOfMemory(layout.size()))?;
    let empty = Slot {
        mark: AtomicU64::new(0),
        room: UnsafeCell::new(MaybeUninit::uninit()),
        next: UnsafeCell::new(ptr::null_mut()),
    };
    // SAFETY: the memory was just allocated with the layout of a slot.
    unsafe { slot.write(empty) };
    Ok(slot)
}

/// Returns a slot without a value, which is the caller's.
fn put_back(slot: &Slot) {
    let mut first = RETURNED.load(Ordering::Relaxed);
    loop {
        // SAFETY: the slot is this thread's, so no other thread uses its link before it is in the list.
        unsafe { *slot.next.get() = first };
        // Slots leave this list only all at once, so there is no ABA problem.
        let slot = ptr::from_ref(slot).cast_mut();
        match RETURNED.compare_exchange_weak(first, slot, Ordering::Release, Ordering::Relaxed) {
            Ok(_) => {
                WAITING.fetch_add(1, Ordering::Relaxed);
                return;
            }
            Err(now) => first = now,
        }
    }
}

/// Makes a handle of a value. `O` is the incomplete type that C sees.
pub(in crate::ffi) fn create<T: Handle, O>(value: T) -> Result<*mut O> {
    let place = take()?;
    // SAFETY: slots are never freed.
    let slot = unsafe { place.as_ref() };
    // SAFETY: the slot is this thread's until the mark is set.
    if let Err(error) = unsafe { slot.fill(value) } {
        put_back(slot);
        return Err(error);
    }
    slot.mark.store(T::mark(), Ordering::Release);
    Ok(place.as_ptr().cast())
}

/// The value behind a handle; `name` is that of the parameter.
#[inline(always)]
pub(in crate::ffi) fn get<'h, T: Handle, O>(handle: *const O, name: &'static str) -> Result<&'h T> {
    let slot = slot::<T, O>(handle, name)?;
    // SAFETY: the mark says that a value is here; by the header's conventions no thread frees it meanwhile.
    Ok(unsafe { slot.value::<T>().as_ref() })
}

/// The value behind a handle that only one thread may use at a time.
#[inline]
pub(in crate::ffi) fn get_mut<'h, T: Handle, O>(handle: *mut O, name: &'static str) -> Result<&'h mut T> {
    let slot = slot::<T, O>(handle, name)?;
    // SAFETY: as in `get`; by the header's conventions only one thread at a time uses this handle.
    Ok(unsafe { slot.value::<T>().as_mut() })
}

/// Frees a handle, and returns its value; nothing for NULL.
pub(in crate::ffi) fn free<T: Handle, O>(handle: *mut O, name: &'static str) -> Result<Option<T>> {
    if handle.is_null() {
        return Ok(None);
    }
    let slot = slot::<T, O>(handle, name)?;
    if slot.mark.compare_exchange(T::mark(), 0, Ordering::AcqRel, Ordering::Relaxed).is_err() {
        return Err(invalid::<T>(name, Some(0)));
    }
    // SAFETY: this thread has removed the mark, so the slot is its own.
    let value = unsafe { slot.empty::<T>() };
    put_back(slot);
    Ok(Some(value))
}

/// The value behind a handle, if it is valid.
#[inline(always)]
pub(in crate::ffi) fn try_fast_get<'h, T: Handle, O>(handle: *const O) -> Option<&'h T> {
    let slot = try_slot::<T, O>(handle)?;
    // SAFETY: as in `get`.
    Some(unsafe { slot.value::<T>().as_ref() })
}

/// The value behind a handle that only one thread may use at a time, if it is valid.
#[inline(always)]
pub(in crate::ffi) fn try_fast_get_mut<'h, T: Handle, O>(handle: *mut O) -> Option<&'h mut T> {
    let slot = try_slot::<T, O>(handle)?;
    // SAFETY: as in `get_mut`.
    Some(unsafe { slot.value::<T>().as_mut() })
}

#[inline(always)]
fn slot<'h, T: Handle, O>(handle: *const O, name: &'static str) -> Result<&'h Slot> {
    try_slot::<T, O>(handle).ok_or_else(|| match mark(handle) {
        _ if handle.is_null() => no_handle(name),
        mark => invalid::<T>(name, mark),
    })
}

#[inline(always)]
fn try_slot<'h, T: Handle, O>(handle: *const O) -> Option<&'h Slot> {
    // SAFETY: only slots have such marks.
    (mark(handle)? == T::mark()).then(|| unsafe { &*handle.cast::<Slot>() })
}

/// The mark of the slot behind a handle; none if the address cannot be that of a slot.
#[inline(always)]
fn mark<O>(handle: *const O) -> Option<u64> {
    let mark = handle.cast::<AtomicU64>();
    if !is_valid(mark) {
        cold_path();
        return None;
    }
    // SAFETY: by the header's conventions a handle comes from this library. Slots are never freed, and begin with their
    // mark.
    Some(unsafe { &*mark }.load(Ordering::Acquire))
}

#[cold]
#[inline(never)]
pub(in crate::ffi) fn null(name: &'static str) -> Error {
    Error::invalid(format!("{name} must not be NULL"))
}

#[cold]
#[inline(never)]
pub(in crate::ffi) fn no_handle(name: &'static str) -> Error {
    Error::invalid(format!(
        "{name} must not be NULL (in C++: the {name} was moved from, or it is static, and not made yet or destroyed)"
    ))
}

#[cold]
#[inline(never)]
fn invalid<T: Handle>(name: &'static str, mark: Option<u64>) -> Error {
    let reason = match mark {
        None => "its address is not that of a handle; this pointer did not come from the library",
        Some(0) => "it was freed",
        Some(_) => {
            "it is of another type, or not a handle, or of another copy of the library in this process: link the \
             program and its plugins with the shared library"
        }
    };
    Error::InvalidHandle(format!("{name} is not a valid {} handle: {reason}", T::NAME).into())
}

/// Declares a type of value behind handles: the type, its name in messages, and eight letters that are at the address
/// which is its mark.
macro_rules! handle {
    ($type:ty, $name:literal, $mark:literal) => {
        impl $crate::ffi::border::handle::Handle for $type {
            const NAME: &'static str = $name;

            #[inline(always)]
            fn mark() -> u64 {
                static MARK: [u8; 8] = *$mark;
                (&raw const MARK).addr() as u64
            }
        }
    };
}
pub(in crate::ffi) use handle;
