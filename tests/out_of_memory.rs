//! A failed allocation is a status, whichever it is: nothing is lost, and the next try works.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::ffi::c_void;
use std::mem::zeroed;
use std::ptr::{null, null_mut};
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use phicache::ffi::api::cache::*;
use phicache::ffi::api::callback::phicache_result_reserve;
use phicache::ffi::api::dict::*;
use phicache::ffi::api::entries::*;
use phicache::ffi::api::key::*;
use phicache::ffi::api::lease::*;
use phicache::ffi::api::library::phicache_value_release;
use phicache::ffi::api::mice::*;
use phicache::ffi::api::read::*;
use phicache::ffi::api::subsystem::*;
use phicache::ffi::border::types::*;

/// An allocator that fails one allocation of the thread that requested the failure.
struct Failing;

thread_local!(static LEFT: Cell<Option<u32>> = const { Cell::new(None) });

fn fails() -> bool {
    LEFT.with(|left| {
        let now = left.get();
        left.set(now.and_then(|now| now.checked_sub(1)));
        now == Some(0)
    })
}

// SAFETY: everything that does not fail is the system's.
unsafe impl GlobalAlloc for Failing {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as the caller promises.
        if fails() { null_mut() } else { unsafe { System.alloc(layout) } }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as the caller promises.
        if fails() { null_mut() } else { unsafe { System.alloc_zeroed(layout) } }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: as the caller promises.
        if fails() { null_mut() } else { unsafe { System.realloc(block, layout, size) } }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(block, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Failing = Failing;

/// Runs `call` with its first allocation failing, then its second, and so on, until it makes fewer. `undo` reverts a
/// call that succeeded. Returns the number of allocations.
fn every_allocation(what: &str, mut call: impl FnMut() -> phicache_status, mut undo: impl FnMut()) -> u32 {
    for n in 0..1000 {
        LEFT.with(|left| left.set(Some(n)));
        let status = call();
        let untouched = LEFT.with(|left| left.take()).is_some();
        assert!(
            status >= 0 || status == PHICACHE_ERROR_OUT_OF_MEMORY,
            "{what} with allocation {n} failing returns {status}"
        );
        if status >= 0 {
            undo();
        }
        if untouched {
            assert!(status >= 0, "{what} returns {status} although no allocation failed");
            return n;
        }
    }
    panic!("{what} takes more than 1000 allocations");
}

fn bytes(text: &[u8]) -> phicache_bytes {
    phicache_bytes { data: text.as_ptr(), len: text.len() }
}

/// A value of this length has memory of its own: reserving it always allocates.
const LARGE: usize = 100_000;

unsafe extern "C-unwind" fn compute(
    _: *mut c_void,
    _: *mut c_void,
    _: phicache_bytes,
    result: *mut phicache_result,
) -> i32 {
    let mut out = null_mut();
    // A callback that overlooks a failed reservation must not have its value cached.
    // SAFETY: the result is the library's.
    unsafe { phicache_result_reserve(result, LARGE, &mut out) };
    0
}

fn sample_mice() -> phicache_mice {
    phicache_mice {
        struct_size: size_of::<phicache_mice>(),
        direction: PHICACHE_CAUSE,
        reserved: 0,
        mechanism: 1,
        purview: 2,
        phi: 0.5,
        payload: bytes(b"payload"),
    }
}

#[test]
fn any_failed_allocation_is_a_status_and_the_next_try_works() {
    // SAFETY: all arguments are what the header asks for.
    unsafe {
        let mut cache = null_mut();
        // A failed allocation of the process's configuration may end the process, so the configuration is made first.
        assert_eq!(phicache_dict_cache_new(null_mut(), null(), &mut cache), PHICACHE_OK);

        let made = Cell::new(null_mut());
        let mut allocations = every_allocation(
            "new",
            || {
                let mut cache = null_mut();
                let status = phicache_dict_cache_new(null_mut(), null(), &mut cache);
                made.set(cache);
                status
            },
            || assert_eq!(phicache_dict_cache_free(made.get()), PHICACHE_OK),
        );

        let mut size = 0;
        for round in 0..40u32 {
            let key = round.to_le_bytes();
            allocations += every_allocation(
                "set",
                || phicache_dict_cache_set(cache, bytes(&key), bytes(&[7; 50])),
                || assert_eq!(phicache_dict_cache_contains(cache, bytes(&key)), PHICACHE_OK),
            );
            assert_eq!((phicache_dict_cache_size(cache, &mut size), size), (PHICACHE_OK, round as u64 + 1));
        }

        let mut value: phicache_value = zeroed();
        let (out, mut last) = (&raw mut value, 0);
        allocations += every_allocation(
            "memoize",
            || phicache_dict_cache_memoize(cache, bytes(b"k"), Some(compute), null_mut(), null_mut(), out, null_mut()),
            || {
                // Never a value that the callback could not write.
                assert_eq!((*out).len, LARGE);
                last = (*out).origin;
                phicache_value_release(out);
                // Computed, but not stored if the table could not grow.
                assert!(phicache_dict_cache_remove(cache, bytes(b"k")) >= PHICACHE_OK);
            },
        );
        assert_eq!(last, PHICACHE_ORIGIN_COMPUTED);

        allocations += every_allocation("get", || phicache_dict_cache_get(cache, bytes(b"none"), &mut value), || {});

        let mut expected = Vec::new();
        for _ in 0..2 {
            allocations += every_allocation(
                "key",
                || {
                    let mut key = null_mut();
                    let mut status = phicache_key_new(&mut key);
                    let mut encoded = bytes(b"");
                    let mut step = |next: phicache_status| status = if status < 0 { status } else { next };
                    if !key.is_null() {
                        step(phicache_key_add_string(key, bytes(b"repertoire")));
                        step(phicache_key_begin_set(key));
                        (0..20).for_each(|n| step(phicache_key_add_int(key, n)));
                        step(phicache_key_end_set(key));
                        step(phicache_key_begin_named(key, c"named".as_ptr()));
                        step(phicache_key_add_doubles(key, [0.5; 100].as_ptr(), 100));
                        step(phicache_key_end_named(key));
                        step(phicache_key_add_keyword(key, c"name".as_ptr()));
                        step(phicache_key_add_double(key, 0.5));
                        step(phicache_key_bytes(key, 0, &mut encoded));
                    }
                    if status == PHICACHE_OK {
                        let left = LEFT.with(|left| left.take());
                        let encoded = std::slice::from_raw_parts(encoded.data, encoded.len).to_vec();
                        assert!(expected.is_empty() || expected == encoded);
                        expected = encoded;
                        LEFT.with(|now| now.set(left));
                    }
                    phicache_key_free(key);
                    status
                },
                || {},
            );
        }

        let network = phicache_fingerprint { bytes: [1; 32] };
        let state = [0i32, 1, 0];
        let made = Cell::new(null_mut());
        let subsystem = || {
            let mut subsystem = null_mut();
            let status = phicache_subsystem_new(&network, 3, state.as_ptr(), 7, null(), null(), &mut subsystem);
            made.set(subsystem);
            status
        };
        allocations += every_allocation("subsystem", subsystem, || {
            assert_eq!(phicache_subsystem_free(made.get()), PHICACHE_OK);
        });
        assert_eq!(subsystem(), PHICACHE_OK);

        let (mut parent, child) = (null_mut(), Cell::new(null_mut()));
        assert_eq!(phicache_mice_cache_new(null_mut(), null(), made.get(), null_mut(), &mut parent), PHICACHE_OK);
        let mice = sample_mice();
        allocations += every_allocation("mice set", || phicache_mice_cache_set(parent, bytes(b"k"), &mice), || {});
        allocations += every_allocation(
            "a child",
            || {
                let mut made_child = null_mut();
                let status = phicache_mice_cache_new(null_mut(), null(), made.get(), parent, &mut made_child);
                child.set(made_child);
                status
            },
            || assert_eq!(phicache_mice_cache_free(child.get()), PHICACHE_OK),
        );
        let mut living = null_mut();
        assert_eq!(phicache_mice_cache_new(null_mut(), null(), made.get(), parent, &mut living), PHICACHE_OK);
        allocations += every_allocation("mice clear", || phicache_mice_cache_clear(parent), || {});
        assert_eq!(phicache_mice_cache_contains(living, bytes(b"k")), PHICACHE_OK);

        assert!(
            allocations > 50,
            "only {allocations} allocations: the test does not reach the allocations that it should"
        );
        phicache_mice_cache_free(living);
        phicache_mice_cache_free(parent);
        phicache_subsystem_free(made.get());
        phicache_dict_cache_free(cache);
    }
}

#[test]
fn any_failed_allocation_of_batches_sizes_and_cuts_is_a_status() {
    // SAFETY: all arguments are what the header asks for.
    unsafe {
        let (mut dict, mut cache) = (null_mut(), null_mut());
        assert_eq!(phicache_dict_cache_new(null_mut(), null(), &mut dict), PHICACHE_OK);
        assert_eq!(phicache_dict_cache_as_cache(dict, &mut cache), PHICACHE_OK);
        let numbers: Vec<_> = (0..100u32).map(u32::to_le_bytes).collect();
        let keys: Vec<_> = numbers.iter().map(|number| bytes(number)).collect();
        let values = vec![bytes(&[7; LARGE]); keys.len()];
        let mut statuses = vec![PHICACHE_OK; keys.len()];
        let (mut out, mut found) = (Vec::new(), 0);
        out.resize_with(keys.len(), || zeroed::<phicache_value>());
        let allocations = every_allocation(
            "set_many",
            || {
                let list = statuses.as_mut_ptr();
                let status = phicache_cache_set_many(cache, keys.as_ptr(), values.as_ptr(), keys.len(), list);
                let left = LEFT.with(|left| left.take());
                // One value was not stored, or none was needed that failed. The others are.
                let refused = statuses.iter().filter(|one| **one != PHICACHE_OK).count();
                assert_eq!(refused, usize::from(status != PHICACHE_OK), "{status}");
                LEFT.with(|now| now.set(left));
                status
            },
            || {
                assert_eq!(
                    phicache_cache_get_many(cache, keys.as_ptr(), keys.len(), out.as_mut_ptr(), &mut found),
                    PHICACHE_OK
                );
                assert_eq!(found, keys.len());
                out.iter_mut().for_each(|value| phicache_value_release(value));
            },
        );
        assert!(allocations > 0);
        let get = || {
            let status = phicache_cache_get_many(cache, keys.as_ptr(), keys.len(), out.as_mut_ptr(), &mut found);
            out.iter_mut().for_each(|value| phicache_value_release(value));
            status
        };
        every_allocation("get_many", get, || {});
        assert_eq!(phicache_dict_cache_free(dict), PHICACHE_OK);

        let network = phicache_fingerprint { bytes: [1; 32] };
        let (state, mut subsystem) = ([0i32, 1, 0], null_mut());
        let made = phicache_subsystem_new(&network, 3, state.as_ptr(), 7, null(), null(), &mut subsystem);
        assert_eq!(made, PHICACHE_OK);
        let heir = |parent| {
            let mut made = null_mut();
            assert_eq!(phicache_dict_mice_cache_new(null_mut(), null(), subsystem, parent, &mut made), PHICACHE_OK);
            made
        };
        let parent = heir(null_mut());
        let child = heir(parent);
        let grandchild = heir(child);
        let mice = sample_mice();
        // The child hides one of its parent's, of which another was cleared.
        for (cache, key) in [(parent, b"a"), (parent, b"b"), (child, b"a"), (child, b"c"), (grandchild, b"d")] {
            assert_eq!(phicache_mice_cache_set(cache, bytes(key), &mice), PHICACHE_OK);
        }
        assert_eq!(phicache_mice_cache_clear(parent), PHICACHE_OK);
        for key in [b"b", b"e"] {
            assert_eq!(phicache_mice_cache_set(parent, bytes(key), &mice), PHICACHE_OK);
        }
        let mut size = 0;
        every_allocation("mice size", || phicache_mice_cache_size(grandchild, &mut size), || {});
        assert_eq!(size, 5);
        for cache in [grandchild, child, parent] {
            phicache_mice_cache_free(cache);
        }
        phicache_subsystem_free(subsystem);

        let (nodes, mut severed) = ([1u64, 2, 4], [0u64; 3]);
        let sever = || phicache_cut_partition(3, PHICACHE_CAUSE, &nodes[0], &nodes[0], 3, &mut severed[0]);
        every_allocation("a partition", sever, || {});
    }
}

/// One poll of a task.
unsafe fn poll(cache: *mut phicache_cache, key: &[u8], owner: u64) -> phicache_status {
    // SAFETY: all arguments are what the header asks for.
    unsafe {
        let mut value: phicache_value = zeroed();
        let status = phicache_cache_wait(cache, bytes(key), owner, 0, &mut value);
        phicache_value_release(&mut value);
        status
    }
}

unsafe fn begin(
    cache: *mut phicache_cache,
    key: &[u8],
    owner: u64,
    lease: &Cell<*mut phicache_lease>,
) -> phicache_status {
    // SAFETY: all arguments are what the header asks for.
    unsafe {
        let (mut value, mut made) = (zeroed(), null_mut());
        let status = phicache_cache_begin(cache, bytes(key), owner, &mut value, &mut made);
        lease.set(made);
        status
    }
}

/// A callback that runs the closure of its call.
unsafe extern "C-unwind" fn run(_: *mut c_void, call: *mut c_void, _: phicache_bytes, _: *mut phicache_result) -> i32 {
    // SAFETY: it is what `memoize` was given below, which lasts as long as the call.
    unsafe { (*call.cast::<&mut dyn FnMut()>())() };
    0
}

unsafe fn memoize(cache: *mut phicache_cache, key: &[u8], mut compute: &mut dyn FnMut()) -> phicache_status {
    // SAFETY: all arguments are what the header asks for.
    unsafe {
        let mut value: phicache_value = zeroed();
        let call = (&raw mut compute).cast();
        let status = phicache_cache_memoize(cache, bytes(key), Some(run), null_mut(), call, &mut value, null_mut());
        phicache_value_release(&mut value);
        status
    }
}

#[test]
fn any_failed_allocation_of_leases_waits_and_cycles_is_a_status() {
    // SAFETY: all arguments are what the header asks for.
    unsafe {
        let (mut dict, mut cache) = (null_mut(), null_mut());
        assert_eq!(phicache_dict_cache_new(null_mut(), null(), &mut dict), PHICACHE_OK);
        assert_eq!(phicache_dict_cache_as_cache(dict, &mut cache), PHICACHE_OK);
        let lease = Cell::new(null_mut());
        // A thread's first lookup registers its participant.
        assert_eq!(phicache_cache_contains(cache, bytes(b"k")), PHICACHE_MISS);

        let mut allocations = 0;
        for owner in [0, 1] {
            allocations += every_allocation(
                "begin",
                || begin(cache, b"k", owner, &lease),
                || assert_eq!(phicache_lease_abandon(lease.get()), PHICACHE_OK),
            );
        }

        // Each waiting owner is announced, and the tables grow.
        assert_eq!(begin(cache, b"k", 1, &lease), PHICACHE_LEASE);
        let k = lease.get();
        for owner in 2..100 {
            allocations += every_allocation(
                "wait",
                || {
                    let status = poll(cache, b"k", owner);
                    assert!(status == PHICACHE_TIMEOUT || status == PHICACHE_ERROR_OUT_OF_MEMORY);
                    status
                },
                || {},
            );
        }
        let recursion = || match begin(cache, b"k", 1, &lease) {
            PHICACHE_ERROR_RECURSION => PHICACHE_OK,
            status => status,
        };
        allocations += every_allocation("recursion", recursion, || {});
        // Its owner still computes it.
        allocations += every_allocation("clear", || phicache_cache_clear(cache), || {});
        allocations += every_allocation("recursion", recursion, || {});
        assert_eq!(phicache_lease_abandon(k), PHICACHE_OK);

        // A cycle with two owners of one key: `x` is computed by 5, which waits for the thread, and by the thread,
        // which waits for `y`. A search from `x` branches there.
        assert_eq!(begin(cache, b"x", 5, &lease), PHICACHE_LEASE);
        let x = lease.get();
        assert_eq!(begin(cache, b"y", 6, &lease), PHICACHE_LEASE);
        let y = lease.get();
        let mut computed = 0;
        let mut branching = || {
            computed += 1;
            if computed > 1 {
                // The thread has completed `x`, and only 5 computes it: no cycle any more.
                return;
            }
            let left = LEFT.with(|left| left.take());
            assert_eq!(poll(cache, b"y", 0), PHICACHE_TIMEOUT);
            let mut searches = 0;
            for owner in 200..300 {
                searches += every_allocation("a search", || poll(cache, b"x", owner), || {});
            }
            assert!(searches >= 100, "only {searches} allocations: no search branched");
            // 6 would wait for itself, through the thread, which is one of the two owners.
            assert_eq!(poll(cache, b"x", 6), PHICACHE_BUSY);
            LEFT.with(|now| now.set(left));
        };
        let mut outer = || {
            assert_eq!(poll(cache, b"m", 5), PHICACHE_TIMEOUT);
            allocations += every_allocation(
                "a cycle",
                || memoize(cache, b"x", &mut branching),
                || assert!(phicache_cache_remove(cache, bytes(b"x")) >= PHICACHE_OK),
            );
        };
        assert_eq!(memoize(cache, b"m", &mut outer), PHICACHE_OK);
        assert!(computed >= 1 && allocations > 10, "{computed} cycles, {allocations} allocations");
        assert_eq!(phicache_lease_abandon(x), PHICACHE_OK);
        assert_eq!(phicache_lease_abandon(y), PHICACHE_OK);
        assert_eq!(phicache_dict_cache_free(dict), PHICACHE_OK);
    }
}

/// The id of this thread's participant, with the first allocation failing; 0 if it has none of its own.
fn id_without_memory() -> u32 {
    LEFT.with(|left| left.set(Some(0)));
    let id = phicache::epoch::read(|guard| guard.participant().id());
    LEFT.with(Cell::take);
    id
}

/// Ids choose the stripe of a cache's counters, and there are few stripes.
#[test]
fn a_thread_that_has_no_memory_for_a_participant_takes_no_ids() {
    fn check() {
        if id_without_memory() != 0 {
            // It reuses the participant of a thread that has ended, so the next thread may need a new one.
            return std::thread::spawn(check).join().unwrap();
        }
        for _ in 0..1000 {
            id_without_memory();
        }
        let id = phicache::epoch::read(|guard| guard.participant().id());
        assert!((1..1000).contains(&id), "{id}");
    }
    std::thread::spawn(check).join().unwrap();
}

/// Also where a table grows: 6,000 entries split a segment.
#[test]
fn a_store_that_runs_out_of_memory_charges_nothing() {
    // SAFETY: all arguments are what the header asks for.
    unsafe {
        let mut cache = null_mut();
        assert_eq!(phicache_dict_cache_new(null_mut(), null(), &mut cache), PHICACHE_OK);
        let long = [7; 5000];
        let mut stats: phicache_stats = zeroed();
        stats.struct_size = size_of::<phicache_stats>();
        for number in 0..6000u32 {
            let key = number.to_le_bytes();
            let value = if number % 100 == 0 { &long[..] } else { &long[..8] };
            every_allocation("set", || phicache_dict_cache_set(cache, bytes(&key), bytes(value)), || {});
        }
        assert_eq!((phicache_dict_cache_stats(cache, &mut stats), stats.size), (PHICACHE_OK, 6000));
        assert_eq!(phicache_dict_cache_clear(cache), PHICACHE_OK);
        assert_eq!((phicache_dict_cache_stats(cache, &mut stats), stats.bytes), (PHICACHE_OK, 0));
        phicache_dict_cache_free(cache);
    }
}

#[test]
fn a_walk_that_runs_out_of_memory_continues_where_it_was() {
    // SAFETY: all arguments are what the header asks for.
    unsafe {
        let (mut cache, mut view) = (null_mut(), null_mut());
        assert_eq!(phicache_dict_cache_new(null_mut(), null(), &mut cache), PHICACHE_OK);
        assert_eq!(phicache_dict_cache_as_cache(cache, &mut view), PHICACHE_OK);
        for number in 0..1000u32 {
            assert_eq!(phicache_dict_cache_set(cache, bytes(&number.to_le_bytes()), bytes(b"v")), PHICACHE_OK);
        }
        let walk = Cell::new(null_mut());
        let begin = || {
            let mut begun = null_mut();
            let status = phicache_walk_new(view, &mut begun);
            walk.set(begun);
            status
        };
        let mut allocations =
            every_allocation("walk_new", begin, || assert_eq!(phicache_walk_free(walk.get()), PHICACHE_OK));
        assert_eq!(begin(), PHICACHE_OK);
        let (mut entry, mut value): (phicache_entry, phicache_value) = zeroed();
        entry.struct_size = size_of::<phicache_entry>();
        let (seen, mut status) = (Cell::new(0), PHICACHE_OK);
        while status == PHICACHE_OK {
            let next = || {
                let next = phicache_walk_next(walk.get(), &mut entry, &mut value);
                assert!(next == PHICACHE_OK || value.pin.is_null());
                phicache_value_release(&mut value);
                seen.set(seen.get() + u32::from(next == PHICACHE_OK));
                status = next;
                next
            };
            allocations += every_allocation("walk_next", next, || {});
        }
        assert_eq!((status, seen.get()), (PHICACHE_MISS, 1000));
        assert!(allocations > 1, "{allocations} allocations");
        assert_eq!(phicache_walk_free(walk.get()), PHICACHE_OK);
        assert_eq!(phicache_dict_cache_free(cache), PHICACHE_OK);
    }
}

static DIFFERENCES: AtomicU32 = AtomicU32::new(0);

unsafe extern "C-unwind" fn difference(_: *mut c_void, _: phicache_bytes, kept: phicache_bytes, _: phicache_bytes) {
    assert_eq!(kept.len, 5);
    DIFFERENCES.fetch_add(1, Relaxed);
}

static DROPS: AtomicU32 = AtomicU32::new(0);

unsafe extern "C-unwind" fn count_drop(_: *mut c_void) {
    DROPS.fetch_add(1, Relaxed);
}

#[test]
fn any_failed_allocation_of_a_verified_hit_is_a_status_or_an_answer() {
    // SAFETY: all arguments are what the header asks for.
    unsafe {
        let mut options: phicache_cache_options = zeroed();
        options.struct_size = size_of::<phicache_cache_options>();
        options.verify_every = 1;
        options.difference = Some(difference);
        options.verify_drop = Some(count_drop);
        let mut cache = null_mut();
        assert_eq!(phicache_dict_cache_new(null_mut(), null(), &mut cache), PHICACHE_OK);
        assert_eq!(phicache_dict_cache_free(cache), PHICACHE_OK);
        let made = Cell::new(null_mut());
        let mut tries = 0;
        every_allocation(
            "new",
            || {
                let mut cache = null_mut();
                tries += 1;
                let status = phicache_dict_cache_new(null_mut(), &options, &mut cache);
                made.set(cache);
                status
            },
            || assert_eq!(phicache_dict_cache_free(made.get()), PHICACHE_OK),
        );
        assert_eq!(DROPS.load(Relaxed), tries, "the context is dropped once for each call");

        assert_eq!(phicache_dict_cache_new(null_mut(), &options, &mut cache), PHICACHE_OK);
        let mut value: phicache_value = zeroed();
        let (out, set) = (&raw mut value, || phicache_dict_cache_set(cache, bytes(b"k"), bytes(b"short")));
        assert_eq!(set(), PHICACHE_OK);
        let allocations = every_allocation(
            "memoize",
            || phicache_dict_cache_memoize(cache, bytes(b"k"), Some(compute), null_mut(), null_mut(), out, null_mut()),
            || {
                // Verified, or a hit as without the mode.
                assert!((*out).len == LARGE || (*out).len == 5);
                phicache_value_release(out);
                assert_eq!(set(), PHICACHE_OK);
            },
        );
        assert!(allocations > 0 && DIFFERENCES.load(Relaxed) > 0);

        let mut view = null_mut();
        assert_eq!(phicache_dict_cache_as_cache(cache, &mut view), PHICACHE_OK);
        let lease = Cell::new(null_mut());
        every_allocation(
            "begin",
            || {
                let mut begun = null_mut();
                let status = phicache_cache_begin(view, bytes(b"k"), 7, out, &mut begun);
                lease.set(begun);
                status
            },
            || {
                assert_eq!((*out).len, 5);
                phicache_value_release(out);
                assert_eq!(phicache_lease_abandon(lease.get()), PHICACHE_OK);
            },
        );
        assert_eq!(phicache_dict_cache_free(cache), PHICACHE_OK);
    }
}
