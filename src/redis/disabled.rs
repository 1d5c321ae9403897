//! What stands in for `src/redis/` where the library is built without: URLs are understood, and no server can be made.

use std::convert::Infallible;
use std::time::Duration;

use crate::error::{Error, Result};

mod endpoint;

pub use endpoint::{Address, Backoff, Endpoint, Secret, Tls};

/// There is none.
pub enum Server {}

/// There is none.
#[derive(Debug)]
pub struct Failure {
    /// There is none.
    pub cause: Cause,
}

/// There is none.
#[derive(Debug)]
pub enum Cause {
    /// Never.
    Invalid(Infallible),
}

/// As in `src/redis/reply.rs`.
pub const LONGEST_VALUE: usize = 512 << 20;

/// What operations would give.
pub type Answer<T> = std::result::Result<T, Failure>;

/// Where a value would go.
pub trait ValueSink {
    /// Room for the value.
    fn room(&mut self, len: usize) -> Result<&mut [u8]>;

    /// Whether it would be taken.
    fn accepts(&self, len: usize) -> bool;
}

/// How a value would be stored.
pub struct Store {
    /// After how long it would be forgotten.
    pub ttl: Option<Duration>,
    /// Only if there is none.
    pub only_new: bool,
}

/// When an operation would have to be over.
#[derive(Clone, Copy)]
pub struct Deadline;

impl Deadline {
    /// Never.
    pub fn after(_allowed: Duration) -> Self {
        Deadline
    }
}

/// What a server would count.
#[derive(Debug, Clone, Copy)]
pub struct Keyspace {
    /// Lookups that found a key.
    pub hits: u64,
    /// Lookups that found none.
    pub misses: u64,
}

/// How a server would be doing.
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

/// Values that would be found.
pub struct Batch {
    /// The values.
    pub values: Vec<Option<Vec<u8>>>,
    /// Why some are missing.
    pub failure: Option<Failure>,
}

/// Who would hold a lease.
pub struct Token;

impl Token {
    /// Nobody.
    #[allow(clippy::new_without_default)]
    pub fn new() -> Self {
        Token
    }

    /// Nobody.
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
    /// Says that there is none.
    pub fn new(_endpoint: Endpoint) -> Result<Self> {
        Err(Error::Unsupported("this library was built without Redis (cargo feature \"redis\")"))
    }
}
