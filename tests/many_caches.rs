//! Programs make a cache for each of many objects: a cache takes few bytes, and a freed handle's memory is of use to
//! handles of every type. The test reads `/proc`, because what counts is what the system has given. It is the only test
//! of its program, because others would change the program's size.

use std::collections::HashSet;
use std::ffi::c_void;
use std::ptr::{null, null_mut};

use phicache::ffi::api::config::*;
use phicache::ffi::api::dict::*;
use phicache::ffi::api::key::*;
use phicache::ffi::api::lease::*;
use phicache::ffi::api::library::phicache_value_release;
use phicache::ffi::api::memo::*;
use phicache::ffi::api::subsystem::*;
use phicache::ffi::border::types::*;

const CACHES: usize = 100_000;
/// The bytes of a cache without entries, and of one with a key of 16 bytes and a value of 8.
const EMPTY: f64 = 430.0;
const ONE_ENTRY: f64 = 1000.0;
/// With the counts of one thread that did not make the cache.
const OTHER_THREAD: f64 = 1500.0;

fn resident() -> f64 {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap();
    // SAFETY: asks for a number.
    let page = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    text.split(' ').nth(1).unwrap().parse::<f64>().unwrap() * page as f64
}

fn ok(status: phicache_status) {
    assert_eq!(status, PHICACHE_OK);
}

/// Makes a handle and returns it.
fn new<O, H>(make: impl FnOnce(*mut *mut O) -> phicache_status) -> *mut H {
    let mut handle = null_mut();
    ok(make(&mut handle));
    handle.cast()
}

fn bytes<T>(of: &T) -> phicache_bytes {
    phicache_bytes { data: std::ptr::from_ref(of).cast(), len: size_of::<T>() }
}

unsafe extern "C-unwind" fn compute(
    _user_data: *mut c_void,
    _call_data: *mut c_void,
    _key: phicache_bytes,
    _result: *mut phicache_result,
) -> i32 {
    1
}

/// How a handle of one type is made and freed.
type Type = (fn() -> *mut c_void, fn(*mut c_void));

// SAFETY: every pointer is a handle of its type, and valid.
const TYPES: [Type; 7] = unsafe {
    [
        (
            || new(|out| phicache_dict_cache_new(null_mut(), null(), out)),
            |handle| ok(phicache_dict_cache_free(handle.cast())),
        ),
        (|| new(|out| phicache_key_new(out)), |handle| ok(phicache_key_free(handle.cast()))),
        (|| new(|out| phicache_config_new(out)), |handle| ok(phicache_config_free(handle.cast()))),
        (
            || {
                new(|out| {
                    let none = null_mut();
                    phicache_memo_new(none, Some(compute), none.cast(), None, -2.0, 0, none.cast(), null(), out)
                })
            },
            |handle| ok(phicache_memo_free(handle.cast())),
        ),
        (
            || new(|out| phicache_method_new(null(), 0, Some(compute), null_mut(), None, out)),
            |handle| ok(phicache_method_free(handle.cast())),
        ),
        (
            || {
                new(|out| {
                    let (network, state) = (phicache_fingerprint { bytes: [1; 32] }, [0, 0]);
                    phicache_subsystem_new(&network, 2, state.as_ptr(), 3, null(), null(), out)
                })
            },
            |handle| ok(phicache_subsystem_free(handle.cast())),
        ),
        (
            || new(|out| phicache_dict_cache_new(null_mut(), null(), out)),
            |handle| ok(phicache_dict_cache_free(handle.cast())),
        ),
    ]
};

/// Makes handles of each type and frees them: after those of the first, no handle has new memory.
fn slots_serve_every_type() {
    const HANDLES: usize = 1000;
    let mut first = HashSet::new();
    for (at, (make, free)) in TYPES.into_iter().enumerate() {
        let handles: Vec<_> = (0..HANDLES).map(|_| make()).collect();
        if at == 0 {
            first.extend(handles.iter().copied());
        }
        assert_eq!(first.len(), HANDLES);
        assert!(handles.iter().all(|handle| first.contains(handle)), "handles of type {at} have new memory");
        handles.into_iter().for_each(free);
    }
    // Leases too, each of another key of one cache.
    let cache: *mut phicache_dict_cache = TYPES[0].0().cast();
    // SAFETY: as above.
    unsafe {
        let view: *mut phicache_cache = new(|out| phicache_dict_cache_as_cache(cache, out));
        for key in 0..HANDLES - 1 {
            let (mut value, mut lease) = (std::mem::zeroed(), null_mut());
            let status = phicache_cache_begin(view, bytes(&key), key as u64 + 1, &mut value, &mut lease);
            assert_eq!(status, PHICACHE_LEASE);
            assert!(first.contains(&lease.cast()));
            ok(phicache_lease_abandon(lease));
            phicache_value_release(&mut value);
        }
        ok(phicache_dict_cache_free(cache));
    }
}

#[test]
fn a_cache_takes_few_bytes_and_its_handle_serves_every_type() {
    slots_serve_every_type();

    // SAFETY: every pointer is valid, and every handle of its type.
    unsafe {
        let config: *mut phicache_config = new(|out| phicache_config_new(out));
        ok(phicache_config_set_maximum_memory_percent(config, PHICACHE_MEMORY_UNLIMITED));
        let mut caches = vec![std::ptr::dangling_mut(); CACHES];
        let before = resident();
        for cache in &mut caches {
            *cache = new(|out| phicache_dict_cache_new(config, null(), out));
        }
        let empty = (resident() - before) / CACHES as f64;
        for (number, cache) in caches.iter().enumerate() {
            ok(phicache_dict_cache_set(*cache, bytes(&[number, 1]), bytes(&number)));
        }
        let filled = (resident() - before) / CACHES as f64;
        let addresses: Vec<_> = caches.iter().map(|cache| cache.expose_provenance()).collect();
        let get = move |(number, cache): (usize, &usize)| {
            let (cache, mut info) = (std::ptr::with_exposed_provenance_mut(*cache), std::mem::zeroed());
            let mut value = std::mem::zeroed();
            ok(phicache_dict_cache_get(cache, bytes(&[number, 1]), &mut value));
            phicache_value_release(&mut value);
            if number < 10 {
                ok(phicache_dict_cache_info(cache, &mut info));
                assert_eq!((info.hits, info.misses, info.size), (1, 0, 1));
            }
        };
        std::thread::spawn(move || addresses.iter().enumerate().for_each(get)).join().unwrap();
        let used = (resident() - before) / CACHES as f64;
        caches.into_iter().for_each(|cache| ok(phicache_dict_cache_free(cache)));
        ok(phicache_config_free(config));
        println!("{empty:.0} bytes for each cache, {filled:.0} with an entry, {used:.0} used by another thread");
        assert!(used <= OTHER_THREAD, "{used:.0} bytes for each cache that another thread uses");
        assert!(empty <= EMPTY, "{empty:.0} bytes for each cache without entries");
        assert!(filled <= ONE_ENTRY, "{filled:.0} bytes for each cache with one entry");
    }
}
