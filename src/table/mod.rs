//! A concurrent hash table of byte strings: lock-free readers, one writer at a time, values that can be pinned.
//!
//! | file | its one idea |
//! |---|---|
//! | `table.rs` | inserts, replaces and removes entries by key |
//! | `lookup.rs` | finds entries |
//! | `walk.rs` | takes every entry once, while others change the table |
//! | `reshape.rs` | a table grows and shrinks: a new directory with one or two new segments |
//! | `directory.rs` | the segments of a table |
//! | `segment.rs` | a hash table of fixed size |
//! | `bucket.rs` | one cache line: tag bytes, and slots with the addresses of entries |
//! | `long.rs` | lookups of long keys in one function, where the processor can |
//! | `hash.rs` | the keyed hash, seeded once per process |
//! | `other_hash.rs` | the hash of short and long keys |
//! | `draft.rs` | an entry that is being written |
//! | `fresh.rs` | a computed value that enters a table |
//! | `entry.rs` | a finished entry, as readers see it |
//! | `pin.rs` | keeps an entry alive |
//! | `release.rs` | the shares in an entry: the last one frees it |
//! | `part.rs` | segments and directories as objects that are retired |
//! | `evict.rs` | entries leave a chunk: moved, so that it can be freed, or evicted |
//! | `refusals.rs` | refused insertions: whether another attempt to make room would end like the last one |
//! | `arena.rs` | the memory of a table's entries: what it consists of, what it takes, what comes back |
//! | `chunk.rs` | one chunk: its blocks, and its shares, the last of which frees it |
//! | `chunks.rs` | the chunks of an arena: their order, and the room in them |
//! | `allocate.rs` | new blocks, and growth within limits |
//! | `closing.rs` | chunks that leave their table, and are freed as a whole |
//! | `holes.rs`, `size_class.rs` | free blocks; the sizes of blocks |
//! | `chunk_memory.rs` | allocation of chunks and segments |
//! | `region.rs`, `pages.rs` | runs of pages in regions of 2 MiB; what is requested from the system |
//! | `header.rs` | the 24 bytes in front of each entry |
//!
//! Caches use [`Table`]. Imports `memory`, `epoch`, `sync` and `error`; keys and values are plain bytes here.

mod allocate;
mod arena;
mod bucket;
mod chunk;
mod chunk_memory;
mod chunks;
mod closing;
mod directory;
mod draft;
mod entry;
mod evict;
mod fresh;
mod hash;
mod header;
mod holes;
#[cfg(target_arch = "x86_64")]
mod long;
mod lookup;
mod other_hash;
#[cfg(not(shuttle))]
mod pages;
mod part;
mod pin;
mod refusals;
#[cfg(not(shuttle))]
mod region;
mod release;
mod reshape;
mod segment;
mod size_class;
#[expect(clippy::module_inception, reason = "the folder's main type")]
mod table;
mod walk;

pub use allocate::Short;
pub use draft::{Draft, Memory, OwnedEntry, Reservation, Terms, check_shorter};
pub use entry::{EntryRef, weight};
pub use fresh::{Fresh, ShortValue};
pub use hash::{Hashed, ORDINARY, prepare};
pub use lookup::{FastKey, Ordinary, Other};
pub use pin::Pinned;
pub use table::{Evicted, Inserted, Table};
pub use walk::{Walk, Walked};
