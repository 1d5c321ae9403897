//! The C API: one file for each section of the header, in the header's order (build.rs). Each function checks its
//! parameters, calls the library, and translates the result; everything unsafe is done in `border`.
//!
//! | file | its one idea |
//! |---|---|
//! | `verbs.rs.in` | the functions that all types of cache have, written once: get, set, memoize, … |
//! | `library.rs` | version, messages, released values, the memory of the process |
//! | `config.rs` | settings that caches share |
//! | `key.rs` | building keys, and fingerprints of networks |
//! | `cache.rs` | any cache: the verbs, for caches of every type |
//! | `read.rs` | reading in place, and many keys at once |
//! | `parts.rs` | keys in parts |
//! | `flat.rs` | pointers and lengths in place of structs by value |
//! | `entries.rs` | one entry without counting; all entries one by one |
//! | `callback.rs` | the functions with which a callback writes its value |
//! | `dict.rs`, `redis.rs`, `disk.rs`, `purview.rs`, `mice.rs` | one type of cache each |
//! | `memo.rs` | a function with its cache; a method that uses its object's cache |
//! | `subsystem.rs` | cuts, and systems under them |
//! | `bundle.rs` | a cache saved to one file |
//! | `lease.rs` | single flight without callbacks |
//! | `registry.rs` | the caches that have a name |
//! | `prelude.rs` | the imports from `border` that all of these need |

/// Instantiates verbs of `verbs.rs.in` for a handle type: `type, what descriptions call it: verbs`. build.rs writes
/// them, and hands them to cbindgen in this place.
macro_rules! verbs {
    ($type:ident, $noun:literal: $($verb:ident),*) => {
        include!(concat!(env!("OUT_DIR"), "/ffi/", stringify!($type), ".rs"));
    };
}

pub mod bundle;
pub mod cache;
pub mod callback;
pub mod config;
pub mod dict;
pub mod disk;
pub mod entries;
pub mod flat;
pub mod key;
pub mod lease;
pub mod library;
pub mod memo;
pub mod mice;
pub mod parts;
mod prelude;
pub mod purview;
pub mod read;
pub mod redis;
pub mod registry;
pub mod subsystem;
