//! All keys with a prefix: counted and removed by SCAN and UNLINK, in steps that do not block the server.
//!
//! Each step is an operation with a deadline of its own. All steps together have one, too, so that an endless scan is
//! given up: a million keys take about a thousand steps. A step that fails ends the scan, and so does a cursor that is
//! returned twice, because it would repeat forever. Keys that are added or removed meanwhile may be seen or not; all
//! other keys are.

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};

use resp::Value;

use super::batch::Unlink;
use super::failure::{Answer, Cause, Failure};
use super::node::Node;
use super::server::Server;
use super::socket::Deadline;

/// The number of keys that the server visits in one step.
const STEP: u32 = 1000;

impl Server {
    /// The number of keys with `prefix`.
    pub fn count_prefix(&self, prefix: &[u8], deadline: Deadline) -> Answer<u64> {
        // A server that resizes its table may return a key twice.
        let (mut seen, hasher) = (HashSet::new(), RandomState::new());
        self.scan_prefix(prefix, deadline, &mut |keys| {
            seen.extend(keys.iter().map(|key| hasher.hash_one(key)));
            Ok(())
        })?;
        Ok(seen.len() as u64)
    }

    /// Removes all keys with `prefix`; returns how many there were.
    pub fn remove_prefix(&self, prefix: &[u8], deadline: Deadline) -> Answer<u64> {
        let mut removed = 0;
        self.scan_prefix(prefix, deadline, &mut |keys| {
            let mut unlink = Unlink { keys, removed: 0 };
            let (_, failure) = self.exchange("UNLINK", keys, &mut unlink);
            removed += unlink.removed;
            failure.map_or(Ok(()), Err)
        })?;
        Ok(removed)
    }

    /// Calls `each` with the keys of each step; with some keys perhaps twice. No step begins after the deadline.
    pub fn scan_prefix(
        &self,
        prefix: &[u8],
        deadline: Deadline,
        each: &mut dyn FnMut(&[&[u8]]) -> Answer<()>,
    ) -> Answer<()> {
        let pattern = pattern(prefix);
        for node in self.nodes(self.operation("SCAN", true))? {
            let mut detector = CycleDetector::default();
            let mut cursor = 0;
            loop {
                if deadline.left().is_err() {
                    let cause = Cause::TimedOut { after: deadline.allowed(), during: "scanning its keys" };
                    return Err(self.give_up(&node, cause));
                }
                let (next, keys) = self.step(&node, cursor, &pattern)?;
                let keys: Vec<&[u8]> = keys.iter().map(Vec::as_slice).filter(|key| key.starts_with(prefix)).collect();
                each(&keys)?;
                cursor = next;
                if cursor == 0 {
                    break;
                }
                if !detector.goes_on(cursor) {
                    return Err(
                        self.give_up(&node, Cause::Lost(format!("it returned the cursor {cursor} of a SCAN twice")))
                    );
                }
            }
        }
        Ok(())
    }

    /// The failure of a scan whose steps were all answered.
    fn give_up(&self, node: &Node, cause: Cause) -> Failure {
        let failure = Failure { operation: "SCAN", server: node.name().clone(), cause };
        self.access.counters.failed(&failure);
        failure
    }

    fn step(&self, node: &Node, cursor: u64, pattern: &[u8]) -> Answer<(u64, Vec<Vec<u8>>)> {
        node.call(self.operation("SCAN", true), |connection| {
            let (from, step) = (cursor.to_string(), STEP.to_string());
            connection.queue(&[b"SCAN", from.as_bytes(), b"MATCH", pattern, b"COUNT", step.as_bytes()]);
            connection.send()?;
            let found = connection.receive()?;
            read_step(found).map_or_else(|| connection.garbled("its reply to SCAN is not a cursor and keys".into()), Ok)
        })
    }
}

/// Detects a cursor that is returned twice (Brent's algorithm): it remembers one cursor, and replaces it whenever the
/// number of cursors doubles. A real scan returns each cursor once, even if the table is resized meanwhile.
#[derive(Default)]
struct CycleDetector {
    kept: Option<u64>,
    passed: u64,
}

impl CycleDetector {
    fn goes_on(&mut self, cursor: u64) -> bool {
        self.passed += 1;
        let is_new = self.kept != Some(cursor);
        if self.passed.is_power_of_two() {
            self.kept = Some(cursor);
        }
        is_new
    }
}

/// Parses a cursor and keys.
fn read_step(found: Value) -> Option<(u64, Vec<Vec<u8>>)> {
    let Value::Array(parts) = found else { return None };
    let Ok([Value::BulkString(cursor), Value::Array(keys)]) = <[Value; 2]>::try_from(parts) else { return None };
    let key = |key| match key {
        Value::BulkString(key) => Some(key),
        _ => None,
    };
    let cursor = std::str::from_utf8(&cursor).ok()?.parse().ok()?;
    Some((cursor, keys.into_iter().map(key).collect::<Option<_>>()?))
}

/// The pattern that matches every key with `prefix`.
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
    fn special_characters_of_patterns_are_escaped() {
        assert_eq!(pattern(b""), b"*");
        assert_eq!(pattern(b"lab-7:{ab}^\0\xff"), b"lab-7:{ab}^\0\xff*");
        assert_eq!(pattern(b"a*b?[c]\\"), b"a\\*b\\?\\[c\\]\\\\*");
    }

    #[test]
    fn a_repeated_cursor_is_detected_and_a_new_one_is_accepted() {
        for (before, period) in [(0, 1), (1, 1), (0, 7), (5, 3), (1000, 100), (3, 1000)] {
            let mut detector = CycleDetector::default();
            let cursors = (1..=before).chain((0..).map(|step| 1_000_000 + step % period));
            let steps = cursors.take(100_000).take_while(|cursor| detector.goes_on(*cursor)).count() as u64;
            assert!(steps <= 4 * (before + period), "{steps} for {before} and {period}");
        }
        let mut detector = CycleDetector::default();
        assert!((1..100_000).all(|cursor: u64| detector.goes_on(cursor.reverse_bits())));
    }

    #[test]
    fn a_step_consists_of_a_cursor_and_keys() {
        let text = |text: &str| Value::BulkString(text.into());
        let step = |cursor, keys| Value::Array(vec![cursor, keys]);
        let keys = || Value::Array(vec![text("a"), text("b")]);
        assert_eq!(read_step(step(text("17"), keys())).unwrap(), (17, vec![b"a".to_vec(), b"b".to_vec()]));
        for bad in [
            Value::Nil,
            Value::Okay,
            Value::Array(vec![text("0")]),
            Value::Array(vec![text("0"), keys(), keys()]),
            step(Value::Int(0), keys()),
            step(text("-1"), keys()),
            step(text("x"), keys()),
            step(text("0"), Value::Nil),
            step(text("0"), text("a")),
            step(text("0"), Value::Array(vec![Value::Nil])),
            step(text("0"), Value::Array(vec![Value::Int(1)])),
        ] {
            assert_eq!(read_step(bad), None);
        }
    }
}
