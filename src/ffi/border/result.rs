//! The type behind `phicache_result`: a callback writes its value into it.

use std::mem::{self, MaybeUninit};

use crate::cache::{Cost, Lookup, Pending, Value, not_stored};
use crate::error::{Error, Result};
use crate::ffi::border::handle::null;
use crate::ffi::border::types::*;
use crate::iit::{Mice, RECORD_HEADER};
use crate::table::{Draft, Reservation, check_shorter};

const MARK: u64 = u64::from_le_bytes(*b"phi-resu");

/// A value that is being computed.
#[repr(C)]
pub(in crate::ffi) struct ResultWriter {
    mark: u64,
    task: Task,
    written: Written,
}

/// What a callback has written so far.
enum Written {
    /// A value of this length, at the beginning of these bytes, which is copied into an entry when it is complete; an
    /// empty one at first.
    Short(u8, Short),
    /// Bytes in the entry.
    Bytes(Reservation),
    /// A MICE record in the entry, to be sealed.
    Record(Reservation),
    /// Nothing: its last reservation failed. If the callback ignores that, its value must not be cached.
    Failed(Error),
}

/// The longest value that is copied: such a copy takes less time than an entry of its own. The stack of a computation
/// has the bytes, and no more of them than the other variants of [`Written`] take.
const SHORT: usize = 32;

/// The bytes of a short value; initialized unless that is empty.
#[repr(align(16))]
struct Short(MaybeUninit<[u8; SHORT]>);

/// The receiver of the computed value.
pub(in crate::ffi) enum Task {
    /// A cache, and all callers that wait for the value.
    Shared(Pending),
    /// Only the caller, who asked for the value of this key; no cache stores it.
    Private(Vec<u8>),
}

/// The result of a lookup.
pub(in crate::ffi) enum TaskLookup {
    /// The value.
    Found(Value),
    /// The caller is to compute it.
    Compute(Task),
}

impl From<Lookup> for TaskLookup {
    fn from(lookup: Lookup) -> Self {
        match lookup {
            Lookup::Found(value) => TaskLookup::Found(value),
            Lookup::Compute(pending) => TaskLookup::Compute(Task::Shared(pending)),
        }
    }
}

impl Task {
    fn key(&self) -> &[u8] {
        match self {
            Task::Shared(pending) => pending.key(),
            Task::Private(key) => key,
        }
    }

    #[inline(always)]
    fn draft(&self, reservation: Reservation) -> Draft<'_> {
        match self {
            Task::Shared(pending) => pending.draft(reservation),
            Task::Private(key) => Draft::resume(key, None, reservation),
        }
    }

    #[inline(always)]
    fn complete(&self, reservation: Reservation, maximum: f64) -> Result<Value> {
        match self {
            Task::Shared(pending) => pending.complete(reservation, Cost::UNKNOWN, maximum),
            Task::Private(key) => not_stored(Draft::resume(key, None, reservation)),
        }
    }

    #[inline(always)]
    fn complete_short(&self, value: &[u8], maximum: f64) -> Result<Value> {
        match self {
            Task::Shared(pending) => pending.complete_short(value, maximum),
            Task::Private(key) => {
                let mut draft = Draft::new(key, None);
                draft.write(value)?;
                not_stored(draft)
            }
        }
    }

    fn failed(&self) {
        if let Task::Shared(pending) = self {
            pending.failed();
        }
    }
}

impl ResultWriter {
    pub(in crate::ffi) fn new(task: Task) -> Self {
        ResultWriter { mark: MARK, task, written: Written::Short(0, Short::NONE) }
    }

    /// The key, which stays where it is until the computation ends.
    pub(in crate::ffi) fn key(&self) -> &[u8] {
        self.task.key()
    }

    /// Ends the computation, whose callback has returned `code`: with a value, stored if the memory is not full to
    /// `maximum` per cent. From here on the callback's `phicache_result` is not valid. Only once.
    #[inline(always)]
    pub(in crate::ffi) fn complete(&mut self, code: i32, maximum: f64) -> Result<Value> {
        self.mark = 0;
        match &mut self.written {
            Written::Short(len, short) if code == 0 => self.task.complete_short(short.value(*len), maximum),
            Written::Bytes(reservation) if code == 0 => self.task.complete(mem::take(reservation), maximum),
            _ => self.complete_otherwise(code, maximum),
        }
    }

    /// Ends the computation of a record, or one that has failed.
    #[cold]
    #[inline(never)]
    fn complete_otherwise(&mut self, code: i32, maximum: f64) -> Result<Value> {
        let error = match &mut self.written {
            // Its text speaks of arguments of the reservation, and the message begins with the caller's function.
            Written::Failed(Error::InvalidArgument(text)) => {
                Error::invalid(format!("the callback's last reservation failed: {text}"))
            }
            Written::Failed(error) => error.clone(),
            Written::Record(reservation) if code == 0 => {
                Mice::seal(reservation.value_mut());
                return self.task.complete(mem::take(reservation), maximum);
            }
            _ => Error::Callback(code),
        };
        self.task.failed();
        Err(error)
    }

    /// Makes the value again from the start. If the attempt fails, the computation fails, unless a later attempt
    /// succeeds.
    pub(in crate::ffi) fn start_over(
        &mut self,
        attempt: impl FnOnce(&mut Self) -> Result<phicache_status>,
    ) -> Result<phicache_status> {
        attempt(self).inspect_err(|error| self.written = Written::Failed(error.clone()))
    }

    /// As [`ResultWriter::reserve`], on the fast path: the value is short, or the cache has the bytes at once.
    #[inline(always)]
    pub(in crate::ffi) fn try_fast_reserve(&mut self, len: usize, zeroed: bool) -> Option<*mut u8> {
        if let Some(short) = self.try_short(len) {
            return Some(short);
        }
        match (&self.task, &self.written) {
            (Task::Shared(pending), Written::Short(..)) => {
                let mut reservation = Reservation::default();
                let start = pending.reserve_at_once(&mut reservation, len, zeroed)?.as_mut_ptr();
                self.written = Written::Bytes(reservation);
                Some(start)
            }
            _ => None,
        }
    }

    /// Zeroed bytes for a value, if that is short.
    #[inline(always)]
    fn try_short(&mut self, len: usize) -> Option<*mut u8> {
        let len = u8::try_from(len).ok().filter(|len| usize::from(*len) <= SHORT)?;
        if !matches!(self.written, Written::Short(..)) {
            self.written = Written::Short(0, Short::NONE);
        }
        match &mut self.written {
            Written::Short(short_len, short) => {
                *short_len = len;
                Some(short.0.write([0; SHORT]).as_mut_ptr())
            }
            _ => None,
        }
    }

    /// Reserves bytes, zeroed or uninitialized.
    pub(in crate::ffi) fn reserve(&mut self, len: usize, zeroed: bool) -> Result<*mut u8> {
        if let Some(short) = self.try_short(len) {
            return Ok(short);
        }
        let reservation = self.take();
        let mut draft = self.task.draft(reservation);
        let reserved = if zeroed { draft.reserve(len) } else { draft.reserve_uninitialized(len) };
        let start = reserved.map(<[u8]>::as_mut_ptr)?;
        self.written = Written::Bytes(draft.pause());
        Ok(start)
    }

    /// What is reserved in an entry.
    fn take(&mut self) -> Reservation {
        match &mut self.written {
            Written::Bytes(reservation) | Written::Record(reservation) => mem::take(reservation),
            Written::Short(..) | Written::Failed(_) => Reservation::default(),
        }
    }

    /// Keeps the first `len` bytes.
    pub(in crate::ffi) fn truncate(&mut self, len: usize) -> Result<()> {
        match &mut self.written {
            Written::Bytes(reservation) => {
                let mut draft = self.task.draft(mem::take(reservation));
                let truncated = draft.truncate(len);
                *reservation = draft.pause();
                truncated
            }
            Written::Short(reserved, _) => {
                check_shorter((*reserved).into(), len)?;
                *reserved = len as u8;
                Ok(())
            }
            Written::Failed(_) => check_shorter(0, len),
            Written::Record(_) => Err(Error::invalid("a MICE cannot be truncated; its length is that of its payload")),
        }
    }

    /// Makes the value a MICE record, whose payload has `payload_len` bytes; returns where they are.
    pub(in crate::ffi) fn write_mice(&mut self, mice: &Mice, payload_len: usize) -> Result<*mut u8> {
        // A payload of the caller's may be in the bytes that are reserved now: they stay until it is copied.
        let reserved = self.take();
        let (_earlier, reservation) = match mice.payload.is_empty() {
            true => (Reservation::default(), reserved),
            false => (reserved, Reservation::default()),
        };
        let mut draft = self.task.draft(reservation);
        let record = draft.reserve(RECORD_HEADER.saturating_add(payload_len))?;
        mice.write_head(record);
        let payload = &mut record[RECORD_HEADER..];
        payload[..mice.payload.len()].copy_from_slice(mice.payload);
        let start = payload.as_mut_ptr();
        self.written = Written::Record(draft.pause());
        Ok(start)
    }
}

impl Short {
    /// Those of an empty value.
    const NONE: Short = Short(MaybeUninit::uninit());

    /// The value, of this length.
    fn value(&self, len: u8) -> &[u8] {
        if len == 0 {
            return &[];
        }
        // SAFETY: the value is not empty, so `try_short` has written all bytes.
        unsafe { &self.0.assume_init_ref()[..usize::from(len).min(SHORT)] }
    }
}

/// The writer behind a result whose callback is running.
pub(in crate::ffi) fn writer<'a>(result: *mut phicache_result) -> Result<&'a mut ResultWriter> {
    try_writer(result).ok_or_else(|| match result.is_null() {
        true => null("result"),
        false => Error::InvalidHandle("result is not valid: its callback has returned".into()),
    })
}

/// The writer, if the result is valid.
#[inline(always)]
pub(in crate::ffi) fn try_writer<'a>(result: *mut phicache_result) -> Option<&'a mut ResultWriter> {
    let writer = result.cast::<ResultWriter>();
    if writer.is_null() || !writer.is_aligned() {
        return None;
    }
    // SAFETY: by the header's conventions it is the result of a callback that is running, which uses it alone.
    (unsafe { (*writer).mark } == MARK).then(|| unsafe { &mut *writer })
}
