//! CLOCK over chunks: a model of what phicache does.
//!
//! Entries are written into the newest chunk. The oldest is walked in the order of addresses: an entry that was used,
//! or that has credits left, is copied to the newest chunk; the others are evicted. A chunk that was walked to its end
//! is free. Credits come from cost: an entry of twice the mean cost per byte has one, of four times two, and so on. An
//! entry that was used gets its credits anew; one that was not spends one.
//!
//! Left out: headers of chunks, the table's granularity, readers that keep evicted entries for a while.

use std::collections::VecDeque;

use super::Policy;
use crate::size::TABLE_SHARE;
use crate::work::{Entry, Id};

/// A chunk's part of the limit, and its bounds in bytes.
const PART: f64 = 32.0;
const SMALLEST: f64 = 256.0;
const LARGEST: f64 = 65536.0;

/// Cost per byte, in means, for each credit.
const THRESHOLD: f64 = 2.0;
/// The weight of a store in the running means.
const WEIGHT: f64 = 1.0 / 64.0;

/// What one store may copy, and how many times the room that it needs it may evict.
const COPIES: usize = 64;
const COPIED: u64 = 65536;
const EVICTED: f64 = 2.0;

pub struct Chunks {
    limit: f64,
    most_credits: u32,
    /// The size of a chunk.
    size: u64,
    /// The bytes of all chunks, and the entries' shares of the table.
    bytes: f64,
    /// From old to young; the first is being walked if it is closed.
    chunks: VecDeque<Chunk>,
    resident: Vec<Option<Resident>>,
    mean_cost: f64,
    mean_bytes: f64,
    stores: f64,
}

struct Chunk {
    size: u64,
    used: u64,
    /// Its entries that have not been walked.
    entries: VecDeque<Id>,
    closed: bool,
}

struct Resident {
    entry: Entry,
    used: bool,
    credits: u32,
}

/// What is left for one store to do.
struct Budget {
    copies: usize,
    copied: u64,
    evicted: f64,
}

impl Chunks {
    pub fn new(most_credits: u32, limit: f64, entries: usize) -> Self {
        Chunks {
            limit,
            most_credits,
            size: (limit / PART).clamp(SMALLEST, LARGEST) as u64 & !15,
            bytes: 0.0,
            chunks: VecDeque::new(),
            resident: (0..entries).map(|_| None).collect(),
            mean_cost: 0.0,
            mean_bytes: 0.0,
            stores: 0.0,
        }
    }

    /// The size of a new chunk for a block: half of the usual size will do when the limit is near.
    fn new_size(&self, block: u64) -> Option<u64> {
        let left = (self.limit - self.bytes - TABLE_SHARE).max(0.0) as u64 & !15;
        let size = self.size.max(block);
        if size <= left {
            return Some(size);
        }
        (left >= block && left >= self.size / 2).then_some(left)
    }

    /// The bytes that can be written before something must be freed.
    fn room(&self) -> f64 {
        let left = (self.limit - self.bytes).max(0.0);
        let size = self.size as f64;
        let whole = (left / size).floor() * size;
        let rest = if left - whole >= size / 2.0 { left - whole } else { 0.0 };
        let newest = self.chunks.back().filter(|chunk| !chunk.closed).map_or(0, |chunk| chunk.size - chunk.used);
        whole + rest + newest as f64
    }

    /// Writes a block into the newest chunk, or a new one.
    fn write(&mut self, id: Id, block: u64) -> bool {
        if self.bytes + TABLE_SHARE > self.limit {
            return false;
        }
        if self.chunks.back().is_none_or(|chunk| chunk.closed || chunk.size - chunk.used < block) {
            let Some(size) = self.new_size(block) else { return false };
            self.bytes += size as f64;
            self.chunks.push_back(Chunk { size, used: 0, entries: VecDeque::new(), closed: false });
        }
        let chunk = self.chunks.back_mut().expect("there is a chunk");
        chunk.used += block;
        chunk.entries.push_back(id);
        true
    }

    /// Walks over one entry of the oldest chunk, or frees it at its end. False if there is no chunk.
    fn walk(&mut self, budget: &mut Budget) -> bool {
        let Some(oldest) = self.chunks.front_mut() else { return false };
        oldest.closed = true;
        let Some(id) = oldest.entries.pop_front() else {
            self.bytes -= oldest.size as f64;
            self.chunks.pop_front();
            return true;
        };
        let (survives, block) = self.survives(id);
        if survives && budget.copies > 0 && budget.copied >= block && self.write(id, block) {
            budget.copies -= 1;
            budget.copied -= block;
            return true;
        }
        self.resident[id] = None;
        self.bytes -= TABLE_SHARE;
        budget.evicted -= block as f64 + TABLE_SHARE;
        true
    }

    fn survives(&mut self, id: Id) -> (bool, u64) {
        let mut resident = self.resident[id].take().expect("a chunk's entries are resident");
        let survives = resident.used || resident.credits > 0;
        if std::mem::take(&mut resident.used) {
            resident.credits = self.credits(&resident.entry);
        } else {
            resident.credits = resident.credits.saturating_sub(1);
        }
        let block = resident.entry.block;
        self.resident[id] = Some(resident);
        (survives, block)
    }

    fn credits(&self, entry: &Entry) -> u32 {
        let means = entry.cost / entry.block as f64 * self.mean_bytes / self.mean_cost;
        ((means / THRESHOLD) as u32).min(self.most_credits)
    }

    /// Counts a store's cost and bytes in the means: their quotient is the mean cost per byte.
    fn count(&mut self, entry: &Entry) {
        self.stores += 1.0;
        let weight = WEIGHT.max(1.0 / self.stores);
        self.mean_cost += weight * (entry.cost - self.mean_cost);
        self.mean_bytes += weight * (entry.block as f64 - self.mean_bytes);
    }
}

impl Policy for Chunks {
    fn get(&mut self, id: Id) -> bool {
        let Some(resident) = &mut self.resident[id] else { return false };
        resident.used = true;
        true
    }

    fn set(&mut self, id: Id, entry: &Entry) {
        self.count(entry);
        if entry.bytes() > self.limit {
            return;
        }
        // A chunk of room is kept for what survives of the oldest.
        let room = self.size as f64 + entry.bytes();
        let mut budget = Budget { copies: COPIES, copied: COPIED, evicted: EVICTED * entry.bytes() };
        while self.room() < room && budget.evicted > 0.0 && self.walk(&mut budget) {}
        budget.evicted = budget.evicted.max(entry.bytes());
        while !self.write(id, entry.block) {
            if budget.evicted <= 0.0 || !self.walk(&mut budget) {
                return;
            }
        }
        self.bytes += TABLE_SHARE;
        self.resident[id] = Some(Resident { entry: *entry, used: false, credits: self.credits(entry) });
    }
}
