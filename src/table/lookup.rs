//! Lookups in a table: without locks, under a guard.

use super::bucket::keys_equal;
use super::directory::Directory;
use super::entry::EntryRef;
use super::hash::Hashed;
use super::segment::{self, Buckets, Probe};
use super::table::Table;
use crate::epoch::Guard;
use crate::sync::atomic::Ordering;

impl Table {
    /// The entry of a key, valid while the guard is.
    #[inline(always)]
    pub fn find<'g>(&self, guard: &'g Guard, key: &Hashed) -> Option<EntryRef<'g>> {
        // SAFETY: what is found under the guard lives as long as it: the directory, its segments, their entries.
        unsafe { segment::find(self.buckets(guard, key)?, key) }
    }

    /// As [`Table::find`], if one look decides. Hashes the key with the secrets in the directory.
    #[inline(always)]
    pub fn probe<'g>(&self, _guard: &'g Guard, key: &[u8]) -> Probe<'g> {
        let directory = self.directory.load(Ordering::Acquire);
        if directory.is_null() {
            return Probe::Missing;
        }
        // SAFETY: as for `find`.
        unsafe {
            let key = Hashed::with_secrets(key, Directory::secrets(directory));
            segment::probe(Directory::buckets(directory, key.hash()), &key)
        }
    }

    /// Begins to load the memory that [`Table::prefetch_entry`] reads.
    #[inline(always)]
    pub fn prefetch_bucket(&self, guard: &Guard, key: &Hashed) {
        if let Some(buckets) = self.buckets(guard, key) {
            segment::prefetch_bucket(buckets, key);
        }
    }

    /// Begins to load the memory that [`Table::find_prefetched`] reads: the likely entry.
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

    /// Shows every entry to `see`.
    pub fn for_each(&self, _guard: &Guard, mut see: impl FnMut(EntryRef)) {
        let directory = self.directory.load(Ordering::Acquire);
        if directory.is_null() {
            return;
        }
        // SAFETY: the directory and its segments live as long as the guard.
        for slot in unsafe { Directory::distinct(directory) } {
            // SAFETY: as above, and so do the entries.
            unsafe { slot.segment().entries().for_each(|entry| see(EntryRef::new(entry))) };
        }
    }
}
