//! A cluster: which node has a key, and where to look when that changes.
//!
//! We do not use the redis crate's cluster connection. It opens connections itself, with a timeout for each read; it
//! sleeps between attempts; it sends a batch slot by slot; and when sending to one node fails, replies of the others
//! are left in its connections and read as the answers to later questions. We do use its parser of redirections.
//!
//! The slot map is fetched at the first use, and again when a node fails or says that a key has moved. Each node has
//! its own breaker: when one node dies, the keys of the others stay reachable.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use resp::{RedisResult, Value};

use super::connection::Connection;
use super::endpoint::Address;
use super::failure::{Answer, Cause, Failure};
use super::node::{Access, Node, Operation};
use crate::sync::RwLock;

/// The number of slots of every cluster.
const SLOTS: u16 = 16384;

/// The most redirections that one key follows.
const REDIRECTIONS: u32 = 5;

/// The shortest time between two requests for the slot map.
const REFRESH: Duration = Duration::from_millis(100);

/// The nodes of a cluster.
pub struct Cluster {
    access: Arc<Access>,
    /// The nodes that the endpoint lists.
    seeds: Vec<Arc<Node>>,
    map: RwLock<Map>,
    born: Instant,
    /// Microseconds since `born` from which the map may be requested again.
    refresh: AtomicU64,
}

/// Which node has which slot. Empty at first, and in the child of a fork during an update.
#[derive(Default)]
struct Map {
    nodes: Vec<Arc<Node>>,
    /// The index of each slot's node; empty if the map is unknown.
    owners: Vec<u16>,
}

impl Cluster {
    /// A cluster with some known nodes.
    pub fn new(access: Arc<Access>) -> Self {
        let seeds = access.endpoint.addresses.iter();
        let seeds = seeds.map(|address| Arc::new(Node::new(address.clone(), access.clone()))).collect();
        Cluster { access, seeds, map: RwLock::default(), born: Instant::now(), refresh: AtomicU64::new(0) }
    }

    /// The nodes that have slots.
    pub fn nodes(&self, operation: Operation) -> Answer<Vec<Arc<Node>>> {
        if self.map.read().nodes.is_empty() {
            self.ask_for_map(operation)?;
        }
        match self.map.read().nodes.clone() {
            none if none.is_empty() => Err(self.down(operation, no_owner("no node of the cluster has slots".into()))),
            nodes => Ok(nodes),
        }
    }

    /// All known nodes, with or without slots.
    pub fn known(&self) -> Vec<Arc<Node>> {
        let map = self.map.read();
        let listed = self.seeds.iter().filter(|seed| map.nodes.iter().all(|node| node.address() != seed.address()));
        map.nodes.iter().chain(listed).cloned().collect()
    }

    /// The node that has `slot`.
    pub fn owner(&self, slot: u16, operation: Operation) -> Answer<Arc<Node>> {
        if let Some(node) = self.map.read().owner(slot) {
            return Ok(node);
        }
        self.ask_for_map(operation)?;
        let owner = self.map.read().owner(slot);
        owner.ok_or_else(|| self.down(operation, no_owner(format!("no node of the cluster has slot {slot}"))))
    }

    /// A failure of no particular node.
    pub fn down(&self, operation: Operation, cause: Cause) -> Failure {
        Failure { operation: operation.name, server: self.seeds[0].name().clone(), cause }
    }

    /// Runs `speak` at the node that has `slot`, wherever the slot has moved.
    pub fn call<T>(
        &self,
        slot: u16,
        operation: Operation,
        speak: impl FnMut(&mut Connection) -> RedisResult<T>,
    ) -> Answer<T> {
        let followed = self.follow(slot, operation, speak);
        // A redirection is not a failure, unless it leads nowhere.
        followed.inspect_err(|failure| {
            if matches!(failure.cause, Cause::Elsewhere { .. }) {
                self.access.counters.went_astray(failure);
            }
        })
    }

    fn follow<T>(
        &self,
        slot: u16,
        operation: Operation,
        mut speak: impl FnMut(&mut Connection) -> RedisResult<T>,
    ) -> Answer<T> {
        let mut node = self.owner(slot, operation)?;
        let mut ask = false;
        let mut tries = 0;
        loop {
            let result = node.call(operation, |connection| {
                if ask {
                    connection.order(&[b"ASKING"])?;
                }
                speak(connection)
            });
            let Err(failure) = result else { return result };
            tries += 1;
            if tries > REDIRECTIONS || operation.deadline.left().is_err() {
                return Err(failure);
            }
            match &failure.cause {
                Cause::Elsewhere { at, asking, .. } => {
                    ask = *asking;
                    if !ask {
                        self.refresh(operation);
                    }
                    match self.node_at(at.reveal(), &node) {
                        Some(other) => node = other,
                        None => return Err(failure),
                    }
                }
                // The node may have been replaced.
                _ if failure.is_outage() => {
                    self.refresh(operation);
                    match self.map.read().owner(slot) {
                        Some(other) if !Arc::ptr_eq(&other, &node) => (node, ask) = (other, false),
                        _ => return Err(failure),
                    }
                }
                _ => return Err(failure),
            }
        }
    }

    /// Requests the map, unless another thread did just now. A failure is ignored: the old map is still there.
    fn refresh(&self, operation: Operation) {
        let now = self.born.elapsed().as_micros() as u64;
        let due = self.refresh.load(Relaxed);
        let next = now + REFRESH.as_micros() as u64;
        if now >= due && self.refresh.compare_exchange(due, next, Relaxed, Relaxed).is_ok() {
            let _ = self.ask_for_map(operation);
        }
    }

    /// Asks the nodes in turn; each gets its share of the time.
    fn ask_for_map(&self, operation: Operation) -> Answer<()> {
        let nodes = self.known();
        let mut result = None;
        for (asked, node) in nodes.iter().enumerate() {
            let Ok(deadline) = operation.deadline.part(nodes.len() - asked - 1) else { break };
            let operation = Operation { deadline, repeatable: true, ..operation };
            let answer = node.call(operation, |connection| {
                connection.queue(&[b"CLUSTER", b"SLOTS"]);
                connection.send()?;
                let slots = connection.receive()?;
                match read_slots(&slots, node.address()) {
                    Some(ranges) => Ok(ranges),
                    None => connection.garbled("its slot map of the cluster is malformed".into()),
                }
            });
            match answer {
                Ok(ranges) => {
                    self.draw(&ranges);
                    return Ok(());
                }
                Err(failure) => result = Some(failure),
            }
        }
        let during = "asking for the slot map of the cluster";
        let timed_out = || Cause::TimedOut { after: operation.deadline.allowed(), during };
        Err(result.unwrap_or_else(|| self.down(operation, timed_out())))
    }

    /// Builds a new map. Nodes that stay keep their connections.
    fn draw(&self, ranges: &[(u16, u16, Address)]) {
        let known = self.known();
        let known: HashMap<&Address, &Arc<Node>> = known.iter().map(|node| (node.address(), node)).collect();
        let mut map = Map { nodes: Vec::new(), owners: vec![u16::MAX; SLOTS.into()] };
        let mut numbers = HashMap::new();
        for (first, last, address) in ranges {
            let number = *numbers.entry(address).or_insert_with(|| {
                let node = known.get(address).map(|node| Arc::clone(node));
                map.nodes.push(node.unwrap_or_else(|| self.new_node(address)));
                map.nodes.len() - 1
            });
            map.owners[usize::from(*first)..=usize::from(*last)].fill(number as u16);
        }
        *self.map.write() = map;
    }

    fn new_node(&self, address: &Address) -> Arc<Node> {
        Arc::new(Node::new(address.clone(), self.access.clone()))
    }

    /// The node that `from` named: `host:port`, without a host if it is the same one.
    fn node_at(&self, name: &str, from: &Node) -> Option<Arc<Node>> {
        let (host, port) = name.rsplit_once(':')?;
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let address = on_host(host, port.parse().ok()?, from.address());
        let known = self.known().into_iter().find(|node| *node.address() == address);
        Some(known.unwrap_or_else(|| self.new_node(&address)))
    }
}

/// The cause of a failure for a slot without a node.
fn no_owner(text: String) -> Cause {
    Cause::Refused { code: "CLUSTERDOWN".into(), text }
}

impl Map {
    fn owner(&self, slot: u16) -> Option<Arc<Node>> {
        let number = *self.owners.get(usize::from(slot))?;
        self.nodes.get(usize::from(number)).cloned()
    }
}

/// Nodes that do not know their own name leave it out, or say `?`: then it is the address at which they were asked.
fn on_host(host: &str, port: u16, asked: &Address) -> Address {
    match asked {
        Address::Tcp(same, _) if host.is_empty() || host == "?" => Address::Tcp(same.clone(), port),
        _ => Address::Tcp(host.to_owned(), port),
    }
}

/// Parses the reply to CLUSTER SLOTS: the first and last slot of each range, and its primary.
fn read_slots(value: &Value, asked: &Address) -> Option<Vec<(u16, u16, Address)>> {
    let Value::Array(ranges) = value else { return None };
    let slot = |value: &Value| match value {
        Value::Int(slot) => u16::try_from(*slot).ok().filter(|&slot| slot < SLOTS),
        _ => None,
    };
    let range = |value: &Value| {
        let Value::Array(fields) = value else { return None };
        let [first, last, Value::Array(primary), ..] = &fields[..] else { return None };
        let (host, port) = match &primary[..] {
            [Value::BulkString(host), Value::Int(port), ..] => (std::str::from_utf8(host).ok()?, *port),
            [Value::Nil, Value::Int(port), ..] => ("", *port),
            _ => return None,
        };
        let (first, last) = (slot(first)?, slot(last)?);
        (first <= last).then_some((first, last, on_host(host, u16::try_from(port).ok()?, asked)))
    };
    // More ranges than slots overlap.
    (ranges.len() <= SLOTS.into()).then(|| ranges.iter().map(range).collect())?
}

/// The slot of a key: that of its hash tag (the bytes between the first `{` and the next `}`, if there are any), or of
/// all of it.
pub fn slot_of(key: &[u8]) -> u16 {
    let tag = key.iter().position(|&byte| byte == b'{').and_then(|open| {
        let rest = &key[open + 1..];
        rest.iter().position(|&byte| byte == b'}').filter(|&len| len > 0).map(|len| &rest[..len])
    });
    crc16(tag.unwrap_or(key)) % SLOTS
}

/// CRC-16 with the polynomial 0x1021, from 0 (XMODEM).
fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |crc, &byte| {
        (0..8).fold(crc ^ (u16::from(byte) << 8), |crc, _| (crc << 1) ^ if crc & 0x8000 == 0 { 0 } else { 0x1021 })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_those_of_the_specification() {
        assert_eq!(crc16(b"123456789"), 0x31C3);
        // As CLUSTER KEYSLOT answers.
        for (key, slot) in [("foo", 12182), ("", 0), ("{user1000}.following", 3443), ("foo{}{bar}", 8363)] {
            assert_eq!(slot_of(key.as_bytes()), slot, "{key}");
        }
        assert_eq!(slot_of(b"{user1000}.following"), slot_of(b"x{user1000}y{z}"));
        assert_eq!(slot_of(b"foo{{bar}}zap"), slot_of(b"{bar"));
    }

    #[test]
    fn a_valid_map_is_read_and_an_invalid_one_is_rejected() {
        let asked = Address::Tcp("here".into(), 1);
        let text = |text: &str| Value::BulkString(text.into());
        let range = |first, last, host, port| {
            let primary = Value::Array(vec![host, Value::Int(port), text("id")]);
            Value::Array(vec![Value::Int(first), Value::Int(last), primary, Value::Array(vec![text("replica")])])
        };
        let map =
            Value::Array(vec![range(0, 9, text("a"), 7), range(10, 16383, text(""), 8), range(3, 3, Value::Nil, 9)]);
        let at = |host: &str, port| Address::Tcp(host.into(), port);
        let expected = [(0, 9, at("a", 7)), (10, 16383, at("here", 8)), (3, 3, at("here", 9))];
        assert_eq!(read_slots(&map, &asked).unwrap(), expected);
        for bad in [range(0, 16384, text("a"), 7), range(-1, 2, text("a"), 7), range(5, 2, text("a"), 7), Value::Nil] {
            assert_eq!(read_slots(&Value::Array(vec![bad]), &asked), None);
        }
        assert_eq!(read_slots(&Value::Okay, &asked), None);
    }
}
