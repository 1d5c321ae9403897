//! One connection to one server: commands are packed by the redis crate and sent with one `send`; replies are read as
//! `reply.rs` says. Its conversions are not used: they take much for an answer, such as a nil for a list or anything for
//! "done". What each command may be answered by is said here, once for each kind of question.
//!
//! A reply never answers another question. The connection counts what it asked and what it was told, and remembers the
//! first fault; once something is missing, late, left over or garbled, every further use is refused, and
//! [`is_settled`](Connection::is_settled) tells the pool to let it go.

use std::io::{ErrorKind as IoKind, Write};
use std::time::Instant;

use resp::{Cmd, ErrorKind, RedisError, RedisResult, Value};

use super::endpoint::Endpoint;
use super::reply::{Fault, Parsed, ReplyReader, ReplyValue, ValueSink};
use super::socket::Deadline;
use super::stream::Stream;

/// Buffers that grew beyond this go back to the system after use.
const KEPT: usize = 1 << 20;

/// What an operation has to tell that did not fail.
#[derive(Debug)]
pub enum Aside {
    /// It found another way than the one that was refused.
    Refused(RedisError),
    /// It passed a value over, of so many bytes.
    TooLong(usize),
}

/// A connection, used by one thread at a time.
pub struct Connection {
    stream: Stream,
    /// One command, and all commands not yet sent. Both keep their memory from one operation to the next.
    command: Cmd,
    outbox: Vec<u8>,
    reader: ReplyReader,
    /// Replies that have not been read yet.
    awaited: usize,
    /// How many bytes had come when this operation began.
    before: u64,
    during: &'static str,
    fault: Option<Fault>,
    /// What went wrong without making the operation fail.
    aside: Option<Aside>,
    /// Whether our user may not run scripts.
    forbids_scripts: bool,
    /// When it was last used.
    used: Instant,
}

impl Connection {
    /// A connection over `stream`.
    pub fn new(stream: Stream, deadline: Deadline) -> Self {
        Connection {
            stream,
            command: Cmd::new(),
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

    /// Logs in and selects the database, as far as there is need to; in one round trip.
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
            refused = refused.and(self.receive_ok());
        }
        refused
    }

    /// A new operation begins, to be over by the deadline.
    pub fn begin(&mut self, deadline: Deadline) {
        self.stream.set_deadline(deadline);
        self.used = deadline.began();
        self.before = self.reader.received();
    }

    /// Packs a command; it is sent with the next [`send`](Self::send).
    pub fn queue(&mut self, words: &[&[u8]]) {
        self.queue_all(words.iter().copied());
    }

    /// Packs a command of any number of words.
    pub fn queue_all<'w>(&mut self, words: impl Iterator<Item = &'w [u8]>) {
        self.command.clear();
        for word in words {
            self.command.arg(word);
        }
        self.command.write_packed_command(&mut self.outbox);
        self.awaited += 1;
    }

    /// Sends what is packed, if it is more than so many bytes.
    pub fn send_if_many(&mut self, bytes: usize) -> RedisResult<()> {
        if self.outbox.len() > bytes { self.send() } else { Ok(()) }
    }

    /// Sends what is packed.
    pub fn send(&mut self) -> RedisResult<()> {
        let sent = match self.fault {
            Some(_) => return Err(broken()),
            None => self.stream.write_all(&self.outbox).and_then(|()| self.stream.flush()),
        };
        self.outbox.clear();
        if self.outbox.capacity() > KEPT {
            (self.outbox, self.command) = Default::default();
        }
        self.during = "sending";
        self.settle(sent.map_err(Fault::Io))?;
        self.during = "waiting for the reply";
        Ok(())
    }

    /// Reads one reply; a refusal of the server is an error.
    pub fn receive(&mut self) -> RedisResult<Value> {
        let value = self.read(ReplyReader::reply)?;
        self.awaited -= 1;
        value.extract_error()
    }

    /// Reads one reply, which should be a number of things.
    pub fn receive_count(&mut self) -> RedisResult<u64> {
        self.receive_count_of(u64::MAX)
    }

    /// Reads one reply, which should be a number of things, of which there are so many.
    pub fn receive_count_of(&mut self, most: u64) -> RedisResult<u64> {
        match self.receive()? {
            Value::Int(count) if count >= 0 && count as u64 <= most => Ok(count as u64),
            Value::Int(count) => self.garbled(format!("{count}, where a number of things was asked for")),
            _ => self.garbled("a reply that is no number, where one was asked for".into()),
        }
    }

    /// Asks one question that is answered by a number of things.
    pub fn count(&mut self, words: &[&[u8]]) -> RedisResult<u64> {
        self.queue(words);
        self.send()?;
        self.receive_count()
    }

    /// Asks one question that is answered by 1 or 0.
    pub fn yes_or_no(&mut self, words: &[&[u8]]) -> RedisResult<bool> {
        self.queue(words);
        self.send()?;
        Ok(self.receive_count_of(1)? == 1)
    }

    /// Reads one reply, which should say that it was done.
    pub fn receive_ok(&mut self) -> RedisResult<()> {
        match self.receive()? {
            Value::Okay => Ok(()),
            _ => self.garbled("neither OK nor an error, where nothing else can be said".into()),
        }
    }

    /// Reads one reply to a SET; tells whether it stored, which it always does unless only new keys are wanted.
    pub fn receive_stored(&mut self, only_new: bool) -> RedisResult<bool> {
        match self.receive()? {
            Value::Okay => Ok(true),
            Value::Nil if only_new => Ok(false),
            _ => self.garbled("neither a yes nor a no to a SET".into()),
        }
    }

    /// Asks one thing that is answered by OK.
    pub fn order(&mut self, words: &[&[u8]]) -> RedisResult<()> {
        self.queue(words);
        self.send()?;
        self.receive_ok()
    }

    /// Asks whether the server is there.
    pub fn ping(&mut self) -> RedisResult<()> {
        self.queue(&[b"PING"]);
        self.send()?;
        match self.receive()? {
            Value::SimpleString(pong) if pong == "PONG" => Ok(()),
            _ => self.garbled("no PONG to a PING".into()),
        }
    }

    /// Asks a script for 1 or 0; where our user may not run one, `plainly` does the same by other commands.
    pub fn script(
        &mut self,
        words: &[&[u8]],
        plainly: impl FnOnce(&mut Self) -> RedisResult<bool>,
    ) -> RedisResult<bool> {
        if !self.forbids_scripts {
            match self.yes_or_no(words) {
                // The one is what an ACL says, the other what servers say that do not know EVAL, and scripts whose
                // commands are forbidden.
                Err(error) if matches!(error.code(), Some("NOPERM" | "ERR")) => {
                    self.forbids_scripts = true;
                    self.aside = Some(Aside::Refused(error));
                }
                answer => return answer,
            }
        }
        plainly(self)
    }

    /// Reads one reply, which should be a value or none; tells which.
    pub fn receive_value(&mut self, sink: &mut dyn ValueSink) -> RedisResult<bool> {
        let found = self.receive_one(sink)?;
        self.awaited -= 1;
        self.expect_value(found)
    }

    /// What went wrong without making the operation fail.
    pub fn take_aside(&mut self) -> Option<Aside> {
        self.aside.take()
    }

    /// Reads one reply, which should be a value or none for each of these numbers; puts each into the place of its number,
    /// and says there whether it was found.
    pub fn receive_values<P: ValueSink>(
        &mut self,
        numbers: &[usize],
        sinks: &mut [P],
        found: &mut [bool],
    ) -> RedisResult<()> {
        let head = self.read(ReplyReader::array)?;
        match head {
            Ok(len) if len == numbers.len() => {}
            Ok(len) => return self.garbled(format!("{len} values, where {} were asked for", numbers.len())),
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

    /// What broke it.
    pub fn fault(&self) -> Option<&Fault> {
        self.fault.as_ref()
    }

    /// Takes the reason for which there was no place for a value.
    pub fn take_fault(&mut self) -> Option<Fault> {
        self.fault.take()
    }

    /// Whether the peer had gone before it said anything in this operation, as one has that was restarted meanwhile.
    pub fn was_stale(&self) -> bool {
        let gone = |kind| matches!(kind, IoKind::UnexpectedEof | IoKind::ConnectionReset | IoKind::BrokenPipe);
        self.reader.received() == self.before && matches!(&self.fault, Some(Fault::Io(error)) if gone(error.kind()))
    }

    /// Whether every question has its answer, and nothing is left over.
    pub fn is_settled(&self) -> bool {
        self.fault.is_none() && self.awaited == 0 && self.reader.is_empty() && self.outbox.is_empty()
    }

    /// When its last operation began.
    pub fn used(&self) -> Instant {
        self.used
    }

    /// Whether the peer has neither gone nor said anything since.
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
            ReplyValue::Other(_) => self.garbled("a reply of another kind than was asked for".into()),
        }
    }

    fn read<T>(&mut self, read: impl FnOnce(&mut ReplyReader, &mut Stream) -> Parsed<T>) -> RedisResult<T> {
        if self.fault.is_some() {
            return Err(broken());
        }
        if self.awaited == 0 {
            return self.garbled("a reply that nobody asked for".into());
        }
        let got = read(&mut self.reader, &mut self.stream);
        self.settle(got)
    }

    /// Marks the connection as one that understood nothing.
    pub fn garbled<T>(&mut self, text: String) -> RedisResult<T> {
        self.settle(Err(Fault::Garbage(text)))
    }

    /// Remembers a fault. What the crate sees instead says only that there was one.
    fn settle<T>(&mut self, result: Parsed<T>) -> RedisResult<T> {
        result.map_err(|fault| {
            self.fault = Some(fault);
            broken()
        })
    }
}

fn broken() -> RedisError {
    (ErrorKind::Io, "the connection broke").into()
}
