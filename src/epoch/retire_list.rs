//! An intrusive list of retired objects: it allocates nothing, and two lists are joined in constant time.

use std::ptr::{self, NonNull};

use super::hazard::HazardSet;

/// The link that each object to be retired contains. Only the list uses it once the object is retired.
#[derive(Clone, Copy)]
pub(crate) struct Retired {
    pub(crate) next: *mut Retired,
}

impl Retired {
    pub(crate) const NEW: Retired = Retired { next: ptr::null_mut() };
}

/// Frees the object that contains this link. If a hazard slot protects it or a part of it, that is put on the list
/// again.
///
/// # Safety
/// No read section can reach the object, and no other thread frees it.
pub(crate) type DropFn = unsafe fn(NonNull<Retired>, &HazardSet, &mut RetireList);

/// A kind of object that is retired: the index of its chain in a list, and the function that frees it.
#[derive(Clone, Copy)]
pub(crate) struct RetiredKind {
    pub(crate) chain: usize,
    pub(crate) drop: DropFn,
}

/// The number of kinds.
const KINDS: usize = 2;

/// Retired objects, and the number of their bytes. Objects of one kind form a chain, so no link needs a function.
pub(crate) struct RetireList {
    chains: [Chain; KINDS],
    len: usize,
    bytes: u64,
}

// SAFETY: objects on a list belong to it, and any thread may free them.
unsafe impl Send for RetireList {}

impl RetireList {
    pub(super) const fn new() -> Self {
        RetireList { chains: [Chain::EMPTY; KINDS], len: 0, bytes: 0 }
    }

    pub(super) fn take(&mut self) -> RetireList {
        std::mem::replace(self, RetireList::new())
    }

    /// Adds an object of `bytes`.
    ///
    /// # Safety
    /// `link` is in an object of this kind that new readers cannot find, that is on no other list, and that only
    /// `kind.drop` frees.
    pub(crate) unsafe fn push(&mut self, kind: RetiredKind, link: NonNull<Retired>, bytes: u64) {
        let chain = &mut self.chains[kind.chain];
        // SAFETY: the caller's promise; only this list uses the link.
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

    /// Frees everything that `hazards` does not protect, and puts the rest on `left`.
    ///
    /// # Safety
    /// No read section can reach anything on the list.
    pub(super) unsafe fn free(mut self, hazards: &HazardSet, left: &mut RetireList) {
        for chain in &mut self.chains {
            let Some(drop) = chain.drop else { continue };
            while let Some(link) = chain.pop() {
                // SAFETY: the caller's promise; the link was on this list only, and no longer is.
                unsafe { drop(link, hazards, left) };
            }
        }
    }
}

/// Objects of one kind, freed by one function.
struct Chain {
    first: *mut Retired,
    last: *mut Retired,
    drop: Option<DropFn>,
}

impl Chain {
    const EMPTY: Chain = Chain { first: ptr::null_mut(), last: ptr::null_mut(), drop: None };

    fn pop(&mut self) -> Option<NonNull<Retired>> {
        let first = NonNull::new(self.first)?;
        // SAFETY: objects on a list are alive, and only the list uses their links.
        self.first = unsafe { (*first.as_ptr()).next };
        Some(first)
    }

    fn append(&mut self, other: Chain) {
        if other.first.is_null() {
            return;
        }
        // SAFETY: objects on a list are alive, and only the list uses their links.
        unsafe { (*other.last).next = self.first };
        if self.first.is_null() {
            self.last = other.last;
        }
        (self.first, self.drop) = (other.first, other.drop);
    }
}
