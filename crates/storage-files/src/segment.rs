//! Open segments: their files, headers and indexes, a few of them kept for the next reader.

use std::io;
use std::sync::{Arc, PoisonError};

use base::ModSeq;
use mailbox::Position;
use storage::Error;
use storage::disk::{File, Open};

use crate::frame::{
    self, FRAMES_AT, HEADER_BYTES, Header, Kind, Seed, Segment, SegmentKind, VERSION,
    payload_is_whole,
};
use crate::log::Log;
use crate::seed;
use crate::walk::{Check, Step, Walk};
use crate::{failed, not_there};

/// Segments kept open for an account.
const HANDLES_MAX: usize = 4;

/// An open segment.
pub(crate) struct Handle {
    pub(crate) file: Arc<dyn File>,
    pub(crate) segment: Segment,
    /// What its frames' checks begin with.
    pub(crate) seed: Seed,
    /// Of a rewritten segment: where its messages' frames were and are, ascending.
    pub(crate) index: Option<Vec<(u32, u32)>>,
    /// Whether header and index are good. Otherwise they were put together from the frames, and
    /// nothing is written to the file any more.
    pub(crate) whole: bool,
}

impl Handle {
    /// Opens a segment's file and reads its header.
    pub(crate) fn open(log: &Log, number: u32, kind: SegmentKind) -> Result<Self, Error> {
        let path = log.segment_path(number, kind);
        let open = log.shared.disk.open(&path, Open::Read);
        let file = open.map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => Error::Damaged(format!("segment {number} is not there")),
            _ => failed(&path, &error),
        })?;
        Self::read(file, &path, log, (number, kind))
    }

    fn read(
        file: Arc<dyn File>,
        path: &str,
        log: &Log,
        (number, kind): (u32, SegmentKind),
    ) -> Result<Self, Error> {
        let mut bytes = vec![0; FRAMES_AT as usize];
        let count = file.read_at(&mut bytes, 0).map_err(|error| failed(path, &error))?;
        let segment = Segment::decode(&bytes[..count])
            .filter(|segment| segment.number == number && segment.account == log.id);
        let Some(segment) = segment else {
            tracing::error!(path, "the segment's header is damaged");
            if kind != SegmentKind::Log {
                return Err(Error::Damaged(format!("header of segment {number}")));
            }
            let salvaged = Self::salvage(file, log, number);
            return salvaged
                .map_err(|error| failed(path, &error))?
                .ok_or_else(|| Error::Damaged(format!("header of segment {number}")));
        };
        let seed = segment.seed();
        let (mut index, mut whole) = (None, true);
        if segment.index_at != 0 {
            index = Some(match read_index(&*file, &segment, segment.index_at) {
                Ok(index) => index,
                Err(why) => {
                    tracing::error!(path, why, "the segment's index is damaged");
                    whole = false;
                    survey(&*file, seed).map_err(|error| failed(path, &error))?.index
                }
            });
        }
        Ok(Self { file, segment, seed, index, whole })
    }

    /// A log segment whose header is gone, read through the seed that its frames tell.
    fn salvage(file: Arc<dyn File>, log: &Log, number: u32) -> io::Result<Option<Self>> {
        let mut bytes = vec![0; usize::try_from(file.len()?).unwrap_or(0)];
        let count = file.read_at(&mut bytes, 0)?;
        let Some(seed) = seed::find(&bytes[..count]) else { return Ok(None) };
        let Survey { base, index, index_at } = survey(&*file, seed)?;
        let (kind, account) = (SegmentKind::Log, log.id);
        // Another salt: caches that were made for the old one do not fit, which costs little.
        let salt = log.shared.disk.random()?;
        let version = VERSION;
        let segment = Segment { version, kind, number, account, salt, base, index_at };
        Ok(Some(Self {
            file,
            segment,
            seed,
            index: (index_at != 0).then_some(index),
            whole: false,
        }))
    }

    /// Where a frame that was first written at `offset` is in the file.
    pub(crate) fn physical(&self, offset: u32) -> Result<u64, Error> {
        let Some(index) = &self.index else { return Ok(u64::from(offset)) };
        let found = index.binary_search_by_key(&offset, |&(was, _)| was);
        let found = found.map(|at| u64::from(index[at].1));
        found.map_err(|_| Error::Damaged(format!("no message at {offset} any more")))
    }
}

/// What a segment's frames tell of it.
struct Survey {
    base: ModSeq,
    index: Vec<(u32, u32)>,
    /// 0 if all frames are where they were written first.
    index_at: u32,
}

fn survey(file: &dyn File, seed: Seed) -> io::Result<Survey> {
    let length = file.len()?;
    let mut survey = Survey { base: ModSeq::ZERO, index: Vec::new(), index_at: 0 };
    let (mut first, mut moved, mut end) = (None, false, length);
    let mut walk = Walk::new(file, seed, FRAMES_AT, length).moved(true).check(Check::NoMessages);
    while let Some(step) = walk.next()? {
        let Step::Frame(header, at, _) = step else { continue };
        moved |= u64::from(header.offset) != at;
        match header.kind {
            Kind::Index => (moved, end) = (true, at),
            Kind::Message | Kind::Message1 => survey.index.push((header.offset, at as u32)),
            _ => {}
        }
        if header.kind.is_message() || matches!(header.kind, Kind::Records | Kind::Lost) {
            first.get_or_insert(header.sequence);
        }
    }
    // The first commit of the segment tells where the log ended before it.
    let before = first.and_then(|first| first.get().checked_sub(1)).and_then(ModSeq::new);
    survey.base = before.unwrap_or_default();
    survey.index.sort_unstable();
    survey.index_at = if moved { end as u32 } else { 0 };
    Ok(survey)
}

fn read_index(file: &dyn File, segment: &Segment, at: u32) -> Result<Vec<(u32, u32)>, String> {
    let text = |error: io::Error| error.to_string();
    let mut bytes = [0; HEADER_BYTES];
    file.read_at(&mut bytes, u64::from(at)).map_err(text)?;
    let header = Header::decode(&bytes, segment.seed()).ok_or("no frame")?;
    let length = file.len().map_err(text)?;
    let fits = u64::from(at) + header.frame_bytes() <= length;
    if header.kind != Kind::Index || !fits {
        return Err("not an index".to_owned());
    }
    let mut payload = vec![0; header.payload_bytes as usize];
    let count = file.read_at(&mut payload, u64::from(at) + HEADER_BYTES as u64).map_err(text)?;
    if count != payload.len() || !payload_is_whole(&header, &payload) {
        return Err("checksum".to_owned());
    }
    let pair = |pair: &[u8]| Some((frame::u32_at(pair, 0)?, frame::u32_at(pair, 4)?));
    payload.chunks_exact(8).map(pair).collect::<Option<_>>().ok_or_else(|| "form".to_owned())
}

/// The segments that were read last.
#[derive(Default)]
pub(crate) struct Handles {
    /// The latest at the end.
    open: Vec<(u32, Arc<Handle>)>,
}

impl Handles {
    fn find(&mut self, number: u32) -> Option<Arc<Handle>> {
        let at = self.open.iter().rposition(|&(other, _)| other == number)?;
        let found = self.open.remove(at);
        let handle = found.1.clone();
        self.open.push(found);
        Some(handle)
    }

    fn put(&mut self, number: u32, handle: Arc<Handle>) {
        self.open.retain(|&(other, _)| other != number);
        if self.open.len() >= HANDLES_MAX {
            self.open.remove(0);
        }
        self.open.push((number, handle));
    }

    /// Forgets a segment: its file was replaced or removed.
    pub(crate) fn forget(&mut self, number: u32) {
        self.open.retain(|&(other, _)| other != number);
    }
}

impl Log {
    /// The segment if it is open; does not wait for the disk.
    pub(crate) fn open_handle(&self, number: u32) -> Option<Arc<Handle>> {
        self.handles.lock().unwrap_or_else(PoisonError::into_inner).find(number)
    }

    /// The segment, opened if it is not.
    pub(crate) fn handle(&self, number: u32) -> Result<Arc<Handle>, Error> {
        if let Some(handle) = self.open_handle(number) {
            return Ok(handle);
        }
        let kind = self.lock().segments.get(&number).copied();
        let kind = kind.ok_or_else(|| not_there(number))?;
        let handle = Arc::new(Handle::open(self, number, kind)?);
        // Replaced while it was opened? Then the next reader opens it again.
        let mut handles = self.handles.lock().unwrap_or_else(PoisonError::into_inner);
        handles.put(number, handle.clone());
        Ok(handle)
    }

    /// Whether a position is in a segment of its own.
    pub(crate) fn is_large(&self, at: Position) -> bool {
        self.lock().segments.get(&at.segment) == Some(&SegmentKind::Large)
    }
}
