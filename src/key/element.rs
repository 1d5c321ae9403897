//! The elements of a key and the bytes that stand for each.
//!
//! Every element begins with a tag and says its own length, so that a sequence of elements can be read back in one way
//! only: two different sequences never have the same bytes.

/// First byte of a key in which equal numbers are equal whatever their type.
pub const VERSION_UNTYPED: u8 = 0xA1;
/// First byte of a key in which `3`, `3.0` and `true` differ.
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

/// One value in an argument list.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Element<'a> {
    /// The absent value.
    None,
    /// A truth value; untyped, it equals 0 or 1.
    Bool(bool),
    /// A signed integer.
    Int(i64),
    /// An unsigned integer; it equals the signed one of the same value.
    Uint(u64),
    /// A double; untyped, it equals the integer that it is.
    Double(f64),
    /// Bytes without further meaning.
    Bytes(&'a [u8]),
    /// Text in UTF-8.
    String(&'a str),
    /// A direction, by its number.
    Direction(u8),
    /// A set of nodes; bit k is node k.
    Nodes(u64),
}

impl Element<'_> {
    /// Hands the bytes of this element to `put`, in pieces.
    pub(super) fn encode(&self, typed: bool, mut put: impl FnMut(&[u8])) {
        match *self {
            Element::None => put(&[NONE]),
            Element::Bool(value) if typed => put(&[if value { TRUE } else { FALSE }]),
            Element::Bool(value) => Element::Int(value.into()).encode(typed, put),
            Element::Int(value) => put(&tagged(INTEGER, value.to_le_bytes())),
            Element::Uint(value) => match i64::try_from(value) {
                Ok(value) => Element::Int(value).encode(typed, put),
                Err(_) => put(&tagged(INTEGER_ABOVE_I64, value.to_le_bytes())),
            },
            Element::Double(value) => match integer(value).filter(|_| !typed) {
                Some(integer) => integer.encode(typed, put),
                None => put(&tagged(DOUBLE, canonical(value).to_bits().to_le_bytes())),
            },
            Element::Bytes(value) => {
                put(&sized(BYTES, value.len()));
                put(value);
            }
            Element::String(value) => {
                put(&sized(STRING, value.len()));
                put(value.as_bytes());
            }
            Element::Direction(value) => put(&[DIRECTION, value]),
            Element::Nodes(mask) => put(&tagged(NODES, mask.to_le_bytes())),
        }
    }

    /// The number of bytes that `encode` hands over.
    pub(super) fn len(&self, typed: bool) -> usize {
        let mut len = 0;
        self.encode(typed, |piece| len += piece.len());
        len
    }
}

fn tagged(tag: u8, bytes: [u8; 8]) -> [u8; 9] {
    let mut all = [tag; 9];
    all[1..].copy_from_slice(&bytes);
    all
}

/// A tag with a length or a count; keys are too short for one that does not fit.
pub(super) fn sized(tag: u8, len: usize) -> [u8; 5] {
    let mut all = [tag; 5];
    all[1..].copy_from_slice(&(len as u32).to_le_bytes());
    all
}

/// One zero and one NaN.
fn canonical(value: f64) -> f64 {
    if value == 0.0 {
        0.0
    } else if value.is_nan() {
        f64::from_bits(0x7FF8_0000_0000_0000)
    } else {
        value
    }
}

/// The integer that a double is exactly, where 64 bits hold it.
fn integer(value: f64) -> Option<Element<'static>> {
    const TWO_63: f64 = 9_223_372_036_854_775_808.0;
    if value.fract() != 0.0 {
        None
    } else if (-TWO_63..TWO_63).contains(&value) {
        Some(Element::Int(value as i64))
    } else if (TWO_63..2.0 * TWO_63).contains(&value) {
        Some(Element::Uint(value as u64))
    } else {
        None
    }
}
