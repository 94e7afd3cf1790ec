//! Messages as they are stored: compressed where that helps, hashed, checked.

use std::io::Cursor;
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use storage::Error;
use zstd::bulk::{Compressor, Decompressor};

use crate::frame::{self, Encoding, HEADER_BYTES, Header, Kind, MESSAGE_HEAD_BYTES, Seed};

/// Below this compressing costs more than it saves.
const COMPRESS_BYTES_MIN: usize = 128;
/// Octets a message in a log segment may claim to have: what decoding may allocate.
const MESSAGE_OCTETS_MAX: u64 = 64 * 1024 * 1024;
/// Contexts kept for the next call; each takes about a megabyte.
const CONTEXTS_MAX: usize = 8;

/// How a message is checked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Proof {
    /// By its frame's checksum.
    Sum,
    /// By its hash too.
    Hash,
}

/// Compression with its working memory, which is costly to set up.
pub(crate) struct Codec {
    level: i32,
    compressors: Mutex<Vec<Compressor<'static>>>,
    decompressors: Mutex<Vec<Decompressor<'static>>>,
}

impl Codec {
    pub(crate) fn new(level: i32) -> Self {
        Self { level, compressors: Mutex::default(), decompressors: Mutex::default() }
    }

    /// Appends `bytes` to `out`, compressed if that makes them smaller.
    pub(crate) fn encode(&self, bytes: &[u8], out: &mut Vec<u8>) -> Encoding {
        let at = out.len();
        if bytes.len() >= COMPRESS_BYTES_MIN {
            // One byte less than raw, or it is not worth it: zstd stops where the room ends.
            out.resize(at + bytes.len() - 1, 0);
            let taken = take(&self.compressors).map_or_else(|| Compressor::new(self.level), Ok);
            if let Ok(mut context) = taken {
                let written = context.compress_to_buffer(bytes, &mut out[at..]);
                give(&self.compressors, context);
                if let Ok(written) = written {
                    out.truncate(at + written);
                    return Encoding::Zstd;
                }
            }
            out.truncate(at);
        }
        out.extend_from_slice(bytes);
        Encoding::Raw
    }

    /// The `octets` bytes that `stored` encodes; `None` if it does not.
    pub(crate) fn decode(&self, stored: Bytes, encoding: Encoding, octets: usize) -> Option<Bytes> {
        if encoding == Encoding::Raw {
            return (stored.len() == octets).then_some(stored);
        }
        let mut bytes = Vec::with_capacity(octets);
        self.decoder().append(&stored, encoding, octets, &mut bytes)?;
        Some(bytes.into())
    }

    /// What decodes; its working memory comes from the last one who did, and goes to the next.
    pub(crate) fn decoder(&self) -> Decoder<'_> {
        Decoder { pool: &self.decompressors, context: None }
    }

    /// A message's frame with room for the header, and how its content is encoded.
    pub(crate) fn frame(&self, message: &[u8], hash: &[u8; 32]) -> (Vec<u8>, Encoding) {
        let mut frame = Vec::with_capacity(HEADER_BYTES + MESSAGE_HEAD_BYTES + message.len());
        frame.resize(HEADER_BYTES, 0);
        frame.extend_from_slice(&(message.len() as u64).to_le_bytes());
        frame.extend_from_slice(hash);
        let encoding = self.encode(message, &mut frame);
        (frame, encoding)
    }

    /// The message in a whole frame, which was first written at `offset`.
    pub(crate) fn message(
        &self,
        bytes: Bytes,
        (seed, offset): (Seed, u32),
        check: Proof,
    ) -> Result<Bytes, Error> {
        let stored = Stored::check(&bytes, seed, offset)?;
        let content = bytes.slice_ref(stored.content);
        let Some(message) = self.decode(content, stored.encoding, stored.octets) else {
            return Err(damaged(offset, "content"));
        };
        if check == Proof::Hash && blake3::hash(&message).as_bytes() != stored.hash {
            return Err(damaged(offset, "hash"));
        }
        Ok(message)
    }
}

/// A message as its frame holds it, the checksums of which are right.
pub(crate) struct Stored<'a> {
    pub(crate) encoding: Encoding,
    /// Octets of the message.
    pub(crate) octets: usize,
    hash: &'a [u8],
    pub(crate) content: &'a [u8],
}

impl<'a> Stored<'a> {
    /// Reads a whole frame, which was first written at `offset`.
    pub(crate) fn check(frame: &'a [u8], seed: Seed, offset: u32) -> Result<Self, Error> {
        let Some(header) = Header::decode(frame, seed) else {
            return Err(damaged(offset, "no frame"));
        };
        let fits = header.frame_bytes() == frame.len() as u64 && header.offset == offset;
        if header.kind != Kind::Message || !fits {
            return Err(damaged(offset, "another frame"));
        }
        let payload = &frame[HEADER_BYTES..];
        if !frame::payload_is_whole(&header, payload) || payload.len() < MESSAGE_HEAD_BYTES {
            return Err(damaged(offset, "checksum"));
        }
        let octets = frame::u64_at(payload, 0).filter(|&octets| octets <= MESSAGE_OCTETS_MAX);
        let octets = octets.ok_or_else(|| damaged(offset, "size"))? as usize;
        let (head, content) = payload.split_at(MESSAGE_HEAD_BYTES);
        Ok(Self { encoding: header.encoding, octets, hash: &head[8..], content })
    }
}

pub(crate) fn damaged(offset: u32, why: &str) -> Error {
    Error::Damaged(format!("message at {offset}: {why}"))
}

/// Decodes one content after the other.
pub(crate) struct Decoder<'a> {
    pool: &'a Mutex<Vec<Decompressor<'static>>>,
    context: Option<Decompressor<'static>>,
}

impl Decoder<'_> {
    /// Appends the `octets` bytes that `stored` encodes; `None`, and nothing appended, if it does not.
    pub(crate) fn append(
        &mut self,
        stored: &[u8],
        encoding: Encoding,
        octets: usize,
        out: &mut Vec<u8>,
    ) -> Option<()> {
        let at = out.len();
        match encoding {
            Encoding::Raw if stored.len() == octets => out.extend_from_slice(stored),
            Encoding::Raw => return None,
            Encoding::Zstd => {
                out.reserve(octets);
                let mut target = Cursor::new(&mut *out);
                target.set_position(at as u64);
                let written = self.context()?.decompress_to_buffer(stored, &mut target);
                if written.ok() != Some(octets) {
                    out.truncate(at);
                    return None;
                }
            }
        }
        Some(())
    }

    fn context(&mut self) -> Option<&mut Decompressor<'static>> {
        if self.context.is_none() {
            let taken = take(self.pool).map_or_else(Decompressor::new, Ok);
            self.context = taken.ok();
        }
        self.context.as_mut()
    }
}

impl Drop for Decoder<'_> {
    fn drop(&mut self) {
        if let Some(context) = self.context.take() {
            give(self.pool, context);
        }
    }
}

fn take<T>(pool: &Mutex<Vec<T>>) -> Option<T> {
    pool.lock().unwrap_or_else(PoisonError::into_inner).pop()
}

fn give<T>(pool: &Mutex<Vec<T>>, context: T) {
    let mut pool = pool.lock().unwrap_or_else(PoisonError::into_inner);
    if pool.len() < CONTEXTS_MAX {
        pool.push(context);
    }
}
