//! Messages as they are stored: compressed where that helps, hashed, checked.
//!
//! Reading checks three sums: the frame's header begins with the segment's seed and names its offset,
//! so that no other frame passes for this one; the stored bytes have one, so that a bit that flipped is
//! found before anything decodes it; the message has one, so that what is served is what came in. The
//! hash costs as much as all of the rest, and would find nothing but what happened on purpose: it is
//! for the doctor.

mod beside;

use std::io::{self, Cursor};
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use storage::Error;
use zstd::bulk::{Compressor, Decompressor};
use zstd::zstd_safe::{CParameter, FrameFormat, ParamSwitch};

use self::beside::Beside;
use crate::frame::{
    self, Encoding, HEADER_BYTES, Header, Kind, MESSAGE_HEAD_BYTES, MESSAGE_HEAD_BYTES_1, Seed,
};

/// What frames with [`Encoding::Zstd1`] refer to. It never changes; `dictionary/` tells how it was made.
const DICTIONARY: &[u8] = include_bytes!("../dictionary/1.zdict");
/// Up to so many octets a message is encoded with the dictionary; larger ones bring text enough of
/// their own.
const DICTIONARY_OCTETS_MAX: usize = 32 * 1024;
/// Up to so many octets a message is encoded for quick decoding: its literals as they are, where that
/// takes at most [`QUICK_SHARE`] of it. Clients list and download many small messages, and a third of
/// what decoding costs is literals of a few bits each. A message of 1.9 KB takes 50 bytes more.
const QUICK_OCTETS_MAX: usize = 8 * 1024;
/// As a fraction: more of it is literals where nothing repeats, base64 above all, and they take less
/// with fewer bits each.
const QUICK_SHARE: (usize, usize) = (3, 5);
/// zstd's level for these. It finds more than level 1 does, which pays for half of the literals.
const QUICK_LEVEL: i32 = 3;
/// Below this compressing costs more than it saves.
const COMPRESS_BYTES_MIN: usize = 128;
/// Octets a message in a log segment may claim to have: what decoding may allocate.
const MESSAGE_OCTETS_MAX: u64 = 64 * 1024 * 1024;
/// Contexts kept for the next call, of each sort; each takes up to about a megabyte.
const CONTEXTS_MAX: usize = 8;

/// Compression with its working memory, which is costly to set up.
pub(crate) struct Codec {
    level: i32,
    /// Compressors, by [`Way`].
    compressors: [Contexts<Compressor<'static>>; 3],
    /// Decompressors of [`Encoding::Zstd`].
    decompressors: Contexts<Decompressor<'static>>,
}

/// How bytes are compressed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    /// As [`Encoding::Zstd`].
    Plain,
    /// As [`Encoding::Zstd1`].
    Small,
    /// As [`Encoding::Zstd1`], with literals as they are.
    Quick,
}

/// Contexts that wait for the next call.
type Contexts<T> = Mutex<Vec<T>>;

impl Codec {
    pub(crate) fn new(level: i32) -> Self {
        Self { level, compressors: Default::default(), decompressors: Contexts::default() }
    }

    /// Appends `bytes` to `out`, compressed without the dictionary if that makes them smaller.
    pub(crate) fn encode(&self, bytes: &[u8], out: &mut Vec<u8>) -> Encoding {
        self.encode_as(Way::Plain, bytes, out)
    }

    fn encode_as(&self, way: Way, bytes: &[u8], out: &mut Vec<u8>) -> Encoding {
        // One byte less than raw, or it is not worth it.
        let most = bytes.len().saturating_sub(1);
        if bytes.len() >= COMPRESS_BYTES_MIN && self.compress(way, bytes, most, out) {
            return if way == Way::Plain { Encoding::Zstd } else { Encoding::Zstd1 };
        }
        out.extend_from_slice(bytes);
        Encoding::Raw
    }

    /// Appends `bytes` in at most so many bytes; false, and nothing appended, if that cannot be.
    fn compress(&self, way: Way, bytes: &[u8], most: usize, out: &mut Vec<u8>) -> bool {
        let at = out.len();
        // zstd stops where the room ends.
        out.resize(at + most, 0);
        let pool = &self.compressors[way as usize];
        let taken = take(pool).map_or_else(|| compressor(way, self.level), Ok);
        let written = taken.and_then(|mut context| {
            let written = context.compress_to_buffer(bytes, &mut out[at..]);
            give(pool, context);
            written
        });
        out.truncate(at + written.as_ref().copied().unwrap_or(0));
        written.is_ok()
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
        Decoder { codec: self, plain: None, small: None }
    }

    /// Room that [`Codec::frame`] needs for a message of so many octets.
    pub(crate) fn frame_bytes_max(octets: usize) -> usize {
        HEADER_BYTES + MESSAGE_HEAD_BYTES + octets
    }

    /// Puts a message's frame with room for the header into an empty buffer, and tells how its
    /// content is encoded.
    pub(crate) fn frame(&self, message: &[u8], hash: &[u8; 32], frame: &mut Vec<u8>) -> Encoding {
        frame.resize(HEADER_BYTES, 0);
        // Messages in a log segment have at most 32 MiB.
        frame.extend_from_slice(&(message.len() as u32).to_le_bytes());
        frame.extend_from_slice(&crc32c::crc32c(message).to_le_bytes());
        frame.extend_from_slice(&hash[..16]);
        if (COMPRESS_BYTES_MIN..=QUICK_OCTETS_MAX).contains(&message.len()) {
            let most = message.len() * QUICK_SHARE.0 / QUICK_SHARE.1;
            if self.compress(Way::Quick, message, most, frame) {
                return Encoding::Zstd1;
            }
        }
        let small = message.len() <= DICTIONARY_OCTETS_MAX;
        let way = if small { Way::Small } else { Way::Plain };
        self.encode_as(way, message, frame)
    }

    /// The message in a whole frame, which was first written at `offset`.
    pub(crate) fn message(
        &self,
        frame: Bytes,
        (seed, offset): (Seed, u32),
    ) -> Result<Bytes, Error> {
        let stored = Stored::check(&frame, seed, offset)?;
        if stored.encoding == Encoding::Raw && stored.is_right(stored.content) {
            return Ok(frame.slice_ref(stored.content));
        }
        let mut message = Vec::with_capacity(stored.octets);
        self.decoder().append_message(&stored, offset, &mut message)?;
        Ok(message.into())
    }

    /// Checks all that can be checked of a frame, the hash too; the message's octets and EMAILID.
    pub(crate) fn verify(
        &self,
        frame: &[u8],
        (seed, offset): (Seed, u32),
    ) -> Result<(u64, [u8; 16]), Error> {
        let stored = Stored::check(frame, seed, offset)?;
        let mut message = Vec::with_capacity(stored.octets);
        self.decoder().append_message(&stored, offset, &mut message)?;
        let hash = blake3::hash(&message);
        match hash.as_bytes().starts_with(stored.hash) {
            true => {
                let mut id = [0; 16];
                id.copy_from_slice(&hash.as_bytes()[..16]);
                Ok((message.len() as u64, id))
            }
            false => Err(damaged(offset, "hash")),
        }
    }
}

/// A message as its frame holds it, the checksum of which is right.
pub(crate) struct Stored<'a> {
    encoding: Encoding,
    /// Octets of the message.
    pub(crate) octets: usize,
    /// CRC32C of the message; version 1 has none.
    crc: Option<u32>,
    /// BLAKE3 of the message or its beginning.
    hash: &'a [u8],
    content: &'a [u8],
}

impl<'a> Stored<'a> {
    /// Reads a whole frame, which was first written at `offset`.
    pub(crate) fn check(frame: &'a [u8], seed: Seed, offset: u32) -> Result<Self, Error> {
        let Some(header) = Header::decode(frame, seed) else {
            return Err(damaged(offset, "no frame"));
        };
        let fits = header.frame_bytes() == frame.len() as u64 && header.offset == offset;
        if !header.kind.is_message() || !fits {
            return Err(damaged(offset, "another frame"));
        }
        let payload = &frame[HEADER_BYTES..];
        if !frame::payload_is_whole(&header, payload) {
            return Err(damaged(offset, "checksum"));
        }
        let stored = match header.kind {
            Kind::Message1 => Self::parse_1(payload, header.encoding),
            _ => Self::parse(payload, header.encoding),
        };
        stored.ok_or_else(|| damaged(offset, "size"))
    }

    fn parse(payload: &'a [u8], encoding: Encoding) -> Option<Self> {
        let (head, content) = payload.split_at_checked(MESSAGE_HEAD_BYTES)?;
        let octets =
            frame::u32_at(head, 0).filter(|&octets| u64::from(octets) <= MESSAGE_OCTETS_MAX)?;
        let crc = frame::u32_at(head, 4);
        Some(Self { encoding, octets: octets as usize, crc, hash: &head[8..], content })
    }

    fn parse_1(payload: &'a [u8], encoding: Encoding) -> Option<Self> {
        let (head, content) = payload.split_at_checked(MESSAGE_HEAD_BYTES_1)?;
        let octets = frame::u64_at(head, 0).filter(|&octets| octets <= MESSAGE_OCTETS_MAX)?;
        Some(Self { encoding, octets: octets as usize, crc: None, hash: &head[8..], content })
    }

    fn is_right(&self, message: &[u8]) -> bool {
        message.len() == self.octets && self.crc.is_none_or(|crc| crc == crc32c::crc32c(message))
    }
}

pub(crate) fn damaged(offset: u32, why: &str) -> Error {
    Error::Damaged(format!("message at {offset}: {why}"))
}

/// Decodes one content after the other.
pub(crate) struct Decoder<'a> {
    codec: &'a Codec,
    plain: Option<Decompressor<'static>>,
    small: Option<Beside>,
}

impl Decoder<'_> {
    /// Appends a message; nothing after an error.
    pub(crate) fn append_message(
        &mut self,
        stored: &Stored<'_>,
        offset: u32,
        out: &mut Vec<u8>,
    ) -> Result<(), Error> {
        let at = out.len();
        let appended = self.append(stored.content, stored.encoding, stored.octets, out);
        appended.ok_or_else(|| damaged(offset, "content"))?;
        if stored.is_right(&out[at..]) {
            return Ok(());
        }
        out.truncate(at);
        Err(damaged(offset, "checksum of the content"))
    }

    /// Appends the `octets` bytes that `stored` encodes; `None`, and nothing appended, if it does not.
    fn append(
        &mut self,
        stored: &[u8],
        encoding: Encoding,
        octets: usize,
        out: &mut Vec<u8>,
    ) -> Option<()> {
        match encoding {
            Encoding::Raw => (stored.len() == octets).then(|| out.extend_from_slice(stored)),
            Encoding::Zstd1 => {
                self.small.get_or_insert_with(Beside::take).append(stored, octets, out)
            }
            Encoding::Zstd => {
                let context = match &mut self.plain {
                    Some(context) => context,
                    none => none.insert(
                        take(&self.codec.decompressors).map_or_else(Decompressor::new, Ok).ok()?,
                    ),
                };
                append_with(octets, out, |target| context.decompress_to_buffer(stored, target).ok())
            }
        }
    }
}

/// Appends exactly `octets` bytes, or nothing.
fn append_with(
    octets: usize,
    out: &mut Vec<u8>,
    decode: impl FnOnce(&mut Cursor<&mut Vec<u8>>) -> Option<usize>,
) -> Option<()> {
    let at = out.len();
    out.reserve(octets);
    let mut target = Cursor::new(&mut *out);
    target.set_position(at as u64);
    let written = decode(&mut target);
    if written == Some(octets) {
        return Some(());
    }
    out.truncate(at);
    None
}

impl Drop for Decoder<'_> {
    fn drop(&mut self) {
        if let Some(context) = self.plain.take() {
            give(&self.codec.decompressors, context);
        }
        if let Some(context) = self.small.take() {
            context.give();
        }
    }
}

fn compressor(way: Way, level: i32) -> io::Result<Compressor<'static>> {
    let level = match way {
        Way::Plain => return Compressor::new(level),
        Way::Small => level,
        Way::Quick => QUICK_LEVEL,
    };
    let mut context = Compressor::with_dictionary(level, DICTIONARY)?;
    // The frame's encoding says which dictionary it is.
    context.set_parameter(CParameter::DictIdFlag(false))?;
    context.set_parameter(CParameter::Format(FrameFormat::Magicless))?;
    if way == Way::Quick {
        context.set_parameter(CParameter::LiteralCompressionMode(ParamSwitch::Disable))?;
    }
    Ok(context)
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

#[cfg(test)]
mod tests {
    use super::*;
    use base::ModSeq;
    use proptest::prelude::*;

    const SEED: Seed = Seed(7);

    /// A whole frame at offset 1024, with a good checksum whatever is in it.
    fn finish(mut frame: Vec<u8>, kind: Kind, encoding: Encoding) -> Bytes {
        let header = Header {
            kind,
            encoding,
            payload_bytes: (frame.len() - HEADER_BYTES) as u32,
            offset: 1024,
            durable_to: 1024,
            sequence: ModSeq::ZERO.next(),
            payload_crc: crc32c::crc32c(&frame[HEADER_BYTES..]),
        };
        frame[..HEADER_BYTES].copy_from_slice(&header.encode(SEED));
        frame.into()
    }

    fn frame_of(codec: &Codec, message: &[u8]) -> (Vec<u8>, Encoding) {
        let mut frame = Vec::new();
        let encoding = codec.frame(message, blake3::hash(message).as_bytes(), &mut frame);
        (frame, encoding)
    }

    fn text(words: usize) -> Vec<u8> {
        let words = (0..words).map(|n| ["meeting ", "invoice ", "thanks\r\n"][n * n % 3]);
        words.flat_map(|word| word.bytes()).collect()
    }

    #[test]
    fn small_messages_use_the_dictionary() {
        let codec = Codec::new(1);
        let cases = [(0, Encoding::Raw), (10, Encoding::Raw), (100, Encoding::Zstd1)];
        for (words, expected) in cases.into_iter().chain([(9000, Encoding::Zstd)]) {
            let message = text(words);
            let (frame, encoding) = frame_of(&codec, &message);
            assert_eq!(encoding, expected, "{words} words");
            let frame = finish(frame, Kind::Message, encoding);
            assert_eq!(codec.message(frame.clone(), (SEED, 1024)).ok().as_deref(), Some(&*message));
            let id = blake3::hash(&message).as_bytes()[..16].to_vec();
            let verified = codec.verify(&frame, (SEED, 1024)).expect("whole");
            assert_eq!((verified.0, verified.1.to_vec()), (message.len() as u64, id));
        }
    }

    #[test]
    fn literals_are_kept_as_they_are_where_they_are_few() {
        let codec = Codec::new(1);
        // Where nothing repeats.
        let mut state = 1u32;
        let mut digits = |count| {
            let next = (0..count).map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                b"ABCDEFGHIJKLMNOP"[(state >> 28) as usize]
            });
            next.collect::<Vec<u8>>()
        };
        let quick = |message: &[u8]| {
            let mut out = Vec::new();
            let most = message.len() * QUICK_SHARE.0 / QUICK_SHARE.1;
            codec.compress(Way::Quick, message, most, &mut out).then_some(out)
        };
        let few = [text(100), digits(50)].concat();
        let many = [text(20), digits(3000)].concat();
        let long = [text(2000), digits(50)].concat();
        for (message, is_quick) in [(few, true), (many, false), (long, false)] {
            let (frame, encoding) = frame_of(&codec, &message);
            assert_eq!(encoding, Encoding::Zstd1);
            let content = &frame[HEADER_BYTES + MESSAGE_HEAD_BYTES..];
            assert_eq!(quick(&message).as_deref() == Some(content), is_quick);
            assert!(content.len() < message.len() * 3 / 5, "{} bytes", content.len());
            let read = codec.message(finish(frame, Kind::Message, encoding), (SEED, 1024));
            assert_eq!(read.ok(), Some(Bytes::from(message)));
        }
    }

    #[test]
    fn what_decodes_to_another_message_is_found() {
        let codec = Codec::new(1);
        let (good, encoding) = frame_of(&codec, &text(100));
        let (other, _) = frame_of(&codec, &text(99));
        let why = |frame: Vec<u8>, encoding| {
            let frame = finish(frame, Kind::Message, encoding);
            codec.message(frame, (SEED, 1024)).expect_err("damaged").to_string()
        };
        let head = HEADER_BYTES + MESSAGE_HEAD_BYTES;
        // The content of one message behind the head of another.
        let swapped = [&good[..head], &other[head..]].concat();
        assert!(why(swapped, encoding).ends_with("content"));
        // Octets or sum that are not the content's.
        for (at, expected) in [(0, "content"), (1, "content"), (4, "checksum of the content")] {
            let mut frame = good.clone();
            frame[HEADER_BYTES + at] ^= 1;
            assert!(why(frame, encoding).ends_with(expected), "byte {at}");
        }
        // Content that is said to be encoded in another way.
        assert!(why(good.clone(), Encoding::Zstd).ends_with("content"));
        assert!(why(good.clone(), Encoding::Raw).ends_with("content"));
        assert!(why(good[..HEADER_BYTES + 5].to_vec(), encoding).ends_with("size"));
        // A good frame, but not the one that was asked for.
        let frame = finish(good.clone(), Kind::Message, encoding);
        for place in [(SEED, 1032), (Seed(8), 1024)] {
            assert!(codec.message(frame.clone(), place).is_err());
        }
        // The doctor looks at the hash too.
        let mut wrong = good;
        wrong[HEADER_BYTES + 8] ^= 1;
        let wrong = finish(wrong, Kind::Message, encoding);
        assert!(codec.message(wrong.clone(), (SEED, 1024)).is_ok());
        assert!(codec.verify(&wrong, (SEED, 1024)).is_err_and(|e| e.to_string().ends_with("hash")));
    }

    proptest! {
        #[test]
        fn any_bytes_come_back(parts in prop::collection::vec((any::<u8>(), 0usize..300), 0..200)) {
            let codec = Codec::new(1);
            let bytes = parts.iter().flat_map(|&(byte, count)| {
                (0..count).map(move |n| if byte < 128 { byte } else { byte.wrapping_mul(n as u8) })
            });
            let message: Vec<u8> = bytes.collect();
            let (frame, encoding) = frame_of(&codec, &message);
            prop_assert!(frame.len() <= HEADER_BYTES + MESSAGE_HEAD_BYTES + message.len());
            let read = codec.message(finish(frame, Kind::Message, encoding), (SEED, 1024));
            prop_assert_eq!(read.ok(), Some(Bytes::from(message)));
        }

        #[test]
        fn no_content_makes_decoding_panic(payload in prop::collection::vec(any::<u8>(), 24..200), n in 0u8..3) {
            let codec = Codec::new(1);
            let mut frame = vec![0; HEADER_BYTES];
            frame.extend_from_slice(&payload);
            let octets = HEADER_BYTES + 2..HEADER_BYTES + 4;
            frame[octets].fill(0);
            let encoding = [Encoding::Raw, Encoding::Zstd, Encoding::Zstd1][usize::from(n)];
            let _ = codec.message(finish(frame.clone(), Kind::Message, encoding), (SEED, 1024));
            let _ = codec.message(finish(frame, Kind::Message1, encoding), (SEED, 1024));
        }
    }
}
