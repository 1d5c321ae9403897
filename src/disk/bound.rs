//! The bound of a directory: whole segments are removed, those worth least first.
//!
//! Worth is computing time per byte, divided by the time since the last use: a segment that nobody has read for a day
//! is worth a 25th of one that was read just now. Readers note their use in the access time of the file.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use super::directory::Directory;
use super::failure::{Failure, Outcome};
use super::files;
use super::format::{FileKind, Footer, HEADER, Header, Kind, TRAILER, Trailer, seconds};
use super::names::{Name, State};
use super::segment::{Segment, is_there, value_folder};
use super::{leases, repair};

/// Files take whole blocks of this size.
const BLOCK: u64 = 4096;

/// The bytes that a file takes.
pub fn rounded(len: u64) -> u64 {
    len.next_multiple_of(BLOCK)
}

/// A segment on disk.
pub struct Usage {
    /// The folder of its identity and role.
    pub folder: Arc<Path>,
    /// Its name.
    pub name: Name,
    /// Its state.
    pub state: State,
    /// The bytes that it takes, with the files of its values.
    pub bytes: u64,
    /// Its last use, in seconds since 1970.
    used: u64,
}

/// All segments in a directory. What vanishes meanwhile is left out.
pub fn survey(directory: &Directory) -> Outcome<Vec<Usage>> {
    let mut found = Vec::new();
    for folder in spaces(directory)? {
        found.append(&mut survey_space(&folder.into())?);
    }
    Ok(found)
}

/// The folders of all identities and roles in a directory.
pub fn spaces(directory: &Directory) -> Outcome<Vec<PathBuf>> {
    let mut folders = vec![directory.values()];
    for depth in 0..3 {
        let mut below = Vec::new();
        for folder in folders {
            let names = list(&folder)?;
            // Beside the identities there are directories that are being removed; beside the roles, a context.
            let names = names.into_iter().filter(|name| (depth > 0 || name.len() == 2) && !name.contains('.'));
            below.extend(names.map(|name| folder.join(name)));
        }
        folders = below;
    }
    Ok(folders)
}

/// The names in a directory; none if it is not there.
fn list(folder: &Path) -> Outcome<Vec<String>> {
    match files::list(folder) {
        Err(error) if error.kind() == std::io::ErrorKind::NotADirectory => Ok(Vec::new()),
        listed => match listed.map_err(Failure::of("list", folder)) {
            Err(failure) if failure.is_absence() => Ok(Vec::new()),
            listed => listed,
        },
    }
}

/// The segments of one identity and role.
pub fn survey_space(folder: &Arc<Path>) -> Outcome<Vec<Usage>> {
    let mut found = Vec::new();
    let names = list(folder)?;
    let segments = names.iter().filter_map(|file| Some((file, Name::of_file(file)?)));
    for (file, (name, state)) in segments {
        let Ok(metadata) = files::stat(&folder.join(file)) else { continue };
        let values = value_folder(folder, &name);
        let mut bytes = rounded(metadata.len());
        for value in list(&values)? {
            bytes += files::stat(&values.join(value)).map_or(0, |metadata| rounded(metadata.len()));
        }
        let used = metadata.accessed().map_or(0, seconds).max(metadata.modified().map_or(0, seconds));
        found.push(Usage { folder: folder.clone(), name, state, bytes, used });
    }
    Ok(found)
}

/// The sum of all costs in a segment, in nanoseconds, and whether it may have replaced or removed what is in older
/// ones. Without a footer, that is not known.
fn worth(usage: &Usage) -> (f64, bool) {
    let read = || {
        let file = files::open(&usage.folder.join(usage.name.file(State::Sealed))).ok()?;
        let len = files::metadata(&file).ok()?.len();
        let (mut header, mut trailer) = ([0; HEADER], [0; TRAILER]);
        files::read_at(&file, &mut header, 0).ok()?;
        files::read_at(&file, &mut trailer, len.checked_sub(TRAILER as u64)?).ok()?;
        let header = Header::decode(&header).filter(|header| header.kind == FileKind::Segment)?;
        let trailer = Trailer::decode(&header, len, &trailer)?;
        Some((trailer.cost, trailer.replaces))
    };
    read().unwrap_or((0.0, true))
}

/// Whether an older segment of the space that stays, such as that of a process which may still append to it, has a
/// record of a key that this segment has too. The older record must not be found again.
fn hides(directory: &Directory, usage: &Usage) -> Outcome<bool> {
    let parts = |name: Name| -> Outcome<Footer> {
        match Segment::open(directory, &usage.folder, name, None, false) {
            Ok(Some(segment)) => Ok(Arc::new(segment).parts()?.0),
            Err(failure) if !failure.is_foreign() => Err(failure),
            // Nobody reads it.
            _ => Ok(Footer::default()),
        }
    };
    let names = list(&usage.folder)?;
    let mut older: Vec<Name> = names.iter().filter_map(|file| Name::of_file(file)).map(|(name, _)| name).collect();
    older.retain(|name| *name < usage.name);
    if older.is_empty() {
        return Ok(false);
    }
    let mut hashes = match parts(usage.name.clone()) {
        // Another process has removed it.
        Err(failure) if failure.is_absence() => return Ok(false),
        newer => newer?.hashes,
    };
    hashes.sort_unstable();
    for name in older {
        // If it is gone, what is worth it may be in a newer one.
        let footer = parts(name)?;
        let mut values = footer.parts().filter(|(.., extent)| extent.kind() != Kind::Damaged);
        if values.any(|(hash, ..)| hashes.binary_search(&hash).is_ok()) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Removes what a process left that was killed while it made or removed something: nobody finds it, and it counts for
/// nobody.
fn clean(directory: &Directory) -> Outcome<()> {
    let values = directory.values();
    for name in list(&values)?.into_iter().filter(|name| name.starts_with("removed-")) {
        let _ = files::remove_tree(&values.join(name));
    }
    for folder in spaces(directory)? {
        leases::clean(&folder);
        repair::remove_unfinished(&folder, &list(&folder)?);
        let values = folder.join("values");
        for name in list(&values)? {
            // A segment is there before its values are, and goes before them.
            if Name::parse(&name).is_some_and(|name| matches!(is_there(&folder, &name), Ok(false))) {
                let _ = files::remove_tree(&values.join(name));
            }
        }
    }
    Ok(())
}

/// The bytes of all files below a path. What cannot be read counts nothing.
pub fn bytes_below(path: &Path) -> u64 {
    match files::stat(path) {
        Ok(metadata) if metadata.is_dir() => {
            list(path).unwrap_or_default().iter().map(|name| bytes_below(&path.join(name))).sum()
        }
        metadata => metadata.map_or(0, |metadata| rounded(metadata.len())),
    }
}

/// Removes values of older formats until everything takes at most `most` bytes; returns what is left of them. Nobody
/// reads them but processes with an older version of the library, which find nothing then.
fn retire(directory: &Directory, bytes: u64, most: u64) -> u64 {
    let mut older: Vec<(PathBuf, u64)> =
        directory.older().into_iter().map(|path| (path.clone(), bytes_below(&path))).collect();
    let mut left: u64 = older.iter().map(|(_, bytes)| bytes).sum();
    older.sort();
    for (path, its) in older {
        if bytes + left > most && directory.discard(&path).is_ok() {
            left -= its;
        }
    }
    left
}

/// Removes segments until all together take at most `most` bytes, as far as that is possible: live segments of living
/// processes stay. Values of older formats go first. Before a segment is removed, `rescue` may copy some of it; that
/// returns the bytes of the copy. Returns which segments were removed.
pub fn enforce(directory: &Directory, most: u64, mut rescue: impl FnMut(&Usage) -> u64) -> Outcome<Vec<Usage>> {
    clean(directory)?;
    let mut found = survey(directory)?;
    let mut total: u64 = found.iter().map(|usage| usage.bytes).sum();
    total += retire(directory, total, most);
    let mut removed = Vec::new();
    if total <= most {
        return Ok(removed);
    }
    found.retain(|usage| match usage.state {
        State::Sealed => true,
        State::New => false,
        State::Live => matches!(repair::abandoned(&usage.folder, &usage.name, usage.state), Ok(Some(_))),
    });
    let now = seconds(SystemTime::now());
    let mut ranked: Vec<(f64, bool, Usage)> = found
        .into_iter()
        .map(|usage| {
            let idle = now.saturating_sub(usage.used) as f64;
            let (cost, replaces) = worth(&usage);
            (cost.max(1.0) / usage.bytes as f64 / (1.0 + idle / 3600.0), replaces, usage)
        })
        .collect();
    // What a segment has replaced must not come back: older ones are worth no more than it.
    ranked.sort_by(|a, b| b.2.name.cmp(&a.2.name));
    let mut least: HashMap<Arc<Path>, f64> = HashMap::new();
    for (worth, replaces, usage) in &mut ranked {
        let bound = least.entry(usage.folder.clone()).or_insert(f64::INFINITY);
        *worth = worth.min(*bound);
        if *replaces {
            *bound = *worth;
        }
    }
    ranked.sort_by(|a, b| a.0.total_cmp(&b.0).then_with(|| a.2.name.cmp(&b.2.name)));
    let mut failed = Ok(());
    for (_, replaces, usage) in ranked {
        if total <= most {
            return Ok(removed);
        }
        if replaces && hides(directory, &usage).unwrap_or(true) {
            continue;
        }
        // First: what is kept is found at every moment.
        total += rescue(&usage);
        let path = usage.folder.join(usage.name.file(usage.state));
        match files::remove(&path).map_err(Failure::of("remove", &path)) {
            Ok(()) => {
                // What stays is removed by the next survey.
                let _ = files::remove_tree(&value_folder(&usage.folder, &usage.name));
                total -= usage.bytes;
                removed.push(usage);
            }
            // One of another user, perhaps.
            Err(failure) => failed = failed.and(Err(failure)),
        }
    }
    match total <= most {
        true => Ok(removed),
        false => failed.map(|()| removed),
    }
}
