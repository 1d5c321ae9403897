//! A segment as its readers see it: a file that is opened when needed, records at places, the footer, a scan.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::SystemTime;

use super::directory::Directory;
use super::failure::{Failure, Outcome};
use super::files;
use super::format::{
    Content, Extent, FileKind, Footer, HEADER, Header, Kind, LONGEST_RECORD, PREFIX, Record, TRAILER, Trailer, UNIT,
    ValueFile, seconds,
};
use super::names::{Name, State};
use super::open_files::{self, Closes};
use crate::sync::Mutex;

/// The bytes that a scan reads at once; more than the longest record.
const CHUNK: usize = 256 << 10;

const _: () = assert!(CHUNK > LONGEST_RECORD);

/// A process notes its reads of a segment at most once in this number of seconds.
const NOTE: u64 = 60;

/// A segment.
pub struct Segment {
    /// Its name.
    pub name: Name,
    /// Its header.
    pub header: Header,
    /// The folder that contains its file. Of a bundle, the file.
    folder: Arc<Path>,
    file: Mutex<Option<Arc<File>>>,
    /// When this process noted a read, in seconds since 1970; `u64::MAX` if it never does.
    noted: AtomicU64,
    /// Whether its file was removed or sealed by somebody else.
    is_lost: AtomicBool,
}

impl Segment {
    /// The segment of this name in a folder. `None` if the file is not a segment of this space, or of any if none is
    /// given; or if somebody may have written it who is not trusted.
    pub fn open(
        directory: &Directory,
        folder: &Arc<Path>,
        name: Name,
        space: Option<&[u8; 32]>,
        notes_reads: bool,
    ) -> Outcome<Option<Self>> {
        let (file, path) = open_file(folder, &name)?;
        let metadata = files::metadata(&file).map_err(Failure::of("look at", &path))?;
        let mut header = [0; HEADER];
        let len = files::read_at(&file, &mut header, 0).map_err(Failure::of("read", &path))?;
        let Some(header) = Header::decode(&header[..len]) else { return Ok(None) };
        let is_of_space = space.is_none_or(|space| header.space == *space);
        let belongs = header.kind == FileKind::Segment && is_of_space && header.order == name.order;
        if !belongs || !directory.trusts(&metadata) {
            return Ok(None);
        }
        Ok(Some(Self::with_file(folder, name, header, Arc::new(file), notes_reads)))
    }

    /// A segment whose file is open already.
    pub fn with_file(folder: &Arc<Path>, name: Name, header: Header, file: Arc<File>, notes_reads: bool) -> Self {
        let noted = AtomicU64::new(if notes_reads { 0 } else { u64::MAX });
        Segment {
            name,
            header,
            folder: folder.clone(),
            file: Mutex::new(Some(file)),
            noted,
            is_lost: AtomicBool::new(false),
        }
    }

    /// A bundle whose file is open.
    pub fn of_bundle(path: &Path, header: Header, file: File) -> Self {
        Self::with_file(&path.into(), Name::new(0), header, Arc::new(file), false)
    }

    /// Whether it is a bundle: its file stays open, and has its long values.
    pub fn is_bundle(&self) -> bool {
        self.header.kind == FileKind::Bundle
    }

    /// Notes that its file was removed, or sealed by another process: its owner must not append to it.
    pub fn set_lost(&self) {
        self.is_lost.store(true, Relaxed);
    }

    /// Whether its file was removed or sealed by another process.
    pub fn is_lost(&self) -> bool {
        self.is_lost.load(Relaxed)
    }

    /// Whether a file of this name is in its folder.
    pub fn is_there(&self) -> Outcome<bool> {
        is_there(&self.folder, &self.name)
    }

    /// Its file, which is opened again if it was closed to save descriptors.
    pub fn file(self: &Arc<Self>) -> Outcome<Arc<File>> {
        if let Some(file) = &*self.file.lock() {
            return Ok(file.clone());
        }
        let file = Arc::new(open_file(&self.folder, &self.name)?.0);
        *self.file.lock() = Some(file.clone());
        self.note_open();
        Ok(file)
    }

    /// Notes that its file is open, so that it can be closed if there are too many.
    pub fn note_open(self: &Arc<Self>) {
        let weak = Arc::downgrade(self);
        open_files::opened(weak);
    }

    /// The path of its file, for messages.
    pub fn path(&self) -> PathBuf {
        match self.is_bundle() {
            true => self.folder.to_path_buf(),
            false => self.folder.join(self.name.file(State::Sealed)),
        }
    }

    /// The path of the folder that contains the files of its long values.
    pub fn value_folder(&self) -> PathBuf {
        value_folder(&self.folder, &self.name)
    }

    /// The bytes of the record at a place, which [`Record::decode`] has to check.
    pub fn read(self: &Arc<Self>, offset: u64, extent: Extent) -> Outcome<Vec<u8>> {
        let file = self.file()?;
        let mut bytes = self.buffer(extent.len())?;
        let len =
            files::read_at(&file, &mut bytes, offset).map_err(|error| Failure::of("read", &self.path())(error))?;
        bytes.truncate(len);
        self.note_read(&file);
        Ok(bytes)
    }

    /// This many bytes to read into.
    pub fn buffer(&self, len: usize) -> Outcome<Vec<u8>> {
        let mut buffer = Vec::new();
        buffer.try_reserve_exact(len).map_err(|error| Failure::of("read", &self.path())(error.into()))?;
        buffer.resize(len, 0);
        Ok(buffer)
    }

    /// Notes for others that this process reads the segment.
    fn note_read(&self, file: &File) {
        let now = SystemTime::now();
        let seconds = seconds(now);
        let noted = self.noted.load(Relaxed);
        // A clock that was set back must not end the notes.
        if noted != u64::MAX && seconds.abs_diff(noted) >= NOTE {
            self.noted.store(seconds, Relaxed);
            // It only guides which segments are removed first.
            let _ = files::note_read(file, now);
        }
    }

    /// The length of its file.
    pub fn len(self: &Arc<Self>) -> Outcome<u64> {
        let file = self.file()?;
        Ok(files::metadata(&file).map_err(|error| Failure::of("look at", &self.path())(error))?.len())
    }

    /// Its trailer; `None` if it has no valid one.
    pub fn trailer(self: &Arc<Self>) -> Outcome<Option<Trailer>> {
        let (file, len) = (self.file()?, self.len()?);
        let mut bytes = [0; TRAILER];
        let start = len.saturating_sub(TRAILER as u64);
        let read =
            files::read_at(&file, &mut bytes, start).map_err(|error| Failure::of("read", &self.path())(error))?;
        Ok(Trailer::decode(&self.header, len, &bytes[..read]))
    }

    /// Its footer; `None` if it has no valid one.
    pub fn footer(self: &Arc<Self>) -> Outcome<Option<Footer>> {
        let Some(trailer) = self.trailer()? else { return Ok(None) };
        let file = self.file()?;
        // The trailer says that the file is so long.
        let mut bytes = self.buffer(trailer.columns_len())?;
        let read = files::read_at(&file, &mut bytes, trailer.start);
        let read = read.map_err(|error| Failure::of("read", &self.path())(error))?;
        let footer = Footer::decode(&self.header, &trailer, &bytes[..read]);
        footer.map_err(|error| Failure::of("read", &self.path())(error))
    }

    /// Calls `found` with each record from an offset on, and returns where the last one ends. Stops at the first bytes
    /// that are not a record, or searches for the next one behind them if it `continues`.
    pub fn scan(
        self: &Arc<Self>,
        from: u64,
        continues: bool,
        mut found: impl FnMut(u64, &Record) -> io::Result<()>,
    ) -> Outcome<u64> {
        let file = self.file()?;
        let mut buffer = self.buffer(CHUNK)?;
        let (mut offset, mut end) = (from, from);
        loop {
            let len = files::read_at(&file, &mut buffer, offset);
            let len = len.map_err(|error| Failure::of("read", &self.path())(error))?;
            let more = len == buffer.len();
            let mut at = 0;
            while len.saturating_sub(at) >= PREFIX {
                let (rest, place) = (&buffer[at..len], offset + at as u64);
                match Record::decode(&self.header, place, rest) {
                    Some(record) => {
                        found(place, &record).map_err(|error| Failure::of("read", &self.path())(error))?;
                        at += record.len();
                        end = offset + at as u64;
                        at = at.saturating_add(self.len_behind(&record));
                    }
                    // The rest of it is not in the buffer.
                    None if more && Record::announced_len(rest).is_some_and(|announced| announced > rest.len()) => {
                        break;
                    }
                    None if continues => at += UNIT,
                    None => return Ok(end),
                }
            }
            let next = offset.checked_add(at as u64).filter(|next| i64::try_from(*next).is_ok());
            match next {
                Some(next) if more => offset = next,
                _ => return Ok(end),
            }
        }
    }

    /// The bytes behind a record that belong to it.
    fn len_behind(&self, record: &Record) -> usize {
        match record.content {
            Content::File(file) if self.is_bundle() => usize::try_from(file.len_behind()).unwrap_or(usize::MAX),
            _ => 0,
        }
    }

    /// The footer that the records from the header on have, and where the last one ends.
    pub fn make_footer(self: &Arc<Self>) -> Outcome<(Footer, u64)> {
        // Only its owner knows.
        let mut footer = Footer { replaces: true, ..Footer::default() };
        let mut end = HEADER as u64;
        let last = self.scan(end, true, |offset, record| {
            Extent::damaged((offset - end) as usize).try_for_each(|damaged| footer.push(0, damaged))?;
            footer.push(record.key.hash(), record.extent())?;
            footer.cost += f64::from(record.cost);
            if let (Content::File(file), false) = (record.content, self.is_bundle()) {
                footer.file_bytes = footer.file_bytes.saturating_add(file.len());
            }
            end = offset + record.len() as u64;
            Ok(())
        })?;
        Ok((footer, last))
    }

    /// The parts of a sealed segment: hashes, offsets, extents. From the footer, or, if that is damaged, from the
    /// records; returns also whether it was damaged.
    pub fn parts(self: &Arc<Self>) -> Outcome<(Footer, bool)> {
        match self.footer()? {
            Some(footer) => Ok((footer, false)),
            None => Ok((self.make_footer()?.0, true)),
        }
    }
}

impl Closes for Segment {
    fn close(&self) {
        if !self.is_bundle() {
            *self.file.lock() = None;
        }
    }
}

/// Opens the file of a segment in any state; one that was sealed meanwhile, in its new one.
fn open_file(folder: &Path, name: &Name) -> Outcome<(File, PathBuf)> {
    let mut opened = Err(Failure::of("open", folder)(std::io::ErrorKind::NotFound.into()));
    for state in [State::Sealed, State::Live, State::Sealed] {
        let path = folder.join(name.file(state));
        let file = files::open(&path);
        opened = file.map_err(Failure::of("open", &path)).map(|file| (file, path.clone()));
        match &opened {
            Err(failure) if failure.is_absence() => (),
            _ => break,
        }
    }
    opened
}

/// Whether a segment has a file in a folder. A listing may miss a file that is renamed meanwhile.
pub fn is_there(folder: &Path, name: &Name) -> Outcome<bool> {
    for state in [State::Sealed, State::Live, State::Sealed] {
        let path = folder.join(name.file(state));
        match files::stat(&path).map_err(Failure::of("look at", &path)) {
            Ok(_) => return Ok(true),
            Err(failure) if failure.is_absence() => (),
            Err(failure) => return Err(failure),
        }
    }
    Ok(false)
}

/// The folder of the files of long values of a segment.
pub fn value_folder(folder: &Path, name: &Name) -> PathBuf {
    folder.join("values").join(name.text())
}

impl ValueFile {
    /// The name of the file.
    pub fn name(&self) -> String {
        format!("{:08x}", self.number)
    }

    /// The bytes of the file.
    pub fn len(&self) -> u64 {
        (HEADER as u64 + u64::from(self.key_len)).saturating_add(self.value_len)
    }

    /// The bytes of key and value behind the record, in a bundle.
    pub fn len_behind(&self) -> u64 {
        let len = u64::from(self.key_len).saturating_add(self.value_len);
        len.checked_next_multiple_of(UNIT as u64).unwrap_or(u64::MAX)
    }
}

/// Whether a kind of record is a value.
pub fn is_value(kind: Kind) -> bool {
    matches!(kind, Kind::Value | Kind::File)
}
