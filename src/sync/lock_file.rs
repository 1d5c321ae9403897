//! Locks of single bytes of a file, which end with the process that holds them.
//!
//! They are open file description locks. They exclude other processes, also in other namespaces and containers of the
//! same system, but not threads of this process. The system releases them when the last descriptor of the open file is
//! closed, which is when the process ends, however it ends. A forked child has a copy of each descriptor and would keep
//! the locks of a parent that has ended, so a handler closes the copies in the child.

use std::fs::File;
use std::io;
use std::os::fd::{FromRawFd, IntoRawFd, RawFd};
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicPtr, Ordering};

use super::fork_handlers::ForkHandlers;

const CLOSED: RawFd = -1;

/// A file whose bytes processes lock.
pub struct LockFile {
    descriptor: AtomicI32,
    /// The file that was listed before.
    next: AtomicPtr<LockFile>,
    is_listed: AtomicBool,
}

/// All files that were opened, for the handler in a child.
static LISTED: AtomicPtr<LockFile> = AtomicPtr::new(ptr::null_mut());

/// How a byte is locked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// By any number of processes.
    Shared,
    /// By one process.
    Exclusive,
}

impl LockFile {
    /// A file that is not open.
    pub const fn closed() -> Self {
        LockFile {
            descriptor: AtomicI32::new(CLOSED),
            next: AtomicPtr::new(ptr::null_mut()),
            is_listed: AtomicBool::new(false),
        }
    }

    /// Whether it is open. In a forked child it is not, until the child opens it.
    pub fn is_open(&self) -> bool {
        self.descriptor.load(Ordering::Acquire) != CLOSED
    }

    /// Uses an open file from now on, and closes the one that was used before, which releases its locks. The caller
    /// keeps other threads from using this file meanwhile.
    pub fn open(&'static self, file: File) {
        self.list();
        self.close();
        self.descriptor.store(file.into_raw_fd(), Ordering::Release);
    }

    /// Closes the file, which releases all locks. The caller keeps other threads from using it meanwhile.
    pub fn close(&self) {
        let descriptor = self.descriptor.swap(CLOSED, Ordering::AcqRel);
        if descriptor != CLOSED {
            // SAFETY: `open` took the descriptor over, and it is not used any more.
            drop(unsafe { File::from_raw_fd(descriptor) });
        }
    }

    /// Locks a byte, or changes its lock; returns false if another process holds a lock that excludes it.
    pub fn try_lock(&self, byte: u64, mode: Mode) -> io::Result<bool> {
        let kind = match mode {
            Mode::Shared => libc::F_RDLCK,
            Mode::Exclusive => libc::F_WRLCK,
        };
        match self.control(SET, byte, kind) {
            Ok(_) => Ok(true),
            Err(error) if matches!(error.raw_os_error(), Some(libc::EAGAIN | libc::EACCES)) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Releases the lock of a byte.
    pub fn unlock(&self, byte: u64) -> io::Result<()> {
        self.control(SET, byte, libc::F_UNLCK).map(drop)
    }

    /// How another process has locked a byte; `None` if no other process has.
    pub fn locked(&self, byte: u64) -> io::Result<Option<Mode>> {
        let kind = self.control(GET, byte, libc::F_WRLCK)?;
        Ok(match kind {
            libc::F_UNLCK => None,
            libc::F_RDLCK => Some(Mode::Shared),
            _ => Some(Mode::Exclusive),
        })
    }

    fn descriptor(&self) -> io::Result<RawFd> {
        match self.descriptor.load(Ordering::Acquire) {
            CLOSED => Err(io::ErrorKind::NotFound.into()),
            descriptor => Ok(descriptor),
        }
    }

    /// Asks for, or changes, the lock of a byte; returns the kind of the lock.
    #[allow(clippy::unnecessary_cast)] // types differ between systems
    fn control(&self, command: i32, byte: u64, kind: i32) -> io::Result<i32> {
        let descriptor = self.descriptor()?;
        // SAFETY: all zeros are a valid `flock`.
        let mut lock: libc::flock = unsafe { std::mem::zeroed() };
        lock.l_type = kind as _;
        lock.l_whence = libc::SEEK_SET as _;
        lock.l_start = byte as _;
        lock.l_len = 1;
        loop {
            // SAFETY: the descriptor is open, and the system writes only into `lock`.
            if unsafe { libc::fcntl(descriptor, command, &mut lock) } != -1 {
                return Ok(lock.l_type as i32);
            }
            let error = io::Error::last_os_error();
            if error.kind() != io::ErrorKind::Interrupted {
                return Err(error);
            }
        }
    }

    /// Lists the file for the handler in a child.
    fn list(&'static self) {
        FORKS.install();
        if self.is_listed.swap(true, Ordering::Relaxed) {
            return;
        }
        let own = ptr::from_ref(self).cast_mut();
        let mut first = LISTED.load(Ordering::Relaxed);
        loop {
            self.next.store(first, Ordering::Relaxed);
            match LISTED.compare_exchange_weak(first, own, Ordering::Release, Ordering::Relaxed) {
                Ok(_) => return,
                Err(other) => first = other,
            }
        }
    }
}

#[cfg(target_os = "linux")]
const SET: i32 = libc::F_OFD_SETLK;
#[cfg(target_os = "linux")]
const GET: i32 = libc::F_OFD_GETLK;

/// Other systems have no such locks: each command fails.
#[cfg(not(target_os = "linux"))]
const SET: i32 = -1;
#[cfg(not(target_os = "linux"))]
const GET: i32 = -1;

/// Closes this process's copies of its parent's descriptors.
extern "C" fn in_child() {
    let mut listed = LISTED.load(Ordering::Acquire);
    // SAFETY: a listed file lives as long as the process.
    while let Some(file) = unsafe { listed.as_ref() } {
        file.close();
        listed = file.next.load(Ordering::Relaxed);
    }
}

static FORKS: ForkHandlers = ForkHandlers::new(None, None, in_child);

#[cfg(all(test, target_os = "linux", not(miri), not(shuttle)))]
mod tests {
    use super::*;
    use std::fs::OpenOptions;

    fn opened(path: &std::path::Path) -> &'static LockFile {
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path).unwrap();
        let locks: &'static LockFile = Box::leak(Box::new(LockFile::closed()));
        locks.open(file);
        locks
    }

    #[test]
    fn bytes_are_locked_one_by_one_against_other_open_files() {
        let path = std::env::temp_dir().join(format!("phicache-locks-{}", std::process::id()));
        let (a, b) = (opened(&path), opened(&path));
        for byte in [0, 7, u64::MAX >> 2] {
            assert!(a.try_lock(byte, Mode::Exclusive).unwrap());
            assert!(!b.try_lock(byte, Mode::Exclusive).unwrap());
            assert!(!b.try_lock(byte, Mode::Shared).unwrap());
            assert!(b.try_lock(byte + 1, Mode::Exclusive).unwrap());
            assert_eq!((a.locked(byte).unwrap(), b.locked(byte).unwrap()), (None, Some(Mode::Exclusive)));
            // A lock may be changed.
            assert!(a.try_lock(byte, Mode::Shared).unwrap());
            assert!(!b.try_lock(byte, Mode::Exclusive).unwrap());
            assert_eq!(b.locked(byte).unwrap(), Some(Mode::Shared));
            a.unlock(byte).unwrap();
            assert_eq!(b.locked(byte).unwrap(), None);
            b.unlock(byte + 1).unwrap();
        }
        assert!(a.try_lock(1, Mode::Exclusive).unwrap());
        a.close();
        assert_eq!(b.locked(1).unwrap(), None);
        assert!(!a.is_open() && a.try_lock(1, Mode::Exclusive).is_err());
        std::fs::remove_file(path).unwrap();
    }

    #[test]
    fn a_forked_child_keeps_no_lock_of_its_parent() {
        let path = std::env::temp_dir().join(format!("phicache-locks-fork-{}", std::process::id()));
        let (parents, others) = (opened(&path), opened(&path));
        assert!(parents.try_lock(5, Mode::Exclusive).unwrap());
        let (mut begun, mut end) = ([0; 2], [0; 2]);
        let mut byte = [0u8; 1];
        // SAFETY: the child reads from a pipe and writes to one, and leaves by _exit. All descriptors are this test's.
        let child = unsafe {
            assert_eq!((libc::pipe(begun.as_mut_ptr()), libc::pipe(end.as_mut_ptr())), (0, 0));
            match libc::fork() {
                0 => {
                    libc::alarm(120);
                    let was_closed = !parents.is_open();
                    libc::close(end[1]);
                    libc::write(begun[1], byte.as_ptr().cast(), 1);
                    libc::read(end[0], byte.as_mut_ptr().cast(), 1);
                    libc::_exit(i32::from(!was_closed))
                }
                child => child,
            }
        };
        // The child lives, and does nothing.
        // SAFETY: as above.
        assert_eq!(unsafe { libc::read(begun[0], byte.as_mut_ptr().cast(), 1) }, 1);
        assert_eq!(others.locked(5).unwrap(), Some(Mode::Exclusive));
        // As if the parent had ended.
        parents.close();
        assert_eq!(others.locked(5).unwrap(), None);
        let mut status = -1;
        // SAFETY: as above.
        unsafe {
            libc::close(end[1]);
            assert_eq!(libc::waitpid(child, &mut status, 0), child);
            for descriptor in [begun[0], begun[1], end[0]] {
                libc::close(descriptor);
            }
        }
        assert_eq!(status, 0);
        std::fs::remove_file(path).unwrap();
    }
}
