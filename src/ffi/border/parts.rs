//! A key that comes in parts, or in the two pieces of a memo's key, joined: on the stack if it is short.

use std::mem::MaybeUninit;
use std::slice;

use crate::error::{Error, Result};
use crate::ffi::border::input::{array, bytes, lent_bytes, try_array};
use crate::ffi::border::types::*;

/// Up to this length a key is joined on the stack: 1 KiB, with the lengths of a few parts.
const SHORT: usize = 1024 + 64;

/// The parts of a key, as they come from C.
#[derive(Clone, Copy)]
pub(in crate::ffi) struct Parts {
    first: *const phicache_bytes,
    count: usize,
}

/// Room for a short key.
pub(in crate::ffi) struct Joined([MaybeUninit<u8>; SHORT]);

impl Joined {
    #[inline(always)]
    pub(in crate::ffi) fn new() -> Self {
        Joined([MaybeUninit::uninit(); SHORT])
    }

    /// Puts a part at `len`, if it fits there; returns where it ends.
    #[inline(always)]
    fn try_put(&mut self, len: usize, part: &[u8]) -> Option<usize> {
        let room = self.0.get_mut(len..)?.get_mut(..part.len())?;
        // SAFETY: the room is as long as the part, and no other memory of the program.
        unsafe { room.as_mut_ptr().cast::<u8>().copy_from_nonoverlapping(part.as_ptr(), part.len()) };
        Some(len + part.len())
    }

    /// The key of two pieces, if it is short.
    #[inline(always)]
    pub(in crate::ffi) fn try_join(&mut self, [first, second]: [&[u8]; 2]) -> Option<&[u8]> {
        let len = self.try_put(0, first)?;
        let len = self.try_put(len, second)?;
        // SAFETY: this many bytes were written.
        Some(unsafe { slice::from_raw_parts(self.0.as_ptr().cast(), len) })
    }
}

/// Calls `work` with the key of two pieces.
pub(in crate::ffi) fn with_joined<R>(pieces: [&[u8]; 2], work: impl FnOnce(&[u8]) -> Result<R>) -> Result<R> {
    if let Some(key) = Joined::new().try_join(pieces) {
        return work(key);
    }
    let len = pieces[0].len() + pieces[1].len();
    let mut key = Vec::new();
    key.try_reserve_exact(len).map_err(|_| Error::OutOfMemory(len))?;
    pieces.iter().for_each(|piece| key.extend_from_slice(piece));
    work(&key)
}

impl Parts {
    #[inline(always)]
    pub(in crate::ffi) fn new(first: *const phicache_bytes, count: usize) -> Self {
        Parts { first, count }
    }

    /// The key, if it is short and not empty, and all parts are valid.
    #[inline(always)]
    pub(in crate::ffi) fn try_join(self, buffer: &mut Joined) -> Option<phicache_bytes> {
        let mut len = 0;
        for part in try_array(self.first, self.count)? {
            if part.len == 0 {
                continue;
            }
            len = buffer.try_put(len, try_array(part.data, part.len)?)?;
        }
        Some(phicache_bytes { data: buffer.0.as_ptr().cast(), len })
    }

    /// Calls `work` with the key.
    pub(in crate::ffi) fn with_key<R>(self, work: impl FnOnce(&[u8]) -> Result<R>) -> Result<R> {
        let mut buffer = Joined::new();
        if let Some(key) = self.try_join(&mut buffer) {
            // SAFETY: this many bytes were written.
            return work(unsafe { slice::from_raw_parts(key.data, key.len) });
        }
        let parts = array(self.first, self.count, "parts")?;
        let mut len = 0usize;
        for part in parts {
            len = len.saturating_add(bytes(*part, "a part of the key")?.len());
        }
        let mut key = Vec::new();
        key.try_reserve_exact(len).map_err(|_| Error::OutOfMemory(len))?;
        parts.iter().for_each(|part| key.extend_from_slice(lent_bytes(part)));
        work(&key)
    }
}

/// Any cache, in a lookup by a key in parts.
#[repr(transparent)]
pub(in crate::ffi) struct CacheByParts(phicache_cache);

impl CacheByParts {
    pub(in crate::ffi) fn of(cache: *mut phicache_cache) -> *mut Self {
        cache.cast()
    }

    /// The cache.
    pub(in crate::ffi) fn cache(by_parts: *mut Self) -> *mut phicache_cache {
        by_parts.cast()
    }
}
