//! Claims of this process on computations: of many processes that miss a key, one computes.
//!
//! A claim is the lock of one byte of the file `claims` of the directory. The byte's number is a hash of the space and
//! the key. The system ends the lock with the process, so nobody waits for a process that is gone, nothing has to be
//! renewed, and nothing stays behind.
//!
//! If a computed value could not be stored, its byte stays locked for reading for a minute. Other processes need not
//! wait for each other then: each would find nothing when its turn comes.
//!
//! That ends with the process, which is soon if it is a short one. If the file system is full, the modification time of
//! the file is moved into the future, and until then nobody claims anything: everybody computes.

use std::collections::HashMap;
use std::fs::Metadata;
use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime};

use once_cell::race::OnceBox;

use super::directory::Directory;
use super::failure::{Failure, Outcome};
use super::files;
use crate::sync::{LockFile, Mode, Mutex, process};

/// How long nobody claims anything after a store has found the file system full.
const FULL: Duration = Duration::from_secs(10);

/// How long others are told that a value could not be stored.
const FUTILE: Duration = Duration::from_secs(60);

/// The most values of which others are told that at once.
const MOST_FUTILE: usize = 256;

/// The result of claiming a computation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Claimed {
    /// The caller computes, and others wait.
    Granted,
    /// Another computes.
    Taken,
    /// Somebody has computed the value and could not store it, or the file system is full: everybody computes.
    Futile,
    /// The file system has no such locks: everybody computes.
    Unavailable,
}

/// The claims of this process in one directory.
pub struct Claims {
    path: PathBuf,
    mode: u32,
    locks: LockFile,
    state: Mutex<State>,
    /// The claims in the directory that was used next.
    next: OnceBox<Claims>,
}

#[derive(Default)]
struct State {
    /// The process that holds them: a forked child has none.
    process: u32,
    held: HashMap<u64, Held>,
    /// The device and the inode of the open file.
    file: Option<(u64, u64)>,
    /// Whether the file system has no such locks.
    unavailable: bool,
}

/// A byte that this process has locked.
#[derive(Clone, Copy)]
enum Held {
    /// By this computation.
    Computing(u64),
    /// Because the value could not be stored, at this time.
    Futile(Instant),
    /// For no reason: unlocking has failed.
    Ended,
}

static FIRST: OnceBox<Claims> = OnceBox::new();

impl Claims {
    /// The claims in a directory: the same for all caches of this process.
    pub fn of(directory: &Directory) -> &'static Self {
        let path = directory.claims();
        let make = || {
            let (path, mode) = (path.clone(), directory.file_mode());
            Box::new(Claims { path, mode, locks: LockFile::closed(), state: Mutex::default(), next: OnceBox::new() })
        };
        let mut claims = FIRST.get_or_init(make);
        while claims.path != path {
            claims = claims.next.get_or_init(make);
        }
        claims
    }

    /// Claims a number for a computation of this process.
    pub fn claim(&'static self, number: u64, computation: u64) -> Outcome<Claimed> {
        let mut state = self.state.lock();
        state.leave_parent();
        self.unlock_old(&mut state);
        match state.held.get(&number) {
            Some(Held::Computing(_)) => return Ok(Claimed::Taken),
            Some(Held::Futile(_)) => return Ok(Claimed::Futile),
            None if state.unavailable => return Ok(Claimed::Unavailable),
            Some(Held::Ended) | None => (),
        }
        let there = files::stat(&self.path).ok();
        if there.as_ref().is_some_and(is_futile) {
            return Ok(Claimed::Futile);
        }
        let locked = self.ready(&mut state, there.as_ref(), true).and_then(|()| {
            match files::try_lock_byte(&self.locks, number, Mode::Exclusive)? {
                true => Ok(Claimed::Granted),
                false => Ok(match files::locked_byte(&self.locks, number)? {
                    Some(Mode::Shared) => Claimed::Futile,
                    // If it is free by now, the caller asks again.
                    _ => Claimed::Taken,
                }),
            }
        });
        match locked {
            Ok(Claimed::Granted) => {
                state.held.insert(number, Held::Computing(computation));
                Ok(Claimed::Granted)
            }
            Ok(other) => Ok(other),
            Err(error) => {
                state.unavailable = lacks_locks(&error);
                Err(Failure::of("lock", &self.path)(error))
            }
        }
    }

    /// Whether another computation, here or in another process, holds the claim on a number.
    pub fn is_claimed(&'static self, number: u64) -> Outcome<bool> {
        let mut state = self.state.lock();
        state.leave_parent();
        match state.held.get(&number) {
            Some(held) => return Ok(matches!(held, Held::Computing(_))),
            None if state.unavailable => return Ok(false),
            None => (),
        }
        let there = files::stat(&self.path).ok();
        if there.as_ref().is_some_and(is_futile) {
            return Ok(false);
        }
        let ready = self.ready(&mut state, there.as_ref(), false);
        let locked = ready.and_then(|()| files::locked_byte(&self.locks, number));
        match locked.map_err(Failure::of("look at", &self.path)) {
            // Nobody has claimed anything yet.
            Err(failure) if failure.is_absence() => Ok(false),
            locked => Ok(locked? == Some(Mode::Exclusive)),
        }
    }

    /// Ends a claim, if this process holds it for the computation. If the value could not be stored, waiting was
    /// `futile`.
    pub fn release(&self, number: u64, computation: u64, futile: bool) -> Outcome<()> {
        let mut state = self.state.lock();
        state.leave_parent();
        if !matches!(state.held.get(&number), Some(Held::Computing(its)) if *its == computation) {
            return Ok(());
        }
        let many = state.held.values().filter(|held| matches!(held, Held::Futile(_))).count() >= MOST_FUTILE;
        if futile && !many && files::try_lock_byte(&self.locks, number, Mode::Shared).unwrap_or(false) {
            state.held.insert(number, Held::Futile(Instant::now()));
            return Ok(());
        }
        let unlocked = files::unlock_byte(&self.locks, number);
        match &unlocked {
            Ok(()) => drop(state.held.remove(&number)),
            Err(_) => drop(state.held.insert(number, Held::Ended)),
        }
        unlocked.map_err(Failure::of("unlock", &self.path))
    }

    /// Unlocks what has been locked long enough.
    fn unlock_old(&self, state: &mut State) {
        state.held.retain(|number, held| match held {
            Held::Computing(_) => true,
            Held::Futile(since) if since.elapsed() <= FUTILE => true,
            Held::Futile(_) | Held::Ended => files::unlock_byte(&self.locks, *number).is_err(),
        });
    }

    /// Says that the file system is full, if there are claims. Only the owner of the file can.
    pub fn announce_full(&self) {
        let Ok(file) = files::open_to_lock(&self.path) else { return };
        let _ = files::set_modified(&file, SystemTime::now() + FULL);
    }

    /// Opens the file, if it is not open or is not the one that is `there` at its path any more. It is made if that is
    /// allowed.
    fn ready(&'static self, state: &mut State, there: Option<&Metadata>, make: bool) -> std::io::Result<()> {
        // A file with claims stays in use.
        let is_current = || state.file.is_some() && state.file == there.map(files::identity);
        if self.locks.is_open() && (!state.held.is_empty() || is_current()) {
            return Ok(());
        }
        let opened = match files::open_to_lock(&self.path) {
            Err(error) if make && error.kind() == std::io::ErrorKind::NotFound => {
                if let Some(folder) = self.path.parent() {
                    files::make_directories(folder, if self.mode & 0o060 == 0 { 0o700 } else { 0o770 })?;
                }
                match files::create_shared(&self.path, self.mode) {
                    Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => files::open_to_lock(&self.path),
                    created => created,
                }
            }
            opened => opened,
        };
        let opened = opened?;
        state.file = Some(files::identity(&files::metadata(&opened)?));
        self.locks.open(opened);
        Ok(())
    }
}

impl State {
    /// A forked child has no claims; its copy of the file is closed.
    fn leave_parent(&mut self) {
        if self.process != process() {
            *self = State { process: process(), unavailable: self.unavailable, ..State::default() };
        }
    }
}

/// Whether the file says that the file system is full. A time that is farther away comes from another clock.
fn is_futile(metadata: &Metadata) -> bool {
    let until = metadata.modified().ok().and_then(|time| time.duration_since(SystemTime::now()).ok());
    until.is_some_and(|left| !left.is_zero() && left <= FULL)
}

/// Whether the file system, or the system, has no such locks.
fn lacks_locks(error: &std::io::Error) -> bool {
    use rustix::io::Errno;
    let causes = [Errno::NOLCK, Errno::NOSYS, Errno::OPNOTSUPP, Errno::INVAL].map(Errno::raw_os_error);
    error.raw_os_error().is_some_and(|error| causes.contains(&error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_that_could_not_be_stored_is_claimed_again_after_a_while() {
        let path = std::env::temp_dir().join(format!("phicache-claims-{}", std::process::id()));
        let claims = Claims::of(&Directory::new(&path, false, true).unwrap());
        assert_eq!(claims.claim(7, 1).unwrap(), Claimed::Granted);
        claims.release(7, 1, true).unwrap();
        assert_eq!(claims.claim(7, 2).unwrap(), Claimed::Futile);
        let long_ago = Instant::now().checked_sub(2 * FUTILE).expect("the system runs for minutes");
        claims.state.lock().held.insert(7, Held::Futile(long_ago));
        assert_eq!(claims.claim(7, 2).unwrap(), Claimed::Granted);
        claims.release(7, 2, false).unwrap();
        std::fs::remove_dir_all(path).unwrap();
    }
}
