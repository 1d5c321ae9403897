//! Values in files, which processes share: bytes; no caches, no meaning of keys. A [`Space`] has the values of one
//! identity and role in a directory. `docs/disk-format.md` specifies the files.
//!
//! | file | its one idea |
//! |---|---|
//! | `inspect.rs` | what is in a directory or a bundle, for people |
//! | `bundle.rs` | writing a bundle: many values in one file that appears whole |
//! | `store.rs` | stores and removals: records are appended to a segment of this process |
//! | `refresh.rs` | what other processes have stored since the last refresh |
//! | `compact.rs` | many small segments become one |
//! | `single_flight.rs` | of many processes that miss a key, one computes it |
//! | `space.rs` | lookups: the index says where a record is, one read fetches it |
//! | `bundle_reader.rs` | reading a bundle, all of it in order |
//! | `bound.rs` | whole segments are removed when the directory is full |
//! | `kept_bound.rs` | the bound that a directory keeps |
//! | `repair.rs` | segments of processes that are gone are sealed |
//! | `writer.rs` | the segment to which this process appends |
//! | `catalog.rs` | the known segments, and which record of a key is the newest |
//! | `claims.rs` | claims on computations, by locks that end with the process |
//! | `leases.rs` | claims between hosts, by files that expire |
//! | `stamp.rs` | whether a directory has changed since it was listed |
//! | `index.rs` | from the hash of a key to the place of its record |
//! | `context.rs` | the context of an identity, for people |
//! | `description.rs` | what a bundle is, in its own words |
//! | `value_files.rs` | long values, each in a file |
//! | `segment.rs` | a segment as its readers see it |
//! | `open_files.rs` | the number of descriptors that are kept open |
//! | `read_filter.rs` | which records were read lately |
//! | `health.rs` | counts of failures |
//! | `directory.rs` | where values are in the directory, and who is trusted |
//! | `names.rs` | the names of files |
//! | `format.rs` | the bytes of files |
//! | `checksum.rs` | checksums of records, hashes of keys |
//! | `failure.rs` | a file operation that failed |
//! | `files.rs` | file operations, which tests can make fail |
//!
//! # Guarantees
//!
//! **Nothing is believed.** Each record is checked by its checksum whenever it is read. What does not match is a miss.
//!
//! **One owner.** A process writes only into files that it has made, and a forked child makes its own. Files of others
//! are read, replaced by a rename, or removed.
//!
//! **No waiting.** No operation waits for another process, and none blocks on a lock of a file. Callers who wait for
//! another process's computation do that above this layer, and ask from time to time.

#![expect(clippy::len_without_is_empty, reason = "lengths of records and values, which are not collections")]

mod bound;
mod bundle;
mod bundle_reader;
mod catalog;
mod checksum;
mod claims;
mod compact;
mod context;
mod description;
mod directory;
mod failure;
pub mod files;
pub mod format;
mod health;
mod index;
mod inspect;
mod kept_bound;
mod leases;
mod names;
mod open_files;
mod read_filter;
mod refresh;
mod repair;
mod segment;
mod single_flight;
mod space;
mod stamp;
mod store;
mod value_files;
mod writer;

pub use bundle::BundleWriter;
pub use bundle_reader::{Bundle, Item};
pub use claims::Claimed;
pub use context::as_text;
pub use description::Description;
pub use directory::Directory;
pub use failure::{Failure, Outcome};
pub use health::{Evicted, Health};
pub use inspect::{Report, inspect, inspect_bundle};
pub use space::{Found, Lookup, Options, Space};
pub use store::{Entry, Stored};
