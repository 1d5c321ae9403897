//! The exact number of bytes that one cache holds, including its overhead, and the bounds of its growth.

use std::sync::atomic::{AtomicU64, Ordering};

use super::{held, limit};

/// What a cache may hold.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// The bytes that its account may reach.
    pub max_bytes: u64,
    /// The percentage of the process's memory up to which the process may be filled.
    pub percent: f64,
    /// Whether the cache evicts entries when it reaches `max_bytes`.
    pub evicts_at_max: bool,
    /// Whether it evicts entries when the process has reached its limit.
    pub evicts_at_limit: bool,
}

impl Bounds {
    /// No bounds but the system's walls.
    pub const NONE: Bounds =
        Bounds { max_bytes: u64::MAX, percent: limit::UNLIMITED, evicts_at_max: false, evicts_at_limit: false };

    /// Whether the cache evicts entries when this bound is reached.
    pub fn evicts_at(&self, exceeded: Exceeded) -> bool {
        match exceeded {
            Exceeded::Capacity => self.evicts_at_max,
            Exceeded::Memory => self.evicts_at_limit,
        }
    }

    /// Whether the cache ever evicts entries.
    pub fn evicts(&self) -> bool {
        self.evicts_at_max || self.evicts_at_limit
    }
}

/// By how much a cache that evicts may make the process exceed its limit: it needs something of its own to evict.
const BEYOND: f64 = 1.005;

/// The bytes of such a cache that may exceed the limit. Caches that have filled the memory may be idle for long, and
/// would otherwise leave a new one without an entry.
const LEAST: u64 = 128 << 10;

impl Bounds {
    /// These bounds with a limit of the process that is a little higher.
    pub fn beyond(&self) -> Bounds {
        Bounds { percent: self.percent * BEYOND, ..*self }
    }
}

/// The bound that growth would exceed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exceeded {
    /// The cache's `max_bytes`.
    Capacity,
    /// The memory of the process.
    Memory,
}

/// The bytes that one cache holds: the chunks of its entries, and the memory of its table.
///
/// A replaced or removed entry is part of its chunk until it is freed, after its last pin.
#[derive(Debug, Default)]
pub struct Account {
    bytes: AtomicU64,
}

impl Account {
    /// Bytes held now.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Whether `bytes` more would not exceed `max_bytes`.
    pub fn fits(&self, bytes: u64, max_bytes: u64) -> bool {
        self.bytes().saturating_add(bytes) <= max_bytes
    }

    /// Whether it holds so little that the process's limit need not make it less.
    pub fn is_little(&self) -> bool {
        self.fits(0, LEAST)
    }

    /// Whether the process has room for `bytes` more.
    pub fn has_room(&self, bytes: u64, bounds: &Bounds) -> bool {
        limit::has_room(bytes, self.percent(bytes, bounds))
    }

    /// The percentage up to which growth by `bytes` may fill the memory.
    fn percent(&self, bytes: u64, bounds: &Bounds) -> f64 {
        let is_little = bounds.evicts_at_limit && self.fits(bytes, LEAST);
        if is_little { bounds.beyond().percent } else { bounds.percent }
    }

    /// Adds `bytes`, unless a bound would be exceeded.
    pub fn grow(&self, bytes: u64, bounds: &Bounds) -> Result<(), Exceeded> {
        self.grow_with(bytes, bounds, || Some(())).map(drop)
    }

    /// As [`Account::grow`], for memory that `allocate` allocates and occupies; None if it fails.
    ///
    /// The sum over all caches has the bytes as a claim first, so that threads that grow different caches never exceed
    /// the process's limit together, and counts them as held when the process occupies them: a sample of its size in
    /// between takes them for memory outside caches, which is the safe side.
    pub fn grow_with<T>(
        &self,
        bytes: u64,
        bounds: &Bounds,
        allocate: impl FnOnce() -> Option<T>,
    ) -> Result<Option<T>, Exceeded> {
        if !self.fits(bytes, bounds.max_bytes) {
            return Err(Exceeded::Capacity);
        }
        let _claim = limit::claim(bytes, self.percent(bytes, bounds)).ok_or(Exceeded::Memory)?;
        // Compared before it is added, so no thread ever sees more than the bound.
        let more = |before: u64| before.checked_add(bytes).filter(|sum| *sum <= bounds.max_bytes);
        self.bytes.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).map_err(|_| Exceeded::Capacity)?;
        let made = allocate();
        match made {
            Some(_) => held::add(bytes as i64),
            None => _ = self.bytes.fetch_sub(bytes, Ordering::Relaxed),
        }
        Ok(made)
    }

    /// Subtracts `bytes` that were added before.
    pub fn shrink(&self, bytes: u64) {
        self.bytes.fetch_sub(bytes, Ordering::Relaxed);
        held::add(-(bytes as i64));
    }
}

/// The bytes that a block of `size` takes in the heap. glibc's malloc puts one word before a block and rounds the sum
/// up to 16, with a minimum of 32. Other allocators round otherwise, within a few bytes of this.
pub(crate) fn heap_bytes(size: usize) -> u64 {
    ((size as u64 + 8 + 15) & !15).max(32)
}
