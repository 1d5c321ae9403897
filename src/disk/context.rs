//! The context of an identity, for people: a file beside its roles. Nothing but lists of a directory reads it.

use std::borrow::Cow;
use std::path::Path;

use super::directory::Directory;
use super::failure::{Failure, Outcome};
use super::files;
use super::format::{FileKind, HEADER, Header};
use super::names::random;

/// The name of the file. Names of roles have no dot.
const NAME: &str = "context.bin";

/// The most bytes of a context that are kept.
const LONGEST: usize = 4096;

/// Writes the context of an identity, unless it is there.
pub fn write(directory: &Directory, identity: &Path, context: &[u8]) -> Outcome<()> {
    let path = identity.join(NAME);
    if files::stat(&path).is_ok() {
        return Ok(());
    }
    let context = &context[..context.len().min(LONGEST)];
    let new = identity.join(format!("{NAME}.{:016x}", random()));
    let write = || {
        let file = files::create_shared(&new, directory.file_mode())?;
        files::write_at(&file, &[&header(context).encode(), context].concat(), 0)?;
        files::rename(&new, &path)
    };
    write().map_err(|error| {
        let _ = files::remove(&new);
        Failure::of("write", &path)(error)
    })
}

/// The context of an identity; `None` if it has none, or its file is damaged.
pub fn read(identity: &Path) -> Option<Vec<u8>> {
    let file = files::open(&identity.join(NAME)).ok()?;
    let mut bytes = vec![0; HEADER + LONGEST];
    let len = files::read_at(&file, &mut bytes, 0).ok()?;
    let context = bytes[..len].get(HEADER..)?;
    (Header::decode(&bytes[..len]) == Some(header(context))).then(|| context.to_vec())
}

/// A context as text. If it is binary, such as a key (it has a zero byte, where texts in C end, or is not UTF-8), its
/// bytes that are not printable are escaped (`\x01`).
pub fn as_text(context: &[u8]) -> Cow<'_, str> {
    // What was cut off at a length may end within a character.
    let (whole, is_text) = match std::str::from_utf8(context) {
        Ok(text) => (text, true),
        Err(error) => {
            let whole = std::str::from_utf8(&context[..error.valid_up_to()]).unwrap_or_default();
            (whole, error.error_len().is_none() && !whole.is_empty())
        }
    };
    match is_text && !whole.contains('\0') {
        true => whole.into(),
        false => context.escape_ascii().to_string().into(),
    }
}

/// The header, which also has the checksum of the context.
fn header(context: &[u8]) -> Header {
    let digest = *blake3::hash(context).as_bytes();
    Header { kind: FileKind::Context, order: context.len() as u64, created: 0, id: [0; 16], space: digest }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_binary_context_is_escaped_and_a_text_is_not() {
        for text in ["", "entropy, bits, version 1", "φ\n\"quoted\"\u{1b}"] {
            assert_eq!(as_text(text.as_bytes()), text);
        }
        assert_eq!(as_text(&"φφ".as_bytes()[..3]), "φ");
        assert_eq!(as_text(b"\xa1\x07\x01\0a"), r"\xa1\x07\x01\x00a");
        assert_eq!(as_text(b"a\0b"), r"a\x00b");
        assert_eq!(as_text(b"Gr\xf6\xdfe"), r"Gr\xf6\xdfe");
        assert_eq!(as_text(b"\xc3"), r"\xc3");
    }
}
