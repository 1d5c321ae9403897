//! Fingerprints: BLAKE3-256 of everything a cached result depends on.
//!
//! Programs that share a Redis server, and holders of a shared cache, read each other's values if their fingerprints
//! are equal. So the context, which says how results are computed, is part of a fingerprint and cannot be left out.

use crate::error::{Error, Result};
use crate::key::element::canonical;

/// The most nodes of a node set, and so of a network.
pub const NODES_MAX: usize = u64::BITS as usize;

/// The identity of a network or of a subsystem.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint(pub [u8; 32]);

/// The memory layout of a matrix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// Row after row, as in C and NumPy.
    RowMajor,
    /// Column after column, as in Julia and Fortran.
    ColumnMajor,
}

const NETWORK: &str = "phicache 2026-11 network fingerprint 1";
const SUBSYSTEM: &str = "phicache 2026-11 subsystem fingerprint 1";
const CONTEXT: &str = "phicache 2026-11 context fingerprint 1";
const MICE: &str = "phicache 2026-11 MICE fingerprint 1";
const SHARED: &str = "phicache 2026-11 shared fingerprint 1";
const CUT: &str = "phicache 2026-11 cut fingerprint 1";

/// The identity of a network: its transition probabilities state by node (`tpm`), its connections, and the context in
/// which results about it are computed. `tpm` has one column for each node and one row for each state; in the state of
/// row number r, node k is bit k of r.
pub fn network(tpm: &[f64], layout: Layout, connections: &[u64], context: &[u8]) -> Result<Fingerprint> {
    let nodes = connections.len();
    if context.is_empty() {
        return Err(Error::invalid(
            "the context is empty; it must say how results are computed (algorithm, measure, settings, version)",
        ));
    }
    let rows = states(nodes)?;
    if tpm.len() != rows * nodes {
        return Err(Error::invalid(format!(
            "a TPM of {} numbers; {nodes} nodes have {rows} states x {nodes} nodes",
            tpm.len()
        )));
    }
    let all = u64::MAX >> (NODES_MAX - nodes);
    let mut hasher = blake3::Hasher::new_derive_key(NETWORK);
    hasher.update(&(nodes as u64).to_le_bytes());
    let mut block = [0u8; 64 * 8];
    for row in 0..rows {
        for node in 0..nodes {
            let place = match layout {
                Layout::RowMajor => row * nodes + node,
                Layout::ColumnMajor => node * rows + row,
            };
            let probability = tpm[place];
            let bits = canonical(probability);
            // A negative one has the highest bit. A processor may take subnormal numbers for zero, also negative ones.
            if bits >> 63 != 0 || !(0.0..=1.0).contains(&probability) {
                return Err(Error::invalid(format!(
                    "the TPM has {probability:?} for node {node} in row {row}; expected a probability, 0 to 1"
                )));
            }
            block[node * 8..][..8].copy_from_slice(&bits.to_le_bytes());
        }
        hasher.update(&block[..nodes * 8]);
    }
    for (node, targets) in connections.iter().enumerate() {
        if targets & !all != 0 {
            return Err(Error::invalid(format!(
                "node {node} is connected to {:#x}, beyond the network's {nodes} nodes",
                targets
            )));
        }
        hasher.update(&targets.to_le_bytes());
    }
    hasher.update(&(context.len() as u64).to_le_bytes());
    hasher.update(context);
    Ok(Fingerprint(*hasher.finalize().as_bytes()))
}

/// The identity of values that depend on nothing but their keys and the context in which they are computed.
pub fn context(context: &[u8]) -> Result<Fingerprint> {
    if context.is_empty() {
        return Err(Error::invalid(
            "the context is empty; it must say what the values are and how they are computed (algorithm, settings, \
             version)",
        ));
    }
    Ok(Fingerprint(blake3::derive_key(CONTEXT, context)))
}

/// The identity of the MICE of a subsystem, given with its cut, in the context in which they are computed.
pub(crate) fn mice_of(subsystem: &Fingerprint, context: &[u8]) -> Result<Fingerprint> {
    in_context(MICE, subsystem, context)
}

/// The identity of the values of a shared cache, which has one itself, in the context in which they are computed.
pub(crate) fn shared_of(identity: &Fingerprint, context: &[u8]) -> Result<Fingerprint> {
    in_context(SHARED, identity, context)
}

fn in_context(kind: &str, identity: &Fingerprint, context: &[u8]) -> Result<Fingerprint> {
    let context = self::context(context)?;
    let mut hasher = blake3::Hasher::new_derive_key(kind);
    hasher.update(&identity.0).update(&context.0);
    Ok(Fingerprint(*hasher.finalize().as_bytes()))
}

/// The number of rows of the TPM of `nodes` nodes.
pub fn states(nodes: usize) -> Result<usize> {
    if nodes == 0 || nodes > NODES_MAX {
        return Err(Error::invalid(format!("{nodes} nodes; expected 1 to {NODES_MAX}")));
    }
    let bytes = 1usize.checked_shl(nodes as u32).and_then(|rows| rows.checked_mul(nodes * 8));
    match bytes {
        Some(bytes) if nodes < 60 && bytes <= isize::MAX as usize => Ok(1 << nodes),
        _ => Err(Error::invalid(format!("a TPM of {nodes} nodes exceeds the address space"))),
    }
}

/// The identity of a subsystem: its network, the network's state, and its nodes, without a cut.
pub(crate) fn subsystem(network: &Fingerprint, state: &[i32], nodes: u64) -> Fingerprint {
    let mut hasher = blake3::Hasher::new_derive_key(SUBSYSTEM);
    hasher.update(&network.0);
    hasher.update(&(state.len() as u64).to_le_bytes());
    for node in state {
        hasher.update(&node.to_le_bytes());
    }
    hasher.update(&nodes.to_le_bytes());
    Fingerprint(*hasher.finalize().as_bytes())
}

/// The identity of a subsystem under a cut, given as the severed targets of each node.
pub(crate) fn cut(subsystem: &Fingerprint, severed: impl Iterator<Item = u64>) -> Fingerprint {
    let mut hasher = blake3::Hasher::new_derive_key(CUT);
    hasher.update(&subsystem.0);
    severed.for_each(|targets| {
        hasher.update(&targets.to_le_bytes());
    });
    Fingerprint(*hasher.finalize().as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TPM: [f64; 8] = [0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7];
    const CONNECTIONS: [u64; 2] = [0b10, 0b01];

    fn of(tpm: &[f64], context: &[u8]) -> Fingerprint {
        network(tpm, Layout::RowMajor, &CONNECTIONS, context).unwrap()
    }

    #[test]
    fn a_fingerprint_ignores_layout_and_sign_of_zero_and_nothing_else() {
        let base = of(&TPM, b"L1");
        let columns = [0.0, 0.2, 0.4, 0.6, 0.1, 0.3, 0.5, 0.7];
        assert_eq!(network(&columns, Layout::ColumnMajor, &CONNECTIONS, b"L1").unwrap(), base);
        let mut negative = TPM;
        negative[0] = -0.0;
        assert_eq!(of(&negative, b"L1"), base);
        negative[0] = f64::MIN_POSITIVE;
        assert_ne!(of(&negative, b"L1"), base);
        assert_ne!(of(&TPM, b"EMD"), base);
        assert_ne!(network(&TPM, Layout::RowMajor, &[0b11, 0b01], b"L1").unwrap(), base);
    }

    #[test]
    fn an_invalid_network_is_refused() {
        for (tpm, connections, context) in [
            (&TPM[..], &CONNECTIONS[..], &b""[..]),
            (&TPM[..7], &CONNECTIONS[..], b"L1"),
            (&[][..], &[][..], b"L1"),
            (&TPM[..], &[0b100, 1][..], b"L1"),
            (&TPM[..], &[0u64; 65][..], b"L1"),
        ] {
            assert!(network(tpm, Layout::RowMajor, connections, context).is_err());
        }
    }

    #[test]
    fn an_entry_that_is_no_probability_is_refused_and_named() {
        let with = |entry| {
            let mut tpm = TPM;
            tpm[5] = entry;
            network(&tpm, Layout::RowMajor, &CONNECTIONS, b"L1")
        };
        for entry in [1.5, 1.0 + f64::EPSILON, -1e-300, f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            let message = with(entry).unwrap_err().to_string();
            let named = format!("{entry:?} for node 1 in row 2; expected a probability");
            assert!(message.contains(&named), "{message}");
        }
        for entry in [0.0, -0.0, f64::MIN_POSITIVE, 1.0] {
            assert!(with(entry).is_ok(), "{entry}");
        }
    }

    /// The example of `docs/keys.md`: values on disk and in Redis are found by these.
    #[test]
    fn fingerprints_are_those_of_the_page() {
        let network =
            network(&[0.0, -0.0, 0.0, 1.0, 1.0, 0.0, 1.0, 1.0], Layout::RowMajor, &CONNECTIONS, b"L1").unwrap();
        let subsystem = subsystem(&network, &[1, 0], 0b11);
        let cut = cut(&subsystem, [0b10, 0].into_iter());
        let page = include_str!("../../docs/keys.md");
        for (name, fingerprint) in [("network  ", network), ("subsystem", subsystem), ("cut      ", cut)] {
            let digits: String = fingerprint.0.iter().map(|byte| format!("{byte:02x}")).collect();
            assert!(page.contains(&format!("\n    {name} {digits}\n")), "{name} {digits}");
        }
    }

    #[test]
    fn subsystems_differ_by_network_state_and_nodes() {
        let network = of(&TPM, b"L1");
        let base = subsystem(&network, &[0, 1], 3);
        assert_ne!(subsystem(&of(&TPM, b"EMD"), &[0, 1], 3), base);
        assert_ne!(subsystem(&network, &[1, 0], 3), base);
        assert_ne!(subsystem(&network, &[0, 1], 1), base);
        assert_eq!(subsystem(&network, &[0, 1], 3), base);
    }
}
