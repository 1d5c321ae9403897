//! Many keys in one round trip: one pipeline for a server, one pipeline for each node of a cluster. All pipelines are
//! sent before a reply is read.
//!
//! A batch may fail in part: a node of the cluster is down, or a server runs out of memory half-way. The result
//! contains what was found, says for each key whether its reply arrived, and gives the failure behind the others.

use std::collections::HashMap;
use std::sync::Arc;

use resp::RedisResult;

use super::cluster::{Cluster, slot_of};
use super::connection::Connection;
use super::failure::{Answer, Cause, Failure};
use super::node::{Node, Operation, Session};
use super::reply::ValueSink;
use super::server::{Layout, Server, Store, queue_set};
use super::socket::Deadline;

/// The most keys of one command: the server does nothing else while it executes one.
const COMMAND: usize = 1000;

/// Packed commands are sent when they exceed this number of bytes.
const PACKED: usize = 1 << 20;

/// After its deadline, a batch may take this fraction of its time to read what nodes sent while it waited for another
/// one.
const LATE: u32 = 8;

/// The result of [`Server::get_many`].
#[derive(Debug, Default)]
pub struct Batch {
    /// The value of each key, in the order of the keys.
    pub values: Vec<Option<Vec<u8>>>,
    /// Why some values may be missing.
    pub failure: Option<Failure>,
}

/// The commands for the keys of one slot, and how their replies are read.
pub(super) trait Exchange {
    /// Packs the commands for the keys with these indices.
    fn ask(&self, connection: &mut Connection, keys: &[usize]) -> RedisResult<()>;
    /// Reads all replies to them, and marks the keys that were not refused as done. Replies before a failure may be
    /// read a second time.
    fn learn(&mut self, connection: &mut Connection, keys: &[usize], done: &mut [bool]) -> RedisResult<()>;
}

impl Server {
    /// The values of many keys.
    pub fn get_many(&self, keys: &[&[u8]]) -> Batch {
        let mut values = vec![Vec::new(); keys.len()];
        let (found, failure) = self.get_many_into(keys, &mut values);
        let values = found.into_iter().zip(values).map(|(found, value)| found.then_some(value)).collect();
        Batch { values, failure }
    }

    /// Reads the values of many keys into their sinks. Returns which keys have one, and why some may be missing. The
    /// other sinks are left undefined.
    pub fn get_many_into<P: ValueSink>(&self, keys: &[&[u8]], sinks: &mut [P]) -> (Vec<bool>, Option<Failure>) {
        let mut get = Get { keys, sinks, found: vec![false; keys.len()] };
        let (_, failure) = self.exchange("MGET", keys, &mut get);
        (get.found, failure)
    }

    /// Stores many values. Returns which ones are stored, and why the others are not. A value without a reply may be
    /// stored.
    pub fn set_many(&self, pairs: &[(&[u8], &[u8])], store: Store) -> (Vec<bool>, Option<Failure>) {
        let longest = pairs.iter().map(|(key, value)| key.len().max(value.len())).max();
        if let Err(failure) = self.check_size("SET", longest.unwrap_or(0)) {
            return (vec![false; pairs.len()], Some(failure));
        }
        let keys: Vec<&[u8]> = pairs.iter().map(|&(key, _)| key).collect();
        self.exchange("SET", &keys, &mut Set { pairs, store })
    }

    /// One round trip for all keys. Returns which ones are done, and why the others are not.
    pub(super) fn exchange(
        &self,
        name: &'static str,
        keys: &[&[u8]],
        exchange: &mut dyn Exchange,
    ) -> (Vec<bool>, Option<Failure>) {
        let mut done = vec![false; keys.len()];
        if keys.is_empty() {
            return (done, None);
        }
        let operation = self.operation(name, true);
        let answer = match &self.layout {
            Layout::Single(node) => {
                let all: Vec<usize> = (0..keys.len()).collect();
                node.call(operation, |connection| talk(connection, &all, exchange, &mut done))
            }
            Layout::Cluster(cluster) => in_cluster(cluster, operation, keys, exchange, &mut done),
        };
        (done, answer.err())
    }
}

/// Sends commands and reads replies, at one node.
fn talk(
    connection: &mut Connection,
    keys: &[usize],
    exchange: &mut dyn Exchange,
    done: &mut [bool],
) -> RedisResult<()> {
    exchange.ask(connection, keys)?;
    connection.send()?;
    exchange.learn(connection, keys, done)
}

/// The keys of a batch in one slot, by index.
type SlotKeys = (u16, Vec<usize>);

/// The keys of a batch at one node.
type NodeKeys = (Arc<Node>, Vec<SlotKeys>);

fn in_cluster(
    cluster: &Cluster,
    operation: Operation,
    keys: &[&[u8]],
    exchange: &mut dyn Exchange,
    done: &mut [bool],
) -> Answer<()> {
    let (by_node, mut result) = by_node(cluster, operation, keys);
    let mut again = Vec::new();
    let mut asked: Vec<(Session<'_>, RedisResult<()>, &[SlotKeys])> = Vec::new();
    for (node, parts) in &by_node {
        if operation.deadline.left().is_err() {
            break;
        }
        match node.open(operation) {
            Ok(mut session) => {
                let sent = ask_all(&mut session.connection, parts, exchange);
                asked.push((session, sent, parts));
            }
            Err(failure) => retry_or_fail(failure, parts, &mut again, &mut result),
        }
    }
    let mut late = None;
    for (mut session, sent, parts) in asked {
        if sent.is_ok() && operation.deadline.left().is_err() {
            // Another node took all the time. The replies of this one have arrived already.
            if session.connection.is_quiet() {
                session.abandon();
                continue;
            }
            let late = *late.get_or_insert_with(|| Deadline::after(operation.deadline.allowed() / LATE));
            session.connection.begin(late);
        }
        let mut missing = Vec::new();
        let mut learned = sent;
        for part in parts {
            if let Err(error) = exchange.learn(&mut session.connection, &part.1, done) {
                learned = learned.and(Err(error));
                missing.push(part.clone());
            }
        }
        if let Err(failure) = session.close(learned) {
            retry_or_fail(failure, &missing, &mut again, &mut result);
        }
    }
    for (slot, numbers) in again {
        let mut call =
            |numbers: &[usize]| cluster.call(slot, operation, |connection| talk(connection, numbers, exchange, done));
        result = result.and(match call(&numbers) {
            Err(failure) if is_split(&failure) => one_by_one(&numbers, call),
            answer => answer,
        });
    }
    if result.is_ok() && done.contains(&false) {
        let during = "other nodes took all the time";
        return Err(cluster.down(operation, Cause::TimedOut { after: operation.deadline.allowed(), during }));
    }
    result
}

/// The keys of each node, and the first failure to find the node of a slot.
fn by_node(cluster: &Cluster, operation: Operation, keys: &[&[u8]]) -> (Vec<NodeKeys>, Answer<()>) {
    let mut by_slot: HashMap<u16, Vec<usize>> = HashMap::new();
    for (number, key) in keys.iter().enumerate() {
        by_slot.entry(slot_of(key)).or_default().push(number);
    }
    let mut by_node: Vec<NodeKeys> = Vec::new();
    let mut result = Ok(());
    for (slot, numbers) in by_slot {
        match cluster.owner(slot, operation) {
            Ok(owner) => match by_node.iter_mut().find(|(node, _)| Arc::ptr_eq(node, &owner)) {
                Some((_, parts)) => parts.push((slot, numbers)),
                None => by_node.push((owner, vec![(slot, numbers)])),
            },
            Err(failure) => result = result.and(Err(failure)),
        }
    }
    (by_node, result)
}

fn ask_all(connection: &mut Connection, parts: &[SlotKeys], exchange: &dyn Exchange) -> RedisResult<()> {
    for (_, keys) in parts {
        exchange.ask(connection, keys)?;
    }
    connection.send()
}

/// Whether the keys of a migrating slot are at two nodes, so that each must be asked for alone.
fn is_split(failure: &Failure) -> bool {
    match &failure.cause {
        Cause::Refused { code, .. } => code == "TRYAGAIN",
        Cause::Elsewhere { .. } => true,
        _ => false,
    }
}

fn one_by_one(keys: &[usize], mut call: impl FnMut(&[usize]) -> Answer<()>) -> Answer<()> {
    let mut result = Ok(());
    for &key in keys {
        result = result.and(call(&[key]));
    }
    result
}

/// Decides about keys that failed at a node. They are tried again if that may help: keys move, idle connections die,
/// nodes are replaced. A node that was silent until the deadline, or that refused, is not asked again.
fn retry_or_fail(failure: Failure, parts: &[SlotKeys], again: &mut Vec<SlotKeys>, result: &mut Answer<()>) {
    match failure.cause {
        _ if is_split(&failure) => again.extend_from_slice(parts),
        Cause::TimedOut { .. } | Cause::Refused { .. } | Cause::Invalid(_) => {
            if result.is_ok() {
                *result = Err(failure);
            }
        }
        _ => again.extend_from_slice(parts),
    }
}

/// The keys of an MGET.
struct Get<'k, P> {
    keys: &'k [&'k [u8]],
    sinks: &'k mut [P],
    found: Vec<bool>,
}

impl<P: ValueSink> Exchange for Get<'_, P> {
    fn ask(&self, connection: &mut Connection, keys: &[usize]) -> RedisResult<()> {
        for keys in keys.chunks(COMMAND) {
            connection.queue_all([&b"MGET"[..]].into_iter().chain(keys.iter().map(|&number| self.keys[number])));
        }
        Ok(())
    }

    fn learn(&mut self, connection: &mut Connection, keys: &[usize], done: &mut [bool]) -> RedisResult<()> {
        let mut result = Ok(());
        for keys in keys.chunks(COMMAND) {
            let read = connection.receive_values(keys, self.sinks, &mut self.found);
            mark(keys, read.is_ok(), done);
            result = result.and(read);
        }
        result
    }
}

/// The pairs of an MSET; or of one SET for each key, if it expires or must be new.
struct Set<'p> {
    pairs: &'p [(&'p [u8], &'p [u8])],
    store: Store,
}

impl<'p> Set<'p> {
    /// The keys of each MSET: limited in number and in bytes.
    fn chunks<'k>(&self, keys: &'k [usize]) -> impl Iterator<Item = &'k [usize]> + use<'k, 'p> {
        let (pairs, mut rest) = (self.pairs, keys);
        std::iter::from_fn(move || {
            let mut bytes = 0;
            let fits = rest.iter().take(COMMAND).take_while(|number| {
                let fits = bytes < PACKED;
                bytes += pairs[**number].0.len() + pairs[**number].1.len();
                fits
            });
            let (chunk, left) = rest.split_at(fits.count());
            rest = left;
            (!chunk.is_empty()).then_some(chunk)
        })
    }

    /// Whether MSET can store them.
    fn is_plain(&self) -> bool {
        self.store == Store::default()
    }
}

impl Exchange for Set<'_> {
    fn ask(&self, connection: &mut Connection, keys: &[usize]) -> RedisResult<()> {
        if self.is_plain() {
            for keys in self.chunks(keys) {
                let arguments = keys.iter().flat_map(|&number| [self.pairs[number].0, self.pairs[number].1]);
                connection.queue_all([&b"MSET"[..]].into_iter().chain(arguments));
                connection.send_if_many(PACKED)?;
            }
            return Ok(());
        }
        for &number in keys {
            let (key, value) = self.pairs[number];
            queue_set(connection, key, value, self.store);
            connection.send_if_many(PACKED)?;
        }
        Ok(())
    }

    fn learn(&mut self, connection: &mut Connection, keys: &[usize], done: &mut [bool]) -> RedisResult<()> {
        let mut result = Ok(());
        let mut learn = |keys: &[usize]| {
            let stored = connection.receive_stored(self.store.only_new).map(drop);
            mark(keys, stored.is_ok(), done);
            if let (Ok(()), Err(error)) = (&result, stored) {
                result = Err(error);
            }
        };
        match self.is_plain() {
            true => self.chunks(keys).for_each(&mut learn),
            false => keys.chunks(1).for_each(&mut learn),
        }
        result
    }
}

/// Marks keys as done, or not.
fn mark(keys: &[usize], are_done: bool, done: &mut [bool]) {
    keys.iter().for_each(|&key| done[key] = are_done);
}

/// The keys of an UNLINK.
pub(super) struct Unlink<'k> {
    pub(super) keys: &'k [&'k [u8]],
    pub(super) removed: u64,
}

impl Exchange for Unlink<'_> {
    fn ask(&self, connection: &mut Connection, keys: &[usize]) -> RedisResult<()> {
        for keys in keys.chunks(COMMAND) {
            connection.queue_all([&b"UNLINK"[..]].into_iter().chain(keys.iter().map(|&number| self.keys[number])));
        }
        Ok(())
    }

    fn learn(&mut self, connection: &mut Connection, keys: &[usize], done: &mut [bool]) -> RedisResult<()> {
        let mut result = Ok(());
        for keys in keys.chunks(COMMAND) {
            let read = connection.receive_count_of(keys.len() as u64);
            mark(keys, read.is_ok(), done);
            match read {
                Ok(removed) => self.removed += removed,
                Err(error) => result = result.and(Err(error)),
            }
        }
        result
    }
}
