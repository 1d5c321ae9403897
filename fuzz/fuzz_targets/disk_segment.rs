//! Random bytes as a segment, and a good segment with changes: opening a directory with it never panics, and gives
//! right values or none.
#![no_main]

use libfuzzer_sys::fuzz_target;
use phicache::disk::format::{HEADER, Header};
use phicache_fuzz::Input;
use phicache_fuzz::disk::{Sample, find};

fuzz_target!(|data: &[u8]| {
    let sample = Sample::new();
    let values = sample.store(&[(b"", b"of no key"), (b"a", b""), (b"b", b"value"), (b"long key", &[7; 300])]);
    let file = sample.segment();
    let good = std::fs::read(&file).unwrap();
    let mut input = Input::new(data);
    let is_live = input.flag();
    let bytes = match input.below(4) {
        // Any bytes.
        0 => input.bytes(usize::MAX).to_vec(),
        // Behind a good header.
        1 => [&good[..HEADER], input.bytes(usize::MAX)].concat(),
        // A good segment with changed bytes, cut off or longer.
        choice => {
            let mut bytes = good.clone();
            input.change(&mut bytes);
            // With a header that is valid again, the rest is read.
            if choice == 3 && bytes.len() >= HEADER {
                let header = Header::decode(&good).unwrap();
                bytes[..HEADER].copy_from_slice(&header.encode());
            }
            bytes
        }
    };
    std::fs::remove_file(&file).unwrap();
    std::fs::write(if is_live { file.with_extension("live") } else { file }, &bytes).unwrap();
    let space = sample.open();
    for (key, value) in &values {
        let found = find(&space, key);
        assert!(found.is_none() || found.as_ref() == Some(value));
        assert!(bytes != good || found.is_some());
    }
    sample.goes_on(&space);
});
