//! What one thread shows to those who free memory: the epoch of its read section, and the addresses it protects.
//!
//! A thread writes to its own [`Participant`] by plain stores; threads that free memory look at all of them. They are
//! reused when their threads end, and never freed, so protected addresses outlive the thread that protected them, and
//! any thread may look at any participant at any time.

use std::any::Any;
use std::cell::RefCell;
use std::{ptr, sync};

use super::hazard::HazardSlot;
use super::retire_list::RetireList;
use crate::sync::Mutex;
use crate::sync::atomic::{AtomicBool, AtomicPtr, AtomicU8, AtomicU32, AtomicU64, Ordering};

/// Hazard slots of one thread: pins that cost a plain store. Further pins are counted. The first slot is on the epoch's
/// cache line.
pub(super) const SLOTS: usize = if cfg!(shuttle) { 2 } else { 61 };

/// Bytes of a thread's last message, its final NUL included.
pub const MESSAGE: usize = 512;

/// A thread's last message. Not the model checker's atomics: the layer that writes it does not run under one.
pub(super) type Message = [sync::atomic::AtomicU8; MESSAGE];

/// What a layer above keeps for a thread until it ends.
pub(super) type Attached = RefCell<Box<dyn Any + Send>>;

/// Counters that layers above keep for each thread. This layer gives them no meaning. Only the owner writes them. The
/// model checker does not look at them.
pub(crate) struct Scratch {
    pub(crate) sums: [sync::atomic::AtomicI64; 2],
    pub(crate) counts: [sync::atomic::AtomicU32; 3],
}

/// What one thread shows to the others.
#[repr(C, align(64))]
pub struct Participant {
    /// 0, or the epoch in which the thread's read section began.
    pub(super) epoch: AtomicU64,
    /// Read sections that the caller has opened. Only the owner uses it.
    pub(super) open: AtomicU32,
    /// The owner needs no fence when it begins a section. Cleared if the system forbids membarrier.
    pub(super) fence_free: AtomicBool,
    /// How many changes the owner is in, nested. Only the owner writes it; a fork waits until it is 0.
    pub(super) changing: AtomicU8,
    /// The slot that the owner tries first.
    pub(super) next_slot: AtomicU32,
    id: u32,
    pub(crate) scratch: Scratch,
    pub(super) slots: [HazardSlot; SLOTS],
    in_use: AtomicBool,
    /// What the owner has unlinked and not freed yet.
    pub(super) garbage: Mutex<Garbage>,
    /// The bytes of that, so that no lock is taken where there is nothing.
    pub(super) garbage_bytes: AtomicU64,
    pub(super) next: AtomicPtr<Participant>,
    /// The owner's number: no two threads of a process ever have the same.
    pub(super) number: AtomicU64,
    /// Or null. Only the owner uses it.
    pub(super) attached: AtomicPtr<Attached>,
    /// The owner's last message, which outlives it: NUL-terminated text. Only the owner writes it.
    pub(super) message: Message,
}

/// What a thread has retired.
pub(super) struct Garbage {
    /// Since the last collection.
    pub(super) recent: RetireList,
    /// What could not be freed then. No section that began before the epoch `since` may be open when it is freed.
    pub(super) waiting: RetireList,
    pub(super) since: u64,
}

impl Garbage {
    const fn new() -> Self {
        Garbage { recent: RetireList::new(), waiting: RetireList::new(), since: 0 }
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
            next_slot: AtomicU32::new(0),
            id,
            scratch: Scratch {
                sums: [const { sync::atomic::AtomicI64::new(0) }; 2],
                counts: [const { sync::atomic::AtomicU32::new(0) }; 3],
            },
            slots: [const { HazardSlot::new() }; SLOTS],
            in_use: AtomicBool::new(false),
            garbage: Mutex::new(Garbage::new()),
            garbage_bytes: AtomicU64::new(0),
            next: AtomicPtr::new(ptr::null_mut()),
            number: AtomicU64::new(0),
            attached: AtomicPtr::new(ptr::null_mut()),
            message: [const { sync::atomic::AtomicU8::new(0) }; MESSAGE],
        }
    }

    /// One whose first owner is the caller.
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

    /// Makes the caller the owner, if there is none. Acquire pairs with the Release of [`Participant::release`].
    pub(super) fn try_acquire(&self) -> bool {
        !self.in_use.load(Ordering::Relaxed)
            && self.in_use.compare_exchange(false, true, Ordering::Acquire, Ordering::Relaxed).is_ok()
    }

    /// Ends the owner's sections and changes, and leaves the participant to the next thread. What it protects stays
    /// protected.
    pub(super) fn release(&self) {
        self.epoch.store(0, Ordering::Release);
        self.open.store(0, Ordering::Relaxed);
        // Release, as at the end of a change: a fork may see this store instead of that one.
        self.changing.store(0, Ordering::Release);
        self.in_use.store(false, Ordering::Release);
    }

    /// Drops what a layer above keeps for the owner. Only the owner calls this, or the one that acquires it next.
    pub(super) fn drop_attached(&self) {
        let attached = self.attached.swap(ptr::null_mut(), Ordering::AcqRel);
        if !attached.is_null() {
            // SAFETY: it came from a box, and no other thread has it now.
            drop(unsafe { Box::from_raw(attached) });
        }
    }
}
