//! One connection to one server. Commands are packed here and sent with one `send`; replies are read by `reply.rs`. We
//! do not use the redis crate's packing, which ends the process if there is no memory for a copy of a value, nor its
//! conversions: they accept too much, such as nil for a list or anything for "done". The replies that each kind of
//! question accepts are written here, once.
//!
//! A reply never answers another question. The connection counts its questions and replies and records the first fault.
//! As soon as a reply is missing, late, left over or malformed, every further use is refused, and
//! [`is_settled`](Connection::is_settled) makes the pool close it.

use std::io::{ErrorKind as IoKind, Write};
use std::time::Instant;

use resp::{ErrorKind, RedisError, RedisResult, Value};

use super::endpoint::Endpoint;
use super::reply::{Fault, Parsed, ReplyReader, ReplyValue, ValueSink};
use super::socket::Deadline;
use super::stream::Stream;
use crate::error::{Error, Result};

/// Buffers with more capacity are freed after use.
const BUFFER_MAX: usize = 1 << 20;

/// What a connection does after the login, unless the database is 0.
pub const SELECTING: &str = "selecting the database";

/// An incident of an operation that succeeded.
#[derive(Debug)]
pub enum Aside {
    /// A command was refused, and another one did the work.
    Refused(RedisError),
    /// A value of this length was skipped.
    TooLong(usize),
}

/// A connection, used by one thread at a time.
pub struct Connection {
    stream: Stream,
    /// The commands that are not sent yet. Later operations use the buffer again.
    outbox: Vec<u8>,
    reader: ReplyReader,
    /// The number of replies that are not read yet.
    awaited: usize,
    /// The number of bytes received when this operation began.
    before: u64,
    during: &'static str,
    fault: Option<Fault>,
    /// An incident that did not make the operation fail.
    aside: Option<Aside>,
    /// Whether our user may not run scripts.
    forbids_scripts: bool,
    /// The time of the last use.
    used: Instant,
}

impl Connection {
    /// A connection over `stream`.
    pub fn new(stream: Stream, deadline: Deadline) -> Self {
        Connection {
            stream,
            outbox: Vec::new(),
            reader: ReplyReader::default(),
            awaited: 0,
            before: 0,
            during: "",
            fault: None,
            aside: None,
            forbids_scripts: false,
            used: deadline.began(),
        }
    }

    /// Logs in and selects the database, if necessary, in one round trip.
    pub fn log_in(&mut self, endpoint: &Endpoint) -> RedisResult<()> {
        let password = endpoint.password.as_ref().map(|password| password.reveal().as_bytes());
        match (&endpoint.user, password) {
            (Some(user), password) => self.queue(&[b"AUTH", user.as_bytes(), password.unwrap_or_default()]),
            (None, Some(password)) => self.queue(&[b"AUTH", password]),
            (None, None) => {}
        }
        if endpoint.database != 0 {
            self.queue(&[b"SELECT", endpoint.database.to_string().as_bytes()]);
        }
        if self.awaited == 0 {
            return Ok(());
        }
        self.send()?;
        self.during = "logging in";
        let mut refused = Ok(());
        while self.awaited > 0 && self.fault.is_none() {
            if self.awaited == 1 && endpoint.database != 0 && refused.is_ok() {
                self.during = SELECTING;
            }
            refused = refused.and(self.receive_ok());
        }
        refused
    }

    /// Begins an operation, with its deadline.
    pub fn begin(&mut self, deadline: Deadline) {
        self.stream.set_deadline(deadline);
        self.used = deadline.began();
        self.before = self.reader.received();
    }

    /// Packs a command, its name and its arguments; the next [`send`](Self::send) sends it.
    pub fn queue(&mut self, arguments: &[&[u8]]) {
        self.queue_all(arguments.iter().copied());
    }

    /// Packs a command of any number of arguments, its name first. Without memory for it, sending fails.
    pub fn queue_all<'w>(&mut self, arguments: impl Iterator<Item = &'w [u8]> + Clone) {
        if let Err(error) = pack(arguments, &mut self.outbox) {
            self.fault = Some(Fault::NoRoom(error));
        }
        self.awaited += 1;
    }

    /// Sends the packed commands if they exceed `bytes`.
    pub fn send_if_many(&mut self, bytes: usize) -> RedisResult<()> {
        if self.outbox.len() > bytes { self.send() } else { Ok(()) }
    }

    /// Sends the packed commands.
    pub fn send(&mut self) -> RedisResult<()> {
        let sent = match self.fault {
            Some(_) => return Err(broken()),
            None => self.stream.write_all(&self.outbox).and_then(|()| self.stream.flush()),
        };
        self.outbox.clear();
        if self.outbox.capacity() > BUFFER_MAX {
            self.outbox = Vec::new();
        }
        self.during = "sending";
        self.record_fault(sent.map_err(Fault::Io))?;
        self.during = "waiting for the reply";
        Ok(())
    }

    /// Reads one reply; a refusal by the server is an error.
    pub fn receive(&mut self) -> RedisResult<Value> {
        let value = self.read(ReplyReader::reply)?;
        self.awaited -= 1;
        value.extract_error()
    }

    /// Reads one reply, which must be a count.
    pub fn receive_count(&mut self) -> RedisResult<u64> {
        self.receive_count_of(u64::MAX)
    }

    /// Reads one reply, which must be a count of at most `most`.
    pub fn receive_count_of(&mut self, most: u64) -> RedisResult<u64> {
        match self.receive()? {
            Value::Int(count) if count >= 0 && count as u64 <= most => Ok(count as u64),
            Value::Int(count) => self.garbled(format!("its reply is {count}; expected a count")),
            _ => self.garbled("its reply is not a number; expected a count".into()),
        }
    }

    /// Asks one question whose reply is a count.
    pub fn count(&mut self, arguments: &[&[u8]]) -> RedisResult<u64> {
        self.queue(arguments);
        self.send()?;
        self.receive_count()
    }

    /// Asks one question whose reply is 1 or 0.
    pub fn yes_or_no(&mut self, arguments: &[&[u8]]) -> RedisResult<bool> {
        self.queue(arguments);
        self.send()?;
        Ok(self.receive_count_of(1)? == 1)
    }

    /// Reads one reply, which must be OK.
    pub fn receive_ok(&mut self) -> RedisResult<()> {
        match self.receive()? {
            Value::Okay => Ok(()),
            _ => self.garbled("its reply is neither OK nor an error".into()),
        }
    }

    /// Reads one reply to a SET and returns whether it stored. It always does, unless only new keys are wanted.
    pub fn receive_stored(&mut self, only_new: bool) -> RedisResult<bool> {
        match self.receive()? {
            Value::Okay => Ok(true),
            Value::Nil if only_new => Ok(false),
            _ => self.garbled("its reply to SET is neither OK nor nil".into()),
        }
    }

    /// Sends one command whose reply is OK.
    pub fn order(&mut self, arguments: &[&[u8]]) -> RedisResult<()> {
        self.queue(arguments);
        self.send()?;
        self.receive_ok()
    }

    /// Asks whether the server is there.
    pub fn ping(&mut self) -> RedisResult<()> {
        self.queue(&[b"PING"]);
        self.send()?;
        match self.receive()? {
            Value::SimpleString(pong) if pong == "PONG" => Ok(()),
            _ => self.garbled("its reply to PING is not PONG".into()),
        }
    }

    /// Asks a script for 1 or 0; if our user may not run scripts, `plainly` does the same by other commands.
    pub fn script(
        &mut self,
        arguments: &[&[u8]],
        plainly: impl FnOnce(&mut Self) -> RedisResult<bool>,
    ) -> RedisResult<bool> {
        if !self.forbids_scripts {
            match self.yes_or_no(arguments) {
                // An ACL says NOPERM. A server without EVAL says ERR, and so does a script whose commands are
                // forbidden.
                Err(error) if matches!(error.code(), Some("NOPERM" | "ERR")) => {
                    self.forbids_scripts = true;
                    self.aside = Some(Aside::Refused(error));
                }
                answer => return answer,
            }
        }
        plainly(self)
    }

    /// Reads one reply, which must be a value or nil; returns which.
    pub fn receive_value(&mut self, sink: &mut dyn ValueSink) -> RedisResult<bool> {
        let found = self.receive_one(sink)?;
        self.awaited -= 1;
        self.expect_value(found)
    }

    /// The incident of this operation, if there was one.
    pub fn take_aside(&mut self) -> Option<Aside> {
        self.aside.take()
    }

    /// Reads one reply, which must be a value or nil for each of these indices, into the sinks of the indices, and
    /// records which were found.
    pub fn receive_values<P: ValueSink>(
        &mut self,
        numbers: &[usize],
        sinks: &mut [P],
        found: &mut [bool],
    ) -> RedisResult<()> {
        let head = self.read(ReplyReader::array)?;
        match head {
            Ok(len) if len == numbers.len() => {}
            Ok(len) => return self.garbled(format!("its reply has {len} values; expected {}", numbers.len())),
            Err(value) => {
                self.awaited -= 1;
                return self.expect_value(ReplyValue::Other(value)).map(drop);
            }
        }
        for &number in numbers {
            let one = self.receive_one(&mut sinks[number])?;
            found[number] = self.expect_value(one)?;
        }
        self.awaited -= 1;
        Ok(())
    }

    /// What the connection was doing, for a message.
    pub fn during(&self) -> &'static str {
        self.during
    }

    /// The fault that broke it.
    pub fn fault(&self) -> Option<&Fault> {
        self.fault.as_ref()
    }

    /// Takes the fault.
    pub fn take_fault(&mut self) -> Option<Fault> {
        self.fault.take()
    }

    /// Whether the peer had closed the connection before it sent anything in this operation: it was restarted
    /// meanwhile, for example.
    pub fn was_stale(&self) -> bool {
        let gone = |kind| matches!(kind, IoKind::UnexpectedEof | IoKind::ConnectionReset | IoKind::BrokenPipe);
        self.reader.received() == self.before && matches!(&self.fault, Some(Fault::Io(error)) if gone(error.kind()))
    }

    /// Whether every question has its reply, and no bytes are left over.
    pub fn is_settled(&self) -> bool {
        self.fault.is_none() && self.awaited == 0 && self.reader.is_empty() && self.outbox.is_empty()
    }

    /// When its last operation began.
    pub fn used(&self) -> Instant {
        self.used
    }

    /// Whether the peer has neither closed the connection nor sent anything since.
    pub fn is_quiet(&mut self) -> bool {
        self.stream.is_quiet()
    }

    fn receive_one(&mut self, sink: &mut dyn ValueSink) -> RedisResult<ReplyValue> {
        let found = self.read(|reader, stream| reader.value(stream, sink))?;
        if let ReplyValue::TooLong(len) = found {
            self.aside = Some(Aside::TooLong(len));
        }
        Ok(found)
    }

    fn expect_value(&mut self, found: ReplyValue) -> RedisResult<bool> {
        match found {
            ReplyValue::Value => Ok(true),
            ReplyValue::Nothing | ReplyValue::TooLong(_) => Ok(false),
            ReplyValue::Other(Value::ServerError(error)) => Err(error.into()),
            ReplyValue::Other(_) => self.garbled("its reply is neither a value nor nil".into()),
        }
    }

    fn read<T>(&mut self, read: impl FnOnce(&mut ReplyReader, &mut Stream) -> Parsed<T>) -> RedisResult<T> {
        if self.fault.is_some() {
            return Err(broken());
        }
        if self.awaited == 0 {
            return self.garbled("it sent a reply without a question".into());
        }
        let got = read(&mut self.reader, &mut self.stream);
        self.record_fault(got)
    }

    /// Fails with a malformed reply.
    pub fn garbled<T>(&mut self, text: String) -> RedisResult<T> {
        self.record_fault(Err(Fault::Garbage(text)))
    }

    /// Records a fault. The crate's error says only that there was one.
    fn record_fault<T>(&mut self, result: Parsed<T>) -> RedisResult<T> {
        result.map_err(|fault| {
            self.fault = Some(fault);
            broken()
        })
    }
}

/// Appends a command, as the protocol has it: the number of its arguments, then each one behind its length.
fn pack<'w>(arguments: impl Iterator<Item = &'w [u8]> + Clone, out: &mut Vec<u8>) -> Result<()> {
    /// The most bytes of a number with what is around it.
    const NUMBER: usize = 1 + 20 + 2;
    let (mut count, mut len) = (0, NUMBER);
    for argument in arguments.clone() {
        count += 1;
        len += NUMBER + argument.len() + 2;
    }
    out.try_reserve(len).map_err(|_| Error::OutOfMemory(len))?;
    let number = |out: &mut Vec<u8>, kind: u8, number: usize| {
        out.push(kind);
        out.extend_from_slice(decimal(number as u64, &mut [0; 20]));
        out.extend_from_slice(b"\r\n");
    };
    number(out, b'*', count);
    for argument in arguments {
        number(out, b'$', argument.len());
        out.extend_from_slice(argument);
        out.extend_from_slice(b"\r\n");
    }
    Ok(())
}

/// The digits of a number, in the buffer.
pub(super) fn decimal(mut number: u64, digits: &mut [u8; 20]) -> &[u8] {
    let mut start = digits.len();
    loop {
        start -= 1;
        digits[start] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            return &digits[start..];
        }
    }
}

fn broken() -> RedisError {
    (ErrorKind::Io, "the connection broke").into()
}
