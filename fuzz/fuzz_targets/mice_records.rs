//! Random bytes as MICE records: reading never panics, and accepts exactly the records that `docs/mice-format.md`
//! describes, which are those that the encoder writes.
#![no_main]

use libfuzzer_sys::fuzz_target;
use phicache::iit::{Direction, Mice, NodeSet, RECORD_HEADER};
use phicache_fuzz::Input;

/// The record with the correct checksum, which random bytes never have.
fn sealed(data: &[u8]) -> Vec<u8> {
    let mut record = data.to_vec();
    if record.len() >= RECORD_HEADER {
        let mut rest = record[..48].to_vec();
        rest.extend_from_slice(&record[64..]);
        record[48..64].copy_from_slice(&blake3::hash(&rest).as_bytes()[..16]);
    }
    record
}

fn is_as_specified(record: &[u8]) -> bool {
    let number = |at: usize| u64::from_le_bytes(record[at..at + 8].try_into().unwrap());
    record.len() >= 64
        && record[..8] == *b"phiMICE\x01"
        && record[8] <= 1
        && record[9..16] == [0; 7]
        && !f64::from_bits(number(32)).is_nan()
        && number(40) == record.len() as u64 - 64
        && record == sealed(record)
}

fn check(record: &[u8]) {
    let read = Mice::read_checked(record);
    assert_eq!(read.is_ok(), is_as_specified(record));
    if let Ok(mice) = read {
        let mut again = vec![0xA5; mice.record_len()];
        mice.write(&mut again);
        assert_eq!(again, record);
    }
    // The unverified read that a cache uses for its own entries: wrong results, but nothing worse.
    let _ = Mice::read(record);
}

fuzz_target!(|data: &[u8]| {
    check(data);
    check(&sealed(data));

    let mut input = Input::new(data);
    let direction = Direction::from_number(input.below(2).into()).unwrap();
    let (mechanism, purview) = (NodeSet(input.number()), NodeSet(input.number()));
    let phi = match input.below(4) {
        0 => f64::from_bits(input.number()),
        _ => f64::from(input.byte()) / 8.0,
    };
    let changes: Vec<(u64, u8)> = (0..input.below(3)).map(|_| (input.number(), input.byte())).collect();
    let payload = input.bytes(usize::MAX);
    let mice = Mice { direction, mechanism, purview, phi, payload };
    if mice.check().is_err() {
        assert!(phi.is_nan());
        return;
    }
    let mut record = vec![0xA5; mice.record_len()];
    mice.write(&mut record);
    assert!(is_as_specified(&record));
    assert_eq!(Mice::read_checked(&record), Ok(mice));

    let good = record.clone();
    for (place, change) in changes {
        let place = place as usize % record.len();
        record[place] ^= change;
    }
    assert_eq!(
        Mice::read_checked(&record).is_ok(),
        record == good,
        "the unchanged record, and only that, must be accepted"
    );
    check(&record);
});
