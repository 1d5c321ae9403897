//! The terms of integrated information theory (IIT) that caching depends on: nodes, directions, cuts, subsystems, MICE.
//!
//! | file | its one idea |
//! |---|---|
//! | `nodes.rs` | a set of nodes as a mask, and the two directions |
//! | `cut.rs` | a cut as one mask of severed targets per node, and what it damages |
//! | `subsystem.rs` | a system and its optional cut; keys that contain only the relevant part of the cut |
//! | `mice.rs` | a MICE (maximally irreducible cause or effect) as bytes, with version and checksum |
//!
//! This library does not compute φ (the irreducibility of a mechanism): callers do, and caches store the results.

mod cut;
mod mice;
mod nodes;
mod subsystem;

pub use cut::Cut;
pub use mice::{Mice, RECORD_HEADER};
pub use nodes::{Direction, NODES_MAX, NodeSet};
pub use subsystem::Subsystem;
