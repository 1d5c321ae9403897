//! What the files of this folder use of `border`, of the caches, and of the standard library.

pub(super) use std::ffi::{c_char, c_void};

pub(super) use crate::cache::Fast;
pub(super) use crate::error::{Error, Result};
pub(super) use crate::ffi::border::any_cache::{as_any, cache_of, create_cache, free_cache};
pub(super) use crate::ffi::border::callback::{self, Computes};
pub(super) use crate::ffi::border::fast_path::{self, Aside, chosen, ordinary, other, some_key};
pub(super) use crate::ffi::border::function::Callback;
pub(super) use crate::ffi::border::handle::{create, free, no_handle};
pub(super) use crate::ffi::border::handles::{config, key_builder};
pub(super) use crate::ffi::border::input::{apart, array, array_mut, bytes, optional_text, options, text};
pub(super) use crate::ffi::border::output::{self, ValueOutputs, growing, length, optional, out, outs};
pub(super) use crate::ffi::border::panic::{catch_panics, catch_panics_infallible};
pub(super) use crate::ffi::border::result::TaskLookup;
pub(super) use crate::ffi::border::translate::{found, lent, stored};
pub(super) use crate::ffi::border::types::*;
