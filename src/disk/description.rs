//! What a bundle is, in its own words: identity, role and context, between its header and its first record.

use super::checksum::checksum;
use super::format::{HEADER, Header, UNIT, space, u32_at, u64_at};

/// The bytes before role and context.
const PREFIX: usize = 48;

/// The longest description.
pub const LONGEST: usize = 1 << 20;

/// The description of a bundle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Description {
    /// The identity of the values.
    pub fingerprint: [u8; 32],
    /// What the values are.
    pub role: String,
    /// How they were computed.
    pub context: Vec<u8>,
}

impl Description {
    /// The bytes that it takes.
    pub fn len(&self) -> usize {
        (PREFIX + self.role.len() + self.context.len()).next_multiple_of(UNIT)
    }

    /// The identity and role, as headers have it.
    pub fn space(&self) -> [u8; 32] {
        space(&self.fingerprint, &self.role)
    }

    /// As bytes, which follow the header. It is at most [`LONGEST`] bytes long.
    pub fn encode(&self, header: &Header) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.len());
        bytes.extend_from_slice(&[0; 8]);
        bytes.extend_from_slice(&(self.role.len() as u32).to_le_bytes());
        bytes.extend_from_slice(&(self.context.len() as u32).to_le_bytes());
        bytes.extend_from_slice(&self.fingerprint);
        bytes.extend_from_slice(self.role.as_bytes());
        bytes.extend_from_slice(&self.context);
        bytes.resize(self.len(), 0);
        let sum = checksum(header.seed(HEADER as u64), &bytes[8..]);
        bytes[..8].copy_from_slice(&sum.to_le_bytes());
        bytes
    }

    /// From the bytes that follow a header; `None` if they are not the description of this bundle.
    pub fn decode(header: &Header, bytes: &[u8]) -> Option<Self> {
        if bytes.len() < PREFIX || u64_at(bytes, 0) != checksum(header.seed(HEADER as u64), &bytes[8..]) {
            return None;
        }
        let (role_len, context_len) = (u32_at(bytes, 8) as usize, u32_at(bytes, 12) as usize);
        let (role, rest) = bytes[PREFIX..].split_at_checked(role_len)?;
        let description = Description {
            fingerprint: bytes[16..PREFIX].try_into().ok()?,
            role: String::from_utf8(role.to_vec()).ok()?,
            context: rest.get(..context_len)?.to_vec(),
        };
        (description.space() == header.space && description.len() == bytes.len()).then_some(description)
    }
}
