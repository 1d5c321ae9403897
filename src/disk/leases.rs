//! Leases: claims between hosts whose locks do not reach each other.
//!
//! A lease is a file with the name of the claim. It appears whole, by a hard link, which only one of many processes can
//! make. It ends when its owner removes it, or when it is older than its owner said. Ages are differences between times
//! of one file system, so clocks of hosts do not matter.
//!
//! A lease of this host is decided by the lock of the claim (`claims.rs`): whoever holds that and finds the lease of a
//! process of this host knows that the process is gone.

use std::collections::HashSet;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::failure::{Failure, Outcome};
use super::files;
use super::names::{self, random};
use crate::sync::Mutex;

/// The folder of the leases of a space, in the folder of the space.
const FOLDER: &str = "leases";

/// The longest file.
const LONGEST: usize = 256;

/// The longest lease in milliseconds, three thousand years: the library takes no longer option.
const LONGEST_MS: u64 = 100_000_000_000_000;

/// The first word of a file, with the version.
const MAGIC: &str = "phicache-lease-1";

/// A lease, as its file says.
struct Lease {
    /// The host of its owner: the running kernel.
    boot: u32,
    /// The owner's computation.
    token: String,
    /// The time after which others may compute.
    time: Duration,
    modified: SystemTime,
}

/// The leases of one space.
pub struct Leases {
    folder: PathBuf,
    modes: (u32, u32),
    /// Tells the computations of this space from those of all others.
    own: u64,
    /// The claims and computations with leases.
    taken: Mutex<HashSet<(u64, u64)>>,
}

impl Leases {
    /// The leases in the folder of a space.
    pub fn new(space: &Path, modes: (u32, u32)) -> Self {
        Leases { folder: space.join(FOLDER), modes, own: random(), taken: Mutex::default() }
    }

    /// Takes the lease of a claim for some time; returns whether it did. The lock of the claim is held by this process
    /// (`Some(true)`) or by another one (`Some(false)`), or there are no locks.
    pub fn take(&self, number: u64, computation: u64, time: Duration, lock: Option<bool>) -> Outcome<bool> {
        let path = self.path(number);
        let text = format!("{MAGIC} {:08x} {} {}\n", names::boot(), self.token(computation), time.as_millis());
        let new = self.create(text.as_bytes())?;
        let take = || {
            if lock != Some(false) {
                match files::link(&new, &path) {
                    Err(error) if error.kind() == ErrorKind::AlreadyExists => (),
                    linked => return linked.map(|()| true).map_err(Failure::of("make", &path)),
                }
            }
            let may = match (self.read(&path)?, lock) {
                (Some(lease), Some(ours)) if lease.is_of_this_host() => ours,
                // The age by the clock of the file system.
                (Some(lease), _) => lease.has_expired(self.modified(&new)?),
                // It was just removed, or is damaged: its owner can never say that it is done.
                (None, lock) => lock != Some(false),
            };
            if !may {
                return Ok(false);
            }
            files::rename(&new, &path).map_err(Failure::of("rename", &new))?;
            // If several processes have replaced it, the last one has it.
            self.is_own(number, computation)
        };
        let taken = take();
        let _ = files::remove(&new);
        if let Ok(true) = taken {
            self.taken.lock().insert((number, computation));
        }
        taken
    }

    /// Whether another host has the lease of a claim, and it has not expired; `None` if no other host has it.
    pub fn is_of_other_host(&self, number: u64) -> Outcome<Option<bool>> {
        let lease = self.read(&self.path(number))?.filter(|lease| !lease.is_of_this_host());
        let Some(lease) = lease else { return Ok(None) };
        let new = self.create(b"")?;
        let now = self.modified(&new);
        let _ = files::remove(&new);
        Ok(Some(!lease.has_expired(now?)))
    }

    /// Whether a computation of this process took the lease of a claim and has it no more.
    pub fn has_lost(&self, number: u64, computation: u64) -> Outcome<bool> {
        Ok(self.taken.lock().contains(&(number, computation)) && !self.is_own(number, computation)?)
    }

    fn is_own(&self, number: u64, computation: u64) -> Outcome<bool> {
        Ok(self.read(&self.path(number))?.is_some_and(|lease| lease.token == self.token(computation)))
    }

    /// Ends the lease of a claim, if a computation of this process has it.
    pub fn release(&self, number: u64, computation: u64) -> Outcome<()> {
        let taken = self.taken.lock().remove(&(number, computation));
        if taken && self.is_own(number, computation)? { self.remove(number) } else { Ok(()) }
    }

    /// Ends the lease of a claim, whoever has it.
    pub fn remove(&self, number: u64) -> Outcome<()> {
        let path = self.path(number);
        files::remove(&path).map_err(Failure::of("remove", &path))
    }

    fn path(&self, number: u64) -> PathBuf {
        self.folder.join(format!("{number:016x}"))
    }

    /// A forked child has other tokens than its parent.
    fn token(&self, computation: u64) -> String {
        format!("{:016x}-{:x}-{computation:x}", self.own, std::process::id())
    }

    /// A new file under a name that nobody looks for.
    fn create(&self, bytes: &[u8]) -> Outcome<PathBuf> {
        let new = self.folder.join(format!("{:016x}.new", random()));
        let create = || -> std::io::Result<()> {
            let file = match files::create_shared(&new, self.modes.1) {
                Err(error) if error.kind() == ErrorKind::NotFound => {
                    files::make_directories(&self.folder, self.modes.0)?;
                    files::create_shared(&new, self.modes.1)?
                }
                created => created?,
            };
            files::write_at(&file, bytes, 0)
        };
        match create() {
            Ok(()) => Ok(new),
            Err(error) => {
                let _ = files::remove(&new);
                Err(Failure::of("make", &new)(error))
            }
        }
    }

    /// A lease; `None` if there is none that is whole.
    fn read(&self, path: &Path) -> Outcome<Option<Lease>> {
        let read = || -> std::io::Result<Option<Lease>> {
            let file = files::open(path)?;
            let modified = files::metadata(&file)?.modified()?;
            let mut bytes = [0; LONGEST];
            let len = files::read_at(&file, &mut bytes, 0)?;
            Ok(Lease::parse(&bytes[..len], modified))
        };
        match read().map_err(Failure::of("read", path)) {
            Err(failure) if failure.is_absence() || failure.is_foreign() => Ok(None),
            read => read,
        }
    }

    fn modified(&self, path: &Path) -> Outcome<SystemTime> {
        files::stat(path).and_then(|metadata| metadata.modified()).map_err(Failure::of("look at", path))
    }
}

impl Lease {
    fn parse(bytes: &[u8], modified: SystemTime) -> Option<Self> {
        let text = std::str::from_utf8(bytes).ok()?.strip_suffix('\n')?;
        let mut words = text.split(' ');
        words.next().filter(|word| *word == MAGIC)?;
        let boot = u32::from_str_radix(words.next()?, 16).ok()?;
        let token = words.next()?.to_owned();
        let time = words.next()?.parse().ok().filter(|time| *time <= LONGEST_MS)?;
        let time = Duration::from_millis(time);
        words.next().is_none().then_some(Lease { boot, token, time, modified })
    }

    fn is_of_this_host(&self) -> bool {
        self.boot != 0 && self.boot == names::boot()
    }

    /// A lease from the future has expired too, if it is further away than it lasts: a clock was set back.
    fn has_expired(&self, now: SystemTime) -> bool {
        now.duration_since(self.modified).unwrap_or_else(|ahead| ahead.duration()) > self.time
    }
}

/// Removes leases that nobody looks at any more from the folder of a space: what processes left long ago that are gone.
pub fn clean(space: &Path) {
    /// Older than any computation that somebody waits for.
    const OLD: Duration = Duration::from_secs(30 * 24 * 3600);
    let folder = space.join(FOLDER);
    let Ok(names) = files::list(&folder) else { return };
    for path in names.iter().map(|name| folder.join(name)) {
        let modified = files::stat(&path).ok().and_then(|metadata| metadata.modified().ok());
        if modified.and_then(|modified| modified.elapsed().ok()).is_some_and(|age| age > OLD) {
            let _ = files::remove(&path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    #[test]
    fn a_damaged_lease_is_replaced_unless_another_process_has_the_lock() {
        let folder = std::env::temp_dir().join(format!("phicache-leases-{}", std::process::id()));
        let leases = Leases::new(&folder, (0o700, 0o600));
        let whole = |computation| format!("{MAGIC} {:08x} {} 1\n", 1, leases.token(computation));
        assert!(leases.take(7, 0, HOUR, Some(true)).unwrap());
        // Of a computation that would have it if the rest were not there.
        for (number, damaged) in [String::new(), "damaged".into(), whole(1).replace('\n', " more\n"), whole(2) + "\n"]
            .into_iter()
            .enumerate()
        {
            for (lock, may) in [(Some(false), false), (Some(true), true), (None, true)] {
                std::fs::write(leases.path(7), &damaged).unwrap();
                let taken = leases.take(7, 100 + number as u64, HOUR, lock).unwrap();
                assert_eq!(taken, may, "{damaged:?}, {lock:?}");
            }
        }
        std::fs::remove_dir_all(folder).unwrap();
    }
}
