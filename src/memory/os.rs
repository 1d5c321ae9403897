//! What the operating system says of memory: one function for each figure, and None where it cannot be had.
//!
//! `/proc` is missing in a chroot, nothing can be opened while no descriptor is free, a sandbox may forbid either, and
//! all of that may pass. So no function here puts a number in place of a figure, and none remembers that a figure was
//! missing: the gauge keeps the last good one and asks again. Stores ask too, so a failed allocation is a figure that
//! cannot be had.

#[cfg(not(target_os = "linux"))]
pub(crate) use elsewhere::{physical, read, sizes};
#[cfg(target_os = "linux")]
pub(crate) use linux::{physical, read, sizes};

use std::io::{self, ErrorKind};

/// The sizes of this process, in bytes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Sizes {
    /// Physical memory that it occupies.
    pub(crate) resident: u64,
    /// What RLIMIT_AS bounds; 0 where that is not told.
    pub(crate) address_space: u64,
    /// What RLIMIT_DATA bounds; 0 where that is not told.
    pub(crate) data: u64,
}

/// The limit of the address space and the limit of the data; `u64::MAX` is none.
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

    /// The sizes of this process. The file is opened each time: an open one would tell a forked child its parent's
    /// sizes.
    pub(crate) fn sizes() -> Option<Sizes> {
        let mut text = [0; 256];
        let len = read_named(c"/proc/self/statm", &mut text).ok()?;
        sizes_in(&text[..len])
    }

    /// The sizes in the text of statm: pages in all, resident, shared, code, 0, data and stack.
    fn sizes_in(text: &[u8]) -> Option<Sizes> {
        // SAFETY: sysconf only reads.
        let page = u64::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) }).ok()?;
        let mut fields = text.split(|byte| byte.is_ascii_whitespace()).map(|field| number(field)?.checked_mul(page));
        let (address_space, resident) = (fields.next()??, fields.next()??);
        let data = fields.nth(3)??;
        // A process that runs occupies something: a 0 is a sandbox that does not tell.
        (resident != 0).then_some(Sizes { resident, address_space, data })
    }

    /// The physical memory. `/proc` comes first: in some containers it shows what the container has been given.
    pub(crate) fn physical() -> Option<u64> {
        let mut text = [0; 256];
        let told = read_named(c"/proc/meminfo", &mut text).ok().and_then(|len| field(&text[..len], b"MemTotal:"));
        told.and_then(|kilobytes| kilobytes.checked_mul(1024)).or_else(by_call).filter(|bytes| *bytes != 0)
    }

    fn by_call() -> Option<u64> {
        // SAFETY: for these plain numbers zero is a value; the call writes to them only.
        let info = unsafe {
            let mut info: libc::sysinfo = std::mem::zeroed();
            (libc::sysinfo(&mut info) == 0).then_some(info)
        }?;
        info.totalram.checked_mul(info.mem_unit.max(1).into())
    }

    /// Reads the start of a file, as much as the buffer holds; takes no memory. `path` has no NUL, and fewer bytes than
    /// the system allows.
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

    /// Makes a call until no signal interrupts it.
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
        fn figures_that_are_not_told_are_none() {
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

    /// The sizes of this process, as far as they are told.
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

/// A whole number in decimal digits, and nothing else.
fn number(text: &[u8]) -> Option<u64> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// The number behind a name at the start of a line.
fn field(text: &[u8], name: &[u8]) -> Option<u64> {
    let line = text.split_inclusive(|byte| *byte == b'\n').filter(|line| line.ends_with(b"\n"));
    let value = line.filter_map(|line| line.strip_prefix(name)).next()?;
    value.split(|byte| byte.is_ascii_whitespace()).find(|word| !word.is_empty()).and_then(number)
}

/// How files are read: a path and a buffer; the bytes that were read, at most as many as fit.
pub(crate) type Reader<'r> = &'r dyn Fn(&[u8], &mut [u8]) -> io::Result<usize>;

/// The files of a control group that say something of memory.
struct Files {
    /// How mountinfo calls the hierarchy's file system.
    kind: &'static [u8],
    limits: &'static [&'static [u8]],
    usage: &'static [u8],
    /// The line of memory.stat with what the kernel drops first when memory is short.
    inactive: &'static [u8],
}

static V1: Files = Files {
    kind: b"cgroup",
    limits: &[b"memory.limit_in_bytes"],
    usage: b"memory.usage_in_bytes",
    inactive: b"total_inactive_file ",
};

static V2: Files = Files {
    kind: b"cgroup2",
    limits: &[b"memory.max", b"memory.high"],
    usage: b"memory.current",
    inactive: b"inactive_file ",
};

/// Version 1 writes "no limit" as the largest number of whole pages.
const LARGEST: u64 = 1 << 62;

/// One control group: this process's own, or an ancestor of it.
struct Group {
    files: &'static Files,
    folder: Vec<u8>,
    /// As last read; `u64::MAX` is none.
    limits: [u64; 2],
    inactive: Option<Inactive>,
    /// What the group has used besides the bytes that caches of this process held at that moment.
    outside: i64,
}

/// Inactive file pages, and when they were read: in which millisecond, and while caches held how much.
struct Inactive {
    bytes: u64,
    now: u64,
    held: i64,
}

/// For so many milliseconds inactive file pages are not read again, unless caches have grown: it takes the kernel some
/// time to sum them up.
const INACTIVE: u64 = 50;

impl Group {
    fn limit(&self) -> u64 {
        self.limits[0].min(self.limits[1])
    }

    /// Reads one of the group's files.
    fn read<'b>(&self, file: &[u8], read: Reader, buffer: &'b mut [u8]) -> io::Result<&'b [u8]> {
        let mut path = [0; 4096];
        let len = self.folder.len() + 1 + file.len();
        let place = path.get_mut(..len).ok_or(ErrorKind::InvalidFilename)?;
        place[..self.folder.len()].copy_from_slice(&self.folder);
        place[self.folder.len()] = b'/';
        place[self.folder.len() + 1..].copy_from_slice(file);
        let len = read(place, buffer)?;
        Ok(&buffer[..len])
    }

    /// Reads the limits again; says whether all could be had. One that could not stays what it was.
    fn look_at_limits(&mut self, read: Reader) -> bool {
        let mut all = true;
        for (at, file) in self.files.limits.iter().enumerate() {
            let found = match self.read(file, read, &mut [0; 32]) {
                Ok(text) => match text.trim_ascii() {
                    b"max" => Some(u64::MAX),
                    digits => number(digits).map(|bytes| if bytes >= LARGEST { u64::MAX } else { bytes }),
                },
                // The root has no such file, nor has a hierarchy that does not bound memory. One that was there is out
                // of sight.
                Err(error) if error.kind() == ErrorKind::NotFound && self.limits[at] == u64::MAX => Some(u64::MAX),
                Err(_) => None,
            };
            match found {
                Some(limit) => self.limits[at] = limit,
                None => all = false,
            }
        }
        all
    }

    /// Reads what the group uses; says whether that could be had. If not, the last figure stays.
    fn look_at_usage(&mut self, read: Reader, held: i64, now: u64) -> bool {
        let used = self.used(read, held, now);
        self.outside = outside(self.outside, used, held);
        used.is_some()
    }

    /// What the group uses, but for what the kernel drops first when memory is short.
    fn used(&mut self, read: Reader, held: i64, now: u64) -> Option<u64> {
        let used = number(self.read(self.files.usage, read, &mut [0; 32]).ok()?.trim_ascii())?;
        if used <= self.limit() / 2 {
            // Far from the wall that makes no difference.
            return Some(used);
        }
        let fresh = self.inactive.as_ref().filter(|last| {
            // What caches have taken since may have come from there.
            now.saturating_sub(last.now) < INACTIVE && held.abs_diff(last.held) < self.limit() / 64
        });
        let bytes = match fresh {
            Some(last) => last.bytes,
            None => {
                let mut text = [0; 8192];
                let bytes = field(self.read(b"memory.stat", read, &mut text).ok()?, self.files.inactive)?;
                self.inactive = Some(Inactive { bytes, now, held });
                bytes
            }
        };
        Some(used.saturating_sub(bytes))
    }
}

/// Where caches stop below a hard limit, whatever the percentage: what lies beyond is for the rest of the program.
pub(crate) fn wall(limit: u64) -> u64 {
    if limit == u64::MAX { limit } else { limit / 10 * 9 }
}

/// What is used besides the bytes that caches hold. If the figure cannot be had, what was before, but no less than
/// nothing: what caches hold is used.
pub(crate) fn outside(before: i64, used: Option<u64>, held: i64) -> i64 {
    used.map_or(before.max(0), |used| used.min(LARGEST) as i64 - held)
}

/// The control groups that this process is in.
#[derive(Default)]
pub(crate) struct Groups {
    /// What /proc/self/cgroup said when the groups were found; none before.
    text: Option<Vec<u8>>,
    groups: Vec<Group>,
    /// Whether a hierarchy that bounds memory is out of sight.
    hidden: bool,
}

/// What control groups allow.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Allowed {
    /// The least limit, as far as is known; `u64::MAX` is none.
    pub(crate) limit: u64,
    /// Whether all limits could be read.
    pub(crate) limits_known: bool,
    /// Whether the usage of all groups that have a limit could be read.
    pub(crate) usage_known: bool,
    /// What caches may hold until a group comes to its wall.
    pub(crate) ceiling: i64,
}

impl Groups {
    pub(crate) const fn new() -> Self {
        Groups { text: None, groups: Vec::new(), hidden: false }
    }

    /// Looks what the groups use, while caches hold `held` and it is the millisecond `now`; also, if `limits`, where
    /// they are and what their limits are.
    pub(crate) fn look(&mut self, read: Reader, held: i64, now: u64, limits: bool) -> Allowed {
        let mut allowed = Allowed { limit: u64::MAX, limits_known: true, usage_known: true, ceiling: i64::MAX };
        if limits {
            allowed.limits_known = self.find(read).is_ok() && !self.hidden;
            for group in &mut self.groups {
                allowed.limits_known &= group.look_at_limits(read);
            }
        }
        for group in &mut self.groups {
            let limit = group.limit();
            if limit == u64::MAX {
                continue;
            }
            allowed.usage_known &= group.look_at_usage(read, held, now);
            allowed.limit = allowed.limit.min(limit);
            allowed.ceiling = allowed.ceiling.min(wall(limit) as i64 - group.outside);
        }
        allowed
    }

    /// Finds the groups, unless they are those that are known. If that fails, these stay.
    fn find(&mut self, read: Reader) -> io::Result<()> {
        let text = match whole(b"/proc/self/cgroup", read) {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                // A kernel without control groups, or no /proc.
                read(b"/proc/self/mountinfo", &mut [0; 1])?;
                Vec::new()
            }
            text => text?,
        };
        if self.text.as_ref() == Some(&text) && !self.hidden {
            return Ok(());
        }
        let mounts = if text.is_empty() { Vec::new() } else { whole(b"/proc/self/mountinfo", read)? };
        let (groups, hidden) = groups(&text, &mounts)?;
        // What is known of groups that are still there stays.
        if self.text.as_ref() != Some(&text) || groups.len() != self.groups.len() {
            self.groups = groups;
        }
        (self.text, self.hidden) = (Some(text), hidden);
        Ok(())
    }
}

/// A whole file, however long.
fn whole(path: &[u8], read: Reader) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    for room in (12..31).map(|doublings| 1 << doublings) {
        text.try_reserve(room)?;
        text.resize(room, 0);
        let len = read(path, &mut text)?;
        if len < room {
            text.truncate(len);
            return Ok(text);
        }
    }
    Err(ErrorKind::FileTooLarge.into())
}

/// The groups that /proc/self/cgroup names, with all their ancestors, where mountinfo says that they are mounted; and
/// whether some that may bound memory are mounted nowhere.
fn groups(text: &[u8], mounts: &[u8]) -> io::Result<(Vec<Group>, bool)> {
    let (mut groups, mut hidden) = (Vec::new(), false);
    let lines = || text.split(|byte| *byte == b'\n');
    let first = lines().any(|line| files_of(line).is_some_and(|(files, _)| files.kind == V1.kind));
    for (files, group) in lines().filter_map(files_of) {
        let mut mounted = false;
        for (root, folder) in mounts.split(|byte| *byte == b'\n').filter_map(|line| mount(line, files)) {
            mounted = true;
            let below = group.strip_prefix(root.strip_suffix(b"/").unwrap_or(root));
            let below = below.filter(|below| below.is_empty() || below.starts_with(b"/")).unwrap_or(b"");
            let below = below.strip_suffix(b"/").unwrap_or(below);
            let (mut own, folder) = (Vec::new(), folder.strip_suffix(b"/").unwrap_or(folder));
            own.try_reserve(folder.len() + below.len())?;
            own.extend_from_slice(folder);
            own.extend_from_slice(below);
            loop {
                let mut path = Vec::new();
                path.try_reserve(own.len())?;
                path.extend_from_slice(&own);
                groups.try_reserve(1)?;
                groups.push(Group { files, folder: path, limits: [u64::MAX; 2], inactive: None, outside: 0 });
                match own[folder.len()..].iter().rposition(|byte| *byte == b'/') {
                    Some(slash) => own.truncate(folder.len() + slash),
                    None => break,
                }
            }
        }
        // Memory is in one hierarchy only: if that is version 1's, the other need not be in sight.
        hidden |= !mounted && (files.kind == V1.kind || !first);
    }
    Ok((groups, hidden))
}

/// Which kind of group a line of /proc/self/cgroup names, and which one, if it may bound memory.
fn files_of(line: &[u8]) -> Option<(&'static Files, &[u8])> {
    let mut fields = line.splitn(3, |byte| *byte == b':').skip(1);
    let (controllers, group) = (fields.next()?, fields.next()?);
    match controllers {
        b"" => Some((&V2, group)),
        names => names.split(|byte| *byte == b',').any(|name| name == b"memory").then_some((&V1, group)),
    }
}

/// The root and the place of a mount of such groups, if this line of mountinfo is one.
fn mount<'l>(line: &'l [u8], files: &Files) -> Option<(&'l [u8], &'l [u8])> {
    let dash = line.windows(3).position(|bytes| bytes == b" - ")?;
    let mut tail = line[dash + 3..].split(|byte| *byte == b' ');
    let (kind, options) = (tail.next()?, tail.nth(1)?);
    if kind != files.kind || (kind == V1.kind && !options.split(|byte| *byte == b',').any(|name| name == b"memory")) {
        return None;
    }
    let mut head = line[..dash].split(|byte| *byte == b' ').skip(3);
    Some((head.next()?, head.next()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;
    use std::collections::HashMap;

    const UNIFIED: &str = "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw\n";
    const MIB: u64 = 1 << 20;

    /// Files that are not there, and what they say that are; None stands for one that cannot be read now.
    struct Tree(RefCell<HashMap<String, Option<String>>>);

    impl Tree {
        fn new(groups: &str, mounts: &str, files: &[(&str, &str)]) -> Self {
            let tree = Tree(RefCell::default());
            tree.write("/proc/self/cgroup", groups);
            tree.write("/proc/self/mountinfo", mounts);
            files.iter().for_each(|(path, text)| tree.write(path, text));
            tree
        }

        fn write(&self, path: &str, text: &str) {
            self.0.borrow_mut().insert(path.into(), Some(text.into()));
        }

        /// No descriptor is free, or one is again.
        fn lock(&self, path: &str) {
            self.0.borrow_mut().insert(path.into(), None);
        }

        fn lock_all(&self) {
            self.0.borrow_mut().values_mut().for_each(|text| *text = None);
        }

        fn remove_all(&self) {
            self.0.borrow_mut().clear();
        }

        fn read(&self, path: &[u8], buffer: &mut [u8]) -> io::Result<usize> {
            match self.0.borrow().get(std::str::from_utf8(path).unwrap()) {
                None => Err(ErrorKind::NotFound.into()),
                Some(None) => Err(io::Error::from_raw_os_error(libc::EMFILE)),
                Some(Some(text)) => {
                    let len = text.len().min(buffer.len());
                    buffer[..len].copy_from_slice(&text.as_bytes()[..len]);
                    Ok(len)
                }
            }
        }

        fn look(&self, groups: &mut Groups, held: i64, now: u64) -> Allowed {
            groups.look(&|path, buffer| self.read(path, buffer), held, now, true)
        }

        fn limit(&self) -> u64 {
            self.look(&mut Groups::new(), 0, 0).limit
        }
    }

    #[test]
    fn the_least_limit_of_all_ancestors_counts() {
        let tree = Tree::new(
            "0::/a/b\n",
            UNIFIED,
            &[
                ("/sys/fs/cgroup/a/b/memory.max", "max\n"),
                ("/sys/fs/cgroup/a/memory.max", "2147483648\n"),
                ("/sys/fs/cgroup/memory.max", "4294967296\n"),
            ],
        );
        assert_eq!(tree.limit(), 2 << 30);
        tree.write("/proc/self/cgroup", "0::/elsewhere\n");
        assert_eq!(tree.limit(), 4 << 30);

        let legacy = "33 25 0:29 /docker/1 /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n\
                      34 25 0:30 /docker/1 /sys/fs/cgroup/cpu ro - cgroup cgroup rw,cpu\n";
        let tree = Tree::new(
            "5:memory:/docker/1/job\n4:cpu:/docker/1\n0::/\n",
            legacy,
            &[
                ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "1073741824\n"),
                ("/sys/fs/cgroup/memory/job/memory.limit_in_bytes", "9223372036854771712\n"),
            ],
        );
        let allowed = tree.look(&mut Groups::new(), 0, 0);
        assert_eq!((allowed.limit, allowed.limits_known), (1 << 30, true));
        tree.write("/proc/self/cgroup", "5:memory:/docker/10\n");
        assert_eq!(tree.limit(), 1 << 30);
    }

    #[test]
    fn high_is_a_limit_and_max_is_none() {
        let tree = Tree::new(
            "0::/a\n",
            UNIFIED,
            &[
                ("/sys/fs/cgroup/a/memory.max", "max\n"),
                ("/sys/fs/cgroup/a/memory.high", "1048576\n"),
                ("/sys/fs/cgroup/a/memory.current", "4096\n"),
            ],
        );
        assert_eq!(tree.limit(), 1 << 20);
        tree.write("/sys/fs/cgroup/a/memory.high", "max\n");
        let allowed = tree.look(&mut Groups::new(), 0, 0);
        let none = Allowed { limit: u64::MAX, limits_known: true, usage_known: true, ceiling: i64::MAX };
        assert_eq!(allowed, none);
    }

    #[test]
    fn a_limit_that_was_seen_stays_while_it_cannot_be_read() {
        let (limit, max) = ("/sys/fs/cgroup/a/memory.max", "2147483648\n");
        let tree = Tree::new("0::/a\n", UNIFIED, &[(limit, max), ("/sys/fs/cgroup/a/memory.current", "0\n")]);
        let mut groups = Groups::new();
        let first = tree.look(&mut groups, 0, 0);
        assert!(first.limits_known && first.usage_known && first.limit == 2 << 30);
        for text in ["", "-1\n", "12 34\n", "99999999999999999999999\n"] {
            tree.write(limit, text);
            let now = tree.look(&mut groups, 0, 0);
            assert_eq!((now.limit, now.limits_known), (2 << 30, false), "{text:?}");
        }
        tree.lock(limit);
        let partly = tree.look(&mut groups, 0, 0);
        assert_eq!((partly.limit, partly.limits_known, partly.usage_known), (2 << 30, false, true));
        tree.lock_all();
        let none = tree.look(&mut groups, 0, 0);
        assert_eq!((none.limit, none.limits_known, none.usage_known), (2 << 30, false, false));
        tree.remove_all();
        let none = tree.look(&mut groups, 0, 0);
        assert_eq!((none.limits_known, none.usage_known), (false, false));
        assert!(!tree.look(&mut Groups::new(), 0, 0).limits_known);
    }

    #[test]
    fn groups_that_could_not_be_found_are_looked_for_again() {
        let tree = Tree::new("0::/a\n", UNIFIED, &[("/sys/fs/cgroup/a/memory.max", "2147483648\n")]);
        let mut groups = Groups::new();
        tree.lock("/proc/self/cgroup");
        assert_eq!((tree.look(&mut groups, 0, 0).limit, tree.look(&mut groups, 0, 0).limits_known), (u64::MAX, false));
        tree.write("/proc/self/cgroup", "0::/a\n");
        tree.lock("/proc/self/mountinfo");
        assert_eq!((tree.look(&mut groups, 0, 0).limit, tree.look(&mut groups, 0, 0).limits_known), (u64::MAX, false));
        tree.write("/proc/self/mountinfo", "");
        assert_eq!((tree.look(&mut groups, 0, 0).limit, tree.look(&mut groups, 0, 0).limits_known), (u64::MAX, false));
        tree.write("/proc/self/mountinfo", UNIFIED);
        assert_eq!((tree.look(&mut groups, 0, 0).limit, tree.look(&mut groups, 0, 0).limits_known), (2 << 30, true));
    }

    #[test]
    fn a_process_that_moves_has_the_limits_of_its_new_group() {
        let tree = Tree::new(
            "0::/a\n",
            UNIFIED,
            &[("/sys/fs/cgroup/a/memory.max", "2147483648\n"), ("/sys/fs/cgroup/b/memory.max", "1073741824\n")],
        );
        let mut groups = Groups::new();
        assert_eq!(tree.look(&mut groups, 0, 0).limit, 2 << 30);
        tree.write("/proc/self/cgroup", "0::/b\n");
        assert_eq!(tree.look(&mut groups, 0, 0).limit, 1 << 30);
        tree.write("/sys/fs/cgroup/b/memory.max", "max\n");
        assert_eq!(tree.look(&mut groups, 0, 0).limit, u64::MAX);
    }

    #[test]
    fn caches_stop_at_nine_tenths_of_a_group_and_its_page_cache_does_not_count() {
        let tree = Tree::new(
            "0::/a\n",
            UNIFIED,
            &[
                ("/sys/fs/cgroup/a/memory.max", "104857600\n"),
                ("/sys/fs/cgroup/a/memory.current", "94371840\n"),
                ("/sys/fs/cgroup/a/memory.stat", "anon 1048576\nfile 62914560\ninactive_file 62914560\nslab 7\n"),
            ],
        );
        let mut groups = Groups::new();
        // 90 MiB in use; of that 60 are inactive file pages, and 10 are what caches hold. 20 + 70 are nine tenths of
        // 100.
        let held = 10 * MIB as i64;
        assert_eq!(tree.look(&mut groups, held, 0).ceiling, 70 * MIB as i64);
        // What they held then is still in that figure.
        tree.lock("/sys/fs/cgroup/a/memory.current");
        let blind = tree.look(&mut groups, 2 * held, 1000);
        assert_eq!((blind.ceiling, blind.usage_known), (70 * MIB as i64, false));
        tree.write("/sys/fs/cgroup/a/memory.current", "94371840\n");
        // It is read again when it is old, and a text that ends too early is no figure.
        tree.write("/sys/fs/cgroup/a/memory.stat", "anon 1048576\ninactive_file 0\n");
        assert_eq!(tree.look(&mut groups, held, 20).ceiling, 70 * MIB as i64);
        assert_eq!(tree.look(&mut groups, held, 100).ceiling, 10 * MIB as i64);
        tree.write("/sys/fs/cgroup/a/memory.stat", "inactive_file 62914560\n");
        assert_eq!(tree.look(&mut groups, held + 2 * MIB as i64, 101).ceiling, 72 * MIB as i64);
        tree.write("/sys/fs/cgroup/a/memory.stat", "anon 1048576\ninactive_file 629145");
        assert!(!tree.look(&mut groups, held, 200).usage_known);

        let legacy = "33 25 0:29 / /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n";
        let tree = Tree::new(
            "5:memory:/job\n",
            legacy,
            &[
                ("/sys/fs/cgroup/memory/job/memory.limit_in_bytes", "104857600\n"),
                ("/sys/fs/cgroup/memory/job/memory.usage_in_bytes", "94371840\n"),
                ("/sys/fs/cgroup/memory/job/memory.stat", "inactive_file 0\ntotal_inactive_file 62914560\n"),
            ],
        );
        assert_eq!(tree.look(&mut Groups::new(), held, 0).ceiling, 70 * MIB as i64);
    }

    #[test]
    fn what_was_never_known_is_at_least_what_caches_hold() {
        assert_eq!(outside(0, None, 5), 0);
        assert_eq!(outside(-3, None, 5), 0);
        assert_eq!(outside(7, None, 5), 7);
        assert_eq!(outside(7, Some(4), 5), -1);
        assert_eq!((wall(u64::MAX), wall(1000)), (u64::MAX, 900));
    }
}
