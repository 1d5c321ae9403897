//! The memory figures of the operating system: one function for each, which returns None if the figure is unreadable.
//!
//! Figures may be unreadable for a while: `/proc` is missing in a chroot, opening a file needs a free descriptor, and a
//! sandbox may forbid system calls. So no function here invents or remembers a figure; `limit.rs` keeps the last known
//! one and reads again. A failed allocation also counts as an unreadable figure, because stores read figures too.

#[cfg(not(target_os = "linux"))]
pub(crate) use elsewhere::{physical, read, sizes};
#[cfg(target_os = "linux")]
pub(crate) use linux::{physical, read, sizes};

use std::io::{self, ErrorKind};

/// The sizes of this process, in bytes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Sizes {
    /// Physical memory in use.
    pub(crate) resident: u64,
    /// What RLIMIT_AS bounds; 0 if unknown.
    pub(crate) address_space: u64,
    /// What RLIMIT_DATA bounds; 0 if unknown.
    pub(crate) data: u64,
}

/// The limits of the address space and of the data; `u64::MAX` means unlimited.
pub(crate) fn limits() -> Option<(u64, u64)> {
    let limit = |resource| {
        let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
        // SAFETY: writes to `limit` only.
        let had = unsafe { libc::getrlimit(resource, &mut limit) } == 0;
        had.then_some(if limit.rlim_cur == libc::RLIM_INFINITY { u64::MAX } else { limit.rlim_cur })
    };
    Some((limit(libc::RLIMIT_AS)?, limit(libc::RLIMIT_DATA)?))
}

#[cfg(target_os = "linux")]
mod linux {
    use super::*;
    use std::ffi::CStr;

    /// The sizes of this process. The file is opened each time, because a forked child would read its parent's sizes
    /// from an open one.
    pub(crate) fn sizes() -> Option<Sizes> {
        // After the end of the main thread, the sizes of the process are zeros.
        [c"/proc/self/statm", c"/proc/thread-self/statm"].into_iter().find_map(|name| {
            let mut text = [0; 256];
            let len = read_named(name, &mut text).ok()?;
            sizes_in(&text[..len])
        })
    }

    /// The sizes in the text of statm: pages in all, resident, shared, code, 0, data and stack.
    fn sizes_in(text: &[u8]) -> Option<Sizes> {
        // SAFETY: sysconf only reads.
        let page = u64::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) }).ok()?;
        let mut fields = text.split(|byte| byte.is_ascii_whitespace()).map(|field| number(field)?.checked_mul(page));
        let (address_space, resident) = (fields.next()??, fields.next()??);
        let data = fields.nth(3)??;
        // A running process occupies memory: 0 means that the figure is hidden.
        (resident != 0).then_some(Sizes { resident, address_space, data })
    }

    /// The physical memory. `/proc` comes first: in some containers it shows what the container was given.
    pub(crate) fn physical() -> Option<u64> {
        let mut text = [0; 256];
        let told = read_named(c"/proc/meminfo", &mut text).ok().and_then(|len| field(&text[..len], b"MemTotal:"));
        told.and_then(|kilobytes| kilobytes.checked_mul(1024)).or_else(by_call).filter(|bytes| *bytes != 0)
    }

    fn by_call() -> Option<u64> {
        // SAFETY: zero is valid for these plain numbers; the call writes to them only.
        let info = unsafe {
            let mut info: libc::sysinfo = std::mem::zeroed();
            (libc::sysinfo(&mut info) == 0).then_some(info)
        }?;
        info.totalram.checked_mul(info.mem_unit.max(1).into())
    }

    /// Reads the start of a file, as much as the buffer holds; allocates nothing. `path` contains no NUL and is shorter
    /// than the system's limit.
    pub(crate) fn read(path: &[u8], buffer: &mut [u8]) -> io::Result<usize> {
        let mut name = [0; libc::PATH_MAX as usize];
        if path.len() >= name.len() {
            return Err(ErrorKind::InvalidFilename.into());
        }
        name[..path.len()].copy_from_slice(path);
        read_named(CStr::from_bytes_until_nul(&name).map_err(|_| ErrorKind::InvalidFilename)?, buffer)
    }

    fn read_named(name: &CStr, buffer: &mut [u8]) -> io::Result<usize> {
        // SAFETY: the name ends with a NUL.
        let file = again(|| unsafe { libc::open(name.as_ptr(), libc::O_RDONLY | libc::O_CLOEXEC) } as isize)?;
        let file = file as libc::c_int;
        let mut len = 0;
        let result = loop {
            let room = &mut buffer[len..];
            // SAFETY: the room is ours to write to.
            match again(|| unsafe { libc::read(file, room.as_mut_ptr().cast(), room.len()) }) {
                Ok(0) => break Ok(len),
                Ok(more) => len += more as usize,
                Err(error) => break Err(error),
            }
        };
        // SAFETY: the descriptor is ours.
        unsafe { libc::close(file) };
        result
    }

    /// Repeats a call that a signal interrupts.
    fn again(mut call: impl FnMut() -> isize) -> io::Result<isize> {
        loop {
            let answer = call();
            if answer >= 0 {
                return Ok(answer);
            }
            let error = io::Error::last_os_error();
            if error.kind() != ErrorKind::Interrupted {
                return Err(error);
            }
        }
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn missing_or_invalid_figures_are_none() {
            assert!(sizes().is_some_and(|sizes| sizes.resident > 100_000 && sizes.address_space > sizes.resident));
            assert_eq!(sizes_in(b"765 0 375 5 0 123 0\n"), None);
            assert_eq!(sizes_in(b""), None);
            assert_eq!(sizes_in(b"765 404 37"), None);
            assert_eq!(sizes_in(b"999999999999999999999 1 1 1 0 1 0\n"), None);
            let by_call = by_call().unwrap();
            assert!(physical().unwrap().abs_diff(by_call) <= by_call / 100);
            assert_eq!(read(b"/nowhere", &mut [0; 8]).unwrap_err().kind(), ErrorKind::NotFound);
            assert_eq!(read(b"/proc/self/statm", &mut [0; 2]).unwrap(), 2);
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod elsewhere {
    use super::*;

    /// The sizes of this process that the system reports.
    pub(crate) fn sizes() -> Option<Sizes> {
        let pid = sysinfo::get_current_pid().ok()?;
        let mut system = sysinfo::System::new().ok()?;
        system.refresh_processes(sysinfo::ProcessesToUpdate::Some(&[pid]), true);
        let resident = system.process(pid)?.memory();
        (resident != 0).then_some(Sizes { resident, address_space: 0, data: 0 })
    }

    /// The physical memory.
    pub(crate) fn physical() -> Option<u64> {
        let mut system = sysinfo::System::new().ok()?;
        system.refresh_memory();
        Some(system.total_memory()).filter(|bytes| *bytes != 0)
    }

    /// There are no control groups.
    pub(crate) fn read(_path: &[u8], _buffer: &mut [u8]) -> io::Result<usize> {
        Err(ErrorKind::NotFound.into())
    }
}

/// A whole number in decimal digits, without anything else.
pub(super) fn number(text: &[u8]) -> Option<u64> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// The number after a name at the start of a line.
pub(super) fn field(text: &[u8], name: &[u8]) -> Option<u64> {
    let line = text.split_inclusive(|byte| *byte == b'\n').filter(|line| line.ends_with(b"\n"));
    let value = line.filter_map(|line| line.strip_prefix(name)).next()?;
    value.split(|byte| byte.is_ascii_whitespace()).find(|word| !word.is_empty()).and_then(number)
}

/// Has the allocator of the C library return free memory to the system; false if it cannot be asked.
pub(super) fn return_free_memory() -> bool {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        // SAFETY: the function has no conditions.
        unsafe { libc::malloc_trim(0) != 0 }
    }
    #[cfg(not(all(target_os = "linux", target_env = "gnu")))]
    false
}
