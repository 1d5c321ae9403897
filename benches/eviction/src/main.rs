//! Eviction policies beside each other: each replays recorded runs in caches of a part of their footprint.
//!
//! ```text
//! usage: eviction [--quick] [--json FILE] < TRACES        (gzip -dc c-tests/data/*.trace.gz)
//! ```
//!
//! | file | content |
//! |---|---|
//! | `work` | recorded runs as entries with sizes and costs, and the sequence of lookups and stores |
//! | `size` | the bytes of an entry in phicache |
//! | `heap` | the bytes of the heap, counted by the allocator |
//! | `replay` | what a cache loses |
//! | `policies` | simulated policies, the peers, the library |
//! | `report` | tables, goals, JSON |
//! | `random` | numbers that are the same in every run |

mod heap;
mod policies;
mod random;
mod replay;
mod report;
mod size;
mod work;

use std::process::ExitCode;

use policies::Policy;
use policies::chunks::Chunks;
use policies::greedy_dual::GreedyDual;
use policies::peers::{Moka, Overheads, QuickCache};
use policies::phicache::Phicache;
use policies::simple::{Kind, Simple};
use report::{LOGNORMAL, RECORDED, Report, Row};
use work::Work;

#[global_allocator]
static HEAP: heap::Counted = heap::Counted;

/// The limits, as parts of the footprint.
const PARTS: [f64; 5] = [0.05, 0.10, 0.25, 0.50, 0.75];

/// The spread of lognormal costs: a twentieth of the entries cost more than 27 times the median.
const SIGMA: f64 = 2.0;
const SEEDS: u64 = 5;

const MOST_CREDITS: u32 = 7;

type Make = fn(&Work, &Overheads, f64) -> Box<dyn Policy>;

const POLICIES: [(&str, Make); 12] = [
    (report::PHICACHE, |work, _, limit| Box::new(Phicache::new(limit, &work.entries))),
    (report::MODEL, |work, _, limit| Box::new(Chunks::new(MOST_CREDITS, limit, work.entries.len()))),
    ("CLOCK over chunks", |work, _, limit| Box::new(Chunks::new(0, limit, work.entries.len()))),
    (report::CLOCK, |work, _, limit| simple(Kind::Clock, work, limit)),
    (report::LRU, |work, _, limit| simple(Kind::Lru, work, limit)),
    (report::CLOCK_IN_ROOM, |work, _, limit| in_its_room(Kind::Clock, work, limit)),
    (report::LRU_IN_ROOM, |work, _, limit| in_its_room(Kind::Lru, work, limit)),
    ("FIFO", |work, _, limit| simple(Kind::Fifo, work, limit)),
    ("GreedyDual, 16 samples", |work, _, limit| Box::new(GreedyDual::new(limit, work.entries.len()))),
    (report::MOKA, |_, overheads, limit| Box::new(Moka::new(limit, overheads.moka))),
    (report::QUICK_CACHE, |work, overheads, limit| {
        let mean = work.contents() / work.entries.len() as f64;
        Box::new(QuickCache::new(limit, mean, overheads.quick_cache))
    }),
    ("refuse", |work, _, limit| simple(Kind::Refuse, work, limit)),
];

fn simple(kind: Kind, work: &Work, limit: f64) -> Box<dyn Policy> {
    Box::new(Simple::new(kind, limit, size::TABLE_SHARE, work.entries.len()))
}

/// A policy with as many bytes for blocks as phicache has at this limit, the rest of its memory left out.
fn in_its_room(kind: Kind, work: &Work, limit: f64) -> Box<dyn Policy> {
    Box::new(Simple::new(kind, replay::room(work, limit), 0.0, work.entries.len()))
}

/// The mean loss in these works, which differ only in costs, at each limit.
fn losses(works: &[Work], overheads: &Overheads, make: Make) -> Vec<f64> {
    let loss = |part: f64| {
        let each = works.iter().map(|work| replay::loss(work, &mut *make(work, overheads, part * work.footprint())));
        each.sum::<f64>() / works.len() as f64
    };
    PARTS.iter().map(|part| loss(*part)).collect()
}

fn run(arguments: Vec<String>) -> Result<(), String> {
    let quick = arguments.iter().any(|argument| argument == "--quick");
    let json = arguments.iter().position(|argument| argument == "--json").map(|at| arguments.get(at + 1));
    let works = work::read(std::io::stdin().lock())?;
    if works.is_empty() {
        return Err("no recorded runs; usage: eviction [--quick] [--json FILE] < TRACES".into());
    }
    let mut report = Report::new(Phicache::evicts(), SIGMA);
    for work in &works {
        let overheads = Overheads::of(work);
        report.add_work(work, overheads);
        let seeds = 1..=if quick { 1 } else { SEEDS };
        let spread: Vec<Work> = seeds.map(|seed| work.with_lognormal_costs(SIGMA, seed)).collect();
        for (policy, make) in POLICIES {
            for (costs, works) in [(RECORDED, std::slice::from_ref(work)), (LOGNORMAL, &spread)] {
                report.add(Row { work: work.name.clone(), costs, policy, losses: losses(works, &overheads, make) });
            }
        }
    }
    report.print();
    if let Some(file) = json {
        let file = file.ok_or("--json needs a file")?;
        std::fs::write(file, report.json()).map_err(|error| format!("{file}: {error}"))?;
    }
    Ok(())
}

fn main() -> ExitCode {
    match run(std::env::args().skip(1).collect()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::FAILURE
        }
    }
}
