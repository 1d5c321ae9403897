//! The memory of the process at one moment, as far as it can be read.

use std::ops::BitOr;

/// The memory of the process at one moment.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Usage {
    /// Bytes of physical memory that the process occupies, if known; at least what caches hold.
    pub resident: u64,
    /// Bytes it may occupy: the lowest of the physical memory and the limits of its control groups; 0 if never known.
    pub limit: u64,
    /// Bytes of physical memory of the machine; 0 if never known.
    pub physical: u64,
    /// Bytes held by all caches of the process.
    pub held: u64,
    /// Bytes that caches may take before they reach a wall; `u64::MAX` if there is no wall.
    pub room: u64,
    /// Which figures could be read just now.
    pub known: Known,
}

impl Usage {
    /// The resident size as a percentage of what the process may use; 0 if that is not known.
    pub fn percent(&self) -> f64 {
        if self.limit == 0 { 0.0 } else { self.resident as f64 / self.limit as f64 * 100.0 }
    }
}

/// A limit on the memory of the process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limit {
    /// What limits it: the physical memory, a file of a control group, or a resource limit.
    pub name: String,
    /// The limit in bytes; `u64::MAX` means unlimited.
    pub bytes: u64,
    /// The bytes that it counts now.
    pub used: u64,
    /// The bytes that caches may still take until this limit stops them; `u64::MAX` if it never does.
    pub room: u64,
}

/// A set of figures that could be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Known(pub u32);

impl Known {
    /// The sizes of the process: resident, address space, data.
    pub const SIZES: Known = Known(1);
    /// The physical memory.
    pub const PHYSICAL: Known = Known(2);
    /// The limits of all control groups.
    pub const GROUP_LIMITS: Known = Known(4);
    /// The use of all control groups that have a limit.
    pub const GROUP_USAGE: Known = Known(8);
    /// The limits of the address space and the data.
    pub const PROCESS_LIMITS: Known = Known(16);

    /// This, or the empty set.
    pub(super) fn when(self, known: bool) -> Known {
        if known { self } else { Known(0) }
    }
}

impl BitOr for Known {
    type Output = Known;

    fn bitor(self, other: Known) -> Known {
        Known(self.0 | other.0)
    }
}
