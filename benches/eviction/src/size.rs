//! The bytes that an entry takes in phicache, written out once more, so that a wrong account in the library shows up
//! as a difference.
//!
//! ```text
//! block = round16(24 + key) + value, in a size class: multiples of 16 up to 1 KiB, then eight per doubling
//! table = 64 bytes for each bucket of seven slots, of which five are in use: 12.8 for an entry
//! ```

/// An entry's share of the table.
pub const TABLE_SHARE: f64 = 64.0 / 5.0;

const HEADER: u64 = 24;
const UNIT: u64 = 16;
const FINE: u64 = 1 << 10;

/// The bytes of the block for a key and a value of these lengths.
pub fn block(key_len: u64, value_len: u64) -> u64 {
    let bytes = (HEADER + key_len).next_multiple_of(UNIT) + value_len;
    let step = if bytes <= FINE { UNIT } else { (FINE / 8) << ((bytes - 1).ilog2() - FINE.ilog2()) };
    bytes.next_multiple_of(step)
}

#[cfg(test)]
mod tests {
    use super::block;

    #[test]
    fn blocks_are_the_librarys() {
        assert_eq!(block(16, 64), 48 + 64);
        assert_eq!(block(8, 1), 48);
        assert_eq!(block(8, 992), 1024);
        assert_eq!(block(8, 993), 1024 + 128);
        assert_eq!(block(8, 2016), 2048);
        assert_eq!(block(8, 2017), 2048 + 256);
    }
}
