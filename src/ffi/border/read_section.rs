//! The read sections that a C program opens and closes.

use crate::epoch::guard;
use crate::error::Result;
use crate::ffi::border::types::*;

/// Opens a section of this thread.
pub(in crate::ffi) fn open() -> Result<phicache_status> {
    guard::open().map(|()| PHICACHE_OK)
}

/// Closes the section that this thread opened last.
pub(in crate::ffi) fn close() -> Result<phicache_status> {
    // SAFETY: no closure of `guard::in_open` is running on this thread, since none calls back. By the header's
    // conventions the program does not use what it read after the outermost section ends.
    unsafe { guard::close() }.map(|()| PHICACHE_OK)
}
