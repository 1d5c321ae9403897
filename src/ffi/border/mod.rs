//! The border to C: all `unsafe` code for calls from C and for callbacks. `api` uses this folder.
//!
//! | file | its one idea |
//! |---|---|
//! | `types.rs` | the types and constants of the header |
//! | `panic.rs` | catches panics; turns errors into statuses and this thread's last message |
//! | `handle.rs` | slots that are never freed, and marks that distinguish a valid handle from a freed or wrong one |
//! | `handles.rs` | the library type behind each handle type |
//! | `any_cache.rs` | the cache behind a handle of any cache type |
//! | `pointer.rs` | tests of pointers, for the fast path |
//! | `input.rs` | input parameters: checked, then used as slices, text and structs |
//! | `output.rs` | output parameters: zeroed first, filled last |
//! | `translate.rs` | the library's results as C types: statuses, figures, records |
//! | `function.rs` | a function of the caller with its user data, which is dropped once |
//! | `result.rs` | where a callback writes its value |
//! | `callback.rs` | calling back: look up, compute, complete, in three steps |
//! | `entries.rs` | entries that a walk hands to C |
//! | `verify.rs` | the functions of verified mode: whether values are the same, and what differs |
//! | `unwind.rs` | an exception that leaves a callback ends the process |
//! | `parts.rs` | a key that comes in parts, joined |
//! | `reader.rs` | a thread and a cache, found once |
//! | `read_section.rs` | the read sections that a C program opens and closes |
//! | `fast_path.rs` | the most frequent functions in the simple case, without a panic boundary |
//!
//! # Why `api` needs no `unsafe`
//!
//! An exported function is an `unsafe extern "C" fn`. Its caller promises what the header asks for: a pointer points to
//! what its C type says, for the duration of the call; no other thread writes what it points to; a handle comes from
//! this library, and no thread frees it while another thread is inside a call with it; a callback may be called as its
//! type says.
//!
//! The functions of this folder take such parameters as they are, check what can be checked (NULL, alignment, length,
//! mark, UTF-8), and rely on the promise for the rest. They are safe functions although a wild pointer would make them
//! undefined, because nothing can hand them one: they are visible in `crate::ffi` only, and `api`, which calls them,
//! passes on the parameters of exported functions and makes no pointers of its own. The references that they return are
//! valid until the exported function returns; `api` does not keep them. Tests hold `api` to this: no `unsafe` block
//! (`tests/layers.rs`), no cast of a pointer, no static (`tests/header.rs`).

pub(super) mod any_cache;
pub(super) mod callback;
pub(super) mod entries;
pub(super) mod fast_path;
pub(super) mod function;
pub(super) mod handle;
pub(super) mod handles;
pub(super) mod input;
pub(super) mod output;
pub(super) mod panic;
pub(super) mod parts;
pub(super) mod pointer;
pub(super) mod read_section;
pub(super) mod reader;
pub(super) mod result;
pub(super) mod translate;
pub mod types;
pub(super) mod unwind;
pub(super) mod verify;
