//! Tables, goals, JSON.

use crate::PARTS;
use crate::policies::peers::Overheads;
use crate::work::Work;

pub const PHICACHE: &str = "phicache";
pub const MODEL: &str = "CLOCK over chunks, credits";
pub const CLOCK: &str = "CLOCK";
pub const LRU: &str = "LRU, exact";
pub const CLOCK_IN_ROOM: &str = "CLOCK, in the room of phicache's entries";
pub const LRU_IN_ROOM: &str = "LRU, in the room of phicache's entries";
pub const MOKA: &str = "moka";
pub const QUICK_CACHE: &str = "quick_cache";

pub const RECORDED: &str = "assumed costs";
pub const LOGNORMAL: &str = "lognormal costs";

/// A run: its entries, lookups and stores, and bytes in phicache; and what an entry takes in each cache.
struct Run {
    name: String,
    entries: usize,
    events: usize,
    footprint: f64,
    contents: f64,
    overheads: Overheads,
}

/// What one policy loses of one run, at each limit.
pub struct Row {
    pub work: String,
    pub costs: &'static str,
    pub policy: &'static str,
    pub losses: Vec<f64>,
}

/// At most `factor` times the loss of another policy, and `more`.
struct Goal {
    costs: &'static str,
    against: &'static str,
    factor: f64,
    more: f64,
    parts: &'static [f64],
}

const GOALS: [Goal; 6] = [
    Goal { costs: RECORDED, against: CLOCK_IN_ROOM, factor: 1.15, more: 0.005, parts: &[0.10, 0.25, 0.50] },
    Goal { costs: RECORDED, against: CLOCK, factor: 1.15, more: 0.005, parts: &[0.10, 0.25, 0.50] },
    Goal { costs: RECORDED, against: MOKA, factor: 1.0, more: 0.005, parts: &[0.10, 0.25, 0.50] },
    Goal { costs: RECORDED, against: QUICK_CACHE, factor: 1.0, more: 0.005, parts: &[0.10, 0.25, 0.50] },
    Goal { costs: LOGNORMAL, against: LRU_IN_ROOM, factor: 0.6, more: 0.0, parts: &[0.25] },
    Goal { costs: LOGNORMAL, against: LRU, factor: 0.6, more: 0.0, parts: &[0.25] },
];

/// A goal in one run at one limit.
struct Cell<'a> {
    work: &'a str,
    part: f64,
    own: f64,
    other: f64,
    met: bool,
}

pub struct Report {
    /// Whether the library evicts.
    evicts: bool,
    sigma: f64,
    runs: Vec<Run>,
    rows: Vec<Row>,
}

impl Report {
    pub fn new(evicts: bool, sigma: f64) -> Self {
        Report { evicts, sigma, runs: Vec::new(), rows: Vec::new() }
    }

    pub fn add_work(&mut self, work: &Work, overheads: Overheads) {
        let (entries, events) = (work.entries.len(), work.events.len());
        let (footprint, contents) = (work.footprint(), work.contents() / entries as f64);
        self.runs.push(Run { name: work.name.clone(), entries, events, footprint, contents, overheads });
    }

    pub fn add(&mut self, row: Row) {
        self.rows.push(row);
    }

    fn losses(&self, work: &str, costs: &str, policy: &str) -> &[f64] {
        let found = self.rows.iter().find(|row| (row.work.as_str(), row.costs, row.policy) == (work, costs, policy));
        &found.expect("every policy replays every run").losses
    }

    fn cells(&self, goal: &Goal, policy: &str) -> Vec<Cell<'_>> {
        let mut cells = Vec::new();
        for work in self.runs.iter().map(|run| run.name.as_str()) {
            let (own, other) = (self.losses(work, goal.costs, policy), self.losses(work, goal.costs, goal.against));
            for part in goal.parts {
                let at = PARTS.iter().position(|known| known == part).expect("goals are set at limits that are run");
                let met = own[at] <= goal.factor * other[at] + goal.more;
                cells.push(Cell { work, part: *part, own: own[at], other: other[at], met });
            }
        }
        cells
    }

    pub fn print(&self) {
        for Run { name, entries, events, footprint, contents, overheads } in &self.runs {
            println!("\n{name}: {entries} entries, {events} lookups and stores, {footprint:.0} bytes");
            let Overheads { phicache, moka, quick_cache } = overheads;
            println!(
                "  bytes of an entry: {contents:.0}, and {phicache:.0} in phicache, {moka:.0} in moka, \
                 {quick_cache:.0} in quick_cache"
            );
            for costs in [RECORDED, LOGNORMAL] {
                let parts: String = PARTS.iter().map(|part| format!("{:7.0} %", part * 100.0)).collect();
                println!("  {costs:<28}{parts}");
                for row in self.rows.iter().filter(|row| row.work == *name && row.costs == costs) {
                    let losses: String = row.losses.iter().map(|loss| format!("{loss:9.3}")).collect();
                    println!("  {:<28}{losses}", row.policy);
                }
            }
        }
        println!("\nLost part of the time that unlimited memory would save; limits in percent of all bytes.");
        if !self.evicts {
            println!("This build of phicache does not evict: its rows show a cache that refuses.");
        }
        for goal in GOALS {
            println!(
                "\nGoal, {}: at most {} of the loss of {}, and {}",
                goal.costs, goal.factor, goal.against, goal.more
            );
            for policy in [PHICACHE, MODEL] {
                let cells = self.cells(&goal, policy);
                let met = cells.iter().filter(|cell| cell.met).count();
                println!("  {policy}: met in {met} of {}", cells.len());
                for cell in cells.iter().filter(|cell| !cell.met) {
                    let ratio = cell.own / cell.other;
                    println!(
                        "    FAIL {} at {:.0} %: {:.3} against {:.3} (ratio {ratio:.2})",
                        cell.work,
                        cell.part * 100.0,
                        cell.own,
                        cell.other
                    );
                }
            }
        }
    }

    pub fn json(&self) -> String {
        let works = self.runs.iter().map(|Run { name, entries, events, footprint, contents, overheads }| {
            let Overheads { phicache, moka, quick_cache } = overheads;
            let ours = format!(r#""contents": {contents:.1}, "phicache": {phicache:.1}"#);
            let each = format!(r#"{ours}, "moka": {moka:.1}, "quick_cache": {quick_cache:.1}"#);
            format!(
                r#"{{"name": "{name}", "entries": {entries}, "events": {events}, "bytes": {footprint:.0}, {each}}}"#
            )
        });
        let rows = self.rows.iter().map(|row| {
            let (work, costs, policy) = (&row.work, row.costs, row.policy);
            let losses = join(row.losses.iter().map(|loss| format!("{loss:.5}")), ", ");
            format!(r#"{{"work": "{work}", "costs": "{costs}", "policy": "{policy}", "losses": [{losses}]}}"#)
        });
        let goals =
            GOALS.iter().flat_map(|goal| [PHICACHE, MODEL].map(|policy| (goal, policy))).map(|(goal, policy)| {
                let cells = join(self.cells(goal, policy).iter().map(Cell::json), ", ");
                let Goal { costs, against, factor, more, .. } = goal;
                let bounds =
                    format!(r#""costs": "{costs}", "against": "{against}", "factor": {factor}, "more": {more}"#);
                format!(r#"{{"policy": "{policy}", {bounds}, "cells": [{cells}]}}"#)
            });
        let lists = [("works", join(works, ",\n")), ("rows", join(rows, ",\n")), ("goals", join(goals, ",\n"))];
        let lists = join(lists.iter().map(|(name, list)| format!("\"{name}\": [\n{list}]")), ",\n");
        let (evicts, sigma) = (self.evicts, self.sigma);
        format!("{{\"evicts\": {evicts}, \"sigma\": {sigma}, \"parts\": {PARTS:?},\n{lists}}}\n")
    }
}

impl Cell<'_> {
    fn json(&self) -> String {
        let Cell { work, part, own, other, met } = self;
        format!(r#"{{"work": "{work}", "part": {part}, "own": {own:.5}, "other": {other:.5}, "met": {met}}}"#)
    }
}

fn join(parts: impl Iterator<Item = String>, with: &str) -> String {
    parts.collect::<Vec<_>>().join(with)
}
