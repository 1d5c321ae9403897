//! Memory reclamation for data that is read without locks: epochs, hazard slots, retire lists.
//!
//! A reader enters a read section ([`read`]) by one plain store, and finds things that others may unlink meanwhile. A
//! thread that unlinks something retires it; it is freed once no section is open that may have seen it, and no hazard
//! slot holds its address.
//!
//! | file | its one idea |
//! |---|---|
//! | `participant.rs` | what one thread shows to those who free memory |
//! | `threads.rs` | the participants of all threads; the end of a thread, and forks |
//! | `guard.rs` | read sections, and addresses protected beyond them |
//! | `retire.rs` | when what was retired is freed |
//! | `retire_list.rs` | a list linked through what is on it |
//! | `hazard.rs` | hazard slots, and the set of protected addresses |
//! | `barrier.rs` | readers need no barrier, because those who free make all threads pass one |
//! | `fork_gate.rs` | a fork waits until no thread is in the middle of a change |
//! | `thread_slot.rs` | one pointer for each thread, and what runs when the thread ends |
//!
//! Knows `sync` and `error`; addresses, not what is there.

mod barrier;
mod fork_gate;
pub mod guard;
mod hazard;
mod participant;
pub(crate) mod retire;
mod retire_list;
mod thread_slot;
mod threads;

pub use fork_gate::without_fork;
pub(crate) use guard::fast_guard;
pub use guard::{Guard, read};
pub(crate) use hazard::{HazardSet, HazardSlot};
pub use participant::{MESSAGE, Participant};
pub use retire::flush;
pub(crate) use retire_list::RetireList;
pub(crate) use threads::{current, on_leave, participants, register};
pub use threads::{message, thread_number, with_attached};
