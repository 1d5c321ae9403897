//! The context of an identity, for people: a file beside its roles. Nothing but lists of a directory reads it.

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
        let file = files::create(&new, directory.file_mode())?;
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

/// The header, which also has the checksum of the context.
fn header(context: &[u8]) -> Header {
    let digest = *blake3::hash(context).as_bytes();
    Header { kind: FileKind::Context, order: context.len() as u64, created: 0, id: [0; 16], space: digest }
}
