//! Epochs, hazard pointers and share counts under loom, a model checker with weak memory: a load may be stale, as on
//! aarch64.
//!
//! `tests/shuttle.rs` runs the library itself, but sequentially consistent. Here loom runs a [`Miniature`] of it with
//! the library's orderings, in all orders of threads with up to three preemptions. An ordering that changes in
//! `src/epoch` or `src/table` changes here too.
//!
//!     cargo test --release --manifest-path tests/loom/Cargo.toml
//!
//! LOOM_MAX_PREEMPTIONS sets another bound; 5 takes a minute.
//!
//! The last test shows that the models can fail: it weakens the miniature, one operation at a time, and expects loom to
//! notice.
//!
//! Loom never tries a Relaxed load that returns what is stored only later. It need not: no reader has a Relaxed load,
//! and each store that ends a read (of an epoch, a slot, a count) is a Release, which no earlier load passes.

mod miniature;

use std::panic::catch_unwind;
use std::rc::Rc;

use loom::model::Builder;
use loom::thread::{self, JoinHandle};

use miniature::Flaw::{self, *};
use miniature::{Barrier, Miniature, RetireList, promise};

type Model = fn(&Rc<Miniature>);

const BARRIERS: [Barrier; 2] = [Barrier::Membarrier, Barrier::Fences];

fn check(model: Model, barrier: Barrier, flaw: Option<Flaw>) {
    let mut builder = Builder::new();
    builder.preemption_bound.get_or_insert(3);
    builder.check(move || model(&Rc::new(Miniature::new(barrier, flaw))));
}

/// Loom's threads are coroutines of one thread, which may share an [`Rc`].
fn spawn(world: &Rc<Miniature>, work: impl FnOnce(&Miniature) + 'static) -> JoinHandle<()> {
    let world = world.clone();
    thread::spawn(move || work(&world))
}

/// A thread that is not registered yet reads in two sections, one after the other.
fn sections(world: &Rc<Miniature>) {
    let mut retired = RetireList::default();
    world.insert(0, 10);
    let reading = spawn(world, |world| {
        world.list(0);
        for _ in 0..2 {
            world.begin(0);
            let entry = world.find().unwrap();
            promise(world.read(entry) == world.read(entry), "what a section finds stays");
            world.end(0);
        }
    });
    world.replace(0, 1, 11, &mut retired);
    world.collect(&mut retired);
    world.collect(&mut retired);
    if retired.is_empty() {
        world.replace(1, 0, 12, &mut retired);
    }
    reading.join().unwrap();
    world.close(retired);
}

/// A pin takes over from the section in which it was made.
fn pins(world: &Rc<Miniature>) {
    let mut retired = RetireList::default();
    world.insert(0, 10);
    world.list(0);
    let reading = spawn(world, |world| {
        world.begin(0);
        let entry = world.find().unwrap();
        let (value, pin) = (world.read(entry), world.pin(0, entry));
        world.end(0);
        promise(world.read(entry) == value, "what is pinned stays");
        world.unpin(pin);
    });
    world.replace(0, 1, 11, &mut retired);
    world.collect(&mut retired);
    world.collect(&mut retired);
    reading.join().unwrap();
    world.close(retired);
}

/// Another thread releases a pin, and the slot's owner reuses the slot, perhaps before any thread saw it empty.
fn slots(world: &Rc<Miniature>) {
    let mut retired = RetireList::default();
    world.insert(0, 10);
    world.list(0);
    let pin = world.pin(0, 0);
    world.replace(0, 1, 11, &mut retired);
    let releasing = spawn(world, move |world| {
        promise(world.read(0) == 10, "what is pinned stays");
        world.unpin(pin);
    });
    let reading = spawn(world, |world| {
        world.begin(0);
        let entry = world.find().unwrap();
        let pin = world.pin(0, entry);
        world.end(0);
        promise(world.read(entry) == 11, "what is pinned stays");
        world.unpin(pin);
    });
    world.collect(&mut retired);
    releasing.join().unwrap();
    reading.join().unwrap();
    world.close(retired);
}

/// Two threads release pins of either kind, and the retire list gives up its share: the last of them frees.
fn shares(world: &Rc<Miniature>) {
    let mut retired = RetireList::default();
    world.insert(0, 10);
    world.list(0);
    let releasing = [world.pin(0, 0), world.pin_counted(0)].map(|pin| {
        spawn(world, move |world| {
            promise(world.read(0) == 10, "what is pinned stays");
            world.unpin(pin);
        })
    });
    world.replace(0, 1, 11, &mut retired);
    world.collect(&mut retired);
    releasing.into_iter().for_each(|thread| thread.join().unwrap());
    world.close(retired);
}

/// Entries are inserted and removed, the second one perhaps in the block of the first.
fn entries(world: &Rc<Miniature>) {
    let mut retired = RetireList::default();
    world.list(0);
    let reading = spawn(world, |world| {
        for _ in 0..2 {
            world.begin(0);
            if let Some(entry) = world.find() {
                promise(matches!(world.read(entry), 10 | 11), "what is found was written");
            }
            world.end(0);
        }
    });
    world.insert(1, 10);
    world.remove(1, &mut retired);
    world.collect(&mut retired);
    world.insert(if retired.is_empty() { 1 } else { 0 }, 11);
    reading.join().unwrap();
    world.close(retired);
}

/// A thread makes a change and ends while another forks.
fn forks(world: &Rc<Miniature>) {
    let changing = spawn(world, |world| {
        world.list(0);
        world.change(0);
        world.leave(0);
    });
    world.fork();
    changing.join().unwrap();
}

/// A thread registers while readers are told to fence.
fn fences(world: &Rc<Miniature>) {
    let coming = spawn(world, |world| world.claim(0));
    world.revoke();
    coming.join().unwrap();
    promise(!world.is_fence_free(0), "every reader is told to fence");
}

/// A test for each model, under either barrier.
macro_rules! shows {
    ($($name:ident: $model:ident)*) => {
        $(#[test]
        fn $name() {
            BARRIERS.into_iter().for_each(|barrier| check($model, barrier, None));
        })*
    };
}

shows! {
    what_a_section_finds_is_not_freed_before_it_ends: sections
    what_is_pinned_in_a_section_stays_beyond_it: pins
    a_slot_that_another_thread_has_emptied_may_be_used_again: slots
    the_last_of_all_shares_frees_an_entry_after_all_reads: shares
    an_entry_that_is_found_was_written: entries
    a_fork_copies_no_half_of_a_change: forks
    every_reader_is_told_to_fence: fences
}

/// Flaws, each with a model that notices it.
const FLAWS: [(Flaw, Model); 29] = [
    (NoLightBarrier, sections),
    (NoHeavyBarrier, sections),
    (BeginLoadsTheEpochRelaxed, sections),
    (BeginStoresItsEpochRelaxed, sections),
    (EndStoresItsEpochRelaxed, sections),
    (CollectAddsToTheEpochRelaxed, sections),
    (CollectLoadsSectionsRelaxed, sections),
    (CollectIgnoresSections, sections),
    (CollectIgnoresStamps, sections),
    (EndStoresItsEpochRelaxed, pins),
    (CollectLoadsPinsBeforeSections, pins),
    (CollectIgnoresPins, pins),
    (UnpinStoresItsSlotRelaxed, pins),
    (PinLoadsItsSlotRelaxed, slots),
    (PinStoresItsSlotRelaxed, slots),
    (CollectLoadsPinsRelaxed, shares),
    (GiveUpRelaxed, shares),
    (GiveUpWithoutAcquire, shares),
    (FindLoadsTheTagRelaxed, entries),
    (FindLoadsTheWordRelaxed, sections),
    (InsertStoresTheTagRelaxed, entries),
    (InsertStoresTheTagFirst, entries),
    (InsertStoresTheWordRelaxed, sections),
    (NoLightBarrier, forks),
    (ChangeEndsRelaxed, forks),
    (LeaveEndsChangesRelaxed, forks),
    (ForkLoadsChangesRelaxed, forks),
    (ClaimWithoutFence, fences),
    (RevokeWithoutFence, fences),
];

#[test]
fn each_flaw_is_noticed() {
    for (flaw, model) in FLAWS {
        for barrier in BARRIERS {
            let failure = catch_unwind(|| check(model, barrier, Some(flaw))).err();
            let reason = failure.map(|failure| *failure.downcast::<String>().unwrap());
            // The only one that does not matter under both: the fence of a reader acquires what it loaded before.
            if (flaw, barrier) == (BeginLoadsTheEpochRelaxed, Barrier::Fences) {
                assert_eq!(reason, None);
                continue;
            }
            let reason = reason.unwrap_or_else(|| panic!("{flaw:?} is not noticed, {barrier:?}"));
            let is_noticed = reason.starts_with("Causality violation") || reason.starts_with("broken promise");
            assert!(is_noticed, "{flaw:?}, {barrier:?}: {reason}");
        }
    }
}
