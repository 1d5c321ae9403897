//! What a full cache does with a new value: refuse it, or evict others.

use crate::config::OnFull;

/// Whether a cache evicts, for each of the two limits that it may reach. Where it does not evict, it refuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Full {
    /// At its own `max_bytes`.
    pub evicts_at_capacity: bool,
    /// At the process's memory limit.
    pub evicts_at_limit: bool,
}

impl Full {
    /// The meaning of a choice. Left open, a cache with a limit of its own evicts there, and refuses at the process's
    /// limit, as PyPhi does. A cache of copies evicts at both: what it loses is still elsewhere.
    pub fn resolve(choice: OnFull, holds_copies: bool) -> Self {
        match choice {
            OnFull::Configured => Full { evicts_at_capacity: true, evicts_at_limit: holds_copies },
            OnFull::Refuse => Full { evicts_at_capacity: false, evicts_at_limit: false },
            OnFull::Evict => Full { evicts_at_capacity: true, evicts_at_limit: true },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn left_open_a_cache_evicts_at_its_own_limit_and_copies_at_both() {
        let resolve = |choice, holds_copies| {
            let full = Full::resolve(choice, holds_copies);
            (full.evicts_at_capacity, full.evicts_at_limit)
        };
        assert_eq!(resolve(OnFull::Configured, false), (true, false));
        assert_eq!(resolve(OnFull::Configured, true), (true, true));
        for holds_copies in [false, true] {
            assert_eq!(resolve(OnFull::Refuse, holds_copies), (false, false));
            assert_eq!(resolve(OnFull::Evict, holds_copies), (true, true));
        }
    }
}
