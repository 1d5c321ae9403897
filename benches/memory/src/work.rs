//! The work of a long run: results are looked up, computed on a miss, some removed, once all cleared.
//!
//! Results are numbered in the order in which they first come up. Most lookups are for one of the newest, so the
//! working set moves; some are for results of long ago, and some for a few that are of use throughout. Sizes drift up
//! and down: values of one moment are within a factor of four above and below a middle that moves between 256 bytes and
//! 2 KiB.

use std::f64::consts::TAU;

use crate::random::Random;

/// The number of a result.
pub type Id = u64;

#[derive(Clone, Copy)]
pub enum Step {
    /// Looks a result up, and stores it on a miss.
    Look(Id),
    /// Removes a result that is out of date.
    Remove(Id),
    Clear,
}

pub struct Entry {
    pub value_len: usize,
    /// The nanoseconds of its computation.
    pub cost: f64,
}

/// The lookups per new result.
const LOOKUPS: u64 = 24;

/// The results of a run, in working sets.
const WORKING_SETS: u64 = 16;
/// How far back a lookup may reach, in working sets.
const REACH: u64 = 8;

/// The results that are of use throughout.
const LASTING: u64 = 2_000;

/// One result in this many is removed, three working sets after it came up.
const REMOVED: u64 = 4;

/// How often sizes drift up and down again.
const CYCLES: f64 = 3.0;
const SMALLEST: f64 = 64.0;
const LARGEST: f64 = 8192.0;

/// The spread of costs, which are lognormal and independent of size: a twentieth costs more than 27 times the median.
const SIGMA: f64 = 2.0;
const MEDIAN_NS: f64 = 1e5;

pub struct Work {
    /// The results that come up in the run.
    results: u64,
    random: Random,
    /// The lookups done.
    at: u64,
    /// Whether each result would be in unlimited memory.
    stored: Vec<bool>,
    /// The lookup after the step that was returned last.
    pending: Option<Step>,
    value: Vec<u8>,
}

impl Work {
    pub fn new(results: u64) -> Self {
        // Written to, so that it is resident from the beginning.
        let mut stored = vec![true; results as usize];
        stored.fill(false);
        Work { results, random: Random::new(1), at: 0, stored, pending: None, value: vec![7; LARGEST as usize] }
    }

    pub fn lookups(&self) -> u64 {
        self.results * LOOKUPS
    }

    /// The number of lookups before the cache is cleared.
    pub fn clear_at(&self) -> u64 {
        self.lookups() / 3 * 2
    }

    /// The next step; None at the end.
    pub fn next_step(&mut self) -> Option<Step> {
        if let Some(look) = self.pending.take() {
            return Some(look);
        }
        if self.at == self.lookups() {
            return None;
        }
        let newest = self.at / LOOKUPS;
        let (before, look) = (self.before(newest), Step::Look(self.pick(newest)));
        self.at += 1;
        if before.is_some() {
            self.pending = Some(look);
        }
        before.or(Some(look))
    }

    /// What comes before the next lookup.
    fn before(&mut self, newest: Id) -> Option<Step> {
        if self.at == self.clear_at() {
            self.stored.fill(false);
            return Some(Step::Clear);
        }
        if !self.at.is_multiple_of(LOOKUPS * REMOVED) {
            return None;
        }
        let old = newest.checked_sub(3 * self.working_set())?;
        self.stored[old as usize] = false;
        Some(Step::Remove(old))
    }

    fn working_set(&self) -> u64 {
        self.results / WORKING_SETS
    }

    /// The result that is looked up while `newest` is the newest.
    fn pick(&mut self, newest: Id) -> Id {
        let back = match self.random.below(100) {
            // The newer, the more often.
            0..70 => self.below(self.working_set()).min(self.below(self.working_set())),
            70..90 => self.below(REACH * self.working_set()),
            _ => return self.below(LASTING.min(newest + 1)),
        };
        newest.checked_sub(back).unwrap_or_else(|| self.below(newest + 1))
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.random.below(bound as usize) as u64
    }

    /// Notes that a result is computed; returns whether unlimited memory would have it already.
    pub fn mark_stored(&mut self, id: Id) -> bool {
        std::mem::replace(&mut self.stored[id as usize], true)
    }

    pub fn entry(&self, id: Id) -> Entry {
        let mut random = Random::new(Random::new(id).next());
        // Between -1 and 1.
        let drift = -(id as f64 / self.results as f64 * CYCLES * TAU).cos();
        let spread = random.below(1001) as f64 / 500.0 - 1.0;
        let middle = (SMALLEST * LARGEST).sqrt();
        let value_len = middle * 2f64.powf(1.5 * drift + 2.0 * spread);
        Entry { value_len: value_len as usize, cost: MEDIAN_NS * (SIGMA * random.normal()).exp() }
    }

    /// The bytes of a result.
    pub fn value(&self, entry: &Entry) -> &[u8] {
        &self.value[..entry.value_len]
    }
}
