//! A dict cache under random operations, compared with a hash map: lookups in all forms, stores, removals, clears,
//! computations and leases. Values stay pinned throughout. Some runs have a limit in bytes, at which the cache refuses
//! or evicts: then each store tells, by the statistics, how many entries it has evicted, and the model looks which.
#![no_main]

use std::collections::HashMap;
use std::sync::Arc;

use libfuzzer_sys::fuzz_target;
use phicache::cache::{Cache, Cost, DictCache, Fast, Lease, OnFull, Options, Origin, Refusal, Started, Stored, Value};
use phicache::config::Config;
use phicache::epoch;
use phicache::error::Error;
use phicache::table::weight;
use phicache_fuzz::Input;

const VALUE_LENGTHS: [usize; 12] = [0, 1, 8, 15, 16, 17, 100, 256, 1000, 1025, 5000, 70_000];

/// One of about 130 keys of 0 to 80 bytes; half of the time one of eight, so that operations meet at the same key.
fn key(input: &mut Input) -> Vec<u8> {
    let byte = match input.byte() {
        few @ ..128 => few % 8,
        byte => byte,
    };
    vec![byte; usize::from(byte) * 7 % 81]
}

fn value(input: &mut Input) -> Vec<u8> {
    let len = VALUE_LENGTHS[usize::from(input.below(12))];
    vec![input.byte(); len]
}

struct Begun {
    key: Vec<u8>,
    owner: u64,
    lease: Lease,
    value: Vec<u8>,
    /// The key was removed or the cache cleared in the meantime.
    doomed: bool,
}

/// What a cache has evicted since it was cleared: entries and bytes, as in its statistics.
type Evicted = (u64, u64);

/// The values that stay pinned in a cache that evicts: more would leave no room.
const PINS: usize = 8;

struct World {
    cache: Cache,
    max_bytes: Option<u64>,
    evicts: bool,
    evicted: Evicted,
    /// The costs of entries that were given with them, and the sum of those that were evicted.
    costs: HashMap<Vec<u8>, u64>,
    evicted_ns: u64,
    entries: HashMap<Vec<u8>, Vec<u8>>,
    hits: u64,
    misses: u64,
    pinned: Vec<(Value, Vec<u8>)>,
    begun: Vec<Begun>,
}

impl World {
    fn new(max_bytes: Option<u64>, evicts: bool) -> Self {
        let config: Arc<Config> = Config::new().unwrap();
        config.set_maximum_memory(-1.0).unwrap();
        let on_full = if evicts { OnFull::Evict } else { OnFull::Refuse };
        let cache = DictCache::dict(config, Options { max_bytes, on_full, ..Options::default() }).unwrap().into();
        World {
            cache,
            max_bytes,
            evicts,
            evicted: (0, 0),
            costs: HashMap::new(),
            evicted_ns: 0,
            entries: HashMap::new(),
            hits: 0,
            misses: 0,
            pinned: Vec::new(),
            begun: Vec::new(),
        }
    }

    fn count(&mut self, hit: bool) {
        self.hits += u64::from(hit);
        self.misses += u64::from(!hit);
    }

    /// Whether the value was stored; only the limit may refuse it.
    fn was_stored(&self, stored: Stored) -> bool {
        match stored {
            Ok(()) => true,
            Err(Refusal::Capacity) if self.max_bytes.is_some() => false,
            Err(reason) => panic!("refused: {reason:?}"),
        }
    }

    fn pin(&mut self, value: Value, expected: Vec<u8>) {
        assert!(value.entry.value() == expected);
        assert!(value.entry.value().as_ptr().addr().is_multiple_of(16));
        self.pinned.push((value, expected));
        if self.evicts && self.pinned.len() > PINS {
            let (value, expected) = self.pinned.remove(0);
            assert!(value.entry.value() == expected);
        }
    }

    /// Takes the entries from the model that a store has evicted: as many as the statistics say. The store may have
    /// evicted the entry that it would have `replaced`, which took this many bytes.
    fn settle(&mut self, replaced: Option<u64>) {
        let stats = self.cache.stats().unwrap();
        let now = (stats.evictions, stats.evicted_bytes);
        if now != self.evicted {
            let is_gone = |key: &[u8]| self.cache.peek(key).unwrap().is_none();
            let gone: Vec<_> = self.entries.extract_if(|key, _| is_gone(key)).collect();
            self.evicted.0 += gone.len() as u64;
            self.evicted.1 += gone.iter().map(|(key, value)| weight(key.len(), value.len())).sum::<u64>();
            self.evicted_ns += gone.iter().filter_map(|(key, _)| self.costs.remove(key)).sum::<u64>();
            if now != self.evicted
                && let Some(bytes) = replaced
            {
                self.evicted = (self.evicted.0 + 1, self.evicted.1 + bytes);
            }
        }
        assert_eq!(now, self.evicted);
        assert!(self.evicts || now.0 == 0);
        assert!(stats.evicted_ns >= self.evicted_ns);
        assert_eq!(stats.info.size, self.entries.len() as u64);
        let live: u64 = self.entries.iter().map(|(key, value)| weight(key.len(), value.len())).sum();
        assert_eq!(stats.live_bytes, live);
        assert!(live <= stats.bytes && self.max_bytes.is_none_or(|max| stats.bytes <= max), "{} bytes", stats.bytes);
    }

    fn get(&mut self, key: &[u8]) {
        let expected = self.entries.get(key).cloned();
        self.count(expected.is_some());
        // Looks the key up as the C face does: first on the fast path.
        let found = match self.cache.try_fast_get(key) {
            Fast::Hit(value) => Some(value),
            Fast::Miss => None,
            Fast::Slow => self.cache.get(key).unwrap(),
        };
        match (found, expected) {
            (None, None) => {}
            (Some(value), Some(expected)) => {
                assert_eq!(value.origin, Origin::Hit);
                self.pin(value, expected);
            }
            (found, _) => panic!("found: {}", found.is_some()),
        }
    }

    fn look(&mut self, key: &[u8], capacity: usize) {
        let expected = self.entries.get(key).cloned();
        epoch::read(|guard| assert!(self.cache.look(guard, key).unwrap() == expected.as_deref()));
        self.count(expected.is_some());
        assert_eq!(self.cache.contains(key), Ok(expected.is_some()));
        let mut buffer = vec![0; capacity];
        match (self.cache.get_into(key, &mut buffer), expected) {
            (Ok(None), None) => self.count(false),
            (Ok(Some(len)), Some(expected)) => {
                assert!(buffer[..len] == expected);
                self.count(true);
            }
            (Err(Error::BufferTooSmall { needed, .. }), Some(expected)) => {
                assert!(needed == expected.len() && needed > capacity);
            }
            (found, _) => panic!("{found:?}"),
        }
    }

    fn get_many(&mut self, keys: &[Vec<u8>]) {
        let mut found = vec![None; keys.len()];
        let asked = self.cache.get_many(keys.iter().map(Vec::as_slice), |place, value| {
            found[place] = Some(value.entry.value().to_vec());
        });
        asked.unwrap();
        for (key, found) in keys.iter().zip(found) {
            assert!(found.as_ref() == self.entries.get(key));
            self.count(found.is_some());
        }
    }

    fn set(&mut self, key: Vec<u8>, value: Vec<u8>, cost: u64) {
        let stored = match cost {
            0 => self.cache.set(&key, &value).unwrap(),
            cost => self.cache.set_with_cost(&key, &value, Cost::of_ns(cost)).unwrap(),
        };
        let replaced = self.entries.get(&key).map(|value| weight(key.len(), value.len()));
        if self.was_stored(stored) {
            self.costs.insert(key.clone(), cost);
            self.entries.insert(key, value);
        }
        self.settle(replaced);
    }

    fn doom(&mut self, key: Option<&[u8]>) {
        self.begun
            .iter_mut()
            .filter(|begun| key.is_none_or(|key| begun.key == key))
            .for_each(|begun| begun.doomed = true);
    }

    fn clear(&mut self) {
        self.cache.clear().unwrap();
        self.doom(None);
        self.entries.clear();
        self.costs.clear();
        (self.hits, self.misses, self.evicted, self.evicted_ns) = (0, 0, (0, 0), 0);
    }

    /// Updates the model at the end of a computation that was not invalidated. Returns the bytes of the entry that the
    /// key had.
    fn landed(&mut self, key: &[u8], computed: Vec<u8>, value: Value, doomed: bool) -> Option<u64> {
        let known = self.entries.get(key).map(|value| weight(key.len(), value.len()));
        match value.origin {
            Origin::NotStored(Some(Refusal::Cleared)) => assert!(doomed),
            Origin::NotStored(Some(Refusal::Capacity)) => assert!(self.max_bytes.is_some() && !doomed),
            // A value stored in the meantime stays, unless it was evicted just before; this one is only returned to its
            // caller.
            Origin::Computed => {
                assert!(!doomed);
                let is_stored = |value: Value| value.entry.value() == computed;
                if known.is_none() || self.evicts && self.cache.peek(key).unwrap().is_some_and(is_stored) {
                    self.entries.insert(key.to_vec(), computed.clone());
                }
            }
            origin => panic!("{origin:?}"),
        }
        self.pin(value, computed);
        known
    }

    fn memoize(&mut self, key: &[u8], nested: Option<Vec<u8>>, computed: Result<Vec<u8>, i32>) {
        // This thread would wait for one of its own tasks, or computes the key itself: an error.
        let is_begun =
            |key: &[u8]| self.begun.iter().any(|begun| (!begun.doomed || begun.owner == 0) && begun.key == key);
        if is_begun(key) || nested.as_ref().is_some_and(|nested| is_begun(nested)) {
            return;
        }
        let known = self.entries.get(key).cloned();
        self.count(known.is_some());
        let cache = self.cache.clone();
        let mut inner = None;
        let made = cache.memoize(key, |draft| {
            if let Some(nested) = &nested {
                inner = Some(cache.memoize(nested, |draft| draft.write(b"nested")));
            }
            match &computed {
                Ok(value) => draft.write(value),
                Err(code) => Err(Error::Callback(*code)),
            }
        });
        assert_eq!(inner.is_some(), nested.is_some() && known.is_none());
        match (inner, nested) {
            (Some(Err(Error::Recursion(_))), Some(nested)) => assert_eq!(nested, key),
            (Some(Ok(value)), Some(nested)) => {
                let known = self.entries.get(&nested).cloned();
                self.count(known.is_some());
                match known {
                    Some(expected) => self.pin(value, expected),
                    None => _ = self.landed(&nested, b"nested".to_vec(), value, false),
                }
            }
            (Some(Err(error)), _) => panic!("{error}"),
            _ => {}
        }
        match (made, known, computed) {
            (Ok(value), Some(known), _) => {
                assert_eq!(value.origin, Origin::Hit);
                self.pin(value, known);
            }
            (Ok(value), None, Ok(computed)) => _ = self.landed(key, computed, value, false),
            (Err(Error::Callback(code)), None, Err(expected)) => assert_eq!(code, expected),
            (made, ..) => panic!("{:?}", made.map(|value| value.origin)),
        }
        self.settle(None);
    }

    fn begin(&mut self, key: Vec<u8>, owner: u64, value: Vec<u8>) {
        let known = self.entries.get(&key).cloned();
        let other = self.begun.iter().find(|begun| !begun.doomed && begun.key == key).map(|begun| begun.owner);
        // Also if it was invalidated in the meantime.
        let own = self.begun.iter().any(|begun| begun.key == key && begun.owner == owner);
        match (Lease::begin(&self.cache, &key, owner), known, other) {
            (Ok(Started::Found(found)), Some(known), _) => {
                self.count(true);
                self.pin(found, known);
            }
            (Ok(Started::Lease(mut lease)), None, None) if !own => {
                self.count(false);
                lease.reserve(value.len() + 3).unwrap()[..value.len()].copy_from_slice(&value);
                lease.truncate(value.len()).unwrap();
                self.begun.push(Begun { key, owner, lease, value, doomed: false });
            }
            (Ok(Started::Busy), None, Some(_)) if !own => {}
            (Err(Error::Recursion(_)), None, _) if own => {}
            _ => panic!("begin of a key with {other:?}"),
        }
    }

    fn end(&mut self, place: usize, completes: bool) {
        if self.begun.is_empty() {
            return;
        }
        let begun = self.begun.swap_remove(place % self.begun.len());
        if completes {
            let value = begun.lease.complete().unwrap();
            let known = self.landed(&begun.key, begun.value, value, begun.doomed);
            self.settle(known);
        }
    }

    fn check(&self) {
        let stats = self.cache.stats().unwrap();
        assert_eq!((stats.info.hits, stats.info.misses), (self.hits, self.misses));
        assert_eq!(
            (stats.info.size, self.cache.size().unwrap()),
            (self.entries.len() as u64, self.entries.len() as u64)
        );
        assert!(self.max_bytes.is_none_or(|max| stats.bytes <= max), "{} bytes", stats.bytes);
        assert!(stats.bytes >= stats.live_bytes);
    }
}

fuzz_target!(|data: &[u8]| {
    let mut input = Input::new(data);
    let (is_limited, evicts) = [(false, false), (true, false), (true, true), (true, true)][usize::from(input.below(4))];
    let max_bytes = is_limited.then(|| 2000 + 500 * u64::from(input.byte()));
    let mut world = World::new(max_bytes, evicts);
    while !input.is_empty() {
        let operation = input.below(24);
        match operation {
            0..=4 => {
                let key = key(&mut input);
                world.get(&key);
            }
            5 | 6 => {
                let key = key(&mut input);
                world.look(&key, VALUE_LENGTHS[usize::from(input.below(12))]);
            }
            7 => {
                let keys: Vec<_> = (0..input.below(40)).map(|_| key(&mut input)).collect();
                world.get_many(&keys);
            }
            8..=12 => {
                let key = key(&mut input);
                let value = value(&mut input);
                let cost = if world.evicts { input.number() >> 24 } else { 0 };
                world.set(key, value, cost);
            }
            13 | 14 => {
                let key = key(&mut input);
                assert_eq!(world.cache.remove(&key), Ok(world.entries.remove(&key).is_some()));
                world.costs.remove(&key);
                world.doom(Some(&key));
                world.settle(None);
            }
            15 if input.below(8) == 0 => world.clear(),
            16..=18 => {
                let asked = key(&mut input);
                let nested = input.flag().then(|| key(&mut input));
                let computed =
                    if input.below(4) == 0 { Err(1 + i32::from(input.byte())) } else { Ok(value(&mut input)) };
                world.memoize(&asked, nested, computed);
            }
            19 => {
                let key = key(&mut input);
                let owner = 1 + u64::from(input.below(3));
                let value = value(&mut input);
                world.begin(key, owner, value);
            }
            20 => {
                let place = input.byte().into();
                world.end(place, input.below(4) != 0);
            }
            21 => {
                let keep = usize::from(input.byte());
                world.pinned.truncate(keep);
            }
            _ => world.check(),
        }
    }
    while !world.begun.is_empty() {
        world.end(0, true);
    }
    world.check();
    let World { cache, entries, pinned, .. } = world;
    epoch::read(|guard| {
        for (key, value) in &entries {
            assert!(cache.look(guard, key).unwrap() == Some(value.as_slice()), "a key has another value at the end");
        }
    });
    drop(cache);
    assert!(pinned.iter().all(|(value, expected)| value.entry.value() == expected), "a pinned value has changed");
});
