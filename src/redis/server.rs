//! A server, or a cluster that looks like one: operations on single keys, and the base of all operations.

use std::sync::Arc;
use std::time::Duration;

use resp::RedisResult;

use super::cluster::{Cluster, slot_of};
use super::connection::{Connection, decimal};
use super::endpoint::Endpoint;
use super::failure::{Answer, Cause, Failure};
use super::health::{Health, HealthCounters};
use super::node::{Access, Node, Operation};
use super::reply::{LONGEST_VALUE, ValueSink};
use super::secrets::Secrets;
use super::socket::Deadline;
use super::tls::TlsContext;
use crate::error::{Error, Result};

/// A server that any number of threads may use at once. It connects at the first operation, not before.
pub struct Server {
    pub(super) access: Arc<Access>,
    pub(super) layout: Layout,
}

/// One process, or many.
pub(super) enum Layout {
    Single(Arc<Node>),
    Cluster(Cluster),
}

/// How a value is stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Store {
    /// How long the server keeps it, in whole milliseconds, at least one; `None` is forever.
    pub ttl: Option<Duration>,
    /// Whether the key must not have a value yet.
    pub only_new: bool,
}

impl Server {
    /// The server at `endpoint`. Fails if a file for TLS cannot be read.
    pub fn new(endpoint: Endpoint) -> Result<Self> {
        endpoint.check()?;
        let tls = endpoint.tls.as_ref().map(TlsContext::read).transpose()?;
        let secrets = Secrets::of(&endpoint);
        let access = Arc::new(Access { endpoint, tls, secrets, counters: HealthCounters::default() });
        let layout = match access.endpoint.cluster {
            true => Layout::Cluster(Cluster::new(access.clone())),
            false => Layout::Single(Arc::new(Node::new(access.endpoint.addresses[0].clone(), access.clone()))),
        };
        Ok(Server { access, layout })
    }

    /// Its endpoint.
    pub fn endpoint(&self) -> &Endpoint {
        &self.access.endpoint
    }

    /// Its health.
    pub fn health(&self) -> Health {
        let skipping = match &self.layout {
            Layout::Single(node) => node.breaker().open_for(),
            Layout::Cluster(cluster) => cluster.known().iter().filter_map(|node| node.breaker().open_for()).max(),
        };
        self.access.counters.health(skipping)
    }

    /// Fails unless it answers within `timeout`; in a cluster, all nodes must answer. It is asked even if the breaker
    /// is open; an answer closes the breaker.
    pub fn ping(&self, timeout: Duration) -> Answer<()> {
        let operation = Operation { name: "PING", deadline: Deadline::after(timeout), repeatable: true };
        for node in self.nodes(operation)? {
            node.probe(operation, Connection::ping)?;
        }
        Ok(())
    }

    /// Reads the value of a key into `sink`; returns whether there is one.
    pub fn get_into(&self, key: &[u8], sink: &mut dyn ValueSink) -> Answer<bool> {
        self.at_key("GET", true, key, |connection| {
            connection.queue(&[b"GET", key]);
            connection.send()?;
            connection.receive_value(sink)
        })
    }

    /// The value of a key.
    pub fn get(&self, key: &[u8]) -> Answer<Option<Vec<u8>>> {
        let mut value = Vec::new();
        Ok(self.get_into(key, &mut value)?.then_some(value))
    }

    /// Stores a value; returns whether it did. It always does, unless only new keys are wanted.
    pub fn set(&self, key: &[u8], value: &[u8], store: Store) -> Answer<bool> {
        self.check_size("SET", key.len().max(value.len()))?;
        // A repeated SET would find that the key is not new any more.
        self.at_key("SET", !store.only_new, key, |connection| {
            queue_set(connection, key, value, store);
            connection.send()?;
            connection.receive_stored(store.only_new)
        })
    }

    /// Whether a key has a value.
    pub fn exists(&self, key: &[u8]) -> Answer<bool> {
        self.at_key("EXISTS", true, key, |connection| connection.yes_or_no(&[b"EXISTS", key]))
    }

    /// Removes a key; returns whether it had a value.
    pub fn remove(&self, key: &[u8]) -> Answer<bool> {
        self.at_key("UNLINK", false, key, |connection| connection.yes_or_no(&[b"UNLINK", key]))
    }

    /// An operation that begins now.
    pub(super) fn operation(&self, name: &'static str, repeatable: bool) -> Operation {
        Operation { name, deadline: Deadline::after(self.access.endpoint.timeout), repeatable }
    }

    /// Runs `speak` at the node that has `key`.
    pub(super) fn at_key<T>(
        &self,
        name: &'static str,
        repeatable: bool,
        key: &[u8],
        speak: impl FnMut(&mut Connection) -> RedisResult<T>,
    ) -> Answer<T> {
        let operation = self.operation(name, repeatable);
        match &self.layout {
            Layout::Single(node) => node.call(operation, speak),
            Layout::Cluster(cluster) => cluster.call(slot_of(key), operation, speak),
        }
    }

    /// All processes that hold keys.
    pub(super) fn nodes(&self, operation: Operation) -> Answer<Vec<Arc<Node>>> {
        match &self.layout {
            Layout::Single(node) => Ok(vec![node.clone()]),
            Layout::Cluster(cluster) => cluster.nodes(operation),
        }
    }

    /// Fails for a length that no server accepts, before anything is sent.
    pub(super) fn check_size(&self, operation: &'static str, len: usize) -> Answer<()> {
        if len <= LONGEST_VALUE {
            return Ok(());
        }
        let text = format!("{len} bytes; a Redis server holds at most {LONGEST_VALUE} (512 MB) under one key");
        let server = self.access.endpoint.addresses[0].to_string().into();
        Err(Failure { operation, server, cause: Cause::Invalid(Error::invalid(text)) })
    }
}

/// Packs a SET.
pub(super) fn queue_set(connection: &mut Connection, key: &[u8], value: &[u8], store: Store) {
    let (ttl, mut digits) = (store.ttl.map(milliseconds), [0; 20]);
    let mut words: [&[u8]; 6] = [b"SET", key, value, b"", b"", b""];
    let mut len = 3;
    if let Some(ttl) = ttl {
        words[3..5].copy_from_slice(&[b"PX", decimal(ttl, &mut digits)]);
        len = 5;
    }
    if store.only_new {
        words[len] = b"NX";
        len += 1;
    }
    connection.queue(&words[..len]);
}

/// A time to live, for the server.
pub(super) fn milliseconds(ttl: Duration) -> u64 {
    // The server adds it to its clock, and refuses a sum that overflows.
    (ttl.as_millis() as u64).clamp(1, i64::MAX as u64 / 4)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_in_full() {
        for number in [0, 7, 10, 1_234_567, u64::MAX] {
            assert_eq!(decimal(number, &mut [0; 20]), number.to_string().as_bytes());
        }
        assert_eq!((milliseconds(Duration::ZERO), milliseconds(Duration::from_secs(2))), (1, 2000));
    }

    #[test]
    fn a_value_that_is_too_large_is_refused_before_anything_is_sent() {
        let server = Server::new(Endpoint::parse("redis://:secret@127.0.0.1:1").unwrap()).unwrap();
        let failure = server.check_size("SET", LONGEST_VALUE + 1).unwrap_err();
        assert!(!failure.is_outage());
        assert!(matches!(Error::from(failure), Error::InvalidArgument(text) if text.starts_with("536870913 bytes")));
        server.check_size("SET", LONGEST_VALUE).unwrap();
    }
}
