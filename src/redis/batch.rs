//! Many keys in one round trip: to one server as one pipeline, to a cluster as one pipeline per node, all sent before any
//! is read.
//!
//! Part of a batch may fail: one node of a cluster is down, or a server is full half-way. What could be done was done, what
//! was found is given, and of each key it is told whether its answer came; the failure beside it says why others did not.

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

/// Keys of one command at most: a server does nothing else while it answers one.
const COMMAND: usize = 1000;

/// Bytes that are packed before they are sent.
const PACKED: usize = 1 << 20;

/// The part of its time that a batch takes beyond it, to read what nodes have said while it waited for another.
const LATE: u32 = 8;

/// What a batch found.
#[derive(Debug, Default)]
pub struct Batch {
    /// The value of each key, in their order.
    pub values: Vec<Option<Vec<u8>>>,
    /// Why some are missing that may be there.
    pub failure: Option<Failure>,
}

/// How the keys of one slot are asked for, and how the replies are read.
pub(super) trait Exchange {
    /// Packs the commands for these keys, given by their numbers.
    fn ask(&self, connection: &mut Connection, keys: &[usize]) -> RedisResult<()>;
    /// Reads all replies to them, and marks the keys whose reply is no refusal as done. What was learned from replies that
    /// came before a failure may be learned again.
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

    /// The values of many keys, each in its place; tells which there are, and why some are missing that may be there. What
    /// is in the other places is of no use.
    pub fn get_many_into<P: ValueSink>(&self, keys: &[&[u8]], sinks: &mut [P]) -> (Vec<bool>, Option<Failure>) {
        let mut get = Get { keys, sinks, found: vec![false; keys.len()] };
        let (_, failure) = self.exchange("MGET", keys, &mut get);
        (get.found, failure)
    }

    /// Stores many values, whether their keys are new or not. Tells which are stored, and why others are not; where a
    /// server gave no answer, it may have stored them.
    pub fn set_many(&self, pairs: &[(&[u8], &[u8])], store: Store) -> (Vec<bool>, Option<Failure>) {
        let longest = pairs.iter().map(|(key, value)| key.len().max(value.len())).max();
        if let Err(failure) = self.check_size("SET", longest.unwrap_or(0)) {
            return (vec![false; pairs.len()], Some(failure));
        }
        let keys: Vec<&[u8]> = pairs.iter().map(|&(key, _)| key).collect();
        self.exchange("SET", &keys, &mut Set { pairs, store })
    }

    /// One round trip for all keys. Tells which are done, and why others are not.
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

/// Asks and learns, at one node.
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

/// The keys of a batch that are in one slot, by their numbers.
type Part = (u16, Vec<usize>);

fn in_cluster(
    cluster: &Cluster,
    operation: Operation,
    keys: &[&[u8]],
    exchange: &mut dyn Exchange,
    done: &mut [bool],
) -> Answer<()> {
    let mut by_slot: HashMap<u16, Vec<usize>> = HashMap::new();
    for (number, key) in keys.iter().enumerate() {
        by_slot.entry(slot_of(key)).or_default().push(number);
    }
    let mut result = Ok(());
    let mut again = Vec::new();
    let mut by_node: Vec<(Arc<Node>, Vec<Part>)> = Vec::new();
    for (slot, numbers) in by_slot {
        match cluster.owner(slot, operation) {
            Ok(owner) => match by_node.iter_mut().find(|(node, _)| Arc::ptr_eq(node, &owner)) {
                Some((_, parts)) => parts.push((slot, numbers)),
                None => by_node.push((owner, vec![(slot, numbers)])),
            },
            Err(failure) => result = result.and(Err(failure)),
        }
    }

    let mut asked: Vec<(Session<'_>, RedisResult<()>, &[Part])> = Vec::new();
    for (node, parts) in &by_node {
        if operation.deadline.left().is_err() {
            break;
        }
        match node.open(operation) {
            Ok(mut session) => {
                let sent = ask_all(&mut session.connection, parts, exchange);
                asked.push((session, sent, parts));
            }
            Err(failure) => settle(failure, parts, &mut again, &mut result),
        }
    }
    let mut late = None;
    for (mut session, sent, parts) in asked {
        if sent.is_ok() && operation.deadline.left().is_err() {
            // Another node took all the time. What this one has said is here already.
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
            settle(failure, &missing, &mut again, &mut result);
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
        let during = "other nodes had taken the time";
        return Err(cluster.down(operation, Cause::TimedOut { after: operation.deadline.allowed(), during }));
    }
    result
}

fn ask_all(connection: &mut Connection, parts: &[Part], exchange: &dyn Exchange) -> RedisResult<()> {
    for (_, keys) in parts {
        exchange.ask(connection, keys)?;
    }
    connection.send()
}

/// Whether the keys of a slot that moves are at two nodes, so that they have to be asked for one by one.
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

/// What failed at a node is tried once more where the cluster finds a way: keys move, connections die while they are idle,
/// nodes are replaced. A node that was silent until the deadline, or that refused, is not asked again.
fn settle(failure: Failure, parts: &[Part], again: &mut Vec<Part>, result: &mut Answer<()>) {
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

/// MGET.
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

/// MSET; SET of each, where each is to be forgotten or has to be new.
struct Set<'p> {
    pairs: &'p [(&'p [u8], &'p [u8])],
    store: Store,
}

impl<'p> Set<'p> {
    /// The keys of one MSET after the other: so many, and so many bytes.
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

    /// Whether all are stored by commands for many.
    fn is_plain(&self) -> bool {
        self.store == Store::default()
    }
}

impl Exchange for Set<'_> {
    fn ask(&self, connection: &mut Connection, keys: &[usize]) -> RedisResult<()> {
        if self.is_plain() {
            for keys in self.chunks(keys) {
                let words = keys.iter().flat_map(|&number| [self.pairs[number].0, self.pairs[number].1]);
                connection.queue_all([&b"MSET"[..]].into_iter().chain(words));
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

/// Says of keys whether they are done.
fn mark(keys: &[usize], are_done: bool, done: &mut [bool]) {
    keys.iter().for_each(|&key| done[key] = are_done);
}

/// UNLINK.
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
