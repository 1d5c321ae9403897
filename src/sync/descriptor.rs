//! Descriptors of files and sockets.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

/// Keeps a file or socket off the descriptors 0, 1 and 2, which a program may have closed: what it prints would go
/// there.
pub fn off_standard<F: AsRawFd + Into<OwnedFd> + From<OwnedFd>>(file: F) -> io::Result<F> {
    if file.as_raw_fd() > 2 {
        return Ok(file);
    }
    let file: OwnedFd = file.into();
    Ok(rustix::io::fcntl_dupfd_cloexec(&file, 3)?.into())
}
