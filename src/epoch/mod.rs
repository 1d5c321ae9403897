//! Memory reclamation for data that is read without locks: epochs, hazard pointers, retire lists. The table uses it.
//!
//! A reader enters a read section ([`read`]) with one plain store. Other threads may unlink an object while it reads.
//! A thread that unlinks an object retires it. The object is freed once every section that may have seen it has ended
//! and no hazard slot holds its address.
//!
//! | file | its one idea |
//! |---|---|
//! | `participant.rs` | the state that one thread publishes to threads that free memory |
//! | `roster.rs` | the participants of all threads, and which of them a collection visits |
//! | `threads.rs` | a thread's participant, the end of a thread, forks |
//! | `guard.rs` | read sections, and addresses that stay protected after them |
//! | `retire.rs` | retiring objects, and collection: freeing those that no reader can reach |
//! | `retire_list.rs` | an intrusive list of retired objects |
//! | `hazard.rs` | hazard slots, and the set of addresses that they protect |
//! | `biased.rs` | a mutex that one thread locks by plain stores, until another thread comes |
//! | `token.rs` | by which a thread owns all its locks, until another thread revokes it |
//! | `barrier.rs` | an asymmetric barrier: readers need no fence, because the freeing thread fences all threads |
//! | `fork_gate.rs` | a fork waits until no thread is in the middle of a change |
//! | `thread_slot.rs` | one pointer for each thread, and a function that runs when the thread ends |
//!
//! Imports `sync` and `error`. Objects are untyped addresses here.

mod barrier;
mod biased;
mod fork_gate;
pub mod guard;
mod hazard;
mod participant;
pub(crate) mod retire;
mod retire_list;
mod roster;
mod thread_slot;
mod threads;
mod token;

pub(crate) use biased::{Biased, BiasedGuard};
pub use fork_gate::{Changing, without_fork};
pub(crate) use guard::fast_guard;
pub use guard::{Guard, read};
pub(crate) use hazard::{HazardSet, HazardSlot};
pub use participant::{MESSAGE, Participant};
pub use retire::flush;
pub(crate) use retire_list::RetireList;
pub(crate) use threads::{current, on_leave, participants, protected, register};
pub use threads::{message, thread_number, with_attached};

/// Whether a condition comes true once what is retired is freed. A read section of another test may delay that.
#[cfg(test)]
pub(crate) fn eventually(mut is_so: impl FnMut() -> bool) -> bool {
    let end = std::time::Instant::now() + std::time::Duration::from_secs(120);
    while !is_so() {
        if std::time::Instant::now() > end {
            return false;
        }
        std::thread::sleep(std::time::Duration::from_millis(1));
        flush();
    }
    true
}
