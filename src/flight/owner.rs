//! Who computes or waits: a thread of this process, or a task of the caller's.

use std::num::NonZeroU64;

use crate::epoch::thread_number;
use crate::error::{Error, Result};

/// Who computes or waits: a thread of this process, or a task of the caller's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Owner(NonZeroU64);

impl Owner {
    /// Owners with this bit are threads; their own numbers are far below.
    const THREAD: NonZeroU64 = NonZeroU64::new(1 << 63).unwrap();

    /// The thread that asks.
    pub fn this_thread() -> Self {
        Owner(Self::THREAD | thread_number())
    }

    /// The task of this number; 0 is the thread that asks.
    pub fn from_number(number: u64) -> Result<Self> {
        match NonZeroU64::new(number) {
            None => Ok(Self::this_thread()),
            Some(number) if number < Self::THREAD => Ok(Owner(number)),
            Some(number) => Err(Error::invalid(format!("owner {number}: task numbers must be below 2^63"))),
        }
    }

    /// The owner with this number.
    pub(super) fn of(number: NonZeroU64) -> Self {
        Owner(number)
    }

    /// A number that no other owner has; not 0.
    pub(super) fn number(self) -> u64 {
        self.0.get()
    }

    /// A hash: tasks are numbered consecutively, and hash tables use the top bits too.
    pub(super) fn hash(self) -> u64 {
        let product = u128::from(self.number()) * 0x9E37_79B9_7F4A_7C15;
        product as u64 ^ (product >> 64) as u64
    }
}
