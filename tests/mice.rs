//! MICE caches: which records are refused, which a child inherits, and what a clear or free of the parent changes.

use std::sync::Arc;

use phicache::cache::{Cache, MiceCache, OnFull, Options, Origin, RedisCache, Refusal};
use phicache::config::Config;
use phicache::error::Error;
use phicache::iit::{Cut, Direction, Mice, NodeSet, Subsystem};
use phicache::key::Fingerprint;
use phicache::sync::TryArc;

fn config() -> Arc<Config> {
    Config::new().unwrap()
}

fn system() -> Subsystem {
    Subsystem::new(&Fingerprint([1; 32]), &[1, 0, 0], NodeSet(7), None, None).unwrap()
}

/// Severs 0 -> 1 and 0 -> 2.
fn cut() -> Subsystem {
    system().under(Some(Cut::bipartition(3, NodeSet(1), NodeSet(6)).unwrap())).unwrap()
}

fn cache(subsystem: &Subsystem, parent: Option<&TryArc<MiceCache>>) -> TryArc<MiceCache> {
    MiceCache::mice(config(), Options::default(), subsystem, parent).unwrap()
}

fn mice(mechanism: u64, purview: u64, phi: f64) -> Mice<'static> {
    Mice {
        direction: Direction::Effect,
        mechanism: NodeSet(mechanism),
        purview: NodeSet(purview),
        phi,
        payload: b"payload",
    }
}

fn phi(cache: &MiceCache, key: &[u8]) -> Option<f64> {
    cache.get(key).map(|value| Mice::read_checked(value.entry.value()).unwrap().phi)
}

/// The effects of node 1 on 2, which no cut here damages, and of node 0 on 1, which `cut` does.
fn filled() -> TryArc<MiceCache> {
    let parent = cache(&system(), None);
    parent.set_mice(b"kept", &mice(2, 4, 0.5)).unwrap().unwrap();
    parent.set_mice(b"damaged", &mice(1, 2, 0.25)).unwrap().unwrap();
    parent
}

#[test]
fn a_near_cache_evicts_at_both_limits_unless_it_is_told_to_refuse() {
    let config = config();
    let near = |on_full| {
        let cache =
            RedisCache::mice(config.clone(), Options { on_full, ..Options::default() }, &system(), None).unwrap();
        let full = cache.near().full();
        (full.evicts_at_capacity, full.evicts_at_limit)
    };
    // What it loses is still at the server.
    assert_eq!(near(OnFull::Configured), (true, true));
    assert_eq!(near(OnFull::Refuse), (false, false));
    config.set_on_full(OnFull::Refuse);
    assert_eq!((near(OnFull::Configured), near(OnFull::Evict)), ((false, false), (true, true)));
    let here = MiceCache::mice(config, Options::default(), &system(), None).unwrap();
    assert!(!here.full().evicts_at_capacity);
}

#[test]
fn a_record_whose_phi_is_not_a_number_is_damaged_even_if_its_checksum_is_right() {
    let record = |phi: f64| {
        let mice = mice(1, 2, phi);
        let mut record = vec![0; mice.record_len()];
        mice.write(&mut record);
        record
    };
    assert!(Mice::read_checked(&record(0.5)).is_ok());
    assert!(matches!(Mice::read_checked(&record(f64::NAN)), Err(Error::Damaged(_))));
}

#[test]
fn cut_then_phi_then_memory_refuse() {
    let config = config();
    config.set_maximum_memory(0.0).unwrap();
    let make = |subsystem: &Subsystem| MiceCache::mice(config.clone(), Options::default(), subsystem, None).unwrap();
    let (uncut, cut) = (make(&system()), make(&cut()));
    for phi in [0.0, -0.5] {
        assert_eq!(cut.set_mice(b"k", &mice(2, 4, phi)).unwrap(), Err(Refusal::Cut));
        assert_eq!(uncut.set_mice(b"k", &mice(2, 4, phi)).unwrap(), Err(Refusal::Phi));
        assert_eq!(uncut.would_store(phi), Err(Refusal::Phi));
    }
    assert_eq!(uncut.set_mice(b"k", &mice(2, 4, 0.5)).unwrap(), Err(Refusal::Memory));
    assert_eq!((cut.would_store(0.5), uncut.would_store(0.5)), (Err(Refusal::Cut), Err(Refusal::Memory)));
    config.set_maximum_memory(50.0).unwrap();
    assert_eq!(uncut.would_store(0.5), Ok(()));
    assert!(uncut.set_mice(b"k", &mice(2, 4, f64::NAN)).is_err());
    let stats = uncut.stats();
    assert_eq!((stats.refused[Refusal::Phi as usize], stats.refused[Refusal::Memory as usize]), (2, 1));
    // A cut that severs nothing is still a cut.
    let nothing = system().under(Some(Cut::from_masks(&[NodeSet(0); 3]).unwrap())).unwrap();
    assert_eq!(make(&nothing).would_store(0.5), Err(Refusal::Cut));
}

#[test]
fn only_records_are_values() {
    let cache = cache(&system(), None);
    assert!(cache.set(b"k", b"no record").is_err());
    assert!(Cache::from(cache.clone()).memoize(b"k", |draft| draft.write(b"no record")).is_err());
    assert_eq!(cache.size(), 0);
}

#[test]
fn a_child_inherits_what_its_cut_does_not_damage() {
    let parent = filled();
    let child = cache(&cut(), Some(&parent));
    let copy = cache(&system(), Some(&parent));
    assert_eq!((phi(&child, b"kept"), phi(&child, b"damaged"), phi(&child, b"none")), (Some(0.5), None, None));
    assert_eq!((phi(&copy, b"kept"), phi(&copy, b"damaged")), (Some(0.5), Some(0.25)));
    assert_eq!(child.get(b"kept").unwrap().origin, Origin::Parent);
    assert_eq!((child.size(), copy.size()), (1, 2));
    let info = child.info();
    assert_eq!((info.hits, info.misses), (2, 2));
    assert_eq!((parent.info().hits, parent.info().misses), (0, 0));
    assert_eq!(child.stats().bytes, 0);
}

#[test]
fn a_child_sees_what_the_parent_stores_later() {
    let parent = filled();
    let child = cache(&cut(), Some(&parent));
    assert_eq!(child.size(), 1);
    parent.set_mice(b"later", &mice(4, 2, 1.0)).unwrap().unwrap();
    assert_eq!((phi(&child, b"later"), child.size()), (Some(1.0), 2));
    parent.set_mice(b"kept", &mice(2, 4, 0.75)).unwrap().unwrap();
    assert_eq!((phi(&child, b"kept"), child.size()), (Some(0.75), 2));
    assert!(parent.remove(b"later"));
    assert_eq!((phi(&child, b"later"), child.size()), (None, 1));
}

#[test]
fn existing_children_keep_what_they_inherit_when_the_parent_is_cleared_or_freed() {
    let parent = filled();
    let child = cache(&cut(), Some(&parent));
    parent.clear().unwrap();
    assert_eq!((parent.size(), child.size(), phi(&child, b"kept")), (0, 1, Some(0.5)));
    assert_eq!(cache(&cut(), Some(&parent)).size(), 0);
    // Records stored after the clear are inherited too, and replace those from before the clear.
    parent.set_mice(b"kept", &mice(2, 4, 0.75)).unwrap().unwrap();
    parent.set_mice(b"new", &mice(4, 2, 1.0)).unwrap().unwrap();
    let younger = cache(&cut(), Some(&parent));
    assert_eq!((phi(&child, b"kept"), child.size(), younger.size()), (Some(0.75), 2, 2));
    parent.clear().unwrap();
    parent.clear().unwrap();
    assert_eq!((phi(&child, b"kept"), phi(&younger, b"kept")), (Some(0.75), Some(0.75)));
    assert_eq!((child.size(), younger.size()), (2, 2));
    drop(parent);
    assert_eq!((phi(&child, b"kept"), phi(&child, b"new"), child.size()), (Some(0.75), Some(1.0), 2));
}

#[test]
fn a_cleared_child_stays_detached() {
    let parent = filled();
    let child = cache(&cut(), Some(&parent));
    child.clear().unwrap();
    assert_eq!((phi(&child, b"kept"), child.size()), (None, 0));
    parent.set_mice(b"later", &mice(4, 2, 1.0)).unwrap().unwrap();
    assert_eq!((phi(&child, b"later"), child.size()), (None, 0));
}

#[test]
fn grandchildren_keep_what_the_farthest_ancestor_clears() {
    let grandparent = filled();
    let parent = cache(&system(), Some(&grandparent));
    let child = cache(&cut(), Some(&parent));
    grandparent.clear().unwrap();
    grandparent.set_mice(b"later", &mice(4, 2, 1.0)).unwrap().unwrap();
    let younger = cache(&cut(), Some(&cache(&system(), Some(&grandparent))));
    assert_eq!((phi(&parent, b"kept"), phi(&child, b"kept"), phi(&younger, b"kept")), (Some(0.5), Some(0.5), None));
    assert_eq!((parent.size(), child.size(), younger.size()), (3, 2, 1));
    drop((parent, grandparent));
    assert_eq!((phi(&child, b"kept"), phi(&child, b"later"), child.size()), (Some(0.5), Some(1.0), 2));
}

#[test]
fn grandchildren_inherit_through_uncut_copies() {
    let grandparent = filled();
    let parent = cache(&system(), Some(&grandparent));
    parent.set_mice(b"kept", &mice(2, 4, 0.75)).unwrap().unwrap();
    parent.set_mice(b"own", &mice(4, 2, 1.0)).unwrap().unwrap();
    let child = cache(&cut(), Some(&parent));
    assert_eq!((phi(&child, b"kept"), phi(&child, b"own"), phi(&child, b"damaged")), (Some(0.75), Some(1.0), None));
    assert_eq!((parent.size(), child.size()), (3, 2));
    grandparent.set_mice(b"far", &mice(4, 2, 0.1)).unwrap().unwrap();
    assert_eq!((phi(&child, b"far"), child.size()), (Some(0.1), 3));
    // Clearing the cache in the middle detaches it; its existing child keeps what it inherits.
    parent.clear().unwrap();
    assert_eq!((parent.size(), child.size(), phi(&child, b"own"), phi(&child, b"far")), (0, 3, Some(1.0), Some(0.1)));
    assert_eq!(cache(&cut(), Some(&parent)).size(), 0);
}

#[test]
fn a_record_damaged_under_the_cut_hides_the_record_of_the_grandparent() {
    let grandparent = filled();
    let parent = cache(&system(), Some(&grandparent));
    // The parent's entry of this key is damaged under the cut; the grandparent's would not be.
    parent.set_mice(b"kept", &mice(1, 2, 0.75)).unwrap().unwrap();
    let child = cache(&cut(), Some(&parent));
    assert_eq!((phi(&child, b"kept"), child.size()), (None, 0));
}

#[test]
fn parents_that_do_not_fit_are_refused() {
    let refused = |subsystem: &Subsystem, parent| {
        MiceCache::mice(config(), Options::default(), subsystem, Some(&parent)).err().unwrap().to_string()
    };
    assert!(refused(&cut(), cache(&cut(), None)).contains("is cut"));
    let other = Subsystem::new(&Fingerprint([2; 32]), &[1, 0, 0], NodeSet(7), None, None).unwrap();
    assert!(refused(&cut(), cache(&other, None)).contains("another system"));
    let other = Subsystem::new(&Fingerprint([1; 32]), &[1, 1, 0], NodeSet(7), None, None).unwrap();
    assert!(refused(&cut(), cache(&other, None)).contains("another system"));
    let mut chain = cache(&system(), None);
    for _ in 0..64 {
        chain = cache(&system(), Some(&chain));
    }
    assert!(refused(&cut(), chain).contains("64"));
}

#[test]
fn children_keep_what_they_inherit_while_the_parent_is_cleared_over_and_over() {
    let parent = filled();
    let children: Vec<_> = (0..4).map(|_| cache(&cut(), Some(&parent))).collect();
    let stop = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        for child in &children {
            scope.spawn(|| {
                while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                    assert!(phi(child, b"kept").is_some(), "an inherited entry vanished");
                    assert_eq!(child.size(), 1, "an inherited entry was not counted");
                }
            });
        }
        for round in 0..300 {
            parent.clear().unwrap();
            parent.set_mice(b"kept", &mice(2, 4, 1.0 + f64::from(round))).unwrap().unwrap();
        }
        parent.clear().unwrap();
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
    });
    assert!(children.iter().all(|child| child.size() == 1));
}

#[test]
fn memoized_mice_are_returned_even_if_they_are_not_stored() {
    let child = Cache::from(cache(&cut(), Some(&filled())));
    let record = |draft: &mut phicache::table::Draft| {
        let mice = mice(1, 2, 0.125);
        mice.write(draft.reserve(mice.record_len())?);
        Ok(())
    };
    assert_eq!(child.memoize(b"kept", record).unwrap().origin, Origin::Parent);
    let computed = child.memoize(b"damaged", record).unwrap();
    assert_eq!(computed.origin, Origin::NotStored(Some(Refusal::Cut)));
    assert_eq!(Mice::read_checked(computed.entry.value()).unwrap().phi, 0.125);
}
