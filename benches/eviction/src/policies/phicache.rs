//! The library itself, through its C API, with real keys and values.

use std::mem::zeroed;
use std::ptr;

use phicache::ffi::api::cache::{phicache_cache_set_with_cost, phicache_cache_stats};
use phicache::ffi::api::dict::{
    phicache_dict_cache_as_cache, phicache_dict_cache_free, phicache_dict_cache_get, phicache_dict_cache_new,
};
use phicache::ffi::api::library::phicache_value_release;
use phicache::ffi::border::types::{
    PHICACHE_OK, PHICACHE_ON_FULL_EVICT, phicache_bytes, phicache_cache, phicache_cache_options, phicache_dict_cache,
    phicache_stats, phicache_value,
};

use super::Policy;
use crate::work::{Entry, Id};

pub struct Phicache {
    cache: *mut phicache_dict_cache,
    any: *mut phicache_cache,
    /// The lengths of keys, by id.
    keys: Vec<usize>,
    key: Vec<u8>,
    value: Vec<u8>,
}

impl Phicache {
    pub fn new(limit: f64, entries: &[Entry]) -> Self {
        let (mut cache, mut any) = (ptr::null_mut(), ptr::null_mut());
        // SAFETY: options that are zero are the default. The pointers are those of live variables, and the cache that
        // the first call makes is alive in the second.
        unsafe {
            let mut options: phicache_cache_options = zeroed();
            options.struct_size = size_of::<phicache_cache_options>();
            options.max_bytes = limit as u64;
            options.on_full = PHICACHE_ON_FULL_EVICT;
            assert_eq!(phicache_dict_cache_new(ptr::null_mut(), &options, &mut cache), PHICACHE_OK);
            assert_eq!(phicache_dict_cache_as_cache(cache, &mut any), PHICACHE_OK);
        }
        let keys: Vec<usize> = entries.iter().map(|entry| entry.key_len).collect();
        let key = vec![0; keys.iter().copied().max().unwrap_or(0)];
        let value = vec![7; entries.iter().map(|entry| entry.value_len).max().unwrap_or(0)];
        Phicache { cache, any, keys, key, value }
    }

    /// Whether this build of the library evicts; if not, it refuses.
    pub fn evicts() -> bool {
        let entry = Entry { key_len: 16, value_len: 64, block: 112, cost: 1e5 };
        let mut cache = Self::new(16384.0, &[entry; 1000]);
        (0..1000).for_each(|id| cache.set(id, &entry));
        (900..1000).any(|id| cache.get(id))
    }

    /// Stores a value of unknown cost.
    pub fn insert(&self, key: &[u8], value: &[u8]) {
        let bytes = |bytes: &[u8]| phicache_bytes { data: bytes.as_ptr(), len: bytes.len() };
        // SAFETY: cache, key and value are alive.
        unsafe { phicache_cache_set_with_cost(self.any, bytes(key), bytes(value), 0) };
    }

    /// The bytes that the cache takes, by its own account: its chunks are not in the heap.
    pub fn bytes(&self) -> u64 {
        self.stats().bytes
    }

    /// The bytes of the blocks of its entries.
    pub fn live_bytes(&self) -> u64 {
        self.stats().live_bytes
    }

    fn stats(&self) -> phicache_stats {
        // SAFETY: the structure is zeroed and has its size; the cache is alive.
        unsafe {
            let mut stats: phicache_stats = zeroed();
            stats.struct_size = size_of::<phicache_stats>();
            assert_eq!(phicache_cache_stats(self.any, &mut stats), PHICACHE_OK);
            stats
        }
    }

    /// A key of the recorded length, which is different for each entry.
    fn key(&mut self, id: Id) -> phicache_bytes {
        self.key[..4].copy_from_slice(&(id as u32).to_le_bytes());
        phicache_bytes { data: self.key.as_ptr(), len: self.keys[id] }
    }
}

impl Policy for Phicache {
    fn get(&mut self, id: Id) -> bool {
        let key = self.key(id);
        // SAFETY: cache and key are alive, and the value is released once.
        unsafe {
            let mut value: phicache_value = zeroed();
            let found = phicache_dict_cache_get(self.cache, key, &mut value) == PHICACHE_OK;
            phicache_value_release(&mut value);
            found
        }
    }

    fn set(&mut self, id: Id, entry: &Entry) {
        let key = self.key(id);
        let value = phicache_bytes { data: self.value.as_ptr(), len: entry.value_len };
        // SAFETY: cache, key and value are alive.
        unsafe { phicache_cache_set_with_cost(self.any, key, value, (entry.cost as u64).max(1)) };
    }
}

impl Drop for Phicache {
    fn drop(&mut self) {
        // SAFETY: nobody uses the cache any more.
        unsafe { phicache_dict_cache_free(self.cache) };
    }
}
