//! A family of MICE caches under random operations, compared with plain maps: parents that are filled, cleared, read
//! and freed; children under cuts that inherit from them; children of those.
#![no_main]

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use libfuzzer_sys::fuzz_target;
use phicache::cache::{Cache, MiceCache, Options, Origin, Refusal};
use phicache::config::Config;
use phicache::iit::{Cut, Direction, Mice, NodeSet, Subsystem};
use phicache::key::Fingerprint;
use phicache::sync::TryArc;
use phicache_fuzz::Input;

const NODES: usize = 4;
const CACHES_MAX: usize = 12;
const KEYS: u8 = 8;

/// A MICE in the model.
#[derive(Clone, PartialEq, Debug)]
struct Record {
    direction: Direction,
    mechanism: NodeSet,
    purview: NodeSet,
    phi: f64,
    payload: Vec<u8>,
}

impl Record {
    fn random(input: &mut Input) -> Self {
        let masks = input.byte();
        Record {
            direction: Direction::from_number(input.below(2).into()).unwrap(),
            mechanism: NodeSet(u64::from(masks & 15)),
            purview: NodeSet(u64::from(masks >> 4)),
            phi: f64::from(input.byte()) / 8.0 - 2.0,
            payload: vec![input.byte(); usize::from(input.below(40)) * 8],
        }
    }

    fn mice(&self) -> Mice<'_> {
        let Record { direction, mechanism, purview, phi, ref payload } = *self;
        Mice { direction, mechanism, purview, phi, payload }
    }

    fn bytes(&self) -> Vec<u8> {
        let mut record = vec![0; self.mice().record_len()];
        self.mice().write(&mut record);
        record
    }

    /// Whether a cut damages it: the rule, checked connection by connection.
    fn is_damaged(&self, severed: &[NodeSet]) -> bool {
        let severs = |from: NodeSet, to: NodeSet| {
            from.indices().any(|node| to.indices().any(|other| severed[node].0 >> other & 1 == 1))
        };
        severs(self.mechanism, self.mechanism)
            || match self.direction {
                Direction::Cause => severs(self.purview, self.mechanism),
                Direction::Effect => severs(self.mechanism, self.purview),
            }
    }
}

type Entries = HashMap<u8, Record>;

/// A cache to inherit from: its index among the members, and what it had at its clears since.
#[derive(Clone)]
struct Ancestor {
    member: usize,
    cleared: Entries,
}

struct Member {
    /// None once it is freed; its children still see its values.
    cache: Option<TryArc<MiceCache>>,
    severed: Option<Vec<NodeSet>>,
    own: Entries,
    ancestors: Vec<Ancestor>,
    detached: bool,
    hits: u64,
    misses: u64,
}

struct Family {
    config: Arc<Config>,
    system: Subsystem,
    members: Vec<Member>,
}

fn key(number: u8) -> [u8; 3] {
    [b'k', number, b'k']
}

impl Family {
    fn new() -> Self {
        let config: Arc<Config> = Config::new().unwrap();
        config.set_maximum_memory(-1.0).unwrap();
        let system = Subsystem::new(&Fingerprint([3; 32]), &[0; NODES], NodeSet::first(NODES), None, None).unwrap();
        Family { config, system, members: Vec::new() }
    }

    fn add(&mut self, severed: Option<Vec<NodeSet>>, parent: Option<usize>) {
        let cut = severed.as_deref().map(|severed| Cut::from_masks(severed).unwrap());
        let system = self.system.under(cut).unwrap();
        let parent = parent.filter(|parent| self.members[*parent].cache.is_some());
        let shared = parent.and_then(|parent| self.members[parent].cache.clone());
        let made = MiceCache::mice(self.config.clone(), Options::default(), &system, shared.as_ref());
        let legal = parent.is_none_or(|parent| self.members[parent].severed.is_none());
        assert_eq!(made.is_ok(), legal, "an uncut parent, and only that, must be accepted");
        let Ok(cache) = made else { return };
        let mut ancestors = Vec::new();
        if let Some(parent) = parent {
            ancestors.push(Ancestor { member: parent, cleared: Entries::new() });
            if !self.members[parent].detached {
                ancestors.extend(self.members[parent].ancestors.iter().cloned());
            }
        }
        let own = Entries::new();
        let cache = Some(cache);
        self.members.push(Member { cache, severed, own, ancestors, detached: false, hits: 0, misses: 0 });
    }

    /// A member's value for a key, and whether it is inherited: the nearest ancestor with the key decides.
    fn find(&self, at: usize, number: u8) -> Option<(&Record, bool)> {
        let member = &self.members[at];
        if let Some(record) = member.own.get(&number) {
            return Some((record, false));
        }
        let ancestors = if member.detached { &[][..] } else { &member.ancestors };
        let mut places = ancestors
            .iter()
            .filter_map(|ancestor| self.members[ancestor.member].own.get(&number).or(ancestor.cleared.get(&number)));
        let record = places.next()?;
        let damaged = member.severed.as_ref().is_some_and(|severed| record.is_damaged(severed));
        (!damaged).then_some((record, true))
    }

    fn size(&self, at: usize) -> u64 {
        let member = &self.members[at];
        let mut keys: BTreeSet<u8> = member.own.keys().copied().collect();
        for ancestor in &member.ancestors {
            keys.extend(self.members[ancestor.member].own.keys());
            keys.extend(ancestor.cleared.keys());
        }
        keys.into_iter().filter(|number| self.find(at, *number).is_some()).count() as u64
    }

    fn get(&mut self, at: usize, number: u8) {
        let Some(cache) = self.members[at].cache.clone() else { return };
        let found = cache.get(&key(number));
        let expected = self.find(at, number);
        assert_eq!(cache.contains(&key(number)), expected.is_some());
        assert_eq!(found.is_some(), expected.is_some(), "key {number} of member {at}");
        if let (Some(value), Some((record, inherited))) = (&found, expected) {
            assert_eq!(value.origin, if inherited { Origin::Parent } else { Origin::Hit });
            assert_eq!(Mice::read_checked(value.entry.value()), Ok(record.mice()));
        }
        self.count(at, found.is_some());
    }

    fn count(&mut self, at: usize, hit: bool) {
        self.members[at].hits += u64::from(hit);
        self.members[at].misses += u64::from(!hit);
    }

    fn refusal(&self, at: usize, record: &Record) -> Option<Refusal> {
        match (&self.members[at].severed, record.phi > 0.0) {
            (Some(_), _) => Some(Refusal::Cut),
            (None, false) => Some(Refusal::Phi),
            (None, true) => None,
        }
    }

    fn set(&mut self, at: usize, number: u8, record: Record, as_bytes: bool) {
        let Some(cache) = self.members[at].cache.clone() else { return };
        let refusal = self.refusal(at, &record);
        assert_eq!(cache.would_store(record.phi).err(), refusal);
        let stored = match as_bytes {
            true => cache.set(&key(number), &record.bytes()).unwrap(),
            false => cache.set_mice(&key(number), &record.mice()).unwrap(),
        };
        assert_eq!(stored.err(), refusal);
        if refusal.is_none() {
            self.members[at].own.insert(number, record);
        }
    }

    fn memoize(&mut self, at: usize, number: u8, record: Record) {
        let Some(cache) = self.members[at].cache.clone() else { return };
        let made = Cache::from(cache).memoize(&key(number), |draft| draft.write(&record.bytes())).unwrap();
        let refusal = self.refusal(at, &record);
        let known = self.find(at, number).map(|(record, inherited)| (record.clone(), inherited));
        self.count(at, known.is_some());
        let (expected, origin) = match (known, refusal) {
            (Some((known, true)), _) => (known, Origin::Parent),
            (Some((known, false)), _) => (known, Origin::Hit),
            (None, Some(refusal)) => (record, Origin::NotStored(Some(refusal))),
            (None, None) => {
                self.members[at].own.insert(number, record.clone());
                (record, Origin::Computed)
            }
        };
        assert_eq!(made.origin, origin);
        assert_eq!(made.entry.value(), expected.bytes());
    }

    fn remove(&mut self, at: usize, number: u8) {
        let Some(cache) = self.members[at].cache.clone() else { return };
        assert_eq!(cache.remove(&key(number)), self.members[at].own.remove(&number).is_some());
    }

    /// Removes nothing from existing children, and detaches the member itself.
    fn clear(&mut self, at: usize) {
        let Some(cache) = self.members[at].cache.clone() else { return };
        cache.clear().unwrap();
        let cleared = std::mem::take(&mut self.members[at].own);
        for ancestor in self.members.iter_mut().flat_map(|member| &mut member.ancestors) {
            if ancestor.member == at {
                ancestor.cleared.extend(cleared.clone());
            }
        }
        let member = &mut self.members[at];
        (member.detached, member.hits, member.misses) = (true, 0, 0);
    }

    fn check(&self, at: usize) {
        let Some(cache) = &self.members[at].cache else { return };
        let (info, member) = (cache.info(), &self.members[at]);
        assert_eq!((info.hits, info.misses, info.size), (member.hits, member.misses, self.size(at)), "member {at}");
    }
}

fuzz_target!(|data: &[u8]| {
    let mut input = Input::new(data);
    let mut family = Family::new();
    family.add(None, None);
    while !input.is_empty() {
        let operation = input.below(20);
        let at = usize::from(input.byte()) % family.members.len();
        let number = input.below(KEYS);
        match operation {
            0..=4 => family.get(at, number),
            5..=9 => family.set(at, number, Record::random(&mut input), operation == 9),
            10 => family.memoize(at, number, Record::random(&mut input)),
            11 => family.remove(at, number),
            12 => family.clear(at),
            13 => family.members[at].cache = None,
            14..=16 if family.members.len() < CACHES_MAX => {
                let severed = match input.below(3) {
                    0 => None,
                    1 => Some(vec![NodeSet(0); NODES]),
                    _ => Some((0..NODES).map(|_| NodeSet(u64::from(input.byte() & input.byte() & 15))).collect()),
                };
                family.add(severed, input.flag().then_some(at));
            }
            _ => family.check(at),
        }
    }
    for at in 0..family.members.len() {
        (0..KEYS).for_each(|number| family.get(at, number));
        family.check(at);
    }
});
