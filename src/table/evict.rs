//! Entries leave a chunk: moved to another one, so that a sparse chunk is freed, or evicted, so that a full table has
//! room for what is worth more.
//!
//! To move an entry is to replace it by an equal one: readers find either copy. The old copy keeps the table's share,
//! as in a table that was cleared, and its chunk is retired as a whole once every entry has left it.
//!
//! Eviction is a clock: its hand is the oldest chunk. An entry that a lookup has found since the last visit moves to
//! the youngest chunk, without that mark; one without it moves if it has a credit left, and loses that. The others are
//! evicted. Credits are given at the first visit, and at the first one after each access: by what the entry is worth
//! beside what the table's entries are worth by then.
//!
//! The hand begins while there is room for one chunk of survivors: from then on each insertion evicts as many bytes as
//! the one before has carved, so that the oldest chunk is empty by the time the youngest is full.

use std::ptr::NonNull;

use super::allocate::Short;
use super::arena::{Arena, Chunk};
use super::closing::{Closing, Oldest};
use super::draft::{IntoEntry, Terms};
use super::entry::EntryRef;
use super::hash::Hashed;
use super::header::{HEADER, Header, IN_TABLE, Standing, TOUCHED, UNTOUCHED, UNTRACKED, UNVISITED};
use super::release::{count_table_share, retire_entry};
use super::segment::{Position, Segment};
use super::table::{Evicted, Old, Table, Writer};
use crate::epoch::{self, Participant, flush, retire};
use crate::memory::{Bounds, Exceeded};
use crate::sync::TryArc;
use crate::sync::atomic::Ordering;

/// What one insertion may copy.
const COPIES: usize = if cfg!(shuttle) { 2 } else { 64 };
const COPIED_BYTES: u64 = 64 << 10;

/// Fewer retired bytes are not worth a collection.
const LEAST_CLOSED: u64 = 1 << 10;

/// The most visits that an entry survives without an access: what is never used again leaves at last, whatever it cost.
const CREDITS: f32 = 63.0;

/// The worth, in means, above which an entry has a credit for each mean. Were it 1, a common kind of costly entry would
/// have credits, and half of a full cache would be such entries that are out of use.
const NO_CREDIT: f32 = 2.0;

/// The chunks that one insertion closes at most. One with nothing but pinned blocks comes back at once.
const CHUNKS: usize = 8;

/// What one insertion may still do to make room.
struct Budget {
    /// Bytes that it may evict.
    evict: u64,
    copies: usize,
    copied_bytes: u64,
    /// Whether it rather evicts nothing than entries that are worth keeping.
    patient: bool,
    /// The mean worth of the table's entries.
    mean_worth: f32,
}

impl Budget {
    fn new(evict: u64, mean_worth: f32) -> Self {
        Budget { evict, copies: COPIES, copied_bytes: COPIED_BYTES, patient: false, mean_worth }
    }

    /// How many visits an entry survives without an access.
    fn credits(&self, entry: NonNull<Header>) -> u8 {
        // SAFETY: the entry is in the table, and we are the writer.
        let (cost, weight) = unsafe { (cost_of(entry), EntryRef::new(entry).weight()) };
        credits_for(cost as f32 / (weight as f32 * self.mean_worth))
    }

    fn has_copies(&self) -> bool {
        self.copies > 0 && self.copied_bytes > 0
    }
}

impl Table {
    /// Whether an insertion of `bytes` would evict entries, now or soon.
    pub fn would_evict(&self, bytes: u64, bounds: &Bounds) -> bool {
        self.arena.get().is_some_and(|arena| arena.would_evict(bytes, bounds))
    }

    /// Removes all entries, and returns what they were.
    pub fn evict_all(&self) -> Evicted {
        let mut all = Evicted::default();
        self.clear_after(|| {
            epoch::read(|guard| {
                self.for_each(guard, |entry| {
                    all.entries += 1;
                    all.bytes += entry.weight();
                    // SAFETY: the entry is in the table, and we are its writer.
                    all.cost = all.cost.saturating_add(unsafe { cost_of(entry.header()) });
                });
            });
        });
        all
    }

    /// Before an insertion: pays what earlier ones owe, or moves entries out of sparse chunks. Only for the
    /// writer.
    #[inline(always)]
    pub(super) fn tidy(&self, writer: &mut Writer, entry: &impl IntoEntry, terms: &Terms) {
        let Some(arena) = self.arena.get_arc() else { return };
        if arena.owed() > 0 {
            self.pay(writer, &arena, entry.weight(), terms);
        } else if arena.is_sparse() {
            self.move_out(writer, &arena, &terms.bounds);
        }
    }

    /// Moves entries out of sparse chunks. Only for the writer.
    #[inline]
    pub(super) fn compact(&self, writer: &mut Writer, bounds: &Bounds) {
        let Some(arena) = self.arena.get_arc() else { return };
        if arena.is_sparse() {
            self.move_out(writer, &arena, bounds);
        }
    }

    #[cold]
    #[inline(never)]
    fn pay(&self, writer: &mut Writer, arena: &TryArc<Arena>, bytes: u64, terms: &Terms) {
        let bounds = &terms.bounds;
        // An entry that will be refused evicts none.
        if bytes >= bounds.max_bytes {
            return;
        }
        // More if the oldest chunk would not be empty when the youngest is full.
        let left = writer.closing.as_ref().map_or(0, Closing::left_bytes);
        let is_behind = left > 0 && arena.is_behind(left + 4 * bytes, bounds);
        let owed = if is_behind { 2 * bytes } else { arena.owed().min(2 * bytes) };
        let mut budget = Budget { patient: !is_behind, ..Budget::new(owed, terms.mean_worth) };
        self.evict(writer, arena, bounds, &mut budget);
        arena.pay(owed - budget.evict);
    }

    /// Inserts an entry for which there was no room: after a collection, and after evicting what it needs.
    #[cold]
    #[inline(never)]
    #[expect(clippy::too_many_arguments, reason = "those of the insertion, and why there was no room")]
    pub(super) fn insert_with_room(
        &self,
        thread: &'static Participant,
        writer: &mut Writer,
        short: Short,
        entry: &mut impl IntoEntry,
        hash: u64,
        replace: bool,
        terms: &Terms,
    ) -> std::result::Result<Option<Old>, Short> {
        let weight = entry.weight();
        self.with_room(writer, short, weight, hash, terms, || {
            self.try_insert_entry(thread, entry, hash, replace, terms)
        })
    }

    /// What `attempt` makes of `weight` bytes, for which there was no room: after a collection, and after evicting what
    /// it needs. Only for the writer.
    pub(super) fn with_room<T>(
        &self,
        writer: &mut Writer,
        short: Short,
        weight: u64,
        hash: u64,
        terms: &Terms,
        mut attempt: impl FnMut() -> std::result::Result<T, Short>,
    ) -> std::result::Result<T, Short> {
        let evicts = match short {
            Short::Exceeded(exceeded) => terms.bounds.evicts_at(exceeded),
            Short::Failed(_) => terms.bounds.evicts(),
        };
        let mut refused = short;
        if writer.refusals.may_free() {
            flush();
            match attempt() {
                Err(short) => refused = short,
                made => return made,
            }
        }
        let Some(arena) = self.arena.get_arc() else { return Err(refused) };
        // An entry for which all others would not make room evicts none.
        let most = match short {
            Short::Exceeded(Exceeded::Capacity) => terms.bounds.max_bytes,
            _ => arena.live(),
        };
        if !evicts || weight >= most || writer.refusals.is_in_vain(weight, self.changes(), &arena) {
            return Err(refused);
        }
        // Half of what it may evict is for the hand. If that empties no chunk, another entry of about this size makes
        // room at once.
        let mut budget = Budget::new(weight, terms.mean_worth);
        let mut found = false;
        for at_hand in [true, false] {
            let done = match at_hand {
                true => self.evict(writer, &arena, &terms.bounds, &mut budget),
                false => {
                    budget.evict += weight;
                    self.evict_near(&arena, hash, &terms.bounds, &mut budget)
                        || self.evict_fitting(&arena, weight, &terms.bounds, &mut budget)
                        || self.evict(writer, &arena, &terms.bounds, &mut budget)
                }
            };
            if !done {
                continue;
            }
            found = true;
            // What has left a chunk that others have not left is not retired yet. It has made a place in its segment.
            if retire::may_free() {
                flush();
            }
            match attempt() {
                Err(short) => refused = short,
                made => return made,
            }
        }
        writer.refusals.note(found, weight, self.changes(), &arena);
        Err(refused)
    }

    /// Evicts as many bytes as the budget has, at the hand. Returns whether it has found an entry, or emptied a chunk.
    fn evict(&self, writer: &mut Writer, arena: &TryArc<Arena>, bounds: &Bounds, budget: &mut Budget) -> bool {
        let mut done = false;
        // Large entries that are in use only by pins, or that survive.
        let (mut passed, mut closed, mut collected) = (0, 0, false);
        while budget.evict > 0 && passed < COPIES && closed < CHUNKS && (budget.has_copies() || !budget.patient) {
            let Some(closing) = &mut writer.closing else {
                match arena.oldest() {
                    Some(Oldest::Closed(closing)) => {
                        closed += 1;
                        writer.closing = Some(closing);
                    }
                    // A large entry, which stays in its chunk if it survives.
                    Some(Oldest::Single(entry)) => {
                        passed += 1;
                        done |= entry.is_some();
                        if let Some(entry) = entry
                            && !self.survives(entry, budget)
                        {
                            self.evict_alone(arena, entry, bounds, budget);
                        }
                    }
                    // Closed chunks may wait for a collection.
                    None if !collected && retire::may_free() => {
                        collected = true;
                        flush();
                    }
                    None => return done,
                }
                continue;
            };
            if let Some(entry) = closing.next()
                && (!self.survives(entry, budget) || self.move_entry(arena, entry, bounds, budget).is_err())
            {
                self.evict_entry(arena, entry, bounds, budget);
                done = true;
            }
            // Collected when stores need the room: sooner, more chunks would be closed, and more entries copied.
            done |= self.retire_if_left(writer, arena, u64::MAX);
        }
        done
    }

    /// Retires the closing chunk if all entries have left it; returns whether it did.
    fn retire_if_left(&self, writer: &mut Writer, arena: &TryArc<Arena>, most: u64) -> bool {
        match writer.closing.take_if(|closing| closing.is_left()) {
            Some(closing) => arena.retire(closing, most),
            None => return false,
        }
        true
    }

    /// Whether an entry is worth keeping at this visit. It loses the mark or a credit.
    fn survives(&self, entry: NonNull<Header>, budget: &Budget) -> bool {
        // SAFETY: the entry is in the table; the writer alone uses `credits`.
        let (access, credits) = unsafe { (&(*entry.as_ptr()).access, &(*entry.as_ptr()).credits) };
        if access.swap(UNTOUCHED, Ordering::Relaxed) == TOUCHED {
            credits.store(UNVISITED, Ordering::Relaxed);
            return budget.has_copies();
        }
        let left = match credits.load(Ordering::Relaxed) {
            UNVISITED => budget.credits(entry),
            left => left,
        };
        credits.store(left.saturating_sub(1), Ordering::Relaxed);
        left > 0 && budget.has_copies()
    }

    /// Moves entries out of a sparse chunk.
    #[cold]
    #[inline(never)]
    fn move_out(&self, writer: &mut Writer, arena: &TryArc<Arena>, bounds: &Bounds) {
        if writer.closing.is_none() {
            writer.closing = arena.close_sparse();
        }
        let mut budget = Budget::new(0, 0.0);
        while budget.has_copies() {
            let Some(closing) = &mut writer.closing else { return };
            if let Some(entry) = closing.next()
                && self.move_entry(arena, entry, bounds, &mut budget).is_err()
            {
                // There is no room for a copy: the entry stays, and is the next one again.
                closing.return_to(entry);
                return;
            }
            // Nobody may need the room, and no other chunk is closed meanwhile.
            self.retire_if_left(writer, arena, arena.most_closed().max(LEAST_CLOSED));
        }
    }

    /// Moves an entry to another chunk.
    fn move_entry(
        &self,
        arena: &TryArc<Arena>,
        entry: NonNull<Header>,
        bounds: &Bounds,
        budget: &mut Budget,
    ) -> std::result::Result<(), Short> {
        // SAFETY: the entry is in the table, and we are the writer.
        let (old, standing) = unsafe {
            let access = (*entry.as_ptr()).access.load(Ordering::Relaxed);
            let access = if bounds.evicts() { access & TOUCHED } else { UNTRACKED };
            let credits = (*entry.as_ptr()).credits.load(Ordering::Relaxed);
            (EntryRef::new(entry), Standing { access, credits, cost: cost_of(entry) })
        };
        let (bytes, lens) = (old.block_len(), (old.key_len() as u32, old.value_len() as u32));
        let new = Arena::block(arena, bytes, false, bounds, false, |block, units| {
            // SAFETY: the block is new, and has room for the header.
            unsafe { block.write(Header::new(lens.0, lens.1, IN_TABLE, units, standing)) };
        })?;
        // SAFETY: both blocks have this many bytes, and no other thread has the new one.
        unsafe {
            let (from, to) = (entry.as_ptr().cast::<u8>(), new.as_ptr().cast::<u8>());
            to.add(HEADER).copy_from_nonoverlapping(from.add(HEADER), bytes - HEADER);
        }
        let (segment, position, hash) = self.place_of(old);
        segment.replace(position, new, hash);
        budget.copies -= 1;
        budget.copied_bytes = budget.copied_bytes.saturating_sub(bytes as u64);
        Ok(())
    }

    /// Where an entry with the table's share is: in which segment, where there, by which hash. Only for the writer.
    fn place_of(&self, entry: EntryRef) -> (&Segment, Position, u64) {
        let key = Hashed::from(entry.key());
        let found = self.segment(key.hash()).and_then(|segment| Some((segment, segment.find(&key)?.0)));
        let (segment, position) = found.expect("an entry with the table's share is in the table");
        (segment, position, key.hash())
    }

    /// Evicts an entry of a closing chunk. It keeps the table's share, and is freed with the chunk.
    fn evict_entry(&self, arena: &TryArc<Arena>, entry: NonNull<Header>, bounds: &Bounds, budget: &mut Budget) {
        // SAFETY: the entry is in the table, and we are the writer.
        let (old, cost) = unsafe { (EntryRef::new(entry), cost_of(entry)) };
        let (segment, position, hash) = self.place_of(old);
        segment.remove(position, hash);
        self.shrink(hash, bounds);
        let weight = old.weight();
        arena.dismiss(weight);
        self.count_change(-1);
        self.evicted.add(Evicted { entries: 1, bytes: weight, cost });
        budget.evict = budget.evict.saturating_sub(weight);
    }

    /// Evicts an entry whose block is freed without its chunk.
    fn evict_alone(&self, arena: &TryArc<Arena>, entry: NonNull<Header>, bounds: &Bounds, budget: &mut Budget) {
        self.evict_entry(arena, entry, bounds, budget);
        // SAFETY: the entry is no longer in the table.
        unsafe {
            count_table_share(entry);
            retire_entry(entry, bounds);
        }
    }

    /// Evicts an entry from the bucket of this hash, if its segment is so full that it takes no entry more and cannot
    /// grow. Returns whether it did.
    fn evict_near(&self, arena: &TryArc<Arena>, hash: u64, bounds: &Bounds, budget: &mut Budget) -> bool {
        let Some(segment) = self.segment(hash).filter(|segment| segment.is_overfull()) else { return false };
        let rank = |entry: &NonNull<Header>| {
            // SAFETY: entries of the segment are in the table.
            let header = unsafe { &*entry.as_ptr() };
            let touched = header.access.load(Ordering::Relaxed) == TOUCHED;
            (touched, header.credits.load(Ordering::Relaxed))
        };
        // SAFETY: as above: an entry in a closing chunk is freed with it.
        let is_alone = |entry: &NonNull<Header>| unsafe { Chunk::is_listed(Chunk::of(*entry)) };
        let Some(entry) = segment.entries_near(hash).filter(is_alone).min_by_key(rank) else { return false };
        self.evict_alone(arena, entry, bounds, budget);
        true
    }

    /// Evicts a single entry that leaves room for one of this weight. Returns whether it did.
    fn evict_fitting(&self, arena: &TryArc<Arena>, weight: u64, bounds: &Bounds, budget: &mut Budget) -> bool {
        let survives = |entry| self.survives(entry, budget);
        let Some(entry) = arena.next_fitting(weight, budget.evict, survives) else { return false };
        self.evict_alone(arena, entry, bounds, budget);
        true
    }
}

/// The credits of an entry that is worth this many means: none below three, one below four, and so on.
fn credits_for(means: f32) -> u8 {
    // Not a number if nothing is known, or nothing takes time: the conversion makes it 0.
    (means - NO_CREDIT).clamp(0.0, CREDITS) as u8
}

/// The cost of an entry in the table.
///
/// # Safety
/// The caller is the table's writer.
pub(super) unsafe fn cost_of(entry: NonNull<Header>) -> u64 {
    // SAFETY: the caller's promise: the link has the cost.
    unsafe { (*entry.as_ptr()).link.next.addr() as u64 }
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    use super::*;

    #[test]
    fn credits_begin_at_three_means_and_end() {
        let known = [(0.0, 0), (1.0, 0), (2.9, 0), (3.0, 1), (3.9, 1), (4.0, 2), (60.5, 58), (1e9, 63)];
        known.iter().for_each(|&(means, credits)| assert_eq!(credits_for(means), credits, "{means}"));
        assert_eq!(credits_for(f32::NAN), 0);
        assert_eq!(credits_for(f32::INFINITY), 63);
    }
}
