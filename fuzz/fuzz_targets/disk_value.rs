//! Random bytes as the file of a long value, and a good file with changes: reading it never panics, and gives the right
//! value or none.
#![no_main]

use libfuzzer_sys::fuzz_target;
use phicache_fuzz::Input;
use phicache_fuzz::disk::{Sample, find};

fuzz_target!(|data: &[u8]| {
    let sample = Sample::new();
    let values = sample.store(&[(&[5; 4100], b"of a long key")]);
    let file = sample.value_file();
    let good = std::fs::read(&file).unwrap();
    let mut input = Input::new(data);
    let mut bytes = good.clone();
    match input.below(3) {
        0 => bytes = input.bytes(usize::MAX).to_vec(),
        1 => bytes.truncate(input.number() as usize % (good.len() + 1)),
        _ => {
            for _ in 0..input.below(8) {
                let place = input.number() as usize % bytes.len();
                bytes[place] ^= input.byte();
            }
        }
    }
    std::fs::write(&file, &bytes).unwrap();
    let space = sample.open();
    for (key, value) in &values {
        let found = find(&space, key);
        assert_eq!(found.as_ref(), (bytes == good).then_some(value));
    }
    for hash in space.hashes().unwrap() {
        let _ = space.find_hash(hash).unwrap();
    }
    sample.goes_on(&space);
});
