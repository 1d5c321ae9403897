//! A concurrent hash table of byte strings: readers without locks, one writer at a time, values that stay pinned.
//!
//! | file | its one idea |
//! |---|---|
//! | `table.rs` | finds entries by key |
//! | `segment.rs` | a part of a table: buckets of one cache line each |
//! | `hash.rs` | the keyed hash, seeded once per process |
//! | `entry.rs` | one block holds header, key and value |
//! | `arena.rs` | where the entries of one table live: chunks that are freed as a whole |
//!
//! Knows `memory`, `epoch`, `sync` and `error`: bytes only; no key encoding, no statistics, no C.

pub(crate) mod arena;
pub(crate) mod entry;
pub(crate) mod hash;
pub(crate) mod segment;
#[expect(clippy::module_inception, reason = "the folder's main type")]
mod table;

pub use entry::{Block, Draft, EntryRef, KEY_MAX, OwnedEntry, Pinned, weight};
pub use hash::{Hashed, ORDINARY, prepare};
pub use segment::Probe;
pub use table::{Inserted, Table};
