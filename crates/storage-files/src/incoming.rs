//! Messages on their way in. Small ones wait in memory; large ones go to a file of their own, block
//! by block, so that memory stays bounded whatever a client announces.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use base::ModSeq;
use storage::disk::{File, Open};
use storage::{Error, Incoming, Staged, Task};

use crate::codec::Codec;
use crate::frame::{
    Block, Blocks, Encoding, FRAMES_AT, HEADER_BYTES, Header, Kind, LARGE_HEAD_BYTES, Segment,
    SegmentKind, VERSION, padded,
};
use crate::log::Log;
use crate::{Shared, failed};

/// Up to this many bytes hashing and compressing are done at once; above, on the pool.
const INLINE_BYTES_MAX: usize = 64 * 1024;
/// No size hint makes more than this be reserved: it is the client's word.
const RESERVE_BYTES_MAX: usize = 64 * 1024;
/// When too much waits in memory, messages with more octets are large ones.
const CROWDED_BYTES: usize = 16 * 1024;
/// Octets of a large message: what a position can tell.
const LARGE_OCTETS_MAX: u64 = 0xf000_0000;

static NEXT: AtomicU64 = AtomicU64::new(0);

/// What [`Staged::body`] holds.
pub(crate) enum Body {
    /// A frame whose header is not filled in yet.
    Small { frame: Vec<u8>, encoding: Encoding, payload_crc: u32, _held: Held },
    /// A file that has no number yet.
    Large(LargeFile),
}

/// Counts a small message among those that wait in memory.
pub(crate) struct Held {
    all: Arc<AtomicU64>,
    bytes: u64,
}

impl Held {
    fn new(all: &Arc<AtomicU64>, bytes: usize) -> Self {
        let bytes = bytes as u64;
        all.fetch_add(bytes, Ordering::Relaxed);
        Self { all: all.clone(), bytes }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.all.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

impl Body {
    /// Bytes it takes in the log segment.
    pub(crate) fn log_bytes(&self) -> u64 {
        match self {
            Self::Small { frame, .. } => padded(frame.len() as u64),
            Self::Large(_) => 0,
        }
    }

    /// Bytes of its frame.
    pub(crate) fn stored_bytes(&self) -> u32 {
        match self {
            Self::Small { frame, .. } => frame.len() as u32,
            Self::Large(file) => HEADER_BYTES as u32 + file.payload_bytes,
        }
    }
}

/// A large message in a file that no record names yet. Dropping it removes the file.
pub(crate) struct LargeFile {
    shared: Arc<Shared>,
    file: Arc<dyn File>,
    path: String,
    named: bool,
    payload_bytes: u32,
    payload_crc: u32,
}

impl LargeFile {
    /// Makes it the segment `number`. Durable when the directory is synced.
    pub(crate) fn name(mut self, log: &Log, number: u32, sequence: ModSeq) -> Result<(), Error> {
        let path = log.segment_path(number, SegmentKind::Large);
        let name = || {
            let segment = Segment {
                version: VERSION,
                kind: SegmentKind::Large,
                number,
                account: log.id,
                salt: self.shared.disk.random()?,
                base: ModSeq::ZERO,
                index_at: 0,
            };
            let header = Header {
                kind: Kind::Large,
                encoding: Encoding::Raw,
                payload_bytes: self.payload_bytes,
                offset: FRAMES_AT as u32,
                durable_to: FRAMES_AT as u32,
                sequence,
                payload_crc: self.payload_crc,
            };
            let mut bytes = segment.encode();
            bytes.extend_from_slice(&header.encode(segment.seed()));
            self.file.write_at(&bytes, 0)?;
            self.file.sync_data()?;
            self.shared.disk.rename(&self.path, &path)
        };
        name().map_err(|error: std::io::Error| failed(&path, &error))?;
        self.named = true;
        Ok(())
    }
}

impl Drop for LargeFile {
    fn drop(&mut self) {
        if !self.named
            && let Err(error) = self.shared.disk.remove(&self.path)
        {
            // The next start removes it.
            tracing::warn!(path = self.path, %error, "cannot remove an abandoned message");
        }
    }
}

/// A message that arrives.
pub(crate) struct Receiver {
    log: Arc<Log>,
    buffer: Vec<u8>,
    large: Option<Large>,
    /// Above it the message becomes a large one.
    small_max: usize,
    /// Octets that the message will have, as the client says; 0 if it does not.
    announced: usize,
    broken: bool,
}

impl Receiver {
    pub(crate) fn new(log: Arc<Log>, size_hint: Option<u64>) -> Self {
        let announced = usize::try_from(size_hint.unwrap_or(0)).unwrap_or(usize::MAX);
        let reserve = announced.min(RESERVE_BYTES_MAX);
        let options = &log.shared.options;
        let crowded = log.shared.staged.load(Ordering::Relaxed) > options.staged_bytes_max;
        let small_max = match crowded {
            true => options.large_bytes.min(CROWDED_BYTES),
            false => options.large_bytes,
        };
        let buffer = log.shared.buffers.take(reserve);
        Self { log, buffer, large: None, small_max, announced, broken: false }
    }

    /// Writes the buffer's whole blocks to the large file.
    async fn spill(&mut self) -> Result<(), Error> {
        let (log, large) = (self.log.clone(), self.large.take());
        let mut buffer = std::mem::take(&mut self.buffer);
        self.broken = true;
        let work = move || {
            let mut large = large.map_or_else(|| Large::new(&log), Ok)?;
            let block_bytes = log.shared.options.block_bytes as usize;
            let whole = buffer.len() / block_bytes * block_bytes;
            for block in buffer[..whole].chunks(block_bytes) {
                large.put(block, &log.shared.codec)?;
            }
            // The same buffer goes back: what is allocated on one thread and freed on another,
            // block after block, stays with the allocator.
            buffer.drain(..whole);
            Ok((large, buffer))
        };
        let (large, rest) = self.log.shared.pool.run(work).await?;
        (self.large, self.buffer, self.broken) = (Some(large), rest, false);
        Ok(())
    }
}

impl Incoming for Receiver {
    fn write<'a>(&'a mut self, mut bytes: &'a [u8]) -> Task<'a, Result<(), Error>> {
        let block_bytes = self.log.shared.options.block_bytes as usize;
        Box::pin(async move {
            if self.broken {
                return Err(Error::Failed("an earlier write failed".into()));
            }
            while !bytes.is_empty() {
                let most = if self.large.is_some() { block_bytes } else { self.small_max };
                let count = bytes.len().min((most + 1).saturating_sub(self.buffer.len()));
                // Who has sent all that was reserved is believed the rest: to grow step by step would
                // copy it several times.
                let all = self.announced.min(most + 1);
                if all > self.buffer.capacity()
                    && self.buffer.len() + count > self.buffer.capacity()
                {
                    self.buffer.reserve_exact(all - self.buffer.len());
                }
                self.buffer.extend_from_slice(&bytes[..count]);
                bytes = &bytes[count..];
                if self.buffer.len() > most {
                    self.spill().await?;
                }
            }
            Ok(())
        })
    }

    fn finish(self: Box<Self>) -> Task<'static, Result<Staged, Error>> {
        let Self { log, buffer, large, broken, .. } = *self;
        if broken {
            let error = Error::Failed("an earlier write failed".into());
            return Box::pin(std::future::ready(Err(error)));
        }
        let shared = log.shared.clone();
        match large {
            None if buffer.len() <= INLINE_BYTES_MAX => {
                Box::pin(std::future::ready(Ok(stage(buffer, &log.shared))))
            }
            None => shared.pool.run(move || Ok(stage(buffer, &log.shared))),
            Some(large) => shared.pool.run(move || large.finish(&buffer, &log)),
        }
    }
}

fn stage(message: Vec<u8>, shared: &Shared) -> Staged {
    let hash = *blake3::hash(&message).as_bytes();
    let mut frame = shared.buffers.take(Codec::frame_bytes_max(message.len()));
    let encoding = shared.codec.frame(&message, &hash, &mut frame);
    let size = message.len() as u64;
    shared.buffers.give(message);
    let payload_crc = crc32c::crc32c(&frame[HEADER_BYTES..]);
    let _held = Held::new(&shared.staged, frame.len());
    let body = Box::new(Body::Small { frame, encoding, payload_crc, _held });
    Staged { size, hash, body, extracts: Vec::new() }
}

/// A large message being written.
struct Large {
    target: LargeFile,
    hasher: blake3::Hasher,
    blocks: Blocks,
    /// Where the next block goes in the payload.
    at: u64,
    scratch: Vec<u8>,
}

impl Large {
    fn new(log: &Log) -> Result<Self, Error> {
        let shared = log.shared.clone();
        let nth = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = log.path(&format!("log/incoming-{}-{nth}.tmp", shared.token));
        let open = shared.disk.open(&path, Open::New);
        let file = open.map_err(|error| failed(&path, &error))?;
        let block_bytes = shared.options.block_bytes;
        let (payload_bytes, payload_crc, named) = (0, 0, false);
        Ok(Self {
            target: LargeFile { shared, file, path, named, payload_bytes, payload_crc },
            hasher: blake3::Hasher::new(),
            blocks: Blocks { size: 0, hash: [0; 32], block_bytes, table: Vec::new() },
            at: LARGE_HEAD_BYTES as u64,
            scratch: Vec::new(),
        })
    }

    fn write(&self, bytes: &[u8], at_payload: u64) -> Result<(), Error> {
        let offset = FRAMES_AT + HEADER_BYTES as u64 + at_payload;
        let written = self.target.file.write_at(bytes, offset);
        written.map_err(|error| failed(&self.target.path, &error))
    }

    fn put(&mut self, block: &[u8], codec: &Codec) -> Result<(), Error> {
        self.blocks.size += block.len() as u64;
        if self.blocks.size > LARGE_OCTETS_MAX {
            return Err(Error::NoSpace);
        }
        self.hasher.update(block);
        self.scratch.clear();
        let encoding = codec.encode(block, &mut self.scratch);
        self.blocks.table.push(Block {
            at: self.at as u32,
            stored_bytes: self.scratch.len() as u32,
            encoding,
            crc: crc32c::crc32c(&self.scratch),
        });
        self.write(&self.scratch, self.at)?;
        self.at += self.scratch.len() as u64;
        Ok(())
    }

    fn finish(mut self, rest: &[u8], log: &Log) -> Result<Staged, Error> {
        if !rest.is_empty() {
            self.put(rest, &log.shared.codec)?;
        }
        self.blocks.hash = *self.hasher.finalize().as_bytes();
        let (head, table) = (self.blocks.encode_head(), self.blocks.encode_table());
        self.write(&head, 0)?;
        self.write(&table, self.at)?;
        self.target.payload_crc = crc32c::crc32c_append(crc32c::crc32c(&head), &table);
        self.target.payload_bytes = (self.at + table.len() as u64) as u32;
        // Most of the bytes reach the disk here, outside of any commit.
        let synced = self.target.file.sync_data();
        synced.map_err(|error| failed(&self.target.path, &error))?;
        let (size, hash) = (self.blocks.size, self.blocks.hash);
        Ok(Staged { size, hash, body: Box::new(Body::Large(self.target)), extracts: Vec::new() })
    }
}
