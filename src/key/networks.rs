//! The networks of which this process has made fingerprints lately, so that a subsystem is noticed that has the
//! connections of its network the wrong way round: different cuts would share their results. (It may have fewer than
//! the fingerprint, if that was made with all.)
//!
//! A fingerprint does not tell what it was made of. One that another process made is not checked.

use super::fingerprint::{self, Fingerprint, Layout};
use crate::error::{Error, Result};
use crate::sync::Mutex;

/// The number of networks: each has one place by its fingerprint, and the last one there stays.
const PLACES: usize = 256;

#[derive(Clone, Copy)]
struct Network {
    fingerprint: Fingerprint,
    size: usize,
    connections: Fingerprint,
}

struct Networks([Option<Network>; PLACES]);

impl Networks {
    const NONE: Networks = Networks([None; PLACES]);
}

impl Default for Networks {
    fn default() -> Self {
        Self::NONE
    }
}

static KNOWN: Mutex<Networks> = Mutex::new(Networks::NONE);

fn place(fingerprint: &Fingerprint) -> usize {
    fingerprint.0[0] as usize % PLACES
}

fn digest(connections: impl Iterator<Item = u64>) -> Fingerprint {
    let mut hasher = blake3::Hasher::new();
    connections.for_each(|targets| _ = hasher.update(&targets.to_le_bytes()));
    Fingerprint(*hasher.finalize().as_bytes())
}

/// The identity of a network, as [`fingerprint::network`]. It is known from now on.
pub fn network(tpm: &[f64], layout: Layout, connections: &[u64], context: &[u8]) -> Result<Fingerprint> {
    let fingerprint = fingerprint::network(tpm, layout, connections, context)?;
    note(fingerprint, connections);
    Ok(fingerprint)
}

fn note(fingerprint: Fingerprint, connections: &[u64]) {
    let network = Network { fingerprint, size: connections.len(), connections: digest(connections.iter().copied()) };
    KNOWN.lock().0[place(&fingerprint)] = Some(network);
}

/// Fails if the network with this fingerprint is known, and has another number of nodes or these connections the other
/// way round. There is one set of nodes for each of `size` nodes.
pub(crate) fn check_network(fingerprint: &Fingerprint, size: usize, connections: Option<&[u64]>) -> Result<()> {
    let known = KNOWN.lock().0[place(fingerprint)];
    let Some(network) = known.filter(|network| network.fingerprint == *fingerprint) else { return Ok(()) };
    if network.size != size {
        return Err(Error::invalid(format!(
            "a state of {size} nodes; the network of this fingerprint has {}",
            network.size
        )));
    }
    let Some(given) = connections else { return Ok(()) };
    let sources = |node: usize| (0..size).map(|from| (given[from] >> node & 1) << from).sum();
    let is_transposed = digest((0..size).map(sources)) == network.connections;
    if is_transposed && digest(given.iter().copied()) != network.connections {
        return Err(Error::invalid(
            "for each node the nodes that act on it; expected the nodes on which it acts, as for the network's \
             fingerprint",
        ));
    }
    Ok(())
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    use super::*;

    #[test]
    fn connections_the_wrong_way_round_are_refused() {
        let fingerprint = Fingerprint([77; 32]);
        let check = |size, given| check_network(&fingerprint, size, given).map_err(|error| error.to_string());
        assert_eq!(check(2, Some(&[0b00, 0b11])), Ok(()), "a fingerprint of another process");
        note(fingerprint, &[0b10, 0b10]);
        assert!(check(2, Some(&[0b00, 0b11])).unwrap_err().starts_with("for each node the nodes that act on it"));
        let others: [Option<&[u64]>; 4] = [Some(&[0b10, 0b10]), Some(&[0b10, 0b00]), Some(&[0b11, 0b11]), None];
        others.into_iter().for_each(|given| assert_eq!(check(2, given), Ok(()), "{given:?}"));
        assert!(check(3, None).unwrap_err().contains("a state of 3 nodes; the network of this fingerprint has 2"));
        // The same both ways.
        note(fingerprint, &[0b10, 0b11]);
        assert_eq!(check(2, Some(&[0b10, 0b11])), Ok(()));
        // Another network takes its place.
        let mut other = fingerprint;
        other.0[31] = 0;
        note(other, &[0b11]);
        assert_eq!(check(3, None), Ok(()));
    }
}
