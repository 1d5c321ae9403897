//! A subsystem: the identity of the uncut system, and its cut, if there is one.

use super::cut::Cut;
use super::nodes::{Direction, NODES_MAX, NodeSet};
use crate::error::{Error, Result};
use crate::key::{Fingerprint, KeyWriter, check_network};

/// A candidate system of a network in a state.
#[derive(Debug, Clone)]
pub struct Subsystem {
    fingerprint: Fingerprint,
    size: usize,
    nodes: NodeSet,
    /// The targets of each node in the network; all nodes, if the caller does not say.
    connections: [NodeSet; NODES_MAX],
    cut: Option<Cut>,
    /// The connections of each node that exist and are severed: the part of a cut that keys contain.
    severed: [NodeSet; NODES_MAX],
    /// The nodes with such connections.
    severed_from: NodeSet,
}

impl Subsystem {
    /// The subsystem of these nodes of `network` in `state`, under `cut`.
    ///
    /// The network's connections are optional. With them, a cut-scoped key leaves out severed connections that never
    /// existed, so that more cuts share their results. A system without nodes is one too: all its results are trivial.
    pub fn new(
        network: &Fingerprint,
        state: &[i32],
        nodes: NodeSet,
        connections: Option<&[NodeSet]>,
        cut: Option<Cut>,
    ) -> Result<Self> {
        let size = state.len();
        if size == 0 || size > NODES_MAX {
            return Err(Error::invalid(format!("a state of {size} nodes; expected 1 to {NODES_MAX}")));
        }
        if let Some((node, value)) = state.iter().enumerate().find(|(_, value)| !matches!(value, 0 | 1)) {
            return Err(Error::invalid(format!("node {node} is in state {value}; expected 0 (OFF) or 1 (ON)")));
        }
        if let Some(node) = NodeSet(nodes.0 & !NodeSet::first(size).0).indices().next() {
            return Err(Error::invalid(format!(
                "the subsystem {:#x} has node {node}, but the state is that of a network of {size} nodes; expected a \
                 state with one entry for each node of the network, and some of its nodes",
                nodes.0
            )));
        }
        let mut all = [NodeSet::first(size); NODES_MAX];
        if let Some(given) = connections {
            if let Some((node, targets)) = given.iter().enumerate().find(|(_, targets)| !targets.is_subset(all[0])) {
                return Err(Error::invalid(format!(
                    "node {node} is connected to {:#x}, beyond the network's {size} nodes",
                    targets.0
                )));
            }
            if given.len() != size {
                return Err(Error::invalid(format!("connections of {} nodes; the network has {size}", given.len())));
            }
            all[..size].copy_from_slice(given);
        }
        let given = all.map(|targets| targets.0);
        check_network(network, size, connections.map(|_| &given[..size]))?;
        let fingerprint = crate::key::subsystem(network, state, nodes.0);
        let severed = [NodeSet(0); NODES_MAX];
        Subsystem { fingerprint, size, nodes, connections: all, cut: None, severed, severed_from: NodeSet(0) }
            .under(cut)
    }

    /// The same system under another cut, or uncut.
    pub fn under(&self, cut: Option<Cut>) -> Result<Self> {
        if let Some(cut) = cut.as_ref().filter(|cut| cut.size() != self.size) {
            return Err(Error::invalid(format!(
                "the cut is one of {} nodes; expected one of the whole network, which has {}",
                cut.size(),
                self.size
            )));
        }
        let mut other = Subsystem { severed: [NodeSet(0); NODES_MAX], severed_from: NodeSet(0), ..self.clone() };
        for (node, targets) in cut.iter().flat_map(|cut| cut.severed().iter().enumerate()) {
            other.severed[node] = targets.and(self.connections[node]);
            other.severed_from.0 |= u64::from(!other.severed[node].is_empty()) << node;
        }
        other.cut = cut;
        Ok(other)
    }

    /// The identity of the uncut system: network and context, state, nodes.
    pub fn fingerprint(&self) -> &Fingerprint {
        &self.fingerprint
    }

    /// The identity of the system under its cut, if there is one.
    pub fn cut_fingerprint(&self) -> Fingerprint {
        match &self.cut {
            None => self.fingerprint,
            Some(cut) => crate::key::cut(&self.fingerprint, cut.severed().iter().map(|targets| targets.0)),
        }
    }

    /// Fails unless MICE may be inherited from `parent`: it must be the same system, uncut.
    pub fn check_parent(&self, parent: &Self) -> Result<()> {
        if parent.cut.is_some() {
            return Err(Error::invalid("the parent's subsystem is cut; only an uncut one has MICE to inherit"));
        }
        if parent.fingerprint != self.fingerprint {
            return Err(Error::invalid(
                "the parent belongs to another system; network, context, state and nodes must be the same",
            ));
        }
        Ok(())
    }

    /// The number of nodes of the network.
    pub fn size(&self) -> usize {
        self.size
    }

    /// The nodes of the subsystem.
    pub fn nodes(&self) -> NodeSet {
        self.nodes
    }

    /// The cut, if there is one.
    pub fn cut(&self) -> Option<&Cut> {
        self.cut.as_ref()
    }

    /// Fails if a mechanism or a purview has nodes that are not in the subsystem.
    #[inline]
    pub fn check(&self, mechanism: NodeSet, purview: NodeSet) -> Result<()> {
        mechanism.check_within(self.nodes, "the mechanism", "subsystem")?;
        purview.check_within(self.nodes, "the purview", "subsystem")
    }

    /// Whether a MICE of the uncut system may differ here.
    #[inline]
    pub fn damages(&self, direction: Direction, mechanism: NodeSet, purview: NodeSet) -> bool {
        self.cut.as_ref().is_some_and(|cut| cut.damages(direction, mechanism, purview))
    }

    /// Writes the cut-scoped key of a value that is computed from a mechanism and a purview: (prefix, direction,
    /// mechanism, purview), followed by the severed connections between the two, if there are any. All cuts of a system
    /// that sever the same ones have the same key. So have the uncut system and all cuts that sever none. Fails if the
    /// mechanism or the purview has nodes that are not in the subsystem.
    #[inline]
    pub fn key(
        &self,
        buffer: &mut [u8],
        prefix: Option<&str>,
        direction: Direction,
        mechanism: NodeSet,
        purview: NodeSet,
    ) -> Result<usize> {
        self.check(mechanism, purview)?;
        let mut key = KeyWriter::new(buffer);
        key.head_with_purview(prefix, direction as u8, mechanism.0, purview.0);
        let (from, to) = direction.order(mechanism, purview);
        let rows = || from.and(self.severed_from).indices().map(|node| (node, self.severed[node % NODES_MAX].and(to)));
        let rows = || rows().filter(|(_, targets)| !targets.is_empty());
        let count = rows().count();
        if count > 0 {
            key.pieces(count, rows().map(|(node, targets)| row_bytes(node, targets)));
        }
        key.finish()
    }
}

/// A node and the targets from which it is severed.
fn row_bytes(node: usize, targets: NodeSet) -> [u8; 9] {
    let mut bytes = [node as u8; 9];
    bytes[1..].copy_from_slice(&targets.0.to_le_bytes());
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::repertoire;

    fn key(subsystem: &Subsystem, direction: Direction, mechanism: u64, purview: u64) -> Vec<u8> {
        let mut buffer = [0; 768];
        let len = subsystem.key(&mut buffer, Some("r"), direction, NodeSet(mechanism), NodeSet(purview)).unwrap();
        buffer[..len].to_vec()
    }

    fn uncut(connections: Option<&[NodeSet]>) -> Subsystem {
        Subsystem::new(&Fingerprint([1; 32]), &[0, 1, 0], NodeSet(7), connections, None).unwrap()
    }

    fn bipartition(subsystem: &Subsystem, from: u64, to: u64) -> Subsystem {
        subsystem.under(Some(Cut::bipartition(3, NodeSet(from), NodeSet(to)).unwrap())).unwrap()
    }

    #[test]
    fn a_key_contains_only_the_severed_connections_between_mechanism_and_purview() {
        let system = uncut(None);
        let (a, b) = (bipartition(&system, 0b001, 0b110), bipartition(&system, 0b011, 0b100));
        // Effect of node 0 on node 2: both cuts sever 0 -> 2 and nothing else that matters.
        assert_eq!(key(&a, Direction::Effect, 1, 4), key(&b, Direction::Effect, 1, 4));
        assert_ne!(key(&a, Direction::Effect, 1, 4), key(&system, Direction::Effect, 1, 4));
        // Effect of node 0 on node 1: only the first cut severs 0 -> 1.
        assert_ne!(key(&a, Direction::Effect, 1, 2), key(&b, Direction::Effect, 1, 2));
        // Cause of node 0 in node 2: no cut severs 2 -> 0.
        assert_eq!(key(&a, Direction::Cause, 1, 4), key(&system, Direction::Cause, 1, 4));
        let mut plain = [0; 64];
        let len = repertoire(&mut plain, Some("r"), Direction::Cause as u8, 1, 4).unwrap();
        assert_eq!(key(&system, Direction::Cause, 1, 4), plain[..len]);
    }

    #[test]
    fn connections_that_never_existed_are_left_out() {
        let system = uncut(Some(&[NodeSet(0b010), NodeSet(0b100), NodeSet(0b001)]));
        let cut = bipartition(&system, 0b001, 0b110);
        assert_eq!(key(&cut, Direction::Effect, 1, 4), key(&system, Direction::Effect, 1, 4));
        assert_ne!(key(&cut, Direction::Effect, 1, 2), key(&system, Direction::Effect, 1, 2));
        // The damage rule ignores the network's connections.
        assert!(cut.damages(Direction::Effect, NodeSet(1), NodeSet(4)));
    }

    #[test]
    fn different_severed_connections_never_share_a_key() {
        let system = uncut(None);
        let mut seen = std::collections::HashMap::new();
        for masks in 0..512u64 {
            let rows = [0, 3, 6].map(|shift| NodeSet(masks >> shift & 7));
            let cut = system.under(Some(Cut::from_masks(&rows).unwrap())).unwrap();
            let other = seen.insert(key(&cut, Direction::Cause, 7, 7), masks);
            assert_eq!(other, None, "{masks}");
        }
    }
}
