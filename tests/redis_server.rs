//! Against real servers, which the tests start and stop themselves: tests/redis.
#![cfg(feature = "redis")]

#[path = "redis/mod.rs"]
mod tests;
