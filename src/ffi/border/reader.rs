//! The type behind `phicache_reader`, a struct of the caller's: a thread and a cache, found once.

use std::ptr;

use crate::cache::Cache;
use crate::epoch::guard::ThisThread;
use crate::error::{Error, Result};
use crate::ffi::border::handle::null;
use crate::ffi::border::output::{out, try_out};
use crate::ffi::border::types::*;

const MARK: u64 = u64::from_le_bytes(*b"phi-read");

/// A reader that was filled.
#[repr(C)]
pub(in crate::ffi) struct Reader {
    mark: u64,
    pub(in crate::ffi) thread: ThisThread,
    /// A share: the reader keeps the cache alive.
    pub(in crate::ffi) cache: Cache,
}

const _: () = assert!(size_of::<Reader>() <= size_of::<phicache_reader>());
const _: () = assert!(align_of::<Reader>() == align_of::<phicache_reader>());

/// Fills a caller's struct with a reader of this thread.
pub(in crate::ffi) fn fill(reader: *mut phicache_reader, cache: Result<&Cache>) -> Result<phicache_status> {
    let place: *mut Reader = ptr::from_mut(out(reader, "reader")?).cast();
    let (cache, thread) = (cache?.clone(), ThisThread::new()?);
    // SAFETY: it is as large and as aligned as an output of the caller, which was checked.
    unsafe { place.write(Reader { mark: MARK, thread, cache }) };
    Ok(PHICACHE_OK)
}

/// The reader of a struct that was filled by this thread.
#[inline(always)]
pub(in crate::ffi) fn try_fast_reader<'r>(reader: *mut phicache_reader) -> Option<&'r Reader> {
    let reader: *mut Reader = try_out(reader)?.as_mut_ptr().cast();
    // SAFETY: by the header's conventions the struct is zero or was filled; the mark says that it was.
    unsafe { ((*reader).mark == MARK && (*reader).thread.is_current()).then(|| &*reader) }
}

/// As [`try_fast_reader`], or what is wrong.
pub(in crate::ffi) fn reader_of<'r>(reader: *mut phicache_reader) -> Result<&'r Reader> {
    try_fast_reader(reader).ok_or_else(|| match try_out(reader) {
        None if reader.is_null() => null("reader"),
        None => Error::invalid("reader is not aligned to 8 bytes"),
        // SAFETY: as above.
        Some(place) => match unsafe { (*place.as_ptr().cast::<Reader>()).mark } {
            MARK => Error::invalid("reader belongs to another thread; each thread needs a reader of its own"),
            _ => Error::invalid("reader was not filled by phicache_reader_init, or was released"),
        },
    })
}

/// Releases a reader, and zeroes the struct; nothing for NULL and for a struct of zeros.
pub(in crate::ffi) fn release(reader: *mut phicache_reader) {
    let Some(place) = try_out(reader) else { return };
    let place: *mut Reader = place.as_mut_ptr().cast();
    // SAFETY: as above; the mark is removed, so the reader is dropped once.
    unsafe {
        if (*place).mark == MARK {
            (*place).mark = 0;
            place.drop_in_place();
        }
        place.cast::<phicache_reader>().write_bytes(0, 1);
    }
}
