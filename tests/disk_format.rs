//! The format of disk caches: the test vectors of docs/disk-format.md, byte for byte.

mod disk_sample;

use std::collections::BTreeMap;
use std::fs;

use disk_sample::{Scratch, open, store};
use phicache::disk::format::{
    Content, Extent, FileKind, Footer, HEADER, Header, Record, RecordKey, TRAILER, Trailer, ValueFile,
};
use phicache::disk::{Description, Options};

/// The vectors of the page, by name.
fn vectors() -> BTreeMap<String, Vec<u8>> {
    let page = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/disk-format.md")).unwrap();
    let (_, section) = page.split_once("\n## Test vectors\n").expect("the page has vectors");
    let mut vectors = BTreeMap::<String, Vec<u8>>::new();
    let mut name = String::new();
    for line in section.lines().filter_map(|line| line.strip_prefix("    ")) {
        let hex = match line.strip_prefix(' ') {
            Some(rest) => rest,
            None => {
                let (first, rest) = line.split_once(' ').expect("a name and bytes");
                name = first.to_owned();
                rest
            }
        };
        let digits: Vec<u8> = hex.bytes().filter(|byte| *byte != b' ').collect();
        let bytes = digits.chunks(2).map(|pair| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap());
        vectors.entry(name.clone()).or_default().extend(bytes);
    }
    vectors
}

fn header(vectors: &BTreeMap<String, Vec<u8>>) -> Header {
    let id = std::array::from_fn(|at| at as u8);
    let space = vectors["space"].as_slice().try_into().unwrap();
    Header { kind: FileKind::Segment, order: 1024, created: 1_800_000_000, id, space }
}

/// The records, with their offsets.
fn records() -> [(u64, Record<'static>); 3] {
    let mut digest = blake3::Hasher::new();
    digest.update(&4u64.to_le_bytes()).update(b"long").update(&[0; 40_000]);
    let digest = *digest.finalize().as_bytes().first_chunk().unwrap();
    let file = ValueFile { number: 0, key_len: 4, value_len: 40_000, digest };
    let record = |key, content, cost| Record { key: RecordKey::of(key), content, cost };
    [
        (96, record(b"key", Content::Value(b"value"), 1500.0)),
        (120, record(b"long", Content::File(file), 2e9)),
        (176, record(b"key", Content::Removed, 0.0)),
    ]
}

#[test]
fn a_segment_has_the_bytes_of_the_page() {
    let vectors = vectors();
    let mut space = blake3::Hasher::new_derive_key("phicache 2026-11 disk space 1");
    space.update(&[7; 32]).update(b"values");
    assert_eq!(vectors["space"], space.finalize().as_bytes());
    let header = header(&vectors);
    assert_eq!(vectors["header"], header.encode());
    assert_eq!(Header::decode(&vectors["header"]), Some(header));

    let mut footer = Footer { replaces: true, ..Footer::default() };
    let mut segment = header.encode().to_vec();
    for (name, (offset, record)) in ["value", "file", "removed"].into_iter().zip(records()) {
        assert_eq!(segment.len() as u64, offset);
        record.encode(&header, offset, &mut segment);
        assert_eq!(vectors[name], segment[offset as usize..], "{name}");
        assert_eq!(Record::decode(&header, offset, &vectors[name]), Some(record), "{name}");
        assert_eq!(Record::decode(&header, offset + 8, &vectors[name]), None, "{name}");
        footer.push(record.key.hash(), record.extent()).unwrap();
        footer.cost += f64::from(record.cost);
        if let Content::File(file) = record.content {
            footer.file_bytes += file.len();
        }
    }
    let end = segment.len() as u64;
    segment.extend(footer.encode(&header, end).unwrap());
    let (columns, trailer) = (&segment[end as usize..segment.len() - TRAILER], &segment[segment.len() - TRAILER..]);
    assert_eq!(vectors["columns"], columns);
    assert_eq!(vectors["trailer"], trailer);
    let trailer = Trailer::decode(&header, segment.len() as u64, trailer).unwrap();
    assert_eq!((trailer.count, trailer.start, trailer.replaces), (3, end, true));
    assert_eq!(Footer::decode(&header, &trailer, columns).unwrap(), Some(footer));
}

#[test]
fn a_bundle_has_the_bytes_of_the_page() {
    let vectors = vectors();
    let description = Description { fingerprint: [7; 32], role: "values".into(), context: b"squares".to_vec() };
    let header = Header { kind: FileKind::Bundle, order: description.len() as u64, ..header(&vectors) };
    assert_eq!(header.space, description.space());
    assert_eq!(vectors["bundle-header"], header.encode());
    assert_eq!(vectors["description"], description.encode(&header));
    assert_eq!(Description::decode(&header, &vectors["description"]), Some(description.clone()));
    let other = Header { space: [1; 32], ..header };
    assert_eq!(Description::decode(&other, &description.encode(&other)), None);
    let mut footer = Footer::default();
    let mut end = (HEADER + description.len()) as u64;
    Extent::damaged(description.len()).for_each(|extent| footer.push(0, extent).unwrap());
    for (_, record) in &records()[..2] {
        footer.push(record.key.hash(), record.extent()).unwrap();
        footer.cost += f64::from(record.cost);
        end += record.len() as u64;
        if let Content::File(file) = record.content {
            end += file.len_behind();
            Extent::damaged(file.len_behind() as usize).for_each(|extent| footer.push(0, extent).unwrap());
        }
    }
    assert_eq!(end, 40_248);
    assert_eq!(
        [&vectors["bundle-columns"][..], &vectors["bundle-trailer"]].concat(),
        footer.encode(&header, end).unwrap()
    );
}

#[test]
fn the_header_of_a_value_has_the_bytes_of_the_page() {
    let vectors = vectors();
    let header = Header { kind: FileKind::Value, order: 0, ..header(&vectors) };
    assert_eq!(vectors["value-file"], header.encode());
    assert_eq!(vectors["value-file"].len(), HEADER);
}

#[test]
fn the_file_of_the_bound_has_the_bytes_of_the_page() {
    let scratch = Scratch::new();
    store(&open(scratch.path(), Options { max_bytes: Some(1 << 30), ..Options::default() }), b"key", b"value");
    assert_eq!(vectors()["bound"], fs::read(scratch.path().join("1/bound")).unwrap());
}

#[test]
fn keys_have_the_hashes_of_the_page() {
    let vectors = vectors();
    let mut count = 0;
    for (name, hash) in &vectors {
        let Some(len) = name.strip_prefix("hash-") else { continue };
        let key: Vec<u8> = (0..len.parse::<u32>().unwrap()).map(|at| at as u8).collect();
        assert_eq!(*hash, RecordKey::of(&key).hash().to_le_bytes(), "{name}");
        count += 1;
    }
    assert_eq!(count, 12);
    let long = vec![0; 5000];
    assert_eq!(vectors["digest"], RecordKey::of(&long).bytes());
}

#[test]
fn extents_are_those_of_the_page() {
    let extents = records().map(|(_, record)| record.extent().to_bits());
    assert_eq!(extents, [0x0003, 0x4007, 0x8003]);
    let damaged: Vec<u16> = Extent::damaged(200_000).map(Extent::to_bits).collect();
    assert_eq!(damaged, [0xFFFF, 0xE1A9]);
}
