//! Messages as they are stored: compressed where that helps, hashed, checked.

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
        let bytes = match encoding {
            Encoding::Raw => stored,
            Encoding::Zstd => {
                let taken = take(&self.decompressors).map_or_else(Decompressor::new, Ok);
                let mut context = taken.ok()?;
                let bytes = context.decompress(&stored, octets);
                give(&self.decompressors, context);
                Bytes::from(bytes.ok()?)
            }
        };
        (bytes.len() == octets).then_some(bytes)
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
        let damaged = |why: &str| Err(Error::Damaged(format!("message at {offset}: {why}")));
        let Some(header) = Header::decode(&bytes, seed) else { return damaged("no frame") };
        let fits = header.frame_bytes() == bytes.len() as u64 && header.offset == offset;
        if header.kind != Kind::Message || !fits {
            return damaged("another frame");
        }
        let payload = bytes.slice(HEADER_BYTES..);
        if !frame::payload_is_whole(&header, &payload) || payload.len() < MESSAGE_HEAD_BYTES {
            return damaged("checksum");
        }
        let octets = frame::u64_at(&payload, 0).filter(|&octets| octets <= MESSAGE_OCTETS_MAX);
        let Some(octets) = octets else { return damaged("size") };
        let stored = payload.slice(MESSAGE_HEAD_BYTES..);
        let Some(message) = self.decode(stored, header.encoding, octets as usize) else {
            return damaged("content");
        };
        let hashed = check == Proof::Hash;
        if hashed && blake3::hash(&message).as_bytes()[..] != payload[8..MESSAGE_HEAD_BYTES] {
            return damaged("hash");
        }
        Ok(message)
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
