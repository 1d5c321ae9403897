//! What a cache loses: the part of the savable computing time that is computed again.

use crate::policies::Policy;
use crate::policies::phicache::Phicache;
use crate::work::{Entry, Event, Id, Work};

/// The lost part of the time that unlimited memory would save.
pub fn loss(work: &Work, policy: &mut dyn Policy) -> f64 {
    let (mut savable, mut lost) = (0.0, 0.0);
    let mut stored = vec![false; work.entries.len()];
    for event in &work.events {
        match *event {
            Event::Get(id) => {
                let hit = policy.get(id);
                if !stored[id] {
                    continue;
                }
                let entry = &work.entries[id];
                savable += entry.cost;
                if !hit {
                    lost += entry.cost;
                    policy.set(id, entry);
                }
            }
            Event::Set(id) => {
                stored[id] = true;
                if !policy.get(id) {
                    policy.set(id, &work.entries[id]);
                }
            }
        }
    }
    if savable > 0.0 { lost / savable } else { 0.0 }
}

/// A cache that notes what its entries take while it is full.
struct Watched {
    cache: Phicache,
    limit: f64,
    live: f64,
    times: f64,
}

impl Policy for Watched {
    fn get(&mut self, id: Id) -> bool {
        self.cache.get(id)
    }

    fn set(&mut self, id: Id, entry: &Entry) {
        self.cache.set(id, entry);
        if self.cache.bytes() as f64 > FULL * self.limit {
            self.live += self.cache.live_bytes() as f64;
            self.times += 1.0;
        }
    }
}

/// A cache that takes this part of its limit is full.
const FULL: f64 = 0.75;

/// The bytes that phicache has for the blocks of entries at this limit, on average while it is full.
pub fn room(work: &Work, limit: f64) -> f64 {
    let mut watched = Watched { cache: Phicache::new(limit, &work.entries), limit, live: 0.0, times: 0.0 };
    loss(work, &mut watched);
    if watched.times > 0.0 { watched.live / watched.times } else { limit }
}
