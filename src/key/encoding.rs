//! Elements, tuples, sets and named types, appended to one buffer, typed or untyped.

use std::ops::{Deref, DerefMut};

use super::KEY_MAX;
use super::element::{
    DOUBLES, Element, HEAD_MAX, Head, NAMED, SET, TUPLE, VERSION_TYPED, VERSION_UNTYPED, canonical, int, sized,
};
use crate::error::{Error, Result};

/// Bytes with room for more. Unlike in a `Vec`, the room is initialized, so that appending a few bytes needs no call.
#[derive(Default)]
pub(super) struct Buffer {
    room: Vec<u8>,
    len: usize,
}

impl Buffer {
    /// Makes room for `len` bytes.
    pub(super) fn reserve(&mut self, len: usize) -> Result<()> {
        if self.free() < len {
            let missing = len - self.free();
            self.room.try_reserve(missing).map_err(|_| Error::OutOfMemory(len))?;
            self.room.resize(self.room.capacity(), 0);
        }
        Ok(())
    }

    /// Whether these bytes are in this buffer.
    pub(super) fn holds(&self, bytes: &[u8]) -> bool {
        self.room.as_ptr_range().contains(&bytes.as_ptr())
    }

    /// The number of bytes that fit without growing.
    #[inline(always)]
    pub(super) fn free(&self) -> usize {
        self.room.len() - self.len
    }

    /// Appends bytes; room is reserved.
    #[inline(always)]
    pub(super) fn put(&mut self, bytes: &[u8]) {
        self.room[self.len..][..bytes.len()].copy_from_slice(bytes);
        self.len += bytes.len();
    }

    /// Appends doubles, canonical and little-endian; room is reserved.
    pub(super) fn put_doubles(&mut self, values: Doubles<'_>) {
        let len = size_of_val(values.all);
        let (room, _) = self.room[self.len..][..len].as_chunks_mut();
        let pairs = room.iter_mut().zip(values.all);
        if values.are_canonical {
            pairs.for_each(|(room, value)| *room = value.to_bits().to_le_bytes());
        } else {
            pairs.for_each(|(room, value)| *room = canonical(*value).to_le_bytes());
        }
        self.len += len;
    }

    #[inline(always)]
    pub(super) fn truncate(&mut self, len: usize) {
        self.len = self.len.min(len);
    }
}

impl Deref for Buffer {
    type Target = [u8];
    #[inline(always)]
    fn deref(&self) -> &[u8] {
        &self.room[..self.len]
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.room[..self.len]
    }
}

/// Doubles, and whether their bits are canonical as they are. Most arrays are of numbers above or equal to 0: they are
/// found in one pass of vector instructions, and copied.
#[derive(Clone, Copy)]
pub(super) struct Doubles<'d> {
    all: &'d [f64],
    are_canonical: bool,
}

impl<'d> Doubles<'d> {
    pub(super) fn new(all: &'d [f64]) -> Self {
        const SIGN: u64 = 1 << 63;
        // Sets the sign for negative numbers and zeros, and for the largest exponent.
        let mark = |bits: u64| bits | bits.wrapping_add(SIGN - f64::INFINITY.to_bits());
        let marks = all.iter().fold(0, |marks, value| marks | mark(value.to_bits()));
        Doubles { all, are_canonical: marks & SIGN == 0 }
    }
}

/// A tuple, a set or a named type that is open.
struct Open {
    tag: u8,
    /// The position of its tag.
    at: usize,
    /// The number of its items so far.
    count: usize,
    /// The number of item starts before its own.
    starts: usize,
}

/// The bytes of a list of elements: a key, except for the order of keyword arguments. The first byte is the version; it
/// is there as soon as there is room.
#[derive(Default)]
pub(super) struct Encoding {
    pub(super) typed: bool,
    pub(super) bytes: Buffer,
    open: Vec<Open>,
    /// The starts of the items of open sets, innermost set last.
    starts: Vec<usize>,
    scratch: Vec<u8>,
}

impl Encoding {
    pub(super) fn new(typed: bool) -> Self {
        Encoding { typed, ..Default::default() }
    }

    #[inline(always)]
    pub(super) fn reset(&mut self) {
        self.bytes.truncate(1);
        self.open.clear();
        self.starts.clear();
    }

    #[inline(always)]
    pub(super) fn depth(&self) -> usize {
        self.open.len()
    }

    /// Makes room for one item of `len` bytes.
    pub(super) fn reserve(&mut self, len: usize) -> Result<()> {
        let version = usize::from(self.bytes.is_empty());
        let whole = self.bytes.len().checked_add(version + len).filter(|whole| *whole <= KEY_MAX);
        whole.ok_or_else(|| Error::invalid(format!("the key would exceed {KEY_MAX} bytes")))?;
        self.bytes.reserve(version + len + HEAD_MAX)?;
        let room = self.starts.try_reserve(1).and_then(|()| self.open.try_reserve(1));
        room.map_err(|_| Error::OutOfMemory(len))?;
        if version == 1 {
            self.bytes.put(&[if self.typed { VERSION_TYPED } else { VERSION_UNTYPED }]);
        }
        Ok(())
    }

    /// Makes room for an element.
    pub(super) fn reserve_for(&mut self, element: Element<'_>) -> Result<()> {
        let (head, rest) = element.parts(self.typed);
        self.reserve(head.len + rest.len())
    }

    /// Whether an element with `len` bytes behind its head fits, outside of tuples and sets.
    #[inline(always)]
    pub(super) fn has_room(&self, len: usize) -> bool {
        !self.bytes.is_empty() && self.open.is_empty() && self.bytes.free().checked_sub(HEAD_MAX) >= Some(len)
    }

    /// Appends one element; room is reserved.
    pub(super) fn push(&mut self, element: Element<'_>) {
        self.append(element.parts(self.typed));
    }

    /// Appends one element by its parts; room is reserved.
    #[inline(always)]
    pub(super) fn append(&mut self, (head, rest): (Head, &[u8])) {
        self.begin_item();
        let len = self.bytes.len() + head.len;
        self.bytes.put(&head.bytes);
        self.bytes.truncate(len);
        if !rest.is_empty() {
            self.bytes.put(rest);
        }
    }

    /// Appends an array of doubles as one item; room for its tag and for them is reserved.
    pub(super) fn push_doubles(&mut self, values: Doubles<'_>) {
        self.begin_item();
        self.bytes.put(&sized(DOUBLES, values.all.len()));
        self.bytes.put_doubles(values);
    }

    /// Appends a tuple of integers as one item; room for its tag and for them is reserved.
    pub(super) fn push_ints(&mut self, values: &[i64]) {
        self.begin_item();
        self.bytes.put(&sized(TUPLE, values.len()));
        values.iter().for_each(|value| self.bytes.put(&int(*value).bytes));
    }

    /// Appends bytes that are no item of their own; room is reserved.
    pub(super) fn push_raw(&mut self, bytes: &[u8]) {
        self.bytes.put(bytes);
    }

    /// Begins a tuple or a set; room for its tag is reserved.
    pub(super) fn begin(&mut self, tag: u8) {
        self.begin_item();
        self.open.push(Open { tag, at: self.bytes.len(), count: 0, starts: self.starts.len() });
        self.bytes.put(&sized(tag, 0));
    }

    /// Begins a named type, which holds one item; room for its tag and its name is reserved.
    pub(super) fn begin_named(&mut self, name: &str) {
        self.begin_item();
        self.open.push(Open { tag: NAMED, at: self.bytes.len(), count: 0, starts: self.starts.len() });
        self.bytes.put(&sized(NAMED, name.len()));
        self.bytes.put(name.as_bytes());
    }

    /// The number of items of the innermost open element, if that is a named type.
    pub(super) fn named_items(&self) -> Option<usize> {
        self.open.last().filter(|open| open.tag == NAMED).map(|open| open.count)
    }

    #[inline(always)]
    fn begin_item(&mut self) {
        if let Some(open) = self.open.last_mut() {
            open.count += 1;
            if open.tag == SET {
                self.starts.push(self.bytes.len());
            }
        }
    }

    /// Whether the innermost open element has this tag.
    pub(super) fn is_open(&self, tag: u8) -> bool {
        self.open.last().is_some_and(|open| open.tag == tag)
    }

    /// Makes the room that `end` needs.
    pub(super) fn reserve_end(&mut self) -> Result<()> {
        let set = self.open.last().filter(|open| open.tag == SET);
        let len = set.map_or(0, |open| self.bytes.len() - open.at);
        self.scratch.clear();
        self.scratch.try_reserve(len).map_err(|_| Error::OutOfMemory(len))
    }

    /// Ends the innermost open element; `reserve_end` was called before.
    pub(super) fn end(&mut self) {
        let Some(open) = self.open.pop() else { return };
        let count = match open.tag {
            // Its length is that of its name, which was known at the beginning.
            NAMED => return,
            SET => self.sort(open.at + 5, open.starts),
            _ => open.count,
        };
        self.bytes[open.at..open.at + 5].copy_from_slice(&sized(open.tag, count));
    }

    /// Sorts the items of a set, which start at `self.starts[starts..]`, by their bytes, and removes duplicates.
    fn sort(&mut self, first: usize, starts: usize) -> usize {
        self.scratch.clear();
        self.scratch.extend_from_slice(&self.bytes[first..]);
        let end = self.bytes.len();
        let items = &mut self.starts[starts..];
        // An item ends where the next one starts. Moving items destroys that, so their lengths are parsed from their
        // bytes.
        let item = |start: usize| {
            let bytes = &self.scratch[start - first..end - first];
            &bytes[..element_len(bytes)]
        };
        items.sort_unstable_by(|a, b| item(*a).cmp(item(*b)));
        self.bytes.truncate(first);
        let mut count = 0;
        let mut last: Option<&[u8]> = None;
        for start in items.iter() {
            let bytes = item(*start);
            if last != Some(bytes) {
                self.bytes.put(bytes);
                count += 1;
            }
            last = Some(bytes);
        }
        self.starts.truncate(starts);
        count
    }
}

/// The length of the element at the beginning of `bytes`, which this file wrote.
fn element_len(bytes: &[u8]) -> usize {
    use super::element::{BYTES, DIRECTION, DOUBLE, INTEGER, INTEGER_ABOVE_I64, NODES, STRING};
    let sized = |at: usize| u32::from_le_bytes([bytes[at + 1], bytes[at + 2], bytes[at + 3], bytes[at + 4]]) as usize;
    let mut at = 0;
    // Items left to skip; a tuple, a set or a named type adds its own.
    let mut items = 1;
    while items > 0 {
        items -= 1;
        match bytes[at] {
            INTEGER | INTEGER_ABOVE_I64 | DOUBLE | NODES => at += 9,
            DIRECTION => at += 2,
            BYTES | STRING => at += 5 + sized(at),
            DOUBLES => at += 5 + 8 * sized(at),
            NAMED => {
                items += 1;
                at += 5 + sized(at);
            }
            TUPLE | SET => {
                items += sized(at);
                at += 5;
            }
            _ => at += 1,
        }
    }
    at
}
