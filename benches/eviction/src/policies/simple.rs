//! Policies that know nothing but the order of uses: refusing, FIFO, LRU, CLOCK.

use std::collections::VecDeque;

use super::Policy;
use crate::work::{Entry, Id};

#[derive(Clone, Copy, PartialEq)]
pub enum Kind {
    /// Keeps what it has.
    Refuse,
    Fifo,
    /// Exact: a use moves the entry to the young end.
    Lru,
    /// A use sets a bit; an old entry whose bit is set moves to the young end, without it.
    Clock,
}

/// A queue from old to young.
pub struct Simple {
    kind: Kind,
    limit: f64,
    /// What an entry takes beside its block.
    beside: f64,
    bytes: f64,
    queue: VecDeque<(Id, u64)>,
    /// By id: its bytes, the number of its place in the queue (a place with another number is void), and its bit.
    resident: Vec<Option<Resident>>,
    places: u64,
}

struct Resident {
    bytes: f64,
    place: u64,
    used: bool,
}

impl Simple {
    pub fn new(kind: Kind, limit: f64, beside: f64, entries: usize) -> Self {
        let resident = (0..entries).map(|_| None).collect();
        Simple { kind, limit, beside, bytes: 0.0, queue: VecDeque::new(), resident, places: 0 }
    }

    fn enqueue(&mut self, id: Id) -> u64 {
        self.places += 1;
        self.queue.push_back((id, self.places));
        self.places
    }

    fn evict(&mut self) {
        while let Some((id, place)) = self.queue.pop_front() {
            let Some(entry) = self.resident[id].as_mut().filter(|entry| entry.place == place) else { continue };
            if !(self.kind == Kind::Clock && entry.used) {
                self.bytes -= entry.bytes;
                self.resident[id] = None;
                return;
            }
            let place = self.enqueue(id);
            let entry = self.resident[id].as_mut().expect("the entry is resident");
            (entry.used, entry.place) = (false, place);
        }
    }
}

impl Policy for Simple {
    fn get(&mut self, id: Id) -> bool {
        let Some(entry) = &mut self.resident[id] else { return false };
        entry.used = true;
        if self.kind == Kind::Lru {
            let place = self.enqueue(id);
            self.resident[id].as_mut().expect("the entry is resident").place = place;
        }
        true
    }

    fn set(&mut self, id: Id, entry: &Entry) {
        let bytes = entry.block as f64 + self.beside;
        if bytes > self.limit || (self.kind == Kind::Refuse && self.bytes + bytes > self.limit) {
            return;
        }
        while self.bytes + bytes > self.limit {
            self.evict();
        }
        self.bytes += bytes;
        let place = self.enqueue(id);
        self.resident[id] = Some(Resident { bytes, place, used: false });
    }
}
