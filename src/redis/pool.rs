//! The connections to one server that nobody uses at the moment.
//!
//! An operation takes one, or opens one where there is none, and brings it back if it is settled. There are as many as
//! there are threads that use the server at once, and at most [`MOST`] wait idle.
//!
//! After a fork, parent and child have the same sockets. Only the parent may go on with them; the child closes its copies
//! without a word (the parent's stay open) at its first use of the pool, and opens its own. A connection that another
//! thread was using at the moment of the fork is in no pool; the child never sees it. The lock is one that survives forks:
//! if it was held, the child's pool begins empty.

use std::time::{Duration, Instant};

use super::connection::Connection;
use super::health::HealthCounters;
use crate::sync::{Mutex, process};

/// How many connections wait idle.
const MOST: usize = 64;

/// After how long without use a connection is looked at before it is used: servers close those that are idle, and those
/// that they had before they were restarted.
const TRUSTED: Duration = Duration::from_millis(5);

/// Idle connections.
#[derive(Default)]
pub struct Pool(Mutex<Idle>);

#[derive(Default)]
struct Idle {
    process: u32,
    #[expect(clippy::vec_box, reason = "a connection stays where it is; only its address goes in and out")]
    connections: Vec<Box<Connection>>,
}

impl Pool {
    /// The connection that was used last, if it is still good. Those that broke while idle are counted.
    pub fn take(&self, now: Instant, counters: &HealthCounters) -> Option<Box<Connection>> {
        loop {
            let mut connection = self.with(|idle| idle.connections.pop())?;
            if now.saturating_duration_since(connection.used()) < TRUSTED || connection.is_quiet() {
                return Some(connection);
            }
            counters.broke();
        }
    }

    /// Brings a connection back. One that is not settled is closed.
    pub fn put(&self, connection: Box<Connection>) {
        if connection.is_settled() {
            let too_many = self.with(|idle| {
                idle.connections.push(connection);
                (idle.connections.len() > MOST).then(|| idle.connections.swap_remove(0))
            });
            drop(too_many);
        }
    }

    fn with<T>(&self, act: impl FnOnce(&mut Idle) -> T) -> T {
        let mut idle = self.0.lock();
        if idle.process != process() {
            *idle = Idle { process: process(), connections: Vec::new() };
        }
        act(&mut idle)
    }
}
