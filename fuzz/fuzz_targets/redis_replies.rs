//! A server's replies, as random bytes in random pieces: reading never panics, the result does not depend on where
//! the pieces end, no byte after a reply is consumed, and memory for a value grows only as its bytes arrive.
#![no_main]

use std::io::{self, Read};

use libfuzzer_sys::fuzz_target;
use phicache::redis::{Fault, ReplyReader, ReplyValue, ValueSink};
use phicache_fuzz::Input;

/// A reader that returns at most a given number of bytes at a time.
struct Pieces<'d>(&'d [u8], usize);

impl Read for Pieces<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let len = self.1.min(buffer.len());
        self.0.read(&mut buffer[..len])
    }
}

fn fault(fault: Fault) -> String {
    match fault {
        Fault::Io(error) => format!("{:?}", error.kind()),
        Fault::Garbage(_) | Fault::Nonsense(_) => "garbage".into(),
        Fault::NoRoom(error) => error.to_string(),
    }
}

/// A value, and the total number of bytes that arrive.
struct Room(Vec<u8>, usize);

impl ValueSink for Room {
    fn room(&mut self, len: usize) -> phicache::error::Result<&mut [u8]> {
        // An announced length that fits into the reader's buffer is trusted.
        assert!(len <= (64 << 10) || len / 2 <= self.1, "room for {len} bytes, of which at most {} come", self.1);
        self.0.room(len)
    }
}

/// All replies up to and including the first error, after which the connection is unusable. `ways` tell how each is
/// read: as any reply, as a value, or as the head of an array.
fn replies(bytes: &[u8], piece: usize, ways: u8) -> Vec<String> {
    let (mut reader, mut stream) = (ReplyReader::default(), Pieces(bytes, piece));
    let mut told = Vec::new();
    loop {
        let mut sink = Room(Vec::new(), bytes.len());
        let read = match ways >> (told.len() % 4 * 2) & 3 {
            0 | 1 => reader.reply(&mut stream).map(|value| format!("{value:?}")),
            2 => reader.value(&mut stream, &mut sink).map(|found| match found {
                ReplyValue::Value => format!("value {:?}", sink.0),
                ReplyValue::Nothing => "nothing".into(),
                ReplyValue::TooLong(len) => format!("passed over {len}"),
                ReplyValue::Other(value) => format!("{value:?}"),
            }),
            _ => reader.array(&mut stream).map(|head| format!("{head:?}")),
        };
        assert_eq!(reader.received() as usize, bytes.len() - stream.0.len());
        match read {
            Ok(reply) => told.push(reply),
            Err(error) => {
                told.push(fault(error));
                return told;
            }
        }
    }
}

fuzz_target!(|data: &[u8]| {
    let mut input = Input::new(data);
    let (piece, ways) = (usize::from(input.below(20)) + 1, input.byte());
    let bytes = input.bytes(usize::MAX);
    assert_eq!(replies(bytes, piece, ways), replies(bytes, usize::MAX, ways));
});
