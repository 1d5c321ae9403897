//! The common keys, written straight into a caller's buffer: the same bytes as a builder's, in a few nanoseconds.
//!
//! Directions and node sets are plain numbers here; `iit` knows what they mean.

use super::element::{BYTES, DIRECTION, Element, NODES, NONE, STRING, TUPLE, VERSION_UNTYPED, sized};
use crate::error::{Error, Result};

/// Writes an untyped key into a buffer, and counts the bytes that do not fit.
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
        let (head, rest) = element.parts(false);
        self.put(&head.bytes[..head.len]);
        self.put(rest);
    }

    /// Appends prefix, direction and mechanism, the beginning of all standard keys.
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

    /// Ends the key. Returns its length, or the error that says how long the buffer must be.
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

/// The key (prefix, direction, mechanism, candidate purviews) of PyPhi's `find_mice`. Without candidates it is another
/// key than with an empty list, and the order of the list is significant.
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

/// The arguments of [`mice`], read in place.
#[derive(Clone, Copy)]
pub struct MiceQuestion<'k> {
    /// The prefix, not yet checked to be UTF-8.
    prefix: Option<&'k [u8]>,
    /// The direction, by its number.
    pub direction: u8,
    /// The mechanism.
    pub mechanism: u64,
    /// The candidate purviews, each with its tag.
    purviews: Option<&'k [[u8; 9]]>,
}

impl<'k> MiceQuestion<'k> {
    /// Decodes what [`mice`] wrote; `None` for any other bytes. [`MiceQuestion::text`] checks that the prefix is UTF-8,
    /// as `mice` writes it. Encoding and decoding are one-to-one.
    pub fn read(key: &'k [u8]) -> Option<Self> {
        let mut rest = Rest(key);
        if rest.take()? != [VERSION_UNTYPED] {
            return None;
        }
        let prefix = match rest.take()? {
            [NONE] => None,
            [STRING] => {
                let len = rest.length()?;
                Some(rest.bytes(len)?)
            }
            _ => return None,
        };
        let [DIRECTION, direction @ 0..=2] = rest.take()? else { return None };
        let mechanism = rest.nodes()?;
        let purviews = match rest.take()? {
            [NONE] => None,
            [TUPLE] => {
                let count = rest.length()?;
                let (purviews, _) = rest.bytes(count.checked_mul(9)?)?.as_chunks();
                if purviews.iter().any(|purview| purview[0] != NODES) {
                    return None;
                }
                Some(purviews)
            }
            _ => return None,
        };
        rest.0.is_empty().then_some(MiceQuestion { prefix, direction, mechanism, purviews })
    }

    /// The prefix; `None` if it is not UTF-8. Then [`mice`] did not write this key.
    pub fn text(self) -> Option<Option<&'k str>> {
        match self.prefix {
            None => Some(None),
            Some(prefix) => std::str::from_utf8(prefix).ok().map(Some),
        }
    }

    /// The candidate purviews.
    pub fn purviews(self) -> Option<impl Iterator<Item = u64>> {
        let mask = |purview: &[u8; 9]| purview[1..].try_into().map_or(0, u64::from_le_bytes);
        self.purviews.map(|purviews| purviews.iter().map(mask))
    }
}

/// As [`MiceQuestion`], with a copy of the candidate purviews.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MiceKey<'k> {
    /// The prefix.
    pub prefix: Option<&'k str>,
    /// The direction, by its number.
    pub direction: u8,
    /// The mechanism.
    pub mechanism: u64,
    /// The candidate purviews.
    pub purviews: Option<Vec<u64>>,
}

impl<'k> MiceKey<'k> {
    /// Decodes what [`mice`] wrote; `None` for any other bytes.
    pub fn read(key: &'k [u8]) -> Option<Self> {
        let read = MiceQuestion::read(key)?;
        let purviews = read.purviews().map(Iterator::collect);
        Some(MiceKey { prefix: read.text()?, direction: read.direction, mechanism: read.mechanism, purviews })
    }
}

/// The rest of a key that is not decoded yet.
struct Rest<'k>(&'k [u8]);

impl<'k> Rest<'k> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*taken)
    }

    fn bytes(&mut self, len: usize) -> Option<&'k [u8]> {
        let (taken, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(taken)
    }

    fn length(&mut self) -> Option<usize> {
        self.take().map(|bytes| u32::from_le_bytes(bytes) as usize)
    }

    fn nodes(&mut self) -> Option<u64> {
        let [NODES] = self.take()? else { return None };
        self.take().map(u64::from_le_bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(key: &MiceKey) -> Vec<u8> {
        let mut buffer = [0; 256];
        let len = mice(&mut buffer, key.prefix, key.direction, key.mechanism, key.purviews.as_deref()).unwrap();
        buffer[..len].to_vec()
    }

    #[test]
    fn a_mice_key_is_read_back_as_it_was_written() {
        for prefix in [None, Some(""), Some("lab"), Some("φ")] {
            for purviews in [None, Some(vec![]), Some(vec![0]), Some(vec![6, 1, u64::MAX])] {
                let key = MiceKey { prefix, direction: 1, mechanism: 0x8000_0000_0000_0005, purviews };
                let bytes = written(&key);
                assert_eq!(MiceKey::read(&bytes), Some(key));
                for len in 0..bytes.len() {
                    assert_eq!(MiceKey::read(&bytes[..len]), None);
                }
                assert_eq!(MiceKey::read(&[&bytes[..], b"x"].concat()), None);
            }
        }
    }

    #[test]
    fn other_bytes_are_not_a_mice_key() {
        let mut buffer = [0; 64];
        let len = repertoire(&mut buffer, None, 0, 1, 2).unwrap();
        assert_eq!(MiceKey::read(&buffer[..len]), None);
        assert_eq!(MiceKey::read(b"subsys:1:None:CAUSE:(0,):False"), None);
        // A count that exceeds the bytes, and a prefix that is not UTF-8.
        let bytes = written(&MiceKey { prefix: None, direction: 0, mechanism: 1, purviews: Some(vec![1]) });
        let mut damaged = bytes.clone();
        let count = bytes.len() - 13;
        damaged[count..count + 4].copy_from_slice(&u32::MAX.to_le_bytes());
        assert_eq!(MiceKey::read(&damaged), None);
        let mut damaged = written(&MiceKey { prefix: Some("a"), direction: 0, mechanism: 1, purviews: None });
        damaged[6] = 0xFF;
        assert_eq!(MiceKey::read(&damaged), None);
    }
}
