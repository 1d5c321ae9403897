//! The memory limit measures this process. It is the only test of its program, because others would be measured too.

use phicache::memory::limit::{self, Usage};

fn usage() -> Usage {
    phicache::epoch::flush();
    limit::usage()
}

const GROWTH: u64 = 256 << 20;

#[test]
fn the_resident_size_is_that_of_this_process() {
    let before = usage();
    let grown = vec![1u8; GROWTH as usize];
    let after = usage();
    // The test harness and the allocator change the size a little meanwhile.
    let seen = after.resident.wrapping_sub(before.resident);
    assert!((GROWTH - (16 << 20)..GROWTH + (16 << 20)).contains(&seen), "{before:?} {after:?} {}", grown[4096]);
    drop(grown);
    assert!(usage().resident < before.resident + (16 << 20), "{before:?} {:?}", usage());
    assert!(after.limit <= after.physical && after.percent() > 0.0 && after.percent() < 100.0);
}
