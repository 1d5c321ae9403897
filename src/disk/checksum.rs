//! Checksums of records, and hashes of keys. Other processes and later versions compute the same ones.

use rapidhash::v3::{RapidSecrets, rapidhash_v3_seeded};

/// Digits of e, so that they are not chosen.
static SECRETS: RapidSecrets = RapidSecrets::seed(0xB7E1_5162_8AED_2A6A);

/// The checksum of some bytes. The seed ties them to their place: bytes that were moved elsewhere do not match.
pub fn checksum(seed: u64, bytes: &[u8]) -> u64 {
    rapidhash_v3_seeded(bytes, &RapidSecrets { seed: SECRETS.seed ^ seed, ..SECRETS })
}

/// The hash of a key.
pub fn key_hash(key: &[u8]) -> u64 {
    rapidhash_v3_seeded(key, &SECRETS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_and_hashes_are_fixed() {
        assert_eq!(checksum(7, b"phicache"), 0x9A05_98CA_81A3_DE03);
        assert_eq!(key_hash(b"phicache"), 0x8B01_4363_651D_EEF1);
    }
}
