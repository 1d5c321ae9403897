//! Memory reclamation for data that is read without locks: epochs, hazard slots, retire lists.
//!
//! A reader enters a read section ([`read`]) by one plain store and finds things that others may unlink meanwhile. Whoever
//! unlinks something retires it; it is freed once no section that may have seen it is open, and no hazard slot holds its
//! address.
//!
//! | file | its one idea |
//! |---|---|
//! | `participant.rs` | what each thread shows to those who free memory: its epoch, its hazard slots |
//! | `guard.rs` | a read section, and addresses protected beyond it |
//! | `retire.rs` | frees what was unlinked, once no thread can be looking at it |
//! | `barrier.rs` | readers need no barrier, because those who free make all threads pass one |
//! | `fork_gate.rs` | a fork waits until no thread is in the middle of a change |
//!
//! Knows `sync` and `error`: addresses, not what lives there.

mod barrier;
mod fork_gate;
pub mod guard;
pub(crate) mod participant;
pub(crate) mod retire;

pub use fork_gate::without_fork;
pub(crate) use guard::fast_guard;
pub use guard::{Guard, read};
pub use participant::{MESSAGE, Participant, message, with_attached};
