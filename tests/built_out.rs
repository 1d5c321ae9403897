//! A library that is built without Redis exports all functions; those that need a server return "unsupported".
#![cfg(not(feature = "redis"))]

use phicache::cache::{Options, RedisCache};
use phicache::config::Config;
use phicache::error::Error;
use phicache::ffi::api::library::phicache_features;
use phicache::ffi::api::redis::{phicache_redis_available, phicache_redis_cache_new, phicache_redis_ping};
use phicache::ffi::border::types::{PHICACHE_ERROR_UNSUPPORTED, PHICACHE_OK};
use phicache::iit::{NodeSet, Subsystem};
use phicache::key::Fingerprint;

#[test]
fn caches_in_redis_are_unsupported_but_their_settings_are_parsed() {
    let config = Config::new().unwrap();
    config.set_redis_url("rediss://me:secret@host:1/2?timeout_ms=5").unwrap();
    assert!(config.set_redis_url("http://host").is_err());
    assert_eq!(config.redis_timeout().unwrap().as_millis(), 5);
    let subsystem = Subsystem::new(&Fingerprint([1; 32]), &[1, 0], NodeSet(3), None, None).unwrap();
    let unsupported = |error: Option<Error>| matches!(error, Some(Error::Unsupported(text)) if text.contains("Redis"));
    assert!(unsupported(RedisCache::redis(config.clone(), Options::default(), None).err()));
    assert!(unsupported(RedisCache::mice(config.clone(), Options::default(), &subsystem, None).err()));
    assert_eq!(phicache_features(), 0);
}

#[test]
fn functions_that_need_a_server_are_unsupported_through_the_c_api_too() {
    let (mut cache, mut available) = (std::ptr::dangling_mut(), 7);
    // SAFETY: NULL stands for the process's configuration and for no options, and the outputs are there.
    unsafe {
        assert_eq!(phicache_redis_ping(std::ptr::null_mut(), 100), PHICACHE_ERROR_UNSUPPORTED);
        assert_eq!(phicache_redis_available(std::ptr::null_mut(), 100, &mut available), PHICACHE_OK);
        let status = phicache_redis_cache_new(std::ptr::null_mut(), std::ptr::null(), &mut cache);
        assert_eq!(status, PHICACHE_ERROR_UNSUPPORTED);
    }
    assert!(available == 0 && cache.is_null());
}

#[test]
fn its_shared_library_has_every_function() {
    // Cargo puts the library beside its tests.
    let path = std::env::current_exe().unwrap().with_file_name("libphicache.so");
    let path = std::ffi::CString::new(path.into_os_string().into_encoded_bytes()).unwrap();
    // SAFETY: it is our own library, which is never unloaded.
    let library = unsafe { libc::dlopen(path.as_ptr(), libc::RTLD_NOW) };
    assert!(!library.is_null(), "{path:?} does not load");
    let names = include_str!("../c-tests/package/exported_symbols.txt").lines();
    for name in names.filter(|name| *name != "phicache_relinked") {
        let symbol = std::ffi::CString::new(name).unwrap();
        // SAFETY: the library is open, and the name ends with a zero.
        assert!(!unsafe { libc::dlsym(library, symbol.as_ptr()) }.is_null(), "{name} is missing");
    }
}
