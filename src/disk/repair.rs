//! Segments of processes that are gone: whoever comes next seals them.
//!
//! Nobody writes into another process's file, so a sealed copy is made and renamed to the segment's name. Records stay
//! at their offsets, so readers of the old file are not disturbed.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::directory::Directory;
use super::failure::{Failure, Outcome};
use super::files;
use super::format::HEADER;
use super::names::{Name, State};
use super::segment::{Segment, value_folder};
use super::writer::finish;

/// A live segment of another host, whose lock this one may not see, is abandoned if it was not changed for this time.
/// Its owner writes to it, or notes that it is alive, whenever it uses the cache.
const ABANDONED: Duration = Duration::from_secs(24 * 3600);

/// The bytes that are copied at once.
const CHUNK: usize = 256 << 10;

/// Whether the owner of a live segment is gone.
pub fn is_abandoned(segment: &Arc<Segment>) -> Outcome<bool> {
    let file = segment.file()?;
    if segment.name.shows_locks()
        && let Ok(locked) = files::try_lock(&file)
    {
        return Ok(locked);
    }
    let metadata = files::metadata(&file).map_err(|error| Failure::of("look at", &segment.path())(error))?;
    // A time in the future is that of a clock that was set back: the owner counts as alive.
    let age = metadata.modified().ok().and_then(|time| SystemTime::now().duration_since(time).ok());
    Ok(age.is_some_and(|age| age > ABANDONED))
}

/// Seals the segment of a process that is gone, or removes it if it has no record. The caller holds its lock, if the
/// file system has locks, by [`is_abandoned`].
pub fn seal(directory: &Directory, folder: &Arc<Path>, segment: &Arc<Segment>) -> Outcome<()> {
    let live = folder.join(segment.name.file(State::Live));
    let (footer, end) = segment.make_footer()?;
    if end > HEADER as u64 {
        let new = folder.join(Name::new(segment.name.order).file(State::New));
        let copy = || {
            let (from, to) = (segment.file()?, files::create(&new, directory.file_mode()));
            let to = to.map_err(Failure::of("make", &new))?;
            let mut buffer = vec![0; CHUNK];
            let mut offset = 0;
            while offset < end {
                let part = CHUNK.min((end - offset) as usize);
                let read = files::read_at(&from, &mut buffer[..part], offset);
                let read = read.map_err(Failure::of("read", &live))?;
                if read < part {
                    return Err(Failure::of("read", &live)(std::io::ErrorKind::UnexpectedEof.into()));
                }
                files::write_at(&to, &buffer[..part], offset).map_err(Failure::of("write", &new))?;
                offset += part as u64;
            }
            finish(&to, &segment.header, &footer, end).map_err(Failure::of("write", &new))?;
            files::rename(&new, &folder.join(segment.name.file(State::Sealed))).map_err(Failure::of("rename", &new))
        };
        copy().inspect_err(|_: &Failure| {
            let _ = files::remove(&new);
        })?;
    } else {
        let _ = files::remove_tree(&value_folder(folder, &segment.name));
    }
    files::remove(&live).map_err(Failure::of("remove", &live))
}

/// Removes what processes left that were killed before they had finished a file, if it is old.
pub fn remove_unfinished(folder: &Path, files: &[String]) {
    let new = files.iter().filter(|file| matches!(Name::of_file(file), Some((_, State::New))));
    for path in new.map(|file| folder.join(file)) {
        let modified = super::files::stat(&path).ok().and_then(|metadata| metadata.modified().ok());
        let age = modified.and_then(|time| SystemTime::now().duration_since(time).ok());
        if age.is_some_and(|age| age > ABANDONED) {
            let _ = super::files::remove(&path);
        }
    }
}
