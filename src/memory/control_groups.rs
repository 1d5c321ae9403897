//! The control groups that the process is in: their limits and their usage.
//!
//! Limits of ancestors apply too. Control groups come in two versions with different files. Unreadable figures keep
//! their last known value (`os.rs` says why they may be unreadable).
//!
//! `/proc/self/cgroup` names the groups, and mountinfo the folders where a hierarchy, or the part of one below a root,
//! is mounted. Names are relative to the control group namespace: a group or a root outside it begins with `/..`.

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
    limits: [Figure; 2],
    usage: &'static [u8],
    /// The line of memory.stat that counts the pages which the kernel reclaims first.
    inactive: &'static [u8],
}

/// Where a limit is written.
struct Figure {
    file: &'static [u8],
    /// The start of its line; empty if the file has nothing else.
    line: &'static [u8],
}

static V1: Files = Files {
    kind: b"cgroup",
    limits: [
        Figure { file: b"memory.limit_in_bytes", line: b"" },
        // The lowest limit of the group and its ancestors, those included that the process cannot see.
        Figure { file: b"memory.stat", line: b"hierarchical_memory_limit " },
    ],
    usage: b"memory.usage_in_bytes",
    inactive: b"total_inactive_file ",
};

static V2: Files = Files {
    kind: b"cgroup2",
    limits: [Figure { file: b"memory.max", line: b"" }, Figure { file: b"memory.high", line: b"" }],
    usage: b"memory.current",
    inactive: b"inactive_file ",
};

/// A file that each group of both versions has.
const PROCESSES: &[u8] = b"cgroup.procs";

/// Version 1 writes "no limit" as the largest number of whole pages.
const LARGEST: u64 = 1 << 62;

/// One control group: this process's own, or an ancestor of it.
struct Group {
    files: &'static Files,
    folder: Vec<u8>,
    /// Whether the process cannot see this group's parent.
    cut_off: bool,
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
        read_in(&self.folder, file, read, buffer)
    }

    /// Reads the limits again; returns whether all were readable. An unreadable one keeps its value.
    fn read_limits(&mut self, read: Reader) -> bool {
        let mut all = true;
        for (at, figure) in self.files.limits.iter().enumerate() {
            // Of the groups that it can see, the process reads the limits themselves.
            if !figure.line.is_empty() && !self.cut_off {
                continue;
            }
            match self.read_limit(figure, read) {
                // The limit of a group that the process cannot see is lower than this group's.
                Some(limit) if !figure.line.is_empty() && limit >= self.limits[0] => self.limits[at] = u64::MAX,
                Some(limit) => self.limits[at] = limit,
                None => all = false,
            }
        }
        all
    }

    fn read_limit(&self, figure: &Figure, read: Reader) -> Option<u64> {
        let mut text = [0; 8192];
        let number = match self.read(figure.file, read, &mut text) {
            Ok(text) if !figure.line.is_empty() => field(text, figure.line),
            Ok(text) if text.trim_ascii() == b"max" => Some(u64::MAX),
            Ok(text) => number(text.trim_ascii()),
            // The root has no such file, nor does a group that does not limit memory.
            Err(error) if is_missing(&error) => self.exists(read).ok()?.then_some(u64::MAX),
            Err(_) => None,
        };
        number.map(|bytes| if bytes >= LARGEST { u64::MAX } else { bytes })
    }

    /// Whether the group is where it was found.
    fn exists(&self, read: Reader) -> io::Result<bool> {
        exists(&self.folder, PROCESSES, read)
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
    /// Whether some groups that limit memory are not mounted where the process can see them.
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
                if !group.read_limits(read) {
                    allowed.limits_known = false;
                    // It may be mounted elsewhere now.
                    self.hidden |= matches!(group.exists(read), Ok(false));
                }
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
            for (figure, bytes) in group.files.limits.iter().zip(group.limits) {
                if bytes != u64::MAX {
                    see(group.path(figure.file)?, bytes, group.outside)?;
                }
            }
        }
        Ok(())
    }

    /// Finds the groups, unless they are the known ones. If that fails, the known ones stay.
    fn find(&mut self, read: Reader) -> io::Result<()> {
        // After the end of the main thread, the folder of the process has no mounts and names the root as its group.
        let [group, mountinfo] = match read(b"/proc/self/mountinfo", &mut []) {
            Ok(_) => [&b"/proc/self/cgroup"[..], b"/proc/self/mountinfo"],
            Err(_) => [&b"/proc/thread-self/cgroup"[..], b"/proc/thread-self/mountinfo"],
        };
        let text = match whole(group, read) {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                // A kernel without control groups, or no /proc.
                read(mountinfo, &mut [])?;
                Vec::new()
            }
            text => text?,
        };
        let moved = self.text.as_ref() != Some(&text);
        if !moved && !self.hidden {
            return Ok(());
        }
        let mounts = if text.is_empty() { Vec::new() } else { whole(mountinfo, read)? };
        let (mut groups, hidden) = groups(&text, &mounts, read)?;
        if hidden && !moved && !self.groups.is_empty() {
            return Ok(());
        }
        let mut all = true;
        for group in &mut groups {
            all &= group.read_limits(read);
        }
        if !all && !self.groups.is_empty() {
            return Err(ErrorKind::InvalidData.into());
        }
        // The figures of known groups stay.
        for group in &mut groups {
            let known = self.groups.iter_mut().find(|known| known.folder == group.folder);
            if let Some(known) = known {
                (group.inactive, group.outside) = (known.inactive.take(), known.outside);
            }
        }
        (self.text, self.groups, self.hidden) = (Some(text), groups, hidden);
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

/// Reads the start of a file in a folder.
fn read_in<'b>(folder: &[u8], file: &[u8], read: Reader, buffer: &'b mut [u8]) -> io::Result<&'b [u8]> {
    let mut path = [0; 4096];
    let len = folder.len() + 1 + file.len();
    let place = path.get_mut(..len).ok_or(ErrorKind::InvalidFilename)?;
    place[..folder.len()].copy_from_slice(folder);
    place[folder.len()] = b'/';
    place[folder.len() + 1..].copy_from_slice(file);
    let len = read(place, buffer)?;
    Ok(&buffer[..len])
}

/// Whether a folder has a file, whether it can be read or not. An error if that cannot be known now.
fn exists(folder: &[u8], file: &[u8], read: Reader) -> io::Result<bool> {
    match read_in(folder, file, read, &mut []) {
        Ok(_) => Ok(true),
        Err(error) if is_missing(&error) => Ok(false),
        Err(error) => match error.raw_os_error() {
            Some(libc::EMFILE | libc::ENFILE | libc::ENOMEM) => Err(error),
            _ => Ok(true),
        },
    }
}

/// Whether there is no such file.
fn is_missing(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory | ErrorKind::InvalidFilename)
}

/// The groups named in /proc/self/cgroup with all their ancestors, where mountinfo says they are mounted; and whether
/// some that may limit memory are not mounted.
fn groups(text: &[u8], mounts: &[u8], read: Reader) -> io::Result<(Vec<Group>, bool)> {
    let (mut found, mut hidden) = (Vec::new(), false);
    let lines = || text.split(|byte| *byte == b'\n').filter_map(files_of);
    // Memory is in one hierarchy only: if that is version 1's, the other does not limit it.
    let first = lines().any(|(files, _)| files.kind == V1.kind);
    for (files, group) in lines().filter(|(files, _)| files.kind == V1.kind || !first) {
        let mounts = || mounts.split(|byte| *byte == b'\n').filter_map(|line| mount(line, files));
        // Of the mounts with the group, that which shows most of its ancestors.
        let mut best: Option<(Vec<u8>, &[u8])> = None;
        for (root, folder) in mounts() {
            let (root, folder) = (decoded(root)?, decoded(folder)?);
            let Some(below) = below(group, &root) else { continue };
            let shows_more = best.as_ref().is_none_or(|(_, best)| below.len() > best.len());
            if shows_more && exists(&joined(&folder, below)?, PROCESSES, read)? {
                best = Some((folder, below));
            }
        }
        if let Some((folder, below)) = best {
            add(&mut found, files, &folder, below, read)?;
            continue;
        }
        // The group is not mounted, or the names are those of another namespace. Ancestors may be mounted; in a
        // container, what is mounted is most likely one.
        hidden = true;
        for above in [true, false] {
            let before = found.len();
            for (root, folder) in mounts() {
                let below = below(group, &decoded(root)?);
                if below.is_some() == above {
                    add(&mut found, files, &decoded(folder)?, below.unwrap_or_default(), read)?;
                }
            }
            if found.len() > before {
                break;
            }
        }
    }
    Ok((found, hidden))
}

/// Adds the group `below` a mounted folder, and its ancestors up to this folder.
fn add(found: &mut Vec<Group>, files: &'static Files, folder: &[u8], below: &[u8], read: Reader) -> io::Result<()> {
    let mut len = below.len();
    loop {
        let path = joined(folder, &below[..len])?;
        // Only the root of a hierarchy has this file.
        let cut_off = len == 0 && files.kind == V1.kind && !exists(&path, b"release_agent", read)?;
        found.try_reserve(1)?;
        found.push(Group { files, folder: path, cut_off, limits: [u64::MAX; 2], inactive: None, outside: 0 });
        match below[..len].iter().rposition(|byte| *byte == b'/') {
            Some(slash) => len = slash,
            None => return Ok(()),
        }
        // Before Linux 5.11, a group of version 1 could leave its descendants alone.
        let parent = joined(folder, &below[..len])?;
        let counts = read_in(&parent, b"memory.use_hierarchy", read, &mut [0; 8]).map(|text| text.trim_ascii() != b"0");
        if files.kind == V1.kind && !counts.unwrap_or(true) {
            return Ok(());
        }
    }
}

/// The path of a group below a mounted folder. The root of a hierarchy is mounted as `/`.
fn joined(folder: &[u8], below: &[u8]) -> io::Result<Vec<u8>> {
    let folder = folder.strip_suffix(b"/").unwrap_or(folder);
    let mut path = Vec::new();
    path.try_reserve_exact(folder.len() + below.len())?;
    path.extend_from_slice(folder);
    path.extend_from_slice(below);
    Ok(path)
}

/// The path of a group from a root above it: empty, or with a slash before each name. None if the root is not above it,
/// as far as the names tell.
fn below<'g>(group: &'g [u8], root: &[u8]) -> Option<&'g [u8]> {
    let below = group.strip_prefix(root.strip_suffix(b"/").unwrap_or(root))?;
    let below = below.strip_suffix(b"/").unwrap_or(below);
    let is_path = below.is_empty() || below.starts_with(b"/");
    (is_path && below.split(|byte| *byte == b'/').all(|name| name != b"..")).then_some(below)
}

/// A field of mountinfo, where some characters are written as a backslash and three octal digits.
fn decoded(field: &[u8]) -> io::Result<Vec<u8>> {
    let (mut text, mut rest) = (Vec::new(), field);
    text.try_reserve_exact(field.len())?;
    loop {
        rest = match rest {
            [b'\\', a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', rest @ ..] => {
                text.push((a & 3) << 6 | (b & 7) << 3 | c & 7);
                rest
            }
            [byte, rest @ ..] => {
                text.push(*byte);
                rest
            }
            [] => return Ok(text),
        };
    }
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

/// The root and the mount point of such groups, both encoded, if this line of mountinfo mounts them.
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
