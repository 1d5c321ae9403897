//! The lock of `src/epoch/biased.rs` under loom: its owner locks it by plain stores, until another thread comes.
//!
//! Each operation does what its counterpart in the library does, in the same order, with the same orderings. The last
//! test weakens the model, one operation at a time, and expects loom to notice. `miniature.rs` explains how the
//! asymmetric barrier is modelled.

use std::panic::catch_unwind;
use std::rc::Rc;

use loom::cell::UnsafeCell;
use loom::model::Builder;
use loom::sync::Mutex;
use loom::sync::atomic::Ordering::{self, AcqRel, Acquire, Relaxed, Release, SeqCst};
use loom::sync::atomic::{AtomicUsize, fence};
use loom::thread;

#[derive(Debug, Clone, Copy, PartialEq)]
enum Barrier {
    Membarrier,
    Fences,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Flaw {
    NoLightBarrier,
    NoHeavyBarrier,
    OwnerDoesNotLookAgain,
    OwnerLeavesRelaxed,
    OtherDoesNotWait,
    OtherWaitsRelaxed,
    OtherTrustsARevokedToken,
    OtherTakesOneThatStepsBackForVanished,
}
use Flaw::*;

const VALID: usize = 0;
const REVOKED: usize = 1;

/// A lock that thread 0 owns.
struct Model {
    barrier: Barrier,
    flaw: Option<Flaw>,
    is_shared: AtomicUsize,
    held: AtomicUsize,
    mutex: Mutex<()>,
    value: UnsafeCell<usize>,
    /// The owner's token; and whether all threads have passed a barrier since it was revoked.
    token: AtomicUsize,
    passed: AtomicUsize,
    /// The word that stands for the membarrier's effect on the owner.
    interrupts: AtomicUsize,
}

impl Model {
    fn new(barrier: Barrier, flaw: Option<Flaw>) -> Self {
        Model {
            barrier,
            flaw,
            is_shared: AtomicUsize::new(0),
            held: AtomicUsize::new(0),
            mutex: Mutex::new(()),
            value: UnsafeCell::new(0),
            token: AtomicUsize::new(VALID),
            passed: AtomicUsize::new(0),
            interrupts: AtomicUsize::new(0),
        }
    }

    /// The ordering of an operation, unless this flaw weakens it.
    fn order(&self, weakens: Flaw, ordering: Ordering) -> Ordering {
        if self.flaw == Some(weakens) { Relaxed } else { ordering }
    }

    fn light(&self) {
        match self.barrier {
            _ if self.flaw == Some(NoLightBarrier) => {}
            Barrier::Membarrier => _ = self.interrupts.fetch_add(1, AcqRel),
            Barrier::Fences => fence(SeqCst),
        }
    }

    fn heavy(&self) {
        match self.barrier {
            _ if self.flaw == Some(NoHeavyBarrier) => {}
            Barrier::Membarrier => {
                fence(SeqCst);
                self.interrupts.fetch_add(1, AcqRel);
            }
            Barrier::Fences => fence(SeqCst),
        }
    }

    fn add(&self) {
        // Loom reports two threads that are here at the same time, or one that does not see what the last one wrote.
        self.value.with_mut(|value| unsafe { *value += 1 });
    }

    fn enter(&self) -> bool {
        if self.is_shared.load(Relaxed) != 0 || self.token.load(Relaxed) != VALID {
            return false;
        }
        self.held.store(1, Relaxed);
        self.light();
        if self.flaw == Some(OwnerDoesNotLookAgain) || self.token.load(Relaxed) == VALID {
            return true;
        }
        self.held.store(0, Release);
        false
    }

    /// The owner locks, adds, and unlocks.
    fn add_as_owner(&self) {
        if !self.enter() {
            return self.add_by_mutex();
        }
        self.add();
        self.held.store(0, self.order(OwnerLeavesRelaxed, Release));
    }

    /// Any other thread locks, adds, and unlocks; also the owner, when its token is revoked.
    fn add_by_mutex(&self) {
        let _locked = self.mutex.lock().unwrap();
        if self.is_shared.load(Relaxed) == 0 {
            self.revoke();
            while self.flaw != Some(OtherDoesNotWait) && self.held.load(self.order(OtherWaitsRelaxed, Acquire)) != 0 {
                thread::yield_now();
            }
            if self.flaw == Some(OtherTakesOneThatStepsBackForVanished) && self.held.load(Relaxed) != 0 {
                self.value.with_mut(|value| unsafe { *value = 0 });
            }
            self.is_shared.store(1, Relaxed);
        }
        self.add();
    }

    fn revoke(&self) {
        let was_first = self.token.compare_exchange(VALID, REVOKED, AcqRel, Relaxed).is_ok();
        if self.flaw == Some(OtherTrustsARevokedToken) && !was_first {
            return;
        }
        if self.passed.load(Acquire) == 0 {
            self.heavy();
            self.passed.store(1, Release);
        }
    }
}

/// The owner uses its lock twice while another thread comes. A third thread has revoked its token for another lock.
fn handed_over(barrier: Barrier, flaw: Option<Flaw>) {
    let mut builder = Builder::new();
    builder.preemption_bound.get_or_insert(3);
    builder.check(move || {
        let model = Rc::new(Model::new(barrier, flaw));
        let spawn = |work: fn(&Model)| {
            let model = model.clone();
            thread::spawn(move || work(&model))
        };
        let threads = [spawn(Model::add_by_mutex), spawn(Model::revoke)];
        model.add_as_owner();
        model.add_as_owner();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        model.value.with(|value| assert_eq!(unsafe { *value }, 3));
    });
}

const BARRIERS: [Barrier; 2] = [Barrier::Membarrier, Barrier::Fences];

#[test]
fn one_thread_at_a_time_is_inside() {
    BARRIERS.into_iter().for_each(|barrier| handed_over(barrier, None));
}

#[test]
fn each_flaw_is_noticed() {
    let flaws = [
        NoLightBarrier,
        NoHeavyBarrier,
        OwnerDoesNotLookAgain,
        OwnerLeavesRelaxed,
        OtherDoesNotWait,
        OtherWaitsRelaxed,
        OtherTrustsARevokedToken,
        OtherTakesOneThatStepsBackForVanished,
    ];
    for flaw in flaws {
        for barrier in BARRIERS {
            let noticed = catch_unwind(|| handed_over(barrier, Some(flaw))).is_err();
            assert!(noticed, "{flaw:?} is not noticed, {barrier:?}");
        }
    }
}
