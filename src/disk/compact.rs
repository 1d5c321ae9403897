//! Many small segments become one: each process that ends leaves one behind.
//!
//! Only segments that follow each other by age are joined, and the new one takes their place in that order, so that
//! every key keeps its newest record. Orders of new segments are far enough apart for that.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::catalog::Growth;
use super::failure::{Failure, Outcome};
use super::files;
use super::format::{HEADER, Kind, Record};
use super::names::State;
use super::segment::Segment;
use super::space::Space;
use super::writer::Writer;

/// This number of small segments in a row is joined.
const MANY: usize = 16;

/// Segments are joined when they have been sealed for this time: by then all processes have seen them, and begin their
/// new segments after them.
const SETTLED: Duration = Duration::from_secs(60);

/// Joins the small segments of a space. Called while it is refreshed.
pub fn compact(space: &Space) -> Outcome<()> {
    let most = space.segment_bytes().min(files::longest());
    let mut segments: Vec<(Arc<Segment>, Growth)> = {
        let catalog = space.catalog.read();
        catalog.segments().map(|(_, known)| (known.segment.clone(), known.growth)).collect()
    };
    segments.sort_by(|a, b| a.0.name.cmp(&b.0.name));
    let (mut run, mut bytes) = (Vec::new(), 0);
    for (at, (segment, growth)) in segments.iter().enumerate() {
        let small = if *growth == Growth::Sealed { small_len(segment, most / 8)? } else { None };
        if let Some(len) = small.filter(|len| bytes + len <= most) {
            run.push(segment.clone());
            bytes += len;
            if at + 1 < segments.len() {
                continue;
            }
        }
        let next = segments[at..]
            .iter()
            .map(|(next, _)| next)
            .find(|next| run.last().is_some_and(|last| next.name > last.name));
        if run.len() >= MANY && next.is_none_or(|next| next.name.order > run[run.len() - 1].name.order + 1) {
            return join(space, &run);
        }
        (run, bytes) = (Vec::new(), 0);
    }
    Ok(())
}

/// The length of a segment if it is to be joined.
fn small_len(segment: &Arc<Segment>, most: u64) -> Outcome<Option<u64>> {
    let file = match segment.file() {
        // Another process joined it.
        Err(failure) if failure.is_absence() => return Ok(None),
        file => file?,
    };
    let metadata = files::metadata(&file).map_err(|error| Failure::of("look at", &segment.path())(error))?;
    let age = metadata.modified().ok().and_then(|time| SystemTime::now().duration_since(time).ok());
    if metadata.len() > most || age.is_none_or(|age| age < SETTLED) {
        return Ok(None);
    }
    // Files of values belong to their segment.
    Ok(segment.trailer()?.filter(|trailer| trailer.file_bytes == 0).map(|_| metadata.len()))
}

/// Copies the records that count into one new segment, and removes the old ones. The next listing shows the new one.
fn join(space: &Space, run: &[Arc<Segment>]) -> Outcome<()> {
    let directory = &space.directory;
    let modes = (directory.directory_mode(), directory.file_mode());
    let mut writer = Writer::create(&space.folder, modes, space.digest, run[run.len() - 1].name.order + 1)?;
    let copied = copy(space, run, &mut writer).and_then(|()| match writer.seal_copy(run)? {
        // What is on the storage device stays there.
        true => writer.sync().map(|()| true),
        false => Ok(writer.end == HEADER as u64),
    });
    if !copied.inspect_err(|_| writer.discard())? {
        return Ok(());
    }
    for segment in run {
        let path = space.folder.join(segment.name.file(State::Sealed));
        files::remove(&path).map_err(Failure::of("remove", &path))?;
    }
    Ok(())
}

fn copy(space: &Space, run: &[Arc<Segment>], writer: &mut Writer) -> Outcome<()> {
    for segment in run {
        let (footer, _) = segment.parts()?;
        writer.replaces |= footer.replaces;
        for (hash, offset, extent) in footer.parts() {
            let current = space.locate(hash).is_some_and(|located| {
                located.offset == offset && located.segment.name == segment.name && extent.kind() != Kind::Damaged
            });
            if !current {
                continue;
            }
            let bytes = segment.read(offset, extent)?;
            let Some(record) = Record::decode(&segment.header, offset, &bytes) else { continue };
            let mut copy = record.buffer().map_err(Failure::of("copy a value in", &space.folder))?;
            record.encode(&writer.segment.header, writer.end, &mut copy);
            writer.append(&copy).map_err(|(failure, _)| failure)?;
        }
    }
    Ok(())
}
