//! How much memory caches hold, and how much they may.
//!
//! | file | its one idea |
//! |---|---|
//! | `account.rs` | the bytes one cache holds, exact, and their sum over the process |
//! | `limit.rs` | whether the process has room for more, from samples of what it occupies |
//! | `os.rs` | what the operating system says about memory, where it says anything |
//!
//! Knows `epoch` (each thread's counters), `sync` and `error`.

pub(crate) mod account;
pub mod limit;
mod os;

pub use account::Account;
pub(crate) use account::heap_bytes;
