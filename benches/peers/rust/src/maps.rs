//! The maps, each in its fastest form.

use std::hash::BuildHasher;
use std::sync::Arc;

use foldhash::fast::RandomState;
use parking_lot::RwLock;

use crate::loops::Map;

type Key = Box<[u8]>;
type Value = Arc<[u8]>;

pub struct Dash(dashmap::DashMap<Key, Value, RandomState>);

impl Map for Dash {
    type Section<'a> = ();

    fn make() -> Self {
        Dash(dashmap::DashMap::with_hasher(RandomState::default()))
    }
    fn section(&self) {}
    fn set(&self, key: &[u8], value: Value) {
        self.0.insert(key.into(), value);
    }
    fn counted(&self, key: &[u8]) -> Option<Value> {
        self.0.get(key).map(|value| value.clone())
    }
    fn in_place<R>(&self, _: &(), key: &[u8], look: impl FnOnce(&[u8]) -> R) -> Option<R> {
        self.0.get(key).map(|value| look(&value))
    }
}

pub struct Papaya(papaya::HashMap<Key, Value, RandomState>);

impl Map for Papaya {
    type Section<'a> = papaya::LocalGuard<'a>;

    fn make() -> Self {
        Papaya(papaya::HashMap::with_hasher(RandomState::default()))
    }
    fn section(&self) -> papaya::LocalGuard<'_> {
        self.0.guard()
    }
    fn set(&self, key: &[u8], value: Value) {
        self.0.pin().insert(key.into(), value);
    }
    fn counted(&self, key: &[u8]) -> Option<Value> {
        self.0.pin().get(key).cloned()
    }
    fn in_place<R>(&self, section: &papaya::LocalGuard<'_>, key: &[u8], look: impl FnOnce(&[u8]) -> R) -> Option<R> {
        self.0.get(key, section).map(|value| look(value))
    }
}

pub struct SccMap(scc::HashMap<Key, Value, RandomState>);

impl Map for SccMap {
    type Section<'a> = ();

    fn make() -> Self {
        SccMap(scc::HashMap::with_hasher(RandomState::default()))
    }
    fn section(&self) {}
    fn set(&self, key: &[u8], value: Value) {
        self.0.upsert_sync(key.into(), value);
    }
    fn counted(&self, key: &[u8]) -> Option<Value> {
        self.0.read_sync(key, |_, value| value.clone())
    }
    fn in_place<R>(&self, _: &(), key: &[u8], look: impl FnOnce(&[u8]) -> R) -> Option<R> {
        self.0.read_sync(key, |_, value| look(value))
    }
}

/// scc's map whose readers take no lock.
pub struct SccIndex(scc::HashIndex<Key, Value, RandomState>);

impl Map for SccIndex {
    const SETS_IN_ONE_STEP: bool = false;

    type Section<'a> = scc::Guard;

    fn make() -> Self {
        SccIndex(scc::HashIndex::with_hasher(RandomState::default()))
    }
    fn section(&self) -> scc::Guard {
        scc::Guard::new()
    }
    fn set(&self, key: &[u8], value: Value) {
        match self.0.entry_sync(key.into()) {
            scc::hash_index::Entry::Occupied(mut entry) => entry.update(value),
            scc::hash_index::Entry::Vacant(entry) => drop(entry.insert_entry(value)),
        }
    }
    fn counted(&self, key: &[u8]) -> Option<Value> {
        self.0.peek_with(key, |_, value| value.clone())
    }
    fn in_place<R>(&self, section: &scc::Guard, key: &[u8], look: impl FnOnce(&[u8]) -> R) -> Option<R> {
        self.0.peek(key, section).map(|value| look(value))
    }
}

pub struct Quick(quick_cache::sync::Cache<Key, Value, quick_cache::UnitWeighter, RandomState>);

impl Map for Quick {
    type Section<'a> = ();

    /// Its limit is above the number of entries, its initial capacity is small, so that it grows like the others.
    fn make() -> Self {
        let room = 1 << 40;
        Quick(quick_cache::sync::Cache::with(
            16,
            room,
            quick_cache::UnitWeighter,
            RandomState::default(),
            Default::default(),
        ))
    }
    fn section(&self) {}
    fn set(&self, key: &[u8], value: Value) {
        self.0.insert(key.into(), value);
    }
    fn counted(&self, key: &[u8]) -> Option<Value> {
        self.0.get(key)
    }
    /// It returns reference-counted values only.
    fn in_place<R>(&self, _: &(), key: &[u8], look: impl FnOnce(&[u8]) -> R) -> Option<R> {
        self.0.get(key).map(|value| look(&value))
    }
}

pub struct Moka(moka::sync::Cache<Key, Value, RandomState>);

impl Map for Moka {
    type Section<'a> = ();

    fn make() -> Self {
        Moka(moka::sync::Cache::builder().build_with_hasher(RandomState::default()))
    }
    fn section(&self) {}
    fn set(&self, key: &[u8], value: Value) {
        self.0.insert(key.into(), value);
    }
    fn counted(&self, key: &[u8]) -> Option<Value> {
        self.0.get(key)
    }
    /// It returns reference-counted values only.
    fn in_place<R>(&self, _: &(), key: &[u8], look: impl FnOnce(&[u8]) -> R) -> Option<R> {
        self.0.get(key).map(|value| look(&value))
    }
}

const SHARDS: usize = 64;

type Entries = hashbrown::HashTable<(Key, Value)>;

/// The usual do-it-yourself map: shards behind locks, each on its own cache lines.
#[repr(align(128))]
struct Shard(RwLock<Entries>);

pub struct Shards {
    shards: [Shard; SHARDS],
    hasher: RandomState,
}

impl Shards {
    /// The table in a shard uses the highest and the lowest bits of the hash, so the shard is chosen by others.
    fn shard(&self, key: &[u8]) -> (&RwLock<Entries>, u64) {
        let hash = self.hasher.hash_one(key);
        (&self.shards[(hash >> 40) as usize % SHARDS].0, hash)
    }

    fn read<R>(&self, key: &[u8], look: impl FnOnce(&Value) -> R) -> Option<R> {
        let (shard, hash) = self.shard(key);
        let entries = shard.read();
        entries.find(hash, |entry| *entry.0 == *key).map(|entry| look(&entry.1))
    }
}

impl Map for Shards {
    type Section<'a> = ();

    fn make() -> Self {
        let shards = std::array::from_fn(|_| Shard(RwLock::new(Entries::new())));
        Shards { shards, hasher: RandomState::default() }
    }
    fn section(&self) {}
    fn set(&self, key: &[u8], mut value: Value) {
        let (shard, hash) = self.shard(key);
        let mut entries = shard.write();
        match entries.find_mut(hash, |entry| *entry.0 == *key) {
            Some(entry) => std::mem::swap(&mut entry.1, &mut value),
            None => {
                entries.insert_unique(hash, (key.into(), value), |entry| self.hasher.hash_one(&*entry.0));
                return;
            }
        }
        // The replaced value is freed outside the lock.
        drop(entries);
        drop(value);
    }
    fn counted(&self, key: &[u8]) -> Option<Value> {
        self.read(key, Value::clone)
    }
    fn in_place<R>(&self, _: &(), key: &[u8], look: impl FnOnce(&[u8]) -> R) -> Option<R> {
        self.read(key, |value| look(value))
    }
}
