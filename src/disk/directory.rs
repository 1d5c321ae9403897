//! The directory: where it is by default, whom it trusts, and where in it the values of an identity and role are.
//!
//! ```text
//! DIRECTORY/1/ab/abcdef…/repertoires/        the identity abcdef… (64 digits, below its first two), and the role
//! DIRECTORY/1/removed-…/                     values that are being removed
//! ```

use std::ffi::OsString;
use std::fmt::Write;
use std::fs::Metadata;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::failure::{Failure, Outcome};
use super::files;
use super::format::VERSION;
use super::names::random;
use crate::error::{Error, Result};

/// A directory for the values of many identities.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Directory {
    root: PathBuf,
    /// Whether members of the directory's group may write into it, and are trusted.
    trusts_group: bool,
    /// The user of the process that opened it.
    user: u32,
}

impl Directory {
    /// The directory at a path, which is made if it is missing and that is allowed.
    pub fn new(path: &Path, trusts_group: bool, make: bool) -> Result<Self> {
        if path.as_os_str().is_empty() {
            return Err(Error::invalid("the directory is empty; give a path"));
        }
        let mode = if trusts_group { 0o770 } else { 0o700 };
        if path.exists() && !path.is_dir() {
            return Err(Error::Storage(format!("{} is not a directory; give another path", path.display()).into()));
        }
        if make {
            files::make_directories(path, mode).map_err(Failure::of("make the directory", path))?;
        }
        let root = path.canonicalize().map_err(Failure::of("find the directory", path))?;
        let directory = Directory { root, trusts_group, user: user() };
        directory.check()?;
        Ok(directory)
    }

    /// The directory of a file that its reader trusts. Nothing is made there.
    pub fn of_file(path: &Path) -> Self {
        Directory { root: path.parent().unwrap_or(path).into(), trusts_group: false, user: user() }
    }

    /// The default directory: the user's cache directory if it is on a local file system, or else one below
    /// `/var/tmp`.
    pub fn default_path() -> Result<PathBuf> {
        let absolute = |path: Option<OsString>| path.map(PathBuf::from).filter(|path| path.is_absolute());
        let home = || absolute(std::env::var_os("HOME")).map(|home| home.join(".cache"));
        if let Some(caches) = absolute(std::env::var_os("XDG_CACHE_HOME")).or_else(home)
            && is_local(&caches)
        {
            return Ok(caches.join("phicache"));
        }
        let shared = Path::new("/var/tmp");
        match is_local(shared) {
            true => Ok(shared.join(format!("phicache-{}", user()))),
            false => Err(Error::invalid(
                "there is no local directory for a disk cache: the user's cache directory and /var/tmp are missing or \
                 on a network file system; set PHICACHE_DISK_DIRECTORY, or the directory of the configuration",
            )),
        }
    }

    /// Fails if others may change what is in it.
    fn check(&self) -> Result<()> {
        let metadata = files::stat(&self.root).map_err(Failure::of("look at", &self.root))?;
        if self.trusts(&metadata) && self.shares_group(&metadata) {
            return Ok(());
        }
        Err(Error::Storage(format!("{} {}", self.root.display(), self.distrust(&metadata)).into()))
    }

    /// Why it is not trusted, and what to do.
    fn distrust(&self, metadata: &Metadata) -> String {
        const NEW: &str = "use a directory that does not exist yet, which is made with mode 700";
        let (owner, mode, user) = (metadata.uid(), metadata.permissions().mode() & 0o7777, self.user);
        let advice = match mode & 0o1022 {
            0o002 | 0o022 => format!("{NEW}, or chmod 700 this one if only your programs use it"),
            0o020 => "chmod 700 it, or set trust_group if all members of its group are trusted".to_owned(),
            _ => NEW.to_owned(),
        };
        match (self.trusts_group, owner == user, mode & 0o022) {
            (false, false, _) => format!(
                "belongs to user {owner} and this process to user {user}, so another user could change what is stored \
                 there; {NEW}, or set trust_group for one that a group shares"
            ),
            (true, _, 0 | 0o020) => format!(
                "belongs to user {owner} and group {}, and this process is in neither; use a directory of a group that \
                 it is in",
                metadata.gid()
            ),
            (false, true, 0o020) => {
                format!("has mode {mode:o}, so members of its group could change what is stored there; {advice}")
            }
            _ => format!("has mode {mode:o}, so every user could change what is stored there; {advice}"),
        }
    }

    /// Whether only users whom it trusts can have written a file or directory.
    pub fn trusts(&self, metadata: &Metadata) -> bool {
        let forbidden = if self.trusts_group { 0o002 } else { 0o022 };
        let own = metadata.uid() == self.user || self.trusts_group;
        own && metadata.permissions().mode() & forbidden == 0
    }

    /// Whether this user, or a group of this process, owns a directory: others may have made one that waits for values.
    fn shares_group(&self, metadata: &Metadata) -> bool {
        let group = metadata.gid();
        let is_member =
            || rustix::process::getgroups().is_ok_and(|groups| groups.iter().any(|its| its.as_raw() == group));
        metadata.uid() == self.user || rustix::process::getegid().as_raw() == group || is_member()
    }

    /// Its path.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The permissions of new files.
    pub fn file_mode(&self) -> u32 {
        if self.trusts_group { 0o660 } else { 0o600 }
    }

    /// The permissions of new directories.
    pub fn directory_mode(&self) -> u32 {
        if self.trusts_group { 0o770 } else { 0o700 }
    }

    /// The directory of all values of this format.
    pub fn values(&self) -> PathBuf {
        self.root.join(VERSION.to_string())
    }

    /// The directories of all values of older formats, which this one does not read.
    pub fn older(&self) -> Vec<PathBuf> {
        let names = files::list(&self.root).unwrap_or_default();
        let is_older = |name: &String| name.parse().is_ok_and(|version: u32| version < VERSION);
        names.iter().filter(|name| is_older(name)).map(|name| self.root.join(name)).collect()
    }

    /// The file of claims, of all identities.
    pub fn claims(&self) -> PathBuf {
        self.values().join("claims")
    }

    /// The file with the bound.
    pub fn bound(&self) -> PathBuf {
        self.values().join("bound")
    }

    /// The directory of an identity.
    pub fn identity(&self, fingerprint: &[u8; 32]) -> PathBuf {
        let name = hex(fingerprint);
        self.values().join(&name[..2]).join(name)
    }

    /// The directory of the values of an identity and role.
    pub fn space(&self, fingerprint: &[u8; 32], role: &str) -> PathBuf {
        self.identity(fingerprint).join(encode(role))
    }

    /// Removes a directory below this one. Others see it whole, or not at all.
    pub fn discard(&self, path: &Path) -> Outcome<()> {
        let doomed = self.values().join(format!("removed-{:016x}", random()));
        match files::rename(path, &doomed).map_err(Failure::of("rename", path)) {
            Ok(()) => files::remove_tree(&doomed).map_err(Failure::of("remove", &doomed)),
            Err(failure) if failure.is_absence() => Ok(()),
            failed => failed,
        }
    }
}

/// The user of this process.
fn user() -> u32 {
    rustix::process::geteuid().as_raw()
}

/// Whether a path, or the nearest directory above it that exists, is on a local file system.
fn is_local(path: &Path) -> bool {
    /// NFS, Lustre, GPFS, BeeGFS, Ceph, SMB (three), AFS, 9P, OrangeFS, OCFS2, GFS2; FUSE, which may be any.
    const SHARED: [u32; 14] = [
        0x6969,
        0x0BD0_0BD0,
        0x4750_4653,
        0x1983_0326,
        0x00C3_6400,
        0x517B,
        0xFF53_4D42,
        0xFE53_4D42,
        0x5346_414F,
        0x0102_1997,
        0x2003_0528,
        0x7461_636F,
        0x0116_1970,
        0x6573_5546,
    ];
    let system = path.ancestors().find_map(|path| rustix::fs::statfs(path).ok());
    #[allow(clippy::unnecessary_cast)] // its type differs between systems
    system.is_some_and(|system| !SHARED.contains(&(system.f_type as u32)))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// A role as the name of a directory: letters, digits, `-` and `_` as they are, other bytes as `%` and two digits. A
/// long one becomes a digest.
fn encode(role: &str) -> String {
    let name = role.bytes().fold(String::new(), |mut name, byte| {
        match byte.is_ascii_alphanumeric() || b"-_".contains(&byte) {
            true => name.push(byte.into()),
            false => name.push_str(&format!("%{byte:02x}")),
        }
        name
    });
    match name.len() {
        0..=200 => name,
        _ => format!("%%{}", hex(blake3::hash(role.as_bytes()).as_bytes())),
    }
}

/// The role that a directory's name stands for, if it is not a digest.
pub fn decode(name: &str) -> Option<String> {
    let mut bytes = Vec::new();
    let mut rest = name.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        rest = tail;
        bytes.push(match first {
            b'%' => {
                let (digits, tail) = rest.split_at_checked(2)?;
                rest = tail;
                u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?
            }
            byte => *byte,
        });
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_become_names_and_back() {
        for role in ["repertoires", "a/b", "..", ".", "%", "ä b", "A-Z_0"] {
            let name = encode(role);
            assert!(!name.contains(['/', '.']), "{name}");
            assert_eq!(decode(&name).as_deref(), Some(role));
        }
        let long = encode(&"x/".repeat(300));
        assert!(long.len() < 255);
        assert_eq!(decode(&long), None);
    }
}
