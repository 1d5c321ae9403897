//! The type behind `phicache_result`: a callback writes its value into it.

use std::mem;

use crate::cache::{Cost, Lookup, Pending, Value, not_stored};
use crate::error::{Error, Result};
use crate::ffi::border::handle::null;
use crate::ffi::border::types::*;
use crate::iit::{Mice, RECORD_HEADER};
use crate::table::{Draft, Reservation};

const MARK: u64 = u64::from_le_bytes(*b"phi-resu");

/// A value that is being computed.
#[repr(C)]
pub(in crate::ffi) struct ResultWriter {
    mark: u64,
    task: Task,
    /// The part of the value that is written so far.
    reservation: Reservation,
    state: State,
}

/// What a callback has written so far.
enum State {
    /// Nothing, or bytes of its own.
    Bytes,
    /// A MICE record, to be sealed.
    Record,
    /// Nothing: its last reservation failed. If the callback ignores that, its value must not be cached.
    Failed(Error),
}

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

    fn failed(&self) {
        if let Task::Shared(pending) = self {
            pending.failed();
        }
    }
}

impl ResultWriter {
    pub(in crate::ffi) fn new(task: Task) -> Self {
        ResultWriter { mark: MARK, task, reservation: Reservation::default(), state: State::Bytes }
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
        if code != 0 || !matches!(self.state, State::Bytes) {
            self.seal(code).inspect_err(|_| self.task.failed())?;
        }
        self.task.complete(mem::take(&mut self.reservation), maximum)
    }

    /// Makes what was written a record, if it is to be one, unless the computation has failed.
    #[cold]
    #[inline(never)]
    fn seal(&mut self, code: i32) -> Result<()> {
        match mem::replace(&mut self.state, State::Bytes) {
            State::Failed(error) => return Err(error),
            _ if code != 0 => return Err(Error::Callback(code)),
            State::Record => crate::iit::mice::seal(self.reservation.value_mut()),
            State::Bytes => {}
        }
        Ok(())
    }

    fn draft<T>(&mut self, change: impl FnOnce(&mut Draft) -> Result<T>) -> Result<T> {
        let mut draft = self.task.draft(mem::take(&mut self.reservation));
        let changed = change(&mut draft);
        self.reservation = draft.pause();
        changed
    }

    /// Makes the value again from the start. If the attempt fails, the computation fails, unless a later attempt
    /// succeeds.
    pub(in crate::ffi) fn start_over(
        &mut self,
        attempt: impl FnOnce(&mut Self) -> Result<phicache_status>,
    ) -> Result<phicache_status> {
        self.state = State::Bytes;
        attempt(self).inspect_err(|error| self.state = State::Failed(error.clone()))
    }

    /// As [`ResultWriter::reserve`], on the fast path: nothing has failed so far, and the cache has the bytes at once.
    #[inline(always)]
    pub(in crate::ffi) fn try_fast_reserve(&mut self, len: usize, zeroed: bool) -> Option<*mut u8> {
        match (&self.task, &self.state) {
            (Task::Shared(pending), State::Bytes) => {
                pending.reserve_at_once(&mut self.reservation, len, zeroed).map(<[u8]>::as_mut_ptr)
            }
            _ => None,
        }
    }

    /// Reserves bytes, zeroed or uninitialized.
    pub(in crate::ffi) fn reserve(&mut self, len: usize, zeroed: bool) -> Result<*mut u8> {
        self.draft(|draft| {
            let reserved = if zeroed { draft.reserve(len) } else { draft.reserve_uninitialized(len) };
            reserved.map(<[u8]>::as_mut_ptr)
        })
    }

    /// Keeps the first `len` bytes.
    pub(in crate::ffi) fn truncate(&mut self, len: usize) -> Result<()> {
        if matches!(self.state, State::Record) {
            return Err(Error::invalid("a MICE cannot be truncated; its length is that of its payload"));
        }
        self.draft(|draft| draft.truncate(len))
    }

    /// Makes the value a MICE record, whose payload has `payload_len` bytes; returns where they are.
    pub(in crate::ffi) fn write_mice(&mut self, mice: &Mice, payload_len: usize) -> Result<*mut u8> {
        let payload = self.draft(|draft| {
            let record = draft.reserve(RECORD_HEADER.saturating_add(payload_len))?;
            mice.write_head(record);
            record[40..48].copy_from_slice(&(payload_len as u64).to_le_bytes());
            let payload = &mut record[RECORD_HEADER..];
            payload[..mice.payload.len()].copy_from_slice(mice.payload);
            Ok(payload.as_mut_ptr())
        })?;
        self.state = State::Record;
        Ok(payload)
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
