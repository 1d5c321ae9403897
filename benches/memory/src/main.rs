//! The resident memory of one cache over a long run under a limit, as JSON. One process runs one contestant, so that
//! none inherits another's memory.
//!
//! ```text
//! usage: memory [--quick] CONTESTANT        (refuse, evict, moka or map)
//! ```
//!
//! | file | content |
//! |---|---|
//! | `work` | the lookups: working sets that move, sizes that drift, removals, a clear |
//! | `contestants` | the caches |
//! | `resident` | the resident size of this process |

mod contestants;
#[path = "../../eviction/src/random.rs"]
mod random;
mod resident;
mod work;

use std::process::ExitCode;

use contestants::Contestant;
use work::{Id, Step, Work};

const MIB: u64 = 1 << 20;

/// How often the resident size is read.
const SAMPLES: usize = 300;

/// What happened until one moment.
#[derive(Clone, Copy, Default)]
struct Totals {
    lookups: u64,
    hits: u64,
    /// Nanoseconds that unlimited memory would have saved.
    savable: f64,
    /// Those that were spent again.
    lost: f64,
}

impl Totals {
    /// Does one step of the work.
    fn step(&mut self, step: Step, cache: &mut dyn Contestant, work: &mut Work) {
        match step {
            Step::Look(id) => self.look(id, cache, work),
            Step::Remove(id) => cache.remove(id),
            Step::Clear => cache.clear(),
        }
    }

    /// Looks a result up, and stores it on a miss.
    fn look(&mut self, id: Id, cache: &mut dyn Contestant, work: &mut Work) {
        let hit = cache.get(id);
        let (was_stored, entry) = (work.mark_stored(id), work.entry(id));
        self.lookups += 1;
        self.hits += u64::from(hit);
        if was_stored {
            self.savable += entry.cost;
        }
        if !hit {
            if was_stored {
                self.lost += entry.cost;
            }
            cache.set(id, work.value(&entry), entry.cost as u64);
        }
    }

    /// A sample as JSON: lookups, resident bytes, hits, savable and lost time.
    fn json(&self, resident: u64) -> String {
        format!("[{}, {resident}, {}, {:.0}, {:.0}]", self.lookups, self.hits, self.savable, self.lost)
    }
}

fn run(name: &str, quick: bool) -> Result<String, String> {
    let (limit, results) = if quick { (8 * MIB, 64_000) } else { (64 * MIB, 512_000) };
    let mut work = Work::new(results);
    // Room for all samples: a block that is allocated in the middle of the run would keep the C library from returning
    // the memory below it.
    let mut samples = vec![(Totals::default(), 0); SAMPLES + 2];
    samples.truncate(1);
    // The memory of the program itself.
    let before = resident::bytes()?;
    let mut cache = contestants::by_name(name, limit).ok_or_else(|| format!("there is no contestant {name}"))?;
    let every = work.lookups() / SAMPLES as u64;
    let mut totals = Totals::default();
    while let Some(step) = work.next_step() {
        totals.step(step, &mut *cache, &mut work);
        if matches!(step, Step::Look(_)) && totals.lookups.is_multiple_of(every) || matches!(step, Step::Clear) {
            samples.push((totals, resident::bytes()?.saturating_sub(before)));
        }
    }
    let samples: Vec<String> = samples.iter().map(|(totals, resident)| totals.json(*resident)).collect();
    let (clear_at, samples) = (work.clear_at(), samples.join(",\n"));
    Ok(format!("{{\"limit\": {limit}, \"clear_at\": {clear_at}, \"samples\": [\n{samples}]}}"))
}

fn main() -> ExitCode {
    let (options, names): (Vec<String>, Vec<String>) =
        std::env::args().skip(1).partition(|word| word.starts_with("--"));
    let done = match names.as_slice() {
        [name] => run(name, options.iter().any(|option| option == "--quick")),
        _ => Err("usage: memory [--quick] CONTESTANT".into()),
    };
    match done {
        Ok(json) => {
            println!("{json}");
            ExitCode::SUCCESS
        }
        Err(message) => {
            eprintln!("{message}");
            ExitCode::FAILURE
        }
    }
}
