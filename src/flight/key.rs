//! A copy of a key, without an allocation if the key is short.

use std::ops::Deref;

use crate::error::{Error, Result};

/// A key; a short one is stored inline.
pub(super) enum Key {
    Short(u8, [u8; Key::SHORT]),
    Long(Box<[u8]>),
}

impl Key {
    /// The longest inline key: with tag and length it fills three quarters of a cache line.
    const SHORT: usize = 46;

    pub(super) fn try_new(key: &[u8]) -> Result<Self> {
        if key.len() <= Self::SHORT {
            let mut short = [0; Self::SHORT];
            short[..key.len()].copy_from_slice(key);
            return Ok(Key::Short(key.len() as u8, short));
        }
        let mut copy = Vec::new();
        copy.try_reserve_exact(key.len()).map_err(|_| Error::OutOfMemory(key.len()))?;
        copy.extend_from_slice(key);
        Ok(Key::Long(copy.into_boxed_slice()))
    }
}

impl Deref for Key {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        match self {
            Key::Short(len, key) => &key[..usize::from(*len)],
            Key::Long(key) => key,
        }
    }
}
