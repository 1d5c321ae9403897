//! What other processes have stored, removed or sealed since the last refresh.
//!
//! A refresh asks for the state of the directory (one stat), lists it if that has changed, and reads on in each live
//! segment of other processes (one read each).

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use super::catalog::{Growth, read_on};
use super::failure::{Failure, Outcome};
use super::files;
use super::format::Footer;
use super::names::{Name, State};
use super::open_files::Closes;
use super::segment::Segment;
use super::space::Space;
use super::stamp::Stamp;
use super::{compact, repair};
use crate::sync::monotonic_ns;

/// A segment that a listing shows for the first time.
struct New {
    segment: Arc<Segment>,
    footer: Footer,
    growth: Growth,
}

impl Space {
    /// Refreshes if that is due.
    pub(super) fn refresh_if_due(&self) -> Outcome<()> {
        match monotonic_ns() < self.due.load(Relaxed) {
            true => Ok(()),
            false => self.refresh(),
        }
    }

    /// Refreshes now.
    pub(super) fn refresh(&self) -> Outcome<()> {
        let mut listed = self.listed.lock();
        let refreshed = match self.stamp()? {
            None => {
                // Somebody removed everything, or nobody has stored anything.
                *listed = None;
                self.drop_all();
                Ok(())
            }
            Some(stamp) => {
                let known = listed.filter(|listed| listed.is_same_directory(&stamp));
                if known.is_none() {
                    self.drop_all();
                }
                let changed = known.is_none_or(|known| !known.is_current(&stamp));
                let opened = if changed { self.list(known.is_none())? } else { Ok(()) };
                // What could not be opened is tried again next time.
                *listed = Some(if opened.is_ok() { stamp } else { stamp.unsettled() });
                opened.and_then(|()| self.read_on())
            }
        };
        let period = u64::try_from(self.options.refresh.as_nanos()).unwrap_or(u64::MAX);
        self.due.store(monotonic_ns().saturating_add(period), Relaxed);
        refreshed
    }

    /// The state of the directory; `None` if it is not there.
    fn stamp(&self) -> Outcome<Option<Stamp>> {
        let metadata = match files::stat(&self.folder).map_err(Failure::of("look at", &self.folder)) {
            Err(failure) if failure.is_absence() => return Ok(None),
            metadata => metadata?,
        };
        let ours = metadata.is_dir() && self.directory.trusts(&metadata);
        Ok(ours.then(|| Stamp::of(&metadata)))
    }

    /// Everything is gone.
    fn drop_all(&self) {
        self.change(|catalog| {
            let all: Vec<u16> = catalog.segments().map(|(number, _)| number).collect();
            if !all.is_empty() {
                self.writer_is_lost.store(true, Relaxed);
            }
            catalog.drop_segments(&all);
        });
    }

    /// Compares the directory with what is known. The inner result is that of opening segments: the others are known
    /// then.
    fn list(&self, first: bool) -> Outcome<Outcome<()>> {
        let names = files::list(&self.folder).map_err(Failure::of("list", &self.folder))?;
        let mut present: Vec<(Name, State)> = names.iter().filter_map(|file| Name::of_file(file)).collect();
        present.retain(|(_, state)| *state != State::New);
        // Of a segment that is being sealed, both files may be there.
        present.sort_by(|a, b| a.0.cmp(&b.0).then((b.1 == State::Sealed).cmp(&(a.1 == State::Sealed))));
        present.dedup_by(|a, b| a.0 == b.0);
        let (mut gone, mut sealed, mut known) = (Vec::new(), Vec::new(), Vec::new());
        for (number, its) in self.catalog.read().segments() {
            match present.iter().find(|(name, _)| *name == its.segment.name) {
                None => {
                    gone.push(number);
                    if its.growth == Growth::Own {
                        self.writer_is_lost.store(true, Relaxed);
                    }
                }
                Some((_, State::Sealed)) => {
                    if let Growth::ReadTo(end) = its.growth {
                        sealed.push((number, its.segment.clone(), end));
                    }
                }
                Some(_) => (),
            }
            known.push(its.segment.name.clone());
        }
        let mut new = Vec::new();
        let mut failed = Ok(());
        for (name, state) in present.into_iter().filter(|(name, _)| !known.contains(name)) {
            match self.open_new(name, state, first) {
                Ok(opened) => new.extend(opened),
                Err(failure) if failure.is_absence() => (),
                Err(failure) => failed = failed.and(Err(failure)),
            }
        }
        // What was appended before a segment was sealed is read a last time.
        let ends: Vec<_> = sealed.iter().map(|(number, segment, from)| (*number, read_on(segment, *from))).collect();
        let noted: crate::error::Result<()> = self.change(|catalog| {
            catalog.drop_segments(&gone);
            for (number, read) in &ends {
                if let Ok((records, _)) = read {
                    for (hash, offset, extent) in records {
                        catalog.note(*number, *hash, *offset, *extent)?;
                    }
                    catalog.grow(*number, Growth::Sealed);
                }
            }
            for New { segment, footer, growth } in new {
                segment.note_open();
                let number = catalog.add(segment, growth)?;
                catalog.note_all(number, &footer)?;
            }
            Ok(())
        });
        noted.map_err(|error| Failure::of("index", &self.folder)(std::io::Error::other(error.to_string())))?;
        if first && !self.options.read_only {
            // Many small segments are no more than slow.
            let _ = self.watch(compact::compact(self));
        }
        Ok(failed)
    }

    /// A segment that was not known.
    fn open_new(&self, name: Name, state: State, first: bool) -> Outcome<Option<New>> {
        let opened = Segment::open(&self.directory, &self.folder, name, &self.digest, !self.options.read_only)?;
        let Some(segment) = opened.map(Arc::new) else {
            self.health.count_damaged();
            return Ok(None);
        };
        let mut is_sealed = state == State::Sealed;
        if !is_sealed && first && !self.options.read_only && repair::is_abandoned(&segment)? {
            // If it cannot be sealed now, it is read as it is.
            is_sealed = self.watch(repair::seal(&self.directory, &self.folder, &segment)).is_ok();
            segment.close();
            if is_sealed && segment.file().is_err() {
                return Ok(None);
            }
        }
        if !is_sealed {
            return Ok(Some(New { segment, footer: Footer::default(), growth: Growth::ReadTo(0) }));
        }
        let (footer, damaged) = segment.parts()?;
        if damaged {
            self.health.count_damaged();
        }
        Ok(Some(New { segment, footer, growth: Growth::Sealed }))
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
            let (records, end) = match read_on(&segment, from) {
                Err(failure) if failure.is_absence() => continue,
                read => read?,
            };
            let noted: crate::error::Result<()> = self.change(|catalog| {
                for (hash, offset, extent) in records {
                    catalog.note(number, hash, offset, extent)?;
                }
                catalog.grow(number, Growth::ReadTo(end));
                Ok(())
            });
            noted.map_err(|error| Failure::of("index", &self.folder)(std::io::Error::other(error.to_string())))?;
        }
        Ok(())
    }
}
