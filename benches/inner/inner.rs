//! The inner parts alone, without the C face: hash, table, keys, the memory limit. Run `cargo bench` in this folder.
//!
//! `benches/peers` and `benches/instructions.cpp` measure what users see; look here to explain a change there.

use std::hint::black_box;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use phicache::epoch;
use phicache::iit::{Cut, Direction, NodeSet, Subsystem};
use phicache::key::{Element, Fingerprint, KeyBuilder, repertoire};
use phicache::memory::Bounds;
use phicache::memory::limit;
use phicache::table::{Draft, Hashed, Pinned, Table, Terms};

/// The real load: the sizes in recorded PyPhi runs.
const ENTRIES: u64 = 2_000;
const VALUE: [u8; 64] = [7; 64];

fn key(number: u64) -> [u8; 16] {
    let mut key = [0; 16];
    key[..8].copy_from_slice(&number.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes());
    key[8..].copy_from_slice(&number.to_le_bytes());
    key
}

fn insert(table: &Table, number: u64) {
    let key = key(number);
    let mut draft = Draft::new(&key, Some(table.memory(Bounds::NONE)));
    draft.write(&VALUE).expect("memory for a value");
    table.insert(draft.finish().expect("memory for an entry"), true, &Terms::NONE);
}

fn filled() -> Table {
    let table = Table::new();
    (0..ENTRIES).for_each(|number| insert(&table, number));
    table
}

/// All numbers below `ENTRIES`, in a fixed mixed order.
fn numbers() -> impl FnMut() -> u64 {
    let mut last = 0;
    move || {
        last = (last + 1_237) % ENTRIES;
        last
    }
}

fn hashes(criterion: &mut Criterion) {
    for len in [16, 40, 256] {
        let key = vec![7u8; len];
        criterion
            .bench_function(&format!("hash of {len} bytes"), |bench| bench.iter(|| Hashed::from(black_box(&key[..]))));
    }
}

fn tables(criterion: &mut Criterion) {
    let table = filled();
    let mut next = numbers();
    criterion.bench_function("table: hit, pinned and released", |bench| {
        bench.iter(|| {
            let key = key(next());
            epoch::read(|guard| {
                table.find(guard, &Hashed::from(&key[..])).map(|entry| Pinned::new(guard, entry).value()[0])
            })
        })
    });
    criterion.bench_function("table: hit, in place", |bench| {
        bench.iter(|| {
            let key = key(next());
            epoch::read(|guard| table.find(guard, &Hashed::from(&key[..])).map(|entry| entry.value()[0]))
        })
    });
    criterion.bench_function("table: miss", |bench| {
        bench.iter(|| {
            let key = key(ENTRIES + next());
            epoch::read(|guard| table.find(guard, &Hashed::from(&key[..])).is_none())
        })
    });
    criterion.bench_function("table: replace", |bench| bench.iter(|| insert(&table, next())));
    criterion.bench_function("table: 2,000 inserts from empty", |bench| {
        bench.iter_batched(
            Table::new,
            |table| {
                (0..ENTRIES).for_each(|number| insert(&table, number));
                table
            },
            BatchSize::SmallInput,
        )
    });
}

fn keys(criterion: &mut Criterion) {
    let mut buffer = [0; 128];
    let mut next = numbers();
    criterion.bench_function("key: repertoire", |bench| {
        bench.iter(|| repertoire(black_box(&mut buffer), Some("cause_repertoire"), 0, next(), 3))
    });
    let mut builder = KeyBuilder::new();
    criterion.bench_function("key: the same by a builder", |bench| {
        bench.iter(|| {
            builder.reset();
            let elements = [Element::Direction(0), Element::Nodes(next()), Element::Nodes(3)];
            elements.into_iter().try_for_each(|element| builder.add(element)).expect("three elements");
            builder.key_with_prefix(false, Some("cause_repertoire")).map(<[u8]>::len)
        })
    });
    let cut = Cut::bipartition(16, NodeSet(1 << 15), NodeSet(1 << 14)).expect("a cut of 16 nodes");
    let subsystem = Subsystem::new(&Fingerprint([1; 32]), &[0; 16], NodeSet(0xffff), None, Some(cut));
    let subsystem = subsystem.expect("a subsystem of 16 nodes");
    for (name, mechanism) in [("nothing severed", 0), ("one connection severed", 1 << 14)] {
        criterion.bench_function(&format!("key: cut-scoped, {name}"), |bench| {
            bench.iter(|| {
                let (mechanism, purview) = (NodeSet(next() | mechanism), NodeSet(1 << 15 | 1));
                subsystem.key(black_box(&mut buffer), Some("cause_repertoire"), Direction::Cause, mechanism, purview)
            })
        });
    }
}

fn memory(criterion: &mut Criterion) {
    phicache::memory::limit::prepare();
    phicache::table::prepare();
    criterion
        .bench_function("gauge: a store is admitted", |bench| bench.iter(|| limit::has_room(black_box(256), 100.0)));
    criterion
        .bench_function("gauge: a store is refused", |bench| bench.iter(|| limit::has_room(black_box(256), 0.0001)));
    criterion.bench_function("gauge: measured now", |bench| bench.iter(limit::usage));
}

criterion_group!(inner, hashes, tables, keys, memory);
criterion_main!(inner);
