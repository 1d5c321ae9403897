//! A reference-counted pointer, like `Arc` without weak references, whose allocation reports failure.
//!
//! `Arc::new` aborts the process when memory runs out. A library inside a job that has run for days returns a status
//! instead.

use std::alloc::{Layout, alloc, dealloc};
use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::ops::Deref;
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering, fence};

use crate::error::{Error, Result};

/// The value comes first: values that begin with what all threads read do not share that cache line with the count.
#[repr(C)]
struct Counted<T> {
    value: T,
    owners: AtomicUsize,
}

/// Shared ownership of a `T`.
///
/// Invariant: `counted` points to a live `Counted<T>` whose `owners` counts the `TryArc`s that point to it.
pub struct TryArc<T> {
    counted: NonNull<Counted<T>>,
}

// SAFETY: as for Arc: owners on several threads share `&T`, and the last one drops the T.
unsafe impl<T: Send + Sync> Send for TryArc<T> {}
// SAFETY: as above.
unsafe impl<T: Send + Sync> Sync for TryArc<T> {}

impl<T> TryArc<T> {
    /// Moves `value` to the heap; [`Error::OutOfMemory`] if there is no memory.
    pub fn try_new(value: T) -> Result<Self> {
        let layout = Layout::new::<Counted<T>>();
        // SAFETY: it holds a counter, so its layout is not empty.
        let counted = unsafe { alloc(layout) }.cast::<Counted<T>>();
        let counted = NonNull::new(counted).ok_or(Error::OutOfMemory(layout.size()))?;
        // SAFETY: the memory is ours, aligned and large enough.
        unsafe { counted.write(Counted { owners: AtomicUsize::new(1), value }) };
        Ok(TryArc { counted })
    }

    /// Whether both point to the same value.
    pub fn is_same(&self, other: &Self) -> bool {
        self.counted == other.counted
    }

    /// The number of owners now. Others may change it at any time, unless the caller knows all of them.
    pub fn owners(&self) -> usize {
        // Pairs with the Release of owners that are gone: their accesses to the value came before.
        self.counted().owners.load(Ordering::Acquire)
    }

    /// The value, if there is no other owner, to change it.
    pub fn get_mut(&mut self) -> Option<&mut T> {
        match self.owners() {
            // SAFETY: the only owner is borrowed mutably, so nothing else points to the value.
            1 => Some(unsafe { &mut self.counted.as_mut().value }),
            _ => None,
        }
    }

    /// The value, if there is no other owner.
    pub fn into_inner(self) -> Option<T> {
        let shared = ManuallyDrop::new(self);
        if shared.counted().owners.fetch_sub(1, Ordering::Release) != 1 {
            return None;
        }
        // Pairs with the Release of the other owners: their accesses to the value happen before it moves.
        fence(Ordering::Acquire);
        // SAFETY: we were the last owner, so nothing else points to it; its value is moved out once.
        unsafe {
            let value = ptr::read(&shared.counted.as_ref().value);
            dealloc(shared.counted.as_ptr().cast(), Layout::new::<Counted<T>>());
            Some(value)
        }
    }

    fn counted(&self) -> &Counted<T> {
        // SAFETY: the invariant: our own count keeps it alive.
        unsafe { self.counted.as_ref() }
    }
}

impl<T> Clone for TryArc<T> {
    fn clone(&self) -> Self {
        // Relaxed suffices: the new owner is made from one that exists. The count cannot overflow: each owner takes
        // eight bytes of an address space that is smaller than the counter.
        self.counted().owners.fetch_add(1, Ordering::Relaxed);
        TryArc { counted: self.counted }
    }
}

impl<T> Deref for TryArc<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.counted().value
    }
}

impl<T> TryArc<T> {
    /// Drops the value, whose last owner this was.
    #[cold]
    #[inline(never)]
    fn free(&mut self) {
        // Pairs with the Release of the other owners: their accesses to the value happen before it is dropped.
        fence(Ordering::Acquire);
        // SAFETY: we were the last owner, so nothing else points to it.
        unsafe {
            self.counted.as_ptr().drop_in_place();
            dealloc(self.counted.as_ptr().cast(), Layout::new::<Counted<T>>());
        }
    }
}

impl<T> Drop for TryArc<T> {
    #[inline(always)]
    fn drop(&mut self) {
        if self.counted().owners.fetch_sub(1, Ordering::Release) == 1 {
            self.free();
        }
    }
}

/// A cell that is set once to a [`TryArc`].
///
/// No thread waits for another that sets it: two threads that try at the same time both make a value, and one of these
/// is kept. So a fork in the middle leaves nothing behind that the child would wait for.
pub struct OnceTryArc<T> {
    /// Null, or a value with this cell among its owners.
    counted: AtomicPtr<Counted<T>>,
}

// SAFETY: as for TryArc, of which the cell holds one.
unsafe impl<T: Send + Sync> Send for OnceTryArc<T> {}
// SAFETY: as above.
unsafe impl<T: Send + Sync> Sync for OnceTryArc<T> {}

impl<T> OnceTryArc<T> {
    /// An empty cell.
    pub const fn new() -> Self {
        OnceTryArc { counted: AtomicPtr::new(ptr::null_mut()) }
    }

    /// The value, if it is set.
    #[inline]
    pub fn get(&self) -> Option<&T> {
        let counted = NonNull::new(self.counted.load(Ordering::Acquire))?;
        // SAFETY: the cell is an owner for as long as it lives.
        Some(&unsafe { counted.as_ref() }.value)
    }

    /// The pointer, if it is set: to clone it.
    #[inline]
    pub fn get_arc(&self) -> Option<ArcRef<'_, T>> {
        let counted = NonNull::new(self.counted.load(Ordering::Acquire))?;
        Some(ArcRef { shared: ManuallyDrop::new(TryArc { counted }), _cell: PhantomData })
    }

    /// The value; `make` makes it if it is not set.
    #[inline]
    pub fn get_or_try_init(&self, make: impl FnOnce() -> Result<TryArc<T>>) -> Result<&T> {
        match self.get() {
            Some(value) => Ok(value),
            None => self.fill(make()?),
        }
    }

    #[cold]
    fn fill(&self, value: TryArc<T>) -> Result<&T> {
        let counted = value.counted.as_ptr();
        let filled = self.counted.compare_exchange(ptr::null_mut(), counted, Ordering::AcqRel, Ordering::Acquire);
        if filled.is_ok() {
            // Its count belongs to the cell now.
            std::mem::forget(value);
        }
        self.get().ok_or(Error::OutOfMemory(0))
    }
}

/// A borrow of the [`TryArc`] in a [`OnceTryArc`]. Dropping it drops no owner.
pub struct ArcRef<'c, T> {
    shared: ManuallyDrop<TryArc<T>>,
    _cell: PhantomData<&'c OnceTryArc<T>>,
}

impl<T> Deref for ArcRef<'_, T> {
    type Target = TryArc<T>;
    fn deref(&self) -> &TryArc<T> {
        &self.shared
    }
}

impl<T> Default for OnceTryArc<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> Drop for OnceTryArc<T> {
    fn drop(&mut self) {
        if let Some(counted) = NonNull::new(*self.counted.get_mut()) {
            drop(TryArc { counted });
        }
    }
}

/// Boxes a value; does not abort when memory runs out.
pub(crate) fn try_box<T>(value: T) -> Result<Box<T>> {
    let layout = Layout::new::<T>();
    if layout.size() == 0 {
        return Ok(Box::new(value)); // allocates nothing
    }
    // SAFETY: the size is not 0.
    let place = unsafe { alloc(layout) }.cast::<T>();
    if place.is_null() {
        return Err(Error::OutOfMemory(layout.size()));
    }
    // SAFETY: the memory is ours, aligned and large enough, and a Box frees it with this layout.
    unsafe {
        place.write(value);
        Ok(Box::from_raw(place))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_owner_drops_the_value() {
        let inner = TryArc::try_new(7).unwrap();
        let outer = TryArc::try_new(inner.clone()).unwrap();
        let other = outer.clone();
        drop(outer);
        assert_eq!(**other, 7);
        assert_eq!(inner.counted().owners.load(Ordering::Relaxed), 2);
        drop(other);
        assert_eq!(inner.counted().owners.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn a_cell_is_filled_once_by_the_first_thread() {
        let cell = OnceTryArc::new();
        assert!(cell.get().is_none());
        assert_eq!(cell.get_or_try_init(|| Err(Error::OutOfMemory(7))), Err(Error::OutOfMemory(7)));
        let firsts: Vec<u32> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8)
                .map(|n| {
                    scope.spawn({
                        let cell = &cell;
                        move || *cell.get_or_try_init(|| TryArc::try_new(n)).unwrap()
                    })
                })
                .collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert!(firsts.iter().all(|first| Some(first) == cell.get()));
    }
}
