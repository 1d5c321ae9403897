use super::super::arena::Chunk;
use super::super::draft::Draft;
use super::super::header::{IN_TABLE, TOUCHED, UNTOUCHED};
use super::*;
use crate::epoch::{self, eventually};
use crate::memory::Exceeded;

fn get(table: &Table, key: &[u8]) -> Option<Pinned> {
    epoch::read(|guard| table.find(guard, &key.into()).map(|entry| Pinned::new(guard, entry)))
}

const FULL: Inserted = Inserted::Refused(Short::Exceeded(Exceeded::Capacity));

fn terms(max_bytes: u64) -> Terms {
    Terms { bounds: Bounds { max_bytes, ..Bounds::NONE }, ..Terms::NONE }
}

fn owned_entry(key: &[u8], value: &[u8]) -> OwnedEntry {
    let mut draft = Draft::new(key, None);
    draft.write(value).unwrap();
    draft.finish().unwrap()
}

#[test]
fn a_count_of_pins_that_would_overflow_sticks_and_its_entry_stays() {
    let table = Table::new();
    table.insert(owned_entry(b"k", b"value"), true, &Terms::NONE);
    let counted = Pinned::counted(get(&table, b"k").unwrap().entry());
    let word = counted.saturate();
    let more: Vec<Pinned> = (0..1000).map(|_| counted.clone()).collect();
    assert!(counted.shares_word() - word <= 1, "a saturated count does not change");
    drop(more);
    let (seen, word) = (get(&table, b"k").unwrap(), counted.shares_word());
    drop(counted);
    assert_eq!(seen.shares_word(), word, "a saturated count does not fall either");
    drop(seen);
    table.remove(&b"k"[..].into(), &Bounds::NONE);
    crate::epoch::retire::flush();
    assert!(get(&table, b"k").is_none());
    table.insert(owned_entry(b"k", b"other"), true, &Terms::NONE);
    assert_eq!(get(&table, b"k").unwrap().value(), b"other");
}

#[test]
fn an_empty_or_cleared_table_holds_no_memory() {
    let table = Table::new();
    assert!(get(&table, b"k").is_none() && !table.remove(&b"k"[..].into(), &Bounds::NONE));
    table.clear();
    assert_eq!((table.len(), table.bytes()), (0, 0));
    for i in 0..1000u32 {
        table.insert(owned_entry(&i.to_le_bytes(), b"value"), true, &Terms::NONE);
    }
    assert_eq!(table.len(), 1000);
    assert!(table.bytes() > 1000 * 64);
    table.clear();
    assert_eq!(table.len(), 0);
    assert!(eventually(|| table.bytes() == 0));
}

#[test]
fn bytes_are_those_of_chunks_and_tables_and_a_pinned_entry_keeps_its_block() {
    let table = Table::new();
    let (pin, _) = table.insert(owned_entry(b"k", &[1; 100]), true, &Terms::NONE);
    let live = table.live_bytes();
    assert_eq!(live, pin.weight());
    let empty = table.bytes() - live;
    table.insert(owned_entry(b"k", &[2; 100]), true, &Terms::NONE);
    assert_eq!((pin.value(), table.live_bytes()), (&[1; 100][..], live));
    assert!(table.bytes() >= empty + 2 * live, "both entries take memory");
    drop(pin);
    let last = get(&table, b"k").unwrap();
    table.remove(&b"k"[..].into(), &Bounds::NONE);
    assert_eq!(table.live_bytes(), 0);
    assert!(table.bytes() >= empty);
    drop(table);
    assert_eq!(last.value(), [2; 100]);
}

#[test]
fn the_caller_that_inserts_an_entry_pins_it_by_a_slot_while_it_has_one() {
    let table = Table::new();
    let insert = |key: u64| table.insert(owned_entry(&key.to_le_bytes(), &[7; 100]), true, &Terms::NONE).0;
    // Values of a thread that has ended may still be in some slots of its successor.
    let first = (1000..1100).map(insert).find(|pin| pin.shares_word() == IN_TABLE).expect("a thread has slots");
    let pins: Vec<_> = (1..=200).map(insert).collect();
    assert_eq!(pins.last().unwrap().shares_word(), IN_TABLE | 1, "a thread has fewer slots");
    drop(table);
    flush();
    assert!(pins.iter().chain([&first]).all(|pin| pin.value() == [7; 100]));
}

#[test]
fn an_entry_that_is_not_to_be_replaced_stays() {
    let table = Table::new();
    table.insert(owned_entry(b"k", b"first"), true, &Terms::NONE);
    let (own, inserted) = table.insert(owned_entry(b"k", b"second"), false, &Terms::NONE);
    assert_eq!((own.value(), inserted), (&b"second"[..], Inserted::Kept));
    assert_eq!(get(&table, b"k").unwrap().value(), b"first");
}

#[test]
fn a_limit_is_never_exceeded_and_a_refused_overwrite_keeps_the_old_value() {
    let table = Table::new();
    let limit = 20_000;
    let mut refused = 0;
    for i in 0..1000u32 {
        let (_, inserted) = table.insert(owned_entry(&i.to_le_bytes(), &[0; 32]), true, &terms(limit));
        refused += u32::from(inserted == FULL);
        assert!(table.bytes() <= limit, "{} bytes", table.bytes());
    }
    assert!(refused > 0 && table.len() > 100);
    let (_, inserted) = table.insert(owned_entry(&0u32.to_le_bytes(), &[1; 30_000]), true, &terms(limit));
    assert_eq!(inserted, FULL);
    assert_eq!(get(&table, &0u32.to_le_bytes()).unwrap().value(), [0; 32]);
}

#[test]
fn a_limit_too_low_for_one_entry_is_never_exceeded() {
    let table = Table::new();
    for limit in 0..2000 {
        let (_, inserted) = table.insert(owned_entry(b"k", b"v"), true, &terms(limit));
        assert!(table.bytes() <= limit);
        if inserted == Inserted::New {
            return;
        }
        assert_eq!((inserted, table.len()), (FULL, 0));
    }
    panic!("nothing fits into 2000 bytes");
}

#[test]
fn split_off_moves_entries_and_keeps_the_account() {
    let table = Table::new();
    for i in 0..100u32 {
        table.insert(owned_entry(&i.to_le_bytes(), b"v"), true, &Terms::NONE);
    }
    let bytes = table.bytes();
    let taken = table.split_off();
    assert_eq!((table.len(), taken.len()), (0, 100));
    assert_eq!(table.bytes(), bytes);
    drop(taken);
    assert!(eventually(|| table.bytes() == 0));
}

#[test]
fn a_table_that_has_become_small_takes_as_little_as_one_that_always_was() {
    let key = |at: u32| at.to_le_bytes();
    let set = |table: &Table, at: u32| table.set(&Hashed::from(&key(at)[..]), b"value", &Terms::NONE);
    let remove = |table: &Table, at: u32| table.remove(&Hashed::from(&key(at)[..]), &Bounds::NONE);
    const MANY: u32 = 100_000;
    const FEW: u32 = 50;
    let (table, small) = (Table::new(), Table::new());
    (0..MANY).for_each(|at| _ = set(&table, at));
    (0..FEW).for_each(|at| _ = set(&small, at));
    (FEW..MANY).for_each(|at| assert!(remove(&table, at)));
    assert!((0..FEW).all(|at| get(&table, &key(at)).is_some()) && table.len() == u64::from(FEW));
    // Chunks are of the size that suited the larger table, and the last collection made holes that no removal has seen.
    let most = small.bytes() + 4 * (64 << 10);
    let is_small = || {
        set(&table, FEW);
        remove(&table, FEW) && table.bytes() <= most
    };
    assert!(eventually(is_small), "{} bytes in a table that had many entries, at most {most} expected", table.bytes());
    // It grows again.
    (0..MANY).for_each(|at| _ = set(&table, at));
    assert!((0..MANY).all(|at| get(&table, &key(at)).is_some()) && table.len() == u64::from(MANY));
}

/// Segments are buddies only if both are halves of one.
#[test]
fn a_segment_is_not_merged_with_a_part_of_its_other_half() {
    const FIRST_BIT: u32 = super::super::directory::SLOT;
    let is_low = |key: &u64| Hashed::from(&key.to_le_bytes()[..]).hash() >> FIRST_BIT & 1 == 0;
    let keys = |low: bool, count: usize| (0u64..).filter(move |key| is_low(key) == low).take(count);
    let table = Table::new();
    let insert = |key: u64| _ = table.insert(owned_entry(&key.to_le_bytes(), b"value"), true, &Terms::NONE);
    let remove = |key: u64| assert!(table.remove(&key.to_le_bytes()[..].into(), &Bounds::NONE));
    let has = |key: u64| get(&table, &key.to_le_bytes()).is_some();
    // One half is in several segments, each so small that one more would have room in it.
    keys(true, 3000).chain(keys(false, 16_000)).for_each(insert);
    keys(false, 16_000).skip(8000).for_each(remove);
    keys(true, 3000).skip(1000).for_each(remove);
    assert!(keys(true, 1000).chain(keys(false, 8000)).all(has));
    keys(true, 20_000).chain(keys(false, 20_000)).for_each(insert);
    assert!(keys(true, 20_000).chain(keys(false, 20_000)).all(has));
    keys(true, 20_000).chain(keys(false, 20_000)).for_each(|key| {
        remove(key);
        assert!(!has(key));
    });
    assert_eq!(table.len(), 0);
}

#[test]
fn what_a_thread_has_replaced_takes_little_of_a_small_table() {
    let table = Table::new();
    let set = || table.set(&Hashed::from(&b"key"[..]), &[1; 1000], &terms(1 << 20));
    // Without a collection, which would free all of it.
    let bytes = || table.arena.get().unwrap().account.bytes();
    let stays_small = || {
        (0..200).for_each(|_| assert!(matches!(set(), Inserted::New | Inserted::Replaced)));
        bytes() < 40 << 10
    };
    assert!(eventually(stays_small), "{} bytes for one entry of 1,000", bytes());
}

/// A table of entries of 100 bytes, and the arena of its entries.
fn filled(count: u32, bounds: Bounds) -> (Table, TryArc<Arena>) {
    let table = Table::new();
    for key in 0..count {
        table.insert(owned_entry(&key.to_le_bytes(), &[7; 100]), true, &Terms { bounds, ..Terms::NONE });
    }
    let arena = table.arena.get_arc().unwrap().clone();
    (table, arena)
}

/// The chunk of an entry.
fn chunk_of(pin: &Pinned) -> *mut Chunk {
    // SAFETY: the pin keeps the entry, which is in a chunk.
    unsafe { Chunk::of(pin.entry().header()) }
}

#[test]
fn an_entry_that_is_moved_out_of_a_sparse_chunk_keeps_its_mark() {
    let bounds = Bounds { max_bytes: 1 << 30, evicts_at_max: true, ..Bounds::NONE };
    let (table, _arena) = filled(8000, bounds);
    let state = |key: u32| {
        epoch::read(|guard| {
            let entry = table.find(guard, &key.to_le_bytes()[..].into()).unwrap();
            // SAFETY: the guard keeps the entry.
            (entry.header(), unsafe { (*entry.header().as_ptr()).access.load(Ordering::Relaxed) })
        })
    };
    let is_marked = |key: u32| key.is_multiple_of(20);
    let left = || (0..8000u32).filter(|key| key.is_multiple_of(10));
    epoch::read(|guard| {
        let marked = left().filter(|key| is_marked(*key));
        marked.for_each(|key| table.find(guard, &key.to_le_bytes()[..].into()).unwrap().touch());
    });
    let before: Vec<_> = left().map(|key| state(key).0).collect();
    for key in (0..8000u32).filter(|key| !key.is_multiple_of(10)) {
        assert!(table.remove(&key.to_le_bytes()[..].into(), &bounds));
    }
    let moved: Vec<u32> =
        left().zip(before).filter(|(key, before)| state(*key).0 != *before).map(|its| its.0).collect();
    assert!(moved.len() > 200, "{} were moved", moved.len());
    for key in moved {
        assert_eq!(state(key).1, if is_marked(key) { TOUCHED } else { UNTOUCHED }, "{key}");
    }
}

#[test]
fn a_chunk_that_only_pins_keep_is_marked_when_it_comes_back() {
    let (table, _arena) = filled(2000, Bounds::NONE);
    // Of one chunk, which is neither the first nor the last.
    let pins: Vec<Pinned> =
        [700u32, 701].map(|key| Pinned::counted(get(&table, &key.to_le_bytes()).unwrap().entry())).into();
    let [chunk, other] = [0, 1].map(|at: usize| chunk_of(&pins[at]));
    assert_eq!(chunk, other);
    for key in (0..2000u32).filter(|key| !key.is_multiple_of(50)) {
        table.remove(&key.to_le_bytes()[..].into(), &Bounds::NONE);
    }
    // SAFETY: pins keep the chunk.
    let is_kept = || unsafe { (*chunk).is_kept };
    // All other entries leave it with the next stores.
    assert!(eventually(|| {
        table.insert(owned_entry(b"k", &[8; 100]), true, &Terms::NONE);
        flush();
        is_kept()
    }));
}

#[test]
fn a_chunk_of_a_table_that_is_gone_is_trimmed_and_freed_with_its_last_pin() {
    let (table, arena) = filled(2000, Bounds::NONE);
    let pin = Pinned::counted(get(&table, &700u32.to_le_bytes()).unwrap().entry());
    let chunk = chunk_of(&pin);
    // Its chunks come back after it.
    epoch::read(|_| drop(table));
    assert!(eventually(|| {
        flush();
        // SAFETY: the pin keeps the chunk.
        unsafe { (*chunk).list.load(Ordering::Relaxed) == 0 && arena.account.bytes() < 128 << 10 }
    }));
    assert_eq!(arena.chunks.lock().bytes, 0, "it is not in the list of the arena");
    drop(pin);
    assert!(eventually(|| {
        flush();
        arena.account.bytes() == 0
    }));
}
