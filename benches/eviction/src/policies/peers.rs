//! moka and quick_cache themselves, with their default policies. An entry weighs what it takes in phicache. Hashes are
//! the same in every run.

use std::hash::{BuildHasherDefault, DefaultHasher};

use super::Policy;
use crate::work::{Entry, Id};

type Hasher = BuildHasherDefault<DefaultHasher>;

/// The weight of an entry, which is also its value.
fn weight(entry: &Entry) -> u32 {
    entry.bytes().ceil() as u32
}

pub struct Moka(moka::sync::Cache<Id, u32, Hasher>);

impl Moka {
    pub fn new(limit: f64) -> Self {
        let builder = moka::sync::Cache::builder().max_capacity(limit as u64).weigher(|_, weight| *weight);
        Moka(builder.build_with_hasher(Hasher::default()))
    }
}

impl Policy for Moka {
    fn get(&mut self, id: Id) -> bool {
        self.0.get(&id).is_some()
    }

    fn set(&mut self, id: Id, entry: &Entry) {
        self.0.insert(id, weight(entry));
        // moka evicts later; the limit counts at every moment.
        self.0.run_pending_tasks();
    }
}

#[derive(Clone)]
struct Weighter;

impl quick_cache::Weighter<Id, u32> for Weighter {
    fn weight(&self, _: &Id, weight: &u32) -> u64 {
        (*weight).into()
    }
}

pub struct QuickCache(quick_cache::sync::Cache<Id, u32, Weighter, Hasher>);

impl QuickCache {
    /// `items`: about as many as fit.
    pub fn new(limit: f64, items: usize) -> Self {
        let (hasher, lifecycle) = (Hasher::default(), quick_cache::sync::DefaultLifecycle::default());
        QuickCache(quick_cache::sync::Cache::with(items, limit as u64, Weighter, hasher, lifecycle))
    }
}

impl Policy for QuickCache {
    fn get(&mut self, id: Id) -> bool {
        self.0.get(&id).is_some()
    }

    fn set(&mut self, id: Id, entry: &Entry) {
        self.0.insert(id, weight(entry));
    }
}
