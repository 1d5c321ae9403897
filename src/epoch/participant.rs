//! What every thread tells those who free memory: whether it reads just now, and which entries it has pinned.
//!
//! Each thread that reads has a [`Participant`] of its own, to which it writes by plain stores; whoever frees memory looks at
//! all of them. Records are recycled when their threads end, and never freed, so that pins outlive the thread that made
//! them, and anybody may look at any record at any time.
//!
//! A thread gives its record back in the destructor of a pthread key, not of a Rust thread-local: glibc runs the latter
//! first, so a thread whose first call comes from some other key's destructor would keep its record. A thread that calls
//! again after that borrows a record for the length of the call.

use std::any::Any;
use std::cell::RefCell;
use std::{ptr, sync};

use super::{barrier, fork_gate};
use crate::epoch::retire::Garbage;
use crate::error::{Error, Result};
use crate::memory::account::Share;
use crate::memory::limit::Questions;
use crate::sync::Mutex;
use crate::sync::atomic::{AtomicBool, AtomicPtr, AtomicU8, AtomicU32, AtomicU64, Ordering, fence};
use crate::sync::try_box;
use crate::table::entry::Header;

/// HazardSet of one thread that cost a plain store; those beyond are counted. The first three stand beside the epoch.
pub(crate) const PINS: usize = if cfg!(shuttle) { 2 } else { 61 };

/// A place for one pin: an entry that must stay, or null. The owner of the record fills it, anybody may empty it.
pub(crate) type PinSlot = AtomicPtr<Header>;

/// Bytes of a thread's last message, its final NUL included.
pub const MESSAGE: usize = 512;

/// A thread's last message. Nothing for a model checker: the layer that writes it knows of none.
type Message = [sync::atomic::AtomicU8; MESSAGE];

/// What one thread tells the others.
#[repr(C, align(64))]
pub struct Participant {
    /// 0, or the epoch in which the thread's section began.
    pub(crate) epoch: AtomicU64,
    /// Sections that the caller has opened: a number that only the owner uses.
    pub(crate) open: AtomicU32,
    /// The owner needs no fence where it begins a section. Taken back where the system forbids membarrier.
    pub(crate) light: AtomicBool,
    /// How many changes the owner is in, one inside the other. Only the owner writes it; a fork waits for 0.
    pub(crate) changing: AtomicU8,
    /// Where the owner looks first for an empty slot.
    pub(crate) next_slot: AtomicU32,
    id: u32,
    /// What the owner has asked the gauge. Only the owner uses it.
    pub(crate) questions: Questions,
    /// What the owner has taken from the sum of all bytes held. Only the owner uses it.
    pub(crate) share: Share,
    pub(crate) slots: [PinSlot; PINS],
    in_use: AtomicBool,
    /// What the owner has taken out of tables, and not freed yet.
    pub(crate) retired: Mutex<Garbage>,
    /// The bytes of that, so that nobody need lock where there is nothing.
    pub(crate) retired_bytes: AtomicU64,
    next: AtomicPtr<Participant>,
    /// The owner's number: no two threads of a process have the same, ever.
    number: AtomicU64,
    /// What a layer above keeps for the owner until it ends, or null. Only the owner uses it.
    attached: AtomicPtr<Attached>,
    /// The owner's last message, which outlives it: NUL-terminated text. Only the owner writes it.
    message: Message,
}

impl Participant {
    const fn new(id: u32) -> Self {
        Participant {
            epoch: AtomicU64::new(0),
            open: AtomicU32::new(0),
            light: AtomicBool::new(false),
            changing: AtomicU8::new(0),
            next_slot: AtomicU32::new(0),
            id,
            questions: Questions::new(),
            share: Share::new(),
            slots: [const { AtomicPtr::new(ptr::null_mut()) }; PINS],
            in_use: AtomicBool::new(false),
            retired: Mutex::new(Garbage::new()),
            retired_bytes: AtomicU64::new(0),
            next: AtomicPtr::new(ptr::null_mut()),
            number: AtomicU64::new(0),
            attached: AtomicPtr::new(ptr::null_mut()),
            message: [const { sync::atomic::AtomicU8::new(0) }; MESSAGE],
        }
    }

    /// The record of this thread, if it has one already.
    #[inline(always)]
    pub fn of_this_thread() -> Option<&'static Participant> {
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

    /// Drops what a layer above keeps for the owner. Only by the owner, or by whoever claims the record after it.
    fn drop_attached(&self) {
        let attached = self.attached.swap(ptr::null_mut(), Ordering::AcqRel);
        if !attached.is_null() {
            // SAFETY: it came from a box, and nobody else has it now.
            drop(unsafe { Box::from_raw(attached) });
        }
    }

    /// Ends the owner's sections and changes, and leaves the record to the next thread; its pins stay.
    pub(crate) fn leave(&self) {
        self.share.give_back();
        self.epoch.store(0, Ordering::Release);
        self.open.store(0, Ordering::Relaxed);
        self.changing.store(0, Ordering::Relaxed);
        self.in_use.store(false, Ordering::Release);
    }
}

/// What all threads share.
pub(crate) struct Global {
    /// Grows with each round of freeing; never 0.
    pub(crate) epoch: AtomicU64,
    /// See `barrier.rs`: the kind of barrier, and the millisecond from which fences are trusted, if readers began without.
    pub(crate) barrier: AtomicU32,
    pub(crate) fences_from: AtomicU64,
    /// Threads that are about to fork, or do.
    pub(crate) forking: AtomicU32,
    /// Threads have vanished in a fork, for which something may be kept.
    pub(crate) orphans: AtomicBool,
    first: AtomicPtr<Participant>,
    ids: AtomicU32,
    /// For threads that can get no record of their own, one after the other.
    spare: Participant,
}

impl Global {
    const fn new() -> Self {
        Global {
            epoch: AtomicU64::new(1),
            barrier: AtomicU32::new(0),
            fences_from: AtomicU64::new(0),
            forking: AtomicU32::new(0),
            orphans: AtomicBool::new(false),
            first: AtomicPtr::new(ptr::null_mut()),
            ids: AtomicU32::new(1),
            spare: Participant::new(0),
        }
    }

    /// All records.
    pub(crate) fn records(&'static self) -> impl Iterator<Item = &'static Participant> {
        let mut next = ptr::from_ref(&self.spare);
        std::iter::from_fn(move || {
            // SAFETY: records are never freed.
            let record = unsafe { next.as_ref() }?;
            next = if ptr::eq(next, &self.spare) { &self.first } else { &record.next }.load(Ordering::Acquire);
            Some(record)
        })
    }

    /// A record that nobody uses, or a new one.
    fn claim(&'static self) -> Option<&'static Participant> {
        if let Some(record) = self.records().skip(1).find(|record| record.try_claim()) {
            return Some(record);
        }
        let layout = std::alloc::Layout::new::<Participant>();
        // SAFETY: a record is not empty.
        let memory = unsafe { std::alloc::alloc(layout) }.cast::<Participant>();
        if memory.is_null() {
            return None;
        }
        let record = Participant::new(self.ids.fetch_add(1, Ordering::Relaxed));
        record.in_use.store(true, Ordering::Relaxed);
        // SAFETY: the memory is ours, aligned and large enough, and is never freed.
        let record: &'static Participant = unsafe {
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
pub(crate) fn global() -> &'static Global {
    static GLOBAL: Global = Global::new();
    &GLOBAL
}

#[cfg(shuttle)]
pub(crate) fn global() -> &'static Global {
    shuttle::lazy_static::lazy_static!(static ref GLOBAL: Global = Global::new(););
    &GLOBAL
}

/// This thread's record.
#[inline(always)]
pub(crate) fn own() -> Option<&'static Participant> {
    let record = tls::get();
    // SAFETY: anything above the marks is a record, and records are never freed.
    (record > tls::BARE).then(|| unsafe { &*record })
}

/// Does something with this thread's record.
#[inline]
pub(crate) fn with<R>(work: impl FnOnce(&'static Participant) -> R) -> R {
    match own() {
        Some(record) => work(record),
        None => {
            let loan = Loan::take();
            work(loan.record)
        }
    }
}

/// This thread's record, which it keeps until it ends; none where it cannot keep one.
pub(crate) fn kept() -> Option<&'static Participant> {
    own().or_else(|| {
        with(|_| ());
        own()
    })
}

/// A record for a thread that has none: its own from now on where it can keep one, and else until this is dropped. It is
/// found by [`own`] meanwhile.
struct Loan {
    record: &'static Participant,
    /// What the thread had in place of a record, where it has to give this one back.
    before: Option<*const Participant>,
}

impl Loan {
    #[cold]
    #[inline(never)]
    fn take() -> Self {
        fork_gate::watch();
        barrier::prepare();
        let (global, before) = (global(), tls::get());
        let record = global.claim().unwrap_or_else(|| {
            while !global.spare.try_claim() {
                crate::sync::yield_now();
            }
            &global.spare
        });
        // Where the thread is known by its address it may be in the middle of a computation.
        record.number.store(if before.is_null() { next_number() } else { number_of_address() }, Ordering::Relaxed);
        record.message[0].store(0, Ordering::Relaxed);
        record.light.store(barrier::is_light(), Ordering::Relaxed);
        // Whoever takes the light barrier back meanwhile either sees this record, or is seen here.
        fence(Ordering::SeqCst);
        if !barrier::is_light() {
            record.light.store(false, Ordering::Relaxed);
        }
        let is_kept = before != tls::LEAVING && !ptr::eq(record, &global.spare) && tls::leave_at_exit(record);
        tls::set(record);
        // Of a thread that a fork has left behind.
        record.drop_attached();
        Loan { record, before: (!is_kept).then_some(before) }
    }
}

impl Drop for Loan {
    fn drop(&mut self) {
        if let Some(before) = self.before {
            tls::set(before);
            self.record.leave();
        }
    }
}

/// What a layer above keeps for a thread.
type Attached = RefCell<Box<dyn Any + Send>>;

/// Does something with the `T` that this thread keeps until it ends, a new one at first. There is one type, in one place.
pub fn with_attached<T: Any + Send + Default, R>(work: impl FnOnce(&mut T) -> Result<R>) -> Result<R> {
    let Some(record) = kept() else {
        return Err(Error::invalid("the thread is ending, or memory is out: it can keep nothing any more"));
    };
    if record.attached.load(Ordering::Acquire).is_null() {
        let attached: Box<Attached> = try_box(RefCell::new(try_box(T::default())? as Box<dyn Any + Send>))?;
        record.attached.store(Box::into_raw(attached), Ordering::Release);
    }
    // SAFETY: it is not null, and only this thread drops it, when it ends.
    let attached = unsafe { &*record.attached.load(Ordering::Acquire) };
    let mut attached = attached.try_borrow_mut().map_err(|_| Error::invalid("a call from inside another"))?;
    work(attached.downcast_mut().ok_or_else(|| Error::invalid("something else is kept for this thread"))?)
}

/// Drops what was kept for threads that a fork has left behind. Their leases keep caches alive.
pub(crate) fn drop_orphans() {
    let global = global();
    if global.orphans.load(Ordering::Relaxed) && global.orphans.swap(false, Ordering::AcqRel) {
        let orphaned = |record: &&Participant| !record.attached.load(Ordering::Acquire).is_null() && record.try_claim();
        global.records().filter(orphaned).for_each(|record| {
            record.drop_attached();
            record.leave();
        });
    }
}

/// A number that no thread has had.
fn next_number() -> u64 {
    // A model checker's atomics are not for statics.
    static NUMBERS: sync::atomic::AtomicU64 = sync::atomic::AtomicU64::new(1);
    NUMBERS.fetch_add(1, Ordering::Relaxed)
}

/// The number of a thread that can keep no record: others live elsewhere.
fn number_of_address() -> u64 {
    1 << 62 | tls::address() >> 4
}

/// This thread's number, which no other of the process has, or ever had. Numbers are below 2^63.
pub(crate) fn number() -> u64 {
    match kept() {
        Some(record) => record.number.load(Ordering::Relaxed),
        None => {
            bare();
            number_of_address()
        }
    }
}

/// Remembers that this thread, which could keep no record, has got a number or left a message all the same. It may get a
/// record later, in a computation inside another, and is to be the same owner then.
fn bare() {
    if tls::get().is_null() {
        tls::set(tls::BARE);
    }
}

/// The place of this thread's last message: bytes up to a NUL. Where `new` is false, the place of one that is there, if any.
///
/// Threads that can keep no record, because they are ending or memory is out, share one place.
pub fn message(new: bool) -> Option<&'static Message> {
    let record = if new { kept() } else { own() };
    match record {
        Some(record) => Some(&record.message),
        None if new => {
            bare();
            Some(&global().spare.message)
        }
        None if tls::get().is_null() => None,
        None => Some(&global().spare.message),
    }
}

/// Where each thread keeps the pointer to its record.
mod tls {
    use super::Participant;

    /// The thread is ending, and has given its record back.
    pub(crate) const LEAVING: *const Participant = std::ptr::without_provenance(1);
    /// The thread could keep no record so far, and has needed one. The highest of the marks.
    pub(crate) const BARE: *const Participant = std::ptr::without_provenance(2);

    fn leave(record: &Participant) {
        // Probe, since it may read and change caches.
        record.drop_attached();
        set(LEAVING);
        record.leave();
    }

    pub(crate) use exit::leave_at_exit;

    #[cfg(not(shuttle))]
    mod exit {
        use super::*;
        use crate::sync::atomic::{AtomicU64, Ordering};

        /// The pthread key whose destructor gives records back, and one more; 0 before it is made.
        static KEY: AtomicU64 = AtomicU64::new(0);

        unsafe extern "C" fn at_exit(record: *mut libc::c_void) {
            // SAFETY: the key's value is the thread's record, and records are never freed.
            super::leave(unsafe { &*record.cast() });
        }

        /// Sees to it that nobody unloads what the destructor stands in. The shared library is marked so; the plugin that
        /// somebody makes of the archive may not be.
        #[cfg(all(target_os = "linux", target_env = "gnu"))]
        fn stay_loaded() {
            type Open = unsafe extern "C" fn(*const libc::c_char, libc::c_int) -> *mut libc::c_void;
            let mut found = std::mem::MaybeUninit::<libc::Dl_info>::uninit();
            // SAFETY: only asks, and writes to `found`, which is read if it was written. `dlopen` is what it is on Linux; by
            // its address, as linkers warn of it in static programs, which have none. It opens nothing that is not open.
            unsafe {
                if libc::dladdr(at_exit as *const libc::c_void, found.as_mut_ptr()) == 0 {
                    return;
                }
                let open = libc::dlsym(libc::RTLD_DEFAULT, c"dlopen".as_ptr());
                if !open.is_null() {
                    let open = std::mem::transmute::<*mut libc::c_void, Open>(open);
                    let flags = libc::RTLD_LAZY | libc::RTLD_NOLOAD | libc::RTLD_NODELETE;
                    open(found.assume_init().dli_fname, flags);
                }
            }
        }

        #[cfg(not(all(target_os = "linux", target_env = "gnu")))]
        fn stay_loaded() {}

        fn key() -> Option<libc::pthread_key_t> {
            let known = KEY.load(Ordering::Acquire);
            if known != 0 {
                return Some((known - 1) as libc::pthread_key_t);
            }
            let mut key = 0;
            // SAFETY: writes to `key`; the destructor stays, as the library is never unloaded.
            if unsafe { libc::pthread_key_create(&mut key, Some(at_exit)) } != 0 {
                return None;
            }
            stay_loaded();
            match KEY.compare_exchange(0, u64::from(key) + 1, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => Some(key),
                Err(first) => {
                    // SAFETY: the key was just made, and nobody else knows it.
                    unsafe { libc::pthread_key_delete(key) };
                    Some((first - 1) as libc::pthread_key_t)
                }
            }
        }

        /// Sees to it that the record is given back when the thread ends; false where it cannot be.
        pub(crate) fn leave_at_exit(record: &'static Participant) -> bool {
            // SAFETY: the key exists, and its destructor takes records.
            key().is_some_and(|key| unsafe { libc::pthread_setspecific(key, std::ptr::from_ref(record).cast()) } == 0)
        }
    }

    /// The model checker has threads of its own, and runs the destructors of their locals.
    #[cfg(shuttle)]
    mod exit {
        use super::*;

        struct Exit;

        impl Drop for Exit {
            fn drop(&mut self) {
                if let Some(record) = crate::epoch::participant::own() {
                    super::leave(record);
                }
            }
        }

        shuttle::thread_local!(static EXIT: Exit = Exit);

        pub(crate) fn leave_at_exit(_record: &'static Participant) -> bool {
            EXIT.try_with(|_| ()).is_ok()
        }
    }

    /// A number that no other living thread has.
    pub(crate) fn address() -> u64 {
        // SAFETY: only asks.
        unsafe { libc::pthread_self() as u64 }
    }

    pub(crate) use place::{get, set};

    /// A shared library reaches its thread-locals by a call. Stable Rust cannot choose which; so the eight bytes are
    /// declared here by hand, and reached through a TLS descriptor: a call of three instructions that keeps all registers
    /// but one. ("Initial exec" would take none, but whatever a library declares then comes out of a small reserve of the
    /// loader's, the standard library's locals included, and when that is used up the next plugin does not load.)
    #[cfg(all(target_os = "linux", target_env = "gnu", target_arch = "x86_64", not(shuttle)))]
    mod place {
        use super::Participant;
        use std::arch::{asm, global_asm};

        global_asm!(
            ".pushsection .tbss.phicache_record,\"awT\",@nobits",
            ".balign 8",
            ".globl _phicache_0_2_thread_record",
            ".hidden _phicache_0_2_thread_record",
            ".type _phicache_0_2_thread_record, @object",
            ".size _phicache_0_2_thread_record, 8",
            "_phicache_0_2_thread_record:",
            ".zero 8",
            ".popsection",
        );

        /// Reads or writes the place, whose offset from the thread's pointer stands in rax after the call. The descriptor's
        /// function keeps all integer registers; glibc before 2.40 may change those of vectors when it first makes the
        /// place of a thread: its memory functions use whatever the processor has.
        macro_rules! at_place {
            ($access:literal, $operand:ident = $kind:ident($class:tt) $value:expr, $($option:ident),*) => {
                asm!(
                    "leaq _phicache_0_2_thread_record@TLSDESC(%rip), %rax",
                    "callq *_phicache_0_2_thread_record@TLSCALL(%rax)",
                    $access,
                    $operand = $kind($class) $value,
                    out("rax") _,
                    out("xmm0") _, out("xmm1") _, out("xmm2") _, out("xmm3") _,
                    out("xmm4") _, out("xmm5") _, out("xmm6") _, out("xmm7") _,
                    out("xmm8") _, out("xmm9") _, out("xmm10") _, out("xmm11") _,
                    out("xmm12") _, out("xmm13") _, out("xmm14") _, out("xmm15") _,
                    out("xmm16") _, out("xmm17") _, out("xmm18") _, out("xmm19") _,
                    out("xmm20") _, out("xmm21") _, out("xmm22") _, out("xmm23") _,
                    out("xmm24") _, out("xmm25") _, out("xmm26") _, out("xmm27") _,
                    out("xmm28") _, out("xmm29") _, out("xmm30") _, out("xmm31") _,
                    out("k1") _, out("k2") _, out("k3") _, out("k4") _,
                    out("k5") _, out("k6") _, out("k7") _,
                    options(att_syntax $(, $option)*),
                )
            };
        }

        #[inline(always)]
        pub(crate) fn get() -> *const Participant {
            let record: *const Participant;
            // SAFETY: reads the eight bytes above, which are this thread's own.
            unsafe { at_place!("movq %fs:(%rax), {record}", record = out(reg) record, pure, readonly) };
            record
        }

        pub(crate) fn set(record: *const Participant) {
            // SAFETY: writes the eight bytes above, which are this thread's own.
            unsafe { at_place!("movq {record}, %fs:(%rax)", record = in(reg) record,) };
        }
    }

    #[cfg(not(all(target_os = "linux", target_env = "gnu", target_arch = "x86_64", not(shuttle))))]
    mod place {
        use super::Participant;
        use std::cell::Cell;

        #[cfg(not(shuttle))]
        thread_local!(static RECORD: Cell<*const Participant> = const { Cell::new(std::ptr::null()) });
        #[cfg(shuttle)]
        shuttle::thread_local!(static RECORD: Cell<*const Participant> = Cell::new(std::ptr::null()));

        #[inline(always)]
        pub(crate) fn get() -> *const Participant {
            RECORD.try_with(Cell::get).unwrap_or(super::LEAVING)
        }

        pub(crate) fn set(record: *const Participant) {
            let _ = RECORD.try_with(|own| own.set(record));
        }
    }
}
