//! Input parameters: checked, then used as slices, text and structs.

use std::ffi::{CStr, c_char};
use std::hint::cold_path;
use std::slice;
use std::time::Duration;

use crate::cache::{DiskOptions, OnFull, Options, RemoteOptions, Verifier};
use crate::config::Tier;
use crate::error::{Error, Result};
use crate::ffi::border::handle::null;
use crate::ffi::border::pointer::overlap;
use crate::ffi::border::types::*;
use crate::ffi::border::verify::Verification;
use crate::iit::{Direction, Mice, NodeSet};
use crate::key::{Fingerprint, Layout};

/// Borrowed bytes.
#[inline(always)]
pub(in crate::ffi) fn bytes<'a>(bytes: phicache_bytes, name: &'static str) -> Result<&'a [u8]> {
    array(bytes.data, bytes.len, name)
}

/// Borrowed bytes, by a pointer to their address and length.
#[inline(always)]
pub(in crate::ffi) fn bytes_at<'a>(place: *const phicache_bytes, name: &'static str) -> Result<&'a [u8]> {
    let place = array(place, 1, name)?.first();
    place.map_or(Ok(&[]), |lent| bytes(*lent, name))
}

/// Borrowed bytes that were checked before.
#[inline(always)]
pub(in crate::ffi) fn lent_bytes(bytes: &phicache_bytes) -> &[u8] {
    match bytes.len {
        0 => &[],
        // SAFETY: checked; by the header's conventions they are valid for the call.
        len => unsafe { slice::from_raw_parts(bytes.data, len) },
    }
}

/// A borrowed array; if the length is 0, the pointer may have any value.
#[inline(always)]
pub(in crate::ffi) fn array<'a, T>(data: *const T, len: usize, name: &'static str) -> Result<&'a [T]> {
    if len == 0 {
        return Ok(&[]);
    }
    try_array(data, len).ok_or_else(|| no_array(data.is_null(), data.is_aligned(), len, align_of::<T>(), name))
}

/// A borrowed array, if pointer and length can be one; None also if the length is 0.
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
    // SAFETY: not NULL, aligned, and of a possible size; by the header's conventions it is valid for the call.
    Some(unsafe { slice::from_raw_parts(data, len) })
}

/// A borrowed array to write to.
#[inline(always)]
pub(in crate::ffi) fn array_mut<'a, T>(data: *mut T, len: usize, name: &'static str) -> Result<&'a mut [T]> {
    if len == 0 {
        return Ok(&mut []);
    }
    array(data.cast_const(), len, name)?;
    // SAFETY: as in `array`; by the header's conventions no other thread uses it during the call.
    Ok(unsafe { slice::from_raw_parts_mut(data, len) })
}

/// Fails if an output shares memory with an input, which the call would overwrite before it has read it. `names` are
/// those of the two.
#[inline]
pub(in crate::ffi) fn apart<T, U>(input: (*const T, usize), out: &[U], names: [&str; 2]) -> Result<()> {
    if overlap(input, (out.as_ptr(), out.len())) { Err(overlapping(names)) } else { Ok(()) }
}

#[cold]
#[inline(never)]
fn overlapping([input, output]: [&str; 2]) -> Error {
    Error::invalid(format!("{output} overlaps {input}, which the call reads; give it memory of its own"))
}

/// A borrowed array of 8-byte masks, seen as node sets.
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

/// A borrowed array of 8-byte masks, seen as bytes.
pub(in crate::ffi) fn mask_bytes<'a>(masks: *const u64, len: usize, name: &'static str) -> Result<&'a [u8]> {
    array(masks, len, name)?;
    array(masks.cast(), len * size_of::<u64>(), name)
}

/// A borrowed buffer for text.
pub(in crate::ffi) fn text_buffer<'a>(buffer: *mut c_char, len: usize, name: &'static str) -> Result<&'a mut [u8]> {
    array_mut(buffer.cast(), len, name)
}

#[cold]
#[inline(never)]
fn no_array(null: bool, aligned: bool, len: usize, align: usize, name: &'static str) -> Error {
    Error::invalid(match (null, aligned) {
        (true, _) => format!("{name} is NULL, but its length is {len}"),
        (_, true) => format!("{name} has an impossible length, {len}"),
        (_, false) => format!("{name} is not aligned to {align} bytes"),
    })
}

/// NUL-terminated text, or nothing for NULL.
pub(in crate::ffi) fn optional_text<'a>(text: *const c_char, name: &'static str) -> Result<Option<&'a str>> {
    if text.is_null() {
        return Ok(None);
    }
    // SAFETY: not NULL; by the header's conventions it ends in a NUL.
    let text = unsafe { CStr::from_ptr(text) };
    if text.to_bytes().is_ascii() {
        // SAFETY: ASCII is UTF-8. This check is faster, and prefixes are short and part of every key.
        return Ok(Some(unsafe { std::str::from_utf8_unchecked(text.to_bytes()) }));
    }
    text.to_str().map(Some).map_err(|_| {
        Error::invalid(format!("{name} is not valid UTF-8 (in C++: or contains a NUL, or is a null pointer)"))
    })
}

/// As [`optional_text`], in a call that writes to a buffer.
pub(in crate::ffi) fn text_beside<'a>(
    text: *const c_char,
    buffer: &[u8],
    name: &'static str,
) -> Result<Option<&'a str>> {
    let text = optional_text(text, name)?;
    // With its NUL.
    text.map_or(Ok(()), |text| apart((text.as_ptr(), text.len() + 1), buffer, [name, "buffer"]))?;
    Ok(text)
}

/// NUL-terminated text.
pub(in crate::ffi) fn text<'a>(text: *const c_char, name: &'static str) -> Result<&'a str> {
    optional_text(text, name)?.ok_or_else(|| null(name))
}

/// A struct that a caller fills and that grows at its end.
trait Grows: Copy {
    /// Its size in version 0.1, the smallest in any header.
    const FIRST: usize;
}

impl Grows for phicache_cache_options {
    const FIRST: usize = 48;
}

impl Grows for phicache_mice {
    const FIRST: usize = 56;
}

/// Reads a struct that may be shorter than ours, if the caller was compiled with an older header: the fields that it
/// lacks are zero. Or longer, with a newer header: then the fields that we do not know must be zero.
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
    // SAFETY: the caller's struct has `size` bytes, no more than `T` has are written, and all fields may be zero.
    unsafe {
        whole.as_mut_ptr().cast::<u8>().copy_from_nonoverlapping(given.cast(), size.min(size_of::<T>()));
        Ok(whole.assume_init())
    }
}

#[cold]
#[inline(never)]
fn unknown_field<T>(name: &'static str, size: usize, at: usize) -> Error {
    Error::invalid(format!(
        "{name}->struct_size is {size}, and byte {at} is not zero. Version {} knows only the first {} bytes: set the \
         others to zero, or use a newer library",
        env!("CARGO_PKG_VERSION"),
        size_of::<T>()
    ))
}

/// Refuses a value in a field that has no meaning yet, because a later version may give it one.
fn reserved(value: impl Into<i64>, name: &'static str) -> Result<()> {
    match value.into() {
        0 => Ok(()),
        value => Err(Error::invalid(format!("{name}->reserved is {value}; expected 0"))),
    }
}

/// The size that a growing struct says it has: at least `least`, and at most what any version will have.
pub(in crate::ffi) fn struct_size<T>(given: *const T, least: usize, name: &'static str) -> Result<usize> {
    // SAFETY: growing structs begin with their size.
    let size = unsafe { given.cast::<usize>().read_unaligned() };
    match size >= least && size <= 4096 {
        true => Ok(size),
        false => Err(Error::invalid(format!(
            "{name}->struct_size is {size}; set it to the size of the struct, {}",
            size_of::<T>()
        ))),
    }
}

/// Three thousand years. Servers refuse longer times.
const LONGEST_MS: u64 = 100_000_000_000_000;

/// The options of a cache in `tier` and its name; NULL is the default, without a name. Without a tier, which the
/// configuration chooses then, options for any of them are given.
pub(in crate::ffi) fn options<'a>(
    options: *const phicache_cache_options,
    tier: impl Into<Option<Tier>>,
) -> Result<(Options, Option<&'a str>)> {
    if options.is_null() {
        return Ok((Options::default(), None));
    }
    let given = growing(options, "options")?;
    // Made first, so that `verify_drop` is called even if another option is invalid.
    let verifier = Verifier::new(given.verify_every, Verification::of(&given))?;
    if let Some(tier) = tier.into() {
        of_tier(&given, tier)?;
    }
    let remote = RemoteOptions {
        ttl: time(given.ttl_ms, "ttl_ms")?,
        lease: time(given.lease_ms, "lease_ms")?,
        strict: given.server_errors != 0,
        no_checksum: given.no_checksum != 0,
        scan: time(given.scan_timeout_ms, "scan_timeout_ms")?,
    };
    reserved(given.reserved, "options")?;
    let on_full = OnFull::from_number(given.on_full)?;
    let disk = DiskOptions {
        near_bytes: size(given.near_bytes, "near_bytes")?,
        refresh: match given.refresh_ms {
            u64::MAX => Some(Duration::ZERO),
            given => time(given, "refresh_ms")?,
        },
        read_only: given.read_only != 0,
        sync: given.sync != 0,
        trust_group: given.trust_group != 0,
        strict: given.storage_errors != 0,
    };
    let options = Options { max_bytes: size(given.max_bytes, "max_bytes")?, on_full, remote, disk, verifier };
    Ok((options, optional_text(given.name, "options->name")?))
}

/// A size of the options, if it is given. A product of `int` that overflows, such as `2 * 1024 * 1024 * 1024`, is a
/// negative number, which would be no limit.
fn size(bytes: u64, name: &'static str) -> Result<Option<u64>> {
    match bytes.cast_signed() {
        negative @ ..0 => Err(Error::invalid(format!(
            "options->{name} is {negative}, a negative size; in C and C++ a product of int overflows at 2 GiB: make \
             one factor a uint64_t"
        ))),
        _ => Ok((bytes > 0).then_some(bytes)),
    }
}

/// A time in the options; 0 means that it is not set.
fn time(milliseconds: u64, name: &'static str) -> Result<Option<Duration>> {
    if milliseconds <= LONGEST_MS {
        return Ok((milliseconds > 0).then(|| Duration::from_millis(milliseconds)));
    }
    // C++ and Julia have signed times.
    let given = match milliseconds.cast_signed() {
        negative @ ..0 => format!("{negative}, a negative time"),
        _ => milliseconds.to_string(),
    };
    Err(Error::invalid(format!("options->{name} is {given}; expected 0 to {LONGEST_MS}")))
}

/// Fails if an option is given that has no effect on a cache in this tier.
fn of_tier(given: &phicache_cache_options, tier: Tier) -> Result<()> {
    use Tier::{Disk, Redis};
    let of_one: [(&str, bool, &[Tier]); 11] = [
        ("ttl_ms", given.ttl_ms != 0, &[Redis]),
        ("lease_ms", given.lease_ms != 0, &[Redis, Disk]),
        ("server_errors", given.server_errors != 0, &[Redis]),
        ("no_checksum", given.no_checksum != 0, &[Redis]),
        ("scan_timeout_ms", given.scan_timeout_ms != 0, &[Redis]),
        ("near_bytes", given.near_bytes != 0, &[Disk]),
        ("refresh_ms", given.refresh_ms != 0, &[Disk]),
        ("read_only", given.read_only != 0, &[Disk]),
        ("sync", given.sync != 0, &[Disk]),
        ("trust_group", given.trust_group != 0, &[Disk]),
        ("storage_errors", given.storage_errors != 0, &[Disk]),
    ];
    let Some((name, _, tiers)) = of_one.into_iter().find(|(_, is_set, tiers)| *is_set && !tiers.contains(&tier)) else {
        return Ok(());
    };
    let place = |tier: &Tier| match tier {
        Tier::Memory => "in this process",
        Redis => "in Redis",
        Disk => "on disk",
    };
    let others = tiers.iter().map(place).collect::<Vec<_>>().join(" or ");
    Err(Error::invalid(format!(
        "options->{name} has no effect on a cache {}; it is for caches {others}; leave it 0",
        place(&tier)
    )))
}

/// A MICE to store.
pub(in crate::ffi) fn mice<'a>(mice: *const phicache_mice) -> Result<Mice<'a>> {
    let given = growing(mice, "mice")?;
    let mice = Mice { payload: bytes(given.payload, "mice->payload")?, ..head(&given)? };
    mice.check()?;
    Ok(mice)
}

/// A MICE to write, and the length of its payload. If the payload is NULL and the caller `writes_later`, the one
/// returned is empty. A caller that does not would store zeros as its payload.
pub(in crate::ffi) fn mice_to_write<'a>(
    pointer: *const phicache_mice,
    writes_later: bool,
) -> Result<(Mice<'a>, usize)> {
    let given = growing(pointer, "mice")?;
    if !(writes_later && given.payload.data.is_null()) {
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

/// A borrowed array, or nothing for NULL if its length is 0.
pub(in crate::ffi) fn optional_array<'a, T>(data: *const T, len: usize, name: &'static str) -> Result<Option<&'a [T]>> {
    match (data.is_null(), len) {
        (true, 0) => Ok(None),
        _ => array(data, len, name).map(Some),
    }
}

/// The order in which a matrix is stored.
pub(in crate::ffi) fn layout(layout: i32) -> Result<Layout> {
    match layout {
        PHICACHE_ROW_MAJOR => Ok(Layout::RowMajor),
        PHICACHE_COLUMN_MAJOR => Ok(Layout::ColumnMajor),
        _ => Err(Error::invalid(format!("layout {layout}; expected 0 (row-major) or 1 (column-major)"))),
    }
}

/// The fingerprint of a network or system. One of zeros was never made: all programs and objects that forget to make
/// theirs would share one.
pub(in crate::ffi) fn fingerprint(fingerprint: *const phicache_fingerprint, name: &'static str) -> Result<Fingerprint> {
    let given = any_fingerprint(fingerprint, name)?;
    if given.0 == [0; 32] {
        return Err(Error::invalid(format!(
            "{name} is all zeros, as before it is made: make it from the network (phicache_network_fingerprint) or \
             take that of a subsystem (phicache_subsystem_fingerprint)"
        )));
    }
    Ok(given)
}

/// Any 32 bytes that may name what is stored.
pub(in crate::ffi) fn any_fingerprint(
    fingerprint: *const phicache_fingerprint,
    name: &'static str,
) -> Result<Fingerprint> {
    array(fingerprint, 1, name).map_err(|_| null(name)).map(|given| Fingerprint(given[0].bytes))
}
