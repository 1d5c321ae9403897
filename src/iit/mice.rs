//! A maximally irreducible cause or effect (MICE) as bytes: version 1 of the record.
//!
//! ```text
//!  0  "phiMICE" and the version, 1      32  φ, a double
//!  8  direction, and seven zero bytes   40  length of the payload
//! 16  mechanism                         48  checksum: 16 bytes of BLAKE3 of all the others
//! 24  purview                           64  payload
//! ```
//!
//! Numbers are little-endian. A record starts at 16-byte alignment in its entry, and so does its payload.

use super::nodes::{Direction, NodeSet};
use crate::error::{Error, Result};
use crate::key::MiceQuestion;

/// The length of a record without its payload.
pub const RECORD_HEADER: usize = 64;

const MAGIC: [u8; 7] = *b"phiMICE";
const VERSION: u8 = 1;
const CHECKSUM: std::ops::Range<usize> = 48..64;

/// A mechanism's maximally irreducible cause or effect.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Mice<'p> {
    /// Cause or effect.
    pub direction: Direction,
    /// The mechanism.
    pub mechanism: NodeSet,
    /// The purview with the largest φ.
    pub purview: NodeSet,
    /// That φ; never NaN.
    pub phi: f64,
    /// The caller's data: repertoires, the partition.
    pub payload: &'p [u8],
}

impl<'p> Mice<'p> {
    /// Fails for a φ that no record can hold.
    pub fn check(&self) -> Result<()> {
        match self.phi.is_nan() {
            true => Err(Error::invalid("φ is NaN; expected a number")),
            false => Ok(()),
        }
    }

    /// Whether this can be the answer to the question that `key` asks. A standard key names a direction, a mechanism
    /// and perhaps candidate purviews; any other key says nothing. An empty purview means that no candidate is
    /// irreducible.
    #[inline]
    pub fn answers(&self, key: &[u8]) -> bool {
        let empty = self.purview.0 == 0;
        MiceQuestion::read(key).is_none_or(|asked| {
            let agrees = asked.direction == self.direction as u8
                && asked.mechanism == self.mechanism.0
                && asked
                    .purviews()
                    .is_none_or(|mut purviews| empty || purviews.any(|purview| purview == self.purview.0));
            agrees || asked.text().is_none()
        })
    }

    /// Fails if this cannot be the answer to the question that `key` asks: it would be stored, and every lookup would
    /// reject it.
    pub fn check_answers(&self, key: &[u8]) -> Result<()> {
        self.check()?;
        let Some(asked) = MiceQuestion::read(key).filter(|_| !self.answers(key)) else { return Ok(()) };
        let candidates = match asked.purviews() {
            Some(_) if asked.direction == self.direction as u8 && asked.mechanism == self.mechanism.0 => {
                ", and its purview is not a candidate of the key"
            }
            _ => "",
        };
        Err(Error::invalid(format!(
            "the MICE (direction {}, mechanism {:#x}, purview {:#x}) contradicts its standard key, which asks for \
             direction {}, mechanism {:#x}{candidates}; use the key of this MICE",
            self.direction as u8, self.mechanism.0, self.purview.0, asked.direction, asked.mechanism
        )))
    }

    /// The length of the record.
    pub fn record_len(&self) -> usize {
        RECORD_HEADER + self.payload.len()
    }

    /// Writes everything but payload and checksum. The payload has the rest of the record.
    pub(crate) fn write_head(&self, record: &mut [u8]) {
        let mut head = [0u8; CHECKSUM.start];
        head[..7].copy_from_slice(&MAGIC);
        head[7] = VERSION;
        head[8] = self.direction as u8;
        head[16..24].copy_from_slice(&self.mechanism.0.to_le_bytes());
        head[24..32].copy_from_slice(&self.purview.0.to_le_bytes());
        head[32..40].copy_from_slice(&self.phi.to_le_bytes());
        head[40..48].copy_from_slice(&((record.len() - RECORD_HEADER) as u64).to_le_bytes());
        record[..CHECKSUM.start].copy_from_slice(&head);
    }

    /// Writes the record into `record`, which has its length.
    pub fn write(&self, record: &mut [u8]) {
        self.write_head(record);
        record[RECORD_HEADER..].copy_from_slice(self.payload);
        Self::seal(record);
    }

    /// Writes the checksum of a record whose other bytes are final.
    pub(crate) fn seal(record: &mut [u8]) {
        let sum = checksum(record);
        record[CHECKSUM].copy_from_slice(&sum);
    }

    /// Reads a record whose checksum is known to be right: this process wrote it, or a seal around it fits.
    #[inline]
    pub fn read(record: &'p [u8]) -> Result<Self> {
        let number = |at: usize| record[at..at + 8].try_into().map(u64::from_le_bytes).unwrap_or(0);
        if record.len() < RECORD_HEADER || record[..7] != MAGIC {
            let len = record.len();
            let text = format!(
                "{len} bytes that are not a MICE record; phicache_result_mice or phicache_mice_encode makes one"
            );
            return Err(Error::Damaged(text.into()));
        }
        if record[7] != VERSION {
            return Err(Error::Damaged(format!("a MICE record of version {}; expected {VERSION}", record[7]).into()));
        }
        let payload = &record[RECORD_HEADER..];
        if number(40) != payload.len() as u64 || record[8] > 1 || record[9..16] != [0; 7] {
            return Err(Error::Damaged("a MICE record whose direction or length is damaged".into()));
        }
        Ok(Mice {
            direction: if record[8] == 0 { Direction::Cause } else { Direction::Effect },
            mechanism: NodeSet(number(16)),
            purview: NodeSet(number(24)),
            phi: f64::from_bits(number(32)),
            payload,
        })
    }

    /// Views a record that was checked before it came into a cache.
    #[inline(always)]
    pub(crate) fn read_kept(record: &'p [u8]) -> Option<Self> {
        let head: &[u8; RECORD_HEADER] = record.first_chunk()?;
        let number = |at: usize| u64::from_le_bytes(head.as_chunks().0[at / 8]);
        Some(Mice {
            direction: if head[8] == 0 { Direction::Cause } else { Direction::Effect },
            mechanism: NodeSet(number(16)),
            purview: NodeSet(number(24)),
            phi: f64::from_bits(number(32)),
            payload: &record[RECORD_HEADER..],
        })
    }

    /// Reads a record from anywhere, and verifies its checksum.
    pub fn read_checked(record: &'p [u8]) -> Result<Self> {
        let mice = Self::read(record)?;
        if record[CHECKSUM] != checksum(record) || mice.phi.is_nan() {
            return Err(Error::Damaged("a MICE record whose checksum does not match its bytes".into()));
        }
        Ok(mice)
    }
}

fn checksum(record: &[u8]) -> [u8; CHECKSUM.end - CHECKSUM.start] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&record[..CHECKSUM.start]).update(&record[CHECKSUM.end..]);
    let mut sum = [0; CHECKSUM.end - CHECKSUM.start];
    hasher.finalize_xof().fill(&mut sum);
    sum
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key;

    fn record() -> Vec<u8> {
        let mice = Mice {
            direction: Direction::Effect,
            mechanism: NodeSet(0b101),
            purview: NodeSet(u64::MAX),
            phi: 0.25,
            payload: b"repertoire",
        };
        let mut record = vec![0xFF; mice.record_len()];
        mice.write(&mut record);
        assert_eq!(Mice::read_checked(&record).unwrap(), mice);
        record
    }

    #[test]
    fn every_flipped_bit_and_every_other_length_is_detected() {
        let good = record();
        for bit in 0..good.len() * 8 {
            let mut bad = good.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            assert!(matches!(Mice::read_checked(&bad), Err(Error::Damaged(_))), "bit {bit}");
        }
        for len in 0..good.len() {
            assert!(Mice::read_checked(&good[..len]).is_err());
        }
        assert!(Mice::read_checked(&[&good[..], b"x"].concat()).is_err());
    }

    #[test]
    fn a_record_belongs_to_its_key_and_to_no_other() {
        let mice =
            Mice { direction: Direction::Cause, mechanism: NodeSet(1), purview: NodeSet(6), phi: 0.5, payload: b"" };
        let standard = |direction, mechanism, purviews: Option<&[u64]>| {
            let mut buffer = [0; 256];
            let len = key::mice(&mut buffer, None, direction, mechanism, purviews).unwrap();
            buffer[..len].to_vec()
        };
        // The prefix is not UTF-8, so this is not a standard key.
        let mut other = [0; 64];
        let len = key::mice(&mut other, Some("a"), 1, 1, None).unwrap();
        other[6] = 0xFF;
        for (key, answers) in [
            (other[..len].to_vec(), true),
            (standard(0, 1, None), true),
            (standard(0, 1, Some(&[1, 6])), true),
            (standard(0, 1, Some(&[1])), false),
            (standard(1, 1, None), false),
            (standard(0, 2, None), false),
            (b"raw".to_vec(), true),
        ] {
            assert_eq!((mice.answers(&key), mice.check_answers(&key).is_ok()), (answers, answers));
        }
    }
}
