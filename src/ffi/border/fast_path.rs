//! The fast path of the most frequent functions: valid arguments, a key that is not empty, a thread that has counters
//! of its own and a free hazard slot.
//!
//! In any other case the functions return None and have no effect; then the caller takes the slow path, which handles
//! every case and error. Nothing here can fail, panic or run user code, so a lookup needs neither a panic boundary nor
//! a stack frame.

use std::ffi::c_void;
use std::hint::{black_box, cold_path};
use std::mem::MaybeUninit;
use std::{ptr, slice};

use crate::cache::{Cache, Fast, Lease, Memo, Pending, Value};
use crate::epoch::Guard;
use crate::epoch::guard::{fast_guard, try_fast_in_open};
use crate::ffi::border::any_cache::{CacheType, try_fast_cache};
use crate::ffi::border::handles::{try_fast_key_builder, try_fast_memo, try_fast_method};
use crate::ffi::border::input::try_array;
use crate::ffi::border::output::{self, ValueOutputs, try_out};
use crate::ffi::border::panic::catch_panics;
use crate::ffi::border::parts::Joined;
use crate::ffi::border::pointer::are_valid;
use crate::ffi::border::reader::try_fast_reader;
use crate::ffi::border::result::try_writer;
use crate::ffi::border::translate::{found, lent, refusal};
use crate::ffi::border::types::*;
use crate::ffi::border::unwind::is_unwinder_ready;
use crate::iit::{Direction, Mice, NodeSet};
use crate::key::Element;
use crate::table::{FastKey, Hashed, ORDINARY, Ordinary, Other};

/// The outputs of a call that may compute: a value, and the code of the callback or NULL.
#[derive(Clone, Copy)]
struct Outputs {
    value: *mut phicache_value,
    code: *mut i32,
}

impl Outputs {
    #[inline(always)]
    fn are_valid(self) -> bool {
        are_valid(self.value, self.code)
    }

    /// Writes a value, where no callback was called. Only for valid outputs.
    #[inline(always)]
    fn write(self, value: phicache_value) {
        debug_assert!(self.are_valid());
        // SAFETY: valid, but for a code that is NULL; by the header's conventions they are outputs.
        unsafe {
            self.value.write(value);
            if !self.code.is_null() {
                self.code.write(0);
            }
        }
    }

    /// The status of a hit, and its value.
    #[inline(always)]
    fn hit(self, value: Value) -> phicache_status {
        self.write(value.into());
        PHICACHE_OK
    }
}

/// The arguments that only a miss needs, in memory: in registers they would take those that a hit needs, whose values
/// the function would have to save and restore.
pub(in crate::ffi) struct Aside {
    compute: MaybeUninit<phicache_compute>,
    user_data: MaybeUninit<*mut c_void>,
    call_data: MaybeUninit<*mut c_void>,
}

impl Aside {
    #[inline(always)]
    pub(in crate::ffi) fn uninit() -> Self {
        Aside { compute: MaybeUninit::uninit(), user_data: MaybeUninit::uninit(), call_data: MaybeUninit::uninit() }
    }

    #[inline(always)]
    pub(in crate::ffi) fn set(&mut self, compute: phicache_compute, user_data: *mut c_void, call_data: *mut c_void) {
        // SAFETY: its own fields. Volatile, or the compiler would keep the values in registers.
        unsafe {
            self.compute.as_mut_ptr().write_volatile(compute);
            self.user_data.as_mut_ptr().write_volatile(user_data);
            self.call_data.as_mut_ptr().write_volatile(call_data);
        }
    }

    #[inline(always)]
    pub(in crate::ffi) fn get(&self) -> (phicache_compute, *mut c_void, *mut c_void) {
        // SAFETY: `set` has written them.
        unsafe {
            (
                self.compute.as_ptr().read_volatile(),
                self.user_data.as_ptr().read_volatile(),
                self.call_data.as_ptr().read_volatile(),
            )
        }
    }
}

/// The function that a miss or the slow path calls next. The choice stays where it is made: the compiler would move it
/// up, and a hit would prepare it.
#[inline(always)]
pub(in crate::ffi) fn chosen<F>(function: F) -> F {
    black_box(());
    function
}

/// A key that is not empty.
#[inline(always)]
pub(in crate::ffi) fn some_key<'k>(key: phicache_bytes) -> Option<&'k [u8]> {
    // As in `try_array`, with one comparison: a length above isize::MAX is negative here.
    if key.len.cast_signed() <= 0 {
        cold_path();
        return None;
    }
    if key.data.is_null() {
        cold_path();
        return None;
    }
    // SAFETY: not NULL, and of a possible size; by the header's conventions it is valid for the call.
    Some(unsafe { slice::from_raw_parts(key.data, key.len) })
}

/// A key of ordinary length: for any other, another function takes the fast path.
#[inline(always)]
pub(in crate::ffi) fn ordinary<'k>(key: phicache_bytes) -> Option<Ordinary<'k>> {
    if !ORDINARY.contains(&key.len) || key.data.is_null() {
        cold_path();
        return None;
    }
    // SAFETY: as in `some_key`.
    Ordinary::new(unsafe { slice::from_raw_parts(key.data, key.len) })
}

/// A key that is not empty, in the function for keys that are not [`ordinary`].
#[inline(always)]
pub(in crate::ffi) fn other<'k>(key: phicache_bytes) -> Option<Other<'k>> {
    some_key(key).map(Other)
}

/// A key that is not empty, by a pointer to its address and length.
#[inline(always)]
fn some_key_at<'k>(key: *const phicache_bytes) -> Option<&'k [u8]> {
    some_key(*try_array(key, 1)?.first()?)
}

/// Lent bytes of any length.
#[inline(always)]
fn any_bytes<'a>(bytes: phicache_bytes) -> Option<&'a [u8]> {
    if bytes.len == 0 { Some(&[]) } else { try_array(bytes.data, bytes.len) }
}

/// Looks a key up.
#[inline(always)]
pub(in crate::ffi) fn get<C: CacheType>(
    cache: *mut C,
    key: Option<impl FastKey>,
    out: *mut phicache_value,
) -> Option<phicache_status> {
    let (out, key) = (try_out(out)?, key?);
    match try_fast_cache(cache)?.try_fast_get(key) {
        Fast::Slow => None,
        Fast::Hit(value) => {
            out.write(value.into());
            Some(PHICACHE_OK)
        }
        Fast::Miss => {
            out.write(phicache_value::ZERO);
            Some(PHICACHE_MISS)
        }
    }
}

/// Tells whether a key has a value.
#[inline(always)]
pub(in crate::ffi) fn contains<C: CacheType>(cache: *mut C, key: phicache_bytes) -> Option<phicache_status> {
    let key = some_key(key)?;
    try_fast_cache(cache)?.try_fast_contains(key).map(found)
}

/// Where a value is copied to.
struct Buffer {
    start: *mut u8,
    capacity: usize,
}

impl Buffer {
    /// Copies a value, if it fits; returns its length.
    #[inline(always)]
    fn copy(&self, value: &[u8]) -> Option<usize> {
        if value.len() > self.capacity {
            return None;
        }
        // SAFETY: by the header's conventions the buffer has `capacity` bytes, none of which is the library's.
        unsafe { self.start.copy_from_nonoverlapping(value.as_ptr(), value.len()) };
        Some(value.len())
    }
}

/// Looks a key up and copies its value.
#[inline(always)]
pub(in crate::ffi) fn get_into<C: CacheType>(
    cache: *mut C,
    key: phicache_bytes,
    buffer: *mut u8,
    capacity: usize,
    out_len: *mut usize,
) -> Option<phicache_status> {
    let (out_len, key) = (try_out(out_len)?, some_key(key)?);
    try_array(buffer.cast_const(), capacity)?;
    let cache = try_fast_cache(cache)?;
    fast_guard!(guard else None);
    copy(cache, guard, key, &Buffer { start: buffer, capacity }, out_len)
}

/// Looks a key up in a read section, and copies its value.
#[inline(always)]
fn copy(
    cache: &Cache,
    guard: &Guard,
    key: &[u8],
    buffer: &Buffer,
    out_len: &mut MaybeUninit<usize>,
) -> Option<phicache_status> {
    match cache.try_fast_read(guard, key, |value| buffer.copy(value)) {
        Fast::Slow => None,
        Fast::Hit(len) => {
            out_len.write(len);
            Some(PHICACHE_OK)
        }
        Fast::Miss => {
            out_len.write(0);
            Some(PHICACHE_MISS)
        }
    }
}

/// Looks up a key whose value is computed on a miss. A miss has no effect.
#[inline(always)]
pub(in crate::ffi) fn memoize<C: CacheType>(
    cache: *mut C,
    key: Option<impl FastKey>,
    compute: phicache_compute,
    out: *mut phicache_value,
    code: *mut i32,
) -> Fast<phicache_status> {
    if compute.is_none() {
        return Fast::Slow;
    }
    let Some(cache) = try_fast_cache(cache) else { return Fast::Slow };
    let Some(key) = key else { return Fast::Slow };
    // The outputs are checked last: until then the fast path needs the registers for other things.
    let outputs = Outputs { value: out, code };
    match cache.try_fast_hit(key, || outputs.are_valid()) {
        Fast::Hit(value) => Fast::Hit(outputs.hit(value)),
        Fast::Miss => Fast::Miss,
        Fast::Slow => Fast::Slow,
    }
}

/// Begins the computation of a key that [`memoize`] has not found, unless somebody computes it.
#[inline(always)]
pub(in crate::ffi) fn begin_missing<C: CacheType>(
    cache: *mut C,
    key: phicache_bytes,
    out: *mut phicache_value,
    code: *mut i32,
) -> Option<Pending> {
    let outputs = Outputs { value: out, code };
    if !outputs.are_valid() || !is_unwinder_ready() {
        return None;
    }
    // The cache comes last: after an acquiring load the compiler would ask for its type again.
    let key = Hashed::inline(some_key(key)?);
    let pending = try_fast_cache(cache)?.try_fast_begin(&key)?;
    outputs.write(phicache_value::ZERO);
    Some(pending)
}

/// Reserves bytes for the value that a callback computes, if its cache has them at once.
#[inline(always)]
pub(in crate::ffi) fn reserve(
    result: *mut phicache_result,
    len: usize,
    out: *mut *mut u8,
    zeroed: bool,
) -> Option<phicache_status> {
    let (out, writer) = (try_out(out)?, try_writer(result)?);
    out.write(writer.try_fast_reserve(len, zeroed)?);
    Some(PHICACHE_OK)
}

/// Looks up a key whose value is computed with a lease on a miss.
#[inline(always)]
pub(in crate::ffi) fn begin<C: CacheType>(
    cache: *mut C,
    key: phicache_bytes,
    owner: u64,
    out: *mut phicache_value,
    out_lease: *mut *mut phicache_lease,
) -> Option<phicache_status> {
    let (out, out_lease, key) = (try_out(out)?, try_out(out_lease)?, some_key(key)?);
    out.write(Lease::try_fast_begin(try_fast_cache(cache)?, key, owner)?.into());
    out_lease.write(ptr::null_mut());
    Some(PHICACHE_OK)
}

/// Looks up a memo's value for these arguments.
#[inline(always)]
pub(in crate::ffi) fn call_memo(
    memo: *mut phicache_memo,
    args: *mut phicache_key,
    out: *mut phicache_value,
    code: *mut i32,
) -> Option<phicache_status> {
    let outputs = Outputs { value: out, code };
    let hit = try_fast_memo(memo)?.try_fast_hit(try_fast_key_builder(args)?, || outputs.are_valid())?;
    Some(outputs.hit(hit))
}

/// Looks up a method's value for these arguments in an object's cache.
#[inline(always)]
pub(in crate::ffi) fn call_method(
    method: *mut phicache_method,
    cache: *mut phicache_cache,
    args: *mut phicache_key,
    out: *mut phicache_value,
    code: *mut i32,
) -> Option<phicache_status> {
    let (outputs, cache) = (Outputs { value: out, code }, try_fast_cache(cache)?);
    let hit = try_fast_method(method)?.try_fast_hit(cache, try_fast_key_builder(args)?, || outputs.are_valid())?;
    Some(outputs.hit(hit))
}

/// Looks up a memo's value by the key of its arguments.
#[inline(always)]
pub(in crate::ffi) fn call_memo_key(
    memo: *mut phicache_memo,
    args: *const phicache_bytes,
    out: *mut phicache_value,
    code: *mut i32,
) -> Option<phicache_status> {
    let (outputs, memo) = (Outputs { value: out, code }, try_fast_memo(memo)?);
    let (key, rest) = memo.pieces(some_key_at(args)?)?.into();
    if !rest.is_empty() {
        return call_memo_joined(memo, [key, rest], outputs);
    }
    Some(outputs.hit(memo.try_fast_hit_by(key, || outputs.are_valid())?))
}

/// A function of its own, so that the joined key is off the stack when the callback runs.
#[inline(never)]
fn call_memo_joined(memo: &Memo, pieces: [&[u8]; 2], outputs: Outputs) -> Option<phicache_status> {
    let mut buffer = Joined::new();
    Some(outputs.hit(memo.try_fast_hit_by(buffer.try_join(pieces)?, || outputs.are_valid())?))
}

/// Looks up a method's value in an object's cache by the key of its arguments. Not inlined, as above.
#[inline(never)]
pub(in crate::ffi) fn call_method_key(
    method: *mut phicache_method,
    cache: *mut phicache_cache,
    args: *const phicache_bytes,
    out: *mut phicache_value,
    code: *mut i32,
) -> Option<phicache_status> {
    let (method, cache, mut buffer) = (try_fast_method(method)?, try_fast_cache(cache)?, Joined::new());
    let key = buffer.try_join(method.pieces(some_key_at(args)?)?)?;
    let outputs = Outputs { value: out, code };
    Some(outputs.hit(method.try_fast_hit_by(cache, key, || outputs.are_valid())?))
}

/// Forgets the arguments of a list.
#[inline(always)]
pub(in crate::ffi) fn reset(key: *mut phicache_key) -> Option<phicache_status> {
    try_fast_key_builder(key)?.reset();
    Some(PHICACHE_OK)
}

/// Adds an argument to a list.
#[inline(always)]
pub(in crate::ffi) fn add(key: *mut phicache_key, element: Element<'_>) -> Option<phicache_status> {
    try_fast_key_builder(key)?.try_fast_add(element)?;
    Some(PHICACHE_OK)
}

/// Adds an array of doubles to a list.
#[inline(always)]
pub(in crate::ffi) fn add_doubles(key: *mut phicache_key, values: *const f64, count: usize) -> Option<phicache_status> {
    try_fast_key_builder(key)?.try_fast_add_doubles(try_array(values, count)?)?;
    Some(PHICACHE_OK)
}

/// Lends the key of an argument list.
#[inline(always)]
pub(in crate::ffi) fn key(key: *mut phicache_key, typed: i32, out: *mut phicache_bytes) -> Option<phicache_status> {
    let (out, builder) = (try_out(out)?, try_fast_key_builder(key)?);
    out.write(lent(builder.try_fast_key(typed != 0)?));
    Some(PHICACHE_OK)
}

/// Refuses a value that a cache has no room for.
#[inline(always)]
pub(in crate::ffi) fn refuse<C: CacheType>(
    cache: *mut C,
    key: phicache_bytes,
    value: phicache_bytes,
) -> Option<phicache_status> {
    let (key, value) = (some_key(key)?, any_bytes(value)?);
    match try_fast_cache(cache)? {
        Cache::Dict(cache) => cache.try_fast_refuse_value(key, value).map(refusal),
        _ => None,
    }
}

/// Refuses a MICE.
#[inline(always)]
pub(in crate::ffi) fn refuse_mice(
    cache: *mut phicache_mice_cache,
    key: phicache_bytes,
    given: *const phicache_mice,
) -> Option<phicache_status> {
    let given = try_array(given, 1)?.first()?;
    if given.struct_size != size_of::<phicache_mice>() || given.reserved != 0 || given.phi.is_nan() {
        return None;
    }
    let mice = Mice {
        direction: match given.direction {
            PHICACHE_CAUSE => Direction::Cause,
            PHICACHE_EFFECT => Direction::Effect,
            _ => return None,
        },
        mechanism: NodeSet(given.mechanism),
        purview: NodeSet(given.purview),
        phi: given.phi,
        payload: any_bytes(given.payload)?,
    };
    match try_fast_cache(cache)? {
        Cache::Mice(cache) => cache.try_fast_refuse_mice(some_key(key)?, &mice).map(refusal),
        _ => None,
    }
}

/// Looks a MICE up.
#[inline(always)]
pub(in crate::ffi) fn get_mice(
    cache: *mut phicache_mice_cache,
    key: Option<impl FastKey>,
    out_mice: *mut phicache_mice,
    out: *mut phicache_value,
) -> Option<phicache_status> {
    if try_array(out_mice.cast_const(), 1)?.first()?.struct_size != size_of::<phicache_mice>() {
        return None;
    }
    let (mice, record, key) = (try_out(out_mice)?, try_out(out)?, key?);
    match try_fast_cache(cache)?.try_fast_get(key) {
        Fast::Slow => None,
        Fast::Hit(value) => match Mice::read_kept(value.entry.value()) {
            Some(found) => {
                mice.write(found.into());
                record.write(value.into());
                Some(PHICACHE_OK)
            }
            // The lookup has been counted: the slow path would count it again.
            None => Some(not_a_record(value, out_mice, out)),
        },
        Fast::Miss => {
            mice.write(phicache_mice::ZERO);
            record.write(phicache_value::ZERO);
            Some(PHICACHE_MISS)
        }
    }
}

/// The status and the message of a lookup whose value is not a record.
#[cold]
#[inline(never)]
fn not_a_record(value: Value, out_mice: *mut phicache_mice, out: *mut phicache_value) -> phicache_status {
    catch_panics("phicache_mice_cache_get", || {
        (out_mice, out).zero()?;
        (out_mice, out).fill(value)
    })
}

/// Looks a key up in a read section.
#[inline(always)]
pub(in crate::ffi) fn read(
    cache: *mut phicache_cache,
    key: phicache_bytes,
    out: *mut phicache_bytes,
) -> Option<phicache_status> {
    let (out, key) = (try_out(out)?, some_key(key)?);
    let cache = try_fast_cache(cache)?;
    try_fast_in_open(|guard| looked(cache.try_fast_look(guard, key), out))
}

/// Looks a key up in a read section, for a flat call.
#[inline(always)]
pub(in crate::ffi) fn read_flat(
    cache: *mut phicache_cache,
    key: phicache_bytes,
    out_data: *mut *const u8,
    out_len: *mut usize,
) -> Option<phicache_status> {
    let (out_data, out_len) = (try_out(out_data)?, try_out(out_len)?);
    let mut found = MaybeUninit::uninit();
    let (key, cache) = (some_key(key)?, try_fast_cache(cache)?);
    let status = try_fast_in_open(|guard| looked(cache.try_fast_look(guard, key), &mut found))?;
    // SAFETY: `looked` has written it, as it does with every status.
    let found = unsafe { found.assume_init() };
    out_data.write(found.data);
    out_len.write(found.len);
    Some(status)
}

/// Returns a lookup in a read section.
#[inline(always)]
fn looked(found: Fast<&[u8]>, out: &mut MaybeUninit<phicache_bytes>) -> Option<phicache_status> {
    match found {
        Fast::Slow => None,
        Fast::Hit(value) => {
            out.write(lent(value));
            Some(PHICACHE_OK)
        }
        Fast::Miss => {
            out.write(phicache_bytes { data: std::ptr::null(), len: 0 });
            Some(PHICACHE_MISS)
        }
    }
}

/// Looks a key up in a read section, by a reader.
#[inline(always)]
pub(in crate::ffi) fn reader_read(
    reader: *mut phicache_reader,
    key: phicache_bytes,
    out: *mut phicache_bytes,
) -> Option<phicache_status> {
    let (out, key) = (try_out(out)?, some_key(key)?);
    let reader = try_fast_reader(reader)?;
    looked(reader.cache.try_fast_look(&reader.thread.in_section()?, key), out)
}

/// Looks a key up and copies its value, by a reader.
#[inline(always)]
pub(in crate::ffi) fn reader_copy(
    reader: *mut phicache_reader,
    key: phicache_bytes,
    buffer: *mut u8,
    capacity: usize,
    out_len: *mut usize,
) -> Option<phicache_status> {
    let (out_len, key) = (try_out(out_len)?, some_key(key)?);
    try_array(buffer.cast_const(), capacity)?;
    let (reader, buffer) = (try_fast_reader(reader)?, Buffer { start: buffer, capacity });
    if let Some(guard) = reader.thread.in_section() {
        return copy(&reader.cache, &guard, key, &buffer, out_len);
    }
    fast_guard!(guard of &reader.thread, else None);
    copy(&reader.cache, guard, key, &buffer, out_len)
}

/// Releases a value.
#[inline(always)]
pub(in crate::ffi) fn release(value: *mut phicache_value) -> Option<()> {
    output::try_fast_release(value)
}
