//! What keys are called at a server.
//!
//! In a namespace every key is text, so that people with `redis-cli` find their way:
//!
//! ```text
//! phicache/2:{fingerprint}:prefix:direction:mechanism:purviews   a standard MICE key
//! phicache/2:{fingerprint}:raw:bytes                             any other key of a MICE cache
//! phicache/2:{fingerprint}@role:bytes                            a key of a cache that is shared by identity and role
//! phicache/2:raw:bytes                                           a key of any other cache
//! phicache/2!lease:…                                             who computes the value of the key that is called like this
//! ```
//!
//! Behind the namespace stands the number of the format, of names and records: no version reads, counts or removes what
//! another one wrote. No namespace has a `/`. A cache whose values have no seals says `raw!plain`, `{fingerprint}!plain` or
//! `@role!plain` instead: nobody takes a value for a record, nor a record for a value.
//!
//! Texts and bytes are percent-encoded. Without a prefix there stands `-`, without candidate purviews `*`; a list of
//! candidates is written `(0,1)(2)`. Bytes that are more than 64 give way to `#` and a digest, if the record has room for
//! them (`seal.rs`). What stands in braces decides on which node of a cluster a key is: all of one system are together, and
//! each lease is beside its value. No two keys have one name, but for digests that are equal.

use super::seal;
use crate::error::{Error, Result};
use crate::iit::{Mice, NodeSet, Subsystem};
use crate::key::{Fingerprint, MiceKey, MiceQuestion};

/// The format of names and records. Version 0.1 had none.
const FORMAT: &str = "/2";

/// What marks values without seals. No part has a `!` of its own.
const PLAIN: &str = "!plain";

/// What stands before a digest. No other name has one.
const DIGEST: u8 = b'#';

/// Longer keys are named by their digest.
const LONGEST: usize = 64;

/// How the keys of a cache are called.
pub enum Names {
    /// As they are given, after this.
    Given(String),
    /// In a namespace.
    Spaced {
        /// The namespace, and the format.
        space: String,
        /// The part of it that is this cache's.
        part: String,
        /// What the part holds.
        kind: Kind,
        /// Whether the records have seals.
        sealed: bool,
    },
}

/// What a part of a namespace holds.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// What no system is known of. Such a cache counts and clears the whole namespace.
    Anything,
    /// The values of one role of a system.
    Role,
    /// The MICE of a system.
    Mice,
}

/// Many names, or records, one after the other.
#[derive(Default)]
pub struct Pieces {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Pieces {
    /// None yet, and room for so many bytes.
    pub fn with_room(bytes: usize) -> Self {
        Pieces { bytes: Vec::with_capacity(bytes), ends: Vec::new() }
    }

    /// One more: what `write` appends.
    pub fn push(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        write(&mut self.bytes);
        self.ends.push(self.bytes.len());
    }

    /// Each of them.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let starts = [0].into_iter().chain(self.ends.iter().copied());
        starts.zip(&self.ends).map(|(start, end)| &self.bytes[start..*end])
    }
}

impl Names {
    /// Of a cache of anything; without a namespace as they are given.
    pub fn anything(space: Option<String>, sealed: bool) -> Self {
        match space {
            None => Names::Given(String::new()),
            Some(space) => Self::spaced(space, "raw".into(), Kind::Anything, sealed),
        }
    }

    /// Of the values of `role` of a system.
    pub fn role(space: Option<String>, system: &Fingerprint, role: &str, sealed: bool) -> Self {
        let mut name = Vec::new();
        write_percent(role.as_bytes(), &mut name);
        let part = format!("{{{}}}@{}", hex(&system.0), String::from_utf8_lossy(&name));
        match space {
            None => Names::Given(part + ":"),
            Some(space) => Self::spaced(space, part, Kind::Role, sealed),
        }
    }

    /// Of the MICE of `subsystem`: in a namespace uncut; without one, of a cut its own.
    pub fn mice(space: Option<String>, subsystem: &Subsystem, sealed: bool) -> Self {
        match space {
            None => Names::Given(format!("subsys:{}:", hex(&subsystem.cut_fingerprint().0))),
            Some(space) => {
                let part = format!("{{{}}}", hex(&subsystem.fingerprint().0));
                Self::spaced(space, part, Kind::Mice, sealed)
            }
        }
    }

    fn spaced(space: String, mut part: String, kind: Kind, sealed: bool) -> Self {
        if !sealed {
            part += PLAIN;
        }
        Names::Spaced { space: space + FORMAT, part, kind, sealed }
    }

    /// Whether what stands under these names are records with seals.
    pub fn are_sealed(&self) -> bool {
        matches!(self, Names::Spaced { sealed: true, .. })
    }

    /// The key, where its record has to hold it because its name does not.
    pub fn left_out<'k>(&self, key: &'k [u8]) -> Option<&'k [u8]> {
        let Names::Spaced { kind, sealed: true, .. } = self else { return None };
        (key.len() > LONGEST && (*kind != Kind::Mice || MiceKey::read(key).is_none())).then_some(key)
    }

    /// Whether this is the name of a key whose record has to hold it.
    pub fn has_digest(name: &[u8]) -> bool {
        name.contains(&DIGEST)
    }

    /// Where the value of `key` is.
    pub fn value(&self, key: &[u8]) -> Vec<u8> {
        let mut name = Vec::with_capacity(NAME);
        self.write_value(key, &mut name);
        name
    }

    /// Where the values of many keys are.
    pub fn values_of<'k>(&self, keys: impl Iterator<Item = &'k [u8]>) -> Pieces {
        let mut names = Pieces::default();
        keys.for_each(|key| names.push(|name| self.write_value(key, name)));
        names
    }

    fn write_value(&self, key: &[u8], name: &mut Vec<u8>) {
        match self {
            Names::Given(head) => {
                name.extend_from_slice(head.as_bytes());
                name.extend_from_slice(key);
            }
            Names::Spaced { space, part, kind, sealed } => {
                name.extend_from_slice(space.as_bytes());
                name.push(b':');
                write_within(part, *kind, *sealed, key, name);
            }
        }
    }

    /// Where it says who computes the value of `key`; nowhere, where keys are as they are given.
    pub fn lease(&self, key: &[u8]) -> Option<Vec<u8>> {
        let Names::Spaced { space, part, kind, sealed } = self else { return None };
        let mut name = Vec::with_capacity(NAME);
        name.extend_from_slice(space.as_bytes());
        name.extend_from_slice(LEASE);
        match kind {
            Kind::Anything => {
                name.push(b'{');
                self.write_value(key, &mut name);
                name.push(b'}');
            }
            _ => write_within(part, *kind, *sealed, key, &mut name),
        }
        Some(name)
    }

    /// What the names of all values begin with; none where that is all the database holds.
    pub fn values(&self) -> Option<Vec<u8>> {
        self.all(b":")
    }

    /// What the names of all leases begin with; none where there are none.
    pub fn leases(&self) -> Option<Vec<u8>> {
        self.all(LEASE)
    }

    fn all(&self, after_space: &[u8]) -> Option<Vec<u8>> {
        let Names::Spaced { space, part, kind, .. } = self else { return None };
        let part = if *kind == Kind::Anything { String::new() } else { format!("{part}:") };
        Some([space.as_bytes(), after_space, part.as_bytes()].concat())
    }

    /// Whether a record can be the one of `key`, as far as the key tells: a standard one names direction, mechanism and
    /// perhaps candidate purviews. An empty purview says that none of the candidates is irreducible.
    #[inline]
    pub fn fits(key: &[u8], mice: &Mice) -> bool {
        let empty = mice.purview.0 == 0;
        MiceQuestion::read(key).is_none_or(|asked| {
            asked.direction == mice.direction as u8
                && asked.mechanism == mice.mechanism.0
                && asked
                    .purviews()
                    .is_none_or(|mut purviews| empty || purviews.any(|purview| purview == mice.purview.0))
        })
    }
}

/// Refuses a record that cannot be the one of `key`: it would be stored, and never be found by those who check.
pub fn check_mice(key: &[u8], mice: &Mice) -> Result<()> {
    mice.check()?;
    match Names::fits(key, mice) {
        true => Ok(()),
        false => Err(Error::invalid(format!(
            "the MICE (direction {}, mechanism {:#x}, purview {:#x}) contradicts its standard key, which asks for another",
            mice.direction as u8, mice.mechanism.0, mice.purview.0
        ))),
    }
}

/// What stands after the namespace where leases are. No namespace has a `!`.
const LEASE: &[u8] = b"!lease:";

/// Room for most names: namespace, fingerprint, and a key of 64 bytes.
const NAME: usize = 320;

/// Writes a key as it is called within its namespace.
fn write_within(part: &str, kind: Kind, sealed: bool, key: &[u8], name: &mut Vec<u8>) {
    name.extend_from_slice(part.as_bytes());
    name.push(b':');
    if kind == Kind::Mice {
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
    // Text stays as it is, as far as it goes.
    let (text, rest) = bytes.split_at(bytes.iter().take_while(|byte| PERCENT[usize::from(**byte)].1 == 1).count());
    name.extend_from_slice(text);
    let mut end = name.len();
    // What stands for a byte is copied whole and then cut, without a branch that nobody could predict.
    name.resize(end + rest.len() * 3, 0);
    for byte in rest {
        let (text, len) = PERCENT[usize::from(*byte)];
        name[end..end + 3].copy_from_slice(&text);
        end += len;
    }
    name.truncate(end);
}

/// What stands for each byte, and how much of it.
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
    use crate::iit::{Cut, Direction};
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

    fn all() -> [Names; 7] {
        let space = || Some("lab".into());
        let fingerprint = *system().fingerprint();
        [
            Names::anything(space(), true),
            Names::mice(space(), &system(), true),
            Names::role(space(), &fingerprint, "raw", true),
            Names::role(space(), &fingerprint, "a:b", true),
            Names::anything(Some("la".into()), true),
            Names::mice(space(), &system(), false),
            Names::role(space(), &fingerprint, "raw", false),
        ]
    }

    #[test]
    fn a_part_holds_nothing_of_another() {
        for (number, names) in all().iter().enumerate().skip(1) {
            for (other, others) in all().iter().enumerate().filter(|(other, _)| *other != number) {
                let within = |name: Vec<u8>| name.starts_with(&names.values().unwrap());
                assert!(!within(others.value(b"k")) && !within(others.value(b":x:")), "{number} {other}");
            }
        }
    }

    #[test]
    fn names_are_what_the_documentation_says() {
        let (names, system) = (Names::mice(Some("lab".into()), &system(), true), hex(&system().fingerprint().0));
        let key = standard(None, 0, 0b101, None);
        assert_eq!(shown(names.value(&key)), format!("lab/2:{{{system}}}:-:cause:0,2:*"));
        assert_eq!(shown(names.lease(&key).unwrap()), format!("lab/2!lease:{{{system}}}:-:cause:0,2:*"));
        let key = standard(Some("a:b"), 1, 1, Some(&[0b11, 0b100]));
        assert_eq!(shown(names.value(&key)), format!("lab/2:{{{system}}}:a%3Ab:effect:0:(0,1)(2)"));
        assert_eq!(shown(names.value(b"{k}\0")), format!("lab/2:{{{system}}}:raw:%7Bk%7D%00"));
        let names = Names::role(Some("lab".into()), super::tests::system().fingerprint(), "distances", true);
        assert_eq!(shown(names.value(b"a key")), format!("lab/2:{{{system}}}@distances:a%20key"));
        assert_eq!(shown(names.lease(b"a key").unwrap()), format!("lab/2!lease:{{{system}}}@distances:a%20key"));
        let names = Names::anything(Some("lab".into()), true);
        assert_eq!(shown(names.value(b"a key")), "lab/2:raw:a%20key");
        assert_eq!(shown(names.lease(b"a key").unwrap()), "lab/2!lease:{lab/2:raw:a%20key}");
        assert_eq!(shown(names.value(&standard(None, 0, 1, None)))[..12].to_owned(), "lab/2:raw:%A");
        assert_eq!(
            (Names::anything(None, true).value(b"k\0"), Names::anything(None, true).lease(b"k")),
            (b"k\0".to_vec(), None)
        );
    }

    #[test]
    fn a_long_key_has_a_short_name_where_its_record_can_hold_it() {
        let (short, long) = ([b'k'; 64], [b'k'; 65]);
        let space = || Some("lab".to_owned());
        let sealed = Names::anything(space(), true);
        assert_eq!(shown(sealed.value(&short)), format!("lab/2:raw:{}", "k".repeat(64)));
        assert_eq!(shown(sealed.value(&long)), format!("lab/2:raw:#{}", hex(&seal::digest(&long)).to_uppercase()));
        assert_eq!((sealed.left_out(&short), sealed.left_out(&long)), (None, Some(&long[..])));
        assert!(Names::has_digest(&sealed.value(&long)) && !Names::has_digest(&sealed.value(&short)));
        assert_eq!(sealed.value(&[0xFF; 1024]).len(), sealed.value(&long).len());
        assert_eq!(shown(sealed.lease(&long).unwrap()), format!("lab/2!lease:{{{}}}", shown(sealed.value(&long))));
        // Text stays text, however long.
        let mice = Names::mice(space(), &system(), true);
        let standard = standard(None, 0, 1, Some(&[7; 20]));
        assert!(standard.len() > LONGEST);
        assert_eq!(mice.left_out(&standard), None);
        assert!(!Names::has_digest(&mice.value(&standard)) && Names::has_digest(&mice.value(&long)));
        // Values as they are have no room for a key.
        let plain = Names::anything(space(), false);
        assert_eq!(shown(plain.value(&long)), format!("lab/2:raw!plain:{}", "k".repeat(65)));
        assert_eq!((plain.left_out(&long), Names::anything(None, true).left_out(&long)), (None, None));
    }

    #[test]
    fn no_version_sees_the_names_of_another() {
        let before = ["lab:", "lab!lease:", "lab:{07}:", "lab!lease:{07}:"];
        for names in all() {
            for prefix in [names.values().unwrap(), names.leases().unwrap()] {
                assert!(before.iter().all(|before| !prefix.starts_with(before.as_bytes())), "{}", shown(prefix));
                assert!(before.iter().all(|before| !before.as_bytes().starts_with(&prefix)));
            }
        }
    }

    #[test]
    fn every_name_begins_as_all_values_and_all_leases_do() {
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
    fn a_cut_has_names_of_its_own_in_pyphi_mode_alone() {
        let cut = |to| system().under(Some(Cut::bipartition(3, NodeSet(1), NodeSet(to)).unwrap())).unwrap();
        let given = |subsystem: &Subsystem| Names::mice(None, subsystem, true).value(b"k");
        assert_ne!(given(&system()), given(&cut(6)));
        assert_ne!(given(&cut(2)), given(&cut(6)));
        assert_eq!(given(&cut(6)), given(&cut(6)));
        let spaced = |subsystem: &Subsystem| Names::mice(Some("lab".into()), subsystem, true).value(b"k");
        assert_eq!(spaced(&system()), spaced(&cut(6)));
    }

    #[test]
    fn a_record_of_another_question_does_not_fit() {
        let mice =
            Mice { direction: Direction::Cause, mechanism: NodeSet(1), purview: NodeSet(6), phi: 0.5, payload: b"" };
        for (key, fits) in [
            (standard(None, 0, 1, None), true),
            (standard(None, 0, 1, Some(&[1, 6])), true),
            (standard(None, 0, 1, Some(&[1])), false),
            (standard(None, 1, 1, None), false),
            (standard(None, 0, 2, None), false),
            (b"raw".to_vec(), true),
        ] {
            assert_eq!(Names::fits(&key, &mice), fits);
        }
    }
}
