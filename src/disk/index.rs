//! Where the record of each key is: a table from the hash of a key to a place in a segment.
//!
//! The slots are sorted by hash, with gaps: each entry is at the slot that its hash points to, or after it behind
//! smaller hashes. A lookup starts there and ends at a gap or a greater hash. 16 bytes a slot at a load of 0.71 to 0.85
//! are 19 to 23 bytes an entry. A table grows by a fifth, because doubling would halve its load.
//!
//! Two keys of one hash (64 bits) are one entry: the record tells which of them has the value, and the other misses.

use crate::error::{Error, Result};

/// Where a record is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The number of its segment in this process.
    pub segment: u16,
    /// Its length and what it is, as in a footer; never 0.
    pub extent: u16,
    /// Its offset in the segment, in units.
    pub offset: u32,
}

#[derive(Clone, Copy)]
struct Slot {
    hash: u64,
    place: Place,
}

const GAP: Slot = Slot { hash: 0, place: Place { segment: 0, extent: 0, offset: 0 } };

impl Slot {
    fn is_gap(&self) -> bool {
        self.place.extent == 0
    }
}

/// The table.
#[derive(Default)]
pub struct Index {
    slots: Vec<Slot>,
    /// The number of slots that hashes point to. Those after them are for entries behind smaller hashes.
    homes: usize,
    len: usize,
}

impl Index {
    /// The number of entries.
    pub fn len(&self) -> usize {
        self.len
    }

    /// The bytes that it takes.
    pub fn bytes(&self) -> usize {
        self.slots.capacity() * size_of::<Slot>()
    }

    /// The place of a hash.
    pub fn get(&self, hash: u64) -> Option<Place> {
        let at = self.seek(hash)?;
        let slot = self.slots.get(at)?;
        (slot.hash == hash && !slot.is_gap()).then_some(slot.place)
    }

    /// The entries, sorted by hash.
    pub fn iter(&self) -> impl Iterator<Item = (u64, Place)> {
        self.slots.iter().filter(|slot| !slot.is_gap()).map(|slot| (slot.hash, slot.place))
    }

    /// Makes room for more entries at once.
    pub fn reserve(&mut self, more: usize) -> Result<()> {
        let homes = (self.len + more) * 20 / 17 + 1;
        if homes > self.homes { self.grow_to(homes) } else { Ok(()) }
    }

    /// Sets the place of a hash, and returns its old one.
    pub fn insert(&mut self, hash: u64, place: Place) -> Result<Option<Place>> {
        if (self.len + 1) * 20 > self.homes * 17 {
            self.grow()?;
        }
        loop {
            let at = self.seek(hash).unwrap_or(0);
            if let Some(slot) = self.slots.get_mut(at).filter(|slot| slot.hash == hash && !slot.is_gap()) {
                return Ok(Some(std::mem::replace(&mut slot.place, place)));
            }
            let Some(run) = self.slots[at..].iter().position(Slot::is_gap) else {
                // No gap up to the end: many hashes are near the greatest. In a table that is not full, a larger one
                // would not help.
                let more = 16 + self.slots.len() / 64;
                self.slots.try_reserve_exact(more).map_err(|_| Error::OutOfMemory(more * size_of::<Slot>()))?;
                self.slots.extend(std::iter::repeat_n(GAP, more));
                continue;
            };
            self.slots.copy_within(at..at + run, at + 1);
            self.slots[at] = Slot { hash, place };
            self.len += 1;
            return Ok(None);
        }
    }

    /// Removes a hash.
    pub fn remove(&mut self, hash: u64) {
        let Some(mut at) = self.seek(hash) else { return };
        if self.slots.get(at).is_none_or(|slot| slot.hash != hash || slot.is_gap()) {
            return;
        }
        // Entries after it move back, unless they are at home.
        while let Some(next) = self.slots.get(at + 1).filter(|next| !next.is_gap() && self.home(next.hash) <= at) {
            self.slots[at] = *next;
            at += 1;
        }
        self.slots[at] = GAP;
        self.len -= 1;
    }

    /// Removes the entries that `stays` rejects.
    pub fn retain(&mut self, mut stays: impl FnMut(u64, Place) -> bool) {
        let mut old = std::mem::take(&mut self.slots);
        self.len = 0;
        let mut end = 0;
        // Sorted entries stay sorted: each moves to its home, or behind the one before it. That is never after its old
        // slot.
        for from in 0..old.len() {
            let slot = std::mem::replace(&mut old[from], GAP);
            if !slot.is_gap() && stays(slot.hash, slot.place) {
                let at = self.home(slot.hash).max(end);
                old[at] = slot;
                end = at + 1;
                self.len += 1;
            }
        }
        self.slots = old;
    }

    /// The slot of a hash, or the one where it belongs; `None` in a table without slots.
    fn seek(&self, hash: u64) -> Option<usize> {
        let home = self.home(hash);
        let after = self.slots.get(home..)?.iter().position(|slot| slot.is_gap() || slot.hash >= hash);
        Some(after.map_or(self.slots.len(), |after| home + after))
    }

    fn home(&self, hash: u64) -> usize {
        ((u128::from(hash) * self.homes as u128) >> 64) as usize
    }

    fn grow(&mut self) -> Result<()> {
        self.grow_to(self.homes + self.homes / 5 + 16)
    }

    fn grow_to(&mut self, homes: usize) -> Result<()> {
        let slots = homes + homes / 64 + 16;
        let mut new = Vec::new();
        new.try_reserve_exact(slots).map_err(|_| Error::OutOfMemory(slots * size_of::<Slot>()))?;
        new.resize(slots, GAP);
        let (old, mut len) = (std::mem::replace(&mut self.slots, new), std::mem::take(&mut self.len));
        self.homes = homes;
        let mut end = 0;
        for slot in old.into_iter().filter(|slot| !slot.is_gap()) {
            let at = self.home(slot.hash).max(end);
            if at >= self.slots.len() {
                // Only hashes that were chosen for it get here. Without memory, they are forgotten.
                match self.slots.try_reserve(1) {
                    Ok(()) => self.slots.push(slot),
                    Err(_) => len -= 1,
                }
            } else {
                self.slots[at] = slot;
            }
            end = at + 1;
        }
        self.len = len;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn place(number: u64) -> Place {
        Place { segment: number as u16, extent: 1 + (number % 7) as u16, offset: number as u32 }
    }

    /// Numbers that look random.
    fn mix(number: u64) -> u64 {
        crate::disk::checksum::key_hash(&number.to_le_bytes())
    }

    fn agrees(index: &Index, model: &BTreeMap<u64, Place>) {
        assert_eq!(index.len(), model.len());
        assert!(index.iter().eq(model.iter().map(|(hash, place)| (*hash, *place))));
    }

    #[test]
    fn it_agrees_with_a_map() {
        for spread in [1, u64::MAX / 300, 0] {
            // Hashes that are close together, far apart, at the end of their range, and random.
            let hash = |number: u64| match spread {
                0 => mix(number),
                1 => u64::MAX - number,
                spread => number * spread,
            };
            let (mut index, mut model) = (Index::default(), BTreeMap::new());
            for step in 0..20_000 {
                let (number, choice) = (mix(step) % 300, mix(step + 1_000_000) % 100);
                let hash = hash(number);
                match choice {
                    0..60 => assert_eq!(index.insert(hash, place(step)).unwrap(), model.insert(hash, place(step))),
                    60..98 => {
                        index.remove(hash);
                        model.remove(&hash);
                    }
                    _ => {
                        index.retain(|_, place| place.offset % 3 != 0);
                        model.retain(|_, place| place.offset % 3 != 0);
                    }
                }
                assert_eq!(index.get(hash), model.get(&hash).copied());
                if step % 100 == 0 {
                    agrees(&index, &model);
                }
            }
            agrees(&index, &model);
        }
    }

    #[test]
    fn an_entry_takes_at_most_24_bytes() {
        let mut index = Index::default();
        for number in 0..1_000_000 {
            index.insert(mix(number), place(number)).unwrap();
            assert!(number < 10_000 || index.bytes() <= 24 * index.len(), "{} of {number}", index.bytes());
        }
        assert!((0..1_000_000).all(|number| index.get(mix(number)) == Some(place(number))));
        assert!((1_000_000..1_100_000).all(|number| index.get(mix(number)).is_none()));
    }
}
