//! Recorded work as a policy sees it: entries with a size and a cost, and the sequence of lookups and stores.

use std::collections::HashMap;
use std::io::BufRead;

use crate::random::Random;
use crate::size::{TABLE_SHARE, block};

/// The number of an entry within its work.
pub type Id = usize;

#[derive(Clone, Copy)]
pub struct Entry {
    pub key_len: usize,
    pub value_len: usize,
    /// The bytes of its block.
    pub block: u64,
    /// The nanoseconds of its computation.
    pub cost: f64,
}

impl Entry {
    /// The bytes of its key and its value.
    pub fn contents(&self) -> usize {
        self.key_len + self.value_len
    }

    /// All bytes that it takes in phicache: its block and its share of the table.
    pub fn bytes(&self) -> f64 {
        self.block as f64 + TABLE_SHARE
    }
}

#[derive(Clone, Copy)]
pub enum Event {
    Get(Id),
    Set(Id),
}

#[derive(Clone)]
pub struct Work {
    pub name: String,
    pub entries: Vec<Entry>,
    pub events: Vec<Event>,
}

impl Work {
    /// The bytes of all entries.
    pub fn footprint(&self) -> f64 {
        self.entries.iter().map(Entry::bytes).sum()
    }

    /// The bytes of all keys and values.
    pub fn contents(&self) -> f64 {
        self.entries.iter().map(|entry| entry.contents() as f64).sum()
    }

    /// The same work with costs of a lognormal distribution, independent of size.
    pub fn with_lognormal_costs(&self, sigma: f64, seed: u64) -> Work {
        let mut random = Random::new(seed);
        let mut work = self.clone();
        work.entries.iter_mut().for_each(|entry| entry.cost = 1e5 * (sigma * random.normal()).exp());
        work
    }
}

/// Reads recorded runs, one after the other. `c-tests/replay/trace.hpp` describes the lines.
///
/// All caches of a run share one limit, so an entry is known by its cache and its key. A MICE that a child inherits is
/// an entry of the child, stored when it is first asked for. What is never stored (a MICE under a cut) no cache can
/// save, so lookups of it are left out. A replaced value keeps its first size, and a clear makes old entries useless
/// without removing them.
pub fn read(input: impl BufRead) -> Result<Vec<Work>, String> {
    let mut works = Vec::new();
    let mut run: Option<Run> = None;
    for (number, line) in input.lines().enumerate() {
        let line = line.map_err(|error| error.to_string())?;
        if let Some(header) = line.strip_prefix("H ") {
            works.extend(run.take().map(Run::finish));
            run = Some(Run::new(header));
            continue;
        }
        let fields: Vec<&str> = line.split(' ').collect();
        run.as_mut().and_then(|run| run.line(&fields)).ok_or_else(|| format!("line {}: {line}", number + 1))?;
    }
    works.extend(run.take().map(Run::finish));
    Ok(works)
}

struct Cache {
    kind: String,
    role: String,
    /// How often it was cleared.
    clears: u64,
}

/// A run while it is read.
struct Run {
    work: Work,
    caches: HashMap<u64, Cache>,
    /// Lengths of keys and values.
    keys: HashMap<u64, usize>,
    values: HashMap<u64, usize>,
    /// Entries by cache, its clears, and key.
    ids: HashMap<(u64, u64, u64), Id>,
}

impl Run {
    fn new(header: &str) -> Self {
        let name = header.split("\"name\": \"").nth(1).and_then(|rest| rest.split('"').next()).unwrap_or("?");
        Run {
            work: Work { name: name.into(), entries: Vec::new(), events: Vec::new() },
            caches: HashMap::new(),
            keys: HashMap::new(),
            values: HashMap::new(),
            ids: HashMap::new(),
        }
    }

    fn finish(self) -> Work {
        self.work
    }

    /// None if the line is damaged.
    fn line(&mut self, fields: &[&str]) -> Option<()> {
        let number = |index: usize| fields.get(index)?.parse::<u64>().ok();
        match *fields.first()? {
            "K" => drop(self.keys.insert(number(1)?, fields.get(3)?.len() / 2)),
            "V" => drop(self.values.insert(number(1)?, number(3)? as usize)),
            "C" => {
                let (kind, role) = (fields.get(2)?.to_string(), fields.get(3)?.to_string());
                self.caches.insert(number(1)?, Cache { kind, role, clears: 0 });
            }
            "G" => {
                let place = self.place(number(1)?, number(2)?)?;
                let known = self.ids.get(&place).copied();
                match (known, *fields.get(3)?) {
                    (Some(id), _) => self.work.events.push(Event::Get(id)),
                    (None, "h") => self.store(place, number(4)?)?,
                    (None, _) => (),
                }
            }
            "P" if *fields.get(4)? == "stored" => self.store(self.place(number(1)?, number(2)?)?, number(3)?)?,
            "X" => self.caches.get_mut(&number(1)?)?.clears += 1,
            _ => (),
        }
        Some(())
    }

    fn place(&self, cache: u64, key: u64) -> Option<(u64, u64, u64)> {
        Some((cache, self.caches.get(&cache)?.clears, key))
    }

    fn store(&mut self, place: (u64, u64, u64), value: u64) -> Option<()> {
        // A key has room for the number of its entry.
        let (key_len, value_len) = ((*self.keys.get(&place.2)?).max(4), *self.values.get(&value)?);
        let cache = self.caches.get(&place.0)?;
        let id = *self.ids.entry(place).or_insert_with(|| {
            let block = block(key_len as u64, value_len as u64);
            self.work.entries.push(Entry { key_len, value_len, block, cost: cost(&cache.kind, &cache.role, key_len) });
            self.work.entries.len() - 1
        });
        self.work.events.push(Event::Set(id));
        Some(())
    }
}

/// The assumed nanoseconds of a computation; the recorded runs have no times.
fn cost(kind: &str, role: &str, key_len: usize) -> f64 {
    // A distance's key is a byte and two repertoires of this many doubles.
    let states = (key_len / 16) as f64;
    match (kind, role) {
        (_, "emd") => 5e3 + states * states / 2.0 * 1e3,
        (_, "mice") => 20e6,
        _ => 100e3,
    }
}
