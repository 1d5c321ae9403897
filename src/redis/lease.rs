//! Leases: of many workers that miss the same value, one computes it.
//!
//! A lease is a key that contains its holder's token and that expires, so that a dead holder delays the others but does
//! not stop them. Scripts give a lease back and store a value; they first check that the lease still contains the
//! token, so that a late holder never overwrites anything. In a cluster, the keys of lease and value must be in one
//! slot; a hash tag `{…}` in both ensures that.
//!
//! If our user may not run scripts, single commands do the same: read the lease, store, give the lease back. A removal
//! between the first two goes unnoticed. If it may not remove keys either, the command that took the lease makes it
//! expire at once.

use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use resp::RedisResult;

use super::connection::Connection;
use super::failure::Answer;
use super::server::{Server, Store, milliseconds, queue_set};

const RELEASE: &str = "\
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('UNLINK', KEYS[1]) end
return 0";

const COMPLETE: &str = "\
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
if ARGV[3] == '' then redis.call('SET', KEYS[2], ARGV[2]) else redis.call('SET', KEYS[2], ARGV[2], 'PX', ARGV[3]) end
redis.call('UNLINK', KEYS[1])
return 1";

/// The holder of a lease: no two tokens are equal, in any process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token([u8; 32]);

impl Token {
    /// A new token.
    pub fn new() -> Self {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let number = NUMBER.fetch_add(1, Relaxed);
        let time = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default().as_nanos();
        // The hasher's keys are the system's random numbers; the process number tells a child from its parent.
        let unique = (std::process::id(), number, time);
        let random = [RandomState::new().hash_one(unique), RandomState::new().hash_one(unique)];
        let mut text = [0; 32];
        for (at, digit) in text.iter_mut().enumerate() {
            *digit = b"0123456789abcdef"[(random[at / 16] >> (at % 16 * 4)) as usize & 15];
        }
        Token(text)
    }

    /// The token of one computation of this holder, in this process: a child has other tokens than its parent.
    pub fn of_flight(&self, number: u64) -> Self {
        let mut token = *self;
        let own = u64::from(std::process::id()) << 32 | number & 0xFFFF_FFFF;
        for (at, digit) in token.0[16..].iter_mut().enumerate() {
            *digit = b"0123456789abcdef"[(own >> (at * 4)) as usize & 15];
        }
        token
    }

    /// The bytes at the server.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl Default for Token {
    fn default() -> Self {
        Self::new()
    }
}

impl Server {
    /// Takes a lease for `ttl`, unless another holder has it; returns whether it did.
    pub fn acquire(&self, lease: &[u8], token: &Token, ttl: Duration) -> Answer<bool> {
        self.set(lease, token.as_bytes(), Store { ttl: Some(ttl), only_new: true })
    }

    /// Gives a lease back; returns whether it was still ours.
    pub fn release(&self, lease: &[u8], token: &Token) -> Answer<bool> {
        self.at_key("EVAL (release)", false, lease, |connection| {
            let words = [b"EVAL", RELEASE.as_bytes(), b"1", lease, token.as_bytes()];
            connection.script(&words, |connection| {
                Ok(holds(connection, lease, token)? && give_back(connection, lease, token)?)
            })
        })
    }

    /// Stores a value and gives the lease back, if that is still ours; returns whether it was. Otherwise nothing is
    /// stored.
    pub fn complete(
        &self,
        lease: &[u8],
        token: &Token,
        key: &[u8],
        value: &[u8],
        ttl: Option<Duration>,
    ) -> Answer<bool> {
        self.check_size("EVAL (complete)", key.len().max(value.len()))?;
        let ttl_text = ttl.map(|ttl| milliseconds(ttl).to_string()).unwrap_or_default();
        self.at_key("EVAL (complete)", false, lease, |connection| {
            let words = [b"EVAL", COMPLETE.as_bytes(), b"2", lease, key, token.as_bytes(), value, ttl_text.as_bytes()];
            connection.script(&words, |connection| {
                if !holds(connection, lease, token)? {
                    return Ok(false);
                }
                queue_set(connection, key, value, Store { ttl, only_new: false });
                connection.send()?;
                connection.receive_stored(false)?;
                // The value is stored. A lease that cannot be given back expires.
                match give_back(connection, lease, token) {
                    Err(error) if error.code().is_none() => Err(error),
                    _ => Ok(true),
                }
            })
        })
    }
}

/// Whether a lease contains this token.
fn holds(connection: &mut Connection, lease: &[u8], token: &Token) -> RedisResult<bool> {
    let mut holder = Vec::new();
    connection.queue(&[b"GET", lease]);
    connection.send()?;
    Ok(connection.receive_value(&mut holder)? && holder == token.as_bytes())
}

/// Removes a lease; if nothing may be removed, makes it expire in a millisecond.
fn give_back(connection: &mut Connection, lease: &[u8], token: &Token) -> RedisResult<bool> {
    match connection.yes_or_no(&[b"UNLINK", lease]) {
        Err(error) if error.code().is_some() => {}
        answer => return answer,
    }
    connection.queue(&[b"SET", lease, token.as_bytes(), b"XX", b"PX", b"1"]);
    connection.send()?;
    connection.receive_stored(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_tokens_are_equal() {
        let tokens: std::collections::HashSet<_> = (0..1000).map(|_| Token::new().0).collect();
        assert_eq!(tokens.len(), 1000);
        let (one, other) = (Token::new(), Token::new());
        let tokens: std::collections::HashSet<_> =
            (0..1000).flat_map(|number| [one.of_flight(number).0, other.of_flight(number).0]).collect();
        assert_eq!(tokens.len(), 2000);
        assert_eq!(one.of_flight(7), one.of_flight(7));
    }
}
