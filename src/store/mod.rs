//! The in-process store: bytes in, pinned bytes out, and an honest count of the memory they take.
//!
//! | file | its one idea |
//! |---|---|
//! | `entry.rs` | one block holds header, key and value; whoever holds a [`Pinned`] keeps it alive |
//! | `arena.rs` | where the entries of one table live: chunks of memory, given back all at once |
//! | `table.rs` | finds entries by key: readers without locks, one writer at a time |
//! | `segment.rs` | a part of a table: buckets of one cache line each |
//! | `section.rs` | reading without locks, and pins that cost a plain store |
//! | `thread.rs` | what each thread tells those who free memory |
//! | `barrier.rs` | readers that need no barrier, because those who free make all threads pass one |
//! | `change.rs` | a fork waits until no thread is in the middle of a change |
//! | `reclaim.rs` | frees what was taken out, once nobody can be looking at it |
//! | `account.rs` | the bytes one cache holds, exact, and their sum over the process |
//! | `gauge.rs` | how full the memory is that this process may use, sampled |
//! | `os.rs` | what the operating system says of memory, where it can be had |
//! | `hash.rs` | the keyed hash, seeded once per process |
//! | `flight.rs` | of all who ask for a missing key, one computes; nobody waits for ever |
//! | `waits.rs` | who waits for what: the graph in which a wait that would never end is a circle |
//! | `owner.rs` | who computes or waits: a thread, or a task of the caller's |
//! | `lock.rs` | locks that survive a fork |
//! | `shared.rs` | a counted pointer whose allocation may fail without an abort |
//! | `apart.rs` | cache lines that threads do not take from each other |
//!
//! The store knows bytes only: no key encoding, no statistics, no C. All other layers are safe code above it.
//! What a reader sees is [`Section`], lent by [`section::read`], in which [`Table::find`] finds entries, and [`Pinned`], by
//! which it keeps one.

mod account;
mod apart;
mod arena;
mod barrier;
mod change;
mod entry;
mod flight;
pub mod gauge;
mod hash;
pub mod lock;
mod os;
mod owner;
mod reclaim;
pub mod section;
mod segment;
mod shared;
mod table;
mod thread;
mod waits;

pub use account::Account;
pub use apart::{Apart, Gap, are_apart};
pub use change::change;
pub use entry::{Block, Draft, EntryRef, Fresh, KEY_MAX, Pinned, weight};
pub use flight::{Begin, Flight, Flights, May, Wait};
pub use hash::{Hashed, ORDINARY};
pub use owner::Owner;
pub use section::Section;
pub use segment::First;
pub use shared::{Shared, SharedCell};
pub use table::{Inserted, Table};
pub use thread::{MESSAGE, Record, message, with_attached};

/// Measures the memory and seeds the hash, once, so that no store has to: both take memory.
pub fn prepare() {
    gauge::prepare();
    hash::prepare();
}
