//! The in-process store: bytes in, pinned bytes out, and an honest count of the memory they take.
//!
//! | file | its one idea |
//! |---|---|
//! | `entry.rs` | one allocation holds header, key and value; whoever holds a [`Pinned`] keeps it alive |
//! | `table.rs` | finds entries by key: shards, made with the first entry |
//! | `account.rs` | the bytes one cache holds, exact, and their sum over the process |
//! | `gauge.rs` | how full the memory is that this process may use, sampled |
//! | `hash.rs` | the keyed hash, seeded once per process |
//! | `flight.rs` | of all who ask for a missing key, one computes; nobody waits for ever |
//! | `lock.rs` | locks that survive a fork |
//! | `shared.rs` | a counted pointer whose allocation may fail without an abort |
//!
//! The store knows bytes only: no key encoding, no statistics, no C. All other layers are safe code above it.
//! What a reader sees is [`Table::get`], which returns a [`Pinned`]: callers can tell neither how the table is
//! locked nor how the pin is kept, so both may change without them.

mod account;
mod entry;
mod flight;
pub mod gauge;
mod hash;
pub mod lock;
mod shared;
mod table;

pub use account::Account;
pub use entry::{Block, Draft, Fresh, KEY_MAX, Pinned, weight};
pub use flight::{Begin, Flight, Flights, May, Owner, Wait};
pub use shared::Shared;
pub use table::{Inserted, Table};

/// Measures the memory and seeds the hash, once, so that no store has to: both take memory.
pub fn prepare() {
    gauge::prepare();
    hash::prepare();
}
