//! What a server answers, read as it comes: values straight to where they are kept, everything else by the redis crate's
//! parser, one line at a time.
//!
//! The crate's parser could read it all, but it collects a reply before it copies it: a value of 512 MB would take 1.5 GB.
//! Here a usual value is allocated once, at its size, and a batch of 100 values is read in a third of the time.
//!
//! A length is only what somebody says. One that no server can mean is an error at once. One that is longer than the reader
//! is believed when half of it has come: so memory is at most three times what has come, and what is copied is half of a
//! large value. What is no value (a list of keys, a map of slots) is bounded in all that it takes. Time is bounded by the
//! deadline, which every read looks at.
//!
//! We never ask for RESP3, so a reply of one of its kinds is no reply.

use std::io::{self, ErrorKind, Read};

use resp::{Value, parse_redis_value};

use crate::error::{Error, Result};

/// The longest value: what servers hold unless they are told otherwise.
pub const LONGEST_VALUE: usize = 512 << 20;

/// Arrays within arrays; what we ask for has at most three.
const DEEPEST: u32 = 8;

/// The memory of a reply that is no value. What is asked for in one step, a thousand names or the map of a cluster, takes a
/// hundredth of it.
const LARGEST: usize = 64 << 20;

/// Where a value is put.
pub trait ValueSink {
    /// Room for the value, of exactly `len` bytes; asked once, when its length is known. After an error the value is not
    /// read, and the operation gives that error.
    fn room(&mut self, len: usize) -> Result<&mut [u8]>;

    /// Whether it takes so long a value. Asked when one is announced that is longer than the reader; one that is not taken is
    /// passed over.
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

/// Why a reply cannot be read to its end; the connection is of no use any more.
#[derive(Debug)]
pub enum Fault {
    /// The bytes did not come.
    Io(io::Error),
    /// They are no answer to what was asked; why, in our own words.
    Garbage(String),
    /// They are no reply; as they came.
    Nonsense(Box<[u8]>),
    /// There was no place for a value.
    NoRoom(Error),
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        Fault::Io(error)
    }
}

/// What was read, or why it could not be.
pub type Parsed<T> = std::result::Result<T, Fault>;

/// What stands where a value was asked for.
#[derive(Debug)]
pub enum ReplyValue {
    /// The value, which is in its place now.
    Value,
    /// That there is none.
    Nothing,
    /// One that is longer than its place takes, of so many bytes; it was passed over.
    TooLong(usize),
    /// Something else: an error, as a rule.
    Other(Value),
}

/// Bytes that have come and are not yet read.
pub struct ReplyReader {
    bytes: Box<[u8]>,
    start: usize,
    end: usize,
    /// How many bytes have ever come.
    received: u64,
}

impl Default for ReplyReader {
    /// Room for a batch of 100 usual values; also the longest line.
    fn default() -> Self {
        ReplyReader { bytes: vec![0; 64 << 10].into(), start: 0, end: 0, received: 0 }
    }
}

impl ReplyReader {
    /// Whether all that has come was read.
    pub fn is_empty(&self) -> bool {
        self.start == self.end
    }

    /// How many bytes have ever come.
    pub fn received(&self) -> u64 {
        self.received
    }

    /// Reads one reply.
    pub fn reply(&mut self, stream: &mut impl Read) -> Parsed<Value> {
        self.nested(stream, DEEPEST, &mut { LARGEST })
    }

    /// Reads one reply that should be a value, and puts it into `place`.
    pub fn value(&mut self, stream: &mut impl Read, sink: &mut dyn ValueSink) -> Parsed<ReplyValue> {
        let line = self.line(stream)?;
        match line[0] {
            b'$' => match length(line)? {
                Some(len) if len > LONGEST_VALUE => Err(Fault::Garbage(format!("a value of {len} bytes"))),
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

    /// Reads the head of an array: how many replies follow. Anything else is given as it is.
    pub fn array(&mut self, stream: &mut impl Read) -> Parsed<std::result::Result<usize, Value>> {
        let line = self.line(stream)?;
        match line[0] {
            b'*' => Ok(length(line)?.ok_or(Value::Nil)),
            _ => other(line).map(Err),
        }
    }

    /// A value whose length is not believed before half of it has come.
    #[cold]
    fn long_value(&mut self, stream: &mut impl Read, len: usize, sink: &mut dyn ValueSink) -> Parsed<ReplyValue> {
        if !sink.accepts(len) {
            self.pass_over(stream, len)?;
            self.end_of_line(stream)?;
            return Ok(ReplyValue::TooLong(len));
        }
        let (mut come, half) = (Vec::new(), len / 2);
        while come.len() < half {
            let (start, more) = (come.len(), come.len().max(self.bytes.len()).min(half - come.len()));
            come.try_reserve_exact(more).map_err(|_| Fault::NoRoom(Error::OutOfMemory(len)))?;
            come.resize(start + more, 0);
            self.body(stream, &mut come[start..])?;
        }
        let (first, rest) = sink.room(len).map_err(Fault::NoRoom)?.split_at_mut(half);
        first.copy_from_slice(&come);
        drop(come);
        self.body(stream, rest)?;
        self.end_of_line(stream)?;
        Ok(ReplyValue::Value)
    }

    fn nested(&mut self, stream: &mut impl Read, deeper: u32, left: &mut usize) -> Parsed<Value> {
        take(left, size_of::<Value>())?;
        if self.peek(stream)? == b'*' {
            if deeper == 0 {
                return Err(Fault::Garbage("arrays nested too deeply".into()));
            }
            return match self.array(stream)? {
                Ok(len) => {
                    let mut values = Vec::new();
                    for _ in 0..len {
                        values.push(self.nested(stream, deeper - 1, left)?);
                    }
                    Ok(Value::Array(values))
                }
                // Nothing that we ask has this answer; read as a nil it would pass for "there is none".
                Err(_) => Err(Fault::Garbage("a list that is none".into())),
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

    /// The next line, its end included; it is read then.
    fn line(&mut self, stream: &mut impl Read) -> Parsed<&[u8]> {
        let mut searched = 0;
        loop {
            let come = &self.bytes[self.start..self.end];
            match come[searched..].iter().position(|&byte| byte == b'\n') {
                Some(at) => {
                    let line = self.start..self.start + searched + at + 1;
                    self.start = line.end;
                    return match &self.bytes[line] {
                        line @ [_, .., b'\r', b'\n'] => Ok(line),
                        line => Err(nonsense(line)),
                    };
                }
                None => searched = come.len(),
            }
            if searched == self.bytes.len() {
                return Err(nonsense(&self.bytes));
            }
            self.fill(stream)?;
        }
    }

    /// So many bytes of a value.
    fn body(&mut self, stream: &mut impl Read, room: &mut [u8]) -> Parsed<()> {
        let mut filled = 0;
        while filled < room.len() {
            let rest = &mut room[filled..];
            let come = &self.bytes[self.start..self.end];
            filled += match come.len().min(rest.len()) {
                // What is left of a large value goes past the reader.
                0 if rest.len() >= self.bytes.len() => self.come(stream.read(rest)?)?,
                0 => {
                    self.fill(stream)?;
                    0
                }
                part => {
                    rest[..part].copy_from_slice(&come[..part]);
                    self.start += part;
                    part
                }
            };
        }
        Ok(())
    }

    /// Reads so many bytes, and keeps none.
    fn pass_over(&mut self, stream: &mut impl Read, len: usize) -> Parsed<()> {
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

    /// The end of line behind a value.
    fn end_of_line(&mut self, stream: &mut impl Read) -> Parsed<()> {
        while self.end - self.start < 2 {
            self.fill(stream)?;
        }
        if &self.bytes[self.start..self.start + 2] != b"\r\n" {
            return Err(Fault::Garbage("a value that does not end where it should".into()));
        }
        self.start += 2;
        Ok(())
    }

    /// Waits for more bytes. There is room for some: no line is longer than the reader.
    fn fill(&mut self, stream: &mut impl Read) -> Parsed<()> {
        if self.is_empty() {
            (self.start, self.end) = (0, 0);
        } else if self.end == self.bytes.len() {
            self.bytes.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
        }
        let read = stream.read(&mut self.bytes[self.end..])?;
        self.end += self.come(read)?;
        Ok(())
    }

    /// Counts what was read. Nothing means that the peer has gone.
    fn come(&mut self, read: usize) -> io::Result<usize> {
        self.received += read as u64;
        if read == 0 { Err(ErrorKind::UnexpectedEof.into()) } else { Ok(read) }
    }
}

/// Text that is no value of ours, such as the name of a key.
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

/// Takes memory from what a reply may have.
fn take(left: &mut usize, bytes: usize) -> Parsed<()> {
    *left = left.checked_sub(bytes).ok_or_else(too_much)?;
    Ok(())
}

fn too_much() -> Fault {
    Fault::Garbage(format!("a reply that takes more than {LARGEST} bytes"))
}

/// The number behind the first byte of a line: a length, or -1 for none.
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

    /// Gives at most so many bytes at a time.
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
    fn every_kind_of_reply_is_read_however_it_is_cut() {
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
    fn a_value_larger_than_the_inbox_is_read_whole() {
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
    fn what_is_no_reply_is_a_fault_and_takes_no_memory() {
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
            // Of RESP3: map, set, push, attribute, null, boolean, double, big number, error, verbatim text.
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

    /// Remembers what it was asked for.
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
    fn a_length_is_believed_when_half_of_it_has_come() {
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
                assert_eq!(sink.rooms, rooms, "{announced}, of which {comes} come");
            }
        }
    }

    #[test]
    fn a_value_that_is_too_long_for_its_place_is_passed_over() {
        let bytes = [b"$100000\r\n", &[7; 100_000][..], b"\r\n$1\r\nx\r\n"].concat();
        for at_once in [1000, usize::MAX] {
            let (mut reader, mut stream, mut sink) = (ReplyReader::default(), Trickle(&bytes, at_once), asked(99_999));
            assert!(matches!(reader.value(&mut stream, &mut sink), Ok(ReplyValue::TooLong(100_000))));
            assert_eq!(sink.rooms, [0; 0]);
            assert_eq!(reader.reply(&mut stream).unwrap(), bulk("x"));
        }
    }

    #[test]
    fn a_reply_that_is_no_value_is_bounded_in_all_that_it_takes() {
        /// One beginning, and then the same for ever.
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
            // Far more comes than may be taken; but not for ever, should it be taken.
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
