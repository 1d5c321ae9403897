//! Single flight: of all threads and tasks that ask for the same missing key, one computes it; none waits forever.
//!
//! | file | its one idea |
//! |---|---|
//! | `flight.rs` | one computation, and the list of those in progress |
//! | `waits.rs` | who waits for whom: the graph in which a deadlock is a cycle |
//! | `owner.rs` | who computes or waits: a thread, or a task of the caller |

#[expect(clippy::module_inception, reason = "the folder's main type")]
mod flight;
mod owner;
mod waits;

pub use flight::{Begin, Flight, Flights, StorePermit, Wait};
pub use owner::Owner;
