//! Single flight: if many threads or tasks request a missing key, one computes it and the others wait. None waits
//! forever.
//!
//! | file | its one idea |
//! |---|---|
//! | `flights.rs` | the computations of one cache: begin, complete, fail, invalidate |
//! | `flight.rs` | one computation in progress |
//! | `waits.rs` | the graph of which owner waits for which, in which a deadlock is a cycle |
//! | `stopwatch.rs` | how long one computation takes, without waits |
//! | `owner.rs` | an owner: a thread, or a task of the caller, that computes or waits |
//!
//! Caches use [`Flights`], which is generic over the computed value. Imports `sync`, `error`, and of `epoch` the
//! number of a thread and the time that it has waited.

#[expect(clippy::module_inception, reason = "the folder's main type")]
mod flight;
mod flights;
mod owner;
mod stopwatch;
mod waits;

pub use flight::{Flight, Product, StorePermit, Wait};
pub use flights::{Begin, Flights};
pub use owner::Owner;
pub use stopwatch::waiting;
pub use waits::Waits;
