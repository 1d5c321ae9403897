//! Single flight: of all threads and tasks that ask for the same missing key, one computes it; none waits forever.
//!
//! | file | its one idea |
//! |---|---|
//! | `flights.rs` | who computes a key, and how a computation ends: the rules |
//! | `flight.rs` | one computation in progress |
//! | `waits.rs` | who waits for whom: the graph in which a deadlock is a cycle |
//! | `key.rs` | a copy of a key |
//! | `owner.rs` | who computes or waits: a thread, or a task of the caller |
//!
//! Generic over the value that is computed. Knows `sync`, `error`, and of `epoch` the number of a thread.

#[expect(clippy::module_inception, reason = "the folder's main type")]
mod flight;
mod flights;
mod key;
mod owner;
mod waits;

pub use flight::{Flight, Product, StorePermit, Wait};
pub use flights::{Begin, Flights};
pub use owner::Owner;
pub use waits::Waits;
