//! What a cache loses: the part of the savable computing time that is computed again.

use crate::policies::Policy;
use crate::work::{Event, Work};

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
