//! One server process: its connections, its breaker, and the steps of every operation.
//!
//! The steps are: breaker, pool (or a new connection), the command itself, pool again. A pooled connection may turn out
//! to be dead: its peer had closed it before it sent anything. Then an operation that may be repeated is repeated once
//! on a new connection, within the same deadline. Any other operation fails, because the server may have executed it.
//!
//! Before a broken connection opens the breaker for all others, the server gets a PING on a new connection, in the time
//! that is left: a server that closes the connection over one key is healthy for all other keys.

use std::io;
use std::sync::Arc;

use resp::{ErrorKind, RedisError, RedisResult, ServerErrorKind};

use super::breaker::{Breaker, Pass};
use super::connection::{Aside, Connection, SELECTING};
use super::endpoint::{Address, Endpoint, Secret};
use super::failure::{Answer, Cause, Failure, advice};
use super::health::HealthCounters;
use super::pool::Pool;
use super::reply::Fault;
use super::secrets::Secrets;
use super::socket::Deadline;
use super::stream::Stream;
use super::tls::TlsContext;
use crate::memory::spare;

/// About the bytes that a new connection takes: its buffers, and a TLS handshake.
const CONNECTING: usize = 128 << 10;

/// What all nodes of a server share: the login and the counters.
pub struct Access {
    /// The endpoint of the server.
    pub endpoint: Endpoint,
    /// The TLS context; `None` for plain connections.
    pub tls: Option<TlsContext>,
    /// What no message may contain.
    pub secrets: Secrets,
    /// The counters of all nodes.
    pub counters: HealthCounters,
}

/// An operation.
#[derive(Clone, Copy)]
pub struct Operation {
    /// Its name in messages.
    pub name: &'static str,
    /// Its deadline.
    pub deadline: Deadline,
    /// Whether executing it twice has the same effect.
    pub repeatable: bool,
}

/// One server process.
pub struct Node {
    address: Address,
    name: Arc<str>,
    access: Arc<Access>,
    pool: Pool,
    breaker: Breaker,
}

/// An operation in progress.
pub struct Session<'n> {
    node: &'n Node,
    operation: Operation,
    pass: Pass,
    /// Whether the connection comes from the pool.
    used: bool,
    /// The connection.
    pub connection: Box<Connection>,
}

impl Node {
    /// The server at `address`, without a connection yet.
    pub fn new(address: Address, access: Arc<Access>) -> Self {
        let name = match access.endpoint.addresses.contains(&address) {
            true => address.to_string().into(),
            // A server has named this address.
            false => access.secrets.name(&address.to_string()).into(),
        };
        let breaker = Breaker::new(access.endpoint.backoff);
        Node { address, name, access, pool: Pool::default(), breaker }
    }

    /// Its address.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// Its address in messages.
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// Its breaker.
    pub fn breaker(&self) -> &Breaker {
        &self.breaker
    }

    /// Runs `speak` with a connection.
    pub fn call<T>(&self, operation: Operation, speak: impl FnMut(&mut Connection) -> RedisResult<T>) -> Answer<T> {
        let pass = self.pass(operation)?;
        self.call_through(operation, pass, speak)
    }

    /// The same, even if the breaker is open.
    pub fn probe<T>(&self, operation: Operation, speak: impl FnMut(&mut Connection) -> RedisResult<T>) -> Answer<T> {
        self.call_through(operation, Pass::Probe, speak)
    }

    /// Begins an operation of several steps; [`Session::close`] ends it.
    pub fn open(&self, operation: Operation) -> Answer<Session<'_>> {
        let pass = self.pass(operation)?;
        self.session(operation, pass)
    }

    fn call_through<T>(
        &self,
        operation: Operation,
        pass: Pass,
        mut speak: impl FnMut(&mut Connection) -> RedisResult<T>,
    ) -> Answer<T> {
        let mut session = self.session(operation, pass)?;
        let mut result = speak(&mut session.connection);
        if result.is_err() && session.may_repeat() {
            session = session.renew()?;
            result = speak(&mut session.connection);
        }
        session.close(result)
    }

    fn pass(&self, operation: Operation) -> Answer<Pass> {
        let timeout = operation.deadline.allowed();
        self.breaker.pass(timeout).map_err(|again_in| self.fail(operation, Cause::Skipped { again_in }))
    }

    fn session(&self, operation: Operation, pass: Pass) -> Answer<Session<'_>> {
        let (connection, used) = match self.pool.take(operation.deadline.began(), &self.access.counters) {
            Some(mut connection) => {
                connection.begin(operation.deadline);
                (connection, true)
            }
            None => (self.connect(operation, pass)?, false),
        };
        Ok(Session { node: self, operation, pass, used, connection })
    }

    fn connect(&self, operation: Operation, pass: Pass) -> Answer<Box<Connection>> {
        spare::check(CONNECTING).map_err(|error| self.fail(operation, Cause::Invalid(error)))?;
        self.dial(operation).map_err(|cause| self.outage(operation, pass, cause))
    }

    fn dial(&self, operation: Operation) -> Result<Box<Connection>, Cause> {
        let Access { endpoint, tls, counters, .. } = &*self.access;
        let mut during = "";
        let stream = Stream::connect(&self.address, tls.as_ref(), operation.deadline, &mut during);
        let stream = stream.map_err(|error| self.cause_of(&error, operation, during, true))?;
        let mut connection = Box::new(Connection::new(stream, operation.deadline));
        if let Err(error) = connection.log_in(endpoint) {
            return Err(match connection.fault() {
                Some(fault) => self.cause(fault, operation, connection.during(), true),
                None => Cause::Unreachable(self.refused_login(&error, connection.during() == SELECTING)),
            });
        }
        counters.connected();
        Ok(connection)
    }

    /// What the server refused, the login or the database that comes after it.
    fn refused_login(&self, error: &RedisError, is_database: bool) -> String {
        let code = error.code().unwrap_or_default();
        let why = advice(code).filter(|advice| !advice.is_empty()).map(|advice| format!("; {advice}"));
        let words = self.access.secrets.text(code, &text(error));
        let what = match is_database {
            true => format!("database {}, which the URL names", self.access.endpoint.database),
            false => "the login".to_owned(),
        };
        format!("the server refused {what}{}: {words}", why.unwrap_or_default())
    }

    /// Whether the server answers on a new connection. A PING that the user's ACL refuses is an answer.
    fn answers(&self, operation: Operation) -> bool {
        let Ok(mut connection) = self.dial(operation) else { return false };
        let answer = connection.ping();
        let answers = answer.is_ok() || (connection.fault().is_none() && answer.is_err_and(|error| is_refusal(&error)));
        if answers {
            self.pool.put(connection);
        }
        answers
    }

    /// Fails an operation that the server did not answer.
    fn outage(&self, operation: Operation, pass: Pass, cause: Cause) -> Failure {
        self.breaker.failed(pass, operation.deadline.began().elapsed());
        self.fail(operation, cause)
    }

    fn fail(&self, operation: Operation, cause: Cause) -> Failure {
        let failure = Failure { operation: operation.name, server: self.name.clone(), cause };
        self.access.counters.failed(&failure);
        failure
    }

    fn cause(&self, fault: &Fault, operation: Operation, during: &'static str, connecting: bool) -> Cause {
        match fault {
            Fault::Io(error) => self.cause_of(error, operation, during, connecting),
            Fault::Garbage(text) => Cause::Lost(text.clone()),
            Fault::Nonsense(_) if connecting => {
                Cause::Lost("its answer to the login is not a reply; is it a Redis server?".into())
            }
            Fault::Nonsense(bytes) => Cause::Lost(format!("\"{}\" is not a reply", self.access.secrets.excerpt(bytes))),
            Fault::NoRoom(error) => Cause::Invalid(error.clone()),
        }
    }

    fn cause_of(&self, error: &io::Error, operation: Operation, during: &'static str, connecting: bool) -> Cause {
        let text = || match error.kind() {
            io::ErrorKind::UnexpectedEof => format!("the server closed the connection ({during})"),
            _ => format!("{} ({during})", self.access.secrets.text("", &error.to_string())),
        };
        match error.kind() {
            io::ErrorKind::TimedOut => Cause::TimedOut { after: operation.deadline.allowed(), during },
            _ if connecting => Cause::Unreachable(text()),
            _ => Cause::Lost(text()),
        }
    }

    fn refusal(&self, error: &RedisError) -> Cause {
        let Access { endpoint, secrets, .. } = &*self.access;
        match error.redirect_node().filter(|_| endpoint.cluster) {
            Some((node, _)) => {
                let asking = error.kind() == ErrorKind::Server(ServerErrorKind::Ask);
                Cause::Elsewhere { node: secrets.name(node), at: Secret::new(node), asking }
            }
            None => {
                let code = error.code().unwrap_or_default();
                Cause::Refused { code: secrets.code(code).to_owned(), text: secrets.text(code, &text(error)) }
            }
        }
    }

    /// Records an incident of an operation that succeeded.
    #[cold]
    fn note(&self, operation: Operation, aside: Aside) {
        let cause = match aside {
            Aside::Refused(error) => self.refusal(&error),
            Aside::TooLong(len) => Cause::TooLong { len },
        };
        self.fail(operation, cause);
    }
}

impl<'n> Session<'n> {
    /// Whether the connection was dead when the operation began, and the operation may be repeated.
    pub fn may_repeat(&self) -> bool {
        self.operation.repeatable && self.used && self.connection.was_stale()
    }

    /// The same operation on a new connection, from its beginning.
    pub fn renew(self) -> Answer<Self> {
        let Session { node, operation, pass, .. } = self;
        node.access.counters.broke();
        let connection = node.connect(operation, pass)?;
        Ok(Session { node, operation, pass, used: false, connection })
    }

    /// Ends an operation that ran out of time before it read from this server, which is not to blame.
    pub fn abandon(self) {
        self.node.access.counters.broke();
    }

    /// Ends the operation: the connection is returned to the pool or closed, and the breaker learns the outcome.
    pub fn close<T>(self, result: RedisResult<T>) -> Answer<T> {
        let Session { node, operation, pass, mut connection, .. } = self;
        if let Some(aside) = connection.take_aside() {
            node.note(operation, aside);
        }
        let refused = match result {
            Ok(value) => {
                node.breaker.succeeded();
                node.pool.put(connection);
                return Ok(value);
            }
            Err(error) => error,
        };
        let cause = match connection.take_fault() {
            // The server is healthy; we stopped reading.
            Some(fault @ Fault::NoRoom(_)) => {
                node.breaker.succeeded();
                return Err(node.fail(operation, node.cause(&fault, operation, "", false)));
            }
            Some(fault) => node.cause(&fault, operation, connection.during(), false),
            None if is_refusal(&refused) => {
                node.breaker.succeeded();
                node.pool.put(connection);
                return Err(node.fail(operation, node.refusal(&refused)));
            }
            None => Cause::Lost("the reply does not answer the question".into()),
        };
        node.access.counters.broke();
        if matches!(cause, Cause::Lost(_)) && node.answers(operation) {
            node.breaker.succeeded();
            return Err(node.fail(operation, cause));
        }
        Err(node.outage(operation, pass, cause))
    }
}

/// Whether the server answered with a refusal.
fn is_refusal(error: &RedisError) -> bool {
    matches!(error.kind(), ErrorKind::Server(_) | ErrorKind::Extension)
}

/// The server's words.
fn text(error: &RedisError) -> String {
    match (error.code(), error.detail()) {
        (Some(code), Some(detail)) => format!("{code} {detail}"),
        (Some(code), None) => code.to_owned(),
        _ => error.to_string(),
    }
}
