//! The standard keys, written directly into a buffer: they equal the builder's keys of the same arguments, in a
//! buffer of any length, with no byte written beyond the key. The cut-scoped key contains the severed connections
//! that exist.
#![no_main]

use libfuzzer_sys::fuzz_target;
use phicache::error::{Error, Result};
use phicache::iit::{Cut, Direction, NodeSet, Subsystem};
use phicache::key::{Element, Fingerprint, KeyBuilder, mice, repertoire};
use phicache_fuzz::Input;

/// Writes into a buffer of `capacity` bytes and compares the result with `expected`.
fn check(expected: &[u8], capacity: usize, write: impl FnOnce(&mut [u8]) -> Result<usize>) {
    let mut buffer = vec![0xA5; capacity + 8];
    match write(&mut buffer[..capacity]) {
        Ok(len) => {
            assert_eq!(&buffer[..len], expected);
            assert!(buffer[len..].iter().all(|byte| *byte == 0xA5), "bytes behind the key have changed");
        }
        Err(error) => {
            assert_eq!(error, Error::BufferTooSmall { needed: expected.len(), capacity });
            assert!(capacity < expected.len());
            assert!(buffer[capacity..].iter().all(|byte| *byte == 0xA5), "bytes behind the buffer have changed");
        }
    }
}

fn head(prefix: Option<&str>, direction: Direction, mechanism: u64) -> KeyBuilder {
    let mut key = KeyBuilder::new();
    key.add(prefix.map_or(Element::None, Element::String)).unwrap();
    key.add(Element::Direction(direction as u8)).unwrap();
    key.add(Element::Nodes(mechanism)).unwrap();
    key
}

fuzz_target!(|data: &[u8]| {
    let mut input = Input::new(data);
    let len = input.below(80).into();
    let prefix = input.flag().then(|| input.text(len));
    let prefix = prefix.as_deref();
    let direction = Direction::from_number(input.below(2).into()).unwrap();
    let (mechanism, purview) = (input.number(), input.number());
    let capacity = usize::from(input.byte()) * 4;

    let mut key = head(prefix, direction, mechanism);
    key.add(Element::Nodes(purview)).unwrap();
    check(key.key(false).unwrap(), capacity, |buffer| repertoire(buffer, prefix, direction as u8, mechanism, purview));

    let candidates: Option<Vec<u64>> = input.flag().then(|| (0..input.below(20)).map(|_| input.number()).collect());
    let mut key = head(prefix, direction, mechanism);
    match &candidates {
        None => key.add(Element::None).unwrap(),
        Some(candidates) => {
            key.begin_tuple().unwrap();
            candidates.iter().for_each(|candidate| key.add(Element::Nodes(*candidate)).unwrap());
            key.end_tuple().unwrap();
        }
    }
    check(key.key(false).unwrap(), capacity, |buffer| {
        mice(buffer, prefix, direction as u8, mechanism, candidates.as_deref())
    });

    let size = usize::from(input.below(64)) + 1;
    let all = NodeSet::first(size);
    let rows = |input: &mut Input| (0..size).map(|_| NodeSet(input.number()).and(all)).collect::<Vec<_>>();
    let connections = input.flag().then(|| rows(&mut input));
    let severed = input.flag().then(|| rows(&mut input));
    let cut = severed.as_deref().map(|severed| Cut::from_masks(severed).unwrap());
    let state = vec![0; size];
    let system = Subsystem::new(&Fingerprint([7; 32]), &state, all, connections.as_deref(), cut).unwrap();
    let outside = !NodeSet(mechanism | purview).is_subset(all);
    let refused = system.key(&mut [0; 1024], prefix, direction, NodeSet(mechanism), NodeSet(purview)).is_err();
    assert!(refused || !outside);
    let (mechanism, purview) = (mechanism & all.0, purview & all.0);
    let (from, to) = direction.order(NodeSet(mechanism), NodeSet(purview));
    let mut cut_off = Vec::new();
    for node in from.indices() {
        let exist = connections.as_ref().map_or(all, |connections| connections[node]);
        let targets = severed.as_ref().map_or(NodeSet(0), |severed| severed[node].and(exist).and(to));
        if !targets.is_empty() {
            cut_off.push(node as u8);
            cut_off.extend_from_slice(&targets.0.to_le_bytes());
        }
    }
    let mut key = head(prefix, direction, mechanism);
    key.add(Element::Nodes(purview)).unwrap();
    if !cut_off.is_empty() {
        key.add(Element::Bytes(&cut_off)).unwrap();
    }
    check(key.key(false).unwrap(), capacity, |buffer| {
        system.key(buffer, prefix, direction, NodeSet(mechanism), NodeSet(purview))
    });
});
