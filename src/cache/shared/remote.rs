//! What lies behind a Redis cache: the values of its keys at a server, and what a server that fails means to the cache.
//!
//! The cache says whether failures are errors, or misses that are counted. What the caller did wrong, such as a value that
//! no server takes, is an error either way; and so is a removal that failed: a value that was to go and did not could come
//! back as a wrong one.

use std::borrow::Cow;
use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use super::key_names::{Names, Pieces};
use super::seal;
use crate::error::{Error, Result};
use crate::flight::Flight;
use crate::memory::limit;
use crate::redis::{
    Answer, Cause, Deadline, Failure, Health, Keyspace, LONGEST_VALUE, Server, Store, Token, ValueSink,
};
use crate::table::Draft;

/// What a cache at a server may be given when it is made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RemoteOptions {
    /// After how long the server forgets a value; none is never.
    pub ttl: Option<Duration>,
    /// How long a worker may take to compute a value before another does it too; none lets every process compute.
    pub lease: Option<Duration>,
    /// Whether a server that fails is an error, not a miss.
    pub strict: bool,
    /// Whether values are stored as they are, without what ties them to their keys.
    pub no_checksum: bool,
    /// How long it may take to count or clear; none is [`SCAN`](RemoteOptions::SCAN).
    pub scan: Option<Duration>,
}

impl RemoteOptions {
    /// What counting and clearing may take: more than ten million names go by in that time.
    pub const SCAN: Duration = Duration::from_secs(30);
}

/// The keys and values of one cache at a server.
pub struct Remote {
    server: Arc<Server>,
    names: Names,
    options: RemoteOptions,
    /// Whose leases they are: this cache's, in this process. Each flight has a token of its own, made from this.
    token: Token,
    damaged: AtomicU64,
    /// The longest value that is fetched.
    longest: usize,
}

/// What the server has under a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content {
    /// Nothing.
    Nothing,
    /// A value: the draft has it.
    Value,
    /// Something that is no value of this key: damaged, or somebody else's.
    Foreign,
}

/// How a key's value is had.
pub enum Claim {
    /// It is there: the draft has it.
    Found,
    /// The caller is to compute it.
    Compute,
    /// Another process computes it.
    Busy,
}

/// What became of a value that was to be stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    /// The server has it, or another of the same key.
    Stored,
    /// The server failed.
    Failed,
    /// The lease had run out, or the key was removed: another may have taken it over.
    TooLate,
}

/// What a flight notes about its lease.
#[derive(Clone, Copy)]
enum Leased {
    /// It has none: what every flight notes at first.
    No,
    /// It asked for one, and the server failed.
    Perhaps,
    /// It had one when it began.
    Yes,
}

/// A draft that a value from the server goes to.
struct Fetched<'d, 'k> {
    draft: &'d mut Draft<'k>,
    longest: usize,
}

impl ValueSink for Fetched<'_, '_> {
    fn room(&mut self, len: usize) -> Result<&mut [u8]> {
        self.draft.reserve(len)
    }

    /// What the cache takes, and no more than is left of all the memory that the process may use.
    fn accepts(&self, len: usize) -> bool {
        len <= self.longest && limit::has_room(len as u64, 100.0)
    }
}

impl Remote {
    /// The values under these names at `server`, of which no longer ones are fetched.
    pub fn new(server: Arc<Server>, names: Names, options: RemoteOptions, longest: Option<u64>) -> Self {
        let longest = longest.map_or(usize::MAX, |longest| longest as usize);
        Remote { server, names, options, token: Token::new(), damaged: AtomicU64::new(0), longest }
    }

    fn scan(&self) -> Deadline {
        Deadline::after(self.options.scan.unwrap_or(RemoteOptions::SCAN))
    }

    /// How its server is doing.
    pub fn health(&self) -> Health {
        self.server.health()
    }

    /// How many values were no values of this cache: damaged, or somebody else's.
    pub fn damaged(&self) -> u64 {
        self.damaged.load(Relaxed)
    }

    /// A value from the server was none.
    pub fn count_damaged(&self) {
        self.damaged.fetch_add(1, Relaxed);
    }

    /// Begins to count them anew.
    pub fn forget_damaged(&self) {
        self.damaged.store(0, Relaxed);
    }

    /// Whether the whole database is this cache's: PyPhi's way.
    pub fn is_whole(&self) -> bool {
        matches!(self.names, Names::Given(_))
    }

    /// What came of asking the server; none where it failed and that is no error.
    fn forgive<T>(&self, answer: Answer<T>) -> Result<Option<T>> {
        match answer {
            Ok(value) => Ok(Some(value)),
            Err(failure) if self.options.strict || is_ours(&failure) => Err(failure.into()),
            Err(_) => Ok(None),
        }
    }

    /// Whether what is fetched was tied to its key, and so is what was stored.
    pub fn is_sealed(&self) -> bool {
        self.names.are_sealed()
    }

    /// What is stored for a value.
    fn seal<'v>(&self, key: &[u8], name: &[u8], value: &'v [u8]) -> Cow<'v, [u8]> {
        match self.is_sealed() {
            true => seal::record(name, self.names.left_out(key), value).into(),
            false => value.into(),
        }
    }

    /// How much longer what is stored for a value of `key` is.
    fn overhead(&self, key: &[u8]) -> usize {
        if self.is_sealed() { seal::overhead(self.names.left_out(key)) } else { 0 }
    }

    fn place<'d, 'k>(&self, draft: &'d mut Draft<'k>) -> Fetched<'d, 'k> {
        let longest = self.longest.saturating_add(self.overhead(draft.key()));
        Fetched { draft, longest }
    }

    /// Makes what was fetched under a name the value that it was.
    fn unseal(&self, name: &[u8], draft: &mut Draft) -> Result<Content> {
        if !self.is_sealed() {
            return Ok(Content::Value);
        }
        match seal::value_len(name, self.names.left_out(draft.key()), draft.value()) {
            Some(len) => draft.truncate(len).map(|()| Content::Value),
            None => Ok(Content::Foreign),
        }
    }

    /// Refuses what no server would take, before it is looked at.
    fn check(&self, key: &[u8], value: &[u8]) -> Result<()> {
        let overhead = self.overhead(key);
        match key.len().max(value.len().saturating_add(overhead)) <= LONGEST_VALUE {
            true => Ok(()),
            false => Err(Error::invalid(format!(
                "a value of {} bytes under a key of {}; a Redis server holds at most {LONGEST_VALUE} (512 MB) under one \
                 key, of which {overhead} are taken",
                value.len(),
                key.len(),
            ))),
        }
    }

    /// Fetches the value of the draft's key.
    pub fn fetch(&self, draft: &mut Draft) -> Result<Content> {
        let name = self.names.value(draft.key());
        match self.forgive(self.server.get_into(&name, &mut self.place(draft)))?.unwrap_or(false) {
            true => self.unseal(&name, draft),
            false => Ok(Content::Nothing),
        }
    }

    /// Fetches the values of the drafts' keys, in one round trip. What could be fetched is there, even if some could not.
    pub fn fetch_many(&self, drafts: &mut [Draft]) -> (Vec<Content>, Result<()>) {
        let names = self.names.values_of(drafts.iter().map(Draft::key));
        let names: Vec<&[u8]> = names.iter().collect();
        let place = |draft| self.place(draft);
        let mut places: Vec<Fetched> = drafts.iter_mut().map(place).collect();
        let (found, failure) = self.server.get_many_into(&names, &mut places);
        let mut result = self.forgive(failure.map_or(Ok(()), Err)).map(drop);
        let mut unseal = |((draft, name), found): ((&mut Draft, &&[u8]), bool)| match found {
            false => Content::Nothing,
            true => self.unseal(name, draft).unwrap_or_else(|error| {
                result = result.clone().and(Err(error));
                Content::Nothing
            }),
        };
        let fetched = drafts.iter_mut().zip(&names).zip(found).map(&mut unseal).collect();
        (fetched, result)
    }

    /// Whether a key has a value.
    pub fn contains(&self, key: &[u8]) -> Result<bool> {
        Ok(self.forgive(self.server.exists(&self.names.value(key)))?.unwrap_or(false))
    }

    /// Stores a value over what the key may have.
    pub fn store(&self, key: &[u8], value: &[u8]) -> Result<Kept> {
        self.check(key, value)?;
        let name = self.names.value(key);
        let store = Store { ttl: self.options.ttl, only_new: false };
        let stored = self.forgive(self.server.set(&name, &self.seal(key, &name, value), store))?;
        Ok(stored.map_or(Kept::Failed, |_| Kept::Stored))
    }

    /// Stores many values in one round trip; tells of each what became of it.
    pub fn store_many(&self, pairs: &[(&[u8], &[u8])]) -> Vec<Result<Kept>> {
        let mut kept: Vec<Result<Kept>> =
            pairs.iter().map(|(key, value)| self.check(key, value).map(|()| Kept::Failed)).collect();
        let fit: Vec<usize> = (0..pairs.len()).filter(|at| kept[*at].is_ok()).collect();
        let names = self.names.values_of(fit.iter().map(|at| pairs[*at].0));
        let given = || names.iter().zip(fit.iter().map(|at| pairs[*at]));
        let room = |(_, (key, value)): (&[u8], (&[u8], &[u8]))| value.len() + self.overhead(key);
        let mut records = Pieces::with_room(if self.is_sealed() { given().map(room).sum() } else { 0 });
        let sent: Vec<(&[u8], &[u8])> = match self.is_sealed() {
            true => {
                for (name, (key, value)) in given() {
                    records.push(|record| seal::write(name, self.names.left_out(key), value, record));
                }
                names.iter().zip(records.iter()).collect()
            }
            false => given().map(|(name, (_, value))| (name, value)).collect(),
        };
        let store = Store { ttl: self.options.ttl, only_new: false };
        let (stored, failure) = self.server.set_many(&sent, store);
        let failed = self.forgive(failure.map_or(Ok(()), Err)).map(|_| Kept::Failed);
        for (at, stored) in fit.into_iter().zip(stored) {
            kept[at] = if stored { Ok(Kept::Stored) } else { failed.clone() };
        }
        kept
    }

    /// Says whether the caller is to compute the value of the draft's key: not if `bring` fetches it, and not if another
    /// process has a lease. A server that fails makes everybody compute.
    pub fn claim(
        &self,
        flight: &Flight,
        draft: &mut Draft,
        bring: impl Fn(&mut Draft) -> Result<bool>,
    ) -> Result<Claim> {
        if bring(draft)? {
            return Ok(Claim::Found);
        }
        let (Some(ttl), Some(lease)) = (self.options.lease, self.names.lease(draft.key())) else {
            return Ok(Claim::Compute);
        };
        let acquired = self.server.acquire(&lease, &self.token(flight), ttl);
        flight.note(match acquired {
            Ok(true) => Leased::Yes,
            Ok(false) => Leased::No,
            Err(_) => Leased::Perhaps,
        } as u8);
        match self.forgive(acquired)? {
            None => Ok(Claim::Compute),
            Some(false) => Ok(Claim::Busy),
            // Between the two questions another may have completed the value.
            Some(true) => match bring(draft) {
                Ok(false) => Ok(Claim::Compute),
                found => {
                    self.release(flight);
                    found.map(|_| Claim::Found)
                }
            },
        }
    }

    /// Stores what a flight has computed; with a lease only as long as that is ours, and where the server gave no answer
    /// about a lease, only if nobody else has stored a value. No failure is an error: the value is the caller's, whatever
    /// becomes of it here.
    pub fn complete(&self, flight: &Flight, value: &[u8]) -> Kept {
        if self.check(flight.key(), value).is_err() {
            return Kept::Failed;
        }
        let name = self.names.value(flight.key());
        let record = self.seal(flight.key(), &name, value);
        let ttl = self.options.ttl;
        let lease = self.options.lease.and_then(|_| self.names.lease(flight.key()));
        let answer = match lease {
            Some(lease) if flight.noted() == Leased::Yes as u8 => {
                self.server.complete(&lease, &self.token(flight), &name, &record, ttl)
            }
            lease => self.server.set(&name, &record, Store { ttl, only_new: lease.is_some() }).map(|_| true),
        };
        match answer {
            Ok(true) => Kept::Stored,
            Ok(false) => Kept::TooLate,
            Err(_) => Kept::Failed,
        }
    }

    /// Gives the lease of a flight back, if it may have one, so that others need not wait for it to run out.
    pub fn release(&self, flight: &Flight) {
        self.release_ticket(flight.key(), flight.ticket());
    }

    /// As `release`, for a computation that had this ticket.
    pub fn release_ticket(&self, key: &[u8], (number, noted): (u64, u8)) {
        if noted == Leased::No as u8 {
            return;
        }
        if let Some(lease) = self.names.lease(key) {
            // If that fails it runs out.
            let _ = self.server.release(&lease, &self.token.of_flight(number));
        }
    }

    /// Whether another process computes the value of a key.
    pub fn is_claimed(&self, key: &[u8]) -> Result<bool> {
        match (self.options.lease, self.names.lease(key)) {
            (Some(_), Some(lease)) => Ok(self.forgive(self.server.exists(&lease))?.unwrap_or(false)),
            _ => Ok(false),
        }
    }

    fn token(&self, flight: &Flight) -> Token {
        self.token.of_flight(flight.number())
    }

    /// Removes a key, and who computes it; says whether it had a value.
    pub fn remove(&self, key: &[u8]) -> Result<bool> {
        if let (Some(_), Some(lease)) = (self.options.lease, self.names.lease(key)) {
            self.server.remove(&lease)?;
        }
        Ok(self.server.remove(&self.names.value(key))?)
    }

    /// Removes all values. What is computed at this moment with a lease is not stored any more, in any process.
    pub fn clear(&self) -> Result<()> {
        match (self.names.leases(), self.names.values()) {
            (Some(leases), Some(values)) => {
                let deadline = self.scan();
                self.server.remove_prefix(&leases, deadline)?;
                self.server.remove_prefix(&values, deadline)?;
            }
            _ => {
                self.server.flush_database()?;
                self.server.reset_statistics()?;
            }
        }
        Ok(())
    }

    /// The number of values; none where the server failed.
    pub fn len(&self) -> Result<Option<u64>> {
        self.forgive(match self.names.values() {
            Some(values) => self.server.count_prefix(&values, self.scan()),
            None => self.server.database_size(),
        })
    }

    /// The number of values that `counts`; none where the server failed. Fetches all of them.
    pub fn count(&self, counts: impl Fn(&[u8]) -> bool) -> Result<Option<u64>> {
        let Some(prefix) = self.names.values() else { return Ok(None) };
        let (mut seen, hasher, mut number) = (HashSet::new(), RandomState::new(), 0);
        let scanned = self.server.scan_prefix(&prefix, self.scan(), &mut |names| {
            // A server that reorders its table may name a key twice.
            let new: Vec<&[u8]> = names.iter().copied().filter(|name| seen.insert(hasher.hash_one(name))).collect();
            let batch = self.server.get_many(&new);
            number += new.iter().zip(&batch.values).filter(|(name, record)| self.counts(name, record, &counts)).count()
                as u64;
            batch.failure.map_or(Ok(()), Err)
        });
        Ok(self.forgive(scanned)?.map(|()| number))
    }

    fn counts(&self, name: &[u8], record: &Option<Vec<u8>>, counts: impl Fn(&[u8]) -> bool) -> bool {
        let Some(record) = record else { return false };
        match self.is_sealed() {
            true => seal::value(name, Names::has_digest(name), record).is_some_and(counts),
            false => counts(record),
        }
    }

    /// The server's own counts of hits and misses; none where it failed.
    pub fn statistics(&self) -> Result<Option<Keyspace>> {
        self.forgive(self.server.statistics())
    }
}

/// Whether it is the caller's doing, or the machine's, and not the server's.
fn is_ours(failure: &Failure) -> bool {
    matches!(failure.cause, Cause::Invalid(_))
}
