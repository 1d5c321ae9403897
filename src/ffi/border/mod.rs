//! The border to C: all that cannot be checked by the compiler, in one place.

pub(super) mod fast_path;
pub(super) mod handle;
pub(super) mod input;
pub(super) mod output;
pub(super) mod panic;
pub mod types;
