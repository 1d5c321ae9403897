//! Lock-free lookups in a table, under a guard.

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
        // SAFETY: the directory, its segments and their entries live as long as the guard under which they are found.
        unsafe { segment::find(self.buckets(guard, key)?, key) }
    }

    /// As [`Table::find`], but looks only at the first bucket. Hashes the key with the secrets in the directory.
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
