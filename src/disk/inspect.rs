//! What is in a directory or a bundle, for people: identities and roles, segments, bytes, damage.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;

use super::bound;
use super::bundle_reader::{Bundle, Item};
use super::context;
use super::description::Description;
use super::directory::{Directory, decode};
use super::failure::Outcome;
use super::format::{Content, Extent, Footer, HEADER};
use super::names::State;
use super::repair;
use super::segment::{Segment, is_value};
use super::value_files::OpenValue;

/// The values of one identity and role.
#[derive(Debug, Default)]
pub struct Report {
    /// The identity.
    pub fingerprint: [u8; 32],
    /// The context, if it is known: its first 4,096 bytes.
    pub context: Option<Vec<u8>>,
    /// The role, or the name of its directory if that is a digest.
    pub role: String,
    /// The number of segments.
    pub segments: u64,
    /// The number of segments to which a process may append, now.
    pub writers: u64,
    /// The bytes of all files.
    pub bytes: u64,
    /// The number of records with a value. A key that was stored several times counts several times.
    pub records: u64,
    /// The number of files and records that are damaged or of another program; without `verify`, of files.
    pub damaged: u64,
}

/// Looks at all identities and roles in a directory. With `verify`, reads every record and every value.
pub fn inspect(directory: &Directory, verify: bool) -> Outcome<Vec<Report>> {
    let mut reports = Vec::new();
    for folder in bound::spaces(directory)? {
        let name = |path: Option<&Path>| path?.file_name()?.to_str().map(str::to_owned);
        let (Some(role), Some(identity)) = (name(Some(&folder)), name(folder.parent())) else { continue };
        let Some(fingerprint) = parse_hex(&identity) else { continue };
        let role = decode(&role).unwrap_or(role);
        let context = folder.parent().and_then(context::read);
        let mut report = Report { fingerprint, context, role, ..Report::default() };
        add_space(directory, &folder.into(), verify, &mut report)?;
        reports.push(report);
    }
    reports.sort_by(|a, b| (a.fingerprint, &a.role).cmp(&(b.fingerprint, &b.role)));
    Ok(reports)
}

/// Looks at a bundle. With `verify`, reads every record and every value.
pub fn inspect_bundle(bundle: &Bundle, verify: bool) -> Outcome<Report> {
    let (mut records, mut damaged) = (0, 0);
    match verify {
        true => bundle.read_all(
            |_| true,
            |_| (),
            |item| match item {
                Item::Value { .. } => records += 1,
                Item::NoRoom | Item::Damaged => damaged += 1,
            },
        )?,
        false => {
            let (footer, is_damaged) = bundle.segment().parts()?;
            (records, damaged) = (values_in(&footer), u64::from(is_damaged));
        }
    }
    let Description { fingerprint, role, context } = bundle.description().clone();
    let bytes = bundle.segment().len()?;
    Ok(Report { fingerprint, context: Some(context), role, segments: 1, writers: 0, bytes, records, damaged })
}

/// The number of records with a value.
fn values_in(footer: &Footer) -> u64 {
    let kinds = footer.extents.iter().map(|bits| Extent::from_bits(*bits).kind());
    kinds.filter(|kind| is_value(*kind)).count() as u64
}

/// The keys of records without the file of their value. Who replaces or removes a long value removes its file, so this
/// is damage only if no later record has the key.
type Lost = HashSet<Box<[u8]>>;

fn add_space(directory: &Directory, folder: &Arc<Path>, verify: bool, report: &mut Report) -> Outcome<()> {
    let mut segments = bound::survey_space(folder)?;
    segments.sort_unstable_by(|a, b| a.name.cmp(&b.name));
    let mut lost = Lost::new();
    for usage in segments {
        report.bytes += usage.bytes;
        if usage.state == State::New {
            continue;
        }
        report.segments += 1;
        let is_written = usage.state == State::Live && !is_abandoned(folder, &usage);
        let opened = Segment::open(directory, folder, usage.name, None, false);
        let Ok(Some(segment)) = opened.map(|opened| opened.map(Arc::new)) else {
            report.damaged += 1;
            continue;
        };
        report.writers += u64::from(is_written);
        match verify || usage.state == State::Live {
            true => add_records(&segment, usage.state, verify.then_some(&mut lost), report)?,
            false => {
                let (footer, damaged) = segment.parts()?;
                report.damaged += u64::from(damaged);
                report.records += values_in(&footer);
            }
        }
    }
    report.damaged += lost.len() as u64;
    Ok(())
}

/// Whether the owner of a live segment is gone.
fn is_abandoned(folder: &Path, usage: &bound::Usage) -> bool {
    matches!(repair::abandoned(folder, &usage.name, usage.state), Ok(Some(_)))
}

/// With `verify`, reads the files of values too.
fn add_records(
    segment: &Arc<Segment>,
    state: State,
    mut verify: Option<&mut Lost>,
    report: &mut Report,
) -> Outcome<()> {
    let (mut records, mut damaged, mut end) = (0, 0, HEADER as u64);
    segment.scan(end, true, |offset, record| {
        // Between two records there are only damaged bytes.
        damaged += u64::from(offset != end);
        end = offset + record.len() as u64;
        records += u64::from(is_value(record.extent().kind()));
        let Some(lost) = verify.as_deref_mut() else { return Ok(()) };
        lost.remove(record.key.bytes());
        if let Content::File(described) = record.content {
            let read = |value: OpenValue| {
                let mut bytes = segment.buffer(value.len())?;
                value.read_into(None, &mut bytes)
            };
            let opened = OpenValue::of_record(segment, offset + record.len() as u64, described);
            let whole = opened.and_then(|value| value.map_or(Ok(false), read));
            match whole {
                Ok(true) => (),
                Err(failure) if failure.is_absence() => drop(lost.insert(record.key.bytes().into())),
                _ => damaged += 1,
            }
        }
        Ok(())
    })?;
    if state == State::Sealed {
        // The footer is damaged, or what is before it.
        let is_whole = segment.footer()?.is_some() && segment.trailer()?.is_some_and(|trailer| trailer.start == end);
        damaged += u64::from(!is_whole);
    }
    report.damaged += damaged;
    report.records += records;
    Ok(())
}

fn parse_hex(text: &str) -> Option<[u8; 32]> {
    let digits = text.as_bytes();
    let mut bytes = [0; 32];
    if digits.len() != 64 {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(bytes)
}
