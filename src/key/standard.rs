//! The common keys, written straight into a caller's buffer: the same bytes that a builder makes, in a few nanoseconds.
//!
//! Directions and node sets are plain numbers here: what they mean is known further up, in `iit`.

use super::element::{BYTES, DIRECTION, Element, NODES, NONE, STRING, TUPLE, VERSION_UNTYPED, sized};
use crate::error::{Error, Result};

/// Writes an untyped key into a buffer, and counts what does not fit.
pub struct KeyWriter<'b> {
    buffer: &'b mut [u8],
    len: usize,
}

impl<'b> KeyWriter<'b> {
    /// Begins a key.
    pub fn new(buffer: &'b mut [u8]) -> Self {
        let mut writer = KeyWriter { buffer, len: 0 };
        writer.put(&[VERSION_UNTYPED]);
        writer
    }

    #[inline]
    fn put(&mut self, bytes: &[u8]) {
        if let Some(room) = self.buffer.get_mut(self.len..self.len + bytes.len()) {
            room.copy_from_slice(bytes);
        }
        self.len += bytes.len();
    }

    /// Appends one element.
    #[inline]
    pub fn element(&mut self, element: Element<'_>) {
        element.encode(false, |piece| self.put(piece));
    }

    /// Appends prefix, direction and mechanism, with which all standard keys begin.
    #[inline]
    pub fn head(&mut self, prefix: Option<&str>, direction: u8, mechanism: u64) {
        self.prefix(prefix);
        let mut bytes = [DIRECTION, direction, NODES, 0, 0, 0, 0, 0, 0, 0, 0];
        bytes[3..].copy_from_slice(&mechanism.to_le_bytes());
        self.put(&bytes);
    }

    /// Appends prefix, direction, mechanism and purview.
    #[inline]
    pub fn head_with_purview(&mut self, prefix: Option<&str>, direction: u8, mechanism: u64, purview: u64) {
        self.prefix(prefix);
        let mut bytes = [DIRECTION, direction, NODES, 0, 0, 0, 0, 0, 0, 0, 0, NODES, 0, 0, 0, 0, 0, 0, 0, 0];
        bytes[3..11].copy_from_slice(&mechanism.to_le_bytes());
        bytes[12..].copy_from_slice(&purview.to_le_bytes());
        self.put(&bytes);
    }

    #[inline]
    fn prefix(&mut self, prefix: Option<&str>) {
        match prefix {
            None => self.put(&[NONE]),
            Some(prefix) => {
                self.put(&sized(STRING, prefix.len()));
                self.put(prefix.as_bytes());
            }
        }
    }

    /// Appends a bytes element made of `count` pieces of `N` bytes.
    #[inline]
    pub fn pieces<const N: usize>(&mut self, count: usize, pieces: impl Iterator<Item = [u8; N]>) {
        self.put(&sized(BYTES, count * N));
        pieces.for_each(|piece| self.put(&piece));
    }

    /// Ends the key: its length, or how long a buffer it needs.
    #[inline]
    pub fn finish(self) -> Result<usize> {
        match self.len <= self.buffer.len() {
            true => Ok(self.len),
            false => Err(Error::BufferTooSmall { needed: self.len, capacity: self.buffer.len() }),
        }
    }
}

/// The key (prefix, direction, mechanism, purview).
pub fn repertoire(
    buffer: &mut [u8],
    prefix: Option<&str>,
    direction: u8,
    mechanism: u64,
    purview: u64,
) -> Result<usize> {
    let mut key = KeyWriter::new(buffer);
    key.head_with_purview(prefix, direction, mechanism, purview);
    key.finish()
}

/// The key (prefix, direction, mechanism, candidate purviews): that of PyPhi's `find_mice`. No list of candidates is
/// another key than an empty one, and the order of a list is kept.
pub fn mice(
    buffer: &mut [u8],
    prefix: Option<&str>,
    direction: u8,
    mechanism: u64,
    purviews: Option<&[u64]>,
) -> Result<usize> {
    let mut key = KeyWriter::new(buffer);
    key.head(prefix, direction, mechanism);
    match purviews {
        None => key.put(&[NONE]),
        Some(purviews) => {
            key.put(&sized(TUPLE, purviews.len()));
            purviews.iter().for_each(|purview| key.element(Element::Nodes(*purview)));
        }
    }
    key.finish()
}
