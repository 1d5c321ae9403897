//! One server process: its connections, its breaker, and what an operation on it goes through.
//!
//! Breaker, pool (or a new connection), the command itself, pool again. If the connection that the pool gave turns out to
//! be a dead one, whose peer went before it said anything, an operation that may be repeated is repeated once on a new
//! connection; the deadline stays. One that may not (done twice it would answer differently) fails: whether the server did
//! it, nobody knows.
//!
//! Before a connection that broke closes the breaker's door to all others, the server is asked for a PING on a new one, in
//! what is left of the time: a server that ends the connection over one key is well for all the rest.

use std::io;
use std::sync::Arc;

use resp::{ErrorKind, RedisError, RedisResult, ServerErrorKind};

use super::breaker::{Breaker, Pass};
use super::connection::{Aside, Connection};
use super::endpoint::{Address, Endpoint, Secret};
use super::failure::{Answer, Cause, Failure, advice};
use super::health::HealthCounters;
use super::pool::Pool;
use super::reply::Fault;
use super::secrets::Secrets;
use super::socket::Deadline;
use super::stream::Stream;
use super::tls::TlsContext;

/// What all nodes of a server share: how to get in, and the counts.
pub struct Access {
    /// What was asked for.
    pub endpoint: Endpoint,
    /// Whom TLS trusts, where it is spoken.
    pub tls: Option<TlsContext>,
    /// What no message may hold.
    pub secrets: Secrets,
    /// The counts of all nodes.
    pub counters: HealthCounters,
}

/// One thing that is asked of a server.
#[derive(Clone, Copy)]
pub struct Operation {
    /// What it is called in messages.
    pub name: &'static str,
    /// When it has to be over.
    pub deadline: Deadline,
    /// Whether it may be done twice.
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

/// An operation under way.
pub struct Session<'n> {
    node: &'n Node,
    operation: Operation,
    pass: Pass,
    /// Whether the connection has been used before.
    used: bool,
    /// What to speak to.
    pub connection: Box<Connection>,
}

impl Node {
    /// The server at `address`, to which there is no connection yet.
    pub fn new(address: Address, access: Arc<Access>) -> Self {
        let name = match access.endpoint.addresses.contains(&address) {
            true => address.to_string().into(),
            // A server has named it.
            false => access.secrets.name(&address.to_string()).into(),
        };
        let breaker = Breaker::new(access.endpoint.backoff);
        Node { address, name, access, pool: Pool::default(), breaker }
    }

    /// Where it is.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// Where it is, as messages call it.
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// What lets operations through.
    pub fn breaker(&self) -> &Breaker {
        &self.breaker
    }

    /// Does what `speak` does with a connection.
    pub fn call<T>(&self, operation: Operation, speak: impl FnMut(&mut Connection) -> RedisResult<T>) -> Answer<T> {
        let pass = self.pass(operation)?;
        self.call_through(operation, pass, speak)
    }

    /// The same, even if the server failed just now.
    pub fn probe<T>(&self, operation: Operation, speak: impl FnMut(&mut Connection) -> RedisResult<T>) -> Answer<T> {
        self.call_through(operation, Pass::Probe, speak)
    }

    /// The beginning of an operation of several steps; [`Session::close`] is its end.
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
                None => Cause::Unreachable(self.refused_login(&error)),
            });
        }
        counters.connected();
        Ok(connection)
    }

    fn refused_login(&self, error: &RedisError) -> String {
        let code = error.code().unwrap_or_default();
        let why = advice(code).filter(|advice| !advice.is_empty()).map(|advice| format!("; {advice}"));
        let words = self.access.secrets.text(code, &text(error));
        format!("the server does not let us in{}: {words}", why.unwrap_or_default())
    }

    /// Whether the server answers on a new connection; that it may not be asked for a PING is an answer.
    fn answers(&self, operation: Operation) -> bool {
        let Ok(mut connection) = self.dial(operation) else { return false };
        let answer = connection.ping();
        let answers = answer.is_ok() || (connection.fault().is_none() && answer.is_err_and(|error| is_refusal(&error)));
        if answers {
            self.pool.put(connection);
        }
        answers
    }

    /// The server could not be asked.
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
            Fault::Nonsense(_) if connecting => Cause::Lost("what it says to a login is no reply".into()),
            Fault::Nonsense(bytes) => {
                Cause::Lost(format!("\"{}\" is no reply to this", self.access.secrets.excerpt(bytes)))
            }
            Fault::NoRoom(error) => Cause::Invalid(error.clone()),
        }
    }

    fn cause_of(&self, error: &io::Error, operation: Operation, during: &'static str, connecting: bool) -> Cause {
        let text = || match error.kind() {
            io::ErrorKind::UnexpectedEof => format!("the server closed it ({during})"),
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

    /// Counts what an operation has to tell that did not fail.
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
    /// Whether the connection was dead when the operation began, and the operation may be done again.
    pub fn may_repeat(&self) -> bool {
        self.operation.repeatable && self.used && self.connection.was_stale()
    }

    /// The same operation from its beginning, on a new connection.
    pub fn renew(self) -> Answer<Self> {
        let Session { node, operation, pass, .. } = self;
        node.access.counters.broke();
        let connection = node.connect(operation, pass)?;
        Ok(Session { node, operation, pass, used: false, connection })
    }

    /// The end of an operation that ran out of time before it could turn to this server, which is not to blame.
    pub fn abandon(self) {
        self.node.access.counters.broke();
    }

    /// The end of the operation: the connection goes back to the pool or is closed, and the breaker learns about it.
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
            // The server is well; we stopped listening.
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
            None => Cause::Lost("the reply is not what was asked for".into()),
        };
        node.access.counters.broke();
        if matches!(cause, Cause::Lost(_)) && node.answers(operation) {
            node.breaker.succeeded();
            return Err(node.fail(operation, cause));
        }
        Err(node.outage(operation, pass, cause))
    }
}

/// Whether the server answered that it will not.
fn is_refusal(error: &RedisError) -> bool {
    matches!(error.kind(), ErrorKind::Server(_) | ErrorKind::Extension)
}

/// What the server said.
fn text(error: &RedisError) -> String {
    match (error.code(), error.detail()) {
        (Some(code), Some(detail)) => format!("{code} {detail}"),
        (Some(code), None) => code.to_owned(),
        _ => error.to_string(),
    }
}
