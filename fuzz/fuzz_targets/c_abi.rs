//! The C face under random calls, compared with a model that predicts each result: caches of several kinds with names
//! and limits; callbacks that fail, nest, request their own key, free their cache or fork; leases, read sections,
//! batches, memos and methods; wrong and freed handles. Values stay pinned throughout. A cache with a limit refuses or
//! evicts: then each store tells, by the statistics, how many entries it has evicted, and the model looks which. A
//! forked child continues with the same model for a few calls and frees everything. At the end the parent does the
//! same, and no byte may be held.
#![no_main]

use std::collections::HashMap;
use std::ffi::{CString, c_char, c_void};
use std::ptr::{null, null_mut};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use libfuzzer_sys::fuzz_target;
use phicache::ffi::api::callback::*;
use phicache::ffi::api::{
    cache::*, config::*, dict::*, entries::*, key::*, lease::*, library::*, memo::*, mice::*, purview::*, read::*,
};
use phicache::ffi::api::{registry::*, subsystem::*};
use phicache::ffi::border::types::*;
use phicache::table::weight;
use phicache_fuzz::Input;

unsafe extern "C" {
    fn fork() -> i32;
    fn waitpid(pid: i32, status: *mut i32, options: i32) -> i32;
    fn alarm(seconds: u32) -> u32;
    fn signal(number: i32, handler: usize) -> usize;
    fn _exit(status: i32) -> !;
}

const LENGTHS: [usize; 8] = [0, 1, 16, 56, 200, 1000, 5000, 70_000];
const CACHES: usize = 4;
const EMPTY: phicache_value = phicache_value { data: null(), len: 0, pin: null_mut(), origin: 0, reserved: 0 };
const FORKS: u32 = 2;
const MAX_BYTES: u64 = 20_000;

fn lend(bytes: &[u8]) -> phicache_bytes {
    phicache_bytes { data: bytes.as_ptr(), len: bytes.len() }
}

/// The bytes at such an address.
fn seen(data: *const u8, len: usize) -> &'static [u8] {
    assert!(!data.is_null() && data.addr().is_multiple_of(16));
    // SAFETY: the library has just returned it; callers read it before they release it.
    unsafe { std::slice::from_raw_parts(data, len) }
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Dict,
    Purview,
    Mice,
}

struct Slot {
    kind: Kind,
    handle: *mut c_void,
    view: *mut phicache_cache,
    name: Option<CString>,
    limited: bool,
    evicts: bool,
    /// What it has evicted since it was cleared.
    evictions: u64,
    entries: HashMap<Vec<u8>, Vec<u8>>,
    /// The number of earlier caches in this place: a computation begun in one of them does not concern the next.
    number: u32,
}

/// A computation that has begun, by a lease or by a callback.
struct Begun {
    number: u32,
    key: Vec<u8>,
    owner: u64,
    doomed: bool,
    /// It began before the fork that made this process.
    of_parent: bool,
    lease: *mut phicache_lease,
    value: Vec<u8>,
}

struct World {
    input: Input<'static>,
    config: *mut phicache_config,
    subsystem: *mut phicache_subsystem,
    slots: Vec<Slot>,
    /// A freed handle whose slot is not reused, because no handle was made since.
    freed: Vec<*mut phicache_cache>,
    pinned: Vec<(phicache_value, Vec<u8>)>,
    /// The most values that stay pinned: many leave no room in caches with limits.
    most_pins: usize,
    leases: Vec<Begun>,
    computing: Vec<Begun>,
    open: u32,
    read: Vec<(phicache_bytes, Vec<u8>)>,
    caches: u32,
    forks: u32,
    is_child: bool,
    /// How often the data of memos and methods was dropped.
    drops: Box<AtomicU32>,
}

/// The data of a call to a callback.
struct Call {
    world: *mut World,
    slot: Option<u32>,
    kind: Kind,
    ran: bool,
    code: i32,
    /// The status of its last reservation.
    reserved: phicache_status,
    value: Vec<u8>,
}

unsafe extern "C-unwind" fn compute(
    _user: *mut c_void,
    call: *mut c_void,
    key: phicache_bytes,
    result: *mut phicache_result,
) -> i32 {
    // SAFETY: `World::memoize` passed this data, and nothing else uses the world while the callback runs.
    let (call, world) = unsafe {
        let call = &mut *call.cast::<Call>();
        let world = &mut *call.world;
        (call, world)
    };
    call.ran = true;
    let key = if key.len == 0 { Vec::new() } else { unsafe { std::slice::from_raw_parts(key.data, key.len) }.to_vec() };
    // The key of a method's computation is known only now.
    if let Some(number) = call.slot {
        world.computing.push(Begun {
            number,
            key,
            owner: 0,
            doomed: false,
            of_parent: false,
            lease: null_mut(),
            value: Vec::new(),
        });
    }
    for _ in 0..world.input.below(4) {
        match world.input.below(10) {
            // Reserves twice, too much, or nothing.
            0 => {
                let mut room = null_mut();
                let status = unsafe { phicache_result_reserve(result, usize::MAX / 2, &mut room) };
                assert!(status < 0 && room.is_null(), "{status}");
                call.reserved = status;
            }
            1 | 2 => {
                let value = world.value(call.kind);
                call.write(result, value, world.input.flag());
            }
            3 => assert_eq!(unsafe { phicache_result_truncate(result, usize::MAX) }, PHICACHE_ERROR_INVALID_ARGUMENT),
            _ if world.computing.len() < 6 && world.open == 0 => world.step(),
            _ => {}
        }
    }
    // A MICE cache needs a valid record, a purview cache a list of purviews.
    if call.kind != Kind::Dict && call.reserved == PHICACHE_OK && call.value.is_empty() {
        let value = world.value(call.kind);
        call.write(result, value, false);
    }
    call.code
}

impl Call {
    fn write(&mut self, result: *mut phicache_result, value: Vec<u8>, uninitialized: bool) {
        let mut room = null_mut();
        let more = if uninitialized { 9 } else { 0 };
        // SAFETY: the callback is running, and the buffer has the reserved length.
        unsafe {
            let reserve = if uninitialized { phicache_result_reserve_uninitialized } else { phicache_result_reserve };
            self.reserved = reserve(result, value.len() + more, &mut room);
            assert_eq!(self.reserved, PHICACHE_OK);
            room.copy_from(value.as_ptr(), value.len());
            assert_eq!(phicache_result_truncate(result, value.len()), PHICACHE_OK);
        }
        self.value = value;
    }
}

unsafe extern "C-unwind" fn dropped(count: *mut c_void) {
    // SAFETY: the counter outlives all memos and methods.
    unsafe { &*count.cast::<AtomicU32>() }.fetch_add(1, Ordering::Relaxed);
}

impl World {
    fn new(input: Input<'static>) -> Self {
        let mut world = World {
            input,
            config: null_mut(),
            subsystem: null_mut(),
            slots: Vec::new(),
            freed: Vec::new(),
            pinned: Vec::new(),
            most_pins: usize::MAX,
            leases: Vec::new(),
            computing: Vec::new(),
            open: 0,
            read: Vec::new(),
            caches: 0,
            forks: 0,
            is_child: false,
            drops: Box::default(),
        };
        let (network, state) = (phicache_fingerprint { bytes: [7; 32] }, [0, 0]);
        unsafe {
            assert_eq!(phicache_config_new(&mut world.config), PHICACHE_OK);
            assert_eq!(phicache_config_set_maximum_memory_percent(world.config, -1.0), PHICACHE_OK);
            let made = phicache_subsystem_new(&network, 2, state.as_ptr(), 3, null(), null(), &mut world.subsystem);
            assert_eq!(made, PHICACHE_OK);
        }
        if world.input.flag() {
            world.most_pins = 4;
        }
        world
    }

    fn key(&mut self) -> Vec<u8> {
        let byte = self.input.byte() % 24;
        vec![byte; usize::from(byte) * 13 % 83]
    }

    fn value(&mut self, kind: Kind) -> Vec<u8> {
        let len = LENGTHS[usize::from(self.input.below(8))];
        let bytes = vec![self.input.byte(); len];
        match kind {
            Kind::Dict => bytes,
            Kind::Purview => bytes[..len / 8 * 8].to_vec(),
            Kind::Mice => {
                let mice = phicache_mice {
                    struct_size: size_of::<phicache_mice>(),
                    direction: 0,
                    reserved: 0,
                    mechanism: 1,
                    purview: 1,
                    phi: 0.5,
                    payload: lend(&bytes),
                };
                let mut record = vec![0; 64 + len];
                let mut written = 0;
                let done = unsafe { phicache_mice_encode(&mice, record.as_mut_ptr(), record.len(), &mut written) };
                assert_eq!((done, written), (PHICACHE_OK, record.len()));
                record
            }
        }
    }

    fn any(&mut self) -> Option<usize> {
        let place = self.input.byte();
        (!self.slots.is_empty()).then(|| usize::from(place) % self.slots.len())
    }

    /// Checks a returned value against the model and keeps it pinned.
    fn pin(&mut self, value: phicache_value, expected: Vec<u8>) {
        assert!(seen(value.data, value.len) == expected);
        self.pinned.push((value, expected));
        if self.pinned.len() > self.most_pins {
            let (mut oldest, expected) = self.pinned.remove(0);
            assert!(seen(oldest.data, oldest.len) == expected);
            unsafe { phicache_value_release(&mut oldest) };
        }
    }

    fn make(&mut self) {
        if self.slots.len() == CACHES {
            return;
        }
        let kind = [Kind::Dict, Kind::Dict, Kind::Purview, Kind::Mice][usize::from(self.input.below(4))];
        let limited = self.input.flag();
        let on_full = [PHICACHE_ON_FULL_DEFAULT, PHICACHE_ON_FULL_REFUSE, PHICACHE_ON_FULL_EVICT]
            [usize::from(self.input.below(3))];
        let name = self.input.flag().then(|| CString::new(format!("cache {}", self.input.below(4))).unwrap());
        let taken = name.is_some() && self.slots.iter().any(|slot| slot.name == name);
        // Options as in any version of the header, or none.
        const KNOWN: usize = size_of::<phicache_cache_options>();
        let sizes = [KNOWN, KNOWN, 48, 56, KNOWN + 8, 4096, 0, 8, 47, 4097, usize::MAX];
        let size = sizes[usize::from(self.input.below(11))];
        let mut options = [0u64; 512];
        options[..3].copy_from_slice(&[
            size as u64,
            name.as_ref().map_or(0, |name| name.as_ptr().addr() as u64),
            if limited { MAX_BYTES } else { 0 },
        ]);
        let knows_on_full = size >= 64;
        options[7] = if knows_on_full { on_full as u64 } else { 0 };
        let evicts = limited && !(knows_on_full && on_full == PHICACHE_ON_FULL_REFUSE);
        let beyond = size > KNOWN && size <= 4096 && self.input.below(4) == 0;
        options[KNOWN / 8] = beyond.into();
        let (mut handle, options) = (null_mut::<c_void>(), options.as_ptr().cast::<phicache_cache_options>());
        let out = &raw mut handle;
        let made = unsafe {
            match kind {
                Kind::Dict => phicache_dict_cache_new(self.config, options, out.cast()),
                Kind::Purview => phicache_purview_cache_new(self.config, options, out.cast()),
                Kind::Mice => {
                    phicache_dict_mice_cache_new(self.config, options, self.subsystem, null_mut(), out.cast())
                }
            }
        };
        if !(48..=4096).contains(&size) || beyond {
            assert_eq!((made, handle), (PHICACHE_ERROR_INVALID_ARGUMENT, null_mut()));
            return;
        }
        if taken {
            assert_eq!((made, handle), (PHICACHE_ERROR_NAME_IN_USE, null_mut()));
            return;
        }
        assert_eq!(made, PHICACHE_OK);
        self.freed.clear();
        let mut view = null_mut();
        let viewed = unsafe {
            match kind {
                Kind::Dict => phicache_dict_cache_as_cache(handle.cast(), &mut view),
                Kind::Purview => phicache_purview_cache_as_cache(handle.cast(), &mut view),
                Kind::Mice => phicache_mice_cache_as_cache(handle.cast(), &mut view),
            }
        };
        assert_eq!(viewed, PHICACHE_OK);
        self.caches += 1;
        let (entries, number) = (HashMap::new(), self.caches);
        self.slots.push(Slot { kind, handle, view, name, limited, evicts, evictions: 0, entries, number });
    }

    fn free(&mut self, place: usize) {
        let slot = self.slots.swap_remove(place);
        // Values read in place stay, because the read section is open; computations continue.
        unsafe {
            let freed = match slot.kind {
                Kind::Dict => phicache_dict_cache_free(slot.handle.cast()),
                Kind::Purview => phicache_purview_cache_free(slot.handle.cast()),
                Kind::Mice => phicache_mice_cache_free(slot.handle.cast()),
            };
            assert_eq!(freed, PHICACHE_OK);
        }
        self.freed.push(slot.view);
    }

    fn get(&mut self, place: usize) {
        let (key, how) = (self.key(), self.input.below(6));
        let slot = &self.slots[place];
        let expected = slot.entries.get(&key).cloned();
        let mut value = EMPTY;
        let status = unsafe {
            match how {
                0 if slot.kind == Kind::Dict => phicache_dict_cache_get(slot.handle.cast(), lend(&key), &mut value),
                1 if self.open != 0 => {
                    let mut bytes = phicache_bytes { data: null(), len: 0 };
                    let read = phicache_cache_read(slot.view, lend(&key), &mut bytes);
                    assert_eq!(read, if expected.is_some() { PHICACHE_OK } else { PHICACHE_MISS });
                    if let Some(expected) = expected {
                        assert!(seen(bytes.data, bytes.len) == expected);
                        self.read.push((bytes, expected));
                    }
                    return;
                }
                1 => {
                    let mut bytes = phicache_bytes { data: null(), len: 0 };
                    let read = phicache_cache_read(slot.view, lend(&key), &mut bytes);
                    assert_eq!(read, PHICACHE_ERROR_INVALID_ARGUMENT);
                    return;
                }
                2 | 3 => {
                    let capacity = LENGTHS[usize::from(self.input.below(8))];
                    let (mut buffer, mut len) = (vec![0; capacity], 77);
                    let got = if how == 2 && slot.kind == Kind::Dict {
                        phicache_dict_cache_get_into(
                            slot.handle.cast(),
                            lend(&key),
                            buffer.as_mut_ptr(),
                            capacity,
                            &mut len,
                        )
                    } else {
                        phicache_cache_get_into(slot.view, lend(&key), buffer.as_mut_ptr(), capacity, &mut len)
                    };
                    match &expected {
                        None => assert_eq!((got, len), (PHICACHE_MISS, 0)),
                        Some(expected) if expected.len() > capacity => {
                            assert_eq!((got, len), (PHICACHE_ERROR_BUFFER_TOO_SMALL, expected.len()));
                        }
                        Some(expected) => assert!(got == PHICACHE_OK && buffer[..len] == *expected),
                    }
                    let contained = phicache_cache_contains(slot.view, lend(&key));
                    assert_eq!(contained, if expected.is_some() { PHICACHE_OK } else { PHICACHE_MISS });
                    return;
                }
                4 => phicache_cache_peek(slot.view, lend(&key), &mut value),
                _ => phicache_cache_get(slot.view, lend(&key), &mut value),
            }
        };
        match expected {
            None => assert!(status == PHICACHE_MISS && value.data.is_null() && value.pin.is_null()),
            Some(expected) => {
                assert_eq!((status, value.origin), (PHICACHE_OK, PHICACHE_ORIGIN_HIT));
                self.pin(value, expected);
            }
        }
    }

    /// Updates the model after a store, and returns whether the key had a value.
    fn stored(&mut self, place: usize, status: phicache_status, key: Vec<u8>, value: Vec<u8>) -> bool {
        let slot = &mut self.slots[place];
        let known = slot.entries.contains_key(&key);
        match status {
            PHICACHE_OK => drop(slot.entries.insert(key, value)),
            PHICACHE_REFUSED_CAPACITY => assert!(slot.limited),
            status => panic!("{status}"),
        }
        known
    }

    /// Takes the entries from the model that stores have evicted: as many as the statistics say. A store may also have
    /// evicted the entry that it would have replaced; `known` of the stores were for keys with entries.
    fn settle(&mut self, place: usize, known: usize) {
        let Slot { view, limited, evicts, evictions, entries, .. } = &mut self.slots[place];
        // SAFETY: zeros are valid, and the view is.
        let stats = unsafe {
            let mut stats: phicache_stats = std::mem::zeroed();
            stats.struct_size = size_of::<phicache_stats>();
            assert_eq!(phicache_cache_stats(*view, &mut stats), PHICACHE_OK);
            stats
        };
        let mut evicted = stats.evictions - *evictions;
        *evictions = stats.evictions;
        if evicted > 0 {
            assert!(*evicts);
            let is_gone = |key: &[u8]| unsafe {
                let mut value = EMPTY;
                let status = phicache_cache_peek(*view, lend(key), &mut value);
                phicache_value_release(&mut value);
                status == PHICACHE_MISS
            };
            evicted -= entries.extract_if(|key, _| is_gone(key)).count() as u64;
        }
        assert!(evicted <= known as u64, "{evicted} evictions too many");
        let live: u64 = entries.iter().map(|(key, value)| weight(key.len(), value.len())).sum();
        assert_eq!((stats.size, stats.live_bytes), (entries.len() as u64, live));
        assert!(live <= stats.bytes && (!*limited || stats.bytes <= MAX_BYTES), "{} bytes", stats.bytes);
    }

    fn set(&mut self, place: usize) {
        let (key, value, slot) = (self.key(), self.value(self.slots[place].kind), &self.slots[place]);
        let status = unsafe {
            match slot.kind {
                Kind::Dict if self.input.flag() => {
                    phicache_dict_cache_set(slot.handle.cast(), lend(&key), lend(&value))
                }
                _ if slot.evicts => {
                    phicache_cache_set_with_cost(slot.view, lend(&key), lend(&value), self.input.number())
                }
                _ => phicache_cache_set(slot.view, lend(&key), lend(&value)),
            }
        };
        let known = self.stored(place, status, key, value);
        self.settle(place, known.into());
    }

    fn many(&mut self, place: usize) {
        let count = usize::from(self.input.below(30));
        let keys: Vec<_> = (0..count).map(|_| self.key()).collect();
        let lent: Vec<_> = keys.iter().map(|key| lend(key)).collect();
        if self.input.flag() {
            let values: Vec<_> = keys.iter().map(|_| self.value(self.slots[place].kind)).collect();
            let lent_values: Vec<_> = values.iter().map(|value| lend(value)).collect();
            let mut statuses = vec![77; count];
            let view = self.slots[place].view;
            let status = unsafe {
                phicache_cache_set_many(view, lent.as_ptr(), lent_values.as_ptr(), count, statuses.as_mut_ptr())
            };
            assert_eq!(status, PHICACHE_OK);
            let mut known = 0;
            for ((key, value), status) in keys.into_iter().zip(values).zip(statuses) {
                known += usize::from(self.stored(place, status, key, value));
            }
            self.settle(place, known);
            return;
        }
        let mut values: Vec<_> = keys.iter().map(|_| EMPTY).collect();
        let mut found = 0;
        let slot = &self.slots[place];
        let status =
            unsafe { phicache_cache_get_many(slot.view, lent.as_ptr(), count, values.as_mut_ptr(), &mut found) };
        assert_eq!(status, PHICACHE_OK);
        assert_eq!(found, keys.iter().filter(|key| slot.entries.contains_key(*key)).count());
        for (key, value) in keys.into_iter().zip(values) {
            match self.slots[place].entries.get(&key).cloned() {
                None => assert!(value.data.is_null()),
                Some(expected) => self.pin(value, expected),
            }
        }
    }

    /// All entries, one by one; some stay pinned.
    fn walk(&mut self, place: usize) {
        let mut left = self.slots[place].entries.clone();
        let (mut walk, mut value) = (null_mut(), EMPTY);
        let key = phicache_bytes { data: null(), len: 0 };
        let mut entry = phicache_entry { struct_size: size_of::<phicache_entry>(), key, bytes: 0, cost_ns: 0 };
        unsafe {
            assert_eq!(phicache_walk_new(self.slots[place].view, &mut walk), PHICACHE_OK);
            while phicache_walk_next(walk, &mut entry, &mut value) == PHICACHE_OK {
                let key = std::slice::from_raw_parts(entry.key.data, entry.key.len);
                let expected = left.remove(key).expect("the key has an entry, which comes once");
                assert!(entry.bytes >= (key.len() + value.len) as u64);
                self.pin(std::mem::replace(&mut value, EMPTY), expected);
                if self.input.below(4) != 0 {
                    let (mut last, expected) = self.pinned.pop().unwrap();
                    assert!(seen(last.data, last.len) == expected);
                    phicache_value_release(&mut last);
                }
            }
            assert_eq!(phicache_walk_free(walk), PHICACHE_OK);
        }
        assert!(left.is_empty() && value.data.is_null(), "{} entries did not come", left.len());
    }

    fn doom(&mut self, number: u32, key: Option<&[u8]>) {
        self.leases
            .iter_mut()
            .chain(&mut self.computing)
            .filter(|begun| begun.number == number && key.is_none_or(|key| begun.key == key))
            .for_each(|begun| begun.doomed = true);
    }

    fn remove(&mut self, place: usize) {
        let key = self.key();
        let (number, view) = (self.slots[place].number, self.slots[place].view);
        let removed = self.slots[place].entries.remove(&key).is_some();
        let status = unsafe { phicache_cache_remove(view, lend(&key)) };
        assert_eq!(status, if removed { PHICACHE_OK } else { PHICACHE_MISS });
        self.doom(number, Some(&key));
        self.settle(place, 0);
    }

    fn clear(&mut self, place: usize) {
        let slot = &mut self.slots[place];
        slot.entries.clear();
        slot.evictions = 0;
        let (number, view) = (slot.number, slot.view);
        let cleared = match &slot.name {
            Some(name) if self.input.flag() => unsafe { phicache_registry_clear(name.as_ptr()) },
            _ => unsafe { phicache_cache_clear(view) },
        };
        assert_eq!(cleared, PHICACHE_OK);
        self.doom(number, None);
    }

    /// The computation of a key that a caller could wait for, and whether that owner is the caller.
    fn computers(&self, number: u32, key: &[u8], owner: u64) -> (bool, bool) {
        let of_key = || {
            let begun = self.leases.iter().chain(&self.computing);
            begun.filter(|begun| begun.number == number && begun.key == key && !begun.of_parent)
        };
        (of_key().any(|begun| !begun.doomed), of_key().any(|begun| begun.owner == owner))
    }

    /// Updates the model at the end of a computation.
    fn landed(&mut self, begun: &Begun, value: phicache_value, computed: Vec<u8>) {
        let (number, key) = (begun.number, begun.key.clone());
        if let Some(place) = self.slots.iter().position(|slot| slot.number == number) {
            let slot = &mut self.slots[place];
            let known = slot.entries.contains_key(&key);
            const CLEARED: u32 = PHICACHE_ORIGIN_NOT_STORED + PHICACHE_REFUSED_CLEARED as u32;
            const CAPACITY: u32 = PHICACHE_ORIGIN_NOT_STORED + PHICACHE_REFUSED_CAPACITY as u32;
            match value.origin {
                CLEARED => assert!(begun.doomed || begun.of_parent),
                CAPACITY => assert!(slot.limited && !begun.doomed),
                PHICACHE_ORIGIN_COMPUTED if begun.of_parent => {
                    let mut now = EMPTY;
                    match unsafe { phicache_cache_get(slot.view, lend(&key), &mut now) } {
                        PHICACHE_OK => {
                            let bytes = seen(now.data, now.len);
                            assert!(bytes == computed || slot.entries.get(&key).is_some_and(|known| bytes == known));
                            slot.entries.insert(key, bytes.to_vec());
                            unsafe { phicache_value_release(&mut now) };
                        }
                        status => assert!(status == PHICACHE_MISS && !slot.entries.contains_key(&key)),
                    }
                }
                PHICACHE_ORIGIN_COMPUTED => {
                    assert!(!begun.doomed);
                    // A value stored in the meantime stays, unless it was evicted just before.
                    let mut now = EMPTY;
                    let is_evicted = slot.evicts
                        && known
                        && unsafe {
                            let found = phicache_cache_peek(slot.view, lend(&key), &mut now) == PHICACHE_OK;
                            let is_stored = found && seen(now.data, now.len) == computed;
                            phicache_value_release(&mut now);
                            is_stored
                        };
                    if !known || is_evicted {
                        slot.entries.insert(key, computed.clone());
                    }
                }
                origin => panic!("{origin}"),
            }
            self.settle(place, known.into());
        }
        self.pin(value, computed);
    }

    fn memoize(&mut self, place: usize) {
        let key = self.key();
        let slot = &self.slots[place];
        let (number, kind, view, handle) = (slot.number, slot.kind, slot.view, slot.handle);
        let known = slot.entries.get(&key).cloned();
        let (is_computed, asks_itself) = self.computers(number, &key, 0);
        if known.is_none() && is_computed && !asks_itself {
            // This thread would wait for one of its own tasks.
            return;
        }
        let code = if self.input.below(4) == 0 { 1 + i32::from(self.input.byte()) } else { 0 };
        let typed = kind == Kind::Dict && self.input.flag();
        let world: *mut World = self;
        let mut call = Call { world, slot: Some(number), kind, ran: false, code, reserved: 0, value: Vec::new() };
        let data = (&raw mut call).cast();
        let (mut value, mut returned) = (EMPTY, 77);
        let depth = self.computing.len();
        // SAFETY: nothing else uses the world while the callback runs.
        let status = unsafe {
            if typed {
                let handle = handle.cast();
                phicache_dict_cache_memoize(
                    handle,
                    lend(&key),
                    Some(compute),
                    null_mut(),
                    data,
                    &mut value,
                    &mut returned,
                )
            } else {
                phicache_cache_memoize(view, lend(&key), Some(compute), null_mut(), data, &mut value, &mut returned)
            }
        };
        assert_eq!(returned, if call.ran { code } else { 0 });
        assert_eq!(call.ran, known.is_none() && !asks_itself);
        let begun = call.ran.then(|| self.computing.pop().unwrap());
        assert_eq!(self.computing.len(), depth);
        match (status, known, begun) {
            (PHICACHE_OK, Some(known), None) => {
                assert_eq!(value.origin, PHICACHE_ORIGIN_HIT);
                self.pin(value, known);
            }
            (PHICACHE_ERROR_RECURSION, None, None) => assert!(asks_itself && value.data.is_null()),
            (PHICACHE_OK, None, Some(begun)) => {
                assert_eq!((code, call.reserved), (0, PHICACHE_OK));
                self.landed(&begun, value, call.value);
            }
            (status, None, Some(_)) => {
                let expected = if call.reserved < 0 { call.reserved } else { PHICACHE_ERROR_CALLBACK };
                assert_eq!((status, value.data), (expected, null()));
                assert!(code != 0 || call.reserved < 0);
            }
            (status, known, _) => panic!("{status} {}", known.is_some()),
        }
    }

    fn begin(&mut self, place: usize) {
        let (key, owner) = (self.key(), u64::from(self.input.below(4)));
        let slot = &self.slots[place];
        let (number, kind) = (slot.number, slot.kind);
        let known = slot.entries.get(&key).cloned();
        let (is_computed, asks_itself) = self.computers(number, &key, owner);
        let (mut value, mut lease) = (EMPTY, null_mut());
        let status = unsafe { phicache_cache_begin(slot.view, lend(&key), owner, &mut value, &mut lease) };
        match known {
            Some(known) => {
                assert_eq!(status, PHICACHE_OK);
                self.pin(value, known);
            }
            None if asks_itself => assert_eq!((status, lease), (PHICACHE_ERROR_RECURSION, null_mut())),
            None if is_computed => assert_eq!((status, lease), (PHICACHE_BUSY, null_mut())),
            None => {
                assert_eq!(status, PHICACHE_LEASE);
                self.freed.clear();
                let value = self.value(kind);
                let mut room = null_mut();
                unsafe {
                    if self.input.below(4) == 0 {
                        assert!(phicache_lease_reserve(lease, usize::MAX / 2, &mut room) < 0);
                    }
                    assert_eq!(phicache_lease_reserve_uninitialized(lease, value.len() + 5, &mut room), PHICACHE_OK);
                    room.copy_from(value.as_ptr(), value.len());
                    assert_eq!(phicache_lease_truncate(lease, value.len()), PHICACHE_OK);
                }
                self.leases.push(Begun { number, key, owner, doomed: false, of_parent: false, lease, value });
            }
        }
    }

    fn wait(&mut self, place: usize) {
        let (key, owner) = (self.key(), u64::from(self.input.below(4)));
        let slot = &self.slots[place];
        let known = slot.entries.get(&key).cloned();
        let (is_computed, _) = self.computers(slot.number, &key, owner);
        let mut value = EMPTY;
        match (unsafe { phicache_cache_wait(slot.view, lend(&key), owner, 0, &mut value) }, known) {
            (PHICACHE_OK, Some(known)) => self.pin(value, known),
            (PHICACHE_MISS, None) => assert!(!is_computed),
            (PHICACHE_TIMEOUT | PHICACHE_BUSY, _) => assert!(is_computed),
            (status, known) => panic!("{status} {}", known.is_some()),
        }
    }

    fn end(&mut self) {
        if self.leases.is_empty() {
            return;
        }
        let place = usize::from(self.input.byte()) % self.leases.len();
        let begun = self.leases.swap_remove(place);
        let mut value = EMPTY;
        unsafe {
            if self.input.below(4) == 0 {
                assert_eq!(phicache_lease_abandon(begun.lease), PHICACHE_OK);
            } else {
                assert_eq!(phicache_lease_complete(begun.lease, &mut value), PHICACHE_OK);
                let computed = begun.value.clone();
                self.landed(&begun, value, computed);
            }
            assert_eq!(phicache_lease_abandon(begun.lease), PHICACHE_ERROR_INVALID_HANDLE);
        }
    }

    /// Calls a memo twice with the same arguments, and a method on a cache.
    fn functions(&mut self) {
        if self.open != 0 {
            return;
        }
        let (mut args, mut memo, mut method) = (null_mut(), null_mut(), null_mut());
        let drops: *const AtomicU32 = &*self.drops;
        let (drops, before) = (drops.cast_mut().cast::<c_void>(), self.drops.load(Ordering::Relaxed));
        let (name, doubles) = (CString::new("named").unwrap(), [0.5, -0.0, f64::INFINITY]);
        let world: *mut World = self;
        let call = |kind| Call { world, slot: None, kind, ran: false, code: 0, reserved: 0, value: Vec::new() };
        // SAFETY: the handles are made here, and nothing else uses the world while a callback runs.
        unsafe {
            assert_eq!(phicache_key_new(&mut args), PHICACHE_OK);
            for _ in 0..self.input.below(10) {
                let number = self.input.number();
                let status = match self.input.below(12) {
                    0 => phicache_key_add_none(args),
                    1 => phicache_key_add_bool(args, number as i32),
                    2 => phicache_key_add_int(args, number as i64),
                    3 => phicache_key_add_double(args, f64::from_bits(number)),
                    4 => phicache_key_add_doubles(args, doubles.as_ptr(), number as usize % 4),
                    5 => phicache_key_begin_tuple(args),
                    6 => phicache_key_end_tuple(args),
                    7 => phicache_key_begin_set(args),
                    8 => phicache_key_end_set(args),
                    9 => phicache_key_begin_named(args, name.as_ptr()),
                    10 => phicache_key_end_named(args),
                    _ => phicache_key_add_keyword(args, name.as_ptr()),
                };
                assert!(status == PHICACHE_OK || status == PHICACHE_ERROR_INVALID_ARGUMENT, "{status}");
            }
            let mut bytes = phicache_bytes { data: null(), len: 0 };
            let whole = phicache_key_bytes(args, 0, &mut bytes) == PHICACHE_OK;
            if !whole {
                assert_eq!(phicache_key_reset(args), PHICACHE_OK);
            }
            let made = phicache_memo_new(
                self.config,
                Some(compute),
                drops,
                Some(dropped),
                PHICACHE_MEMORY_CONFIGURED,
                0,
                null_mut(),
                null(),
                &mut memo,
            );
            assert_eq!(made, PHICACHE_OK);
            let (mut first, mut call_of_memo) = (EMPTY, call(Kind::Dict));
            let data = (&raw mut call_of_memo).cast();
            if phicache_memo_call(memo, args, data, &mut first, null_mut()) == PHICACHE_OK {
                let mut again = EMPTY;
                assert_eq!(phicache_memo_call(memo, args, null_mut(), &mut again, null_mut()), PHICACHE_OK);
                assert_eq!(again.origin, PHICACHE_ORIGIN_HIT);
                self.pin(first, call_of_memo.value.clone());
                self.pin(again, call_of_memo.value);
            } else {
                assert!(call_of_memo.ran && call_of_memo.reserved < 0);
            }
            assert_eq!(phicache_memo_free(memo), PHICACHE_OK);
            let made = phicache_method_new(name.as_ptr(), 0, Some(compute), drops, Some(dropped), &mut method);
            assert_eq!(made, PHICACHE_OK);
            if let Some(place) = self.any()
                && self.slots[place].kind == Kind::Dict
            {
                let (number, view) = (self.slots[place].number, self.slots[place].view);
                assert_eq!(phicache_cache_key(view, name.as_ptr(), args, &mut bytes), PHICACHE_OK);
                let key = std::slice::from_raw_parts(bytes.data, bytes.len).to_vec();
                let known = self.slots[place].entries.get(&key).cloned();
                let (computed, itself) = self.computers(number, &key, 0);
                if known.is_some() || (!computed && !itself) {
                    let mut call = Call { slot: Some(number), ..call(Kind::Dict) };
                    let mut value = EMPTY;
                    let object = (&raw mut call).cast();
                    let status = phicache_method_call(method, view, object, args, &mut value, null_mut());
                    match (status, known) {
                        (PHICACHE_OK, Some(known)) => self.pin(value, known),
                        (PHICACHE_OK, None) => {
                            let begun = self.computing.pop().unwrap();
                            assert_eq!(begun.key, key);
                            self.landed(&begun, value, call.value);
                        }
                        (status, _) => {
                            assert!(call.ran && call.reserved == status, "{status}");
                            self.computing.pop();
                        }
                    }
                }
            }
            assert_eq!(phicache_method_free(method), PHICACHE_OK);
            assert_eq!(phicache_method_free(method), PHICACHE_ERROR_INVALID_HANDLE);
            assert!(self.drops.load(Ordering::Relaxed) >= before + 2);
            assert_eq!(phicache_key_free(args), PHICACHE_OK);
        }
    }

    /// Calls with invalid handles: random addresses, other types, freed handles, NULL.
    fn wrong(&mut self) {
        let config: *mut c_void = self.config.cast();
        let (mut value, mut lease) = (EMPTY, null_mut());
        unsafe {
            assert_eq!(phicache_dict_cache_get(config.cast(), lend(b"k"), &mut value), PHICACHE_ERROR_INVALID_HANDLE);
            assert_eq!(phicache_cache_set(config.cast(), lend(b"k"), lend(b"")), PHICACHE_ERROR_INVALID_HANDLE);
            assert_eq!(phicache_mice_cache_free(config.cast()), PHICACHE_ERROR_INVALID_HANDLE);
            assert_eq!(phicache_cache_get(null_mut(), lend(b"k"), &mut value), PHICACHE_ERROR_INVALID_ARGUMENT);
            assert_eq!(phicache_lease_abandon(null_mut()), PHICACHE_OK);
            phicache_value_release(null_mut());
            phicache_value_release(&mut value);
            for view in self.freed.clone() {
                let begun = phicache_cache_begin(view, lend(b"k"), 0, &mut value, &mut lease);
                assert_eq!(begun, PHICACHE_ERROR_INVALID_HANDLE);
                assert_eq!(phicache_cache_clear(view), PHICACHE_ERROR_INVALID_HANDLE);
            }
            let Some(place) = self.any() else { return };
            let view = self.slots[place].view;
            let none = phicache_bytes { data: null(), len: 5 };
            assert_eq!(phicache_cache_get(view, none, &mut value), PHICACHE_ERROR_INVALID_ARGUMENT);
            assert_eq!(phicache_cache_set(view, lend(b"k"), none), PHICACHE_ERROR_INVALID_ARGUMENT);
            assert_eq!(phicache_cache_get(view, lend(b"k"), null_mut()), PHICACHE_ERROR_INVALID_ARGUMENT);
            let owner = phicache_cache_begin(view, lend(b"never"), 1 << 63, &mut value, &mut lease);
            assert_eq!((owner, lease), (PHICACHE_ERROR_INVALID_ARGUMENT, null_mut()));
            if self.slots[place].kind == Kind::Dict {
                assert_eq!(
                    phicache_purview_cache_clear(self.slots[place].handle.cast()),
                    PHICACHE_ERROR_INVALID_HANDLE
                );
            }
        }
    }

    fn section(&mut self) {
        if self.input.flag() {
            // A callback must not leave a read section open.
            if self.computing.is_empty() && self.open < 3 {
                assert_eq!(phicache_read_begin(), PHICACHE_OK);
                self.open += 1;
            }
        } else {
            self.end_section();
        }
    }

    fn end_section(&mut self) {
        for (bytes, expected) in &self.read {
            assert!(seen(bytes.data, bytes.len) == *expected);
        }
        let open = self.open > 0;
        assert_eq!(phicache_read_end(), if open { PHICACHE_OK } else { PHICACHE_ERROR_INVALID_ARGUMENT });
        self.open -= u32::from(open);
        if self.open == 0 {
            self.read.clear();
        }
    }

    /// Forks: the child continues with the same model for a few calls, then the parent does.
    fn fork(&mut self) {
        if self.forks == FORKS {
            return;
        }
        self.forks += 1;
        match unsafe { fork() } {
            0 => {
                unsafe {
                    signal(14, 0);
                    alarm(120);
                }
                self.is_child = true;
                self.forks = FORKS;
                let bytes = self.input.bytes(80);
                self.input = Input::new(bytes);
                self.leases.iter_mut().chain(&mut self.computing).for_each(|begun| begun.of_parent = true);
            }
            child => {
                let mut status = 0;
                while unsafe { waitpid(child, &mut status, 0) } != child {}
                assert_eq!(status, 0, "the child failed; its message is above");
            }
        }
    }

    fn registry(&mut self) {
        let names = self.slots.iter().filter(|slot| slot.name.is_some()).count();
        let mut count = 0;
        let listed = unsafe { phicache_registry_list(null_mut(), 0, &mut count) };
        let expected = if names == 0 { PHICACHE_OK } else { PHICACHE_ERROR_BUFFER_TOO_SMALL };
        assert_eq!((listed, count), (expected, names));
        let mut info = phicache_info { hits: 0, misses: 0, size: 0 };
        for slot in self.slots.iter().filter(|slot| slot.name.is_some()) {
            let name: *const c_char = slot.name.as_ref().unwrap().as_ptr();
            assert_eq!(unsafe { phicache_registry_info(name, &mut info) }, PHICACHE_OK);
            assert_eq!(info.size, slot.entries.len() as u64);
        }
        for (value, expected) in &self.pinned {
            assert!(seen(value.data, value.len) == *expected);
        }
    }

    fn step(&mut self) {
        let operation = self.input.below(32);
        let place = self.any();
        match (operation, place) {
            (0..=1, _) | (_, None) => self.make(),
            (2..=6, Some(place)) => self.get(place),
            (7..=10, Some(place)) => self.set(place),
            (11, Some(place)) => self.many(place),
            (12, Some(place)) => self.walk(place),
            (13 | 14, Some(place)) => self.remove(place),
            (15, Some(place)) => self.clear(place),
            (16..=20, Some(place)) => self.memoize(place),
            (21 | 22, Some(place)) => self.begin(place),
            (23, Some(place)) => self.wait(place),
            (24, _) => self.end(),
            (25, _) => self.section(),
            (26, _) => self.functions(),
            (27, _) => self.wrong(),
            (28, _) => self.registry(),
            (29, _) => {
                let keep = usize::from(self.input.byte());
                self.release(keep);
            }
            (30, Some(place)) if self.input.below(4) == 0 => self.free(place),
            (31, _) if self.input.below(4) == 0 => self.fork(),
            _ => {}
        }
    }

    fn release(&mut self, keep: usize) {
        while self.pinned.len() > keep {
            let place = usize::from(self.input.byte()) % self.pinned.len();
            let (mut value, expected) = self.pinned.swap_remove(place);
            assert!(seen(value.data, value.len) == expected);
            unsafe { phicache_value_release(&mut value) };
            assert!(value.data.is_null() && value.pin.is_null());
        }
    }

    /// Frees everything and checks that no byte is held.
    fn finish(mut self) -> bool {
        while self.open > 0 {
            self.end_section();
        }
        self.registry();
        for place in 0..self.slots.len() {
            let (view, entries) = (self.slots[place].view, self.slots[place].entries.len() as u64);
            let mut size = 0;
            assert_eq!(unsafe { phicache_cache_size(view, &mut size) }, PHICACHE_OK);
            assert_eq!(size, entries);
        }
        while !self.leases.is_empty() {
            self.end();
        }
        while !self.slots.is_empty() {
            self.free(0);
        }
        self.release(0);
        let mut memory = phicache_memory {
            struct_size: size_of::<phicache_memory>(),
            percent: 0.0,
            resident: 0,
            limit: 0,
            physical: 0,
            held: 77,
            room: 0,
            known: 0,
            reserved: 0,
        };
        unsafe {
            assert_eq!(phicache_subsystem_free(self.subsystem), PHICACHE_OK);
            assert_eq!(phicache_config_free(self.config), PHICACHE_OK);
            assert_eq!(phicache_memory_usage(&mut memory), PHICACHE_OK);
        }
        assert_eq!(memory.held, 0);
        self.is_child
    }
}

/// Other threads use the same cache, with values that name their key, while this thread forks. If it is limited, it
/// evicts.
fn threads(data: &'static [u8], limited: bool) {
    let mut world = World::new(Input::new(&[]));
    let mut cache = null_mut();
    let max_bytes = if limited { MAX_BYTES } else { 0 };
    let options = [64, 0, max_bytes, 0, 0, 0, 0, PHICACHE_ON_FULL_EVICT as u64];
    let made = unsafe { phicache_dict_cache_new(world.config, options.as_ptr().cast(), &mut cache) };
    assert_eq!(made, PHICACHE_OK);
    let cache = cache.addr();
    let use_cache = |mut input: Input, bound: u32| {
        let cache = std::ptr::with_exposed_provenance_mut::<phicache_dict_cache>(cache);
        let mut view = null_mut();
        unsafe { phicache_dict_cache_as_cache(cache, &mut view) };
        let mut calls = 0;
        while !input.is_empty() && calls < bound {
            calls += 1;
            let (key, mut value, mut lease) = (input.below(16), EMPTY, null_mut());
            let bytes = vec![key; LENGTHS[usize::from(input.below(7)).max(1)]];
            let is_right = |value: &phicache_value| seen(value.data, value.len).iter().all(|byte| *byte == key);
            let name = [key; 9];
            unsafe {
                match input.below(7) {
                    0 => assert!(phicache_cache_remove(view, lend(&name)) >= 0),
                    1 if key < 3 => assert_eq!(phicache_cache_clear(view), PHICACHE_OK),
                    2 | 3 => match phicache_cache_set(view, lend(&name), lend(&bytes)) {
                        PHICACHE_REFUSED_CAPACITY => assert!(limited),
                        status => assert_eq!(status, PHICACHE_OK),
                    },
                    4 => match phicache_cache_begin(view, lend(&name), 0, &mut value, &mut lease) {
                        PHICACHE_LEASE => assert_eq!(phicache_lease_abandon(lease), PHICACHE_OK),
                        PHICACHE_BUSY => {}
                        status => assert!(status == PHICACHE_OK && is_right(&value)),
                    },
                    5 => {
                        let mut read = phicache_bytes { data: null(), len: 0 };
                        assert_eq!(phicache_read_begin(), PHICACHE_OK);
                        if phicache_cache_read(view, lend(&name), &mut read) == PHICACHE_OK {
                            assert!(phicache_cache_remove(view, lend(&name)) >= 0);
                            assert!(seen(read.data, read.len).iter().all(|byte| *byte == key));
                        }
                        assert_eq!(phicache_read_end(), PHICACHE_OK);
                    }
                    _ => {
                        let status = phicache_cache_get(view, lend(&name), &mut value);
                        assert!(status == PHICACHE_MISS || status == PHICACHE_OK && is_right(&value));
                    }
                }
                phicache_value_release(&mut value);
            }
        }
    };
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for part in data.chunks(data.len().div_ceil(3).max(1)) {
            let (use_cache, stop) = (&use_cache, &stop);
            scope.spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    use_cache(Input::new(part), u32::MAX);
                }
            });
        }
        for _ in 0..FORKS {
            use_cache(Input::new(data), 5);
            world.fork();
            if world.is_child {
                use_cache(Input::new(data), 100);
                unsafe { _exit(0) };
            }
        }
        stop.store(true, Ordering::Relaxed);
    });
    unsafe { assert_eq!(phicache_dict_cache_free(std::ptr::with_exposed_provenance_mut(cache)), PHICACHE_OK) };
    world.finish();
}

fuzz_target!(|data: &[u8]| {
    // SAFETY: all threads that use it have ended when this function returns.
    let data: &'static [u8] = unsafe { std::mem::transmute(data) };
    let Some((first, rest)) = data.split_first() else { return };
    if first % 32 == 31 {
        return threads(rest, first & 32 != 0);
    }
    let mut world = World::new(Input::new(rest));
    world.make();
    while !world.input.is_empty() {
        world.step();
    }
    if world.finish() {
        // SAFETY: `_exit` is always allowed; the parent runs the rest of the program.
        unsafe { _exit(0) }
    }
});
