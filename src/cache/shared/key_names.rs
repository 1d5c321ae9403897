//! The names of keys at a server.
//!
//! In a namespace every name is text, so that people can read it in `redis-cli`:
//!
//! ```text
//! phicache/2:{fingerprint}:prefix:direction:mechanism:purviews   a standard MICE key
//! phicache/2:{fingerprint}:raw:bytes                             any other key of a MICE cache
//! phicache/2:{fingerprint}@role:bytes                            a key of a cache that is shared by identity and role
//! phicache/2:raw:bytes                                           a key of any other cache
//! phicache/2!lease:…                                             the lease of the key with this name
//! ```
//!
//! The number after the namespace is the version of names and records: no version reads, counts or removes keys of
//! another one. No namespace contains a `/`. Without seals, the names have `raw!plain`, `{fingerprint}!plain` or
//! `@role!plain` instead, so that sealed and plain values are never confused.
//!
//! Texts and bytes are percent-encoded. An absent prefix is `-`, absent candidate purviews are `*`, and a list of
//! candidates is `(0,1)(2)`. More than 64 bytes are replaced by `#` and a digest, if the record contains the key
//! (`seal.rs`). The braces are a cluster's hash tag: all keys of one system are on one node, and each lease is on the
//! node of its value. Two keys have the same name only if their digests are equal.

use super::seal;
use crate::error::{Error, Result};
use crate::iit::{NodeSet, Subsystem};
use crate::key::{Fingerprint, MiceKey};

/// The version of names and records.
const FORMAT: &str = "/2";

/// Marks values without seals. No part has another `!`.
const PLAIN: &str = "!plain";

/// The byte before a digest. Names without a digest do not contain it.
const DIGEST: u8 = b'#';

/// Longer keys are named by their digest.
const LONGEST: usize = 64;

/// How the keys of a cache are named.
pub enum KeyNaming {
    /// The key itself, behind this prefix.
    Verbatim(String),
    /// Text in a namespace.
    Namespaced {
        /// The namespace, and the version.
        space: String,
        /// The part of the namespace that belongs to this cache.
        part: String,
        /// The content of the part.
        content: PartContent,
        /// Whether the records have seals.
        sealed: bool,
    },
}

/// The content of a part of a namespace.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum PartContent {
    /// Any values. Such a cache counts and clears the whole namespace.
    Anything,
    /// The values of one role of a system.
    Role,
    /// The MICE of a system.
    Mice,
}

/// Many names or records, in one buffer.
#[derive(Default)]
pub struct Pieces {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Pieces {
    /// No pieces, with room for `bytes` bytes.
    pub fn with_room(bytes: usize) -> Result<Self> {
        let mut pieces = Pieces::default();
        pieces.bytes.try_reserve_exact(bytes).map_err(|_| Error::OutOfMemory(bytes))?;
        Ok(pieces)
    }

    /// Adds a piece: the bytes that `write` appends.
    pub fn push(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        write(&mut self.bytes);
        self.ends.push(self.bytes.len());
    }

    /// The pieces.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let starts = [0].into_iter().chain(self.ends.iter().copied());
        starts.zip(&self.ends).map(|(start, end)| &self.bytes[start..*end])
    }
}

impl KeyNaming {
    /// The naming of a cache of any values; verbatim without a namespace.
    pub fn anything(space: Option<String>, sealed: bool) -> Self {
        match space {
            None => KeyNaming::Verbatim(String::new()),
            Some(space) => Self::spaced(space, "raw".into(), PartContent::Anything, sealed),
        }
    }

    /// The naming of the values of `role` of a system.
    pub fn role(space: Option<String>, system: &Fingerprint, role: &str, sealed: bool) -> Self {
        let mut name = Vec::new();
        write_percent(role.as_bytes(), &mut name);
        let part = format!("{{{}}}@{}", hex(&system.0), String::from_utf8_lossy(&name));
        match space {
            None => KeyNaming::Verbatim(part + ":"),
            Some(space) => Self::spaced(space, part, PartContent::Role, sealed),
        }
    }

    /// The naming of the MICE of `subsystem`. In a namespace a cut subsystem has the names of the uncut one; verbatim,
    /// its own.
    pub fn mice(space: Option<String>, subsystem: &Subsystem, sealed: bool) -> Self {
        match space {
            None => KeyNaming::Verbatim(format!("subsys:{}:", hex(&subsystem.cut_fingerprint().0))),
            Some(space) => {
                let part = format!("{{{}}}", hex(&subsystem.fingerprint().0));
                Self::spaced(space, part, PartContent::Mice, sealed)
            }
        }
    }

    fn spaced(space: String, mut part: String, content: PartContent, sealed: bool) -> Self {
        if !sealed {
            part += PLAIN;
        }
        KeyNaming::Namespaced { space: space + FORMAT, part, content, sealed }
    }

    /// Whether the records under these names have seals.
    pub fn seals(&self) -> bool {
        matches!(self, KeyNaming::Namespaced { sealed: true, .. })
    }

    /// The key, if its record contains it because its name has only a digest.
    pub fn key_in_record<'k>(&self, key: &'k [u8]) -> Option<&'k [u8]> {
        let KeyNaming::Namespaced { content, sealed: true, .. } = self else { return None };
        (key.len() > LONGEST && (*content != PartContent::Mice || MiceKey::read(key).is_none())).then_some(key)
    }

    /// Whether the record under this name contains the key.
    pub fn has_digest(name: &[u8]) -> bool {
        name.contains(&DIGEST)
    }

    /// The name of the value of `key`.
    pub fn value(&self, key: &[u8]) -> Vec<u8> {
        let mut name = Vec::with_capacity(NAME);
        self.write_value(key, &mut name);
        name
    }

    /// The names of the values of many keys.
    pub fn values_of<'k>(&self, keys: impl Iterator<Item = &'k [u8]>) -> Pieces {
        let mut names = Pieces::default();
        keys.for_each(|key| names.push(|name| self.write_value(key, name)));
        names
    }

    fn write_value(&self, key: &[u8], name: &mut Vec<u8>) {
        match self {
            KeyNaming::Verbatim(head) => {
                name.extend_from_slice(head.as_bytes());
                name.extend_from_slice(key);
            }
            KeyNaming::Namespaced { space, part, content, sealed } => {
                name.extend_from_slice(space.as_bytes());
                name.push(b':');
                write_within(part, *content, *sealed, key, name);
            }
        }
    }

    /// The name of the lease of `key`; verbatim naming has no leases.
    pub fn lease(&self, key: &[u8]) -> Option<Vec<u8>> {
        let KeyNaming::Namespaced { space, part, content, sealed } = self else { return None };
        let mut name = Vec::with_capacity(NAME);
        name.extend_from_slice(space.as_bytes());
        name.extend_from_slice(LEASE);
        match content {
            PartContent::Anything => {
                name.push(b'{');
                self.write_value(key, &mut name);
                name.push(b'}');
            }
            _ => write_within(part, *content, *sealed, key, &mut name),
        }
        Some(name)
    }

    /// The prefix of the names of all values; `None` if the cache owns the whole database.
    pub fn values(&self) -> Option<Vec<u8>> {
        self.all(b":")
    }

    /// The prefix of the names of all leases; `None` without leases.
    pub fn leases(&self) -> Option<Vec<u8>> {
        self.all(LEASE)
    }

    fn all(&self, after_space: &[u8]) -> Option<Vec<u8>> {
        let KeyNaming::Namespaced { space, part, content, .. } = self else { return None };
        let part = if *content == PartContent::Anything { String::new() } else { format!("{part}:") };
        Some([space.as_bytes(), after_space, part.as_bytes()].concat())
    }
}

/// Follows the namespace in the names of leases. No namespace has a `!`.
const LEASE: &[u8] = b"!lease:";

/// Room for most names: namespace, fingerprint, and a key of 64 bytes.
const NAME: usize = 320;

/// Writes the name of a key within its namespace.
fn write_within(part: &str, content: PartContent, sealed: bool, key: &[u8], name: &mut Vec<u8>) {
    name.extend_from_slice(part.as_bytes());
    name.push(b':');
    if content == PartContent::Mice {
        if let Some(key) = MiceKey::read(key) {
            return write_mice(&key, name);
        }
        name.extend_from_slice(b"raw:");
    }
    if sealed && key.len() > LONGEST {
        name.push(DIGEST);
        name.extend(seal::digest(key).iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]));
    } else {
        write_percent(key, name);
    }
}

/// Writes a standard MICE key.
fn write_mice(key: &MiceKey, name: &mut Vec<u8>) {
    match key.prefix {
        None => name.push(b'-'),
        Some("-") => name.extend_from_slice(b"%2D"),
        Some(prefix) => write_percent(prefix.as_bytes(), name),
    }
    name.extend_from_slice(match key.direction {
        0 => b":cause:",
        1 => b":effect:",
        _ => b":bidirectional:",
    });
    write_nodes(key.mechanism, name);
    name.push(b':');
    match &key.purviews {
        None => name.push(b'*'),
        Some(purviews) => purviews.iter().for_each(|purview| {
            name.push(b'(');
            write_nodes(*purview, name);
            name.push(b')');
        }),
    }
}

/// Writes the indices of a node set.
fn write_nodes(nodes: u64, name: &mut Vec<u8>) {
    for (number, node) in NodeSet(nodes).indices().enumerate() {
        if number > 0 {
            name.push(b',');
        }
        if node >= 10 {
            name.push(b'0' + (node / 10) as u8);
        }
        name.push(b'0' + (node % 10) as u8);
    }
}

/// Writes letters, digits and `_ . -` as they are, every other byte as `%` and two digits.
fn write_percent(bytes: &[u8], name: &mut Vec<u8>) {
    // A prefix of plain text is copied.
    let (text, rest) = bytes.split_at(bytes.iter().take_while(|byte| PERCENT[usize::from(**byte)].1 == 1).count());
    name.extend_from_slice(text);
    let mut end = name.len();
    // Every byte's three are written, and the length advances by one or three: no branch that cannot be predicted.
    name.resize(end + rest.len() * 3, 0);
    for byte in rest {
        let (text, len) = PERCENT[usize::from(*byte)];
        name[end..end + 3].copy_from_slice(&text);
        end += len;
    }
    name.truncate(end);
}

/// The encoding of each byte, and its length.
static PERCENT: [([u8; 3], usize); 256] = {
    let mut texts = [([0; 3], 0); 256];
    let mut byte = 0;
    while byte < texts.len() {
        texts[byte] = match byte as u8 {
            plain @ (b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' | b'.' | b'-') => ([plain, 0, 0], 1),
            other => ([b'%', digit(other >> 4), digit(other & 15)], 3),
        };
        byte += 1;
    }
    texts
};

const fn digit(value: u8) -> u8 {
    b"0123456789ABCDEF"[value as usize & 15]
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;
    use crate::iit::Cut;
    use crate::key::mice;

    fn system() -> Subsystem {
        Subsystem::new(&Fingerprint([7; 32]), &[1, 0, 0], NodeSet(7), None, None).unwrap()
    }

    fn standard(prefix: Option<&str>, direction: u8, mechanism: u64, purviews: Option<&[u64]>) -> Vec<u8> {
        let mut buffer = [0; 256];
        let len = mice(&mut buffer, prefix, direction, mechanism, purviews).unwrap();
        buffer[..len].to_vec()
    }

    fn shown(name: Vec<u8>) -> String {
        String::from_utf8(name).unwrap()
    }

    fn all() -> [KeyNaming; 7] {
        let space = || Some("lab".into());
        let fingerprint = *system().fingerprint();
        [
            KeyNaming::anything(space(), true),
            KeyNaming::mice(space(), &system(), true),
            KeyNaming::role(space(), &fingerprint, "raw", true),
            KeyNaming::role(space(), &fingerprint, "a:b", true),
            KeyNaming::anything(Some("la".into()), true),
            KeyNaming::mice(space(), &system(), false),
            KeyNaming::role(space(), &fingerprint, "raw", false),
        ]
    }

    #[test]
    fn no_part_of_a_namespace_contains_another() {
        for (number, names) in all().iter().enumerate().skip(1) {
            for (other, others) in all().iter().enumerate().filter(|(other, _)| *other != number) {
                let within = |name: Vec<u8>| name.starts_with(&names.values().unwrap());
                assert!(!within(others.value(b"k")) && !within(others.value(b":x:")), "{number} {other}");
            }
        }
    }

    #[test]
    fn names_are_those_of_the_documentation() {
        let (names, system) = (KeyNaming::mice(Some("lab".into()), &system(), true), hex(&system().fingerprint().0));
        let key = standard(None, 0, 0b101, None);
        assert_eq!(shown(names.value(&key)), format!("lab/2:{{{system}}}:-:cause:0,2:*"));
        assert_eq!(shown(names.lease(&key).unwrap()), format!("lab/2!lease:{{{system}}}:-:cause:0,2:*"));
        let key = standard(Some("a:b"), 1, 1, Some(&[0b11, 0b100]));
        assert_eq!(shown(names.value(&key)), format!("lab/2:{{{system}}}:a%3Ab:effect:0:(0,1)(2)"));
        assert_eq!(shown(names.value(b"{k}\0")), format!("lab/2:{{{system}}}:raw:%7Bk%7D%00"));
        let names = KeyNaming::role(Some("lab".into()), super::tests::system().fingerprint(), "distances", true);
        assert_eq!(shown(names.value(b"a key")), format!("lab/2:{{{system}}}@distances:a%20key"));
        assert_eq!(shown(names.lease(b"a key").unwrap()), format!("lab/2!lease:{{{system}}}@distances:a%20key"));
        let names = KeyNaming::anything(Some("lab".into()), true);
        assert_eq!(shown(names.value(b"a key")), "lab/2:raw:a%20key");
        assert_eq!(shown(names.lease(b"a key").unwrap()), "lab/2!lease:{lab/2:raw:a%20key}");
        assert_eq!(shown(names.value(&standard(None, 0, 1, None)))[..12].to_owned(), "lab/2:raw:%A");
        assert_eq!(
            (KeyNaming::anything(None, true).value(b"k\0"), KeyNaming::anything(None, true).lease(b"k")),
            (b"k\0".to_vec(), None)
        );
    }

    #[test]
    fn a_long_key_has_a_short_name_if_its_record_contains_it() {
        let (short, long) = ([b'k'; 64], [b'k'; 65]);
        let space = || Some("lab".to_owned());
        let sealed = KeyNaming::anything(space(), true);
        assert_eq!(shown(sealed.value(&short)), format!("lab/2:raw:{}", "k".repeat(64)));
        assert_eq!(shown(sealed.value(&long)), format!("lab/2:raw:#{}", hex(&seal::digest(&long)).to_uppercase()));
        assert_eq!((sealed.key_in_record(&short), sealed.key_in_record(&long)), (None, Some(&long[..])));
        assert!(KeyNaming::has_digest(&sealed.value(&long)) && !KeyNaming::has_digest(&sealed.value(&short)));
        assert_eq!(sealed.value(&[0xFF; 1024]).len(), sealed.value(&long).len());
        assert_eq!(shown(sealed.lease(&long).unwrap()), format!("lab/2!lease:{{{}}}", shown(sealed.value(&long))));
        // A long text key stays text.
        let mice = KeyNaming::mice(space(), &system(), true);
        let standard = standard(None, 0, 1, Some(&[7; 20]));
        assert!(standard.len() > LONGEST);
        assert_eq!(mice.key_in_record(&standard), None);
        assert!(!KeyNaming::has_digest(&mice.value(&standard)) && KeyNaming::has_digest(&mice.value(&long)));
        // Plain values cannot contain their keys.
        let plain = KeyNaming::anything(space(), false);
        assert_eq!(shown(plain.value(&long)), format!("lab/2:raw!plain:{}", "k".repeat(65)));
        assert_eq!((plain.key_in_record(&long), KeyNaming::anything(None, true).key_in_record(&long)), (None, None));
    }

    #[test]
    fn no_version_matches_the_names_of_another() {
        let before = ["lab:", "lab!lease:", "lab:{07}:", "lab!lease:{07}:"];
        for names in all() {
            for prefix in [names.values().unwrap(), names.leases().unwrap()] {
                assert!(before.iter().all(|before| !prefix.starts_with(before.as_bytes())), "{}", shown(prefix));
                assert!(before.iter().all(|before| !before.as_bytes().starts_with(&prefix)));
            }
        }
    }

    #[test]
    fn every_name_begins_with_the_prefix_of_values_or_of_leases() {
        for names in all() {
            for key in [&b"k"[..], b"", &standard(None, 0, 1, None)] {
                assert!(names.value(key).starts_with(&names.values().unwrap()));
                assert!(names.lease(key).unwrap().starts_with(&names.leases().unwrap()));
                assert!(!names.lease(key).unwrap().starts_with(&names.values().unwrap()));
            }
        }
    }

    #[test]
    fn no_two_keys_share_a_name() {
        let mut keys: Vec<Vec<u8>> = vec![b"".to_vec(), b"raw:".to_vec(), b"-:cause:0:*".to_vec(), b"\xA1".to_vec()];
        for prefix in [None, Some(""), Some("-"), Some("%2D"), Some("raw"), Some("a:cause")] {
            for (direction, mechanism) in [(0, 0), (0, 1), (1, 1), (2, 5)] {
                for purviews in [None, Some(&[][..]), Some(&[0][..]), Some(&[0, 0][..]), Some(&[1, 2]), Some(&[3])] {
                    keys.push(standard(prefix, direction, mechanism, purviews));
                }
            }
        }
        let mut seen = HashMap::new();
        for (number, names) in all().into_iter().enumerate() {
            for key in &keys {
                assert_eq!(seen.insert(names.value(key), (number, key)), None);
            }
        }
    }

    #[test]
    fn a_cut_has_names_of_its_own_only_in_the_whole_database_mode() {
        let cut = |to| system().under(Some(Cut::bipartition(3, NodeSet(1), NodeSet(to)).unwrap())).unwrap();
        let given = |subsystem: &Subsystem| KeyNaming::mice(None, subsystem, true).value(b"k");
        assert_ne!(given(&system()), given(&cut(6)));
        assert_ne!(given(&cut(2)), given(&cut(6)));
        assert_eq!(given(&cut(6)), given(&cut(6)));
        let spaced = |subsystem: &Subsystem| KeyNaming::mice(Some("lab".into()), subsystem, true).value(b"k");
        assert_eq!(spaced(&system()), spaced(&cut(6)));
    }
}
