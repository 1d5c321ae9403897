//! What every thread tells those who free memory: whether it reads just now, and which entries it has pinned.
//!
//! Each thread that reads has a [`Record`] of its own, to which it writes by plain stores; whoever frees memory looks at
//! all of them. Records are recycled when their threads end, and never freed, so that pins outlive the thread that made
//! them, and anybody may look at any record at any time.

use std::ptr;

use super::account::Share;
use super::entry::Header;
use super::gauge::Questions;
use super::lock::atomic::{AtomicBool, AtomicPtr, AtomicU32, AtomicU64, Ordering};
use super::lock::{Mutex, process};
use super::reclaim::Retired;

/// Pins of one thread that cost a plain store; those beyond are counted. The first three stand beside the epoch.
pub(super) const PINS: usize = if cfg!(shuttle) { 2 } else { 61 };

/// A place for one pin: an entry that must stay, or null. The owner of the record fills it, anybody may empty it.
pub(super) type PinSlot = AtomicPtr<Header>;

/// What one thread tells the others.
#[repr(C, align(64))]
pub struct Record {
    /// 0, or the epoch in which the thread's section began.
    pub(super) epoch: AtomicU64,
    /// Sections that the caller has opened: a number that only the owner uses.
    pub(super) open: AtomicU32,
    /// The owner needs no fence where it begins a section. Only the owner uses it.
    pub(super) light: AtomicBool,
    /// Where the owner looks first for an empty slot.
    pub(super) next_slot: AtomicU32,
    id: u32,
    /// What the owner has asked the gauge. Only the owner uses it.
    pub(super) questions: Questions,
    /// What the owner has taken from the sum of all bytes held. Only the owner uses it.
    pub(super) share: Share,
    pub(super) slots: [PinSlot; PINS],
    in_use: AtomicBool,
    /// What the owner has taken out of tables, and not freed yet.
    pub(super) retired: Mutex<Retired>,
    /// The bytes of that, so that nobody need lock where there is nothing.
    pub(super) retired_bytes: AtomicU64,
    next: AtomicPtr<Record>,
}

impl Record {
    const fn new(id: u32) -> Self {
        Record {
            epoch: AtomicU64::new(0),
            open: AtomicU32::new(0),
            light: AtomicBool::new(false),
            next_slot: AtomicU32::new(0),
            id,
            questions: Questions::new(),
            share: Share::new(),
            slots: [const { AtomicPtr::new(ptr::null_mut()) }; PINS],
            in_use: AtomicBool::new(false),
            retired: Mutex::new(Retired::new()),
            retired_bytes: AtomicU64::new(0),
            next: AtomicPtr::new(ptr::null_mut()),
        }
    }

    /// The record of this thread, if it has one already.
    #[inline(always)]
    pub fn of_this_thread() -> Option<&'static Record> {
        own()
    }

    /// The record's number: small, and no other thread's of this process at the same time.
    #[inline]
    pub fn id(&self) -> u32 {
        self.id
    }

    fn try_claim(&self) -> bool {
        !self.in_use.load(Ordering::Relaxed)
            && self.in_use.compare_exchange(false, true, Ordering::Acquire, Ordering::Relaxed).is_ok()
    }

    /// Ends the owner's sections and leaves the record to the next thread; its pins stay.
    fn leave(&self) {
        self.share.give_back();
        self.epoch.store(0, Ordering::Release);
        self.open.store(0, Ordering::Relaxed);
        self.in_use.store(false, Ordering::Release);
    }
}

/// What all threads share.
pub(super) struct Global {
    /// Grows with each round of freeing; never 0.
    pub(super) epoch: AtomicU64,
    /// See `reclaim::barrier`.
    pub(super) barrier: AtomicU32,
    first: AtomicPtr<Record>,
    ids: AtomicU32,
    /// For threads that can get no record of their own, one after the other.
    spare: Record,
    /// The process in which the records were last looked through for threads that a fork has left behind.
    process: AtomicU32,
    settling: Mutex<()>,
}

impl Global {
    const fn new() -> Self {
        Global {
            epoch: AtomicU64::new(1),
            barrier: AtomicU32::new(0),
            first: AtomicPtr::new(ptr::null_mut()),
            ids: AtomicU32::new(1),
            spare: Record::new(0),
            process: AtomicU32::new(0),
            settling: Mutex::new(()),
        }
    }

    /// All records.
    pub(super) fn records(&'static self) -> impl Iterator<Item = &'static Record> {
        let mut next = ptr::from_ref(&self.spare);
        std::iter::from_fn(move || {
            // SAFETY: records are never freed.
            let record = unsafe { next.as_ref() }?;
            next = if ptr::eq(next, &self.spare) { &self.first } else { &record.next }.load(Ordering::Acquire);
            Some(record)
        })
    }

    /// After a fork, the threads that are not there any more read no more. What they had pinned stays: another thread may
    /// have it in hand.
    pub(super) fn settle(&'static self) {
        let _turn = self.settling.lock();
        let before = self.process.swap(process(), Ordering::Relaxed);
        if before != 0 && before != process() {
            let own = tls::get();
            self.records().filter(|record| !ptr::eq(*record, own)).for_each(Record::leave);
        }
    }

    /// A record that nobody uses, or a new one.
    fn claim(&'static self) -> Option<&'static Record> {
        if let Some(record) = self.records().skip(1).find(|record| record.try_claim()) {
            return Some(record);
        }
        let layout = std::alloc::Layout::new::<Record>();
        // SAFETY: a record is not empty.
        let memory = unsafe { std::alloc::alloc(layout) }.cast::<Record>();
        if memory.is_null() {
            return None;
        }
        let record = Record::new(self.ids.fetch_add(1, Ordering::Relaxed));
        record.in_use.store(true, Ordering::Relaxed);
        // SAFETY: the memory is ours, aligned and large enough, and is never freed.
        let record: &'static Record = unsafe {
            memory.write(record);
            &*memory
        };
        let mut first = self.first.load(Ordering::Relaxed);
        loop {
            record.next.store(first, Ordering::Relaxed);
            match self.first.compare_exchange(first, memory, Ordering::AcqRel, Ordering::Relaxed) {
                Ok(_) => return Some(record),
                Err(now) => first = now,
            }
        }
    }
}

#[cfg(not(shuttle))]
pub(super) fn global() -> &'static Global {
    static GLOBAL: Global = Global::new();
    &GLOBAL
}

#[cfg(shuttle)]
pub(super) fn global() -> &'static Global {
    shuttle::lazy_static::lazy_static!(static ref GLOBAL: Global = Global::new(););
    &GLOBAL
}

/// This thread's record.
#[inline(always)]
pub(super) fn own() -> Option<&'static Record> {
    let record = tls::get();
    // SAFETY: anything above the mark is a record, and records are never freed.
    (record > tls::LEAVING).then(|| unsafe { &*record })
}

/// A record for a thread that has none.
pub(super) enum Claimed {
    /// It is the thread's own from now on.
    Own(&'static Record),
    /// The thread gives it back with [`give_back`], at once.
    Lent(&'static Record),
}

/// Gets a record for a thread that has none.
#[cold]
pub(super) fn claim() -> Claimed {
    let global = global();
    global.settle();
    super::reclaim::barrier::prepare();
    match global.claim() {
        Some(record) if tls::get().is_null() && tls::leave_at_exit() => {
            record.light.store(super::reclaim::barrier::is_light(), Ordering::Relaxed);
            tls::set(record);
            Claimed::Own(record)
        }
        Some(record) => Claimed::Lent(record),
        None => {
            while !global.spare.try_claim() {
                super::lock::yield_now();
            }
            Claimed::Lent(&global.spare)
        }
    }
}

/// Gives back a record that was lent.
#[cold]
pub(super) fn give_back(record: &Record) {
    record.leave();
}

/// Does something with this thread's record, or one that is lent.
#[inline]
pub(super) fn with<R>(work: impl FnOnce(&'static Record) -> R) -> R {
    if let Some(record) = own() {
        return work(record);
    }
    match claim() {
        Claimed::Own(record) => work(record),
        Claimed::Lent(record) => {
            let result = work(record);
            give_back(record);
            result
        }
    }
}

/// Where each thread keeps the pointer to its record.
mod tls {
    use super::Record;

    /// The thread is ending, and has given its record back.
    pub(super) const LEAVING: *const Record = std::ptr::without_provenance(1);

    /// Gives the record back when the thread ends.
    struct Exit;

    impl Drop for Exit {
        fn drop(&mut self) {
            if let Some(record) = super::own() {
                set(LEAVING);
                record.leave();
            }
        }
    }

    #[cfg(not(shuttle))]
    thread_local!(static EXIT: Exit = const { Exit });
    #[cfg(shuttle)]
    shuttle::thread_local!(static EXIT: Exit = Exit);

    /// Sees to it that the record is given back; false when the thread is too far gone for that.
    pub(super) fn leave_at_exit() -> bool {
        EXIT.try_with(|_| ()).is_ok()
    }

    pub(super) use place::{get, set};

    /// A shared library reaches its thread-locals by a call, unless they are of the "initial exec" kind, which stable Rust
    /// cannot ask for; so the eight bytes are declared here by hand.
    #[cfg(all(target_os = "linux", target_env = "gnu", target_arch = "x86_64", not(shuttle)))]
    mod place {
        use super::Record;
        use std::arch::{asm, global_asm};

        global_asm!(
            ".pushsection .tbss.phicache_record,\"awT\",@nobits",
            ".balign 8",
            ".globl _phicache_0_1_thread_record",
            ".hidden _phicache_0_1_thread_record",
            ".type _phicache_0_1_thread_record, @object",
            ".size _phicache_0_1_thread_record, 8",
            "_phicache_0_1_thread_record:",
            ".zero 8",
            ".popsection",
        );

        #[inline(always)]
        pub(in super::super) fn get() -> *const Record {
            let record: *const Record;
            // SAFETY: reads the eight bytes above, which are this thread's own.
            unsafe {
                asm!(
                    "mov {place}, qword ptr [rip + _phicache_0_1_thread_record@GOTTPOFF]",
                    "mov {record}, qword ptr fs:[{place}]",
                    place = out(reg) _,
                    record = lateout(reg) record,
                    options(nostack, readonly, preserves_flags),
                );
            }
            record
        }

        pub(in super::super) fn set(record: *const Record) {
            // SAFETY: writes the eight bytes above, which are this thread's own.
            unsafe {
                asm!(
                    "mov {place}, qword ptr [rip + _phicache_0_1_thread_record@GOTTPOFF]",
                    "mov qword ptr fs:[{place}], {record}",
                    place = out(reg) _,
                    record = in(reg) record,
                    options(nostack, preserves_flags),
                );
            }
        }
    }

    #[cfg(not(all(target_os = "linux", target_env = "gnu", target_arch = "x86_64", not(shuttle))))]
    mod place {
        use super::Record;
        use std::cell::Cell;

        #[cfg(not(shuttle))]
        thread_local!(static RECORD: Cell<*const Record> = const { Cell::new(std::ptr::null()) });
        #[cfg(shuttle)]
        shuttle::thread_local!(static RECORD: Cell<*const Record> = Cell::new(std::ptr::null()));

        #[inline(always)]
        pub(in super::super) fn get() -> *const Record {
            RECORD.try_with(Cell::get).unwrap_or(super::LEAVING)
        }

        pub(in super::super) fn set(record: *const Record) {
            let _ = RECORD.try_with(|own| own.set(record));
        }
    }
}
