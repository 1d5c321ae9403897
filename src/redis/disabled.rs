//! Stands in for this folder if the feature `redis` is off: URLs can be parsed, and no server can be made.

use std::convert::Infallible;
use std::time::Duration;

use crate::error::{Error, Result};

mod endpoint;

pub use endpoint::{Address, Backoff, Endpoint, Secret, Tls};

/// Cannot be made.
pub enum Server {}

/// Cannot be made.
#[derive(Debug)]
pub struct Failure {
    /// Why it failed.
    pub cause: Cause,
}

/// Cannot be made.
#[derive(Debug)]
pub enum Cause {
    /// Never.
    Invalid(Infallible),
}

/// The longest value.
pub const LONGEST_VALUE: usize = 512 << 20;

/// The result of an operation.
pub type Answer<T> = std::result::Result<T, Failure>;

/// The destination of a value.
pub trait ValueSink {
    /// Room for the value.
    fn room(&mut self, len: usize) -> Result<&mut [u8]>;

    /// Whether a value of this length is accepted.
    fn accepts(&self, len: usize) -> bool;
}

/// How a value is stored.
pub struct Store {
    /// How long the server keeps it.
    pub ttl: Option<Duration>,
    /// Whether the key must be new.
    pub only_new: bool,
}

/// The time by which an operation must be over.
#[derive(Clone, Copy)]
pub struct Deadline;

impl Deadline {
    /// Any deadline: no operation runs.
    pub fn after(_allowed: Duration) -> Self {
        Deadline
    }
}

/// The server's own counts.
#[derive(Debug, Clone, Copy)]
pub struct Keyspace {
    /// Lookups that found a key.
    pub hits: u64,
    /// Lookups that found no key.
    pub misses: u64,
}

/// The health of a server.
#[derive(Debug, Clone)]
#[allow(missing_docs)]
pub struct Health {
    pub failures: u64,
    pub refusals: u64,
    pub skipped: u64,
    pub connections: u64,
    pub reconnects: u64,
    pub skipping: Option<Duration>,
    pub last_error: Option<String>,
}

/// The result of a batch.
pub struct Batch {
    /// The values.
    pub values: Vec<Option<Vec<u8>>>,
    /// Why some are missing.
    pub failure: Option<Failure>,
}

/// The holder of a lease.
pub struct Token;

impl Token {
    /// A token.
    #[allow(clippy::new_without_default)]
    pub fn new() -> Self {
        Token
    }

    /// A token.
    pub fn of_flight(&self, _number: u64) -> Self {
        Token
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        match failure.cause {
            Cause::Invalid(never) => match never {},
        }
    }
}

macro_rules! never {
    ($($name:ident($($argument:ty),*) -> $answer:ty;)*) => {
        #[allow(missing_docs, clippy::too_many_arguments)]
        impl Server {
            $(never!(@ $name [$($argument),*] $answer);)*
        }
    };
    (@ $name:ident [] $answer:ty) => {
        pub fn $name(&self) -> $answer { match *self {} }
    };
    (@ $name:ident [$a:ty] $answer:ty) => {
        pub fn $name(&self, _: $a) -> $answer { match *self {} }
    };
    (@ $name:ident [$a:ty, $b:ty] $answer:ty) => {
        pub fn $name(&self, _: $a, _: $b) -> $answer { match *self {} }
    };
    (@ $name:ident [$a:ty, $b:ty, $c:ty] $answer:ty) => {
        pub fn $name(&self, _: $a, _: $b, _: $c) -> $answer { match *self {} }
    };
    (@ $name:ident [$a:ty, $b:ty, $c:ty, $d:ty, $e:ty] $answer:ty) => {
        pub fn $name(&self, _: $a, _: $b, _: $c, _: $d, _: $e) -> $answer { match *self {} }
    };
}

never! {
    health() -> Health;
    ping(Duration) -> Answer<()>;
    get_into(&[u8], &mut dyn ValueSink) -> Answer<bool>;
    set(&[u8], &[u8], Store) -> Answer<bool>;
    exists(&[u8]) -> Answer<bool>;
    remove(&[u8]) -> Answer<bool>;
    get_many(&[&[u8]]) -> Batch;
    get_many_into(&[&[u8]], &mut [impl ValueSink]) -> (Vec<bool>, Option<Failure>);
    set_many(&[(&[u8], &[u8])], Store) -> (Vec<bool>, Option<Failure>);
    count_prefix(&[u8], Deadline) -> Answer<u64>;
    remove_prefix(&[u8], Deadline) -> Answer<u64>;
    scan_prefix(&[u8], Deadline, &mut dyn FnMut(&[&[u8]]) -> Answer<()>) -> Answer<()>;
    acquire(&[u8], &Token, Duration) -> Answer<bool>;
    release(&[u8], &Token) -> Answer<bool>;
    complete(&[u8], &Token, &[u8], &[u8], Option<Duration>) -> Answer<bool>;
    flush_database() -> Answer<()>;
    database_size() -> Answer<u64>;
    reset_statistics() -> Answer<()>;
    statistics() -> Answer<Keyspace>;
}

impl Server {
    /// Fails: Redis is not part of the build.
    pub fn new(_endpoint: Endpoint) -> Result<Self> {
        Err(Error::Unsupported("the library was built without Redis (the Cargo feature \"redis\")"))
    }
}
