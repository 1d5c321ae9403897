//! Regions: 2 MiB of the address space each, whose pages are handed out in runs.
//!
//! One mapping for each chunk would reach the system's limit of 65,530 mappings. A freed run gives its pages back to
//! the system, and a region without runs its addresses. Some free pages keep their memory, because tables come and go,
//! and one that evicts frees a chunk whenever it takes one: the system takes longer to exchange pages than a table to
//! use them. Runs that are larger than a region are mapped by themselves.

use std::ptr;

use crate::sync::{Mutex, MutexGuard};

const PAGE: usize = 4 << 10;
const REGION: usize = 2 << 20;
const PAGES: usize = REGION / PAGE;
/// The longest run: all pages but the first, which has the region's header.
const LONGEST: usize = PAGES - 1;

/// The most free pages that keep their memory, in the process. A program that makes caches for each step of its work, and
/// frees them, then needs no pages from the system; and a clear keeps less than 2 MB.
const KEPT: usize = (7 << 18) / PAGE;

/// Runs of this size or more get their pages at once. Page faults at the first touch of each page would take several
/// times as long; and memory that is counted is memory that the process occupies.
const POPULATED: usize = 16 << 10;

/// The lists of regions: one for each power of two up to the longest free run.
const LISTS: usize = PAGES.ilog2() as usize;

/// The header of a region, in its first page.
struct Region {
    /// A bit for each free page.
    free: [u64; PAGES / 64],
    /// A bit for each free page that still has memory.
    kept: [u64; PAGES / 64],
    /// The number of pages in runs.
    used: usize,
    /// The list that it is on; LISTS for none.
    list: usize,
    previous: *mut Region,
    next: *mut Region,
    /// The [`Regions`] that it belongs to: those before a fork may have been lost in the middle of a change.
    owner: u32,
}

/// The regions of the process.
struct Regions {
    /// Regions by the length of their longest free run: list k has those of 2^k to 2^(k+1) - 1 pages.
    lists: [*mut Region; LISTS],
    /// The number of free pages that still have memory.
    kept: usize,
    /// Regions without runs that are kept: one, so that a table that comes and goes does not map one each time.
    empty: usize,
    id: u32,
}

// SAFETY: the regions belong to the process; the lock guards them.
unsafe impl Send for Regions {}

impl Regions {
    const fn with_id(id: u32) -> Self {
        Regions { lists: [ptr::null_mut(); LISTS], kept: 0, empty: 0, id }
    }
}

impl Default for Regions {
    /// New regions, in a child of a fork that came in the middle of a change.
    fn default() -> Self {
        Regions::with_id(crate::sync::process())
    }
}

fn regions() -> MutexGuard<'static, Regions> {
    static REGIONS: Mutex<Regions> = Mutex::new(Regions::with_id(0));
    REGIONS.lock()
}

/// Memory of this size, a multiple of a page; null if the mapping fails.
pub(super) fn allocate(size: usize) -> *mut u8 {
    debug_assert!(size.is_multiple_of(PAGE));
    let pages = size.div_ceil(PAGE);
    if pages > LONGEST {
        let run = map(size);
        if !run.is_null() {
            populate(run, size);
        }
        return run;
    }
    let (run, kept) = regions().take(pages);
    if kept < pages && !run.is_null() && size >= POPULATED {
        populate(run, size);
    }
    run
}

/// # Safety
/// The memory was allocated here with this size, and is no longer used.
pub(super) unsafe fn free(run: *mut u8, size: usize) {
    let pages = size.div_ceil(PAGE);
    if pages > LONGEST {
        // SAFETY: the caller's promise.
        unsafe { unmap(run, size) };
        return;
    }
    let mut regions = regions();
    let keep = regions.kept + pages <= KEPT;
    if !keep {
        drop(regions);
        // Outside the lock: it takes long. The run is still ours.
        // SAFETY: the caller's promise. A failure leaves the pages with the process.
        unsafe { give_back(run, size) };
        regions = self::regions();
    }
    // SAFETY: the caller's promise.
    unsafe { regions.put_back(run, pages, keep) };
}

/// Gives pages of a run back to the system, which forgets their contents; returns whether it did.
///
/// # Safety
/// The pages belong to a run that was allocated here, and nothing uses them.
pub(super) unsafe fn give_back(pages: *mut u8, size: usize) -> bool {
    // SAFETY: the caller's promise.
    unsafe { libc::madvise(pages.cast(), size, libc::MADV_DONTNEED) == 0 }
}

impl Regions {
    /// A run of this many pages, and how many of them still have memory; null if the mapping fails.
    fn take(&mut self, pages: usize) -> (*mut u8, usize) {
        // Every region of a list above this one has such a run; of this one's own, only some have.
        let least = pages.ilog2() as usize;
        let mut candidates = 0;
        for list in least..LISTS {
            let mut region = self.lists[list];
            while !region.is_null() {
                // SAFETY: regions on lists are mapped.
                unsafe {
                    if let Some(first) = (*region).find(pages) {
                        return self.take_from(region, first, pages);
                    }
                    region = (*region).next;
                }
                candidates += 1;
                // A search through all of them would take long.
                if candidates == 8 {
                    break;
                }
            }
        }
        let region = self.add();
        // SAFETY: a new region is one free run.
        if region.is_null() { (ptr::null_mut(), 0) } else { unsafe { self.take_from(region, 1, pages) } }
    }

    /// # Safety
    /// The region is on a list, and these pages are free.
    unsafe fn take_from(&mut self, region: *mut Region, first: usize, pages: usize) -> (*mut u8, usize) {
        // SAFETY: the caller's promise.
        unsafe {
            self.empty -= usize::from((*region).used == 0);
            (*region).used += pages;
            let kept = (*region).take(first, pages);
            self.kept -= kept;
            self.relist(region);
            (region.cast::<u8>().add(first * PAGE), kept)
        }
    }

    /// # Safety
    /// The run was taken with this length.
    unsafe fn put_back(&mut self, run: *mut u8, pages: usize, kept: bool) {
        let region = run.map_addr(|address| address & !(REGION - 1)).cast::<Region>();
        // SAFETY: the run is in a region, which is mapped.
        unsafe {
            if (*region).owner != self.id {
                return;
            }
            (*region).put_back((run.addr() - region.addr()) / PAGE, pages, kept);
            (*region).used -= pages;
            self.kept += if kept { pages } else { 0 };
            if (*region).used == 0 && self.empty > 0 {
                self.kept -= (*region).kept.iter().map(|word| word.count_ones() as usize).sum::<usize>();
                self.unlist(region);
                unmap(region.cast(), REGION);
            } else {
                self.empty += usize::from((*region).used == 0);
                self.relist(region);
            }
        }
    }

    /// Maps a new region; null if the mapping fails.
    fn add(&mut self) -> *mut Region {
        let region = map_aligned().cast::<Region>();
        if region.is_null() {
            return region;
        }
        let mut free = [u64::MAX; PAGES / 64];
        free[0] &= !1;
        let (previous, next) = (ptr::null_mut(), ptr::null_mut());
        // SAFETY: the first page of the new region has room for the header.
        unsafe {
            region.write(Region { free, kept: [0; PAGES / 64], used: 0, list: LISTS, previous, next, owner: self.id });
            self.relist(region);
        }
        self.empty += 1;
        region
    }

    /// Puts a region on the list that it belongs to.
    ///
    /// # Safety
    /// The region is mapped and belongs to these regions.
    unsafe fn relist(&mut self, region: *mut Region) {
        // SAFETY: the caller's promise; regions on lists are mapped.
        unsafe {
            let list = (*region).longest().checked_ilog2().map_or(LISTS, |list| list as usize);
            if list == (*region).list {
                return;
            }
            self.unlist(region);
            (*region).list = list;
            let Some(first) = self.lists.get_mut(list) else { return };
            let next = std::mem::replace(first, region);
            (*region).next = next;
            if !next.is_null() {
                (*next).previous = region;
            }
        }
    }

    /// # Safety
    /// As for `relist`.
    unsafe fn unlist(&mut self, region: *mut Region) {
        // SAFETY: the caller's promise; regions on lists are mapped.
        unsafe {
            let (list, previous, next) = ((*region).list, (*region).previous, (*region).next);
            if list == LISTS {
                return;
            }
            match previous.is_null() {
                true => self.lists[list] = next,
                false => (*previous).next = next,
            }
            if !next.is_null() {
                (*next).previous = previous;
            }
            ((*region).list, (*region).previous, (*region).next) = (LISTS, ptr::null_mut(), ptr::null_mut());
        }
    }
}

impl Region {
    /// The first free run of at least this many pages.
    fn find(&self, pages: usize) -> Option<usize> {
        self.runs().find(|(_, len)| *len >= pages).map(|(first, _)| first)
    }

    /// The length of the longest free run.
    fn longest(&self) -> usize {
        self.runs().map(|(_, len)| len).max().unwrap_or(0)
    }

    /// The free runs: first page and length.
    fn runs(&self) -> impl Iterator<Item = (usize, usize)> {
        let mut at = 0;
        std::iter::from_fn(move || {
            at = self.next(at, true)?;
            let first = at;
            at = self.next(at, false).unwrap_or(PAGES);
            Some((first, at - first))
        })
    }

    /// The first page from `at` on that is free, or is not.
    fn next(&self, at: usize, is_free: bool) -> Option<usize> {
        let mut word = at / 64;
        let mut from = u64::MAX << (at % 64);
        while word < self.free.len() {
            let bits = if is_free { self.free[word] } else { !self.free[word] } & from;
            if bits != 0 {
                return Some(word * 64 + bits.trailing_zeros() as usize);
            }
            (word, from) = (word + 1, u64::MAX);
        }
        None
    }

    /// Takes free pages; returns how many of them still have memory.
    fn take(&mut self, first: usize, pages: usize) -> usize {
        let mut kept = 0;
        for page in first..first + pages {
            let (word, bit) = (page / 64, 1 << (page % 64));
            self.free[word] &= !bit;
            kept += usize::from(self.kept[word] & bit != 0);
            self.kept[word] &= !bit;
        }
        kept
    }

    /// Frees pages that still have memory, or that do not.
    fn put_back(&mut self, first: usize, pages: usize, kept: bool) {
        for page in first..first + pages {
            let (word, bit) = (page / 64, 1 << (page % 64));
            self.free[word] |= bit;
            self.kept[word] |= if kept { bit } else { 0 };
        }
    }
}

/// Maps new memory; null if the mapping fails.
fn map(size: usize) -> *mut u8 {
    let (access, kind) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
    // SAFETY: maps new memory at any address.
    let memory = unsafe { libc::mmap(ptr::null_mut(), size, access, kind, -1, 0) };
    if memory == libc::MAP_FAILED { ptr::null_mut() } else { memory.cast() }
}

/// # Safety
/// The memory was mapped here and is no longer used.
unsafe fn unmap(memory: *mut u8, size: usize) {
    // SAFETY: the caller's promise.
    unsafe { libc::munmap(memory.cast(), size) };
}

/// Maps a region at a multiple of its size; null if the mapping fails.
fn map_aligned() -> *mut u8 {
    let memory = map(REGION);
    if memory.addr().is_multiple_of(REGION) {
        return small_pages(memory);
    }
    // SAFETY: it was just mapped.
    unsafe { unmap(memory, REGION) };
    let memory = map(2 * REGION);
    if memory.is_null() {
        return memory;
    }
    let before = memory.addr().next_multiple_of(REGION) - memory.addr();
    let region = memory.wrapping_add(before);
    // SAFETY: what is unmapped lies before and after the region, in the new mapping.
    unsafe {
        if before > 0 {
            unmap(memory, before);
        }
        if before < REGION {
            unmap(region.add(REGION), REGION - before);
        }
    }
    small_pages(region)
}

/// Has the system use small pages for a region: with a large one, a single chunk would occupy the whole region.
fn small_pages(region: *mut u8) -> *mut u8 {
    #[cfg(target_os = "linux")]
    if !region.is_null() {
        // SAFETY: advice for our own memory.
        unsafe { libc::madvise(region.cast(), REGION, libc::MADV_NOHUGEPAGE) };
    }
    region
}

#[cfg(target_os = "linux")]
fn populate(run: *mut u8, size: usize) {
    // SAFETY: the pages are ours, and keep their contents. A system without this call populates pages at the first
    // touch.
    unsafe { libc::madvise(run.cast(), size, libc::MADV_POPULATE_WRITE) };
}

#[cfg(not(target_os = "linux"))]
fn populate(_run: *mut u8, _size: usize) {}
