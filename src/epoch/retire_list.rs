//! A list of what was unlinked and cannot be freed yet, linked through itself: it takes no memory, and two lists become
//! one in constant time.

use std::ptr::{self, NonNull};

use super::hazard::HazardSet;

/// The link that whatever is retired contains. It is the list's alone from the time of retiring.
#[derive(Clone, Copy)]
pub(crate) struct Retired {
    pub(crate) next: *mut Retired,
}

impl Retired {
    pub(crate) const NEW: Retired = Retired { next: ptr::null_mut() };
}

/// Frees what contains this link, unless it is protected, or in part; the rest goes on the list.
///
/// # Safety
/// No read section can reach it, and nobody else frees it.
pub(crate) type DropFn = unsafe fn(NonNull<Retired>, &HazardSet, &mut RetireList);

/// A kind of thing that is retired: which chain of a list it is on, and how it is freed.
#[derive(Clone, Copy)]
pub(crate) struct Kind {
    pub(crate) chain: usize,
    pub(crate) drop: DropFn,
}

/// How many kinds there are.
const KINDS: usize = 2;

/// Retired things, and how many bytes they hold.
pub(crate) struct RetireList {
    chains: [Chain; KINDS],
    len: usize,
    bytes: u64,
}

// SAFETY: what is on a list belongs to the list, and any thread may free it.
unsafe impl Send for RetireList {}

impl RetireList {
    pub(super) const fn new() -> Self {
        RetireList { chains: [Chain::EMPTY; KINDS], len: 0, bytes: 0 }
    }

    pub(super) fn take(&mut self) -> RetireList {
        std::mem::replace(self, RetireList::new())
    }

    /// Adds a thing of `bytes`.
    ///
    /// # Safety
    /// `link` is inside a thing of this kind that no longer can be found, is on no other list, and lives until it is
    /// freed.
    pub(crate) unsafe fn push(&mut self, kind: Kind, link: NonNull<Retired>, bytes: u64) {
        let chain = &mut self.chains[kind.chain];
        // SAFETY: the caller's promise; nobody else uses the link.
        unsafe { (*link.as_ptr()).next = chain.first };
        if chain.first.is_null() {
            chain.last = link.as_ptr();
        }
        (chain.first, chain.drop) = (link.as_ptr(), Some(kind.drop));
        self.len += 1;
        self.bytes += bytes;
    }

    pub(super) fn append(&mut self, other: RetireList) {
        for (chain, other) in self.chains.iter_mut().zip(other.chains) {
            chain.append(other);
        }
        self.len += other.len;
        self.bytes += other.bytes;
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Frees everything that `hazards` does not protect; the rest goes on `left`.
    ///
    /// # Safety
    /// No read section can reach anything on the list.
    pub(super) unsafe fn free(mut self, hazards: &HazardSet, left: &mut RetireList) {
        for chain in &mut self.chains {
            let Some(drop) = chain.drop else { continue };
            while let Some(link) = chain.pop() {
                // SAFETY: the caller's promise; the link was on this list alone, which gives it up.
                unsafe { drop(link, hazards, left) };
            }
        }
    }
}

/// Things of one kind, freed by one function.
struct Chain {
    first: *mut Retired,
    last: *mut Retired,
    drop: Option<DropFn>,
}

impl Chain {
    const EMPTY: Chain = Chain { first: ptr::null_mut(), last: ptr::null_mut(), drop: None };

    fn pop(&mut self) -> Option<NonNull<Retired>> {
        let first = NonNull::new(self.first)?;
        // SAFETY: links on a list are alive, and the list's alone.
        self.first = unsafe { (*first.as_ptr()).next };
        Some(first)
    }

    fn append(&mut self, other: Chain) {
        if other.first.is_null() {
            return;
        }
        // SAFETY: links on a list are alive, and the list's alone.
        unsafe { (*other.last).next = self.first };
        if self.first.is_null() {
            self.last = other.last;
        }
        (self.first, self.drop) = (other.first, other.drop);
    }
}
