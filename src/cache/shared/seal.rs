//! Seals: a record at a server is the value, what it cost, and a checksum of both and the name.
//!
//! ```text
//! | value | cost, 8 bytes | seal, 16 bytes |                                     the name holds the key
//! | value | key | its length, 4 bytes | cost, 8 bytes | seal, 16 bytes |         the name holds a digest of the key
//! ```
//!
//! The cost is the time that the value took to compute, in nanoseconds; 0 if that is not known. Numbers are
//! little-endian.
//!
//! The seal follows the value, so that a record is read straight into the value's final memory and then truncated. A
//! record of another program, an older version, a broken disk or a renamed key has no valid seal. A seal is not a
//! signature: any program with write access to the server can make one.
//!
//! Seals and digests consist of two rapidhashes (version 3) with fixed secrets. A library that computed them
//! differently would find all values damaged, so a change needs a new version in the names.

use rapidhash::v3::{RapidSecrets, rapidhash_v3_seeded};

use crate::cache::value::Cost;
use crate::error::{Error, Result};

/// 128 bits of some bytes.
pub type Digest = [u8; 16];

/// Digits of π, so that they are not chosen.
static SECRETS: [RapidSecrets; 2] =
    [RapidSecrets::seed(0x243F_6A88_85A3_08D3), RapidSecrets::seed(0x1319_8A2E_0370_7344)];

/// The bytes that hold a key's length.
const LENGTH: usize = 4;

/// The bytes that hold the cost.
const COST: usize = 8;

/// A digest that is the same in all processes.
pub fn digest(bytes: &[u8]) -> Digest {
    hashes(|secrets| rapidhash_v3_seeded(bytes, secrets))
}

/// The number of bytes by which a record is longer than its value.
pub fn overhead(key: Option<&[u8]>) -> usize {
    size_of::<Digest>() + COST + key.map_or(0, |key| key.len() + LENGTH)
}

/// The record of a value; `key` is the key if the name does not contain it.
pub fn record(name: &[u8], key: Option<&[u8]>, value: &[u8], cost: Cost) -> Result<Vec<u8>> {
    let (mut record, len) = (Vec::new(), value.len() + overhead(key));
    record.try_reserve_exact(len).map_err(|_| Error::OutOfMemory(len))?;
    write(name, key, value, cost, &mut record);
    Ok(record)
}

/// Writes the record of a value, for which there is room.
pub fn write(name: &[u8], key: Option<&[u8]>, value: &[u8], cost: Cost, out: &mut Vec<u8>) {
    let start = out.len();
    out.extend_from_slice(value);
    if let Some(key) = key {
        out.extend_from_slice(key);
        out.extend_from_slice(&(key.len() as u32).to_le_bytes());
    }
    out.extend_from_slice(&cost.ns().to_le_bytes());
    let seal = seal(name, &out[start..]);
    out.extend_from_slice(&seal);
}

/// The length of the value in a record, and its cost; `None` if the seal is not of this name, or the record holds
/// another key.
pub fn open(name: &[u8], key: Option<&[u8]>, record: &[u8]) -> Option<(usize, Cost)> {
    let (body, cost) = unseal(name, record)?;
    let len = match key {
        None => body.len(),
        Some(key) => split(body).filter(|(_, its)| *its == key)?.0.len(),
    };
    Some((len, cost))
}

/// The value in a record with an unknown key; `None` if the seal is not of this name.
pub fn value<'r>(name: &[u8], has_key: bool, record: &'r [u8]) -> Option<&'r [u8]> {
    let (body, _) = unseal(name, record)?;
    if has_key { split(body).map(|(value, _)| value) } else { Some(body) }
}

/// The bytes before the cost and a valid seal, and the cost.
fn unseal<'r>(name: &[u8], record: &'r [u8]) -> Option<(&'r [u8], Cost)> {
    let (sealed, seal) = record.split_last_chunk()?;
    if *seal != self::seal(name, sealed) {
        return None;
    }
    let (body, cost) = sealed.split_last_chunk::<COST>()?;
    Some((body, Cost::of_ns(u64::from_le_bytes(*cost))))
}

/// Splits value and key.
fn split(body: &[u8]) -> Option<(&[u8], &[u8])> {
    let (rest, len) = body.split_last_chunk::<LENGTH>()?;
    rest.split_at_checked(rest.len().checked_sub(u32::from_le_bytes(*len) as usize)?)
}

/// The checksum of the bytes before it and of the name: the hashes of the name are part of the seeds.
fn seal(name: &[u8], body: &[u8]) -> Digest {
    hashes(|secrets| {
        let seed = secrets.seed ^ rapidhash_v3_seeded(name, secrets);
        rapidhash_v3_seeded(body, &RapidSecrets { seed, ..*secrets })
    })
}

fn hashes(hash: impl Fn(&RapidSecrets) -> u64) -> Digest {
    let [one, other] = SECRETS.each_ref().map(|secrets| hash(secrets).to_le_bytes());
    let mut digest = Digest::default();
    digest[..8].copy_from_slice(&one);
    digest[8..].copy_from_slice(&other);
    digest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn every_flipped_bit_and_every_other_length_name_or_key_is_detected() {
        for value in [&b""[..], b"v", b"sixteen and more", &[7; 300]] {
            for key in [None, Some(&[9; 70][..])] {
                let good = record(b"name", key, value, Cost::of_ns(77)).unwrap();
                assert_eq!(good.len(), value.len() + overhead(key));
                assert_eq!(open(b"name", key, &good), Some((value.len(), Cost::of_ns(77))));
                assert_eq!(super::value(b"name", key.is_some(), &good), Some(value));
                for bit in 0..good.len() * 8 {
                    let mut bad = good.clone();
                    bad[bit / 8] ^= 1 << (bit % 8);
                    assert_eq!(open(b"name", key, &bad), None, "bit {bit}");
                }
                for len in 0..good.len() {
                    assert_eq!(open(b"name", key, &good[..len]), None);
                }
                assert_eq!(open(b"name", key, &[&good[..], b"x"].concat()), None);
                assert_eq!(open(b"nbme", key, &good), None);
            }
            assert_eq!(
                open(b"name", Some(&[8; 70]), &record(b"name", Some(&[9; 70]), value, Cost::UNKNOWN).unwrap()),
                None
            );
            assert_eq!(open(b"name", None, value), None);
        }
    }

    #[test]
    fn a_record_shorter_than_its_key_is_invalid() {
        for body in [&b""[..], b"abc", b"\xff\xff\xff\xff", b"abc\x04\0\0\0"] {
            let costly = [body, &[0; COST]].concat();
            let sealed = [&costly[..], &seal(b"name", &costly)].concat();
            assert_eq!(open(b"name", Some(b""), &sealed), None, "{}", body.escape_ascii());
            assert_eq!(super::value(b"name", true, &sealed), None);
            let without_cost = [body, &seal(b"name", body)].concat();
            assert!(body.len() >= COST || open(b"name", None, &without_cost).is_none());
        }
    }

    /// Other processes and later versions must compute the same digests.
    #[test]
    fn digests_and_seals_are_fixed() {
        let bytes: Vec<u8> = (0..=255).chain(0..=255).collect();
        let digests = [0, 3, 16, 100, 512].map(|len| hex(&digest(&bytes[..len])));
        assert_eq!(digests, DIGESTS);
        assert_eq!(hex(&record(b"phicache/2:raw:k", None, b"v", Cost::of_ns(0x0102)).unwrap()), RECORD);
    }

    const DIGESTS: [&str; 5] = [
        "c7fb44eca43e072574a97ab3f727f8ce",
        "c3e381653c791b6884a503ad3071a419",
        "0760d47ef97c048eac39517648351cef",
        "e8643260b41b07847bccac4d8e15b933",
        "23e4fa0731869a41a58ba1459f2a77dd",
    ];
    const RECORD: &str = "760201000000000000d8864b66a0196bb4ca2989f2c95c304f";
}
