//! The caches: phicache through its C API, moka with a weigher, a map without a limit.

use std::collections::HashMap;
use std::mem::zeroed;
use std::ptr;
use std::sync::Arc;

use phicache::ffi::api::cache::phicache_cache_set_with_cost;
use phicache::ffi::api::dict::{
    phicache_dict_cache_as_cache, phicache_dict_cache_clear, phicache_dict_cache_free, phicache_dict_cache_get,
    phicache_dict_cache_new, phicache_dict_cache_remove,
};
use phicache::ffi::api::library::phicache_value_release;
use phicache::ffi::border::types::{
    PHICACHE_OK, PHICACHE_ON_FULL_EVICT, PHICACHE_ON_FULL_REFUSE, phicache_bytes, phicache_cache,
    phicache_cache_options, phicache_dict_cache, phicache_value,
};

use crate::work::Id;

pub trait Contestant {
    /// Whether the value is there. If so, its first byte is read.
    fn get(&mut self, id: Id) -> bool;
    /// Stores a value whose computation took `cost` nanoseconds.
    fn set(&mut self, id: Id, value: &[u8], cost: u64);
    fn remove(&mut self, id: Id);
    fn clear(&mut self);
}

/// A contestant that may take `limit` bytes.
pub fn by_name(name: &str, limit: u64) -> Option<Box<dyn Contestant>> {
    Some(match name {
        "refuse" => Box::new(Phicache::new(limit, PHICACHE_ON_FULL_REFUSE)),
        "evict" => Box::new(Phicache::new(limit, PHICACHE_ON_FULL_EVICT)),
        "moka" => Box::new(Moka::new(limit)),
        "map" => Box::new(Map::default()),
        _ => return None,
    })
}

type Key = [u8; 16];

fn key(id: Id) -> Key {
    u128::from(id).to_le_bytes()
}

struct Phicache {
    cache: *mut phicache_dict_cache,
    any: *mut phicache_cache,
}

impl Phicache {
    fn new(limit: u64, on_full: i32) -> Self {
        let (mut cache, mut any) = (ptr::null_mut(), ptr::null_mut());
        // SAFETY: options that are zero are the default. The pointers are those of live variables, and the cache that
        // the first call makes is alive in the second.
        unsafe {
            let mut options: phicache_cache_options = zeroed();
            options.struct_size = size_of::<phicache_cache_options>();
            options.max_bytes = limit;
            options.on_full = on_full;
            assert_eq!(phicache_dict_cache_new(ptr::null_mut(), &options, &mut cache), PHICACHE_OK);
            assert_eq!(phicache_dict_cache_as_cache(cache, &mut any), PHICACHE_OK);
        }
        Phicache { cache, any }
    }
}

fn bytes(bytes: &[u8]) -> phicache_bytes {
    phicache_bytes { data: bytes.as_ptr(), len: bytes.len() }
}

impl Contestant for Phicache {
    fn get(&mut self, id: Id) -> bool {
        let key = key(id);
        // SAFETY: cache and key are alive, the value is read while it is pinned, and released once.
        unsafe {
            let mut value: phicache_value = zeroed();
            let found = phicache_dict_cache_get(self.cache, bytes(&key), &mut value) == PHICACHE_OK;
            if found {
                std::hint::black_box(*value.data);
            }
            phicache_value_release(&mut value);
            found
        }
    }

    fn set(&mut self, id: Id, value: &[u8], cost: u64) {
        // SAFETY: cache, key and value are alive.
        unsafe { phicache_cache_set_with_cost(self.any, bytes(&key(id)), bytes(value), cost.max(1)) };
    }

    fn remove(&mut self, id: Id) {
        // SAFETY: cache and key are alive.
        unsafe { phicache_dict_cache_remove(self.cache, bytes(&key(id))) };
    }

    fn clear(&mut self) {
        // SAFETY: the cache is alive.
        unsafe { phicache_dict_cache_clear(self.cache) };
    }
}

impl Drop for Phicache {
    fn drop(&mut self) {
        // SAFETY: nobody uses the cache any more.
        unsafe { phicache_dict_cache_free(self.cache) };
    }
}

/// A value weighs its bytes and those of its key, as users of moka write it.
struct Moka(moka::sync::Cache<Key, Arc<[u8]>>);

impl Moka {
    fn new(limit: u64) -> Self {
        let weight = |key: &Key, value: &Arc<[u8]>| (key.len() + value.len()) as u32;
        Moka(moka::sync::Cache::builder().max_capacity(limit).weigher(weight).build())
    }
}

impl Contestant for Moka {
    fn get(&mut self, id: Id) -> bool {
        self.0.get(&key(id)).inspect(|value| _ = std::hint::black_box(value[0])).is_some()
    }

    fn set(&mut self, id: Id, value: &[u8], _cost: u64) {
        self.0.insert(key(id), value.into());
    }

    fn remove(&mut self, id: Id) {
        self.0.invalidate(&key(id));
    }

    fn clear(&mut self) {
        self.0.invalidate_all();
        // Without this call, moka drops the values later.
        self.0.run_pending_tasks();
    }
}

#[derive(Default)]
struct Map(HashMap<Key, Box<[u8]>>);

impl Contestant for Map {
    fn get(&mut self, id: Id) -> bool {
        self.0.get(&key(id)).inspect(|value| _ = std::hint::black_box(value[0])).is_some()
    }

    fn set(&mut self, id: Id, value: &[u8], _cost: u64) {
        self.0.insert(key(id), value.into());
    }

    fn remove(&mut self, id: Id) {
        self.0.remove(&key(id));
    }

    fn clear(&mut self) {
        // A map that is only cleared keeps its table.
        self.0 = HashMap::new();
    }
}
