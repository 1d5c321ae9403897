//! The idle connections to one server.
//!
//! An operation takes one, or opens one if there is none, and returns it if it is settled. There are as many as threads
//! use the server at once; at most [`IDLE_MAX`] are idle.
//!
//! After a fork, parent and child share the sockets. Only the parent may continue to use them. At its first use of the
//! pool the child closes its copies, which does not affect the parent's, and opens its own. A connection that another
//! thread was using at the fork is in no pool, so the child never sees it. The lock survives forks: if it was held, the
//! child's pool begins empty.

use std::time::{Duration, Instant};

use super::connection::Connection;
use super::health::HealthCounters;
use crate::sync::{Mutex, process};

/// The most idle connections.
const IDLE_MAX: usize = 64;

/// A connection that was idle for longer is tested before it is used: servers close idle connections, and restarts
/// close all.
const TRUSTED: Duration = Duration::from_millis(5);

/// The idle connections.
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

    /// Returns a connection. One that is not settled is closed.
    pub fn put(&self, connection: Box<Connection>) {
        if connection.is_settled() {
            let too_many = self.with(|idle| {
                idle.connections.push(connection);
                (idle.connections.len() > IDLE_MAX).then(|| idle.connections.swap_remove(0))
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
