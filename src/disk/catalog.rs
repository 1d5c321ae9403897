//! What this process knows of a space: its segments, and in which of them the record of each key is.
//!
//! Of several records of a key, that in the newest segment counts, and in one segment the last. A removal is a record
//! too; its entry stays in the index, so that an older record is not found instead.

use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;

use super::failure::Outcome;
use super::format::{Extent, Footer, HEADER, Kind, UNIT};
use super::index::{Index, Place};
use super::names::Name;
use super::segment::{Segment, is_value};
use crate::error::{Error, Result};

/// The orders of new segments differ by this, so that a joined segment fits between its neighbours.
const STEP: u64 = 1024;

/// How a segment is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Growth {
    /// It does not grow any more.
    Sealed,
    /// Another process may append to it; this one has read it up to an offset.
    ReadTo(u64),
    /// This process appends to it.
    Own,
}

/// A segment that is known.
pub struct Known {
    /// The segment.
    pub segment: Arc<Segment>,
    /// How it is written.
    pub growth: Growth,
}

/// The segments of a space and the index of their records.
#[derive(Default)]
pub struct Catalog {
    index: Index,
    /// By their numbers in the index.
    known: Vec<Option<Known>>,
    /// The entries of removed keys.
    removed: usize,
    /// The files that are named like segments and are not segments of this space.
    rejected: BTreeSet<String>,
    /// The greatest order that was seen.
    newest: u64,
    /// Whether the segment of this process has a record of a key that an older one has too.
    own_replaces: bool,
}

/// Where a record is.
#[derive(Clone)]
pub struct Located {
    /// The segment.
    pub segment: Arc<Segment>,
    /// The offset there.
    pub offset: u64,
    /// What it is.
    pub extent: Extent,
    place: Place,
}

impl Located {
    /// Whether both are the same record.
    pub fn is_same(&self, other: &Located) -> bool {
        Arc::ptr_eq(&self.segment, &other.segment) && self.place == other.place
    }
}

impl Catalog {
    /// The record of a hash.
    pub fn locate(&self, hash: u64) -> Option<Located> {
        let place = self.index.get(hash)?;
        let known = self.known.get(usize::from(place.segment))?.as_ref()?;
        let offset = u64::from(place.offset) * UNIT as u64;
        Some(Located { segment: known.segment.clone(), offset, extent: Extent::from_bits(place.extent), place })
    }

    /// The number of keys that have a value.
    pub fn len(&self) -> usize {
        self.index.len() - self.removed
    }

    /// The hashes of all keys that have a value.
    pub fn hashes(&self) -> io::Result<Vec<u64>> {
        let mut hashes = Vec::new();
        hashes.try_reserve_exact(self.len())?;
        let values = self.index.iter().filter(|(_, place)| is_value(Extent::from_bits(place.extent).kind()));
        hashes.extend(values.map(|(hash, _)| hash));
        Ok(hashes)
    }

    /// The bytes of memory that it takes.
    pub fn bytes(&self) -> usize {
        self.index.bytes()
    }

    /// The segments with their numbers.
    pub fn segments(&self) -> impl Iterator<Item = (u16, &Known)> {
        (0..).zip(&self.known).filter_map(|(number, known)| Some((number, known.as_ref()?)))
    }

    /// The order of a new segment: after all others.
    pub fn next_order(&self) -> u64 {
        self.newest + STEP
    }

    /// Notes the order of a segment, which may be one that cannot be opened now.
    pub fn note_order(&mut self, order: u64) {
        self.newest = self.newest.max(order);
    }

    /// Notes that a file is not a segment of this space.
    pub fn reject(&mut self, file: String) {
        self.rejected.insert(file);
    }

    /// Whether a file was rejected before.
    pub fn has_rejected(&self, file: &str) -> bool {
        self.rejected.contains(file)
    }

    /// Treats the segment that this process appended to as that of another one. Returns it.
    pub fn disown(&mut self) -> Option<Arc<Segment>> {
        let own = self.known.iter_mut().flatten().find(|known| known.growth == Growth::Own)?;
        own.growth = Growth::ReadTo(HEADER as u64);
        Some(own.segment.clone())
    }

    /// Whether an older record was found whose key has a newer one in the segment of this process.
    pub fn own_replaces(&self) -> bool {
        self.own_replaces
    }

    /// Adds a segment without records, and returns its number.
    pub fn add(&mut self, segment: Arc<Segment>, growth: Growth) -> Result<u16> {
        self.own_replaces &= growth != Growth::Own;
        self.note_order(segment.name.order);
        let known = Some(Known { segment, growth });
        if let Some(free) = self.known.iter().position(Option::is_none) {
            self.known[free] = known;
            return Ok(free as u16);
        }
        let number = u16::try_from(self.known.len());
        let number = number.map_err(|_| Error::Storage("more than 65,536 segments of one identity and role".into()))?;
        self.known.push(known);
        Ok(number)
    }

    /// Changes how a segment is written.
    pub fn grow(&mut self, number: u16, growth: Growth) {
        if let Some(known) = self.known.get_mut(usize::from(number)).and_then(Option::as_mut) {
            known.growth = growth;
        }
    }

    /// Whether a number is that of this segment. A number is used again when its segment is gone.
    pub fn is_number_of(&self, number: u16, segment: &Arc<Segment>) -> bool {
        let known = self.known.get(usize::from(number)).and_then(Option::as_ref);
        known.is_some_and(|known| Arc::ptr_eq(&known.segment, segment))
    }

    /// Notes a record, unless a newer one of its key is known.
    pub fn note(&mut self, number: u16, hash: u64, offset: u64, extent: Extent) -> Result<()> {
        // No segment of ours is so long.
        let Ok(units) = u32::try_from(offset / UNIT as u64) else { return Ok(()) };
        let new = Place { segment: number, extent: extent.to_bits(), offset: units };
        let old = self.index.insert(hash, new)?;
        if let Some(old) = old.filter(|old| self.is_newer(*old, new)) {
            self.index.insert(hash, old)?;
            self.own_replaces |= old.segment != number && self.is_own(old.segment);
            return Ok(());
        }
        let is_removal = |place: Place| Extent::from_bits(place.extent).kind() == Kind::Removed;
        self.removed -= usize::from(old.is_some_and(is_removal));
        self.removed += usize::from(is_removal(new));
        Ok(())
    }

    /// Notes all records of a footer.
    pub fn note_all(&mut self, number: u16, footer: &Footer) -> Result<()> {
        if self.index.len() == 0 {
            self.index.reserve(footer.hashes.len())?;
        }
        // From the end, so that most older records of a key change nothing.
        for (hash, offset, extent) in footer.parts_backwards().filter(|(.., extent)| extent.kind() != Kind::Damaged) {
            self.note(number, hash, offset, extent)?;
        }
        Ok(())
    }

    fn is_own(&self, number: u16) -> bool {
        let known = self.known.get(usize::from(number)).and_then(Option::as_ref);
        known.is_some_and(|known| known.growth == Growth::Own)
    }

    fn is_newer(&self, place: Place, than: Place) -> bool {
        match place.segment == than.segment {
            true => place.offset > than.offset,
            false => self.name(place) > self.name(than),
        }
    }

    fn name(&self, place: Place) -> Option<&Name> {
        Some(&self.known.get(usize::from(place.segment))?.as_ref()?.segment.name)
    }

    /// Removes the entry of a record that turned out to be damaged.
    pub fn forget(&mut self, hash: u64, located: &Located) {
        if self.index.get(hash) == Some(located.place) {
            self.index.remove(hash);
            self.removed -= usize::from(located.extent.kind() == Kind::Removed);
        }
    }

    /// Removes segments with all their records.
    pub fn drop_segments(&mut self, gone: &[u16]) {
        if gone.is_empty() {
            return;
        }
        let (known, removed) = (&mut self.known, &mut self.removed);
        let mut going = vec![false; known.len()];
        gone.iter().for_each(|number| going[usize::from(*number)] = true);
        self.index.retain(|_, place| {
            let stays = !going[usize::from(place.segment)];
            *removed -= usize::from(!stays && Extent::from_bits(place.extent).kind() == Kind::Removed);
            stays
        });
        gone.iter().for_each(|number| known[usize::from(*number)] = None);
    }
}

/// A record as an index needs it: the hash of its key, its offset, its extent.
pub type Part = (u64, u64, Extent);

/// Reads what another process has appended to a live segment since the last time: hashes, offsets, extents; and how far
/// it has been read now. It stops at bytes that are not a record, which the owner may be writing, unless the segment is
/// sealed.
pub fn read_on(segment: &Arc<Segment>, from: u64, is_sealed: bool) -> Outcome<(Vec<Part>, u64)> {
    let mut found = Vec::new();
    let end = segment.scan(from.max(HEADER as u64), is_sealed, |offset, record| {
        found.try_reserve(1)?;
        found.push((record.key.hash(), offset, record.extent()));
        Ok(())
    })?;
    Ok((found, end))
}
