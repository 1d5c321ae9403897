//! Replies of a server, as random bytes that come in random pieces: reading them never panics, what is read does not depend on
//! where the pieces end, and no byte behind a reply is taken.
#![no_main]

use std::io::{self, Read};

use libfuzzer_sys::fuzz_target;
use phicache::redis::{Fault, Found, Inbox};
use phicache_fuzz::Input;

/// The bytes, at most so many at a time.
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
        Fault::Garbage(_) => "garbage".into(),
        Fault::NoRoom(error) => error.to_string(),
    }
}

/// All replies up to the first fault, which stands at the end: the connection is of no use then. Each is read as `ways` say:
/// as what it is, as a value, or as the head of an array.
fn replies(bytes: &[u8], piece: usize, ways: u8) -> Vec<String> {
    let (mut inbox, mut stream) = (Inbox::default(), Pieces(bytes, piece));
    let mut told = Vec::new();
    loop {
        let mut place = Vec::new();
        let read = match ways >> (told.len() % 4 * 2) & 3 {
            0 | 1 => inbox.reply(&mut stream).map(|value| format!("{value:?}")),
            2 => inbox.value(&mut stream, &mut place).map(|found| match found {
                Found::Value => format!("value {place:?}"),
                Found::Nothing => "nothing".into(),
                Found::Other(value) => format!("{value:?}"),
            }),
            _ => inbox.array(&mut stream).map(|head| format!("{head:?}")),
        };
        assert_eq!(inbox.received() as usize, bytes.len() - stream.0.len());
        match read {
            Ok(reply) => told.push(reply),
            Err(error) => {
                told.push(fault(error));
                return told;
            }
        }
    }
}

/// Whether a length is announced for which room would be made: that is tested elsewhere, and takes its time.
fn announces_much(bytes: &[u8]) -> bool {
    bytes.split(|byte| *byte == b'$').skip(1).any(|part| {
        let digits = part.iter().take_while(|byte| byte.is_ascii_digit()).count();
        digits > 6
    })
}

fuzz_target!(|data: &[u8]| {
    let mut input = Input::new(data);
    let (piece, ways) = (usize::from(input.below(20)) + 1, input.byte());
    let bytes = input.bytes(usize::MAX);
    if !announces_much(bytes) {
        assert_eq!(replies(bytes, piece, ways), replies(bytes, usize::MAX, ways));
    }
});
