//! Single flight between processes: of many that miss a key, one computes it, and the others wait.
//!
//! On one host, locks decide (`claims.rs`). If there may be other hosts, whose locks do not reach this one, leases
//! decide too (`leases.rs`). A file system that can have neither makes everybody compute: work is done twice, and
//! nobody waits.

use super::checksum::checksum;
use super::claims::Claimed;
use super::failure::Outcome;
use super::format::RecordKey;
use super::space::Space;

impl Space {
    /// Claims the computation of a key. If that is granted, what others have stored until now is known.
    pub fn claim(&self, key: &[u8], computation: u64) -> Claimed {
        if self.options.read_only {
            return Claimed::Unavailable;
        }
        let number = self.number(key);
        let claimed = self.watch(self.claims.claim(number, computation)).unwrap_or(Claimed::Unavailable);
        let claimed = match (claimed, self.options.lease) {
            (Claimed::Futile, _) | (_, None) => claimed,
            (_, Some(time)) => {
                let lock = (claimed != Claimed::Unavailable).then_some(claimed == Claimed::Granted);
                match self.watch(self.leases.take(number, computation, time, lock)) {
                    Ok(true) => Claimed::Granted,
                    Ok(false) => {
                        self.end_claim(number, computation, false);
                        Claimed::Taken
                    }
                    Err(_) => claimed,
                }
            }
        };
        if claimed == Claimed::Granted {
            // If it fails, the value is computed.
            let _ = self.watch(self.refresh());
        }
        claimed
    }

    /// Whether another computation has claimed a key. If not, what others have stored until now is known.
    pub fn is_claimed(&self, key: &[u8]) -> bool {
        if self.options.read_only {
            return false;
        }
        let number = self.number(key);
        let is_locked = self.watch(self.claims.is_claimed(number)).unwrap_or(false);
        let is_claimed = match self.options.lease {
            None => is_locked,
            Some(_) => self.watch(self.leases.is_of_other_host(number)).ok().flatten().unwrap_or(is_locked),
        };
        if !is_claimed {
            let _ = self.watch(self.refresh());
        }
        is_claimed
    }

    /// Whether a claim was lost: the lease has expired and another has it, or somebody removed the key or all values.
    pub fn has_lost(&self, key: &[u8], computation: u64) -> bool {
        self.options.lease.is_some() && self.watch(self.leases.has_lost(self.number(key), computation)).unwrap_or(false)
    }

    /// Ends a claim. If the value could not be stored, it is `futile` that others wait for their turns.
    pub fn release(&self, key: &[u8], computation: u64, futile: bool) {
        let number = self.number(key);
        if self.options.lease.is_some() {
            let _ = self.watch(self.leases.release(number, computation));
        }
        self.end_claim(number, computation, futile);
    }

    /// Ends the lease of a key, whoever has it.
    pub(super) fn end_lease(&self, key: &[u8]) -> Outcome<()> {
        match self.options.lease {
            Some(_) => self.leases.remove(self.number(key)),
            None => Ok(()),
        }
    }

    fn end_claim(&self, number: u64, computation: u64, futile: bool) {
        let _ = self.watch(self.claims.release(number, computation, futile));
    }

    /// The number of a key's claim: one in 2^62.
    fn number(&self, key: &[u8]) -> u64 {
        let seed = u64::from_le_bytes(*self.digest.first_chunk().expect("32 bytes"));
        checksum(seed, RecordKey::of(key).bytes()) >> 2
    }
}
