//! Caches whose values other processes share: at a server today.
//!
//! | file | its one idea |
//! |---|---|
//! | `redis.rs` | a cache whose values are at a server |
//! | `near.rs` | the values of it that this process keeps |
//! | `remote.rs` | the keys of one cache at a server, and what its failures mean |
//! | `key_names.rs` | what keys are called there |
//! | `seal.rs` | what ties a value there to its name |
//! | `polling.rs` | how often a waiting caller asks whether another process has finished |

pub(super) mod key_names;
pub(super) mod near;
mod polling;
pub(super) mod redis;
pub(super) mod remote;
mod seal;
