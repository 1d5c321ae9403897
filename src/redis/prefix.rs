//! All keys that begin with a prefix: counted and removed by SCAN and UNLINK, in steps that never hold the server up.
//!
//! Each step is an operation of its own, with its own deadline: a million keys take many steps, and a server that fails
//! in one of them ends them all. Keys that come or go meanwhile may be seen or not; those that stay are.

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};

use super::batch::Unlink;
use super::failure::Answer;
use super::node::Node;
use super::server::Server;

/// How many of its keys the server looks at in one step.
const STEP: u32 = 1000;

impl Server {
    /// How many keys begin with `prefix`.
    pub fn count_prefix(&self, prefix: &[u8]) -> Answer<u64> {
        // A server that reorders its table may name a key twice.
        let (mut seen, hasher) = (HashSet::new(), RandomState::new());
        self.scan_prefix(prefix, &mut |keys| {
            seen.extend(keys.iter().map(|key| hasher.hash_one(key)));
            Ok(())
        })?;
        Ok(seen.len() as u64)
    }

    /// Removes all keys that begin with `prefix`; tells how many there were.
    pub fn remove_prefix(&self, prefix: &[u8]) -> Answer<u64> {
        let mut removed = 0;
        self.scan_prefix(prefix, &mut |keys| {
            let mut unlink = Unlink { keys, removed: 0 };
            let (_, failure) = self.exchange("UNLINK", keys, &mut unlink);
            removed += unlink.removed;
            failure.map_or(Ok(()), Err)
        })?;
        Ok(removed)
    }

    /// Gives the keys that begin with `prefix`, as many at a time as the server finds in one step; some perhaps twice.
    pub fn scan_prefix(&self, prefix: &[u8], each: &mut dyn FnMut(&[&[u8]]) -> Answer<()>) -> Answer<()> {
        let pattern = pattern(prefix);
        for node in self.nodes(self.operation("SCAN", true))? {
            let mut cursor = 0;
            loop {
                let (next, keys) = self.step(&node, cursor, &pattern)?;
                let keys: Vec<&[u8]> = keys.iter().map(Vec::as_slice).filter(|key| key.starts_with(prefix)).collect();
                each(&keys)?;
                cursor = next;
                if cursor == 0 {
                    break;
                }
            }
        }
        Ok(())
    }

    fn step(&self, node: &Node, cursor: u64, pattern: &[u8]) -> Answer<(u64, Vec<Vec<u8>>)> {
        node.call(self.operation("SCAN", true), |connection| {
            let mut scan = ::redis::cmd("SCAN");
            scan.arg(cursor).arg("MATCH").arg(pattern).arg("COUNT").arg(STEP).query(connection)
        })
    }
}

/// The pattern that matches what begins with `prefix`, whatever its bytes.
fn pattern(prefix: &[u8]) -> Vec<u8> {
    let mut pattern = Vec::with_capacity(prefix.len() + 1);
    for &byte in prefix {
        if matches!(byte, b'*' | b'?' | b'[' | b']' | b'\\') {
            pattern.push(b'\\');
        }
        pattern.push(byte);
    }
    pattern.push(b'*');
    pattern
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_patterns_give_a_meaning_to_is_escaped() {
        assert_eq!(pattern(b""), b"*");
        assert_eq!(pattern(b"lab-7:{ab}^\0\xff"), b"lab-7:{ab}^\0\xff*");
        assert_eq!(pattern(b"a*b?[c]\\"), b"a\\*b\\?\\[c\\]\\\\*");
    }
}
