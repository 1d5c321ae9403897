//! Finds entries by key: a hash table in shards, each behind its own lock.
//!
//! A table without entries owns no memory: the shards come with the first entry, since a run makes hundreds of caches
//! that stay nearly empty. No lock is ever held while code of a caller runs or while an entry's memory is freed.

use std::mem;
use std::sync::atomic::{AtomicU64, Ordering};

use hashbrown::HashTable;

use super::account::{Account, chunk};
use super::entry::{Fresh, Pinned};
use super::hash::hash;
use super::lock::RwLock;
use super::shared::{Shared, SharedCell};
use crate::error::Result;

/// Enough that two threads rarely meet in one; a power of two.
const SHARDS: usize = 16;

/// No first hash table of a shard takes more bytes than this.
const FIRST_TABLE: u64 = 256;

type Entries = HashTable<Pinned>;

/// One lock per cache line.
#[repr(align(64))]
#[derive(Default)]
struct Shard(RwLock<Entries>);

struct Shards {
    shards: [Shard; SHARDS],
    account: Shared<Account>,
}

impl Shards {
    fn try_new(account: Shared<Account>) -> Result<Shared<Self>> {
        let shards = Shared::try_new(Shards { shards: Default::default(), account })?;
        shards.account.charge(Self::own_bytes(), u64::MAX);
        Ok(shards)
    }

    fn own_bytes() -> u64 {
        chunk(size_of::<Self>())
    }

    /// The hash table inside a shard uses the highest and the lowest bits of the hash; the shard takes others.
    fn of(&self, hash: u64) -> &RwLock<Entries> {
        &self.shards[(hash >> 40) as usize % SHARDS].0
    }

    /// Takes everything out of one shard, and the memory of its table off the account.
    fn take(&self, shard: &Shard) -> Entries {
        let entries = mem::take(&mut *shard.0.write());
        self.account.discharge(table_bytes(&entries));
        entries
    }
}

impl Drop for Shards {
    fn drop(&mut self) {
        for shard in &self.shards {
            drop(self.take(shard));
        }
        self.account.discharge(Self::own_bytes());
    }
}

fn table_bytes(entries: &Entries) -> u64 {
    match entries.allocation_size() {
        0 => 0,
        size => chunk(size),
    }
}

/// What became of an insertion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Inserted {
    /// The key is new.
    New,
    /// The key had another value before.
    Replaced,
    /// The key has another value, and keeps it.
    Kept,
    /// The table would hold more bytes than it may; nothing changed.
    OverCapacity,
    /// There is no memory for a larger table; nothing changed.
    NoMemory,
}

/// Entries by key.
#[derive(Default)]
pub struct Table {
    shards: SharedCell<Shards>,
    changes: AtomicU64,
}

impl Table {
    /// A table without entries. Allocates nothing.
    pub const fn new() -> Self {
        Table { shards: SharedCell::new(), changes: AtomicU64::new(0) }
    }

    /// The entry of `key`, pinned.
    #[inline]
    pub fn get(&self, key: &[u8]) -> Option<Pinned> {
        let shards = self.shards.get()?;
        let hash = hash(key);
        shards.of(hash).read().find(hash, |entry| entry.key() == key).cloned()
    }

    /// Whether `key` has an entry.
    pub fn contains(&self, key: &[u8]) -> bool {
        self.read(key, |_| ()).is_some()
    }

    /// What `look` makes of the value of `key`, in place. `look` must be short and must not call back into the table.
    #[inline]
    pub fn read<R>(&self, key: &[u8], look: impl FnOnce(&[u8]) -> R) -> Option<R> {
        let shards = self.shards.get()?;
        let hash = hash(key);
        shards.of(hash).read().find(hash, |entry| entry.key() == key).map(|entry| look(entry.value()))
    }

    /// Takes an entry in, unless the table would come to hold more than `limit` bytes. Where the key has an entry already,
    /// `replace` says which of the two stays. Whatever happens, the maker gets the new entry back, pinned.
    pub fn insert(&self, mut fresh: Fresh, replace: bool, limit: u64) -> (Pinned, Inserted) {
        // The first entry brings the shards and a table along.
        let least = if self.shards.get().is_none() { Shards::own_bytes() + FIRST_TABLE } else { 0 };
        if least.saturating_add(fresh.entry().weight()) > limit {
            return (fresh.into_pinned(), Inserted::OverCapacity);
        }
        let Ok(shards) = self.shards.get_or_try_init(|| Shards::try_new(Shared::try_new(Account::default())?)) else {
            return (fresh.into_pinned(), Inserted::NoMemory);
        };
        let hash = hash(fresh.entry().key());
        let mut entries = shards.of(hash).write();
        if let Some(place) = entries.find_mut(hash, |entry| entry.key() == fresh.entry().key()) {
            if !replace {
                return (fresh.into_pinned(), Inserted::Kept);
            }
            if !fresh.charge(&shards.account, limit) {
                return (fresh.into_pinned(), Inserted::OverCapacity);
            }
            let pinned = fresh.into_pinned();
            let replaced = mem::replace(place, pinned.clone());
            drop(entries);
            drop(replaced);
            self.changes.fetch_add(1, Ordering::Release);
            return (pinned, Inserted::Replaced);
        }
        match shards.make_room(&mut entries, fresh.entry().weight(), limit) {
            Inserted::New => {}
            refused => return (fresh.into_pinned(), refused),
        }
        if !fresh.charge(&shards.account, limit) {
            return (fresh.into_pinned(), Inserted::OverCapacity);
        }
        let pinned = fresh.into_pinned();
        entries.insert_unique(hash, pinned.clone(), |entry| self::hash(entry.key()));
        self.changes.fetch_add(1, Ordering::Release);
        (pinned, Inserted::New)
    }

    /// Takes the entry of `key` out; says whether there was one.
    pub fn remove(&self, key: &[u8]) -> bool {
        let Some(shards) = self.shards.get() else { return false };
        let hash = hash(key);
        let mut entries = shards.of(hash).write();
        let Ok(place) = entries.find_entry(hash, |entry| entry.key() == key) else { return false };
        let (removed, _) = place.remove();
        drop(entries);
        drop(removed);
        self.changes.fetch_add(1, Ordering::Release);
        true
    }

    /// Takes all entries out.
    pub fn clear(&self) {
        let Some(shards) = self.shards.get() else { return };
        for shard in &shards.shards {
            drop(shards.take(shard));
        }
        self.changes.fetch_add(1, Ordering::Release);
    }

    /// Moves all entries into a table of their own, on the same account.
    pub fn split_off(&self) -> Result<Table> {
        let taken = Table::new();
        let Some(shards) = self.shards.get() else { return Ok(taken) };
        let own = taken.shards.get_or_try_init(|| Shards::try_new(shards.account.clone()))?;
        for (from, to) in shards.shards.iter().zip(&own.shards) {
            let entries = mem::take(&mut *from.0.write());
            *to.0.write() = entries;
        }
        self.changes.fetch_add(1, Ordering::Release);
        Ok(taken)
    }

    /// Shows every entry to `see`, which must be short and must not call back into the table.
    pub fn for_each(&self, mut see: impl FnMut(&Pinned)) {
        let Some(shards) = self.shards.get() else { return };
        for shard in &shards.shards {
            shard.0.read().iter().for_each(&mut see);
        }
    }

    /// The number of entries.
    pub fn len(&self) -> u64 {
        let shards = self.shards.get();
        shards.map_or(0, |shards| shards.shards.iter().map(|shard| shard.0.read().len() as u64).sum())
    }

    /// Whether there is no entry.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Grows with every insertion, removal and clearing: equal numbers mean equal contents.
    pub fn changes(&self) -> u64 {
        self.changes.load(Ordering::Acquire)
    }

    /// The bytes held: entries, pinned ones that were taken out included, and the tables.
    pub fn bytes(&self) -> u64 {
        self.shards.get().map_or(0, |shards| shards.account.bytes())
    }
}

impl Shards {
    /// Makes sure that one more entry of `weight` fits into `entries`; answers New when it does.
    fn make_room(&self, entries: &mut Entries, weight: u64, limit: u64) -> Inserted {
        if entries.len() < entries.capacity() {
            return Inserted::New;
        }
        let before = table_bytes(entries);
        // A table that grows doubles.
        let growth = before.max(FIRST_TABLE);
        if self.account.bytes().saturating_add(growth).saturating_add(weight) > limit {
            return Inserted::OverCapacity;
        }
        if entries.try_reserve(1, |entry| hash(entry.key())).is_err() {
            return Inserted::NoMemory;
        }
        let after = table_bytes(entries);
        self.account.charge(after, u64::MAX);
        self.account.discharge(before);
        Inserted::New
    }
}

#[cfg(test)]
mod tests {
    use super::super::entry::Draft;
    use super::*;

    fn fresh(key: &[u8], value: &[u8]) -> Fresh {
        let mut draft = Draft::new(key);
        draft.write(value).unwrap();
        draft.finish().unwrap()
    }

    #[test]
    fn an_empty_table_holds_no_memory_and_a_cleared_one_only_its_shards() {
        let table = Table::new();
        assert!(table.get(b"k").is_none() && !table.remove(b"k"));
        table.clear();
        assert_eq!((table.len(), table.bytes()), (0, 0));
        for i in 0..1000u32 {
            table.insert(fresh(&i.to_le_bytes(), b"value"), true, u64::MAX);
        }
        assert_eq!(table.len(), 1000);
        assert!(table.bytes() > 1000 * 64);
        table.clear();
        assert_eq!((table.len(), table.bytes()), (0, Shards::own_bytes()));
    }

    #[test]
    fn bytes_are_the_sum_of_entries_and_tables_and_pins_stay_charged() {
        let table = Table::new();
        let (pin, _) = table.insert(fresh(b"k", &[1; 100]), true, u64::MAX);
        let one = table.bytes();
        table.insert(fresh(b"k", &[2; 100]), true, u64::MAX);
        assert_eq!(table.bytes(), one + pin.weight());
        assert_eq!(pin.value(), [1; 100]);
        drop(pin);
        assert_eq!(table.bytes(), one);
        let last = table.get(b"k").unwrap();
        table.remove(b"k");
        assert_eq!(table.bytes(), one);
        drop(table);
        assert_eq!(last.value(), [2; 100]);
    }

    #[test]
    fn an_entry_that_is_not_to_be_replaced_stays() {
        let table = Table::new();
        table.insert(fresh(b"k", b"first"), true, u64::MAX);
        let (own, inserted) = table.insert(fresh(b"k", b"second"), false, u64::MAX);
        assert_eq!((own.value(), inserted), (&b"second"[..], Inserted::Kept));
        assert_eq!(table.get(b"k").unwrap().value(), b"first");
    }

    #[test]
    fn a_limit_is_never_passed_and_a_refused_overwrite_keeps_the_old_value() {
        let table = Table::new();
        let limit = 20_000;
        let mut refused = 0;
        for i in 0..1000u32 {
            let (_, inserted) = table.insert(fresh(&i.to_le_bytes(), &[0; 32]), true, limit);
            refused += u32::from(inserted == Inserted::OverCapacity);
            assert!(table.bytes() <= limit, "{} bytes", table.bytes());
        }
        assert!(refused > 0 && table.len() > 100);
        let (_, inserted) = table.insert(fresh(&0u32.to_le_bytes(), &[1; 30_000]), true, limit);
        assert_eq!(inserted, Inserted::OverCapacity);
        assert_eq!(table.get(&0u32.to_le_bytes()).unwrap().value(), [0; 32]);
    }

    #[test]
    fn a_limit_too_low_for_one_entry_leaves_an_empty_table_empty() {
        let table = Table::new();
        for limit in 0..2000 {
            let (_, inserted) = table.insert(fresh(b"k", b"v"), true, limit);
            assert!(table.bytes() <= limit);
            if inserted == Inserted::New {
                return;
            }
            assert_eq!((inserted, table.bytes()), (Inserted::OverCapacity, 0));
        }
        panic!("nothing fits into 2000 bytes");
    }

    #[test]
    fn split_off_moves_entries_and_keeps_the_account() {
        let table = Table::new();
        for i in 0..100u32 {
            table.insert(fresh(&i.to_le_bytes(), b"v"), true, u64::MAX);
        }
        let bytes = table.bytes();
        let taken = table.split_off().unwrap();
        assert_eq!((table.len(), taken.len()), (0, 100));
        assert_eq!(table.bytes(), bytes + Shards::own_bytes());
        drop(taken);
        assert_eq!(table.bytes(), Shards::own_bytes());
    }
}
