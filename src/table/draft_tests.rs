use super::super::header::HEADER;
use super::super::table::Table;
use super::*;

#[test]
fn the_header_takes_24_bytes_and_values_are_aligned() {
    assert_eq!(HEADER, 24);
    for key_len in 0..40 {
        let key = vec![7u8; key_len];
        let mut draft = Draft::new(&key, None);
        draft.reserve(24).unwrap().fill(9);
        let entry = draft.finish().unwrap().into_pinned();
        assert_eq!(entry.value().as_ptr() as usize % 16, 0);
        assert_eq!((entry.key(), entry.value()), (&key[..], &[9u8; 24][..]));
    }
}

#[test]
fn a_draft_starts_over_truncates_and_may_stay_empty() {
    assert!(Draft::new(b"k", None).finish().unwrap().value().is_empty());
    let mut draft = Draft::new(b"k", None);
    draft.reserve(4).unwrap().copy_from_slice(b"abcd");
    assert_eq!(draft.reserve(100_000).unwrap()[..4], [0; 4]);
    draft.reserve(6).unwrap().copy_from_slice(b"abcdef");
    draft.truncate(3).unwrap();
    assert!(draft.truncate(4).is_err());
    let entry = draft.finish().unwrap().into_pinned();
    assert_eq!(entry.value(), b"abc");
    assert_eq!(entry.weight(), weight(1, 3));
}

#[test]
fn impossible_lengths_are_an_error() {
    assert!(matches!(Draft::new(b"k", None).reserve(usize::MAX), Err(Error::OutOfMemory(_))));
    assert!(matches!(Draft::new(b"k", None).reserve(isize::MAX as usize - 8), Err(Error::OutOfMemory(_))));
}

#[test]
fn a_value_outside_tables_is_truncated_in_place_unless_that_wastes_much() {
    for (kept, stays) in [(80, true), (50, true), (49, false), (0, false)] {
        let mut draft = Draft::new(b"key", None);
        draft.reserve(100).unwrap().fill(7);
        let place = draft.value().as_ptr();
        draft.truncate(kept).unwrap();
        let entry = draft.finish().unwrap().into_pinned();
        assert_eq!((entry.key(), entry.value()), (&b"key"[..], &[7; 100][..kept]));
        assert_eq!(entry.value().as_ptr() == place, stays);
    }
}

#[test]
fn a_value_begun_for_a_table_is_not_truncated_in_place() {
    // The case: a lease whose thread has ended is completed for its caller only.
    let table = Table::new();
    let mut draft = Draft::new(b"key", Some(table.memory(Bounds::NONE)));
    // After an in-place truncation these bytes would be read as a header with the table's flag.
    draft.reserve(400).unwrap().fill(0xFF);
    let place = draft.value().as_ptr();
    draft.truncate(300).unwrap();
    let entry = Draft::resume(b"key", None, draft.pause()).finish().unwrap().into_pinned();
    assert_eq!((entry.key(), entry.value()), (&b"key"[..], &[0xFF; 300][..]));
    assert_ne!(entry.value().as_ptr(), place, "a chunk is walked block by block, so its blocks keep their lengths");
    table.set(&b"other"[..].into(), b"value", &Terms::NONE);
    table.clear();
    assert!(crate::epoch::eventually(|| table.bytes() == 0));
    assert_eq!(entry.value(), [0xFF; 300]);
}

#[test]
fn a_large_value_knows_its_length() {
    for len in [1 << 16, (1 << 20) + 7, 5 << 20] {
        let mut draft = Draft::new(b"key", None);
        draft.reserve(len).unwrap()[len - 1] = 7;
        let entry = draft.finish().unwrap().into_pinned();
        assert_eq!((entry.value().len(), entry.value()[len - 1]), (len, 7));
    }
}
