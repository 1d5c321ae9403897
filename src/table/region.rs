//! Regions: 2 MiB of the address space each, whose pages are handed out in runs.
//!
//! One mapping for each chunk would reach the system's limit of 65,530 mappings. A freed run gives its pages back to
//! the system, and a region without runs its addresses. Some free pages keep their memory, because tables come and go,
//! and one that evicts frees a chunk whenever it takes one: the system takes longer to exchange pages than a table to
//! use them. Runs that are larger than a region are mapped by themselves.
//!
//! A region has the size of a large page, but begins with small ones, since with a large one a single chunk would
//! occupy all of it. Where nearly all pages are in runs, the system may exchange them for a large one: Linux does so in
//! the background, within minutes. In a large table a lookup then spends less time on the translation of addresses.

use std::ops::Range;
use std::ptr;

use super::pages::{self, PAGE, REGION};
use crate::sync::{Mutex, MutexGuard};

const PAGES: usize = REGION / PAGE;
/// The longest run: all pages but the first, which has the region's header.
const LONGEST: usize = PAGES - 1;

/// The most free pages that keep their memory, in the process. A program that makes caches for each step of its work,
/// and frees them, then needs no pages from the system; and a clear keeps less than 2 MB.
const KEPT: usize = (7 << 18) / PAGE;

/// A region with as many pages in runs may become a large page, which occupies also the rest: at most 3 % that no cache
/// counts. Chunks of 64 KiB, which are most, leave 15 pages beside the header.
const NEARLY_ALL: usize = LONGEST - 15;

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
    /// The number of runs that are being given back to the system.
    leaving: usize,
    /// Whether parts of runs were given back, since the region was last empty.
    is_trimmed: bool,
    /// Whether the system may use a large page.
    is_large: bool,
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
        let run = pages::map(size);
        if !run.is_null() {
            pages::populate(run, size);
        }
        return run;
    }
    let (run, kept) = regions().take(pages);
    if kept < pages && !run.is_null() && size >= POPULATED {
        pages::populate(run, size);
    }
    run
}

/// # Safety
/// The memory was allocated here with this size, and is no longer used.
pub(super) unsafe fn free(run: *mut u8, size: usize) {
    let pages = size.div_ceil(PAGE);
    if pages > LONGEST {
        // SAFETY: the caller's promise.
        unsafe { pages::unmap(run, size) };
        return;
    }
    let mut regions = regions();
    // SAFETY: the caller's promise.
    let is_known = unsafe { regions.region_of(run) }.is_some();
    // One that a fork lost is not taken again.
    let keep = is_known && regions.kept + pages <= KEPT;
    if !keep {
        // SAFETY: the caller's promise. The run is still ours while the lock is open, which is as long as the system
        // takes. If it fails, the pages stay with the process.
        unsafe {
            regions.leave(run);
            drop(regions);
            pages::give_back(run, size);
        }
        regions = self::regions();
    }
    // SAFETY: the caller's promise.
    unsafe { regions.put_back(run, pages, keep) };
}

/// Gives whole pages of a run back to the system, which forgets their contents; returns whether it did. The addresses
/// stay with the run.
///
/// # Safety
/// The run was allocated here with this size, and nothing uses this part.
pub(super) unsafe fn trim(run: *mut u8, size: usize, part: Range<usize>) -> bool {
    // SAFETY: the caller's promise.
    unsafe {
        if size <= LONGEST * PAGE {
            regions().trim(run);
        }
        pages::give_back(run.add(part.start), part.len())
    }
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
            (*region).enlarge();
            self.relist(region);
            (region.cast::<u8>().add(first * PAGE), kept)
        }
    }

    /// The region of a run, or None if a fork lost it.
    ///
    /// # Safety
    /// The run was taken here.
    unsafe fn region_of(&self, run: *mut u8) -> Option<*mut Region> {
        let region = run.map_addr(|address| address & !(REGION - 1)).cast::<Region>();
        // SAFETY: the region of a run is mapped.
        unsafe { ((*region).owner == self.id).then_some(region) }
    }

    /// Before a run is given back to the system.
    ///
    /// # Safety
    /// The run was taken here.
    unsafe fn leave(&mut self, run: *mut u8) {
        // SAFETY: the caller's promise.
        unsafe {
            if let Some(region) = self.region_of(run) {
                (*region).leaving += 1;
                (*region).reduce();
            }
        }
    }

    /// Before a part of a run is given back to the system.
    ///
    /// # Safety
    /// The run was taken here.
    unsafe fn trim(&mut self, run: *mut u8) {
        // SAFETY: the caller's promise.
        unsafe {
            if let Some(region) = self.region_of(run) {
                (*region).is_trimmed = true;
                (*region).reduce();
            }
        }
    }

    /// # Safety
    /// The run was taken with this length. Unless it is kept, it was announced by `leave`.
    unsafe fn put_back(&mut self, run: *mut u8, pages: usize, kept: bool) {
        // SAFETY: the caller's promise; the region of a run is mapped.
        unsafe {
            let Some(region) = self.region_of(run) else { return };
            (*region).leaving -= usize::from(!kept);
            (*region).put_back((run.addr() - region.addr()) / PAGE, pages, kept);
            (*region).used -= pages;
            self.kept += if kept { pages } else { 0 };
            if (*region).used == 0 && self.empty > 0 {
                self.kept -= (*region).kept.iter().map(|word| word.count_ones() as usize).sum::<usize>();
                self.unlist(region);
                pages::unmap(region.cast(), REGION);
            } else {
                self.empty += usize::from((*region).used == 0);
                (*region).is_trimmed &= (*region).used > 0;
                self.relist(region);
            }
        }
    }

    /// Maps a new region; null if the mapping fails.
    fn add(&mut self) -> *mut Region {
        let region = pages::map_region().cast::<Region>();
        if region.is_null() {
            return region;
        }
        let mut free = [u64::MAX; PAGES / 64];
        free[0] &= !1;
        let (previous, next) = (ptr::null_mut(), ptr::null_mut());
        // SAFETY: the first page of the new region has room for the header.
        unsafe {
            region.write(Region {
                free,
                kept: [0; PAGES / 64],
                used: 0,
                leaving: 0,
                is_trimmed: false,
                is_large: false,
                list: LISTS,
                previous,
                next,
                owner: self.id,
            });
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
    /// Lets the system use a large page, if nearly all pages are in runs and have their memory.
    fn enlarge(&mut self) {
        if !self.is_large && self.used >= NEARLY_ALL && self.leaving == 0 && !self.is_trimmed {
            self.is_large = true;
            pages::advise(ptr::from_mut(self).cast(), true);
        }
    }

    /// Has the system use small pages: it would give a large one all its memory again.
    fn reduce(&mut self) {
        if self.is_large {
            self.is_large = false;
            pages::advise(ptr::from_mut(self).cast(), false);
        }
    }

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

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    /// The 31 runs of 64 KiB of a region.
    const RUN: usize = 16;
    const RUNS: usize = LONGEST / RUN;

    /// Whether the system may use a large page here, by its own account; None where it has no large pages.
    fn may_be_large(address: usize) -> Option<bool> {
        let mut is_here = false;
        for line in std::fs::read_to_string("/proc/self/smaps").ok()?.lines() {
            let ends = line.split(' ').next().and_then(|range| range.split_once('-'));
            let ends = ends.and_then(|(a, b)| usize::from_str_radix(a, 16).ok().zip(usize::from_str_radix(b, 16).ok()));
            is_here = ends.map_or(is_here, |(start, end)| (start..end).contains(&address));
            if let (true, Some(flags)) = (is_here, line.strip_prefix("VmFlags:")) {
                let (large, small) = (flags.contains(" hg"), flags.contains(" nh"));
                return (large || small).then_some(large);
            }
        }
        None
    }

    fn full(regions: &mut Regions) -> Vec<*mut u8> {
        (0..RUNS).map(|_| regions.take(RUN).0).collect()
    }

    /// # Safety
    /// The run was taken from these regions.
    unsafe fn free(regions: &mut Regions, run: *mut u8, kept: bool) {
        // SAFETY: the caller's promise.
        unsafe {
            if !kept {
                regions.leave(run);
            }
            regions.put_back(run, RUN, kept);
        }
    }

    #[test]
    fn a_region_may_be_a_large_page_while_nearly_all_of_it_is_in_use_and_has_memory() {
        let mut regions = Regions::with_id(0);
        let runs = full(&mut regions);
        let region = runs[0].map_addr(|address| address & !(REGION - 1));
        assert!(runs.iter().all(|run| run.addr() & !(REGION - 1) == region.addr()));
        let Some(large) = may_be_large(region.addr()) else { return };
        assert!(large, "a full region");
        // SAFETY: the runs were taken here, and are used below only after they were taken again.
        unsafe {
            free(&mut regions, runs[0], true);
            assert_eq!(may_be_large(region.addr()), Some(true), "its memory is kept");
            free(&mut regions, runs[1], false);
            assert_eq!(may_be_large(region.addr()), Some(false), "memory was given back");
            assert_eq!(regions.take(2 * RUN).0, runs[0]);
            assert_eq!(may_be_large(region.addr()), Some(true), "full again");
            regions.leave(runs[2]);
            free(&mut regions, runs[3], true);
            assert_eq!(regions.take(RUN).0, runs[3]);
            assert_eq!(may_be_large(region.addr()), Some(false), "a run is being given back");
            regions.put_back(runs[2], RUN, false);
            assert_eq!(regions.take(RUN).0, runs[2]);
            assert_eq!(may_be_large(region.addr()), Some(true), "full again");
            regions.trim(runs[4]);
            assert_eq!(may_be_large(region.addr()), Some(false), "a part was given back");
            free(&mut regions, runs[5], true);
            assert_eq!(regions.take(RUN).0, runs[5]);
            assert_eq!(may_be_large(region.addr()), Some(false), "a part of a run still has no memory");
            for run in &runs {
                free(&mut regions, *run, true);
            }
            let again = full(&mut regions);
            assert_eq!((again[0], may_be_large(region.addr())), (runs[0], Some(true)), "the part was freed");
        }
    }

    #[test]
    fn a_region_begins_with_small_pages_until_nearly_all_of_it_is_in_use() {
        let mut regions = Regions::with_id(0);
        let first = full(&mut regions)[0];
        if may_be_large(first.addr()).is_none() {
            return;
        }
        // The rest of the first region; what follows is in another one.
        regions.take(LONGEST % RUN);
        let run = regions.take(RUN).0;
        assert_eq!(may_be_large(run.addr()), Some(false), "a new region");
        (2..RUNS).for_each(|_| _ = regions.take(RUN));
        regions.take(NEARLY_ALL - 1 - (RUNS - 1) * RUN);
        assert_eq!(may_be_large(run.addr()), Some(false), "one page more is free than a large page may have");
        let last = regions.take(1).0;
        assert_eq!(last.addr() & !(REGION - 1), run.addr() & !(REGION - 1));
        assert_eq!(may_be_large(run.addr()), Some(true), "nearly all of it is in use");
    }

    #[test]
    fn a_run_of_a_region_that_a_fork_lost_gives_its_memory_back() {
        let mut lost = Regions::with_id(u32::MAX);
        let (run, _) = lost.take(RUN);
        // SAFETY: the run is ours, and its region stays mapped.
        unsafe {
            run.write_bytes(7, RUN * PAGE);
            super::free(run, RUN * PAGE);
            assert_eq!(run.read(), 0, "the system has forgotten its contents");
        }
    }
}
