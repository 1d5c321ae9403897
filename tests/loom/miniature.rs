//! A miniature of the protocol of `src/epoch` and `src/table`: a table with one slot, two blocks, two participants, and
//! a retire list.
//!
//! Each operation does what its counterpart in the library does, in the same order, with the same orderings; a [`Flaw`]
//! weakens one. Freeing a block empties it, so that a later read or a second free breaks a promise. Loom itself reports
//! a read that does not happen before its block is freed or reused.
//!
//! Loom's fences order more than the language promises. So there is a model without fences of readers
//! ([`Barrier::Membarrier`]), and `give_up` does without one.

use loom::cell::Cell;
use loom::sync::atomic::Ordering::{self, AcqRel, Acquire, Relaxed, Release, SeqCst};
use loom::sync::atomic::{AtomicUsize, fence};

/// The two implementations of the asymmetric barrier between readers and the thread that frees.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Barrier {
    /// The heavy barrier makes each thread execute a full fence, wherever it is; the light one only keeps the compiler
    /// from reordering.
    ///
    /// Here both sides write to a word of the reader instead: the second to come sees all that the other did before.
    /// The system call guarantees this between any two instructions of the reader, so also at this place.
    Membarrier,
    /// Both execute a fence, where the system forbids membarrier.
    Fences,
}

/// What a test weakens.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Flaw {
    NoLightBarrier,
    NoHeavyBarrier,
    BeginLoadsTheEpochRelaxed,
    BeginStoresItsEpochRelaxed,
    EndStoresItsEpochRelaxed,
    CollectAddsToTheEpochRelaxed,
    CollectLoadsSectionsRelaxed,
    CollectIgnoresSections,
    CollectIgnoresStamps,
    CollectLoadsPinsBeforeSections,
    CollectLoadsPinsRelaxed,
    CollectIgnoresPins,
    PinLoadsItsSlotRelaxed,
    PinStoresItsSlotRelaxed,
    UnpinStoresItsSlotRelaxed,
    GiveUpRelaxed,
    GiveUpWithoutAcquire,
    FindLoadsTheTagRelaxed,
    FindLoadsTheWordRelaxed,
    InsertStoresTheTagRelaxed,
    InsertStoresTheTagFirst,
    InsertStoresTheWordRelaxed,
    ChangeEndsRelaxed,
    LeaveEndsChangesRelaxed,
    ForkLoadsChangesRelaxed,
    ClaimWithoutFence,
    RevokeWithoutFence,
}
use Flaw::*;

/// The state that one thread publishes to the others.
#[derive(Default)]
struct Participant {
    listed: AtomicUsize,
    epoch: AtomicUsize,
    slot: AtomicUsize,
    changing: AtomicUsize,
    fence_free: AtomicUsize,
    /// The word that stands for the membarrier's effect on this thread.
    interrupts: AtomicUsize,
}

/// The memory of an entry: its value, or None while it is free.
#[derive(Default)]
struct Block {
    value: Cell<Option<u32>>,
    shares: AtomicUsize,
}

/// The table has the entry: a share that is not counted.
const IN_TABLE: usize = 1 << 16;

pub struct Miniature {
    barrier: Barrier,
    flaw: Option<Flaw>,
    /// Grows with each collection; never 0.
    epoch: AtomicUsize,
    participants: [Participant; 2],
    /// 1 while the table's slot has an entry.
    tag: AtomicUsize,
    /// The table's slot: which block.
    word: AtomicUsize,
    blocks: [Block; 2],
    forking: AtomicUsize,
    /// A change writes both words, one after the other; a fork copies them.
    copied: Cell<u32>,
    /// 1 once the system forbids membarrier.
    fences: AtomicUsize,
    turns: AtomicUsize,
}

/// Keeps an entry alive after its section.
#[derive(Clone, Copy)]
pub enum Pin {
    /// A hazard pointer: the participant whose slot names the entry.
    InSlot(usize),
    /// A share in this entry.
    Counted(usize),
}

/// Entries that left the table and are not freed yet.
#[derive(Default)]
pub struct RetireList {
    recent: Vec<usize>,
    waiting: Vec<usize>,
    stamp: usize,
}

impl RetireList {
    pub fn is_empty(&self) -> bool {
        self.recent.is_empty() && self.waiting.is_empty()
    }
}

#[track_caller]
pub fn promise(kept: bool, what: &str) {
    assert!(kept, "broken promise: {what}");
}

impl Miniature {
    pub fn new(barrier: Barrier, flaw: Option<Flaw>) -> Self {
        Miniature {
            barrier,
            flaw,
            epoch: AtomicUsize::new(1),
            participants: Default::default(),
            tag: AtomicUsize::new(0),
            word: AtomicUsize::new(0),
            blocks: Default::default(),
            forking: AtomicUsize::new(0),
            copied: Cell::new(0),
            fences: AtomicUsize::new(0),
            turns: AtomicUsize::new(0),
        }
    }

    fn has(&self, flaw: Flaw) -> bool {
        self.flaw == Some(flaw)
    }

    /// The library's ordering, unless the test weakens it.
    fn unless(&self, flaw: Flaw, ordering: Ordering) -> Ordering {
        if self.has(flaw) { Relaxed } else { ordering }
    }

    /// Loom tries another order of two threads only where both use one object. A fence uses none by itself.
    fn fence(&self) {
        self.turns.fetch_add(1, Relaxed);
        fence(SeqCst);
    }

    fn light(&self, own: usize) {
        match self.barrier {
            _ if self.has(NoLightBarrier) => {}
            Barrier::Membarrier => _ = self.participants[own].interrupts.fetch_add(1, AcqRel),
            Barrier::Fences => self.fence(),
        }
    }

    fn heavy(&self) {
        if self.has(NoHeavyBarrier) {
            return;
        }
        self.fence();
        if self.barrier == Barrier::Membarrier {
            // All threads of the process, also those that are not listed yet.
            self.participants.iter().for_each(|other| _ = other.interrupts.fetch_add(1, AcqRel));
        }
    }

    /// Adds a participant to the list that other threads read.
    pub fn list(&self, own: usize) {
        self.participants[own].listed.store(1, Release);
    }

    fn listed(&self) -> impl Iterator<Item = &Participant> {
        self.participants.iter().filter(|other| other.listed.load(Acquire) != 0)
    }
}

/// Readers.
impl Miniature {
    pub fn begin(&self, own: usize) {
        let now = self.epoch.load(self.unless(BeginLoadsTheEpochRelaxed, Acquire));
        self.participants[own].epoch.store(now, self.unless(BeginStoresItsEpochRelaxed, Release));
        self.light(own);
    }

    pub fn end(&self, own: usize) {
        self.participants[own].epoch.store(0, self.unless(EndStoresItsEpochRelaxed, Release));
    }

    pub fn find(&self) -> Option<usize> {
        if self.tag.load(self.unless(FindLoadsTheTagRelaxed, Acquire)) == 0 {
            return None;
        }
        Some(self.word.load(self.unless(FindLoadsTheWordRelaxed, Acquire)))
    }

    pub fn read(&self, entry: usize) -> u32 {
        let value = self.blocks[entry].value.get();
        promise(value.is_some(), "what is read was written and is not freed");
        value.unwrap()
    }

    /// By the slot if it is empty, else by a share.
    pub fn pin(&self, own: usize, entry: usize) -> Pin {
        let slot = &self.participants[own].slot;
        if slot.load(self.unless(PinLoadsItsSlotRelaxed, Acquire)) != 0 {
            return self.pin_counted(entry);
        }
        slot.store(entry + 1, self.unless(PinStoresItsSlotRelaxed, Release));
        Pin::InSlot(own)
    }

    /// Requires that a section or another pin keeps the entry alive.
    pub fn pin_counted(&self, entry: usize) -> Pin {
        self.blocks[entry].shares.fetch_add(1, Relaxed);
        Pin::Counted(entry)
    }

    /// Any thread may do this.
    pub fn unpin(&self, pin: Pin) {
        match pin {
            Pin::InSlot(of) => self.participants[of].slot.store(0, self.unless(UnpinStoresItsSlotRelaxed, Release)),
            Pin::Counted(entry) => self.give_up(entry),
        }
    }

    /// Gives up a share; the last one frees the entry.
    fn give_up(&self, entry: usize) {
        let block = &self.blocks[entry];
        if block.shares.fetch_sub(1, self.unless(GiveUpRelaxed, Release)) != 1 {
            return;
        }
        if !self.has(GiveUpWithoutAcquire) {
            // A fence in the library. Loom's fence would also acquire what other threads have loaded, and hide flaws
            // there.
            block.shares.load(Acquire);
        }
        promise(block.value.take().is_some(), "an entry is freed once");
    }
}

/// The writer, who also frees.
impl Miniature {
    pub fn insert(&self, entry: usize, value: u32) {
        self.write(entry, value);
        if self.has(InsertStoresTheTagFirst) {
            self.tag.store(1, Release);
        }
        self.set_word(entry);
        self.tag.store(1, self.unless(InsertStoresTheTagRelaxed, Release));
    }

    pub fn replace(&self, old: usize, entry: usize, value: u32, retired: &mut RetireList) {
        self.write(entry, value);
        self.set_word(entry);
        self.retire(old, retired);
    }

    pub fn remove(&self, old: usize, retired: &mut RetireList) {
        self.tag.store(0, Release);
        self.retire(old, retired);
    }

    fn write(&self, entry: usize, value: u32) {
        let block = &self.blocks[entry];
        promise(block.value.replace(Some(value)).is_none(), "a block is freed before it is used again");
        block.shares.store(IN_TABLE, Relaxed);
    }

    fn set_word(&self, entry: usize) {
        self.word.store(entry, self.unless(InsertStoresTheWordRelaxed, Release));
    }

    /// The table's share becomes a counted one, the retire list's.
    fn retire(&self, entry: usize, retired: &mut RetireList) {
        self.blocks[entry].shares.fetch_sub(IN_TABLE - 1, Relaxed);
        retired.recent.push(entry);
    }

    /// Frees the entries that no section can reach and no slot names.
    pub fn collect(&self, retired: &mut RetireList) {
        let RetireList { recent, waiting, stamp } = std::mem::take(retired);
        let now = self.epoch.fetch_add(1, self.unless(CollectAddsToTheEpochRelaxed, AcqRel)) + 1;
        self.heavy();
        let too_early = self.has(CollectLoadsPinsBeforeSections).then(|| self.pins());
        let oldest = self.oldest_section();
        let stamps = if self.has(CollectIgnoresStamps) { [0, 0] } else { [stamp, now] };
        let (mut ready, mut left) = (Vec::new(), Vec::new());
        for (list, since) in [waiting, recent].into_iter().zip(stamps) {
            if since <= oldest { &mut ready } else { &mut left }.extend(list);
        }
        if !ready.is_empty() {
            let pins = too_early.unwrap_or_else(|| self.pins());
            for entry in ready {
                match pins.contains(&(entry + 1)) && !self.has(CollectIgnoresPins) {
                    true => left.push(entry),
                    false => self.give_up(entry),
                }
            }
        }
        *retired = RetireList { recent: Vec::new(), waiting: left, stamp: now };
    }

    fn oldest_section(&self) -> usize {
        let ordering = self.unless(CollectLoadsSectionsRelaxed, Acquire);
        let sections = self.listed().map(|other| other.epoch.load(ordering));
        let open = sections.filter(|epoch| *epoch != 0 && !self.has(CollectIgnoresSections));
        open.min().unwrap_or(usize::MAX)
    }

    fn pins(&self) -> Vec<usize> {
        let ordering = self.unless(CollectLoadsPinsRelaxed, Acquire);
        self.listed().map(|other| other.slot.load(ordering)).collect()
    }

    /// Called when all other threads have ended: retired entries are freed, and the table's are not.
    pub fn close(&self, mut retired: RetireList) {
        self.collect(&mut retired);
        promise(retired.is_empty(), "what nobody can see is freed");
        let kept = (self.tag.load(Acquire) != 0).then(|| self.word.load(Acquire));
        for (at, block) in self.blocks.iter().enumerate() {
            promise(block.value.get().is_some() == (kept == Some(at)), "nothing leaks, and the table's entry stays");
        }
    }
}

/// Changes that a fork must not interrupt.
impl Miniature {
    pub fn change(&self, own: usize) {
        let changing = &self.participants[own].changing;
        changing.store(1, Relaxed);
        self.light(own);
        if self.forking.load(Acquire) == 0 {
            self.copied.set(self.copied.get() + 1);
            self.copied.set(self.copied.get() + 1);
        }
        changing.store(0, self.unless(ChangeEndsRelaxed, Release));
    }

    /// Leaves the participant to the next thread.
    pub fn leave(&self, own: usize) {
        self.participants[own].epoch.store(0, Release);
        self.participants[own].changing.store(0, self.unless(LeaveEndsChangesRelaxed, Release));
    }

    /// Copies the memory, unless a thread is in a change: then the library waits.
    pub fn fork(&self) {
        self.forking.fetch_add(1, SeqCst);
        self.heavy();
        let ordering = self.unless(ForkLoadsChangesRelaxed, Acquire);
        if self.listed().all(|other| other.changing.load(ordering) == 0) {
            promise(self.copied.get().is_multiple_of(2), "a fork copies no half of a change");
        }
    }
}

/// The system forbids membarrier while a thread begins to read.
impl Miniature {
    /// Lists a participant, which needs no fence as long as there is membarrier.
    pub fn claim(&self, own: usize) {
        self.list(own);
        let fence_free = &self.participants[own].fence_free;
        fence_free.store(1 - self.fences.load(Relaxed), Relaxed);
        if !self.has(ClaimWithoutFence) {
            self.fence();
        }
        if self.fences.load(Relaxed) != 0 {
            fence_free.store(0, Relaxed);
        }
    }

    /// Tells all readers to fence from now on.
    pub fn revoke(&self) {
        self.fences.store(1, Release);
        if !self.has(RevokeWithoutFence) {
            self.fence();
        }
        self.listed().for_each(|other| other.fence_free.store(0, Relaxed));
    }

    pub fn is_fence_free(&self, own: usize) -> bool {
        self.participants[own].fence_free.load(Acquire) != 0
    }
}
