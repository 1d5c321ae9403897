//! A library without Redis has all its functions: those that need a server say that they are unsupported.
#![cfg(not(feature = "redis"))]

use phicache::cache::{Options, RedisCache};
use phicache::config::Config;
use phicache::error::Error;
use phicache::ffi::library::phicache_features;
use phicache::iit::{NodeSet, Subsystem};
use phicache::key::Fingerprint;

#[test]
fn caches_in_redis_are_unsupported_and_settings_are_understood() {
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
