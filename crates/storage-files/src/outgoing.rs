//! Messages on their way out.
//!
//! A small message is one read. It is done on the caller's thread if the system has the bytes in
//! memory, and on the pool otherwise: waiting for a disk never holds up an executor. Large messages
//! are read block by block, on the pool.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use mailbox::Position;
use storage::{Error, Outgoing, Task};

use crate::failed;
use crate::frame::{BLOCK_BYTES, Blocks, HEADER_BYTES, Header, LARGE_HEAD_BYTES};
use crate::log::{Log, Place};
use crate::segment::Handle;

/// Bytes of one piece of a small message.
const PIECE_BYTES: usize = 256 * 1024;
/// Stored bytes up to which decoding is done on the caller's thread.
const INLINE_BYTES_MAX: usize = 256 * 1024;
/// Bytes a message in a log segment may take: more is no position of ours.
const STORED_BYTES_MAX: u32 = 64 * 1024 * 1024;

impl Log {
    /// Waits until the message at `at` is in the file, if it was committed a moment ago.
    pub(crate) async fn arrived(self: &Arc<Self>, at: Position) -> Result<(), Error> {
        let place = Place { segment: at.segment, offset: u64::from(at.offset) };
        if place >= self.lock().written.1 { self.flushed().await } else { Ok(()) }
    }

    pub(crate) async fn message(self: &Arc<Self>, at: Position) -> Result<Bytes, Error> {
        self.arrived(at).await?;
        if self.is_large(at) {
            let log = self.clone();
            return self.shared.pool.run(move || LargeReader::open(&log, at)?.read_all(&log)).await;
        }
        is_possible(at)?;
        if let Some(handle) = self.open_handle(at.segment) {
            let physical = handle.physical(at.offset)?;
            let mut buffer = vec![0; at.stored_bytes as usize];
            let read = handle.file.read_cached(&mut buffer, physical);
            if let Some(count) = read.map_err(|error| failed("segment", &error))? {
                buffer.truncate(count);
                if buffer.len() <= INLINE_BYTES_MAX {
                    return self.decode(&handle, buffer.into(), at);
                }
                let log = self.clone();
                let work = move || log.decode(&handle, buffer.into(), at);
                return self.shared.pool.run(work).await;
            }
        }
        let log = self.clone();
        self.shared.pool.run(move || log.read_message(at)).await
    }

    pub(crate) fn read_message(&self, at: Position) -> Result<Bytes, Error> {
        is_possible(at)?;
        let handle = self.handle(at.segment)?;
        let mut buffer = vec![0; at.stored_bytes as usize];
        let read = handle.file.read_at(&mut buffer, handle.physical(at.offset)?);
        buffer.truncate(read.map_err(|error| failed("segment", &error))?);
        self.decode(&handle, buffer.into(), at)
    }

    fn decode(&self, handle: &Handle, frame: Bytes, at: Position) -> Result<Bytes, Error> {
        let message = self.shared.codec.message(frame, (handle.seed, at.offset));
        message.inspect_err(|error| {
            tracing::error!(account = %self.id, segment = at.segment, %error, "unreadable message");
        })
    }

    pub(crate) async fn open(self: &Arc<Self>, at: Position) -> Result<Box<dyn Outgoing>, Error> {
        self.arrived(at).await?;
        if !self.is_large(at) {
            let rest = self.message(at).await?;
            return Ok(Box::new(Whole { size: rest.len() as u64, rest }));
        }
        let log = self.clone();
        let reader = self.shared.pool.run(move || LargeReader::open(&log, at)).await?;
        Ok(Box::new(Stream { log: self.clone(), reader: Some(reader) }))
    }
}

/// Whether it may be where a message in a log segment is: what reading it may allocate.
fn is_possible(at: Position) -> Result<(), Error> {
    match at.stored_bytes <= STORED_BYTES_MAX {
        true => Ok(()),
        false => Err(Error::Damaged(format!("{at:?} is no message's"))),
    }
}

/// A message in memory.
struct Whole {
    size: u64,
    rest: Bytes,
}

impl Outgoing for Whole {
    fn size(&self) -> u64 {
        self.size
    }

    fn next(&mut self) -> Task<'_, Result<Option<Bytes>, Error>> {
        let piece = self.rest.split_to(self.rest.len().min(PIECE_BYTES));
        Box::pin(std::future::ready(Ok((!piece.is_empty()).then_some(piece))))
    }

    fn skip(&mut self, count: u64) -> Task<'_, Result<(), Error>> {
        let count = usize::try_from(count).unwrap_or(usize::MAX).min(self.rest.len());
        drop(self.rest.split_to(count));
        Box::pin(std::future::ready(Ok(())))
    }
}

/// Reads a large message's blocks.
pub(crate) struct LargeReader {
    handle: Arc<Handle>,
    payload_at: u64,
    blocks: Blocks,
    /// The next block.
    index: usize,
    /// Octets of it that are left out.
    skip: usize,
    /// As long as nothing was left out.
    hasher: Option<blake3::Hasher>,
}

impl LargeReader {
    pub(crate) fn open(log: &Log, at: Position) -> Result<Self, Error> {
        let handle = log.handle(at.segment)?;
        let damaged = || {
            tracing::error!(account = %log.id, segment = at.segment, "unreadable large message");
            Error::Damaged(format!("large message in segment {}", at.segment))
        };
        let read = |bytes: usize, offset: u64| {
            let mut buffer = vec![0; bytes];
            let count = handle.file.read_at(&mut buffer, offset);
            let count = count.map_err(|error| failed("large message", &error))?;
            if count == bytes { Ok(buffer) } else { Err(damaged()) }
        };
        let frame_at = u64::from(at.offset);
        let start = read(HEADER_BYTES + LARGE_HEAD_BYTES, frame_at)?;
        let header = Header::decode(&start, handle.seed)
            .filter(|header| header.frame_bytes() == u64::from(at.stored_bytes));
        let header = header.ok_or_else(damaged)?;
        let head = &start[HEADER_BYTES..];
        let table_bytes = Blocks::count(head).and_then(|count| count.checked_mul(BLOCK_BYTES));
        let table_bytes = table_bytes.filter(|&bytes| bytes <= header.payload_bytes as usize);
        let table_bytes = table_bytes.ok_or_else(damaged)?;
        let end = frame_at + header.frame_bytes();
        let table = read(table_bytes, end - table_bytes as u64)?;
        let blocks = Blocks::decode_parts(&header, head, &table).ok_or_else(damaged)?;
        let payload_at = frame_at + HEADER_BYTES as u64;
        let hasher = Some(blake3::Hasher::new());
        Ok(Self { handle, payload_at, blocks, index: 0, skip: 0, hasher })
    }

    /// The next block's octets. Behind the last one, if all were read: whether the hash is right.
    fn next(&mut self, log: &Log) -> Result<Option<Bytes>, Error> {
        let damaged = |what: &str| {
            let segment = self.handle.segment.number;
            tracing::error!(account = %log.id, segment, what, "damaged large message");
            Err(Error::Damaged(format!("large message in segment {segment}: {what}")))
        };
        let Some(block) = self.blocks.table.get(self.index) else {
            let hash = self.hasher.take().map(|hasher| *hasher.finalize().as_bytes());
            return match hash.is_none_or(|hash| hash == self.blocks.hash) {
                true => Ok(None),
                false => damaged("hash"),
            };
        };
        let mut stored = vec![0; block.stored_bytes as usize];
        let read = self.handle.file.read_at(&mut stored, self.payload_at + u64::from(block.at));
        stored.truncate(read.map_err(|error| failed("large message", &error))?);
        if crc32c::crc32c(&stored) != block.crc {
            return damaged("checksum");
        }
        let octets = self.blocks.octets(self.index) as usize;
        let Some(mut piece) = log.shared.codec.decode(stored.into(), block.encoding, octets) else {
            return damaged("content");
        };
        if let Some(hasher) = &mut self.hasher {
            hasher.update(&piece);
        }
        drop(piece.split_to(std::mem::take(&mut self.skip).min(piece.len())));
        self.index += 1;
        Ok(Some(piece))
    }

    /// Leaves out octets: only the block in which that ends is read.
    fn skip(&mut self, count: u64) {
        if count == 0 {
            return;
        }
        self.hasher = None;
        let block = u64::from(self.blocks.block_bytes);
        let at = self.index as u64 * block + self.skip as u64;
        let to = at.saturating_add(count).min(self.blocks.size);
        self.index = (to / block) as usize;
        self.skip = (to % block) as usize;
    }

    pub(crate) fn read_all(mut self, log: &Log) -> Result<Bytes, Error> {
        // The size is checked, but not against the disk yet: it grows as blocks turn out good.
        let mut all = BytesMut::new();
        while let Some(piece) = self.next(log)? {
            all.extend_from_slice(&piece);
        }
        Ok(all.freeze())
    }

    /// Reads everything and checks it; the message's octets and hash.
    pub(crate) fn verify(mut self, log: &Log) -> Result<(u64, [u8; 32]), Error> {
        while self.next(log)?.is_some() {}
        Ok((self.blocks.size, self.blocks.hash))
    }
}

/// A large message as a stream.
struct Stream {
    log: Arc<Log>,
    /// Away while a block is read. After an error there is nothing more.
    reader: Option<LargeReader>,
}

impl Outgoing for Stream {
    fn size(&self) -> u64 {
        self.reader.as_ref().map_or(0, |reader| reader.blocks.size)
    }

    fn next(&mut self) -> Task<'_, Result<Option<Bytes>, Error>> {
        Box::pin(async move {
            loop {
                let Some(mut reader) = self.reader.take() else { return Ok(None) };
                let log = self.log.clone();
                let work = move || reader.next(&log).map(|piece| (reader, piece));
                let (reader, piece) = self.log.shared.pool.run(work).await?;
                self.reader = Some(reader);
                if piece.as_ref().is_none_or(|piece| !piece.is_empty()) {
                    return Ok(piece);
                }
            }
        })
    }

    fn skip(&mut self, count: u64) -> Task<'_, Result<(), Error>> {
        if let Some(reader) = &mut self.reader {
            reader.skip(count);
        }
        Box::pin(std::future::ready(Ok(())))
    }
}
