//! The whole database, as PyPhi treats it: a cache owns all of it. In a cluster, all nodes.

use std::collections::HashMap;

use resp::{RedisResult, Value};

use super::connection::Connection;
use super::failure::Answer;
use super::server::Server;

/// The server's own counts since its statistics were reset, for all its clients and databases.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Keyspace {
    /// Lookups that found a key.
    pub hits: u64,
    /// Lookups that found no key.
    pub misses: u64,
}

impl Server {
    /// Removes every key of the database. The server frees the memory in the background.
    pub fn flush_database(&self) -> Answer<()> {
        self.everywhere("FLUSHDB", |connection| connection.order(&[b"FLUSHDB", b"ASYNC"]))?;
        Ok(())
    }

    /// The number of keys in the database.
    pub fn database_size(&self) -> Answer<u64> {
        let sizes = self.everywhere("DBSIZE", |connection| connection.count(&[b"DBSIZE"]))?;
        Ok(sizes.iter().fold(0, |sum: u64, size| sum.saturating_add(*size)))
    }

    /// Resets the server's counters.
    pub fn reset_statistics(&self) -> Answer<()> {
        self.everywhere("CONFIG RESETSTAT", |connection| connection.order(&[b"CONFIG", b"RESETSTAT"]))?;
        Ok(())
    }

    /// The server's counters.
    pub fn statistics(&self) -> Answer<Keyspace> {
        let counts = self.everywhere("INFO", |connection| {
            connection.queue(&[b"INFO", b"stats"]);
            connection.send()?;
            let counts = match connection.receive()? {
                Value::BulkString(text) => read_statistics(&String::from_utf8_lossy(&text)),
                _ => None,
            };
            counts.map_or_else(|| connection.garbled("its reply to INFO lacks the counts of lookups".into()), Ok)
        })?;
        Ok(counts.iter().fold(Keyspace::default(), |sum, node| Keyspace {
            hits: sum.hits.saturating_add(node.hits),
            misses: sum.misses.saturating_add(node.misses),
        }))
    }

    /// Runs `speak` at each process that holds keys.
    fn everywhere<T>(&self, name: &'static str, speak: impl Fn(&mut Connection) -> RedisResult<T>) -> Answer<Vec<T>> {
        let operation = self.operation(name, true);
        self.nodes(operation)?.iter().map(|node| node.call(operation, &speak)).collect()
    }
}

/// Parses the two counters; `None` if one is missing.
fn read_statistics(text: &str) -> Option<Keyspace> {
    let fields: HashMap<&str, &str> = text.lines().filter_map(|line| line.split_once(':')).collect();
    let count = |name| fields.get(name)?.parse().ok();
    Some(Keyspace { hits: count("keyspace_hits")?, misses: count("keyspace_misses")? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_counters_are_found_among_the_others() {
        let text = "# Stats\r\nkeyspace_hits:12\r\ntotal_reads_processed:3\r\nkeyspace_misses:5\r\n";
        assert_eq!(read_statistics(text), Some(Keyspace { hits: 12, misses: 5 }));
        for none in
            ["", "keyspace_hits:12", "keyspace_hits:12\r\nkeyspace_misses:-1", "keyspace_hits:x\nkeyspace_misses:5"]
        {
            assert_eq!(read_statistics(none), None);
        }
    }
}
