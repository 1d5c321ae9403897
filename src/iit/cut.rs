//! A cut: for each node, the mask of the targets to which its connection is severed.
//!
//! A bipartition, a matrix and PyPhi's K-partition are ways to make one; all other code sees only the masks. A cut that
//! severs nothing is still a cut.

use super::nodes::{Direction, NODES_MAX, NodeSet};
use crate::error::{Error, Result};
use crate::key::Layout;

/// The severed connections of a network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cut {
    size: usize,
    severed: [NodeSet; NODES_MAX],
    /// The nodes with severed connections: usually few.
    sources: NodeSet,
}

impl Cut {
    /// A cut of a network of `size` nodes that severs nothing.
    fn nothing(size: usize) -> Result<Self> {
        if size == 0 || size > NODES_MAX {
            return Err(Error::invalid(format!("{size} nodes; expected 1 to {NODES_MAX}")));
        }
        Ok(Cut { size, severed: [NodeSet(0); NODES_MAX], sources: NodeSet(0) })
    }

    /// The cut with these severed targets, one mask for each node.
    pub fn from_masks(severed: &[NodeSet]) -> Result<Self> {
        let mut cut = Self::nothing(severed.len())?;
        for (node, targets) in severed.iter().enumerate() {
            if !targets.is_subset(NodeSet::first(cut.size)) {
                return Err(Error::invalid(format!(
                    "node {node} is severed from {:#x}, beyond the network's {} nodes",
                    targets.0, cut.size
                )));
            }
            cut.sever(NodeSet(1 << node), *targets);
        }
        Ok(cut)
    }

    /// The cut of all connections from the nodes `from` to the nodes `to`.
    pub fn bipartition(size: usize, from: NodeSet, to: NodeSet) -> Result<Self> {
        let mut cut = Self::nothing(size)?;
        cut.check(from, "the part where connections start")?;
        cut.check(to, "the part where connections end")?;
        if from.meets(to) {
            return Err(Error::invalid(format!(
                "the parts {:#x} and {:#x} of a bipartition overlap; expected disjoint ones",
                from.0, to.0
            )));
        }
        cut.sever(from, to);
        Ok(cut)
    }

    /// The cut of the connections from row to column where `matrix`, of `size` x `size`, is not zero.
    pub fn from_matrix(size: usize, matrix: &[u8], layout: Layout) -> Result<Self> {
        let mut cut = Self::nothing(size)?;
        if matrix.len() != size * size {
            return Err(Error::invalid(format!("a matrix of {} entries; expected {size} x {size}", matrix.len())));
        }
        for from in 0..size {
            for to in 0..size {
                let place = match layout {
                    Layout::RowMajor => from * size + to,
                    Layout::ColumnMajor => to * size + from,
                };
                if matrix[place] != 0 {
                    cut.sever(NodeSet(1 << from), NodeSet(1 << to));
                }
            }
        }
        Ok(cut)
    }

    /// PyPhi's cut by a K-partition. In each part, the nodes where connections start (the purview for a cause, the
    /// mechanism for an effect) are severed from all nodes of the partition in which the part's own connections do not
    /// end.
    pub fn partition(
        size: usize,
        direction: Direction,
        parts: impl Iterator<Item = (NodeSet, NodeSet)> + Clone,
    ) -> Result<Self> {
        let mut cut = Self::nothing(size)?;
        let (mut mechanisms, mut purviews) = (NodeSet(0), NodeSet(0));
        for (mechanism, purview) in parts.clone() {
            cut.check(mechanism, "a mechanism of the partition")?;
            cut.check(purview, "a purview of the partition")?;
            for (what, part, others) in [("mechanism", mechanism, &mut mechanisms), ("purview", purview, &mut purviews)]
            {
                if part.meets(*others) {
                    return Err(Error::invalid(format!(
                        "the {what} {:#x} of one part overlaps that of another part; expected disjoint parts",
                        part.0
                    )));
                }
                others.0 |= part.0;
            }
        }
        let nodes = NodeSet(mechanisms.0 | purviews.0);
        for (mechanism, purview) in parts {
            let (from, to) = direction.order(mechanism, purview);
            cut.sever(from, NodeSet(nodes.0 & !to.0));
        }
        Ok(cut)
    }

    fn sever(&mut self, from: NodeSet, to: NodeSet) {
        from.indices().for_each(|node| self.severed[node].0 |= to.0);
        self.sources.0 |= if to.is_empty() { 0 } else { from.0 };
    }

    fn check(&self, nodes: NodeSet, what: &str) -> Result<()> {
        match nodes.is_subset(NodeSet::first(self.size)) {
            true => Ok(()),
            false => Err(Error::invalid(format!("{what} {:#x} is beyond the network's {} nodes", nodes.0, self.size))),
        }
    }

    /// The number of nodes of the network.
    pub fn size(&self) -> usize {
        self.size
    }

    /// For each node, the targets to which its connection is severed.
    pub fn severed(&self) -> &[NodeSet] {
        &self.severed[..self.size]
    }

    /// Whether a MICE of this mechanism over this purview may differ under the cut: it severs a connection within the
    /// mechanism, or one from purview to mechanism (cause) or from mechanism to purview (effect).
    #[inline]
    pub fn damages(&self, direction: Direction, mechanism: NodeSet, purview: NodeSet) -> bool {
        // Connections within the mechanism start and end on the same sides as those between the two, so one test covers
        // both.
        let (from, to) = direction.order(mechanism, purview);
        let (from, to) = (NodeSet(from.0 | mechanism.0), NodeSet(to.0 | mechanism.0));
        from.and(self.sources).indices().any(|node| self.severed[node].meets(to))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_three_constructors_make_the_same_cut() {
        let cut = Cut::bipartition(3, NodeSet(0b001), NodeSet(0b110)).unwrap();
        assert_eq!(cut.severed(), [NodeSet(0b110), NodeSet(0), NodeSet(0)]);
        assert_eq!(Cut::from_matrix(3, &[0, 1, 1, 0, 0, 0, 0, 0, 0], Layout::RowMajor).unwrap(), cut);
        assert_eq!(Cut::from_matrix(3, &[0, 0, 0, 1, 0, 0, 1, 0, 0], Layout::ColumnMajor).unwrap(), cut);
        assert_eq!(Cut::from_masks(cut.severed()).unwrap(), cut);
        let parts = [(NodeSet(0b001), NodeSet(0b001)), (NodeSet(0b110), NodeSet(0b110))];
        let both = Cut::partition(3, Direction::Effect, parts.into_iter()).unwrap();
        assert_eq!(both.severed(), [NodeSet(0b110), NodeSet(0b001), NodeSet(0b001)]);
    }

    #[test]
    fn nodes_beyond_the_network_and_overlapping_parts_are_refused() {
        assert!(Cut::bipartition(2, NodeSet(0b100), NodeSet(1)).is_err());
        assert!(Cut::bipartition(2, NodeSet(0b11), NodeSet(1)).is_err());
        let overlapping = [(NodeSet(0b01), NodeSet(0b01)), (NodeSet(0b11), NodeSet(0b10))];
        assert!(Cut::partition(2, Direction::Effect, overlapping.into_iter()).is_err());
        let purviews = [(NodeSet(0b01), NodeSet(0b11)), (NodeSet(0b10), NodeSet(0b10))];
        assert!(Cut::partition(2, Direction::Cause, purviews.into_iter()).is_err());
        assert!(Cut::from_masks(&[]).is_err() && Cut::from_masks(&[NodeSet(0); 65]).is_err());
        assert!(Cut::from_masks(&[NodeSet(2)]).is_err());
        assert!(Cut::from_matrix(2, &[0; 3], Layout::RowMajor).is_err());
    }
}
