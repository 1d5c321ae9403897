//! Single flight for caches: the result of a computation is an entry and the result of its insertion.

use crate::flight::{self, Product, Waits};
use crate::table::{Hashed, Inserted, Pinned};

/// A computed value and the result of its insertion; `None` if it was not inserted.
#[derive(Clone)]
pub struct Computed {
    /// The value.
    pub entry: Pinned,
    /// The result of its insertion.
    pub inserted: Option<Inserted>,
}

/// A computation in progress.
pub type Flight = flight::Flight<Computed>;
/// The computations in progress of one cache.
pub type Flights = flight::Flights<Computed>;
/// Who computes a key.
pub type Begin<V> = flight::Begin<V, Computed>;
/// The result of a wait.
pub type Wait = flight::Wait<Computed>;
/// Whether a computed value may be stored. If another value was first, the result of its insertion.
pub type StorePermit = flight::StorePermit<Inserted>;

/// Methods that caches add to a computation in progress.
pub trait InCache {
    /// The key, with its hash.
    fn hashed(&self) -> Hashed<'_>;

    /// Whether its value may be stored now.
    fn store_permit(&self) -> StorePermit;
}

impl InCache for Flight {
    fn hashed(&self) -> Hashed<'_> {
        Hashed::with_hash(self.key(), self.hash())
    }

    fn store_permit(&self) -> StorePermit {
        match self.permit() {
            flight::StorePermit::Granted => StorePermit::Granted,
            flight::StorePermit::Invalidated => StorePermit::Invalidated,
            flight::StorePermit::Late(first) => StorePermit::Late(first.and_then(|first| first.inserted)),
        }
    }
}

#[cfg(not(shuttle))]
static WAITS: Waits<Flight> = Waits::new();
#[cfg(shuttle)]
shuttle::lazy_static::lazy_static! {
    static ref WAITS: Waits<Flight> = Waits::new();
}

impl Product for Computed {
    fn waits() -> &'static Waits<Flight> {
        &WAITS
    }
}
