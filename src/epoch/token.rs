//! A thread's token, by which it owns locks (`biased.rs`).
//!
//! One token is for all locks of a thread, so that a thread that hands a thousand caches to others is revoked once: its
//! other locks get its next token when it uses them again. After [`Token::MOST`] tokens a thread owns no more locks.

use std::time::Duration;

use crate::sync::atomic::{AtomicU32, Ordering};

/// The bits of a token that count; those above are the participant's id.
const COUNT: u32 = 8;

/// The token that a participant has now.
pub(super) struct Token {
    now: AtomicU32,
    /// Tokens below this one are revoked, and all threads have passed a barrier since.
    passed: AtomicU32,
}

/// The id of the participant that has, or had, a token.
pub(super) fn owner_of(token: u32) -> u32 {
    token >> COUNT
}

impl Token {
    /// Tokens that a thread gets, one after the other.
    pub(super) const MOST: u32 = if cfg!(shuttle) { 2 } else { 16 };

    /// The token of threads that own no locks.
    pub(super) const NONE: u32 = 1;

    /// The first token of a participant.
    pub(super) const fn new(id: u32) -> Self {
        // The spare participant and those beyond all bounds own no locks.
        let has_one = id != 0 && id < u32::MAX >> COUNT;
        Token { now: AtomicU32::new(if has_one { id << COUNT } else { Self::NONE }), passed: AtomicU32::new(0) }
    }

    #[inline(always)]
    pub(super) fn now(&self) -> u32 {
        self.now.load(Ordering::Relaxed)
    }

    /// Gives the participant its next token in place of this one. Afterwards its thread is outside all locks that it
    /// owns by this token, or shows that it is inside. `barrier` makes all threads pass one; it returns whether they
    /// have.
    pub(super) fn revoke(&self, token: u32, barrier: fn() -> bool) {
        let next = token + 1;
        let next = if next & ((1 << COUNT) - 1) == Self::MOST { Self::NONE } else { next };
        // Another thread may have been first, and not have passed the barrier yet.
        let _ = self.now.compare_exchange(token, next, Ordering::AcqRel, Ordering::Relaxed);
        while self.passed.load(Ordering::Acquire) <= token {
            if barrier() {
                self.passed.fetch_max(token + 1, Ordering::AcqRel);
            } else {
                // The system has just forbidden the barrier (`barrier.rs`); a second later it is not needed.
                std::thread::sleep(Duration::from_millis(1));
            }
        }
    }

    /// Whether none was revoked yet.
    #[cfg(test)]
    pub(super) fn is_first(&self) -> bool {
        self.now() & ((1 << COUNT) - 1) == 0
    }
}
