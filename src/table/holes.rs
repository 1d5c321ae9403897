//! Holes: the free blocks of a table's chunks, by size class.
//!
//! A hole is on a doubly linked list, so that the holes of a chunk can leave the lists together. A hole that is larger
//! than the block that is needed is cut in two. Adjacent holes are not joined: compaction frees whole chunks instead.

use std::ptr::{self, NonNull};

use super::header::{HEADER, HOLE, Header, SMALLEST, Standing, block_size, value_offset};
use super::size_class::{CLASSES, UNIT, largest_within, size_class};
use crate::memory::heap_bytes;
use crate::sync::try_box;

/// One list for each class, and a bit for each list that is not empty.
struct Lists {
    first: [*mut Header; CLASSES],
    occupied: u128,
}

/// The holes of one arena.
pub(super) struct Holes {
    /// None for a small arena, which has a few holes, on one list.
    lists: Option<Box<Lists>>,
    few: *mut Header,
}

/// The holes of a small arena that a search looks at.
const FEW: usize = 64;

impl Holes {
    pub(super) const NONE: Holes = Holes { lists: None, few: ptr::null_mut() };

    /// The bytes of the lists.
    pub(super) fn bytes() -> u64 {
        heap_bytes(size_of::<Lists>())
    }

    pub(super) fn has_lists(&self) -> bool {
        self.lists.is_some()
    }

    /// Allocates a list for each class; false without memory for them.
    ///
    /// # Safety
    /// All holes are alive.
    pub(super) unsafe fn add_lists(&mut self) -> bool {
        let Ok(lists) = try_box(Lists { first: [ptr::null_mut(); CLASSES], occupied: 0 }) else { return false };
        let mut next = std::mem::replace(&mut self.few, ptr::null_mut());
        self.lists = Some(lists);
        while let Some(hole) = NonNull::new(next) {
            // SAFETY: the caller's promise; the hole is on no list now.
            unsafe {
                next = next_of(hole);
                self.link(hole, block_size(hole));
            }
        }
        true
    }

    /// Makes these bytes holes.
    ///
    /// # Safety
    /// They belong to a chunk, and nothing else uses them. `units` is their distance from its start. `bytes` is a
    /// multiple of the unit, and at least that of the smallest block.
    pub(super) unsafe fn add_room(&mut self, start: NonNull<Header>, units: usize, bytes: usize) {
        let mut at = 0;
        while at < bytes {
            let size = largest_within(bytes - at, SMALLEST);
            let value_len = (size - value_offset(0)) as u32;
            let units = (units + at / UNIT) as u16;
            // SAFETY: the caller's promise.
            unsafe {
                let hole = start.byte_add(at);
                hole.write(Header::new(0, value_len, HOLE, units, Standing::NONE));
                self.link(hole, size);
            }
            at += size;
        }
    }

    /// Puts a free block on its list.
    ///
    /// # Safety
    /// The block is alive, has this size, and is on no list; nothing else uses it.
    pub(super) unsafe fn link(&mut self, hole: NonNull<Header>, size: usize) {
        let class = size_class(size).1;
        let first = self.first(class);
        // SAFETY: the caller's promise; holes on lists are alive.
        unsafe {
            let next = *first;
            *first = hole.as_ptr();
            set_next(hole, next);
            set_previous(hole, ptr::null_mut());
            if let Some(next) = NonNull::new(next) {
                set_previous(next, hole.as_ptr());
            }
        }
        if let Some(lists) = &mut self.lists {
            lists.occupied |= 1 << class;
        }
    }

    /// Takes a hole off its list.
    ///
    /// # Safety
    /// The hole is on a list, and has this size.
    pub(super) unsafe fn unlink(&mut self, hole: NonNull<Header>, size: usize) {
        let class = size_class(size).1;
        // SAFETY: the caller's promise; holes on lists are alive.
        unsafe {
            let (previous, next) = (previous_of(hole), next_of(hole));
            match NonNull::new(previous) {
                Some(previous) => set_next(previous, next),
                None => *self.first(class) = next,
            }
            if let Some(next) = NonNull::new(next) {
                set_previous(next, previous);
            }
        }
        if let Some(lists) = &mut self.lists
            && lists.first[class].is_null()
        {
            lists.occupied &= !(1 << class);
        }
    }

    /// Whether there may be a hole of this class.
    #[inline(always)]
    pub(super) fn may_have(&self, class: usize) -> bool {
        match &self.lists {
            Some(lists) => !lists.first[class].is_null(),
            None => !self.few.is_null(),
        }
    }

    /// Takes a hole of exactly this size.
    pub(super) fn take(&mut self, size: usize, class: usize) -> Option<NonNull<Header>> {
        let hole = match &self.lists {
            Some(lists) => NonNull::new(lists.first[class])?,
            None => self.few(|found| found == size)?,
        };
        // SAFETY: it is on its list.
        unsafe { self.unlink(hole, size) };
        Some(hole)
    }

    /// Takes the smallest hole that leaves a block when it is cut to this size; the rest becomes holes.
    pub(super) fn cut(&mut self, size: usize, class: usize) -> Option<NonNull<Header>> {
        let hole = match &self.lists {
            Some(lists) => {
                let mut larger = lists.occupied & !((2 << class) - 1);
                loop {
                    let hole = NonNull::new(*lists.first.get(larger.trailing_zeros() as usize)?)?;
                    // SAFETY: holes on lists are alive.
                    if unsafe { block_size(hole) } >= size + SMALLEST {
                        break hole;
                    }
                    larger &= larger - 1;
                }
            }
            None => self.few(|found| found >= size + SMALLEST)?,
        };
        // SAFETY: the hole is on its list; its bytes are this hole's only.
        unsafe {
            let whole = block_size(hole);
            self.unlink(hole, whole);
            let units = (*hole.as_ptr()).units as usize + size / UNIT;
            self.add_room(hole.byte_add(size), units, whole - size);
        }
        Some(hole)
    }

    /// One of the first holes on the only list, of a size that fits.
    fn few(&self, fits: impl Fn(usize) -> bool) -> Option<NonNull<Header>> {
        let mut next = self.few;
        for _ in 0..FEW {
            let hole = NonNull::new(next)?;
            // SAFETY: holes on lists are alive.
            unsafe {
                if fits(block_size(hole)) {
                    return Some(hole);
                }
                next = next_of(hole);
            }
        }
        None
    }

    fn first(&mut self, class: usize) -> *mut *mut Header {
        match &mut self.lists {
            Some(lists) => &raw mut lists.first[class],
            None => &raw mut self.few,
        }
    }
}

/// # Safety
/// The hole is on a list.
unsafe fn next_of(hole: NonNull<Header>) -> *mut Header {
    // SAFETY: the caller's promise.
    unsafe { (*hole.as_ptr()).link.next.cast() }
}

/// # Safety
/// The hole is on a list.
unsafe fn set_next(hole: NonNull<Header>, next: *mut Header) {
    // SAFETY: the caller's promise.
    unsafe { (*hole.as_ptr()).link.next = next.cast() };
}

/// # Safety
/// The hole is on a list.
unsafe fn previous_of(hole: NonNull<Header>) -> *mut Header {
    // SAFETY: the caller's promise; the smallest block has room for a pointer after the header.
    unsafe { hole.byte_add(HEADER).cast::<*mut Header>().read() }
}

/// # Safety
/// The hole is on a list.
unsafe fn set_previous(hole: NonNull<Header>, previous: *mut Header) {
    // SAFETY: as above.
    unsafe { hole.byte_add(HEADER).cast::<*mut Header>().write(previous) };
}
