//! An owner of computations and waits: a thread of this process, or a task of the caller.

use std::num::NonZeroU64;

use crate::epoch::{Participant, thread_number};
use crate::error::{Error, Result};

/// An owner of computations and waits: a thread of this process, or a task of the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Owner(NonZeroU64);

impl Owner {
    /// Marks owners that are threads; thread numbers are below it.
    const THREAD: NonZeroU64 = NonZeroU64::new(1 << 63).unwrap();

    /// The calling thread.
    pub fn this_thread() -> Self {
        Owner(Self::THREAD | thread_number())
    }

    /// The calling thread, whose participant this is.
    #[inline(always)]
    pub fn thread(participant: &Participant) -> Self {
        Owner(Self::THREAD | participant.number())
    }

    /// The task with this number; 0 is the calling thread.
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

    /// A hash that scatters consecutive numbers, also in the top bits, which hash tables use.
    pub(super) fn hash(self) -> u64 {
        let product = u128::from(self.number()) * 0x9E37_79B9_7F4A_7C15;
        product as u64 ^ (product >> 64) as u64
    }
}
