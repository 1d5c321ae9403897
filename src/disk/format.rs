//! The bytes of segments: header, records, footer. `docs/disk-format.md` specifies them.
//!
//! A segment is a header, then records, then, once it is sealed, a footer. Everything in it is checked by checksums
//! that depend on the segment's own random number and on the place, so that bytes of another file, of another place or
//! of an older version are not taken for a record.

use std::io;
use std::time::{SystemTime, UNIX_EPOCH};

use super::checksum::{checksum, key_hash};

/// The version of the format, which is also the name of the directory that contains everything.
pub const VERSION: u32 = 1;

/// The first bytes of every file.
const MAGIC: &[u8; 8] = b"phicache";

/// The first bytes of a trailer.
const TRAILER_MAGIC: &[u8; 8] = b"phifoot1";

/// The bytes of a header.
pub const HEADER: usize = 96;

/// The bytes of a record before its key.
pub const PREFIX: usize = 16;

/// The bytes of a trailer.
pub const TRAILER: usize = 64;

/// The bytes that a footer has for each record.
pub const FOOTER_PART: u64 = 8 + 2;

/// Records begin at multiples of this, and their lengths are given in it.
pub const UNIT: usize = 8;

/// The longest value in a record; a longer one has a file of its own.
pub const LONGEST_VALUE: usize = 32 << 10;

/// The longest key in a record. A longer one is in the value's file, and the record has its digest.
pub const LONGEST_KEY: usize = 4 << 10;

/// The bytes of a key's digest.
const DIGEST: usize = 32;

/// The longest record.
pub const LONGEST_RECORD: usize = (PREFIX + LONGEST_KEY + LONGEST_VALUE).next_multiple_of(UNIT);

/// As the length of a value: the key was removed.
const REMOVED: u16 = 0xFFFF;
/// As the length of a value: the value has a file.
const IN_FILE: u16 = 0xFFFE;
/// As the length of a key: its digest.
const DIGESTED: u16 = 0xFFFF;

/// What a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum FileKind {
    /// A segment.
    Segment = 1,
    /// The value of one record.
    Value = 2,
    /// The context of an identity.
    Context = 3,
    /// A sealed segment that is complete in itself: it says what it is, and contains its long values.
    Bundle = 4,
    /// The bound of a directory.
    Bound = 5,
}

/// The header of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// What the file is.
    pub kind: FileKind,
    /// Of a segment, its age: records of a segment replace those of segments with lower numbers. Of a value, its number
    /// in the segment. Of a context, its length. Of a bundle, the length of its description.
    /// Of a bound, its bytes.
    pub order: u64,
    /// When the file was made, in seconds since 1970.
    pub created: u64,
    /// The segment's random number.
    pub id: [u8; 16],
    /// The identity and role to which all records belong. Of a context, its BLAKE3 hash.
    pub space: [u8; 32],
}

impl Header {
    /// As bytes.
    pub fn encode(&self) -> [u8; HEADER] {
        let mut bytes = [0; HEADER];
        bytes[..8].copy_from_slice(MAGIC);
        bytes[8..12].copy_from_slice(&VERSION.to_le_bytes());
        bytes[12..16].copy_from_slice(&(self.kind as u32).to_le_bytes());
        bytes[16..24].copy_from_slice(&self.order.to_le_bytes());
        bytes[24..32].copy_from_slice(&self.created.to_le_bytes());
        bytes[32..48].copy_from_slice(&self.id);
        bytes[48..80].copy_from_slice(&self.space);
        let sum = checksum(0, &bytes[..HEADER - 8]);
        bytes[HEADER - 8..].copy_from_slice(&sum.to_le_bytes());
        bytes
    }

    /// From bytes; `None` if they are not a header of this version.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; HEADER] = bytes.first_chunk()?;
        let kind = match u32_at(bytes, 12) {
            1 => FileKind::Segment,
            2 => FileKind::Value,
            3 => FileKind::Context,
            4 => FileKind::Bundle,
            5 => FileKind::Bound,
            _ => return None,
        };
        let header = Header {
            kind,
            order: u64_at(bytes, 16),
            created: u64_at(bytes, 24),
            id: bytes[32..48].try_into().expect("16 bytes"),
            space: bytes[48..80].try_into().expect("32 bytes"),
        };
        // Also compares magic number, version, checksum and unused bytes.
        (header.encode() == *bytes).then_some(header)
    }

    /// The version of the format that some bytes claim to have, if they begin as a file of any version does.
    pub fn claimed_version(bytes: &[u8]) -> Option<u32> {
        (bytes.len() >= 12 && bytes.starts_with(MAGIC)).then(|| u32_at(bytes, 8))
    }

    /// The seed of the checksums at an offset in the segment.
    pub(super) fn seed(&self, offset: u64) -> u64 {
        u64_at(&self.id, 0) ^ (offset ^ u64_at(&self.id, 8)).wrapping_mul(0x9E37_79B9_7F4A_7C15)
    }
}

/// A time as files have it: in seconds since 1970.
pub fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

/// The identity and role of records, as headers have it.
pub fn space(fingerprint: &[u8; 32], role: &str) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new_derive_key("phicache 2026-11 disk space 1");
    hasher.update(fingerprint).update(role.as_bytes());
    *hasher.finalize().as_bytes()
}

/// What a record says of its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content<'b> {
    /// It has this value.
    Value(&'b [u8]),
    /// It has a value in a file.
    File(ValueFile),
    /// It was removed.
    Removed,
}

/// A value in a file of its own, or, in a bundle, behind its record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ValueFile {
    /// The number of the file among those of its segment; 0 in a bundle.
    pub number: u32,
    /// The length of the key in the file.
    pub key_len: u32,
    /// The length of the value in the file.
    pub value_len: u64,
    /// The digest of both.
    pub digest: [u8; 16],
}

/// The bytes of a [`ValueFile`].
const VALUE_FILE: usize = 32;

/// A key as records hold it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecordKey<'k> {
    /// The key.
    Whole(&'k [u8]),
    /// The digest of a long key.
    Digest([u8; DIGEST]),
}

impl<'k> RecordKey<'k> {
    /// Of a key.
    pub fn of(key: &'k [u8]) -> Self {
        match key.len() > LONGEST_KEY {
            false => RecordKey::Whole(key),
            true => RecordKey::Digest(*blake3::hash(key).as_bytes()),
        }
    }

    /// The bytes in the record.
    pub fn bytes(&self) -> &[u8] {
        match self {
            RecordKey::Whole(key) => key,
            RecordKey::Digest(digest) => digest,
        }
    }

    /// The hash, by which an index finds the record.
    pub fn hash(&self) -> u64 {
        key_hash(self.bytes())
    }
}

/// A record.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Record<'b> {
    /// The key.
    pub key: RecordKey<'b>,
    /// The value.
    pub content: Content<'b>,
    /// The nanoseconds that the value took to compute, to seven digits; 0 if that is not known.
    pub cost: f32,
}

impl Record<'_> {
    /// The bytes that it takes.
    pub fn len(&self) -> usize {
        let value = match self.content {
            Content::Value(value) => value.len(),
            Content::File(_) => VALUE_FILE,
            Content::Removed => 0,
        };
        (PREFIX + self.key.bytes().len() + value).next_multiple_of(UNIT)
    }

    /// Its extent: its length and what it is.
    pub fn extent(&self) -> Extent {
        let kind = match self.content {
            Content::Value(_) => Kind::Value,
            Content::File(_) => Kind::File,
            Content::Removed => Kind::Removed,
        };
        Extent::new(self.len(), kind)
    }

    /// An empty buffer with room for its bytes.
    pub fn buffer(&self) -> io::Result<Vec<u8>> {
        let mut buffer = Vec::new();
        buffer.try_reserve_exact(self.len())?;
        Ok(buffer)
    }

    /// Appends its bytes, which will be at `offset` of a segment.
    pub fn encode(&self, header: &Header, offset: u64, out: &mut Vec<u8>) {
        let start = out.len();
        let key = self.key.bytes();
        let key_len = if matches!(self.key, RecordKey::Whole(_)) { key.len() as u16 } else { DIGESTED };
        let value_len = match self.content {
            Content::Value(value) => value.len() as u16,
            Content::File(_) => IN_FILE,
            Content::Removed => REMOVED,
        };
        out.extend_from_slice(&[0; 8]);
        out.extend_from_slice(&key_len.to_le_bytes());
        out.extend_from_slice(&value_len.to_le_bytes());
        out.extend_from_slice(&self.cost.to_le_bytes());
        out.extend_from_slice(key);
        match self.content {
            Content::Value(value) => out.extend_from_slice(value),
            Content::File(file) => {
                out.extend_from_slice(&file.number.to_le_bytes());
                out.extend_from_slice(&file.key_len.to_le_bytes());
                out.extend_from_slice(&file.value_len.to_le_bytes());
                out.extend_from_slice(&file.digest);
            }
            Content::Removed => (),
        }
        out.resize(start + self.len(), 0);
        let sum = checksum(header.seed(offset), &out[start + 8..]);
        out[start..start + 8].copy_from_slice(&sum.to_le_bytes());
    }
}

impl<'b> Record<'b> {
    /// The length of the record that begins with these bytes, if they can be the beginning of one. Nothing is checked.
    pub fn announced_len(bytes: &[u8]) -> Option<usize> {
        let (key_len, value_len) = lengths(bytes.first_chunk()?)?;
        Some((PREFIX + key_len + value_len).next_multiple_of(UNIT))
    }

    /// The key of the record that begins with these bytes, if it is whole there. Nothing is checked.
    pub fn announced_key(bytes: &'b [u8]) -> Option<&'b [u8]> {
        let prefix = bytes.first_chunk()?;
        let (key_len, _) = lengths(prefix)?;
        if u16_at(prefix, 8) == DIGESTED { None } else { bytes.get(PREFIX..PREFIX + key_len) }
    }

    /// The record at the beginning of some bytes, which are at `offset` of a segment; `None` if there is no valid one.
    pub fn decode(header: &Header, offset: u64, bytes: &'b [u8]) -> Option<Self> {
        let prefix: &[u8; PREFIX] = bytes.first_chunk()?;
        let (key_len, value_len) = lengths(prefix)?;
        let bytes = bytes.get(..(PREFIX + key_len + value_len).next_multiple_of(UNIT))?;
        if u64_at(prefix, 0) != checksum(header.seed(offset), &bytes[8..]) {
            return None;
        }
        let (key, value) = bytes[PREFIX..PREFIX + key_len + value_len].split_at(key_len);
        let content = match u16_at(prefix, 10) {
            REMOVED => Content::Removed,
            IN_FILE => Content::File(ValueFile {
                number: u32_at(value, 0),
                key_len: u32_at(value, 4),
                value_len: u64_at(value, 8),
                digest: value[16..].try_into().ok()?,
            }),
            _ => Content::Value(value),
        };
        let key = match u16_at(prefix, 8) {
            DIGESTED => RecordKey::Digest(key.try_into().ok()?),
            _ => RecordKey::Whole(key),
        };
        Some(Record { key, content, cost: f32::from_bits(u32_at(prefix, 12)) })
    }
}

/// The lengths of key and value in a record.
fn lengths(prefix: &[u8; PREFIX]) -> Option<(usize, usize)> {
    let key_len = match u16_at(prefix, 8) {
        DIGESTED => DIGEST,
        len => len.into(),
    };
    let value_len = match u16_at(prefix, 10) {
        REMOVED => 0,
        IN_FILE => VALUE_FILE,
        len => len.into(),
    };
    (key_len <= LONGEST_KEY && value_len <= LONGEST_VALUE).then_some((key_len, value_len))
}

/// What a part of a segment is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A record with a value.
    Value,
    /// A record with a value in a file.
    File,
    /// A record of a removal.
    Removed,
    /// Bytes that are not a record.
    Damaged,
}

/// The length of a part of a segment, and what it is, in 16 bits: the kind in the two upper ones, units in the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extent(u16);

impl Extent {
    const LONGEST: usize = 0x3FFF;

    fn new(len: usize, kind: Kind) -> Self {
        debug_assert!(len.is_multiple_of(UNIT) && len / UNIT <= Self::LONGEST);
        Extent((kind as u16) << 14 | (len / UNIT) as u16)
    }

    /// Damaged bytes; several, if they are more than one extent can say.
    pub fn damaged(len: usize) -> impl Iterator<Item = Self> {
        let longest = Self::LONGEST * UNIT;
        (0..len).step_by(longest).map(move |at| Extent::new((len - at).min(longest), Kind::Damaged))
    }

    /// From the number in a footer or an index.
    pub fn from_bits(bits: u16) -> Self {
        Extent(bits)
    }

    /// As a number, which is never 0.
    pub fn to_bits(self) -> u16 {
        self.0
    }

    /// The number of bytes.
    pub fn len(self) -> usize {
        usize::from(self.0 & 0x3FFF) * UNIT
    }

    /// What it is.
    pub fn kind(self) -> Kind {
        match self.0 >> 14 {
            0 => Kind::Value,
            1 => Kind::File,
            2 => Kind::Removed,
            _ => Kind::Damaged,
        }
    }
}

/// The index of a sealed segment: the hash and the extent of each part, in the order of the file.
#[derive(Debug, Default, PartialEq)]
pub struct Footer {
    /// The hashes of the keys; 0 for damaged bytes.
    pub hashes: Vec<u64>,
    /// The extents.
    pub extents: Vec<u16>,
    /// The sum of all costs, in nanoseconds.
    pub cost: f64,
    /// The bytes of the values in files.
    pub file_bytes: u64,
    /// Whether records may replace some in older segments.
    pub replaces: bool,
}

/// The fixed part of a footer, at the end of a sealed segment.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Trailer {
    /// The number of parts.
    pub count: u32,
    /// Where the footer begins: the end of the last part.
    pub start: u64,
    /// The sum of all costs, in nanoseconds.
    pub cost: f64,
    /// The bytes of the values in files.
    pub file_bytes: u64,
    /// Whether records may replace some in older segments, which must then not be found any more.
    pub replaces: bool,
    /// The checksum of hashes and extents.
    columns: u64,
}

impl Footer {
    /// Appends a part of the segment.
    pub fn push(&mut self, hash: u64, extent: Extent) -> io::Result<()> {
        self.hashes.try_reserve(1)?;
        self.extents.try_reserve(1)?;
        self.hashes.push(hash);
        self.extents.push(extent.to_bits());
        Ok(())
    }

    /// As bytes, which begin at the offset `start` of the segment.
    pub fn encode(&self, header: &Header, start: u64) -> io::Result<Vec<u8>> {
        let count = self.hashes.len();
        let mut bytes = Vec::new();
        bytes.try_reserve_exact(columns_len(count as u32) + TRAILER)?;
        self.hashes.iter().for_each(|hash| bytes.extend_from_slice(&hash.to_le_bytes()));
        self.extents.iter().for_each(|extent| bytes.extend_from_slice(&extent.to_le_bytes()));
        bytes.resize(columns_len(count as u32), 0);
        let columns = checksum(header.seed(start), &bytes);
        let from = bytes.len();
        bytes.extend_from_slice(TRAILER_MAGIC);
        bytes.extend_from_slice(&(count as u64).to_le_bytes());
        bytes.extend_from_slice(&start.to_le_bytes());
        bytes.extend_from_slice(&self.cost.to_le_bytes());
        bytes.extend_from_slice(&self.file_bytes.to_le_bytes());
        bytes.extend_from_slice(&columns.to_le_bytes());
        bytes.extend_from_slice(&u64::from(self.replaces).to_le_bytes());
        let sum = checksum(header.seed(!start), &bytes[from..]);
        bytes.extend_from_slice(&sum.to_le_bytes());
        Ok(bytes)
    }

    /// From its bytes before the trailer; `None` if they are not the footer of this trailer.
    pub fn decode(header: &Header, trailer: &Trailer, bytes: &[u8]) -> io::Result<Option<Self>> {
        let count = trailer.count as usize;
        if bytes.len() != columns_len(trailer.count) || checksum(header.seed(trailer.start), bytes) != trailer.columns {
            return Ok(None);
        }
        let mut footer = Footer {
            hashes: Vec::new(),
            extents: Vec::new(),
            cost: trailer.cost,
            file_bytes: trailer.file_bytes,
            replaces: trailer.replaces,
        };
        footer.hashes.try_reserve_exact(count)?;
        footer.extents.try_reserve_exact(count)?;
        let (hashes, rest) = bytes.split_at(count * 8);
        footer.hashes.extend(hashes.chunks_exact(8).map(|hash| u64_at(hash, 0)));
        footer.extents.extend(rest[..count * 2].chunks_exact(2).map(|extent| u16_at(extent, 0)));
        let extents = || footer.extents.iter().map(|bits| Extent::from_bits(*bits));
        let covered: u64 = extents().map(|extent| extent.len() as u64).sum();
        let whole = extents().all(|extent| extent.len() >= if extent.kind() == Kind::Damaged { UNIT } else { PREFIX });
        Ok((whole && HEADER as u64 + covered == trailer.start).then_some(footer))
    }

    /// The extents of all parts, each with its offset.
    pub fn places(&self) -> impl Iterator<Item = (u64, Extent)> {
        let mut offset = HEADER as u64;
        self.extents.iter().map(move |bits| {
            let extent = Extent::from_bits(*bits);
            let end = offset + extent.len() as u64;
            (std::mem::replace(&mut offset, end), extent)
        })
    }

    /// The parts of the segment: hashes, offsets, extents.
    pub fn parts(&self) -> impl Iterator<Item = (u64, u64, Extent)> {
        self.hashes.iter().zip(self.places()).map(|(hash, (offset, extent))| (*hash, offset, extent))
    }

    /// The parts of the segment from its end.
    pub fn parts_backwards(&self) -> impl Iterator<Item = (u64, u64, Extent)> {
        let mut offset = self.places().last().map_or(0, |(offset, extent)| offset + extent.len() as u64);
        let parts = self.hashes.iter().zip(&self.extents).rev();
        parts.map(move |(hash, bits)| {
            let extent = Extent::from_bits(*bits);
            offset -= extent.len() as u64;
            (*hash, offset, extent)
        })
    }
}

impl Trailer {
    /// From the last bytes of a file of `len` bytes; `None` if they are not a trailer.
    pub fn decode(header: &Header, len: u64, bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; TRAILER] = bytes.last_chunk()?;
        let trailer = Trailer {
            count: u32::try_from(u64_at(bytes, 8)).ok()?,
            start: u64_at(bytes, 16),
            cost: f64::from_bits(u64_at(bytes, 24)),
            file_bytes: u64_at(bytes, 32),
            replaces: u64_at(bytes, 48) != 0,
            columns: u64_at(bytes, 40),
        };
        let sum = checksum(header.seed(!trailer.start), &bytes[..TRAILER - 8]);
        let whole = bytes[..8] == *TRAILER_MAGIC && sum == u64_at(bytes, TRAILER - 8) && u64_at(bytes, 48) <= 1;
        let footer = columns_len(trailer.count) as u64 + TRAILER as u64;
        (whole && trailer.start.checked_add(footer) == Some(len)).then_some(trailer)
    }

    /// The number of bytes between the last part and the trailer.
    pub fn columns_len(&self) -> usize {
        columns_len(self.count)
    }
}

fn columns_len(count: u32) -> usize {
    (count as usize * (8 + 2)).next_multiple_of(UNIT)
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes(bytes[at..at + 2].try_into().expect("2 bytes"))
}

pub(super) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("4 bytes"))
}

pub(super) fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().expect("8 bytes"))
}
