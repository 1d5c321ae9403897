//! A file operation that failed: what was tried, where, and why.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use crate::error::Error;

/// A file operation that failed.
#[derive(Debug)]
pub struct Failure {
    /// What was tried, such as "write to".
    what: &'static str,
    path: PathBuf,
    error: io::Error,
}

/// The result of a file operation.
pub type Outcome<T> = Result<T, Failure>;

impl Failure {
    /// A failure of the operation `what` at `path`, for `map_err`.
    pub fn of<'a>(what: &'static str, path: &'a Path) -> impl FnOnce(io::Error) -> Failure + 'a {
        move |error| Failure { what, path: path.into(), error }
    }

    /// Whether there is something else than a regular file: a symbolic link, a named pipe, a directory.
    pub fn is_foreign(&self) -> bool {
        let causes = [rustix::io::Errno::LOOP, rustix::io::Errno::NXIO].map(|errno| errno.raw_os_error());
        match self.error.raw_os_error() {
            Some(error) => causes.contains(&error),
            None => self.error.kind() == io::ErrorKind::InvalidInput,
        }
    }

    /// Whether a file or directory is not there, or is not there any more.
    pub fn is_absence(&self) -> bool {
        let stale = rustix::io::Errno::STALE.raw_os_error();
        self.error.kind() == io::ErrorKind::NotFound || self.error.raw_os_error() == Some(stale)
    }

    /// Whether the file system, or the user's share of it, is full.
    pub fn lacks_space(&self) -> bool {
        matches!(self.error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
    }
}

/// Whether a process, or the system, has no file descriptor left.
pub fn lacks_descriptors(error: &io::Error) -> bool {
    let causes = [rustix::io::Errno::MFILE, rustix::io::Errno::NFILE].map(|errno| errno.raw_os_error());
    error.raw_os_error().is_some_and(|error| causes.contains(&error))
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot {} {}: {}", self.what, self.path.display(), self.error)
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        Error::Storage(failure.to_string().into())
    }
}
