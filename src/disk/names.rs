//! The names of files: which segment is newer, and who writes it.
//!
//! `ORDER-BOOT-PROCESS-RANDOM-HOST.STATE`, all numbers hexadecimal. ORDER, 16 digits, is the segment's age. BOOT, 8
//! digits, identifies the running kernel of the host: processes under one kernel see each other's locks.

use std::cmp::Ordering;
use std::hash::{BuildHasher, RandomState};
use std::path::Path;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{SystemTime, UNIX_EPOCH};

use super::open_files::with_descriptor;

/// The state of a segment's file, as its name says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Not yet visible to others.
    New,
    /// Its owner may append to it.
    Live,
    /// It does not change any more.
    Sealed,
}

impl State {
    const ALL: [(State, &str); 3] = [(State::New, "new"), (State::Live, "live"), (State::Sealed, "seg")];
}

/// The greatest order of a segment.
const GREATEST_ORDER: u64 = 1 << 62;

/// The name of a segment, without its state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Name {
    /// Its age: records of a segment replace those of segments with lower numbers.
    pub order: u64,
    text: String,
    /// Where the parts of the text end.
    boot_end: usize,
}

/// Older segments are less. Two that began at once have an order by the rest of their names.
impl Ord for Name {
    fn cmp(&self, other: &Self) -> Ordering {
        self.text.cmp(&other.text)
    }
}

impl PartialOrd for Name {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Name {
    /// A new name of this process.
    pub fn new(order: u64) -> Self {
        let (host, boot) = (host(), boot());
        let order = order.min(GREATEST_ORDER);
        let text = format!("{order:016x}-{boot:08x}-{:x}-{:016x}-{host}", std::process::id(), random());
        Name::parse(&text).expect("a name that it makes")
    }

    /// The name and the state of a file; `None` if it is not that of a segment.
    pub fn of_file(file: &str) -> Option<(Self, State)> {
        let (text, suffix) = file.rsplit_once('.')?;
        let (state, _) = State::ALL.into_iter().find(|(_, its)| *its == suffix)?;
        Some((Name::parse(text)?, state))
    }

    /// From its text, as `values/` has it.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.splitn(5, '-');
        let order = parts.next().filter(|order| order.len() == 16)?;
        parts.next().filter(|boot| boot.len() == 8)?;
        parts.nth(2)?;
        let plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte));
        let (digits, order) = (order, u64::from_str_radix(order, 16).ok()?);
        // Names are compared as text. Greater orders are not reached, and would leave no room after them.
        let sorted = digits == format!("{order:016x}") && order <= GREATEST_ORDER;
        (plain && sorted).then(|| Name { order, text: text.to_owned(), boot_end: 16 + 1 + 8 })
    }

    /// The name of the file in a state.
    pub fn file(&self, state: State) -> String {
        let (_, suffix) = State::ALL.into_iter().find(|(its, _)| *its == state).expect("all states have one");
        format!("{}.{suffix}", self.text)
    }

    /// The text without a state.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether its owner runs, or ran, under the kernel of this process, so that a lock shows whether it is alive.
    pub fn shows_locks(&self) -> bool {
        let boot = boot();
        boot != 0 && self.text[17..self.boot_end] == format!("{boot:08x}")
    }
}

/// The name of this host, as names of files have it.
fn host() -> &'static str {
    static HOST: OnceLock<String> = OnceLock::new();
    let plain = |byte: char| if byte.is_ascii_alphanumeric() { byte } else { '_' };
    kept(&HOST, || Some(kernels("hostname")?.trim().chars().take(32).map(plain).collect()))
        .map_or("host", String::as_str)
}

/// The running kernel of this host; 0 if that is not known.
pub fn boot() -> u32 {
    static BOOT: OnceLock<u32> = OnceLock::new();
    let boot = kept(&BOOT, || u32::from_str_radix(kernels("random/boot_id")?.get(..8)?, 16).ok());
    boot.copied().unwrap_or(0)
}

/// What `find` returns, and has returned before. What cannot be found now, perhaps for want of a descriptor, may be
/// found later.
fn kept<T>(kept: &OnceLock<T>, find: impl FnOnce() -> Option<T>) -> Option<&T> {
    match kept.get() {
        None => find().map(|found| kept.get_or_init(|| found)),
        found => found,
    }
}

/// What the kernel says of itself under a name.
fn kernels(name: &str) -> Option<String> {
    let path = Path::new("/proc/sys/kernel").join(name);
    let text = with_descriptor(|| std::fs::read_to_string(&path)).ok()?;
    (!text.trim().is_empty()).then_some(text)
}

/// A random number; a forked child has other ones than its parent.
pub fn random() -> u64 {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let time = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
    // The hasher's keys are the system's random numbers.
    RandomState::new().hash_one((std::process::id(), NUMBER.fetch_add(1, Relaxed), time))
}

/// Two random numbers, as bytes.
pub fn random_id() -> [u8; 16] {
    (u128::from(random()) << 64 | u128::from(random())).to_le_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_sorted_by_age() {
        let names: Vec<Name> = (0..1000).map(|number| Name::new(number / 2)).collect();
        for pair in names.windows(2) {
            assert!(pair[0] != pair[1] && pair[0].order <= pair[1].order);
            assert!(pair[0].order == pair[1].order || pair[0] < pair[1]);
        }
        for state in [State::New, State::Live, State::Sealed] {
            assert_eq!(Name::of_file(&names[7].file(state)), Some((names[7].clone(), state)));
        }
        assert_eq!(names[7].shows_locks(), boot() != 0);
    }

    #[test]
    fn what_could_not_be_found_is_looked_for_again() {
        let cell = OnceLock::new();
        assert_eq!(kept(&cell, || None), None);
        assert_eq!(kept(&cell, || Some(1)), Some(&1));
        assert_eq!(kept(&cell, || unreachable!("it is kept")), Some(&1));
    }

    #[test]
    fn other_files_have_no_name() {
        let good = Name::new(1).file(State::Sealed);
        for bad in [
            "",
            ".seg",
            "x.seg",
            &good[1..],
            &good.replace('-', "_"),
            &good.replace("seg", "bak"),
            "../../x.seg",
            &good.replacen('0', "f", 1),
        ] {
            assert_eq!(Name::of_file(bad), None, "{bad}");
        }
        assert_eq!(Name::of_file(&good.replace("-", "-/")), None);
    }
}
