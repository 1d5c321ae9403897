//! What other processes have stored, removed or sealed since the last refresh.
//!
//! A refresh asks for the state of the directory (one stat), lists it if that has changed, and reads on in each live
//! segment of other processes (one read each).

use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use super::catalog::{Growth, read_on};
use super::failure::{Failure, Outcome};
use super::files;
use super::format::{Extent, Footer};
use super::names::{Name, State};
use super::open_files::Closes;
use super::segment::Segment;
use super::space::Space;
use super::stamp::Stamp;
use super::{compact, repair};
use crate::error::{Error, Result};
use crate::sync::{monotonic_ns, process};

/// A directory is listed at most this number of times in a refresh.
const LISTINGS: usize = 4;

/// A segment that a listing shows for the first time.
struct New {
    segment: Arc<Segment>,
    footer: Footer,
    growth: Growth,
}

impl Space {
    /// Refreshes if that is due.
    pub(super) fn refresh_if_due(&self) -> Outcome<()> {
        let is_due = || monotonic_ns() >= self.due.load(Relaxed);
        if !is_due() {
            return Ok(());
        }
        let mut listed = self.listed.lock();
        // Another thread may have done it meanwhile.
        if is_due() { self.refresh_listed(&mut listed) } else { Ok(()) }
    }

    /// Refreshes now.
    pub(super) fn refresh(&self) -> Outcome<()> {
        self.refresh_listed(&mut self.listed.lock())
    }

    fn refresh_listed(&self, listed: &mut Stamp) -> Outcome<()> {
        if self.is_bundle {
            return Ok(());
        }
        self.leave_parent();
        let refreshed = self.compare(listed);
        // Also after a failure, so that lookups do not all wait for a server that is down.
        let period = u64::try_from(self.options.refresh.as_nanos()).unwrap_or(u64::MAX);
        self.due.store(monotonic_ns().saturating_add(period), Relaxed);
        refreshed
    }

    /// A forked child treats its parent's segment as that of another process, and does not keep its lock.
    fn leave_parent(&self) {
        let process = process();
        if self.process.swap(process, Relaxed) == process {
            return;
        }
        if let Some(segment) = self.change(|catalog| catalog.disown()) {
            segment.close();
        }
        // A store that runs now does it itself.
        if let Some(mut writer) = self.writer.try_lock()
            && writer.as_ref().is_some_and(|writer| !writer.is_own())
        {
            *writer = None;
        }
    }

    /// Compares the directory with its state when it was listed.
    fn compare(&self, listed: &mut Stamp) -> Outcome<()> {
        let drop_all = |listed: &mut Stamp| {
            *listed = Stamp::default();
            self.drop_all();
        };
        let Some(stamp) = self.stamp(listed)? else {
            // Somebody removed everything, or nobody has stored anything.
            drop_all(listed);
            return Ok(());
        };
        if !listed.is_same_directory(&stamp) {
            drop_all(listed);
        }
        if !listed.is_current(&stamp) {
            match self.list(!listed.is_listed()) {
                // Somebody has removed everything meanwhile.
                Err(failure) if failure.is_absence() => {
                    drop_all(listed);
                    return Ok(());
                }
                // What could not be opened is tried again next time.
                complete => *listed = if complete? { stamp } else { stamp.unsettled() },
            }
        }
        self.read_on()
    }

    /// The state of the directory; `None` if it is not there.
    fn stamp(&self, before: &Stamp) -> Outcome<Option<Stamp>> {
        let failed = |kind: ErrorKind| Err(Failure::of("trust", &self.folder)(kind.into()));
        match files::stat(&self.folder).map_err(Failure::of("look at", &self.folder)) {
            Err(failure) if failure.is_absence() => Ok(None),
            Err(failure) => Err(failure),
            Ok(metadata) if !metadata.is_dir() => failed(ErrorKind::NotADirectory),
            // Others may write into it.
            Ok(metadata) if !self.directory.trusts(&metadata) => failed(ErrorKind::PermissionDenied),
            Ok(metadata) => Ok(Some(Stamp::of(&metadata, before))),
        }
    }

    /// Everything is gone.
    pub(super) fn drop_all(&self) {
        self.change(|catalog| {
            let all: Vec<u16> = catalog.segments().map(|(number, _)| number).collect();
            catalog.segments().for_each(|(_, known)| known.segment.set_lost());
            catalog.drop_segments(&all);
        });
    }

    /// Compares the directory with what is known; returns whether all segments could be opened.
    ///
    /// Others may remove segments meanwhile: an older one after it was read, and then the newer one before that was
    /// read, which has replaced or removed its records. So it is listed again until that cannot have happened.
    fn list(&self, first: bool) -> Outcome<bool> {
        for _ in 0..LISTINGS {
            let Some(complete) = self.list_once(first)? else { continue };
            if first && complete && !self.options.read_only {
                // Many small segments are no more than slow.
                let _ = self.watch(compact::compact(self));
            }
            return Ok(complete);
        }
        Ok(false)
    }

    /// `None` if segments were removed meanwhile.
    fn list_once(&self, first: bool) -> Outcome<Option<bool>> {
        let modified = || {
            let metadata = files::stat(&self.folder).map_err(Failure::of("look at", &self.folder))?;
            Ok((metadata.mtime(), metadata.mtime_nsec()))
        };
        let before = modified()?;
        let names = files::list(&self.folder).map_err(Failure::of("list", &self.folder))?;
        let is_whole = modified()? == before;
        if first && !self.options.read_only {
            repair::remove_unfinished(&self.folder, &names);
        }
        let present = segments_in(&names);
        let state = |name: &Name| {
            let at = present.binary_search_by(|(its, _)| its.cmp(name)).ok()?;
            Some(present[at].1)
        };
        let mut known: Vec<(u16, Arc<Segment>, Growth)> = {
            let catalog = self.catalog.read();
            catalog.segments().map(|(number, its)| (number, its.segment.clone(), its.growth)).collect()
        };
        let (mut gone, mut sealed) = (Vec::new(), Vec::new());
        for (number, segment, growth) in &known {
            match (state(&segment.name), growth) {
                (None, _) if !segment.is_there().unwrap_or(true) => {
                    gone.push(*number);
                    segment.set_lost();
                }
                // Another host took this process for gone. What it appends now, nobody finds.
                (Some(State::Sealed), Growth::Own) => {
                    segment.set_lost();
                    sealed.push((*number, segment.clone(), None));
                }
                (Some(State::Sealed), Growth::ReadTo(end)) => sealed.push((*number, segment.clone(), Some(*end))),
                _ => (),
            }
        }
        known.sort_by(|a, b| a.1.name.cmp(&b.1.name));
        let is_known = |name: &Name| known.binary_search_by(|(_, segment, _)| segment.name.cmp(name)).is_ok();
        let unknown = present.into_iter().filter(|(name, _)| !is_known(name));
        let (new, mut complete, are_there) = self.open_all(unknown, first);
        // What was appended before a segment was sealed is read a last time.
        for (number, segment, from) in sealed {
            let Some(from) = from else {
                self.change(|catalog| catalog.grow(number, Growth::Sealed));
                continue;
            };
            if let Ok((records, _)) = self.watch(read_on(&segment, from, true)) {
                self.note(number, records, Growth::Sealed)?;
            }
        }
        for New { segment, footer, growth } in new {
            segment.note_open();
            let noted = self.change(|catalog| {
                let number = catalog.add(segment, growth)?;
                // It is all known, or not at all.
                catalog.note_all(number, &footer).inspect_err(|_| catalog.drop_segments(&[number]))
            });
            complete &= self.watch(noted.map_err(|error| self.not_indexed(error))).is_ok();
        }
        // Last: what was joined is found at every moment.
        self.change(|catalog| catalog.drop_segments(&gone));
        Ok((is_whole && are_there).then_some(complete))
    }

    /// Opens segments that were not known; returns also whether all could be opened that were there, and whether all
    /// were.
    fn open_all(&self, unknown: impl Iterator<Item = (Name, State)>, first: bool) -> (Vec<New>, bool, bool) {
        let (mut new, mut complete, mut are_there) = (Vec::new(), true, true);
        for (name, state) in unknown {
            let (file, order) = (name.file(state), name.order);
            if self.catalog.read().has_rejected(&file) {
                continue;
            }
            match self.watch(self.open_new(name, state, first)) {
                Ok(Opened::New(opened)) => new.push(opened),
                Ok(Opened::Gone) => are_there = false,
                Ok(Opened::Foreign) => {
                    self.health.count_damaged();
                    self.change(|catalog| catalog.reject(file));
                }
                Err(_) => {
                    // The others are usable. New segments come after it.
                    self.change(|catalog| catalog.note_order(order));
                    complete = false;
                }
            }
        }
        (new, complete, are_there)
    }

    /// A segment that was not known.
    fn open_new(&self, name: Name, state: State, first: bool) -> Outcome<Opened> {
        let segment =
            match Segment::open(&self.directory, &self.folder, name, Some(&self.digest), !self.options.read_only) {
                Ok(Some(segment)) => Arc::new(segment),
                Ok(None) => return Ok(Opened::Foreign),
                Err(failure) if failure.is_absence() => return Ok(Opened::Gone),
                Err(failure) if failure.is_foreign() => return Ok(Opened::Foreign),
                Err(failure) => return Err(failure),
            };
        let mut is_sealed = state == State::Sealed;
        if !is_sealed && first && !self.options.read_only {
            // If it cannot be sealed now, it is read as it is.
            is_sealed = self.watch(self.seal_if_abandoned(&segment)).unwrap_or(false);
        }
        if !is_sealed {
            return Ok(Opened::New(New { segment, footer: Footer::default(), growth: Growth::ReadTo(0) }));
        }
        match segment.parts() {
            Ok((footer, damaged)) => {
                if damaged {
                    self.health.count_damaged();
                }
                Ok(Opened::New(New { segment, footer, growth: Growth::Sealed }))
            }
            // It had no record.
            Err(failure) if failure.is_absence() => Ok(Opened::Gone),
            Err(failure) => Err(failure),
        }
    }

    /// Seals a live segment if its owner is gone, and returns whether that was so.
    fn seal_if_abandoned(&self, segment: &Arc<Segment>) -> Outcome<bool> {
        match repair::abandoned(&self.folder, &segment.name, State::Live) {
            Ok(Some(right)) => repair::seal(&right, &self.directory, &self.folder, segment).map(|()| true),
            Ok(None) => Ok(false),
            Err(failure) => Err(failure),
        }
        .or_else(|failure| if failure.is_absence() { Ok(false) } else { Err(failure) })
    }

    /// Reads what others have appended to their live segments.
    fn read_on(&self) -> Outcome<()> {
        let live: Vec<_> = {
            let catalog = self.catalog.read();
            let live = catalog.segments().filter_map(|(number, known)| match known.growth {
                Growth::ReadTo(end) => Some((number, known.segment.clone(), end)),
                Growth::Own | Growth::Sealed => None,
            });
            live.collect()
        };
        for (number, segment, from) in live {
            match read_on(&segment, from, false) {
                Ok((records, end)) => self.note(number, records, Growth::ReadTo(end))?,
                Err(failure) if failure.is_absence() => (),
                // The others can be read.
                failed => drop(self.watch(failed)),
            }
        }
        Ok(())
    }

    /// Notes records of a segment: hashes, offsets, extents.
    fn note(&self, number: u16, records: Vec<(u64, u64, Extent)>, growth: Growth) -> Outcome<()> {
        let noted: Result<()> = self.change(|catalog| {
            for (hash, offset, extent) in records {
                catalog.note(number, hash, offset, extent)?;
            }
            catalog.grow(number, growth);
            Ok(())
        });
        noted.map_err(|error| self.not_indexed(error))
    }

    /// The failure to note where records are.
    pub(super) fn not_indexed(&self, error: Error) -> Failure {
        Failure::of("index", &self.folder)(std::io::Error::other(error.to_string()))
    }
}

/// The segments among the names of files, sorted, each with its state.
fn segments_in(names: &[String]) -> Vec<(Name, State)> {
    let mut present: Vec<(Name, State)> = names.iter().filter_map(|file| Name::of_file(file)).collect();
    present.retain(|(_, state)| *state != State::New);
    // Of a segment that is being sealed, both files may be there.
    present.sort_by(|a, b| a.0.cmp(&b.0).then((b.1 == State::Sealed).cmp(&(a.1 == State::Sealed))));
    present.dedup_by(|a, b| a.0 == b.0);
    present
}

/// What the file of a segment turned out to be.
enum Opened {
    New(New),
    /// It was removed meanwhile.
    Gone,
    /// It is not a segment of this space, or not one that can be trusted.
    Foreign,
}
