//! moka and quick_cache themselves, with their default policies. An entry weighs what it takes in them: its key and its
//! value, and what a cache of such entries takes beside those, by the allocator's count. Hashes are the same in every
//! run.

use std::hash::{BuildHasherDefault, DefaultHasher};
use std::sync::Arc;

use super::Policy;
use super::phicache::Phicache;
use crate::heap;
use crate::work::{Entry, Id, Work};

type Hasher = BuildHasherDefault<DefaultHasher>;

/// What a user would store: hits share the value and do not copy it.
type Key = Box<[u8]>;
type Value = Arc<[u8]>;

/// The bytes that an entry of a run takes in a cache of each kind beside its key and its value, on average.
#[derive(Clone, Copy)]
pub struct Overheads {
    pub phicache: f64,
    pub moka: f64,
    pub quick_cache: f64,
}

impl Overheads {
    pub fn of(work: &Work) -> Self {
        let entries: Vec<&Entry> = work.entries.iter().cycle().take(MEASURED).collect();
        let contents: u64 = entries.iter().map(|entry| entry.contents() as u64).sum();
        let weight = |key: &Key, value: &Value| (key.len() + value.len()) as u32;
        let phicache = Phicache::new((1u64 << 40) as f64, &[]);
        let moka = moka::sync::Cache::builder().max_capacity(contents).weigher(weight);
        let moka = moka.build_with_hasher(Hasher::default());
        let quick_cache = quick_cache(MEASURED, contents, move |key: &Key, value: &Value| weight(key, value).into());
        Overheads {
            phicache: overhead(&entries, || phicache.bytes(), |key, value| phicache.insert(&key, &value)),
            moka: overhead(&entries, heap::in_use, |key, value| {
                moka.insert(key, value);
                moka.run_pending_tasks();
            }),
            quick_cache: overhead(&entries, heap::in_use, |key, value| quick_cache.insert(key, value)),
        }
    }
}

/// The entries of a cache that is measured. Tables grow by doubling, so its figure is the mean while it grows from half
/// of them to all.
const MEASURED: usize = 8192;

/// The bytes that an entry takes beside its key and its value in a cache that `insert` fills. What the empty cache
/// takes, kilobytes, is left out.
fn overhead(entries: &[&Entry], in_use: impl Fn() -> u64, insert: impl Fn(Key, Value)) -> f64 {
    let empty = in_use();
    let (mut contents, mut sum) = (0, 0.0);
    for (number, entry) in entries.iter().enumerate() {
        let mut key = vec![0; entry.key_len];
        key[..4].copy_from_slice(&(number as u32).to_le_bytes());
        insert(key.into(), vec![7; entry.value_len].into());
        contents += entry.contents();
        if number >= entries.len() / 2 {
            sum += ((in_use() - empty) as f64 - contents as f64) / (number + 1) as f64;
        }
    }
    sum / entries.len().div_ceil(2) as f64
}

/// What an entry weighs with this overhead. The weight is also the value in replays.
fn weight(entry: &Entry, overhead: f64) -> u32 {
    (entry.contents() as f64 + overhead).ceil() as u32
}

pub struct Moka {
    cache: moka::sync::Cache<Id, u32, Hasher>,
    overhead: f64,
}

impl Moka {
    pub fn new(limit: f64, overhead: f64) -> Self {
        let builder = moka::sync::Cache::builder().max_capacity(limit as u64).weigher(|_, weight| *weight);
        Moka { cache: builder.build_with_hasher(Hasher::default()), overhead }
    }
}

impl Policy for Moka {
    fn get(&mut self, id: Id) -> bool {
        self.cache.get(&id).is_some()
    }

    fn set(&mut self, id: Id, entry: &Entry) {
        self.cache.insert(id, weight(entry, self.overhead));
        // moka evicts later; the limit counts at every moment.
        self.cache.run_pending_tasks();
    }
}

/// A weigher for quick_cache.
#[derive(Clone)]
struct Weigher<F>(F);

impl<K, V, F: Fn(&K, &V) -> u64 + Clone> quick_cache::Weighter<K, V> for Weigher<F> {
    fn weight(&self, key: &K, value: &V) -> u64 {
        self.0(key, value)
    }
}

type Quick<K, V, F> = quick_cache::sync::Cache<K, V, Weigher<F>, Hasher>;

/// A cache for about this many items.
fn quick_cache<K, V, F>(items: usize, limit: u64, weigh: F) -> Quick<K, V, F>
where
    K: Eq + std::hash::Hash,
    V: Clone,
    F: Fn(&K, &V) -> u64 + Clone,
{
    let (hasher, lifecycle) = (Hasher::default(), quick_cache::sync::DefaultLifecycle::default());
    Quick::with(items, limit, Weigher(weigh), hasher, lifecycle)
}

pub struct QuickCache {
    cache: Quick<Id, u32, fn(&Id, &u32) -> u64>,
    overhead: f64,
}

impl QuickCache {
    /// For entries with this mean of keys and values.
    pub fn new(limit: f64, mean_contents: f64, overhead: f64) -> Self {
        let items = (limit / (mean_contents + overhead)).ceil() as usize;
        QuickCache { cache: quick_cache(items, limit as u64, |_, weight| (*weight).into()), overhead }
    }
}

impl Policy for QuickCache {
    fn get(&mut self, id: Id) -> bool {
        self.cache.get(&id).is_some()
    }

    fn set(&mut self, id: Id, entry: &Entry) {
        self.cache.insert(id, weight(entry, self.overhead));
    }
}
