//! Entries that a walk hands to C: into outputs, or to a callback.

use std::ffi::c_void;

use crate::cache::{Cache, Walk, Walked};
use crate::error::Result;
use crate::ffi::border::handle::null;
use crate::ffi::border::output::{growing, optional, out, try_out};
use crate::ffi::border::types::*;
use crate::ffi::border::unwind::{call_back, ready_unwinder};

impl From<&Walked> for phicache_entry {
    fn from(walked: &Walked) -> Self {
        let key = walked.value.entry.key();
        phicache_entry {
            struct_size: size_of::<Self>(),
            key: phicache_bytes { data: key.as_ptr(), len: key.len() },
            bytes: walked.bytes,
            cost_ns: walked.cost_ns,
        }
    }
}

/// Returns the next entry of a walk, its value pinned.
pub(in crate::ffi) fn next_entry(
    walk: Result<&mut Walk>,
    entry: *mut phicache_entry,
    value: *mut phicache_value,
) -> Result<phicache_status> {
    // Both are zeroed, even if one is NULL.
    let outs = (growing(entry, "out_entry"), out(value, "out"));
    let (entry, value) = (outs.0?, outs.1?);
    let Some(walked) = walk?.next_entry()? else { return Ok(PHICACHE_MISS) };
    entry.fill((&walked).into());
    value.fill(walked.value);
    Ok(PHICACHE_OK)
}

/// Calls back with each entry of a cache until a callback returns a code other than 0, which goes to `code`. `function`
/// is the exported function, for messages.
pub(in crate::ffi) fn for_each(
    function: &'static str,
    cache: Result<&Cache>,
    visit: phicache_visit,
    user_data: *mut c_void,
    code: *mut i32,
) -> Result<phicache_status> {
    optional(code, "callback_code")?;
    let visit = visit.ok_or_else(|| null("visit"))?;
    // The callback may free the handle.
    let mut walk = Walk::new(cache?.clone())?;
    ready_unwinder();
    while let Some(walked) = walk.next_entry()? {
        let entry = phicache_entry::from(&walked);
        let mut value = phicache_value::from(walked.value);
        // SAFETY: the function is what the caller says it is, by the header's conventions. Neither a lock nor a read
        // section of this library is open.
        let returned = call_back(|| function, || unsafe { visit(user_data, &entry, &mut value) });
        // Nothing, if the callback has taken the value.
        value.release();
        if returned != 0 {
            if let Some(code) = try_out(code) {
                code.write(returned);
            }
            break;
        }
    }
    Ok(PHICACHE_OK)
}
