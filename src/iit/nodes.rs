//! Sets of nodes as masks of 64 bits: bit k is node k.

use crate::error::{Error, Result};

pub use crate::key::NODES_MAX;

/// A set of nodes; bit k is node k.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[repr(transparent)]
pub struct NodeSet(pub u64);

impl NodeSet {
    /// The nodes 0 to `count` - 1.
    pub fn first(count: usize) -> Self {
        NodeSet(if count >= NODES_MAX { u64::MAX } else { (1 << count) - 1 })
    }

    /// The set of these indices, in any order; a repeated index counts once.
    pub fn from_indices(indices: &[i32]) -> Result<Self> {
        indices.iter().try_fold(NodeSet(0), |set, index| match index {
            0..64 => Ok(NodeSet(set.0 | 1 << index)),
            _ => Err(Error::invalid(format!("node {index}; expected 0 to {}", NODES_MAX - 1))),
        })
    }

    /// The indices of the nodes, ascending.
    pub fn indices(self) -> impl Iterator<Item = usize> {
        let mut rest = self.0;
        std::iter::from_fn(move || {
            let next = (rest != 0).then(|| rest.trailing_zeros() as usize)?;
            rest &= rest - 1;
            Some(next)
        })
    }

    /// The number of nodes.
    pub fn len(self) -> usize {
        self.0.count_ones() as usize
    }

    /// Whether there is no node.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether all nodes are in `other` too.
    pub fn is_subset(self, other: Self) -> bool {
        self.0 & !other.0 == 0
    }

    /// The nodes in both sets.
    pub fn and(self, other: Self) -> Self {
        NodeSet(self.0 & other.0)
    }

    /// Fails, and says `what` this set is, unless all its nodes are among `all`, the nodes of a `place`.
    #[inline]
    pub fn check_within(self, all: Self, what: &str, place: &str) -> Result<()> {
        if self.is_subset(all) { Ok(()) } else { Err(self.outside(all, what, place)) }
    }

    #[cold]
    fn outside(self, all: Self, what: &str, place: &str) -> Error {
        let stray = NodeSet(self.0 & !all.0).indices().next().unwrap_or_default();
        Error::invalid(format!(
            "{what} {:#x} has node {stray}, which is not in the {place}; expected a subset of {:#x}",
            self.0, all.0
        ))
    }

    /// Whether the sets have a node in common.
    pub fn meets(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }
}

/// The direction in which a mechanism constrains a purview.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Direction {
    /// The past state of the purview.
    Cause = 0,
    /// The future state of the purview.
    Effect = 1,
}

impl Direction {
    /// The direction with this number in the C API.
    pub fn from_number(number: i32) -> Result<Self> {
        match number {
            0 => Ok(Direction::Cause),
            1 => Ok(Direction::Effect),
            _ => Err(Error::invalid(format!("direction {number}; expected 0 (cause) or 1 (effect)"))),
        }
    }

    /// The sides on which the relevant connections between mechanism and purview start and end.
    #[inline]
    pub fn order(self, mechanism: NodeSet, purview: NodeSet) -> (NodeSet, NodeSet) {
        match self {
            Direction::Cause => (purview, mechanism),
            Direction::Effect => (mechanism, purview),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn indices_and_masks_agree() {
        let set = NodeSet::from_indices(&[5, 0, 63, 5]).unwrap();
        assert_eq!(set.indices().collect::<Vec<_>>(), [0, 5, 63]);
        assert_eq!((set.len(), NodeSet::first(64).len(), NodeSet::first(3).0), (3, 64, 7));
        assert!(NodeSet::from_indices(&[64]).is_err() && NodeSet::from_indices(&[-1]).is_err());
    }
}
