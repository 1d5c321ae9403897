//! GreedyDual over a sample: evicted is the entry with the least value, which is the cost per byte plus the value of
//! the entry evicted last at the time of its last use.

use super::Policy;
use crate::random::Random;
use crate::work::{Entry, Id};

const SAMPLE: usize = 16;

pub struct GreedyDual {
    limit: f64,
    bytes: f64,
    /// The value of the last evicted entry.
    base: f64,
    entries: Vec<Resident>,
    /// Positions in `entries`, by id.
    place: Vec<Option<usize>>,
    random: Random,
}

struct Resident {
    id: Id,
    bytes: f64,
    cost: f64,
    value: f64,
    /// Set by a use; cleared by a sample, which renews the value.
    used: bool,
}

impl GreedyDual {
    pub fn new(limit: f64, entries: usize) -> Self {
        GreedyDual {
            limit,
            bytes: 0.0,
            base: 0.0,
            entries: Vec::new(),
            place: vec![None; entries],
            random: Random::new(1),
        }
    }

    fn evict(&mut self) {
        let mut least: Option<usize> = None;
        for _ in 0..SAMPLE {
            let place = self.random.below(self.entries.len());
            let entry = &mut self.entries[place];
            if std::mem::take(&mut entry.used) {
                entry.value = self.base + entry.cost / entry.bytes;
            }
            if least.is_none_or(|least| self.entries[place].value < self.entries[least].value) {
                least = Some(place);
            }
        }
        let Some(place) = least else { return };
        let evicted = self.entries.swap_remove(place);
        self.place[evicted.id] = None;
        if let Some(moved) = self.entries.get(place) {
            self.place[moved.id] = Some(place);
        }
        self.base = self.base.max(evicted.value);
        self.bytes -= evicted.bytes;
    }
}

impl Policy for GreedyDual {
    fn get(&mut self, id: Id) -> bool {
        let Some(place) = self.place[id] else { return false };
        self.entries[place].used = true;
        true
    }

    fn set(&mut self, id: Id, entry: &Entry) {
        let bytes = entry.bytes();
        if bytes > self.limit {
            return;
        }
        while self.bytes + bytes > self.limit {
            self.evict();
        }
        self.bytes += bytes;
        self.place[id] = Some(self.entries.len());
        let value = self.base + entry.cost / bytes;
        self.entries.push(Resident { id, bytes, cost: entry.cost, value, used: false });
    }
}
