use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

use super::super::directory::BUCKETS;
use super::super::draft::Terms;
use super::super::hash::Hashed;
use super::*;
use crate::memory::Bounds;

/// Enough entries for several segments.
const MANY: u32 = 30_000;

fn set(table: &Table, key: u32, value: &[u8]) {
    table.set(&Hashed::from(&key.to_le_bytes()[..]), value, &Terms::NONE);
}

fn remove(table: &Table, key: u32) -> bool {
    table.remove(&Hashed::from(&key.to_le_bytes()[..]), &Bounds::NONE)
}

fn table_of(keys: impl IntoIterator<Item = u32>) -> Table {
    let table = Table::new();
    keys.into_iter().for_each(|key| set(&table, key, b"value"));
    table
}

/// Walks, and calls `meanwhile` after each entry with the number of entries so far and the key. Returns how often each
/// key was seen.
fn walk(table: &Table, mut meanwhile: impl FnMut(usize, u32)) -> HashMap<u32, u32> {
    let (mut seen, mut count) = (HashMap::new(), 0);
    let (mut walk, mut pinned) = (Walk::default(), Vec::new());
    loop {
        table.walk(&mut walk, &mut pinned).unwrap();
        if pinned.is_empty() {
            return seen;
        }
        for Walked { entry, .. } in pinned.drain(..) {
            let key = u32::from_le_bytes(entry.key().try_into().unwrap());
            *seen.entry(key).or_default() += 1;
            count += 1;
            meanwhile(count, key);
            assert!(!entry.value().is_empty(), "the entry is pinned");
        }
    }
}

fn assert_each_once(seen: &HashMap<u32, u32>, keys: impl IntoIterator<Item = u32>) {
    keys.into_iter().for_each(|key| assert_eq!(seen.get(&key), Some(&1), "key {key}"));
    assert_none_twice(seen);
}

fn assert_none_twice(seen: &HashMap<u32, u32>) {
    seen.iter().for_each(|(key, times)| assert_eq!(*times, 1, "key {key}"));
}

#[test]
fn a_home_bucket_is_an_interval_of_positions_in_every_shape() {
    let mask = |bits: u32| (1u64 << bits) - 1;
    let mut hash = 0x1234_5678_9ABC_DEF0u64;
    for _ in 0..1000 {
        hash = hash.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let at = position(hash);
        assert!(at < END);
        assert_eq!(position(hash_at(at)), at);
        for (buckets, depth) in (0..=HOME_BITS).map(|bits| (bits, 0)).chain((0..20).map(|depth| (HOME_BITS, depth))) {
            // The bits that choose bucket and segment are the highest of the position, and so fix an interval.
            let other = hash ^ !(mask(buckets) << HOME | mask(depth) << SLOT);
            let width = END >> (buckets + depth);
            assert_eq!(position(other) / width, at / width, "{buckets} bits, depth {depth}");
            if buckets > 0 {
                assert_ne!(position(hash ^ 1 << (HOME + buckets - 1)) / width, at / width);
            }
            if depth > 0 {
                assert_ne!(position(hash ^ 1 << (SLOT + depth - 1)) / width, at / width);
            }
        }
    }
    assert_eq!(BUCKETS, 1 << HOME_BITS);
}

#[test]
fn a_walk_of_a_table_at_rest_sees_each_entry_once() {
    for len in (0..100).chain([1000, 5119, 5120, 5121, MANY]) {
        let seen = walk(&table_of(0..len), |_, _| ());
        assert_eq!(seen.len(), len as usize);
        assert_each_once(&seen, 0..len);
    }
}

#[test]
fn entries_that_stay_are_seen_once_while_the_table_grows() {
    for len in [1, 3, 20, 1000, 6000] {
        let table = table_of(0..len);
        let mut next = len;
        let seen = walk(&table, |_, key| {
            if key < len && next < MANY {
                let more = (MANY / len).max(2);
                (0..more).for_each(|at| set(&table, next + at, b"new"));
                next += more;
            }
        });
        assert!(next >= MANY);
        assert_each_once(&seen, 0..len);
    }
}

#[test]
fn entries_that_are_removed_and_inserted_again_are_seen_at_most_once() {
    let table = table_of(0..6000);
    let seen = walk(&table, |_, key| {
        // Odd keys go and come back, before and after they are seen.
        for key in [key | 1, (key ^ 0x100) | 1, (key.wrapping_mul(31) % 6000) | 1] {
            remove(&table, key);
            set(&table, key, b"again");
        }
    });
    assert_each_once(&seen, (0..6000).step_by(2));
}

#[test]
fn entries_that_are_removed_before_the_walk_reaches_them_are_not_seen() {
    let table = table_of(0..6000);
    let mut removed = HashSet::new();
    let mut last = Vec::new();
    let seen = walk(&table, |count, key| {
        last.push(key);
        if count == 3000 {
            (0..6000).step_by(2).filter(|key| !last.contains(key)).for_each(|key| {
                assert!(remove(&table, key));
                removed.insert(key);
            });
        }
    });
    assert_each_once(&seen, (1..6000).step_by(2));
    // The entries of the bucket at that moment were pinned already.
    assert!(seen.keys().filter(|key| removed.contains(key)).count() < 30);
}

#[test]
fn entries_that_are_replaced_are_seen_once() {
    let table = table_of(0..6000);
    let seen = walk(&table, |_, key| (0..5).for_each(|at| set(&table, (key + at * 997) % 6000, b"replaced")));
    assert_each_once(&seen, 0..6000);
}

#[test]
fn a_walk_continues_after_a_clear_and_sees_no_key_again() {
    for len in [20, 6000, MANY] {
        for refill in [0, 20, len, MANY] {
            let table = table_of(0..len);
            let half = len as usize / 2;
            let mut walked = HashSet::new();
            let seen = walk(&table, |count, key| {
                walked.insert(key);
                if count == half {
                    table.clear();
                    (0..refill).for_each(|key| set(&table, key, b"refilled"));
                }
            });
            assert_none_twice(&seen);
            // All that the walk had not passed are there again, or were.
            if refill >= len {
                (0..len).for_each(|key| assert!(seen.contains_key(&key), "key {key} of {len}, refilled {refill}"));
            }
        }
    }
}

#[test]
fn a_walk_takes_what_a_removal_of_all_leaves() {
    let table = table_of(0..MANY);
    let seen = walk(&table, |count, key| {
        assert!(remove(&table, key) || count > 1);
        if count == 1 {
            (0..MANY).filter(|key| key % 100 != 0).for_each(|key| assert!(remove(&table, key) || key > 0));
        }
    });
    assert!(seen.len() >= MANY as usize / 100 && seen.len() < MANY as usize / 100 + 30);
    assert_each_once(&seen, (0..MANY).step_by(100));
    assert!(table.is_empty());
}

#[test]
fn entries_that_stay_are_seen_once_while_threads_change_others() {
    const STABLE: u32 = 2000;
    let (table, done) = (table_of(0..STABLE), AtomicBool::new(false));
    std::thread::scope(|scope| {
        for thread in 1..=3u32 {
            let (table, done) = (&table, &done);
            scope.spawn(move || {
                let first = STABLE + thread * MANY;
                let mut at = 0;
                while !done.load(SeqCst) {
                    // Grows to several segments; then the oldest go, and all come back.
                    set(table, first + at % MANY, b"new");
                    if at >= MANY / 2 {
                        remove(table, first + (at - MANY / 2) % MANY);
                    }
                    set(table, at % STABLE, b"replaced");
                    at += 1;
                }
            });
        }
        let round = || walk(&table, |_, _| ());
        let walked: Vec<_> = (0..20).map(|_| round()).collect();
        done.store(true, SeqCst);
        walked.iter().for_each(|seen| assert_each_once(seen, 0..STABLE));
    });
}

#[test]
fn a_walk_tells_costs() {
    let table = Table::new();
    for key in 0..100u32 {
        let terms = Terms { cost: u64::from(key) * 1000, ..Terms::NONE };
        table.set(&Hashed::from(&key.to_le_bytes()[..]), b"value", &terms);
    }
    let (mut walk, mut walked, mut total) = (Walk::default(), Vec::new(), 0);
    loop {
        table.walk(&mut walk, &mut walked).unwrap();
        if walked.is_empty() {
            break;
        }
        for Walked { entry, cost } in walked.drain(..) {
            assert_eq!(cost, u64::from(u32::from_le_bytes(entry.key().try_into().unwrap())) * 1000);
            total += 1;
        }
    }
    assert_eq!(total, 100);
}
