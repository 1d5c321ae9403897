//! The control groups that the process is in: their limits and their usage.
//!
//! Limits of ancestors apply too. Control groups come in two versions with different files. Unreadable figures keep
//! their last known value (`os.rs` says why they may be unreadable).

use std::io::{self, ErrorKind};

use super::ceiling::{outside, wall};
use super::held::Occupied;
use super::os::{field, number};
use crate::error::{Error, Result};

/// Reads the start of the file at a path into a buffer; returns how many bytes.
pub(super) type Reader<'r> = &'r dyn Fn(&[u8], &mut [u8]) -> io::Result<usize>;

/// The files of a control group that concern memory.
struct Files {
    /// The name of the hierarchy's file system in mountinfo.
    kind: &'static [u8],
    limits: &'static [&'static [u8]],
    usage: &'static [u8],
    /// The line of memory.stat that counts the pages which the kernel reclaims first.
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
    /// The limits, as last read; `u64::MAX` means unlimited.
    limits: [u64; 2],
    inactive: Option<Inactive>,
    /// The bytes that the group used, without those that caches of this process held at that moment.
    outside: i64,
}

/// Inactive file pages, the millisecond in which they were read, and the bytes that caches held then.
struct Inactive {
    bytes: u64,
    now: u64,
    held: i64,
}

/// Inactive file pages are not read again within this many milliseconds unless caches have grown: the kernel takes a
/// while to sum them up.
const INACTIVE: u64 = 50;

impl Group {
    fn limit(&self) -> u64 {
        self.limits[0].min(self.limits[1])
    }

    /// The path of one of the group's files, as text.
    fn path(&self, file: &[u8]) -> Result<String> {
        let mut path = String::new();
        let len = 3 * self.folder.len() + 1 + file.len();
        path.try_reserve_exact(len).map_err(|_| Error::OutOfMemory(len))?;
        for part in [&self.folder[..], b"/", file] {
            for chunk in part.utf8_chunks() {
                path.push_str(chunk.valid());
                path.extend(chunk.invalid().first().map(|_| char::REPLACEMENT_CHARACTER));
            }
        }
        Ok(path)
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

    /// Reads the limits again; returns whether all were readable. An unreadable one keeps its value.
    fn read_limits(&mut self, read: Reader) -> bool {
        let mut all = true;
        for (at, file) in self.files.limits.iter().enumerate() {
            let found = match self.read(file, read, &mut [0; 32]) {
                Ok(text) => match text.trim_ascii() {
                    b"max" => Some(u64::MAX),
                    digits => number(digits).map(|bytes| if bytes >= LARGEST { u64::MAX } else { bytes }),
                },
                // The root has no such file, nor does a hierarchy that does not limit memory. A file that was there
                // before has become unreadable.
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

    /// Reads the group's usage; returns whether it was readable. If not, the last figure stays.
    fn read_usage(&mut self, read: Reader, held: Occupied, now: u64) -> bool {
        let used = self.used(read, held.least, now);
        self.outside = outside(self.outside, used, held);
        used.is_some()
    }

    /// The group's usage, without the pages that the kernel reclaims first.
    fn used(&mut self, read: Reader, held: i64, now: u64) -> Option<u64> {
        let used = number(self.read(self.files.usage, read, &mut [0; 32]).ok()?.trim_ascii())?;
        if used <= self.limit() / 2 {
            // Far from the wall, inactive pages make no difference.
            return Some(used);
        }
        let recent = self.inactive.as_ref().filter(|last| {
            // Memory that caches have allocated since may have come from these pages.
            now.saturating_sub(last.now) < INACTIVE && held.abs_diff(last.held) < self.limit() / 64
        });
        let bytes = match recent {
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

/// The control groups that this process is in.
#[derive(Default)]
pub(super) struct Groups {
    /// The text of /proc/self/cgroup when the groups were found; None before.
    text: Option<Vec<u8>>,
    groups: Vec<Group>,
    /// Whether a hierarchy that limits memory is not mounted where the process can see it.
    hidden: bool,
}

/// The limits and the ceiling of all control groups.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Allowed {
    /// The lowest known limit; `u64::MAX` means unlimited.
    pub(super) limit: u64,
    /// Whether all limits could be read.
    pub(super) limits_known: bool,
    /// Whether the use of all groups that have a limit could be read.
    pub(super) usage_known: bool,
    /// The bytes that caches may hold until a group reaches its wall.
    pub(super) ceiling: i64,
}

impl Groups {
    pub(super) const fn new() -> Self {
        Groups { text: None, groups: Vec::new(), hidden: false }
    }

    /// Reads the usage of the groups, while caches hold `held` bytes at the millisecond `now`. With `limits`, it first
    /// finds the groups and reads their limits.
    pub(super) fn sample(&mut self, read: Reader, held: Occupied, now: u64, limits: bool) -> Allowed {
        let mut allowed = Allowed { limit: u64::MAX, limits_known: true, usage_known: true, ceiling: i64::MAX };
        if limits {
            allowed.limits_known = self.find(read).is_ok() && !self.hidden;
            for group in &mut self.groups {
                allowed.limits_known &= group.read_limits(read);
            }
        }
        for group in &mut self.groups {
            let limit = group.limit();
            if limit == u64::MAX {
                continue;
            }
            allowed.usage_known &= group.read_usage(read, held, now);
            allowed.limit = allowed.limit.min(limit);
            allowed.ceiling = allowed.ceiling.min(wall(limit) as i64 - group.outside);
        }
        allowed
    }

    /// Calls `see` with the limits of all groups that have one, as last read: the path of the file, the bytes, and what
    /// the group uses without the bytes that caches hold. The own group comes before its ancestors.
    pub(super) fn limits(&self, mut see: impl FnMut(String, u64, i64) -> Result<()>) -> Result<()> {
        for group in &self.groups {
            for (file, bytes) in group.files.limits.iter().zip(group.limits) {
                if bytes != u64::MAX {
                    see(group.path(file)?, bytes, group.outside)?;
                }
            }
        }
        Ok(())
    }

    /// Finds the groups, unless they are the known ones. If that fails, the known ones stay.
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
        // The figures of known groups stay.
        if self.text.as_ref() != Some(&text) || groups.len() != self.groups.len() {
            self.groups = groups;
        }
        (self.text, self.hidden) = (Some(text), hidden);
        Ok(())
    }
}

/// The whole text of a file of any length.
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

/// The groups named in /proc/self/cgroup with all their ancestors, where mountinfo says they are mounted; and whether
/// some that may limit memory are not mounted.
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
        // Memory is in one hierarchy only: if that is version 1's, the other need not be mounted.
        hidden |= !mounted && (files.kind == V1.kind || !first);
    }
    Ok((groups, hidden))
}

/// The kind of group and its path in a line of /proc/self/cgroup, if it may limit memory.
fn files_of(line: &[u8]) -> Option<(&'static Files, &[u8])> {
    let mut fields = line.splitn(3, |byte| *byte == b':').skip(1);
    let (controllers, group) = (fields.next()?, fields.next()?);
    match controllers {
        b"" => Some((&V2, group)),
        names => names.split(|byte| *byte == b',').any(|name| name == b"memory").then_some((&V1, group)),
    }
}

/// The root and the mount point of such groups, if this line of mountinfo mounts them.
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
#[path = "control_groups_tests.rs"]
mod tests;
