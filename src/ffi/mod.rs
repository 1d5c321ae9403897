//! The C face: one file per handle, mirroring `src/cache`. Each function checks, calls, translates.
//!
//! This is the border. What C promises (that a pointer points to what its type says, that nobody frees a handle while
//! another thread is inside it) cannot be checked here; the header states it, and the helpers in `input.rs` and
//! `handle.rs` rely on it, once, so that the functions themselves need none. Everything that can be checked is:
//! NULL, lengths, marks of handles, UTF-8. What else is unsafe has a file of its own (`boundary.rs`, `callback.rs`,
//! `output.rs`, `quick.rs`), but for one block each in `library.rs`, `memo.rs` and `registry.rs`.
//!
//! | file | its one idea |
//! |---|---|
//! | `types.rs` | the types and constants of the header |
//! | `boundary.rs` | no panic crosses; errors become statuses and this thread's last message |
//! | `handle.rs` | slots that are never returned, and marks that tell a live handle from a freed or wrong one |
//! | `input.rs`, `output.rs` | checked parameters on the way in, values on the way out |
//! | `callback.rs` | calling a compute callback, and the result it writes |
//! | all others | the functions of one handle |

#![allow(non_camel_case_types)]
// A function's safety is the header's conventions, stated there once.
#![allow(clippy::missing_safety_doc)]

pub mod api;
pub mod border;
