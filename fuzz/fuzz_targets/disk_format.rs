//! Random records, footers and headers, with valid checksums: what is read is what was written, and a footer is
//! accepted only if its parts fill the segment.
#![no_main]

use libfuzzer_sys::fuzz_target;
use phicache::disk::format::{Content, FileKind, Footer, HEADER, Header, Record, RecordKey, TRAILER, Trailer};
use phicache_fuzz::Input;
use phicache_fuzz::disk::{Sample, find};

fuzz_target!(|data: &[u8]| {
    let mut input = Input::new(data);
    let sample = Sample::new();
    sample.store(&[(b"a", b"value")]);
    let file = sample.segment();
    let mut bytes = std::fs::read(&file).unwrap();
    let sealed = Header::decode(&bytes).unwrap();
    let header = Header { kind: FileKind::Segment, created: input.number(), ..sealed };
    bytes.truncate(0);
    bytes.extend_from_slice(&header.encode());
    let mut footer = Footer { replaces: input.flag(), ..Footer::default() };
    let mut values = Vec::new();
    for _ in 0..input.below(6) {
        let (key, value) = (input.bytes(8), input.bytes(40));
        let content = if input.below(4) == 0 { Content::Removed } else { Content::Value(value) };
        let record = Record { key: RecordKey::of(key), content, cost: f32::from_bits(input.number() as u32) };
        let offset = bytes.len() as u64;
        record.encode(&header, offset, &mut bytes);
        let read = Record::decode(&header, offset, &bytes[offset as usize..]).unwrap();
        assert!(read.key == record.key && read.content == record.content);
        footer.push(record.key.hash(), record.extent()).unwrap();
        values.retain(|(other, _): &(&[u8], _)| *other != key);
        values.push((key, matches!(content, Content::Value(_)).then_some(value)));
    }
    let start = bytes.len() as u64;
    // A footer that says something else than the records.
    let is_true = input.flag();
    if !is_true {
        for _ in 0..input.below(8) {
            footer.hashes.push(input.number());
            footer.extents.push(input.number() as u16);
        }
        footer.cost = f64::from_bits(input.number());
        footer.file_bytes = input.number();
    }
    bytes.extend_from_slice(&footer.encode(&header, start).unwrap());
    let trailer = Trailer::decode(&header, bytes.len() as u64, &bytes[bytes.len() - TRAILER..]).unwrap();
    let columns = &bytes[start as usize..bytes.len() - TRAILER];
    let decoded = Footer::decode(&header, &trailer, columns).unwrap();
    assert!(!is_true || decoded.is_some());
    if let Some(decoded) = decoded {
        assert_eq!(decoded.parts().map(|(.., extent)| extent.len()).sum::<usize>() + HEADER, start as usize);
    }
    std::fs::write(&file, &bytes).unwrap();
    let space = sample.open();
    for (key, value) in &values {
        let found = find(&space, key);
        assert!(found.is_none() || found.as_deref() == *value);
        assert!(!is_true || found.as_deref() == *value);
    }
    for hash in space.hashes().unwrap() {
        let _ = space.find_hash(hash).unwrap();
    }
    sample.goes_on(&space);
});
