//! Parameters on the way in: checked, and turned into what safe code works with.

use std::ffi::{CStr, c_char};
use std::hint::cold_path;
use std::slice;
use std::time::Duration;

use crate::cache::{Options, RemoteOptions};
use crate::error::{Error, Result};
use crate::ffi::border::handle::null;
use crate::ffi::border::types::*;
use crate::iit::{Direction, Mice, NodeSet};
use crate::key::{Fingerprint, Layout};

/// Lent bytes.
#[inline(always)]
pub(in crate::ffi) fn bytes<'a>(bytes: phicache_bytes, name: &'static str) -> Result<&'a [u8]> {
    array(bytes.data, bytes.len, name)
}

/// Lent bytes that were checked before, one by one.
#[inline(always)]
pub(in crate::ffi) fn lent_bytes(bytes: &phicache_bytes) -> &[u8] {
    match bytes.len {
        0 => &[],
        // SAFETY: checked; that they are alive for the call is the header's convention.
        len => unsafe { slice::from_raw_parts(bytes.data, len) },
    }
}

/// A lent array; with a length of 0 the pointer may be anything.
#[inline(always)]
pub(in crate::ffi) fn array<'a, T>(data: *const T, len: usize, name: &'static str) -> Result<&'a [T]> {
    if len == 0 {
        return Ok(&[]);
    }
    try_array(data, len).ok_or_else(|| no_array(data.is_null(), data.is_aligned(), len, align_of::<T>(), name))
}

/// A lent array, if it can be one; None also where its length is 0.
#[inline(always)]
pub(in crate::ffi) fn try_array<'a, T>(data: *const T, len: usize) -> Option<&'a [T]> {
    if len == 0 || len > isize::MAX as usize / size_of::<T>().max(1) {
        cold_path();
        return None;
    }
    if data.is_null() {
        cold_path();
        return None;
    }
    if !data.is_aligned() {
        cold_path();
        return None;
    }
    // SAFETY: not NULL, aligned, and of a possible size; that it is alive for the call is the header's convention.
    Some(unsafe { slice::from_raw_parts(data, len) })
}

/// A lent array to write to.
#[inline(always)]
pub(in crate::ffi) fn array_mut<'a, T>(data: *mut T, len: usize, name: &'static str) -> Result<&'a mut [T]> {
    if len == 0 {
        return Ok(&mut []);
    }
    array(data.cast_const(), len, name)?;
    // SAFETY: as in `array`; that nobody else uses it during the call is the header's convention.
    Ok(unsafe { slice::from_raw_parts_mut(data, len) })
}

/// A lent array of 8-byte masks, seen as node sets.
pub(in crate::ffi) fn node_sets<'a>(masks: *const u64, len: usize, name: &'static str) -> Result<&'a [NodeSet]> {
    array(masks.cast(), len, name)
}

/// As [`node_sets`], or nothing for NULL.
pub(in crate::ffi) fn optional_node_sets<'a>(
    masks: *const u64,
    len: usize,
    name: &'static str,
) -> Result<Option<&'a [NodeSet]>> {
    if masks.is_null() { Ok(None) } else { node_sets(masks, len, name).map(Some) }
}

/// A lent array of 8-byte masks, seen as bytes.
pub(in crate::ffi) fn mask_bytes<'a>(masks: *const u64, len: usize, name: &'static str) -> Result<&'a [u8]> {
    array(masks, len, name)?;
    array(masks.cast(), len * size_of::<u64>(), name)
}

/// A lent buffer for text.
pub(in crate::ffi) fn text_buffer<'a>(buffer: *mut c_char, len: usize, name: &'static str) -> Result<&'a mut [u8]> {
    array_mut(buffer.cast(), len, name)
}

#[cold]
#[inline(never)]
fn no_array(null: bool, aligned: bool, len: usize, align: usize, name: &'static str) -> Error {
    Error::invalid(match (null, aligned) {
        (true, _) => format!("{name} is NULL with a length of {len}"),
        (_, true) => format!("{name} has an impossible length of {len}"),
        (_, false) => format!("{name} is not aligned to {align} bytes"),
    })
}

/// NUL-terminated text, or nothing for NULL.
pub(in crate::ffi) fn optional_text<'a>(text: *const c_char, name: &'static str) -> Result<Option<&'a str>> {
    if text.is_null() {
        return Ok(None);
    }
    // SAFETY: not NULL; that it ends in a NUL is the header's convention.
    let text = unsafe { CStr::from_ptr(text) };
    if text.to_bytes().is_ascii() {
        // SAFETY: ASCII is UTF-8. It is told sooner, and prefixes are short and stand in every key.
        return Ok(Some(unsafe { std::str::from_utf8_unchecked(text.to_bytes()) }));
    }
    text.to_str().map(Some).map_err(|_| Error::invalid(format!("{name} is not valid UTF-8")))
}

/// NUL-terminated text.
pub(in crate::ffi) fn text<'a>(text: *const c_char, name: &'static str) -> Result<&'a str> {
    optional_text(text, name)?.ok_or_else(|| null(name))
}

/// A struct that a caller fills and that grows at its end.
trait Grows: Copy {
    /// Its size in version 0.1: no header has a smaller one.
    const FIRST: usize;
}

impl Grows for phicache_cache_options {
    const FIRST: usize = 48;
}

impl Grows for phicache_mice {
    const FIRST: usize = 56;
}

/// A struct that may be shorter than ours, if the caller was compiled with an older header: what it lacks is zero. Or
/// longer, with a newer one: then what we do not know must be zero, which asks for nothing.
fn growing<T: Grows>(given: *const T, name: &'static str) -> Result<T> {
    if given.is_null() {
        return Err(null(name));
    }
    let size = struct_size(given, T::FIRST, name)?;
    let tail = array(given.cast::<u8>(), size, name)?.get(size_of::<T>()..);
    if let Some(at) = tail.and_then(|tail| tail.iter().position(|byte| *byte != 0)) {
        return Err(unknown_field::<T>(name, size, size_of::<T>() + at));
    }
    let mut whole = std::mem::MaybeUninit::<T>::zeroed();
    // SAFETY: the caller's struct has `size` bytes, and ours takes no more than it has; all fields may be zero.
    unsafe {
        whole.as_mut_ptr().cast::<u8>().copy_from_nonoverlapping(given.cast(), size.min(size_of::<T>()));
        Ok(whole.assume_init())
    }
}

#[cold]
#[inline(never)]
fn unknown_field<T>(name: &'static str, size: usize, at: usize) -> Error {
    Error::invalid(format!(
        "{name}->struct_size is {size}, and byte {at} is not zero; version {} knows only the first {} bytes and cannot do \
         what the rest asks for",
        env!("CARGO_PKG_VERSION"),
        size_of::<T>()
    ))
}

/// Refuses a field that has no meaning yet: a later version may give it one.
fn reserved(value: u32, name: &'static str) -> Result<()> {
    match value {
        0 => Ok(()),
        _ => Err(Error::invalid(format!("{name}->reserved is {value}; expected 0"))),
    }
}

/// The size that a growing struct says it has: at least `least`, and no more than any version will have.
pub(in crate::ffi) fn struct_size<T>(given: *const T, least: usize, name: &'static str) -> Result<usize> {
    // SAFETY: growing structs begin with their size.
    let size = unsafe { given.cast::<usize>().read_unaligned() };
    match size >= least && size <= 4096 {
        true => Ok(size),
        false => Err(Error::invalid(format!(
            "{name}->struct_size is {size}; set it to sizeof of the struct, {}",
            size_of::<T>()
        ))),
    }
}

/// Three thousand years: no server takes a time that ends beyond its calendar.
const LONGEST_MS: u64 = 100_000_000_000_000;

/// What a cache is given, and the name it gets; NULL is the default, without a name.
pub(in crate::ffi) fn options<'a>(options: *const phicache_cache_options) -> Result<(Options, Option<&'a str>)> {
    if options.is_null() {
        return Ok((Options::default(), None));
    }
    let given = growing(options, "options")?;
    let positive = |number: u64| (number > 0).then_some(number);
    let time = |milliseconds: u64, name| match milliseconds <= LONGEST_MS {
        true => Ok(positive(milliseconds).map(Duration::from_millis)),
        false => Err(Error::invalid(format!("options->{name} is {milliseconds}; expected at most {LONGEST_MS}"))),
    };
    let remote = RemoteOptions {
        ttl: time(given.ttl_ms, "ttl_ms")?,
        lease: time(given.lease_ms, "lease_ms")?,
        strict: given.server_errors != 0,
        no_checksum: given.no_checksum != 0,
        scan: time(given.scan_timeout_ms, "scan_timeout_ms")?,
    };
    let options = Options { max_bytes: positive(given.max_bytes), remote };
    Ok((options, optional_text(given.name, "options->name")?))
}

/// A MICE to store.
pub(in crate::ffi) fn mice<'a>(mice: *const phicache_mice) -> Result<Mice<'a>> {
    let given = growing(mice, "mice")?;
    let mice = Mice { payload: bytes(given.payload, "mice->payload")?, ..head(&given)? };
    mice.check()?;
    Ok(mice)
}

/// A MICE to write, and the length of its payload, whose bytes may come later: then the one returned is empty.
pub(in crate::ffi) fn mice_to_write<'a>(pointer: *const phicache_mice) -> Result<(Mice<'a>, usize)> {
    let given = growing(pointer, "mice")?;
    if !given.payload.data.is_null() {
        return mice(pointer).map(|mice| (mice, given.payload.len));
    }
    let mice = head(&given)?;
    mice.check()?;
    Ok((mice, given.payload.len))
}

fn head<'a>(given: &phicache_mice) -> Result<Mice<'a>> {
    reserved(given.reserved, "mice")?;
    Ok(Mice {
        direction: Direction::from_number(given.direction)?,
        mechanism: NodeSet(given.mechanism),
        purview: NodeSet(given.purview),
        phi: given.phi,
        payload: &[],
    })
}

/// A lent array, or nothing for NULL if its length is 0.
pub(in crate::ffi) fn optional_array<'a, T>(data: *const T, len: usize, name: &'static str) -> Result<Option<&'a [T]>> {
    match (data.is_null(), len) {
        (true, 0) => Ok(None),
        _ => array(data, len, name).map(Some),
    }
}

/// How a matrix lies in memory.
pub(in crate::ffi) fn layout(layout: i32) -> Result<Layout> {
    match layout {
        PHICACHE_ROW_MAJOR => Ok(Layout::RowMajor),
        PHICACHE_COLUMN_MAJOR => Ok(Layout::ColumnMajor),
        _ => Err(Error::invalid(format!("layout {layout}; expected 0 (row-major) or 1 (column-major)"))),
    }
}

/// A fingerprint.
pub(in crate::ffi) fn fingerprint(fingerprint: *const phicache_fingerprint, name: &'static str) -> Result<Fingerprint> {
    array(fingerprint, 1, name).map_err(|_| null(name)).map(|given| Fingerprint(given[0].bytes))
}
