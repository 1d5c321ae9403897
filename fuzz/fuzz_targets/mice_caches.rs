//! A family of MICE caches under random operations, compared with plain maps: parents that are filled, cleared, read
//! and freed; children under cuts that inherit from them; children of those. In some runs the caches are small and
//! evict: then each store tells, by the statistics, how many entries it has evicted, and the model looks which.
#![no_main]

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use libfuzzer_sys::fuzz_target;
use phicache::cache::{Cache, MiceCache, OnFull, Options, Origin, Refusal};
use phicache::config::Config;
use phicache::iit::{Cut, Direction, Mice, NodeSet, Subsystem};
use phicache::key::Fingerprint;
use phicache::sync::TryArc;
use phicache::table::weight;
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

    /// The bytes that its entry takes.
    fn weight(&self) -> u64 {
        weight(key(0).len(), self.mice().record_len())
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
    /// The entries and bytes that it has evicted since it was cleared, as in its statistics.
    evicted: (u64, u64),
    /// The same of the entries that it has cleared and that children may still have: they are evicted first.
    cleared: (u64, u64),
    /// Whether it has evicted such entries.
    loses_cleared: bool,
}

struct Family {
    /// Of each cache; it evicts then.
    max_bytes: Option<u64>,
    config: Arc<Config>,
    system: Subsystem,
    members: Vec<Member>,
}

fn key(number: u8) -> [u8; 3] {
    [b'k', number, b'k']
}

impl Family {
    fn new(max_bytes: Option<u64>) -> Self {
        let config: Arc<Config> = Config::new().unwrap();
        config.set_maximum_memory(-1.0).unwrap();
        let system = Subsystem::new(&Fingerprint([3; 32]), &[0; NODES], NodeSet::first(NODES), None, None).unwrap();
        Family { max_bytes, config, system, members: Vec::new() }
    }

    fn add(&mut self, severed: Option<Vec<NodeSet>>, parent: Option<usize>) {
        let cut = severed.as_deref().map(|severed| Cut::from_masks(severed).unwrap());
        let system = self.system.under(cut).unwrap();
        let parent = parent.filter(|parent| self.members[*parent].cache.is_some());
        let shared = parent.and_then(|parent| self.members[parent].cache.clone());
        let options = Options { max_bytes: self.max_bytes, on_full: OnFull::Evict, ..Options::default() };
        let made = MiceCache::mice(self.config.clone(), options, &system, shared.as_ref());
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
        self.members.push(Member {
            cache,
            severed,
            own,
            ancestors,
            detached: false,
            hits: 0,
            misses: 0,
            evicted: (0, 0),
            cleared: (0, 0),
            loses_cleared: false,
        });
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
        self.lose_cleared(at);
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
        let replaced = self.members[at].own.get(&number).map(Record::weight);
        match (stored, refusal) {
            (Ok(()), None) => drop(self.members[at].own.insert(number, record)),
            (Err(Refusal::Capacity), None) => assert!(self.max_bytes.is_some()),
            (stored, refusal) => assert_eq!(stored.err(), refusal),
        }
        self.settle(at, replaced);
    }

    /// Takes the entries from the model that a store has evicted: as many as the statistics say. The store may have
    /// evicted the entry that it would have `replaced`, which took this many bytes.
    fn settle(&mut self, at: usize, replaced: Option<u64>) {
        let Member { cache: Some(cache), own, evicted, cleared, .. } = &mut self.members[at] else { return };
        let (cache, stats) = (Cache::from(cache.clone()), cache.stats());
        let now = (stats.evictions, stats.evicted_bytes);
        if now != *evicted {
            let is_own =
                |number: u8| cache.peek(&key(number)).unwrap().is_some_and(|value| value.origin == Origin::Hit);
            let gone: Vec<_> = own.extract_if(|number, _| !is_own(*number)).collect();
            evicted.0 += gone.len() as u64;
            evicted.1 += gone.iter().map(|(_, record)| record.weight()).sum::<u64>();
        }
        let (more, more_bytes) = (now.0 - evicted.0, now.1 - evicted.1);
        // The replaced entry may be one of the others. What is left of those that were cleared stays an upper bound.
        let of_replaced = replaced.filter(|bytes| more > 0 && *bytes <= more_bytes).map_or((0, 0), |bytes| (1, bytes));
        let (least, least_bytes) = (more - of_replaced.0, more_bytes - of_replaced.1);
        assert!(least <= cleared.0 && least_bytes <= cleared.1, "{least} evictions too many, of {least_bytes} bytes");
        (*evicted, *cleared) = (now, (cleared.0 - least, cleared.1 - least_bytes));
        assert_eq!(stats.live_bytes, own.values().map(Record::weight).sum::<u64>());
        assert!(self.max_bytes.is_some() || now.0 == 0);
        assert!(self.max_bytes.is_none_or(|max| stats.bytes <= max), "{} bytes", stats.bytes);
        self.members[at].loses_cleared |= more > 0;
    }

    /// Takes the entries from the model that a member had from clears of its ancestors, and that were evicted. Which
    /// these are shows only when no newer entry hides them.
    fn lose_cleared(&mut self, at: usize) {
        let Some(cache) = self.members[at].cache.clone().map(Cache::from) else { return };
        for number in 0..KEYS {
            let found = cache.peek(&key(number)).unwrap();
            let is_found = |record: &Record| found.as_ref().is_some_and(|value| value.entry.value() == record.bytes());
            while self.find(at, number).is_some_and(|(record, _)| !is_found(record)) {
                let deciding = self.members[at].ancestors.iter().position(|ancestor| {
                    self.members[ancestor.member].own.contains_key(&number) || ancestor.cleared.contains_key(&number)
                });
                let deciding = deciding.expect("a record of the member itself is found");
                let ancestor = &mut self.members[at].ancestors[deciding];
                assert!(ancestor.cleared.remove(&number).is_some(), "key {number} of member {at} is lost");
                let ancestor = ancestor.member;
                assert!(self.members[ancestor].loses_cleared, "key {number} of member {at} is lost");
            }
        }
    }

    fn memoize(&mut self, at: usize, number: u8, record: Record) {
        self.lose_cleared(at);
        let Some(cache) = self.members[at].cache.clone() else { return };
        let made = Cache::from(cache).memoize(&key(number), |draft| draft.write(&record.bytes())).unwrap();
        let refusal = self.refusal(at, &record);
        let known = self.find(at, number).map(|(record, inherited)| (record.clone(), inherited));
        self.count(at, known.is_some());
        let is_full = self.max_bytes.is_some() && made.origin == Origin::NotStored(Some(Refusal::Capacity));
        let (expected, origin) = match (known, refusal) {
            (None, None) if is_full => (record, made.origin),
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
        drop(made);
        self.settle(at, None);
    }

    fn remove(&mut self, at: usize, number: u8) {
        let Some(cache) = self.members[at].cache.clone() else { return };
        assert_eq!(cache.remove(&key(number)), self.members[at].own.remove(&number).is_some());
        self.settle(at, None);
    }

    /// Removes nothing from existing children, and detaches the member itself.
    fn clear(&mut self, at: usize) {
        let Some(cache) = self.members[at].cache.clone() else { return };
        cache.clear().unwrap();
        let cleared = std::mem::take(&mut self.members[at].own);
        let old = self.members[at].cleared;
        let bytes: u64 = cleared.values().map(Record::weight).sum();
        self.members[at].cleared = (old.0 + cleared.len() as u64, old.1 + bytes);
        for ancestor in self.members.iter_mut().flat_map(|member| &mut member.ancestors) {
            if ancestor.member == at {
                ancestor.cleared.extend(cleared.clone());
            }
        }
        let member = &mut self.members[at];
        (member.detached, member.hits, member.misses, member.evicted) = (true, 0, 0, (0, 0));
    }

    fn check(&mut self, at: usize) {
        self.lose_cleared(at);
        let Some(cache) = &self.members[at].cache else { return };
        let (info, member) = (cache.info(), &self.members[at]);
        assert_eq!((info.hits, info.misses, info.size), (member.hits, member.misses, self.size(at)), "member {at}");
    }
}

fuzz_target!(|data: &[u8]| {
    let mut input = Input::new(data);
    let max_bytes = input.flag().then(|| 1000 + 20 * u64::from(input.byte()));
    let mut family = Family::new(max_bytes);
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
