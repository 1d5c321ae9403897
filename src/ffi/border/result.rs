//! Where a callback writes its value: what is behind a `phicache_result`.

use std::mem;

use crate::cache::{Lookup, Pending, Value, not_stored};
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
    /// The value as far as it is written.
    block: Reservation,
    state: State,
}

/// What a callback has written so far.
enum State {
    /// Nothing, or bytes of its own.
    Bytes,
    /// A MICE record, to be sealed.
    Record,
    /// Nothing: its last reservation failed. A callback that overlooks that must not have its value cached.
    Failed(Error),
}

/// For whom a value is computed.
pub(in crate::ffi) enum Task {
    /// For a cache, and all who wait for it.
    ForAll(Pending),
    /// For one caller, who asked for the value of this key; no cache keeps it.
    ForOne(Vec<u8>),
}

/// The answer to a lookup.
pub(in crate::ffi) enum Answer {
    /// The value.
    Found(Value),
    /// The caller is to compute it.
    Compute(Task),
}

impl From<Lookup> for Answer {
    fn from(lookup: Lookup) -> Self {
        match lookup {
            Lookup::Found(value) => Answer::Found(value),
            Lookup::Compute(pending) => Answer::Compute(Task::ForAll(pending)),
        }
    }
}

impl Task {
    fn key(&self) -> &[u8] {
        match self {
            Task::ForAll(pending) => pending.key(),
            Task::ForOne(key) => key,
        }
    }

    fn draft(&self, block: Reservation) -> Draft<'_> {
        match self {
            Task::ForAll(pending) => pending.draft(block),
            Task::ForOne(key) => Draft::resume(key, None, block),
        }
    }

    fn complete(self, block: Reservation, maximum: f64) -> Result<Value> {
        match self {
            Task::ForAll(pending) => pending.complete(block, maximum),
            Task::ForOne(key) => not_stored(Draft::resume(&key, None, block)),
        }
    }

    fn failed(self) {
        if let Task::ForAll(pending) = self {
            pending.failed();
        }
    }
}

impl ResultWriter {
    pub(in crate::ffi) fn new(task: Task) -> Self {
        ResultWriter { mark: MARK, task, block: Reservation::default(), state: State::Bytes }
    }

    /// The key, which stays where it is until the computation ends.
    pub(in crate::ffi) fn key(&self) -> &[u8] {
        self.task.key()
    }

    /// From here on the callback's `phicache_result` is not valid.
    pub(in crate::ffi) fn invalidate(&mut self) {
        self.mark = 0;
    }

    /// Ends the computation, whose callback has returned `code`: with a value, stored if the memory is not full to
    /// `maximum` per cent.
    pub(in crate::ffi) fn complete(mut self, code: i32, maximum: f64) -> Result<Value> {
        let error = match self.state {
            State::Failed(error) => Some(error),
            _ if code != 0 => Some(Error::Callback(code)),
            State::Record => {
                crate::iit::mice::seal(self.block.value_mut());
                None
            }
            State::Bytes => None,
        };
        if let Some(error) = error {
            self.task.failed();
            return Err(error);
        }
        self.task.complete(self.block, maximum)
    }

    fn draft<T>(&mut self, change: impl FnOnce(&mut Draft) -> Result<T>) -> Result<T> {
        let mut draft = self.task.draft(mem::take(&mut self.block));
        let changed = change(&mut draft);
        self.block = draft.pause();
        changed
    }

    /// Makes the value anew. What fails here decides what becomes of the computation, unless a later attempt succeeds.
    pub(in crate::ffi) fn start_over(
        &mut self,
        attempt: impl FnOnce(&mut Self) -> Result<phicache_status>,
    ) -> Result<phicache_status> {
        self.state = State::Bytes;
        attempt(self).inspect_err(|error| self.state = State::Failed(error.clone()))
    }

    /// Reserves zeroed bytes.
    pub(in crate::ffi) fn reserve(&mut self, len: usize) -> Result<*mut u8> {
        self.draft(|draft| Ok(draft.reserve(len)?.as_mut_ptr()))
    }

    /// Reserves bytes that hold whatever the memory held before.
    pub(in crate::ffi) fn reserve_uninitialized(&mut self, len: usize) -> Result<*mut u8> {
        self.draft(|draft| Ok(draft.reserve_uninitialized(len)?.as_mut_ptr()))
    }

    /// Keeps the first `len` bytes.
    pub(in crate::ffi) fn truncate(&mut self, len: usize) -> Result<()> {
        if matches!(self.state, State::Record) {
            return Err(Error::invalid("the value is a MICE; its length is that of its payload"));
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
    if result.is_null() {
        return Err(null("result"));
    }
    let writer = result.cast::<ResultWriter>();
    // SAFETY: by the header's conventions it is the result of a callback that is running, which uses it alone.
    match writer.is_aligned() && unsafe { (*writer).mark } == MARK {
        // SAFETY: as above.
        true => Ok(unsafe { &mut *writer }),
        false => Err(Error::InvalidHandle("result is no live phicache_result: its callback has returned".into())),
    }
}
