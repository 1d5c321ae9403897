//! `phicache::redis` with real servers, which the tests start and stop; see tests/redis.
#![cfg(feature = "redis")]

#[path = "redis/mod.rs"]
mod tests;
