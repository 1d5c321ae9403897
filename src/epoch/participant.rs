//! The state that one thread publishes to threads that free memory: the epoch of its read section, its hazard slots.
//!
//! A thread writes its own [`Participant`] by plain stores; threads that free memory read all of them. Participants are
//! never freed, so any thread may read any of them at any time. When a thread ends, the next new thread reuses its
//! participant. Hazard slots keep their addresses meanwhile.

use std::any::Any;
use std::cell::RefCell;
use std::hint::cold_path;
use std::{ptr, sync};

use super::hazard::HazardSlot;
use super::retire_list::RetireList;
use super::token::Token;
use crate::sync::Mutex;
use crate::sync::atomic::{AtomicBool, AtomicPtr, AtomicU8, AtomicU32, AtomicU64, Ordering};

/// Hazard slots of one thread. A pin in a slot costs a plain store; further pins count references. The first slot is on
/// the epoch's cache line.
pub(super) const SLOTS: usize = if cfg!(shuttle) { 2 } else { 60 };

/// The slots that a pin tries on the fast path. As many more follow a thread's slots; they are always taken, so that no
/// search needs to look for the end.
pub(super) const TRIES: usize = 4;

/// Bytes of a thread's last error message, including its NUL.
pub const MESSAGE: usize = 512;

/// A thread's last error message. Real atomics, because `ffi`, which writes it, does not run under the model checker.
pub(super) type Message = [sync::atomic::AtomicU8; MESSAGE];

/// A value that a higher layer attaches to a thread; dropped when the thread ends.
pub(super) type Attached = RefCell<Box<dyn Any + Send>>;

/// Counters that a higher layer keeps for each thread (`memory/mod.rs` defines them). Only the owner writes them.
pub(crate) struct Scratch {
    pub(crate) sums: [sync::atomic::AtomicI64; 2],
    pub(crate) counts: [sync::atomic::AtomicU32; 3],
}

/// The state that one thread publishes to the others.
#[repr(C, align(64))]
pub struct Participant {
    /// 0, or the epoch in which the thread's read section began.
    pub(super) epoch: AtomicU64,
    /// The number of nested read sections from [`super::guard::open`]. Only the owner uses it.
    pub(super) open: AtomicU32,
    /// Whether the owner needs no fence at the begin of a section: the system has membarrier.
    pub(super) fence_free: AtomicBool,
    /// The depth of nested changes that the owner makes. Only the owner writes it; a fork waits until it is 0.
    pub(super) changing: AtomicU8,
    in_use: AtomicBool,
    pub(super) id: u32,
    /// By which the owner owns locks.
    pub(super) token: Token,
    /// The slot that the owner tries first: the address of one of `slots`.
    pub(super) next_slot: AtomicPtr<HazardSlot>,
    slots: [HazardSlot; SLOTS + TRIES],
    pub(crate) scratch: Scratch,
    /// What the owner has retired and no thread has freed yet.
    pub(super) garbage: Mutex<Garbage>,
    /// The bytes of `garbage`, so that an empty one is noticed without its lock.
    pub(super) garbage_bytes: AtomicU64,
    /// The owner's number, unique among all past and present threads of the process; 0 without an owner.
    pub(super) number: AtomicU64,
    /// The nanoseconds that the owner, and earlier owners, have waited for computations of others (`flight` adds them).
    /// Only the owner writes it.
    pub(crate) waited: sync::atomic::AtomicU64,
    /// Null without an attached value. Only the owner uses it.
    pub(super) attached: AtomicPtr<Attached>,
    /// The owner's last error message, NUL-terminated. It stays readable when the thread ends. Only the owner writes
    /// it.
    pub(super) message: Message,
}

/// What a thread has retired.
pub(super) struct Garbage {
    /// Objects retired since the last collection.
    pub(super) recent: RetireList,
    /// Objects that the last collection could not free. They are freed once no section from before epoch `since` is
    /// open.
    pub(super) waiting: RetireList,
    pub(super) since: u64,
}

impl Garbage {
    const fn new() -> Self {
        Garbage { recent: RetireList::new(), waiting: RetireList::new(), since: 0 }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.recent.is_empty() && self.waiting.is_empty()
    }
}

impl Default for Garbage {
    fn default() -> Self {
        Self::new()
    }
}

impl Participant {
    pub(super) const fn new(id: u32) -> Self {
        Participant {
            epoch: AtomicU64::new(0),
            open: AtomicU32::new(0),
            fence_free: AtomicBool::new(false),
            changing: AtomicU8::new(0),
            in_use: AtomicBool::new(false),
            id,
            token: Token::new(id),
            next_slot: AtomicPtr::new(ptr::null_mut()),
            scratch: Scratch {
                sums: [const { sync::atomic::AtomicI64::new(0) }; 2],
                counts: [const { sync::atomic::AtomicU32::new(0) }; 3],
            },
            slots: {
                let mut slots = [const { HazardSlot::taken() }; SLOTS + TRIES];
                let mut at = 0;
                while at < SLOTS {
                    slots[at] = HazardSlot::new();
                    at += 1;
                }
                slots
            },
            garbage: Mutex::new(Garbage::new()),
            garbage_bytes: AtomicU64::new(0),
            number: AtomicU64::new(0),
            waited: sync::atomic::AtomicU64::new(0),
            attached: AtomicPtr::new(ptr::null_mut()),
            message: [const { sync::atomic::AtomicU8::new(0) }; MESSAGE],
        }
    }

    /// A participant whose first owner is the caller.
    pub(super) fn in_use(id: u32) -> Self {
        let participant = Self::new(id);
        participant.in_use.store(true, Ordering::Relaxed);
        participant
    }

    /// A small number that no other thread of this process has at the same time.
    #[inline]
    pub fn id(&self) -> u32 {
        self.id
    }

    /// The owner's number. Only for the owner.
    #[inline(always)]
    pub fn number(&self) -> u64 {
        self.number.load(Ordering::Relaxed)
    }

    /// Its hazard slots.
    pub(super) fn slots(&self) -> &[HazardSlot] {
        &self.slots[..SLOTS]
    }

    /// Sets the slot that the owner tries first. Only the owner calls this.
    pub(super) fn set_next_slot(&self, at: usize) {
        // A pointer into the whole array: the fast path tries the following slots too.
        let slots = self.slots.as_ptr().cast_mut();
        self.next_slot.store(slots.wrapping_add(at % SLOTS), Ordering::Relaxed);
    }

    /// The index of the slot that the owner tries first.
    pub(super) fn next_slot(&self) -> usize {
        (self.next_slot.load(Ordering::Relaxed).addr() - self.slots.as_ptr().addr()) / size_of::<HazardSlot>()
    }

    /// Protects an address until the slot is cleared: one that its thread has found in a read section, which may end,
    /// or that no other thread knows yet. None if the slots that it tries are taken.
    #[inline(always)]
    pub(crate) fn protect(&'static self, address: *mut ()) -> Option<&'static HazardSlot> {
        self.try_fast_protect(address).or_else(|| self.protect_in_another(address))
    }

    /// As [`Participant::protect`], but tries only a few slots. Programs hold a few values at a time: then the first
    /// slots are taken, and the next one becomes the first to try.
    #[inline(always)]
    pub(crate) fn try_fast_protect(&'static self, address: *mut ()) -> Option<&'static HazardSlot> {
        let next = &self.next_slot;
        let first = next.load(Ordering::Relaxed);
        // SAFETY: it is the address of a slot, TRIES more follow that one, and participants are never freed.
        let slot = |at: usize| -> &'static HazardSlot { unsafe { &*first.add(at) } };
        if slot(0).is_empty() {
            slot(0).protect(address);
            return Some(slot(0));
        }
        cold_path();
        let free = (1..TRIES).find(|at| slot(*at).is_empty())?;
        slot(free).protect(address);
        next.store(first.wrapping_add(free), Ordering::Relaxed);
        Some(slot(free))
    }

    /// Tries more slots.
    #[inline(never)]
    fn protect_in_another(&'static self, address: *mut ()) -> Option<&'static HazardSlot> {
        const MORE: usize = 8;
        let (slots, first) = (self.slots(), self.next_slot());
        for at in first + 1..=first + MORE {
            let slot = &slots[at % SLOTS];
            if slot.is_empty() {
                slot.protect(address);
                self.set_next_slot(at);
                return Some(slot);
            }
        }
        self.set_next_slot(first + MORE);
        None
    }

    /// Whether there is nothing that others must find: no protected address, no retired object, no attached value.
    pub(super) fn has_left_nothing(&self) -> bool {
        self.garbage_bytes.load(Ordering::Relaxed) == 0
            && self.attached.load(Ordering::Relaxed).is_null()
            && self.slots().iter().all(HazardSlot::is_empty)
    }

    /// Whether it has no owner.
    pub(super) fn is_idle(&self) -> bool {
        !self.in_use.load(Ordering::Relaxed)
    }

    /// Makes the caller the owner, if it has none. Acquire pairs with the Release of [`Participant::release`].
    pub(super) fn try_acquire(&self) -> bool {
        self.is_idle() && self.in_use.compare_exchange(false, true, Ordering::Acquire, Ordering::Relaxed).is_ok()
    }

    /// Ends the owner's sections and changes, and makes the participant available. Its hazard slots keep their
    /// addresses.
    pub(super) fn release(&self) {
        self.epoch.store(0, Ordering::Release);
        self.open.store(0, Ordering::Relaxed);
        self.number.store(0, Ordering::Relaxed);
        // Release, because a fork may see this store instead of the one that ends a change.
        self.changing.store(0, Ordering::Release);
        self.hand_back();
    }

    /// Makes the participant available, for an owner that has not used it.
    pub(super) fn hand_back(&self) {
        self.in_use.store(false, Ordering::Release);
    }

    /// Drops the attached value. Only the owner calls this, or the next thread that acquires the participant.
    pub(super) fn drop_attached(&self) {
        let attached = self.attached.swap(ptr::null_mut(), Ordering::AcqRel);
        if !attached.is_null() {
            // SAFETY: the pointer came from a box, and the swap made it ours.
            drop(unsafe { Box::from_raw(attached) });
        }
    }
}
