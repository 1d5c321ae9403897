//! Lock-free lookups in a table, under a guard.

use std::hint::cold_path;

use super::bucket::keys_equal;
use super::directory::Directory;
use super::entry::EntryRef;
use super::hash::{Hashed, ORDINARY};
use super::segment::{self, Buckets, Probe};
use super::table::Table;
use crate::epoch::Guard;
use crate::sync::atomic::Ordering;

impl Table {
    /// The entry of a key, valid while the guard is.
    #[inline(always)]
    pub fn find<'g>(&self, guard: &'g Guard, key: &Hashed) -> Option<EntryRef<'g>> {
        // SAFETY: the directory, its segments and their entries live as long as the guard under which they are found.
        unsafe { segment::find(self.buckets(guard, key)?, key) }
    }

    /// As [`Table::find`], for the fast path.
    #[inline(always)]
    pub fn find_fast<'g>(&self, _guard: &'g Guard, key: impl FastKey) -> Option<EntryRef<'g>> {
        // SAFETY: as for `find`.
        unsafe { key.find_in(self) }
    }

    /// Prefetches the bucket that [`Table::prefetch_entry`] reads.
    #[inline(always)]
    pub fn prefetch_bucket(&self, guard: &Guard, key: &Hashed) {
        if let Some(buckets) = self.buckets(guard, key) {
            segment::prefetch_bucket(buckets, key);
        }
    }

    /// Prefetches the likely entry of a key, for [`Table::find_prefetched`].
    #[inline(always)]
    pub fn prefetch_entry<'g>(&self, guard: &'g Guard, key: &Hashed) -> Option<EntryRef<'g>> {
        // SAFETY: as for `find`.
        unsafe { segment::prefetch_entry(self.buckets(guard, key)?, key) }
    }

    /// As [`Table::find`], with the likely entry from [`Table::prefetch_entry`].
    #[inline(always)]
    pub fn find_prefetched<'g>(
        &self,
        guard: &'g Guard,
        key: &Hashed,
        likely: Option<EntryRef<'g>>,
    ) -> Option<EntryRef<'g>> {
        likely.filter(|entry| keys_equal(entry.key(), key.key)).or_else(|| self.find(guard, key))
    }

    #[inline(always)]
    fn buckets(&self, _guard: &Guard, key: &Hashed) -> Option<Buckets> {
        let directory = self.directory.load(Ordering::Acquire);
        // SAFETY: the directory lives as long as the guard.
        (!directory.is_null()).then(|| unsafe { Directory::buckets(directory, key.hash()) })
    }

    /// Calls `see` with every entry.
    pub fn for_each(&self, _guard: &Guard, mut see: impl FnMut(EntryRef)) {
        let directory = self.directory.load(Ordering::Acquire);
        if directory.is_null() {
            return;
        }
        // SAFETY: the directory and its segments live as long as the guard.
        for slot in unsafe { Directory::distinct(directory) } {
            // SAFETY: as above; the entries live as long as the guard too.
            unsafe { slot.segment().entries().for_each(|entry| see(EntryRef::new(entry))) };
        }
    }
}

/// A key, as the fast path looks it up.
pub trait FastKey: Copy {
    /// Finds the key.
    ///
    /// # Safety
    /// What the table has at any moment of the call lives for `'g`.
    unsafe fn find_in<'g>(self, table: &Table) -> Option<EntryRef<'g>>;
}

/// A key of ordinary length with its hash. If the first bucket decides, a lookup calls nothing, so all that the caller
/// has stays in registers.
#[derive(Clone, Copy)]
pub struct Ordinary<'k>(Hashed<'k>);

impl<'k> Ordinary<'k> {
    /// Hashes a key, if its length is ordinary.
    #[inline(always)]
    pub fn new(key: &'k [u8]) -> Option<Self> {
        ORDINARY.contains(&key.len()).then(|| Ordinary(Hashed::ordinary(key)))
    }
}

impl FastKey for Ordinary<'_> {
    #[inline(always)]
    unsafe fn find_in<'g>(self, table: &Table) -> Option<EntryRef<'g>> {
        let Ordinary(key) = self;
        let directory = table.directory.load(Ordering::Acquire);
        if directory.is_null() {
            return None;
        }
        // SAFETY: the caller's promise.
        match unsafe { segment::probe(Directory::buckets(directory, key.hash()), &key) } {
            Probe::Found(entry) => Some(entry),
            Probe::Missing => None,
            // SAFETY: the caller's promise.
            Probe::Unclear => unsafe { out_of_line::find(table, key.key) },
        }
    }
}

/// A key of any length, for a caller that has chosen another function for ordinary keys. The lookup is a call.
#[derive(Clone, Copy)]
pub struct Other<'k>(pub &'k [u8]);

impl FastKey for Other<'_> {
    #[inline(always)]
    unsafe fn find_in<'g>(self, table: &Table) -> Option<EntryRef<'g>> {
        // SAFETY: the caller's promise.
        unsafe { out_of_line::find_by_call(table, self.0) }
    }
}

/// A key of any length.
impl FastKey for &[u8] {
    #[inline(always)]
    unsafe fn find_in<'g>(self, table: &Table) -> Option<EntryRef<'g>> {
        match Ordinary::new(self) {
            // SAFETY: the caller's promise.
            Some(key) => unsafe { key.find_in(table) },
            None => {
                cold_path();
                // SAFETY: as above.
                unsafe { out_of_line::find(table, self) }
            }
        }
    }
}

/// A call from the fast path, for keys that are not ordinary or not decided by the first bucket. On x86-64 it preserves
/// all registers but the result's and two more. (LLVM has such a calling convention, but no stable Rust does.)
/// Otherwise the fast path would keep what it has in memory, for the sake of this call.
mod out_of_line {
    use std::ptr::{self, NonNull};
    use std::slice;

    use super::super::directory::Directory;
    use super::super::entry::EntryRef;
    use super::super::hash::Hashed;
    #[cfg(target_arch = "x86_64")]
    use super::super::hash::known_secrets;
    use super::super::header::Header;
    #[cfg(target_arch = "x86_64")]
    use super::super::long;
    use super::super::segment;
    use super::super::table::Table;
    use crate::sync::atomic::Ordering;

    /// Finds a key of any length.
    ///
    /// # Safety
    /// What the table has at any moment of the call lives for `'g`.
    #[inline(always)]
    pub(super) unsafe fn find<'g>(table: &Table, key: &[u8]) -> Option<EntryRef<'g>> {
        // SAFETY: the caller's promise, and the key is a slice.
        let entry = unsafe { call(table, key.as_ptr(), key.len()) };
        // SAFETY: `find_any` returns an entry that lives for `'g`, or null.
        NonNull::new(entry).map(|entry| unsafe { EntryRef::new(entry) })
    }

    /// As [`find`], by a call that preserves only the registers that a function must.
    ///
    /// # Safety
    /// As for [`find`].
    #[inline(always)]
    pub(super) unsafe fn find_by_call<'g>(table: &Table, key: &[u8]) -> Option<EntryRef<'g>> {
        // SAFETY: as in `find`.
        unsafe { NonNull::new(find_any(table, key.as_ptr(), key.len())).map(|entry| EntryRef::new(entry)) }
    }

    /// The entry of a key, or null. Small: it has no frame.
    unsafe extern "C" fn find_any(table: &Table, key: *const u8, len: usize) -> *mut Header {
        let directory = table.directory.load(Ordering::Acquire);
        if directory.is_null() {
            return ptr::null_mut();
        }
        // SAFETY: `find` calls it with a key's address and length; the directory lives.
        unsafe {
            let key = slice::from_raw_parts(key, len);
            #[cfg(target_arch = "x86_64")]
            if len >= long::SHORTEST && known_secrets().has_long {
                let found = long::find(directory, key);
                return found.map_or(ptr::null_mut(), |entry| entry.header().as_ptr());
            }
            find_in(directory, key)
        }
    }

    /// As [`find_any`], for a directory that is not null.
    ///
    /// # Safety
    /// The directory lives.
    #[inline(never)]
    unsafe fn find_in(directory: *mut Directory, key: &[u8]) -> *mut Header {
        // SAFETY: the caller's promise.
        unsafe {
            let key = Hashed::from(key);
            let found = segment::find(Directory::buckets(directory, key.hash()), &key);
            found.map_or(ptr::null_mut(), |entry| entry.header().as_ptr())
        }
    }

    #[cfg(not(all(unix, target_arch = "x86_64")))]
    use find_any as call;

    /// # Safety
    /// As for [`find`].
    #[cfg(all(unix, target_arch = "x86_64"))]
    #[inline(always)]
    unsafe fn call(table: &Table, key: *const u8, len: usize) -> *mut Header {
        let entry: *mut Header;
        // SAFETY: `find_any_preserving` calls `find_any`, as the caller may, and changes no register but these.
        unsafe {
            std::arch::asm!(
                "call {find}",
                find = sym find_any_preserving,
                inout("rax") table => entry,
                in("rsi") key,
                in("rdx") len,
                out("r10") _,
                out("r11") _,
                out("xmm0") _, out("xmm1") _, out("xmm2") _, out("xmm3") _,
                out("xmm4") _, out("xmm5") _, out("xmm6") _, out("xmm7") _,
                out("xmm8") _, out("xmm9") _, out("xmm10") _, out("xmm11") _,
                out("xmm12") _, out("xmm13") _, out("xmm14") _, out("xmm15") _,
                out("xmm16") _, out("xmm17") _, out("xmm18") _, out("xmm19") _,
                out("xmm20") _, out("xmm21") _, out("xmm22") _, out("xmm23") _,
                out("xmm24") _, out("xmm25") _, out("xmm26") _, out("xmm27") _,
                out("xmm28") _, out("xmm29") _, out("xmm30") _, out("xmm31") _,
                out("k1") _, out("k2") _, out("k3") _, out("k4") _,
                out("k5") _, out("k6") _, out("k7") _,
                options(readonly),
            );
        }
        entry
    }

    /// Calls [`find_any`] with the table in rax, and preserves the integer registers that a function need not, except
    /// r10 and r11.
    #[cfg(all(unix, target_arch = "x86_64"))]
    #[unsafe(naked)]
    unsafe extern "C" fn find_any_preserving() {
        std::arch::naked_asm!(
            ".cfi_startproc",
            "push rdi",
            ".cfi_adjust_cfa_offset 8",
            "push rsi",
            ".cfi_adjust_cfa_offset 8",
            "push rdx",
            ".cfi_adjust_cfa_offset 8",
            "push rcx",
            ".cfi_adjust_cfa_offset 8",
            "push r8",
            ".cfi_adjust_cfa_offset 8",
            "push r9",
            ".cfi_adjust_cfa_offset 8",
            // The caller's frame was aligned before the call; six registers and the return address are seven words.
            "sub rsp, 8",
            ".cfi_adjust_cfa_offset 8",
            "mov rdi, rax",
            "call {find}",
            "add rsp, 8",
            ".cfi_adjust_cfa_offset -8",
            "pop r9",
            ".cfi_adjust_cfa_offset -8",
            "pop r8",
            ".cfi_adjust_cfa_offset -8",
            "pop rcx",
            ".cfi_adjust_cfa_offset -8",
            "pop rdx",
            ".cfi_adjust_cfa_offset -8",
            "pop rsi",
            ".cfi_adjust_cfa_offset -8",
            "pop rdi",
            ".cfi_adjust_cfa_offset -8",
            "ret",
            ".cfi_endproc",
            find = sym find_any,
        )
    }
}
