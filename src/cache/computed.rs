//! Single flight for caches: the result of a computation is a value, with what became of it.

use super::value::Value;
use crate::flight::{self, Product, Waits};
use crate::table::Hashed;

/// A computation in progress. Its value has the origin that it has for the caller that computed it.
pub type Flight = flight::Flight<Value>;
/// The computations in progress of one cache.
pub type Flights = flight::Flights<Value>;
/// Who computes a key.
pub type Begin<V> = flight::Begin<V, Value>;
/// The result of a wait.
pub type Wait = flight::Wait<Value>;
/// Whether a computed value may be stored.
pub type StorePermit = flight::StorePermit<Value>;

/// A method that caches add to a computation in progress.
pub trait InCache {
    /// The key, with its hash.
    fn hashed(&self) -> Hashed<'_>;
}

impl InCache for Flight {
    fn hashed(&self) -> Hashed<'_> {
        Hashed::with_hash(self.key(), self.hash())
    }
}

#[cfg(not(shuttle))]
static WAITS: Waits<Flight> = Waits::new();
#[cfg(shuttle)]
shuttle::lazy_static::lazy_static! {
    static ref WAITS: Waits<Flight> = Waits::new();
}

impl Product for Value {
    fn waits() -> &'static Waits<Flight> {
        &WAITS
    }
}
