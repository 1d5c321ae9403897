//! Segments of processes that are gone: whoever comes next seals them.
//!
//! Nobody writes into another process's file, so a sealed copy is made and renamed to the segment's name. Records stay
//! at their offsets, so readers of the old file are not disturbed.

use std::fs::{File, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::directory::Directory;
use super::failure::{Failure, Outcome};
use super::files;
use super::format::HEADER;
use super::names::{Name, State};
use super::open_files::Closes;
use super::segment::{Segment, value_folder};
use super::writer::finish;

/// A live segment of another host, whose lock this one may not see, is abandoned if it was not changed for this time.
/// Its owner writes to it, or notes that it is alive, whenever it uses the cache.
const ABANDONED: Duration = Duration::from_secs(24 * 3600);

/// A process has locked a file that it makes when it is as old as this.
const LOCKED: Duration = Duration::from_secs(10);

/// The bytes that are copied at once.
const CHUNK: usize = 256 << 10;

/// The right to seal or remove a file whose owner is gone. It holds the file's lock, if the file system has locks.
pub struct Abandoned {
    _locked: Option<File>,
}

/// Whether the owner of a file is gone.
pub fn abandoned(folder: &Path, name: &Name, state: State) -> Outcome<Option<Abandoned>> {
    let path = folder.join(name.file(state));
    if name.shows_locks() {
        let open = || match files::open_to_lock(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => files::open(&path),
            opened => opened,
        };
        let file = open().map_err(Failure::of("open", &path))?;
        if let Ok(locked) = files::try_lock(&file) {
            let of_path = files::stat(&path).map_err(Failure::of("look at", &path))?;
            let of_file = files::metadata(&file).map_err(Failure::of("look at", &path))?;
            // Otherwise somebody sealed or removed it before the lock was taken.
            let is_same = (of_path.dev(), of_path.ino()) == (of_file.dev(), of_file.ino());
            return Ok((locked && is_same).then_some(Abandoned { _locked: Some(file) }));
        }
    }
    let metadata = files::stat(&path).map_err(Failure::of("look at", &path))?;
    // A time in the future is that of a clock that was set back: the owner counts as alive.
    Ok(age(&metadata).is_some_and(|age| age > ABANDONED).then_some(Abandoned { _locked: None }))
}

/// The time since a file was changed; `None` if that is in the future.
fn age(metadata: &Metadata) -> Option<Duration> {
    metadata.modified().ok().and_then(|time| SystemTime::now().duration_since(time).ok())
}

/// Seals the segment of a process that is gone, or removes it if it has no record.
pub fn seal(_right: &Abandoned, directory: &Directory, folder: &Path, segment: &Arc<Segment>) -> Outcome<()> {
    let live = folder.join(segment.name.file(State::Live));
    let (footer, end) = segment.make_footer()?;
    if end > HEADER as u64 {
        let new = folder.join(Name::new(segment.name.order).file(State::New));
        let copy = || {
            let (from, to) = (segment.file()?, files::create_shared(&new, directory.file_mode()));
            let to = to.map_err(Failure::of("make", &new))?;
            // Others see by it that this process is alive.
            let _ = files::try_lock(&to);
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
            // What its owner had on the storage device stays there.
            files::sync(&to).map_err(Failure::of("sync", &new))?;
            // If it is gone, somebody has removed it, perhaps with the directory, and the copy may be in a new one.
            files::stat(&live).map_err(Failure::of("look at", &live))?;
            files::rename(&new, &folder.join(segment.name.file(State::Sealed))).map_err(Failure::of("rename", &new))
        };
        copy().inspect_err(|_: &Failure| {
            let _ = files::remove(&new);
        })?;
    } else {
        let _ = files::remove_tree(&value_folder(folder, &segment.name));
    }
    let removed = files::remove(&live).map_err(Failure::of("remove", &live));
    // It is opened again in its new state.
    segment.close();
    removed
}

/// Removes what processes left that were killed before they had finished a file, or when they had sealed a copy of it.
pub fn remove_unfinished(folder: &Path, names: &[String]) {
    for (name, state) in names.iter().filter_map(|file| Name::of_file(file)) {
        let path = folder.join(name.file(state));
        let is_left = match state {
            // Its owner makes it and then locks it.
            State::New => files::stat(&path).is_ok_and(|metadata| age(&metadata).is_none_or(|age| age > LOCKED)),
            State::Live => names.contains(&name.file(State::Sealed)),
            State::Sealed => false,
        };
        if is_left && matches!(abandoned(folder, &name, state), Ok(Some(_))) {
            let _ = files::remove(&path);
        }
    }
}
