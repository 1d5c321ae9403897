//! What keys are called at a server.
//!
//! In a namespace every key is text, so that people with `redis-cli` find their way:
//!
//! ```text
//! phicache:{fingerprint}:prefix:direction:mechanism:purviews     a standard MICE key
//! phicache:{fingerprint}:raw:bytes                               any other key of a MICE cache
//! phicache:{fingerprint}@role:bytes                              a key of a cache that is shared by identity and role
//! phicache:raw:bytes                                             a key of any other cache
//! phicache!lease:…                                               who computes the value of the key that is called like this
//! ```
//!
//! Texts and bytes are percent-encoded. Without a prefix there stands `-`, without candidate purviews `*`; a list of
//! candidates is written `(0,1)(2)`. What stands in braces decides on which node of a cluster a key is: all of one system
//! are together, and each lease is beside its value. No two keys have one name.

use crate::error::{Error, Result};
use crate::iit::{Mice, NodeSet, Subsystem};
use crate::key::{Fingerprint, MiceKey, MiceQuestion};

/// How the keys of a cache are called.
pub enum Names {
    /// As they are given, after this.
    Given(String),
    /// In a namespace.
    Spaced {
        /// The namespace.
        space: String,
        /// The part of it that is this cache's.
        part: String,
        /// What the part holds.
        kind: Kind,
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

/// Names of many keys, one after the other.
#[derive(Default)]
pub struct ManyNames {
    text: Vec<u8>,
    ends: Vec<usize>,
}

impl ManyNames {
    /// Each of them.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let starts = [0].into_iter().chain(self.ends.iter().copied());
        starts.zip(&self.ends).map(|(start, end)| &self.text[start..*end])
    }
}

impl Names {
    /// Of a cache of anything; without a namespace as they are given.
    pub fn anything(space: Option<String>) -> Self {
        match space {
            None => Names::Given(String::new()),
            Some(space) => Names::Spaced { space, part: "raw".into(), kind: Kind::Anything },
        }
    }

    /// Of the values of `role` of a system.
    pub fn role(space: Option<String>, system: &Fingerprint, role: &str) -> Self {
        let mut name = Vec::new();
        write_percent(role.as_bytes(), &mut name);
        let part = format!("{{{}}}@{}", hex(&system.0), String::from_utf8_lossy(&name));
        match space {
            None => Names::Given(part + ":"),
            Some(space) => Names::Spaced { space, part, kind: Kind::Role },
        }
    }

    /// Of the MICE of `subsystem`: in a namespace uncut; without one, of a cut its own.
    pub fn mice(space: Option<String>, subsystem: &Subsystem) -> Self {
        match space {
            None => Names::Given(format!("subsys:{}:", hex(&subsystem.cut_fingerprint().0))),
            Some(space) => {
                let part = format!("{{{}}}", hex(&subsystem.fingerprint().0));
                Names::Spaced { space, part, kind: Kind::Mice }
            }
        }
    }

    /// Where the value of `key` is.
    pub fn value(&self, key: &[u8]) -> Vec<u8> {
        let mut name = Vec::with_capacity(128 + key.len());
        self.write_value(key, &mut name);
        name
    }

    /// Where the values of many keys are.
    pub fn values_of<'k>(&self, keys: impl Iterator<Item = &'k [u8]>) -> ManyNames {
        let mut names = ManyNames::default();
        for key in keys {
            self.write_value(key, &mut names.text);
            names.ends.push(names.text.len());
        }
        names
    }

    fn write_value(&self, key: &[u8], name: &mut Vec<u8>) {
        match self {
            Names::Given(head) => {
                name.extend_from_slice(head.as_bytes());
                name.extend_from_slice(key);
            }
            Names::Spaced { space, part, kind } => {
                name.extend_from_slice(space.as_bytes());
                name.push(b':');
                write_within(part, *kind, key, name);
            }
        }
    }

    /// Where it says who computes the value of `key`; nowhere, where keys are as they are given.
    pub fn lease(&self, key: &[u8]) -> Option<Vec<u8>> {
        let Names::Spaced { space, part, kind } = self else { return None };
        let mut name = Vec::with_capacity(128 + key.len());
        name.extend_from_slice(space.as_bytes());
        name.extend_from_slice(LEASE);
        match kind {
            Kind::Anything => {
                name.push(b'{');
                self.write_value(key, &mut name);
                name.push(b'}');
            }
            _ => write_within(part, *kind, key, &mut name),
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
        let Names::Spaced { space, part, kind } = self else { return None };
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

/// Writes a key as it is called within its namespace.
fn write_within(part: &str, kind: Kind, key: &[u8], name: &mut Vec<u8>) {
    name.extend_from_slice(part.as_bytes());
    name.push(b':');
    if kind == Kind::Mice {
        if let Some(key) = MiceKey::read(key) {
            return write_mice(&key, name);
        }
        name.extend_from_slice(b"raw:");
    }
    write_percent(key, name);
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

    fn all() -> [Names; 5] {
        let space = || Some("lab".into());
        let fingerprint = *system().fingerprint();
        [
            Names::anything(space()),
            Names::mice(space(), &system()),
            Names::role(space(), &fingerprint, "raw"),
            Names::role(space(), &fingerprint, "a:b"),
            Names::anything(Some("la".into())),
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
        let (names, system) = (Names::mice(Some("lab".into()), &system()), hex(&system().fingerprint().0));
        let key = standard(None, 0, 0b101, None);
        assert_eq!(shown(names.value(&key)), format!("lab:{{{system}}}:-:cause:0,2:*"));
        assert_eq!(shown(names.lease(&key).unwrap()), format!("lab!lease:{{{system}}}:-:cause:0,2:*"));
        let key = standard(Some("a:b"), 1, 1, Some(&[0b11, 0b100]));
        assert_eq!(shown(names.value(&key)), format!("lab:{{{system}}}:a%3Ab:effect:0:(0,1)(2)"));
        assert_eq!(shown(names.value(b"{k}\0")), format!("lab:{{{system}}}:raw:%7Bk%7D%00"));
        let names = Names::role(Some("lab".into()), super::tests::system().fingerprint(), "distances");
        assert_eq!(shown(names.value(b"a key")), format!("lab:{{{system}}}@distances:a%20key"));
        assert_eq!(shown(names.lease(b"a key").unwrap()), format!("lab!lease:{{{system}}}@distances:a%20key"));
        let names = Names::anything(Some("lab".into()));
        assert_eq!(shown(names.value(b"a key")), "lab:raw:a%20key");
        assert_eq!(shown(names.lease(b"a key").unwrap()), "lab!lease:{lab:raw:a%20key}");
        assert_eq!(shown(names.value(&standard(None, 0, 1, None)))[..10].to_owned(), "lab:raw:%A");
        assert_eq!((Names::anything(None).value(b"k\0"), Names::anything(None).lease(b"k")), (b"k\0".to_vec(), None));
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
        let given = |subsystem: &Subsystem| Names::mice(None, subsystem).value(b"k");
        assert_ne!(given(&system()), given(&cut(6)));
        assert_ne!(given(&cut(2)), given(&cut(6)));
        assert_eq!(given(&cut(6)), given(&cut(6)));
        let spaced = |subsystem: &Subsystem| Names::mice(Some("lab".into()), subsystem).value(b"k");
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
