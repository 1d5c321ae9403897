//! The C API: one file per section of the header, in the order of build.rs. Each function checks, calls, translates.

pub mod cache;
pub mod callback;
pub mod config;
pub mod dict;
pub mod key;
pub mod lease;
pub mod library;
pub mod memo;
pub mod mice;
pub mod purview;
pub mod read;
pub mod redis;
pub mod registry;
pub mod subsystem;
