//! Random bytes as a saved cache, a good file with changes, and random records with valid checksums: loading it and
//! reading it in place never panic, and give right values or none.
#![no_main]

use std::path::Path;
use std::sync::Arc;

use libfuzzer_sys::fuzz_target;
use phicache::cache::{self, Cache, DictCache, Options, Walk};
use phicache::config::Config;
use phicache::disk::Description;
use phicache::disk::format::{Content, Extent, Footer, HEADER, Header, Record, RecordKey};
use phicache::error::Error;
use phicache_fuzz::Input;
use phicache_fuzz::disk::Sample;

type Values = Vec<(Vec<u8>, Vec<u8>)>;

const CONTEXT: &[u8] = b"fuzz";

fn config() -> Arc<Config> {
    Config::new().unwrap()
}

fn dict() -> Cache {
    DictCache::dict(config(), Options::default()).unwrap().into()
}

fn contents(cache: &Cache) -> Values {
    let mut walk = Walk::new(cache.clone()).unwrap();
    let mut values = Values::new();
    while let Some(walked) = walk.next_entry().unwrap() {
        values.push((walked.value.entry.key().to_vec(), walked.value.entry.value().to_vec()));
    }
    values
}

/// Values that a file of these bytes gives are among the expected ones.
fn check(path: &Path, expected: &Values, is_whole: bool) {
    let target = dict();
    match cache::load(&target, path, CONTEXT) {
        Ok(counts) => {
            let got = contents(&target);
            assert!(got.iter().all(|pair| expected.contains(pair)));
            assert!(!is_whole || counts.damaged == 0);
        }
        Err(Error::Damaged(_) | Error::InvalidArgument(_)) => assert!(!is_whole),
        Err(other) => panic!("{other:?}"),
    }
    if let Ok(opened) = cache::open(config(), Options::default(), path, CONTEXT) {
        assert!(contents(&opened).iter().all(|pair| expected.contains(pair)));
        for (key, _) in expected {
            let got = opened.get(key).unwrap().map(|found| (key.clone(), found.entry.value().to_vec()));
            assert!(got.is_none_or(|pair| expected.contains(&pair)));
        }
    }
}

fuzz_target!(|data: &[u8]| {
    let sample = Sample::new();
    let path = sample.file_path("bundle");
    let values: Values = [(&b""[..], &b"of no key"[..]), (b"a", b""), (b"b", b"value"), (&[5; 4100], b"of a long key")]
        .map(|(key, value)| (key.to_vec(), value.to_vec()))
        .to_vec();
    let cache = dict();
    values.iter().for_each(|(key, value)| cache.set(key, value).unwrap().unwrap());
    cache::save(&cache, &path, CONTEXT).unwrap();
    let good = std::fs::read(&path).unwrap();
    let header = Header::decode(&good).unwrap();
    let mut input = Input::new(data);
    match input.below(4) {
        // Any bytes, also behind a good header.
        0 => {
            let kept = if input.flag() { HEADER } else { 0 };
            std::fs::write(&path, [&good[..kept], input.bytes(usize::MAX)].concat()).unwrap();
            check(&path, &values, false);
        }
        // Records that are valid where they are, and a footer that says anything.
        1 => {
            let description = Description::decode(&header, &good[HEADER..HEADER + header.order as usize]).unwrap();
            let mut bytes = [&header.encode()[..], &description.encode(&header)].concat();
            let (mut footer, mut expected) = (Footer::default(), Values::new());
            Extent::damaged(description.len()).for_each(|extent| footer.push(0, extent).unwrap());
            for _ in 0..input.below(6) {
                let (key, value) = (input.bytes(8), input.bytes(40));
                let offset = bytes.len() as u64;
                let record =
                    Record { key: RecordKey::of(key), content: Content::Value(value), cost: input.number() as f32 };
                record.encode(&header, offset, &mut bytes);
                footer.push(record.key.hash(), record.extent()).unwrap();
                expected.push((key.to_vec(), value.to_vec()));
            }
            if input.flag() {
                for _ in 0..input.below(8) {
                    footer.hashes.push(input.number());
                    footer.extents.push(input.number() as u16);
                }
            }
            let start = bytes.len() as u64;
            bytes.extend_from_slice(&footer.encode(&header, start).unwrap());
            std::fs::write(&path, &bytes).unwrap();
            check(&path, &expected, false);
        }
        // The good file with changes.
        _ => {
            let mut bytes = good.clone();
            input.change(&mut bytes);
            std::fs::write(&path, &bytes).unwrap();
            check(&path, &values, bytes == good);
        }
    }
});
