//! MICE caches under a limit: what is evicted first, and what is freed with the last child that holds it.
//!
//! A program of its own, with one test at a time: a thread of another test that is interrupted in a lookup keeps memory
//! from being freed meanwhile.

use std::sync::{Mutex, MutexGuard, PoisonError};

use phicache::cache::{MiceCache, OnFull, Options, Refusal};
use phicache::config::Config;
use phicache::iit::{Cut, Direction, Mice, NodeSet, Subsystem};
use phicache::key::Fingerprint;
use phicache::sync::TryArc;

/// Held by the test that runs.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn system() -> Subsystem {
    Subsystem::new(&Fingerprint([1; 32]), &[1, 0, 0], NodeSet(7), None, None).unwrap()
}

/// A child of a cache under a cut that damages nothing that is stored here.
fn child_of(parent: &TryArc<MiceCache>) -> TryArc<MiceCache> {
    let cut = system().under(Some(Cut::bipartition(3, NodeSet(1), NodeSet(6)).unwrap())).unwrap();
    MiceCache::mice(Config::new().unwrap(), Options::default(), &cut, Some(parent)).unwrap()
}

fn mice(mechanism: u64, purview: u64, phi: f64) -> Mice<'static> {
    let (mechanism, purview) = (NodeSet(mechanism), NodeSet(purview));
    Mice { direction: Direction::Effect, mechanism, purview, phi, payload: b"payload" }
}

/// A parent that evicts, with room for this many bytes.
fn evicting(max_bytes: u64) -> TryArc<MiceCache> {
    let options = Options { max_bytes: Some(max_bytes), on_full: OnFull::Evict, ..Options::default() };
    MiceCache::mice(Config::new().unwrap(), options, &system(), None).unwrap()
}

/// Stores effects of node 1 on 2 under this many keys.
fn fill(parent: &MiceCache, generation: &str, count: u32) {
    for key in 0..count {
        parent.set_mice(format!("{generation} {key}").as_bytes(), &mice(2, 4, 0.5)).unwrap().unwrap();
    }
}

fn found(cache: &MiceCache, generation: &str, count: u32) -> usize {
    (0..count).filter(|key| cache.get(format!("{generation} {key}").as_bytes()).is_some()).count()
}

#[test]
fn a_full_parent_evicts_what_was_cleared_first_the_oldest_before_the_rest() {
    const EACH: u32 = 1000;
    let _alone = alone();
    let parent = evicting(512 << 10);
    let children = ["first", "second"].map(|generation| {
        fill(&parent, generation, EACH);
        let child = child_of(&parent);
        assert_eq!(found(&child, generation, EACH), EACH as usize);
        parent.clear().unwrap();
        child
    });
    // Both still have theirs, which count.
    assert_eq!([found(&children[0], "first", EACH), found(&children[1], "second", EACH)], [EACH as usize; 2]);
    assert_eq!((children[0].size(), children[1].size()), (u64::from(EACH) * 2, u64::from(EACH)));
    let before = parent.stats();
    assert!(before.bytes > 200 << 10 && before.evictions == 0, "{before:?}");
    // A MICE that is larger than the cache evicts nothing.
    let large = Mice { payload: &[0; 600 << 10], ..mice(2, 4, 0.5) };
    assert_eq!(parent.set_mice(b"large", &large).unwrap(), Err(Refusal::Capacity));
    assert_eq!([found(&children[0], "first", EACH), found(&children[1], "second", EACH)], [EACH as usize; 2]);

    let stored = (0u32..).take_while(|key| {
        parent.set_mice(format!("third {key}").as_bytes(), &mice(2, 4, 0.5)).unwrap().unwrap();
        parent.stats().evictions == 0
    });
    let stored = stored.count() as u32 + 1;
    assert!(stored > EACH, "{stored}");
    assert_eq!(parent.stats().evictions, u64::from(EACH), "a cleared table goes as a whole");
    assert_eq!([found(&children[0], "first", EACH), found(&children[1], "second", EACH)], [0, EACH as usize]);
    assert_eq!(children[1].size(), u64::from(EACH + stored));
    assert_eq!(found(&parent, "third", stored), stored as usize);

    fill(&parent, "fourth", 2 * EACH);
    assert_eq!(found(&children[1], "second", EACH), 0);
    assert!(parent.stats().bytes <= 512 << 10);
    let left = found(&parent, "third", stored) + found(&parent, "fourth", 2 * EACH);
    assert!(left >= 3 * EACH as usize, "{left} of {}", stored + 2 * EACH);
}

#[test]
fn what_was_cleared_is_freed_with_the_last_child_that_holds_it() {
    let _alone = alone();
    let parent = evicting(1 << 20);
    let mut children = Vec::new();
    for generation in 0..4 {
        fill(&parent, &format!("{generation}"), 1000);
        children.push(child_of(&parent));
        parent.clear().unwrap();
    }
    let bytes = || parent.stats().bytes;
    let all = bytes();
    // A younger child reads only what was cleared later; the oldest holds everything.
    children.pop();
    children.remove(1);
    assert_eq!(bytes(), all);
    assert_eq!(found(&children[0], "1", 1000), 1000);
    children.remove(0);
    let (half, last) = (bytes(), found(&children[0], "2", 1000));
    assert!(half < all * 6 / 10 && last == 1000, "{half} of {all}");
    children.clear();
    assert!(bytes() < all / 50, "{} of {all}", bytes());
}
