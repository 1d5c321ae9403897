//! A counted pointer, like `Arc` without weak references, whose allocation reports failure.
//!
//! `Arc::new` aborts the process when memory is out; a library in a job that has run for days answers with a status.

use std::alloc::{Layout, alloc, dealloc};
use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::ops::Deref;
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering, fence};

use crate::error::{Error, Result};

struct Block<T> {
    owners: AtomicUsize,
    value: T,
}

/// Shared ownership of a `T`.
///
/// Invariant: `block` points to a live `Block<T>` whose `owners` counts the `TryArc` that point to it.
pub struct TryArc<T> {
    block: NonNull<Block<T>>,
}

// SAFETY: as for Arc: owners on several threads share `&T`, and the last one drops the T.
unsafe impl<T: Send + Sync> Send for TryArc<T> {}
// SAFETY: as above.
unsafe impl<T: Send + Sync> Sync for TryArc<T> {}

impl<T> TryArc<T> {
    /// Moves `value` into shared memory; hands [`Error::OutOfMemory`] back when there is none.
    pub fn try_new(value: T) -> Result<Self> {
        let layout = Layout::new::<Block<T>>();
        // SAFETY: a Block holds a counter, so its layout is not empty.
        let block = unsafe { alloc(layout) }.cast::<Block<T>>();
        let block = NonNull::new(block).ok_or(Error::OutOfMemory(layout.size()))?;
        // SAFETY: the memory is ours, aligned and large enough.
        unsafe { block.write(Block { owners: AtomicUsize::new(1), value }) };
        Ok(TryArc { block })
    }

    /// Whether both point to the same value.
    pub fn is_same(&self, other: &Self) -> bool {
        self.block == other.block
    }

    /// What it points to, if there is no other owner.
    pub fn into_inner(self) -> Option<T> {
        let shared = ManuallyDrop::new(self);
        if shared.block().owners.fetch_sub(1, Ordering::Release) != 1 {
            return None;
        }
        // What the other owners did to the value happens before it moves.
        fence(Ordering::Acquire);
        // SAFETY: we were the last owner, so nothing else points to the block; its value is moved out once.
        unsafe {
            let value = ptr::read(&shared.block.as_ref().value);
            dealloc(shared.block.as_ptr().cast(), Layout::new::<Block<T>>());
            Some(value)
        }
    }

    fn block(&self) -> &Block<T> {
        // SAFETY: the invariant: our own count keeps the block alive.
        unsafe { self.block.as_ref() }
    }
}

impl<T> Clone for TryArc<T> {
    fn clone(&self) -> Self {
        // Relaxed is enough: a new owner is made from one that exists. The count cannot overflow: each owner takes
        // eight bytes of an address space that is smaller than the counter.
        self.block().owners.fetch_add(1, Ordering::Relaxed);
        TryArc { block: self.block }
    }
}

impl<T> Deref for TryArc<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.block().value
    }
}

impl<T> Drop for TryArc<T> {
    fn drop(&mut self) {
        if self.block().owners.fetch_sub(1, Ordering::Release) != 1 {
            return;
        }
        // What the other owners did to the value happens before it is dropped.
        fence(Ordering::Acquire);
        // SAFETY: we were the last owner, so nothing else points to the block.
        unsafe {
            self.block.as_ptr().drop_in_place();
            dealloc(self.block.as_ptr().cast(), Layout::new::<Block<T>>());
        }
    }
}

/// A place for a [`TryArc`] that is filled once and stays.
///
/// Nobody waits for whoever fills it: two threads that try at once both make a value, and one of them is kept. So a fork
/// in the middle leaves nothing behind for which the child would wait.
pub struct OnceTryArc<T> {
    /// Null, or a block of which one owner is this cell.
    block: AtomicPtr<Block<T>>,
}

// SAFETY: as for TryArc, of which the cell holds one.
unsafe impl<T: Send + Sync> Send for OnceTryArc<T> {}
// SAFETY: as above.
unsafe impl<T: Send + Sync> Sync for OnceTryArc<T> {}

impl<T> OnceTryArc<T> {
    /// An empty place.
    pub const fn new() -> Self {
        OnceTryArc { block: AtomicPtr::new(ptr::null_mut()) }
    }

    /// What is there.
    #[inline]
    pub fn get(&self) -> Option<&T> {
        let block = NonNull::new(self.block.load(Ordering::Acquire))?;
        // SAFETY: the cell owns the block, and keeps it as long as it lives.
        Some(&unsafe { block.as_ref() }.value)
    }

    /// What is there, to be shared.
    #[inline]
    pub fn lend(&self) -> Option<ArcRef<'_, T>> {
        let block = NonNull::new(self.block.load(Ordering::Acquire))?;
        Some(ArcRef { shared: ManuallyDrop::new(TryArc { block }), _cell: PhantomData })
    }

    /// What is there, or what `make` puts there.
    #[inline]
    pub fn get_or_try_init(&self, make: impl FnOnce() -> Result<TryArc<T>>) -> Result<&T> {
        match self.get() {
            Some(value) => Ok(value),
            None => self.fill(make()?),
        }
    }

    #[cold]
    fn fill(&self, value: TryArc<T>) -> Result<&T> {
        let block = value.block.as_ptr();
        let filled = self.block.compare_exchange(ptr::null_mut(), block, Ordering::AcqRel, Ordering::Acquire);
        if filled.is_ok() {
            // Its count is the cell's now.
            std::mem::forget(value);
        }
        self.get().ok_or(Error::OutOfMemory(0))
    }
}

/// What stands in a [`OnceTryArc`], with the cell's own share: it is not given up.
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
        if let Some(block) = NonNull::new(*self.block.get_mut()) {
            drop(TryArc { block });
        }
    }
}

/// Boxes a value; without an abort when there is no memory.
pub(crate) fn try_box<T>(value: T) -> Result<Box<T>> {
    let layout = Layout::new::<T>();
    // SAFETY: what is boxed here is not empty.
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
        assert_eq!(inner.block().owners.load(Ordering::Relaxed), 2);
        drop(other);
        assert_eq!(inner.block().owners.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn a_cell_is_filled_once_whoever_is_first() {
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
