//! A section's bytes on their way out: from memory, or from storage in bounded memory.

use std::io;

use bytes::{Bytes, BytesMut};
use message::TransferEncoding;
use message::decode::Decoder;
use storage::Outgoing;
use wire::response::fetch::literal_header;
use wire::value::Partial;

use super::fields::FieldFilter;
use super::lines::Lines;
use super::section::Piece;
use super::{GROUP_BYTES, Message};
use crate::context::Selected;
use crate::error::No;

/// How a piece's bytes become what is sent.
enum Filter<'a> {
    Fields(FieldFilter<'a>),
    Decoder(Decoder),
    /// Of text.
    TextDecoder(Decoder, Lines),
}

impl Filter<'_> {
    fn feed(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        match self {
            Self::Fields(filter) => filter.feed(bytes, out),
            // A tolerant decoder never fails.
            Self::Decoder(decoder) => drop(decoder.feed(bytes, out)),
            Self::TextDecoder(decoder, lines) => {
                let mut decoded = Vec::new();
                let _ = decoder.feed(bytes, &mut decoded);
                lines.feed(&decoded, out);
            }
        }
    }

    fn finish(&mut self, out: &mut Vec<u8>) {
        match self {
            Self::Fields(filter) => filter.finish(out),
            Self::Decoder(decoder) => drop(decoder.finish(out)),
            Self::TextDecoder(decoder, lines) => {
                let mut decoded = Vec::new();
                let _ = decoder.finish(&mut decoded);
                lines.feed(&decoded, out);
            }
        }
    }
}

impl<'a> Piece<'a> {
    fn filter(&self) -> Option<Filter<'a>> {
        match self {
            Piece::Fields { not, names, .. } => Some(Filter::Fields(FieldFilter::new(names, *not))),
            Piece::Decoded { encoding, text: false, .. } => {
                Some(Filter::Decoder(Decoder::new(*encoding)))
            }
            Piece::Decoded { encoding, text: true, .. } => {
                Some(Filter::TextDecoder(Decoder::new(*encoding), Lines::default()))
            }
            Piece::Missing | Piece::Range(_) => None,
        }
    }

    /// The octets it is made from.
    fn range(&self, size: u64) -> (u64, u64) {
        let range = match self {
            Piece::Missing => return (0, 0),
            Piece::Range(range) | Piece::Decoded { range, .. } => range,
            Piece::Fields { header, .. } => header,
        };
        let start = range.start.min(size);
        (start, range.end.clamp(start, size))
    }
}

/// What of a stream is wanted.
struct Window {
    skip: u64,
    take: u64,
}

impl Window {
    fn new(partial: Option<Partial>) -> Self {
        let (skip, take) = partial.map_or((0, u64::MAX), |p| (p.offset, p.length));
        Self { skip, take }
    }

    /// The wanted part of the next bytes, as a range of them.
    fn clip(&mut self, length: usize) -> std::ops::Range<usize> {
        let length = length as u64;
        let from = self.skip.min(length);
        let count = self.take.min(length - from);
        self.skip -= from;
        self.take -= count;
        // Both are at most `length`, which came from a usize.
        from as usize..(from + count) as usize
    }
}

/// Whether a message could be read to the end.
pub(super) type Whole = Result<(), storage::Error>;

/// Writes a section as an nstring, or for `binary` as a literal8 where it holds a NUL; `name` was
/// written. What cannot be read is NIL and an error; an error in mid-literal ends the connection.
pub(super) async fn write(
    cx: &mut Selected<'_>,
    message: &Message,
    piece: &Piece<'_>,
    partial: Option<Partial>,
    binary: bool,
) -> Result<Whole, No> {
    if *piece == Piece::Missing {
        cx.out.tail().extend_from_slice(b"NIL");
        return Ok(Ok(()));
    }
    let size = message.bytes.as_ref().map_or(u64::from(message.row.size), |b| b.len() as u64);
    let (start, end) = piece.range(size);
    let held = match &message.bytes {
        // Both ends are within the bytes.
        Some(bytes) => Ok(Some(bytes.slice(start as usize..end as usize))),
        None if end - start <= GROUP_BYTES => read(cx, message, start, end).await.map(Some),
        None => Ok(None),
    };
    match (held, piece.filter()) {
        (Err(error), _) => {
            cx.out.tail().extend_from_slice(b"NIL");
            Ok(Err(error))
        }
        (Ok(Some(bytes)), None) => {
            write_bytes(cx, bytes, partial, binary);
            Ok(Ok(()))
        }
        (Ok(Some(bytes)), Some(mut filter)) => {
            let mut out = Vec::new();
            filter.feed(&bytes, &mut out);
            filter.finish(&mut out);
            write_bytes(cx, Bytes::from(out), partial, binary);
            Ok(Ok(()))
        }
        (Ok(None), None) => stream(cx, message, (start, end), partial, binary).await,
        (Ok(None), Some(_)) => stream_filtered(cx, message, piece, partial, binary).await,
    }
}

fn write_bytes(cx: &mut Selected<'_>, bytes: Bytes, partial: Option<Partial>, binary: bool) {
    let wanted = bytes.slice(Window::new(partial).clip(bytes.len()));
    let binary = binary && memchr::memchr(0, &wanted).is_some();
    announce(cx, wanted.len() as u64, binary);
    cx.out.bytes(wanted);
}

/// Announces a string of so many octets.
pub(super) fn announce(cx: &mut Selected<'_>, length: u64, binary: bool) {
    match length {
        0 => cx.out.tail().extend_from_slice(b"\"\""),
        _ => literal_header(cx.out.tail(), binary, length),
    }
}

async fn open(cx: &Selected<'_>, message: &Message) -> Result<Box<dyn Outgoing>, storage::Error> {
    cx.shared.accounts.storage().open(cx.live.id(), message.row.position).await
}

fn ended_early() -> storage::Error {
    storage::Error::Damaged("a message is shorter than its size says".to_owned())
}

/// A range that fits into memory.
async fn read(
    cx: &Selected<'_>,
    message: &Message,
    start: u64,
    end: u64,
) -> Result<Bytes, storage::Error> {
    let mut outgoing = open(cx, message).await?;
    outgoing.skip(start).await?;
    let mut wanted = Window { skip: 0, take: end - start };
    let mut bytes = BytesMut::new();
    while wanted.take > 0 {
        let next = outgoing.next().await?.ok_or_else(ended_early)?;
        bytes.extend_from_slice(&next[wanted.clip(next.len())]);
    }
    Ok(bytes.freeze())
}

/// A range as it is.
async fn stream(
    cx: &mut Selected<'_>,
    message: &Message,
    (start, end): (u64, u64),
    partial: Option<Partial>,
    binary: bool,
) -> Result<Whole, No> {
    let offset = partial.map_or(0, |partial| partial.offset).min(end - start);
    let length = partial.map_or(u64::MAX, |partial| partial.length).min(end - start - offset);
    // BINARY's announcement depends on what is in it.
    let binary = match binary {
        true => match holds_nul(cx, message, start + offset, length).await {
            Ok(nul) => nul,
            Err(error) => {
                cx.out.tail().extend_from_slice(b"NIL");
                return Ok(Err(error));
            }
        },
        false => false,
    };
    let opened = match open(cx, message).await {
        Ok(mut outgoing) => outgoing.skip(start + offset).await.map(|()| outgoing),
        Err(error) => Err(error),
    };
    let mut outgoing = match opened {
        Ok(outgoing) => outgoing,
        Err(error) => {
            cx.out.tail().extend_from_slice(b"NIL");
            return Ok(Err(error));
        }
    };
    announce(cx, length, binary);
    let mut wanted = Window { skip: 0, take: length };
    while wanted.take > 0 {
        let next = outgoing.next().await.and_then(|next| next.ok_or_else(ended_early));
        let next = next.map_err(lost)?;
        let range = wanted.clip(next.len());
        cx.out.bytes(next.slice(range));
        cx.out.flow().await?;
    }
    // A whole message was checked against its hash: a mismatch comes after its last byte.
    if start + offset == 0 && length == u64::from(message.row.size) {
        return Ok(outgoing.next().await.map(|_| ()));
    }
    Ok(Ok(()))
}

/// The announced bytes cannot be had: the only honest end of a literal is that of the connection.
fn lost(error: storage::Error) -> No {
    tracing::error!(%error, "message cannot be read to its end");
    No::Lost(io::Error::other(error))
}

async fn holds_nul(
    cx: &Selected<'_>,
    message: &Message,
    start: u64,
    length: u64,
) -> Result<bool, storage::Error> {
    let mut outgoing = open(cx, message).await?;
    outgoing.skip(start).await?;
    let mut wanted = Window { skip: 0, take: length };
    while wanted.take > 0 {
        let next = outgoing.next().await?.ok_or_else(ended_early)?;
        if memchr::memchr(0, &next[wanted.clip(next.len())]).is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// A large filtered piece: one pass to know its length, one to send it.
async fn stream_filtered(
    cx: &mut Selected<'_>,
    message: &Message,
    piece: &Piece<'_>,
    partial: Option<Partial>,
    binary: bool,
) -> Result<Whole, No> {
    let mut window = Window::new(partial);
    let (mut length, mut nul) = (0, false);
    let first = async {
        let mut pass = Pass::new(cx, message, piece).await?;
        while let Some(out) = pass.next().await? {
            let range = window.clip(out.len());
            length += range.len() as u64;
            nul |= memchr::memchr(0, &out[range]).is_some();
        }
        Ok(())
    };
    if let Err(error) = first.await {
        cx.out.tail().extend_from_slice(b"NIL");
        return Ok(Err(error));
    }
    announce(cx, length, binary && nul);
    let mut window = Window::new(partial);
    let mut pass = Pass::new(cx, message, piece).await.map_err(lost)?;
    while let Some(out) = pass.next().await.map_err(lost)? {
        let range = window.clip(out.len());
        cx.out.bytes(Bytes::from(out).slice(range));
        cx.out.flow().await?;
    }
    Ok(Ok(()))
}

/// One reading of a piece through its filter.
struct Pass<'a> {
    outgoing: Box<dyn Outgoing>,
    wanted: Window,
    filter: Filter<'a>,
    finished: bool,
}

impl<'a> Pass<'a> {
    async fn new(
        cx: &Selected<'_>,
        message: &Message,
        piece: &Piece<'a>,
    ) -> Result<Self, storage::Error> {
        let (start, end) = piece.range(u64::from(message.row.size));
        let mut outgoing = open(cx, message).await?;
        outgoing.skip(start).await?;
        let identity = || Filter::Decoder(Decoder::new(TransferEncoding::Identity));
        let filter = piece.filter().unwrap_or_else(identity);
        Ok(Self {
            outgoing,
            wanted: Window { skip: 0, take: end - start },
            filter,
            finished: false,
        })
    }

    /// The next filtered bytes, perhaps none yet; `None` at the end.
    async fn next(&mut self) -> Result<Option<Vec<u8>>, storage::Error> {
        if self.finished {
            return Ok(None);
        }
        let mut out = Vec::new();
        if self.wanted.take > 0 {
            let next = self.outgoing.next().await?.ok_or_else(ended_early)?;
            self.filter.feed(&next[self.wanted.clip(next.len())], &mut out);
        } else {
            self.filter.finish(&mut out);
            self.finished = true;
        }
        Ok(Some(out))
    }
}

/// How many octets a piece has once filtered (BINARY.SIZE).
pub(super) async fn size(
    cx: &Selected<'_>,
    message: &Message,
    piece: &Piece<'_>,
) -> Result<u64, storage::Error> {
    let whole = message.bytes.as_ref().map_or(u64::from(message.row.size), |b| b.len() as u64);
    let (start, end) = piece.range(whole);
    let Some(mut filter) = piece.filter() else { return Ok(end - start) };
    if let Some(bytes) = &message.bytes {
        let mut out = Vec::new();
        filter.feed(&bytes[start as usize..end as usize], &mut out);
        filter.finish(&mut out);
        return Ok(out.len() as u64);
    }
    let mut pass = Pass::new(cx, message, piece).await?;
    let mut length = 0;
    while let Some(out) = pass.next().await? {
        length += out.len() as u64;
    }
    Ok(length)
}
