//! Which records this process has read lately, nearly: a bit for each of 65,536 classes of hashes.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

const WORDS: usize = 1024;

/// The bits.
pub struct ReadFilter(Box<[AtomicU64]>);

impl ReadFilter {
    /// No bit is set.
    pub fn new() -> Self {
        ReadFilter((0..WORDS).map(|_| AtomicU64::new(0)).collect())
    }

    /// Notes that the record of a hash was read.
    pub fn note(&self, hash: u64) {
        let (word, bit) = Self::place(hash);
        if self.0[word].load(Relaxed) & bit == 0 {
            self.0[word].fetch_or(bit, Relaxed);
        }
    }

    /// Whether the record of a hash was read, or one of the same class.
    pub fn has(&self, hash: u64) -> bool {
        let (word, bit) = Self::place(hash);
        self.0[word].load(Relaxed) & bit != 0
    }

    /// Forgets all reads.
    pub fn clear(&self) {
        self.0.iter().for_each(|word| word.store(0, Relaxed));
    }

    fn place(hash: u64) -> (usize, u64) {
        let class = (hash >> 48) as usize;
        (class / 64, 1 << (class % 64))
    }
}
