//! Replies, parsed as they arrive: values go straight into their sinks, everything else through the redis crate's
//! parser, one line at a time.
//!
//! The crate's parser could read all of it, but it collects a reply before it copies it: a value of 512 MB would take
//! 1.5 GB. Here an ordinary value is allocated once, at its size, and a batch of 100 values is read in a third of the
//! time.
//!
//! An announced length is not trusted. A length that no server can mean is an error at once. For a value longer than
//! the buffer, room is made when half of it has arrived: so memory is at most three times what has arrived, and half of
//! a large value is copied. Other replies (a list of keys, a slot map) are bounded in all that they take. Time is
//! bounded by the deadline, which every read checks.
//!
//! We never ask for RESP3, so its kinds of replies are malformed.

use std::io::{self, ErrorKind, Read};

use resp::{Value, parse_redis_value};

use crate::error::{Error, Result};

/// The longest value: the limit of servers, unless they are configured otherwise.
pub const LONGEST_VALUE: usize = 512 << 20;

/// The deepest nesting of arrays; our questions need three.
const DEEPEST: u32 = 8;

/// The most memory of a reply that is not a value. One step's reply, a thousand names or a cluster's slot map, takes a
/// hundredth of it.
const LARGEST: usize = 64 << 20;

/// The destination of a value.
pub trait ValueSink {
    /// Room for the value, of exactly `len` bytes; called once, when the length is known. If it fails, the value is not
    /// read and the operation fails with this error.
    fn room(&mut self, len: usize) -> Result<&mut [u8]>;

    /// Whether it accepts a value of this length. Called for values that are longer than the reader's buffer; one that
    /// is not accepted is skipped.
    fn accepts(&self, _len: usize) -> bool {
        true
    }
}

impl ValueSink for Vec<u8> {
    fn room(&mut self, len: usize) -> Result<&mut [u8]> {
        self.clear();
        self.try_reserve_exact(len).map_err(|_| Error::OutOfMemory(len))?;
        self.resize(len, 0);
        Ok(self)
    }
}

/// Why a reply cannot be read to its end. The connection is useless then.
#[derive(Debug)]
pub enum Fault {
    /// Reading failed.
    Io(io::Error),
    /// The bytes do not answer the question; the text is our own.
    Garbage(String),
    /// The bytes are not a reply.
    Nonsense(Box<[u8]>),
    /// The sink had no room for a value.
    NoRoom(Error),
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        Fault::Io(error)
    }
}

/// The result of parsing.
pub type Parsed<T> = std::result::Result<T, Fault>;

/// The reply to a question for a value.
#[derive(Debug)]
pub enum ReplyValue {
    /// A value; it is in the sink.
    Value,
    /// Nil: there is no value.
    Nothing,
    /// A value of this length, which the sink does not accept; it was skipped.
    TooLong(usize),
    /// Another reply: usually an error.
    Other(Value),
}

/// Reads replies from a stream, through a buffer.
pub struct ReplyReader {
    bytes: Box<[u8]>,
    start: usize,
    end: usize,
    /// The number of bytes received so far.
    received: u64,
}

impl Default for ReplyReader {
    /// The buffer holds a batch of 100 ordinary values. It limits the length of a line, too.
    fn default() -> Self {
        ReplyReader { bytes: vec![0; 64 << 10].into(), start: 0, end: 0, received: 0 }
    }
}

impl ReplyReader {
    /// Whether all received bytes were consumed.
    pub fn is_empty(&self) -> bool {
        self.start == self.end
    }

    /// The number of bytes received so far.
    pub fn received(&self) -> u64 {
        self.received
    }

    /// Reads one reply.
    pub fn reply(&mut self, stream: &mut impl Read) -> Parsed<Value> {
        self.nested(stream, DEEPEST, &mut { LARGEST })
    }

    /// Reads one reply that should be a value, into `sink`.
    pub fn value(&mut self, stream: &mut impl Read, sink: &mut dyn ValueSink) -> Parsed<ReplyValue> {
        let line = self.line(stream)?;
        match line[0] {
            b'$' => match length(line)? {
                Some(len) if len > LONGEST_VALUE => {
                    Err(Fault::Garbage(format!("its reply announces a value of {len} bytes")))
                }
                Some(len) if len <= self.bytes.len() => {
                    self.body(stream, sink.room(len).map_err(Fault::NoRoom)?)?;
                    self.end_of_line(stream)?;
                    Ok(ReplyValue::Value)
                }
                Some(len) => self.long_value(stream, len, sink),
                None => Ok(ReplyValue::Nothing),
            },
            _ => other(line).map(ReplyValue::Other),
        }
    }

    /// Reads the head of an array: the number of replies that follow. Any other reply is returned as it is.
    pub fn array(&mut self, stream: &mut impl Read) -> Parsed<std::result::Result<usize, Value>> {
        let line = self.line(stream)?;
        match line[0] {
            b'*' => Ok(length(line)?.ok_or(Value::Nil)),
            _ => other(line).map(Err),
        }
    }

    /// Reads a value whose length is not trusted before half of it has arrived.
    #[cold]
    fn long_value(&mut self, stream: &mut impl Read, len: usize, sink: &mut dyn ValueSink) -> Parsed<ReplyValue> {
        if !sink.accepts(len) {
            self.skip(stream, len)?;
            self.end_of_line(stream)?;
            return Ok(ReplyValue::TooLong(len));
        }
        let (mut arrived, half) = (Vec::new(), len / 2);
        while arrived.len() < half {
            let (start, more) = (arrived.len(), arrived.len().max(self.bytes.len()).min(half - arrived.len()));
            arrived.try_reserve_exact(more).map_err(|_| Fault::NoRoom(Error::OutOfMemory(len)))?;
            arrived.resize(start + more, 0);
            self.body(stream, &mut arrived[start..])?;
        }
        let (first, rest) = sink.room(len).map_err(Fault::NoRoom)?.split_at_mut(half);
        first.copy_from_slice(&arrived);
        drop(arrived);
        self.body(stream, rest)?;
        self.end_of_line(stream)?;
        Ok(ReplyValue::Value)
    }

    fn nested(&mut self, stream: &mut impl Read, deeper: u32, left: &mut usize) -> Parsed<Value> {
        take(left, size_of::<Value>())?;
        if self.peek(stream)? == b'*' {
            if deeper == 0 {
                return Err(Fault::Garbage("its reply nests arrays too deeply".into()));
            }
            return match self.array(stream)? {
                Ok(len) => {
                    let mut values = Vec::new();
                    for _ in 0..len {
                        values.push(self.nested(stream, deeper - 1, left)?);
                    }
                    Ok(Value::Array(values))
                }
                // None of our questions has this answer. As a nil it would mean that there is no value.
                Err(_) => Err(Fault::Garbage("its reply is nil; expected a list".into())),
            };
        }
        let mut text = Text { bytes: Vec::new(), longest: *left };
        let value = match self.value(stream, &mut text)? {
            ReplyValue::Value => Value::BulkString(text.bytes),
            ReplyValue::Nothing => Value::Nil,
            ReplyValue::TooLong(_) => return Err(too_much()),
            ReplyValue::Other(value) => value,
        };
        match &value {
            Value::BulkString(bytes) => take(left, bytes.len())?,
            Value::SimpleString(text) => take(left, text.len())?,
            Value::ServerError(error) => take(left, error.details().map_or(0, str::len))?,
            _ => {}
        }
        Ok(value)
    }

    fn peek(&mut self, stream: &mut impl Read) -> Parsed<u8> {
        if self.is_empty() {
            self.fill(stream)?;
        }
        Ok(self.bytes[self.start])
    }

    /// Consumes the next line, with its end.
    fn line(&mut self, stream: &mut impl Read) -> Parsed<&[u8]> {
        let mut searched = 0;
        loop {
            let arrived = &self.bytes[self.start..self.end];
            match arrived[searched..].iter().position(|&byte| byte == b'\n') {
                Some(at) => {
                    let line = self.start..self.start + searched + at + 1;
                    self.start = line.end;
                    return match &self.bytes[line] {
                        line @ [_, .., b'\r', b'\n'] => Ok(line),
                        line => Err(nonsense(line)),
                    };
                }
                None => searched = arrived.len(),
            }
            if searched == self.bytes.len() {
                return Err(nonsense(&self.bytes));
            }
            self.fill(stream)?;
        }
    }

    /// Reads bytes of a value until `room` is full.
    fn body(&mut self, stream: &mut impl Read, room: &mut [u8]) -> Parsed<()> {
        let mut filled = 0;
        while filled < room.len() {
            let rest = &mut room[filled..];
            let arrived = &self.bytes[self.start..self.end];
            filled += match arrived.len().min(rest.len()) {
                // The rest of a large value bypasses the buffer.
                0 if rest.len() >= self.bytes.len() => self.count(stream.read(rest)?)?,
                0 => {
                    self.fill(stream)?;
                    0
                }
                part => {
                    rest[..part].copy_from_slice(&arrived[..part]);
                    self.start += part;
                    part
                }
            };
        }
        Ok(())
    }

    /// Reads and discards `len` bytes.
    fn skip(&mut self, stream: &mut impl Read, len: usize) -> Parsed<()> {
        let mut left = len;
        while left > 0 {
            if self.is_empty() {
                self.fill(stream)?;
            }
            let part = left.min(self.end - self.start);
            self.start += part;
            left -= part;
        }
        Ok(())
    }

    /// Reads the end of line behind a value.
    fn end_of_line(&mut self, stream: &mut impl Read) -> Parsed<()> {
        while self.end - self.start < 2 {
            self.fill(stream)?;
        }
        if &self.bytes[self.start..self.start + 2] != b"\r\n" {
            return Err(Fault::Garbage("its reply is longer than its announced length".into()));
        }
        self.start += 2;
        Ok(())
    }

    /// Reads more bytes into the buffer. There is room: no line is longer than the buffer.
    fn fill(&mut self, stream: &mut impl Read) -> Parsed<()> {
        if self.is_empty() {
            (self.start, self.end) = (0, 0);
        } else if self.end == self.bytes.len() {
            self.bytes.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
        }
        let read = stream.read(&mut self.bytes[self.end..])?;
        self.end += self.count(read)?;
        Ok(())
    }

    /// Counts received bytes. Zero means that the peer has closed the connection.
    fn count(&mut self, read: usize) -> io::Result<usize> {
        self.received += read as u64;
        if read == 0 { Err(ErrorKind::UnexpectedEof.into()) } else { Ok(read) }
    }
}

/// A text of a reply, such as the name of a key.
struct Text {
    bytes: Vec<u8>,
    longest: usize,
}

impl ValueSink for Text {
    fn room(&mut self, len: usize) -> Result<&mut [u8]> {
        self.bytes.room(len)
    }

    fn accepts(&self, len: usize) -> bool {
        len <= self.longest
    }
}

/// Takes memory from the budget of a reply.
fn take(left: &mut usize, bytes: usize) -> Parsed<()> {
    *left = left.checked_sub(bytes).ok_or_else(too_much)?;
    Ok(())
}

fn too_much() -> Fault {
    Fault::Garbage(format!("its reply takes more than {LARGEST} bytes"))
}

/// The number behind the first byte of a line: a length, or -1 for nil.
fn length(line: &[u8]) -> Parsed<Option<usize>> {
    let digits = &line[1..line.len() - 2];
    if digits == b"-1" {
        return Ok(None);
    }
    if digits.is_empty() || digits.len() > 18 || !digits.iter().all(u8::is_ascii_digit) {
        return Err(nonsense(line));
    }
    Ok(Some(digits.iter().fold(0, |number, digit| number * 10 + usize::from(digit - b'0'))))
}

/// A reply of one line.
fn other(line: &[u8]) -> Parsed<Value> {
    match line {
        b"+OK\r\n" => Ok(Value::Okay),
        [b'+' | b'-' | b':', ..] => parse_redis_value(line).map_err(|_| nonsense(line)),
        _ => Err(nonsense(line)),
    }
}

fn nonsense(bytes: &[u8]) -> Fault {
    Fault::Nonsense(bytes.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns at most this number of bytes at a time.
    struct Trickle<'a>(&'a [u8], usize);

    impl Read for Trickle<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let len = self.1.min(buffer.len());
            self.0.read(&mut buffer[..len])
        }
    }

    fn reply(bytes: &[u8], at_once: usize) -> Parsed<Value> {
        let mut reader = ReplyReader::default();
        let value = reader.reply(&mut Trickle(bytes, at_once))?;
        assert!(reader.is_empty());
        Ok(value)
    }

    fn bulk(text: &str) -> Value {
        Value::BulkString(text.into())
    }

    #[test]
    fn every_kind_of_reply_is_read_in_pieces_of_any_length() {
        let nested =
            Value::Array(vec![bulk("0"), Value::Array(vec![bulk("a\r\nb"), Value::Nil, Value::Array(vec![])])]);
        for (bytes, expected) in [
            (&b"+OK\r\n"[..], Value::Okay),
            (b"+PONG\r\n", Value::SimpleString("PONG".into())),
            (b":-12\r\n", Value::Int(-12)),
            (b"$-1\r\n", Value::Nil),
            (b"$0\r\n\r\n", bulk("")),
            (b"*2\r\n$1\r\n0\r\n*3\r\n$4\r\na\r\nb\r\n$-1\r\n*0\r\n", nested),
        ] {
            for at_once in [1, 2, 3, 1000] {
                assert_eq!(reply(bytes, at_once).unwrap(), expected);
            }
        }
        let error = reply(b"-OOM command not allowed\r\n", 1).unwrap();
        assert!(matches!(error, Value::ServerError(error) if error.code() == "OOM"));
    }

    #[test]
    fn a_value_larger_than_the_buffer_is_read_completely() {
        for len in [65_533, 65_536, 65_537, 1_000_003] {
            let value: Vec<u8> = (0..len).map(|at| (at % 251) as u8).collect();
            let bytes = [format!("${len}\r\n").as_bytes(), &value, b"\r\n$1\r\nx\r\n"].concat();
            for at_once in [1000, 65_536, usize::MAX] {
                let (mut reader, mut stream) = (ReplyReader::default(), Trickle(&bytes, at_once));
                assert_eq!(reader.reply(&mut stream).unwrap(), Value::BulkString(value.clone()));
                assert_eq!(reader.reply(&mut stream).unwrap(), bulk("x"));
            }
        }
    }

    #[test]
    fn malformed_replies_are_faults_and_allocate_nothing() {
        for bytes in [
            &b"HTTP/1.1 400 Bad Request\r\n\r\n"[..],
            b"\r\n",
            b"+OK\n",
            b"$\r\n",
            b"$-2\r\n",
            b"$1x\r\n",
            b"$536870913\r\n",
            b"$99999999999999999999\r\n",
            b"$3\r\nabcd\r\n",
            b":12x\r\n",
            // RESP3: map, set, push, attribute, null, boolean, double, big number, error, verbatim text.
            b"%1\r\n+a\r\n+b\r\n",
            b"~1\r\n+a\r\n",
            b">2\r\n+invalidate\r\n+x\r\n",
            b"|1\r\n+a\r\n+b\r\n+OK\r\n",
            b"_\r\n",
            b"#t\r\n",
            b",1.5\r\n",
            b"(3492890328409238509324850943850943825024385\r\n",
            b"!5\r\nERR x\r\n",
            b"=7\r\ntxt:abc\r\n",
            b":99999999999999999999\r\n",
            b"*-1\r\n",
            b"*-2\r\n",
            b"$536870912000\r\n",
            &[&b"-"[..], &b"x".repeat(70_000), b"\r\n"].concat(),
            b"-\xff\xfe\r\n",
            &b"*1\r\n".repeat(9),
            &b"x".repeat(70_000),
        ] {
            let read = reply(bytes, usize::MAX);
            assert!(matches!(read, Err(Fault::Garbage(_) | Fault::Nonsense(_))), "{}", bytes.escape_ascii());
        }
        for bytes in [&b""[..], b"$3\r\nab", b"$3\r\nabc\r", b"*999999999\r\n+OK\r\n", b"$536870\r\nabc"] {
            let Err(Fault::Io(error)) = reply(bytes, usize::MAX) else { panic!("{}", bytes.escape_ascii()) };
            assert_eq!(error.kind(), ErrorKind::UnexpectedEof);
        }
    }

    /// Records its calls.
    struct Asked {
        room: Vec<u8>,
        rooms: Vec<usize>,
        longest: usize,
    }

    impl ValueSink for Asked {
        fn room(&mut self, len: usize) -> Result<&mut [u8]> {
            self.rooms.push(len);
            self.room.room(len)
        }

        fn accepts(&self, len: usize) -> bool {
            len <= self.longest
        }
    }

    fn asked(longest: usize) -> Asked {
        Asked { room: Vec::new(), rooms: Vec::new(), longest }
    }

    #[test]
    fn a_length_is_trusted_when_half_of_it_has_arrived() {
        for (announced, comes, rooms) in [
            (65_536, 0, &[65_536][..]),
            (65_537, 0, &[]),
            (512 << 20, 100, &[]),
            (1 << 20, (1 << 19) - 1, &[]),
            (1 << 20, 1 << 19, &[1 << 20]),
        ] {
            let bytes = [format!("${announced}\r\n").as_bytes(), &vec![7; comes]].concat();
            for at_once in [1000, usize::MAX] {
                let mut sink = asked(LONGEST_VALUE);
                let read = ReplyReader::default().value(&mut Trickle(&bytes, at_once), &mut sink);
                assert!(matches!(read, Err(Fault::Io(error)) if error.kind() == ErrorKind::UnexpectedEof));
                assert_eq!(sink.rooms, rooms, "{announced}, of which {comes} arrived");
            }
        }
    }

    #[test]
    fn a_value_that_its_sink_does_not_accept_is_skipped() {
        let bytes = [b"$100000\r\n", &[7; 100_000][..], b"\r\n$1\r\nx\r\n"].concat();
        for at_once in [1000, usize::MAX] {
            let (mut reader, mut stream, mut sink) = (ReplyReader::default(), Trickle(&bytes, at_once), asked(99_999));
            assert!(matches!(reader.value(&mut stream, &mut sink), Ok(ReplyValue::TooLong(100_000))));
            assert_eq!(sink.rooms, [0; 0]);
            assert_eq!(reader.reply(&mut stream).unwrap(), bulk("x"));
        }
    }

    #[test]
    fn other_replies_are_bounded_in_length_depth_and_items() {
        /// A beginning, and then the same bytes forever.
        struct Endless(&'static [u8], &'static [u8]);
        impl Read for Endless {
            fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
                let first = std::mem::take(&mut self.0);
                buffer[..first.len()].copy_from_slice(first);
                let rest = (buffer.len() - first.len()) / self.1.len() * self.1.len();
                buffer[first.len()..][..rest].chunks_mut(self.1.len()).for_each(|part| part.copy_from_slice(self.1));
                Ok(first.len() + rest)
            }
        }
        for (first, rest) in [
            (&b"*999999999999\r\n"[..], &b"*0\r\n"[..]),
            (b"*999999999999\r\n", b":1\r\n"),
            (b"*999999999999\r\n", b"$10\r\n0123456789\r\n"),
            (b"*999999999999\r\n", b"-ERR no\r\n"),
            (b"*2\r\n*999999999999\r\n", b"$-1\r\n"),
        ] {
            // Far more bytes than are allowed arrive, but not infinitely many, so that the test ends if they are
            // accepted.
            let mut stream = Endless(first, rest).take(1 << 24);
            let read = ReplyReader::default().nested(&mut stream, DEEPEST, &mut { 1 << 16 });
            assert!(matches!(&read, Err(Fault::Garbage(text)) if text.contains("takes more than")), "{read:?}");
        }
    }

    #[test]
    fn random_bytes_are_a_fault_or_a_reply_but_never_a_panic() {
        use std::hash::BuildHasher;
        let seed = std::hash::RandomState::new().hash_one(0) | 1;
        println!("seed {seed}");
        let mut state = seed;
        let mut random = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state
        };
        const LIKELY: &[u8] = b"$*+-:\r\n0123456789";
        for _ in 0..20_000 {
            let bytes: Vec<u8> = (0..random() % 40)
                .map(|_| if random() % 8 == 0 { random() as u8 } else { LIKELY[random() as usize % LIKELY.len()] })
                .collect();
            let _ = ReplyReader::default().reply(&mut &bytes[..]);
        }
    }
}
