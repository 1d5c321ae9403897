//! The C API: `api` has the exported functions, `border` everything unsafe that they need.
//!
//! | folder | content | imports |
//! |---|---|---|
//! | `api` | one file for each section of the header: check, call, translate | `border`, and the library below |
//! | `border` | panics, handles, parameters, outputs, callbacks, the fast path | the library below; never `api` |
//!
//! `header.h` is the beginning and the end of the header; build.rs makes the rest from `border/types.rs` and `api`.

#![allow(non_camel_case_types)]
// A function's safety is the header's conventions, stated there once.
#![allow(clippy::missing_safety_doc)]

pub mod api;
pub mod border;
