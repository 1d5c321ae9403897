//! Single flight for caches: the result of a computation is an entry, and what the table did with it.

use crate::flight::{self, Product, Waits};
use crate::table::{Hashed, Inserted, Pinned};

/// A computed value, and what the table did with it; `None` if it was not offered to one.
#[derive(Clone)]
pub struct Computed {
    /// The value.
    pub entry: Pinned,
    /// What the table did with it.
    pub inserted: Option<Inserted>,
}

/// A computation in progress.
pub type Flight = flight::Flight<Computed>;
/// The computations in progress of one cache.
pub type Flights = flight::Flights<Computed>;
/// Who computes a key.
pub type Begin<V> = flight::Begin<V, Computed>;
/// The end of a wait.
pub type Wait = flight::Wait<Computed>;
/// Whether a computed value may be stored; if another was first, what the table did with that one.
pub type StorePermit = flight::StorePermit<Inserted>;

/// What caches ask of a computation in progress.
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
