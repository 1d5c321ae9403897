//! The elements of a key, and their bytes.
//!
//! Every element begins with a tag and encodes its own length. So a sequence of elements can be decoded in one way
//! only, and two different sequences never have the same bytes.

/// The first byte of a key in which equal numbers of different types are equal.
pub const VERSION_UNTYPED: u8 = 0xA1;
/// The first byte of a key in which `3`, `3.0` and `true` differ.
pub const VERSION_TYPED: u8 = 0xE1;

pub(super) const NONE: u8 = 0x00;
pub(super) const FALSE: u8 = 0x01;
pub(super) const TRUE: u8 = 0x02;
pub(super) const INTEGER: u8 = 0x03;
pub(super) const INTEGER_ABOVE_I64: u8 = 0x04;
pub(super) const DOUBLE: u8 = 0x05;
pub(super) const BYTES: u8 = 0x06;
pub(super) const STRING: u8 = 0x07;
pub(super) const DIRECTION: u8 = 0x08;
pub(super) const NODES: u8 = 0x09;
pub(super) const TUPLE: u8 = 0x0A;
pub(super) const SET: u8 = 0x0B;
pub(super) const KEYWORD: u8 = 0x0C;
pub(super) const DOUBLES: u8 = 0x0D;
pub(super) const NAMED: u8 = 0x0E;

/// One value in an argument list.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Element<'a> {
    /// The absent value.
    None,
    /// A truth value; untyped, it equals 0 or 1.
    Bool(bool),
    /// A signed integer.
    Int(i64),
    /// An unsigned integer; it equals the signed integer with the same value.
    Uint(u64),
    /// A double; untyped, an integral one equals the integer.
    Double(f64),
    /// Bytes without a type.
    Bytes(&'a [u8]),
    /// Text in UTF-8.
    String(&'a str),
    /// A direction, by its number.
    Direction(u8),
    /// A set of nodes; bit k is node k.
    Nodes(u64),
}

/// The beginning of an element: its tag, followed by its bytes or its length.
pub(super) struct Head {
    /// Longer than the longest head, so that all heads are copied in the same way.
    pub(super) bytes: [u8; HEAD_MAX],
    pub(super) len: usize,
}

/// The longest head: a tag and 64 bits.
pub(super) const HEAD_MAX: usize = 9;

impl<'a> Element<'a> {
    /// The bytes of this element: its head, then the rest.
    #[inline(always)]
    pub(super) fn parts(&self, typed: bool) -> (Head, &'a [u8]) {
        let head = match *self {
            Element::None => short(NONE, 0, 1),
            Element::Bool(value) if typed => short(if value { TRUE } else { FALSE }, 0, 1),
            Element::Bool(value) => int(value.into()),
            Element::Int(value) => int(value),
            Element::Uint(value) => uint(value),
            Element::Double(value) if typed => double(value),
            Element::Double(value) => untyped(value),
            Element::Bytes(value) => return (short(BYTES, value.len() as u32, 5), value),
            Element::String(value) => return (short(STRING, value.len() as u32, 5), value.as_bytes()),
            Element::Direction(value) => short(DIRECTION, value.into(), 2),
            Element::Nodes(mask) => long(NODES, mask),
        };
        (head, &[])
    }
}

/// An integer: its head has HEAD_MAX bytes.
#[inline(always)]
pub(super) fn int(value: i64) -> Head {
    long(INTEGER, value as u64)
}

#[inline(always)]
fn uint(value: u64) -> Head {
    long(if value > i64::MAX as u64 { INTEGER_ABOVE_I64 } else { INTEGER }, value)
}

/// An untyped double that is an integer of 64 bits is encoded as that integer. A program that lets the processor round
/// subnormal numbers to zero (`-ffast-math`, `set_zero_subnormals`) has the same keys: zero is recognized by its bits.
#[inline(always)]
fn untyped(value: f64) -> Head {
    const TWO_63: f64 = 9_223_372_036_854_775_808.0;
    // A value that is too large saturates; the largest integer as a double is 2^63.
    let nearest = value as i64;
    if nearest as f64 == value && value < TWO_63 && (nearest != 0 || canonical(value) == 0) {
        int(nearest)
    } else if (TWO_63..2.0 * TWO_63).contains(&value) {
        uint(value as u64)
    } else {
        double(value)
    }
}

#[inline(always)]
fn double(value: f64) -> Head {
    long(DOUBLE, canonical(value))
}

/// The canonical bits of a double: there is one zero and one NaN. No arithmetic, for the reason above.
#[inline(always)]
pub(super) fn canonical(value: f64) -> u64 {
    const NEGATIVE_ZERO: u64 = 1 << 63;
    match value.to_bits() {
        NEGATIVE_ZERO => 0,
        _ if value.is_nan() => 0x7FF8_0000_0000_0000,
        bits => bits,
    }
}

#[inline(always)]
fn long(tag: u8, bits: u64) -> Head {
    let mut bytes = [tag; HEAD_MAX];
    bytes[1..].copy_from_slice(&bits.to_le_bytes());
    Head { bytes, len: HEAD_MAX }
}

#[inline(always)]
fn short(tag: u8, bits: u32, len: usize) -> Head {
    Head { len, ..long(tag, bits.into()) }
}

/// A tag with a length or a count, which always fits: keys are shorter.
pub(super) fn sized(tag: u8, len: usize) -> [u8; 5] {
    let mut all = [tag; 5];
    all[1..].copy_from_slice(&(len as u32).to_le_bytes());
    all
}
