//! The bytes of a segment: headers and frames. Pure; `docs/format.md` has the pictures.
//!
//! All numbers are little-endian. A frame's header is checked by a CRC32C that begins with the
//! segment's identity (account, number, a random salt), so that bytes of another segment, of an
//! earlier life of this file or inside a message never pass for a frame.

use base::{AccountId, ModSeq};
use bytes::Bytes;

/// Version of the format, in the header of every file that is made. Older ones are read; no frames are
/// added to them.
pub const VERSION: u16 = 3;
/// Where the first frame of a segment begins: behind two copies of the header, in sectors of their
/// own.
pub const FRAMES_AT: u64 = 1024;
/// Where the header's second copy is.
pub const COPY_AT: usize = 512;
/// Bytes of a segment's header.
pub const SEGMENT_HEADER_BYTES: usize = 64;
/// Bytes of a frame's header.
pub const HEADER_BYTES: usize = 32;
/// Frames begin at multiples of this; zeros fill up.
pub const ALIGN: u64 = 8;
/// Bytes in front of a message's content, in the payload: octets, CRC32C, EMAILID.
pub const MESSAGE_HEAD_BYTES: usize = 24;
/// The same in version 1: octets, BLAKE3.
pub const MESSAGE_HEAD_BYTES_1: usize = 40;
/// Bytes in front of a large message's blocks, in the payload.
pub const LARGE_HEAD_BYTES: usize = 48;
/// Bytes of one entry of a large message's block table.
pub const BLOCK_BYTES: usize = 12;

const SEGMENT_MAGIC: [u8; 8] = *b"martlog\x1a";
const FRAME_MAGIC: [u8; 2] = *b"mf";

/// What a segment holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SegmentKind {
    /// Messages and records in commit order; named `.seg`.
    Log,
    /// One large message; named `.msg`.
    Large,
    /// The fold at one position; named `.chk`.
    Checkpoint,
}

impl SegmentKind {
    /// The end of its files' names.
    pub fn extension(self) -> &'static str {
        match self {
            Self::Log => "seg",
            Self::Large => "msg",
            Self::Checkpoint => "chk",
        }
    }

    fn number(self) -> u8 {
        match self {
            Self::Log => 1,
            Self::Large => 2,
            Self::Checkpoint => 3,
        }
    }
}

/// The name of a segment's file.
pub fn file_name(number: u32, kind: SegmentKind) -> String {
    format!("{number:08}.{}", kind.extension())
}

/// Reads [`file_name`]'s form.
pub fn parse_file_name(name: &str) -> Option<(u32, SegmentKind)> {
    let (number, extension) = name.split_once('.')?;
    let kinds = [SegmentKind::Log, SegmentKind::Large, SegmentKind::Checkpoint];
    let kind = kinds.into_iter().find(|kind| kind.extension() == extension)?;
    let number: u32 = number.parse().ok()?;
    (file_name(number, kind) == name && number > 0).then_some((number, kind))
}

/// A segment's header.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Segment {
    /// Version of the format: [`VERSION`] in new files.
    pub version: u16,
    /// What it holds.
    pub kind: SegmentKind,
    /// Its number, unique in the account's life, from 1.
    pub number: u32,
    /// Whose it is.
    pub account: AccountId,
    /// Random bytes; part of every frame's check.
    pub salt: [u8; 16],
    /// Log: where the log ended before its first record. Checkpoint: the fold's position. Large: 0.
    pub base: ModSeq,
    /// Physical offset of the index frame of a rewritten segment; 0 in one as it was first written.
    pub index_at: u32,
}

impl Segment {
    /// The first [`FRAMES_AT`] bytes of its file.
    pub fn encode(&self) -> Vec<u8> {
        let mut header = Vec::with_capacity(FRAMES_AT as usize);
        header.extend_from_slice(&SEGMENT_MAGIC);
        header.extend_from_slice(&self.version.to_le_bytes());
        header.extend_from_slice(&[self.kind.number(), 0]);
        header.extend_from_slice(&self.number.to_le_bytes());
        header.extend_from_slice(&self.account.0);
        header.extend_from_slice(&self.salt);
        header.extend_from_slice(&self.base.get().to_le_bytes());
        header.extend_from_slice(&self.index_at.to_le_bytes());
        let crc = crc32c::crc32c(&header);
        header.extend_from_slice(&crc.to_le_bytes());
        let copy = header.clone();
        header.resize(COPY_AT, 0);
        header.extend_from_slice(&copy);
        header.resize(FRAMES_AT as usize, 0);
        header
    }

    /// Reads the header from a file's first bytes: from either copy.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        Self::decode_at(bytes, 0).or_else(|| Self::decode_at(bytes, COPY_AT))
    }

    /// Whether both copies are good.
    pub fn both_copies(bytes: &[u8]) -> bool {
        Self::decode_at(bytes, 0).is_some() && Self::decode_at(bytes, COPY_AT).is_some()
    }

    fn decode_at(bytes: &[u8], at: usize) -> Option<Self> {
        let header = bytes.get(at..at + SEGMENT_HEADER_BYTES)?;
        let whole = u32_at(header, 60)? == crc32c::crc32c(&header[..60]);
        let version = u16::from_le_bytes([header[8], header[9]]);
        if !whole || header[..8] != SEGMENT_MAGIC || !(1..=VERSION).contains(&version) {
            return None;
        }
        let kind = match header[10] {
            1 => SegmentKind::Log,
            2 => SegmentKind::Large,
            3 => SegmentKind::Checkpoint,
            _ => return None,
        };
        Some(Self {
            version,
            kind,
            number: u32_at(header, 12)?,
            account: AccountId(header[16..32].try_into().ok()?),
            salt: header[32..48].try_into().ok()?,
            base: ModSeq::new(u64_at(header, 48)?)?,
            index_at: u32_at(header, 56)?,
        })
    }

    /// What every frame's check begins with.
    pub fn seed(&self) -> Seed {
        let mut identity = [0; 36];
        identity[..16].copy_from_slice(&self.account.0);
        identity[16..20].copy_from_slice(&self.number.to_le_bytes());
        identity[20..].copy_from_slice(&self.salt);
        Seed(crc32c::crc32c(&identity))
    }
}

/// The CRC32C of a segment's identity.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Seed(pub u32);

/// What a frame holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// A message.
    Message,
    /// A message as version 1 wrote it.
    Message1,
    /// All records of one commit. The commit exists if and only if this frame does.
    Records,
    /// The encoded fold.
    Checkpoint,
    /// Records that damage took away, written by repair.
    Lost,
    /// A large message, in blocks; alone in its segment.
    Large,
    /// A rewritten segment's index: where frames went.
    Index,
    /// Zeros, so that what follows begins with a page.
    Fill,
}

impl Kind {
    fn number(self) -> u8 {
        match self {
            Self::Message1 => 1,
            Self::Records => 2,
            Self::Checkpoint => 3,
            Self::Lost => 4,
            Self::Large => 5,
            Self::Index => 6,
            Self::Message => 7,
            Self::Fill => 8,
        }
    }

    fn from_number(number: u8) -> Option<Self> {
        let all = [
            Self::Message,
            Self::Message1,
            Self::Records,
            Self::Checkpoint,
            Self::Lost,
            Self::Large,
            Self::Index,
            Self::Fill,
        ];
        all.into_iter().find(|kind| kind.number() == number)
    }

    /// Whether it is a message among others.
    pub fn is_message(self) -> bool {
        matches!(self, Self::Message | Self::Message1)
    }
}

/// How stored bytes are encoded.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Encoding {
    /// As they are.
    Raw,
    /// One zstd frame (RFC 8878).
    Zstd,
    /// One zstd frame without its magic number, with dictionary 1.
    Zstd1,
}

impl Encoding {
    fn number(self) -> u8 {
        match self {
            Self::Raw => 0,
            Self::Zstd => 1,
            Self::Zstd1 => 2,
        }
    }

    fn from_number(number: u8) -> Option<Self> {
        [Self::Raw, Self::Zstd, Self::Zstd1].into_iter().find(|other| other.number() == number)
    }
}

/// A frame's header.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Header {
    /// What the frame holds.
    pub kind: Kind,
    /// How its content is encoded.
    pub encoding: Encoding,
    /// Bytes behind the header.
    pub payload_bytes: u32,
    /// Where the frame was first written. Rewriting a segment moves frames, not this.
    pub offset: u32,
    /// Everything before this offset was durable before this frame was written.
    pub durable_to: u32,
    /// Records: position of the first. Message: of its commit's first record. Checkpoint: of the last
    /// record folded in. Lost: of the first lost. Fill: of the last record in front of it.
    pub sequence: ModSeq,
    /// CRC32C of the payload (of a large message: of its head and table).
    pub payload_crc: u32,
}

impl Header {
    /// Its bytes.
    pub fn encode(&self, seed: Seed) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        bytes[..2].copy_from_slice(&FRAME_MAGIC);
        bytes[2] = self.kind.number();
        bytes[3] = self.encoding.number();
        bytes[4..8].copy_from_slice(&self.payload_bytes.to_le_bytes());
        bytes[8..12].copy_from_slice(&self.offset.to_le_bytes());
        bytes[12..16].copy_from_slice(&self.durable_to.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.sequence.get().to_le_bytes());
        bytes[24..28].copy_from_slice(&self.payload_crc.to_le_bytes());
        let crc = crc32c::crc32c_append(seed.0, &bytes[..28]);
        bytes[28..].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    /// The header that `bytes` begin with, if it is whole and of the segment with this seed.
    pub fn decode(bytes: &[u8], seed: Seed) -> Option<Self> {
        let bytes = bytes.get(..HEADER_BYTES)?;
        // Cheap checks first: scanning asks at every eighth byte.
        if bytes[..2] != FRAME_MAGIC {
            return None;
        }
        if u32_at(bytes, 28)? != crc32c::crc32c_append(seed.0, &bytes[..28]) {
            return None;
        }
        Some(Self {
            kind: Kind::from_number(bytes[2])?,
            encoding: Encoding::from_number(bytes[3])?,
            payload_bytes: u32_at(bytes, 4)?,
            offset: u32_at(bytes, 8)?,
            durable_to: u32_at(bytes, 12)?,
            sequence: ModSeq::new(u64_at(bytes, 16)?)?,
            payload_crc: u32_at(bytes, 24)?,
        })
    }

    /// Bytes of header and payload.
    pub fn frame_bytes(&self) -> u64 {
        HEADER_BYTES as u64 + u64::from(self.payload_bytes)
    }

    /// The same with the zeros that follow.
    pub fn padded_bytes(&self) -> u64 {
        padded(self.frame_bytes())
    }
}

/// `bytes` and the zeros that follow them.
pub fn padded(bytes: u64) -> u64 {
    bytes.next_multiple_of(ALIGN)
}

/// The little-endian number at `at`.
pub(crate) fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    let four = bytes.get(at..at.checked_add(4)?)?;
    Some(u32::from_le_bytes(four.try_into().ok()?))
}

/// The little-endian number at `at`.
pub(crate) fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    let eight = bytes.get(at..at.checked_add(8)?)?;
    Some(u64::from_le_bytes(eight.try_into().ok()?))
}

/// The records of a [`Kind::Records`] frame, still encoded.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Commit {
    /// When it was decided, milliseconds since 1970 UTC.
    pub time: i64,
    /// Its records, in order.
    pub records: Vec<Bytes>,
}

impl Commit {
    /// Begins a payload: time and number of records. Each record follows by [`Commit::put_record`].
    pub fn begin(time: i64, count: u32, out: &mut Vec<u8>) {
        out.extend_from_slice(&time.to_le_bytes());
        out.extend_from_slice(&count.to_le_bytes());
    }

    /// Adds a record that `encode` appends.
    pub fn put_record<E>(
        out: &mut Vec<u8>,
        encode: impl FnOnce(&mut Vec<u8>) -> Result<(), E>,
    ) -> Result<(), E> {
        let at = out.len();
        out.extend_from_slice(&[0; 4]);
        encode(out)?;
        let bytes = (out.len() - at - 4) as u32;
        out[at..at + 4].copy_from_slice(&bytes.to_le_bytes());
        Ok(())
    }

    /// Reads a payload.
    pub fn decode(payload: &Bytes) -> Option<Self> {
        let time = u64_at(payload, 0)? as i64;
        let count = u32_at(payload, 8)? as usize;
        // Each record takes at least its length's bytes.
        if count > payload.len() / 4 {
            return None;
        }
        let (mut at, mut records) = (12, Vec::with_capacity(count));
        for _ in 0..count {
            let bytes = u32_at(payload, at)? as usize;
            let end = (at + 4).checked_add(bytes).filter(|&end| end <= payload.len())?;
            records.push(payload.slice(at + 4..end));
            at = end;
        }
        (at == payload.len() && count > 0).then_some(Self { time, records })
    }

    /// Position of the last record, if the first is at `first`.
    pub fn last(&self, first: ModSeq) -> ModSeq {
        first.plus(self.records.len() as u64 - 1)
    }
}

/// The payload of a [`Kind::Lost`] frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Lost {
    /// The last record lost.
    pub last: ModSeq,
    /// Bytes of the log that held them.
    pub bytes: u64,
}

impl Lost {
    /// Its payload.
    pub fn encode(&self) -> [u8; 16] {
        let mut payload = [0; 16];
        payload[..8].copy_from_slice(&self.last.get().to_le_bytes());
        payload[8..].copy_from_slice(&self.bytes.to_le_bytes());
        payload
    }

    /// Reads a payload.
    pub fn decode(payload: &[u8]) -> Option<Self> {
        let whole = payload.len() == 16;
        let last = ModSeq::new(u64_at(payload, 0)?)?;
        whole.then_some(Self { last, bytes: u64_at(payload, 8)? })
    }
}

/// One thing found in a segment.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Found {
    /// A whole frame and where it is in the file.
    Frame(Header, u64),
    /// A frame whose header is good and whose payload is not.
    Spoiled(Header, u64),
    /// No frame from the first offset to the second.
    Gap(u64, u64),
}

/// Reads a whole segment from memory: its header and everything in it. For inspection and fuzzing;
/// the engine reads files piece by piece with the same rules.
pub fn parse(bytes: &[u8]) -> Option<(Segment, Vec<Found>)> {
    let segment = Segment::decode(bytes)?;
    let (seed, mut found, mut at) = (segment.seed(), Vec::new(), FRAMES_AT as usize);
    let mut gap = None;
    while at + HEADER_BYTES <= bytes.len() {
        let Some(header) = Header::decode(&bytes[at..], seed) else {
            gap.get_or_insert(at);
            at += ALIGN as usize;
            continue;
        };
        if let Some(from) = gap.take() {
            found.push(Found::Gap(from as u64, at as u64));
        }
        let end = at.saturating_add(header.frame_bytes() as usize);
        let payload = bytes.get(at + HEADER_BYTES..end);
        let whole = payload.is_some_and(|payload| payload_is_whole(&header, payload));
        let make = if whole { Found::Frame } else { Found::Spoiled };
        found.push(make(header, at as u64));
        at = if payload.is_some() { padded(end as u64) as usize } else { at + ALIGN as usize };
    }
    if let Some(from) = gap {
        found.push(Found::Gap(from as u64, bytes.len() as u64));
    }
    Some((segment, found))
}

/// Whether a payload passes its header's check. Of a large message only head and table are looked at;
/// each block has a check of its own.
pub fn payload_is_whole(header: &Header, payload: &[u8]) -> bool {
    match header.kind {
        Kind::Large => Blocks::decode(header, payload).is_some(),
        _ => crc32c::crc32c(payload) == header.payload_crc,
    }
}

/// Head and block table of a large message.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Blocks {
    /// Octets of the message.
    pub size: u64,
    /// BLAKE3 of the message.
    pub hash: [u8; 32],
    /// Octets of each block but the last.
    pub block_bytes: u32,
    /// The blocks, in order.
    pub table: Vec<Block>,
}

/// One block of a large message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Block {
    /// Where it begins in the payload.
    pub at: u32,
    /// Bytes it takes there.
    pub stored_bytes: u32,
    /// How they are encoded.
    pub encoding: Encoding,
    /// CRC32C of the stored bytes.
    pub crc: u32,
}

/// The largest block, in octets: what reading one piece may take.
pub const BLOCK_OCTETS_MAX: u32 = 1024 * 1024;

impl Blocks {
    /// The payload's first bytes.
    pub fn encode_head(&self) -> [u8; LARGE_HEAD_BYTES] {
        let mut head = [0; LARGE_HEAD_BYTES];
        head[..8].copy_from_slice(&self.size.to_le_bytes());
        head[8..40].copy_from_slice(&self.hash);
        head[40..44].copy_from_slice(&self.block_bytes.to_le_bytes());
        head[44..].copy_from_slice(&(self.table.len() as u32).to_le_bytes());
        head
    }

    /// The payload's last bytes.
    pub fn encode_table(&self) -> Vec<u8> {
        let mut table = Vec::with_capacity(self.table.len() * BLOCK_BYTES);
        for block in &self.table {
            // The highest bit of the length says zstd: no block is that long.
            let zstd = u32::from(block.encoding == Encoding::Zstd) << 31;
            table.extend_from_slice(&block.at.to_le_bytes());
            table.extend_from_slice(&(block.stored_bytes | zstd).to_le_bytes());
            table.extend_from_slice(&block.crc.to_le_bytes());
        }
        table
    }

    /// How many blocks `head` announces.
    pub fn count(head: &[u8]) -> Option<usize> {
        u32_at(head, 44).map(|count| count as usize)
    }

    /// Reads head and table from a whole payload.
    pub fn decode(header: &Header, payload: &[u8]) -> Option<Self> {
        let bytes = Self::count(payload)?.checked_mul(BLOCK_BYTES)?;
        let table_at = payload.len().checked_sub(bytes).filter(|&at| at >= LARGE_HEAD_BYTES)?;
        Self::decode_parts(header, &payload[..LARGE_HEAD_BYTES], &payload[table_at..])
    }

    /// Reads head and table, checked against the frame's header.
    pub fn decode_parts(header: &Header, head: &[u8], table: &[u8]) -> Option<Self> {
        let crc = crc32c::crc32c_append(crc32c::crc32c(head), table);
        let count = Self::count(head)?;
        let fits = count.checked_mul(BLOCK_BYTES)? == table.len();
        if crc != header.payload_crc || header.kind != Kind::Large || !fits {
            return None;
        }
        let (size, block_bytes) = (u64_at(head, 0)?, u32_at(head, 40)?);
        let expected = size.div_ceil(u64::from(block_bytes.max(1)));
        if block_bytes == 0 || block_bytes > BLOCK_OCTETS_MAX || expected != count as u64 {
            return None;
        }
        let blocks_to = u64::from(header.payload_bytes).checked_sub(table.len() as u64)?;
        let block = |entry: &[u8]| {
            let length = u32_at(entry, 4)?;
            let block = Block {
                at: u32_at(entry, 0)?,
                stored_bytes: length & !(1 << 31),
                encoding: if length >> 31 == 1 { Encoding::Zstd } else { Encoding::Raw },
                crc: u32_at(entry, 8)?,
            };
            let end = u64::from(block.at) + u64::from(block.stored_bytes);
            (end <= blocks_to && block.stored_bytes <= block_bytes).then_some(block)
        };
        Some(Self {
            size,
            hash: head.get(8..40)?.try_into().ok()?,
            block_bytes,
            table: table.chunks_exact(BLOCK_BYTES).map(block).collect::<Option<_>>()?,
        })
    }

    /// Octets of the `index`-th block.
    pub fn octets(&self, index: usize) -> u64 {
        let from = index as u64 * u64::from(self.block_bytes);
        self.size.saturating_sub(from).min(u64::from(self.block_bytes))
    }
}
