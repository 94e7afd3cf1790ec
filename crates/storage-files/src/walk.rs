//! Walking through a segment's file, from frame to frame and over what is none.

use std::io;

use bytes::Bytes;
use storage::disk::File;

use crate::frame::{ALIGN, HEADER_BYTES, Header, Kind, Seed, padded};

/// Bytes of one read.
const WINDOW_BYTES: u64 = 256 * 1024;

/// Which payloads are read and checked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Check {
    /// All.
    All,
    /// All but those of messages, which are left out.
    NoMessages,
}

/// What is found, in the order of the file.
#[derive(Debug)]
pub(crate) enum Step {
    /// A frame at a physical offset; its payload if it was read.
    Frame(Header, u64, Option<Bytes>),
    /// A good header with a payload that is not.
    Spoiled(Header, u64),
    /// From the first offset to the second there is no frame; behind it there is.
    Gap(u64, u64),
    /// From here to the end there is no frame; whether that is all zeros.
    Tail(u64, bool),
}

pub(crate) struct Walk<'a> {
    file: &'a dyn File,
    seed: Seed,
    at: u64,
    end: u64,
    moved: bool,
    check: Check,
    window: Bytes,
    window_at: u64,
    over: bool,
}

impl<'a> Walk<'a> {
    /// From offset `at` to `end`. `moved`: the segment was rewritten, frames are not where they say.
    pub(crate) fn new(file: &'a dyn File, seed: Seed, at: u64, end: u64) -> Self {
        let (window, over) = (Bytes::new(), false);
        let (moved, check) = (false, Check::All);
        Self { file, seed, at, end, moved, check, window, window_at: 0, over }
    }

    pub(crate) fn moved(mut self, moved: bool) -> Self {
        self.moved = moved;
        self
    }

    pub(crate) fn check(mut self, check: Check) -> Self {
        self.check = check;
        self
    }

    /// The bytes from `at` on, at least `need` of them unless the end comes first.
    fn bytes(&mut self, at: u64, need: u64) -> io::Result<Bytes> {
        let need = need.min(self.end.saturating_sub(at));
        let inside = at >= self.window_at && at + need <= self.window_at + self.window.len() as u64;
        if !inside {
            let most = need.max(WINDOW_BYTES).min(self.end.saturating_sub(at));
            let mut buffer = vec![0; most as usize];
            let count = self.file.read_at(&mut buffer, at)?;
            buffer.truncate(count);
            (self.window, self.window_at) = (buffer.into(), at);
        }
        let from = ((at - self.window_at) as usize).min(self.window.len());
        Ok(self.window.slice(from..))
    }

    fn header(&mut self, at: u64) -> io::Result<Option<Header>> {
        let bytes = self.bytes(at, HEADER_BYTES as u64)?;
        let header = Header::decode(&bytes, self.seed);
        Ok(header.filter(|header| self.moved || u64::from(header.offset) == at))
    }

    pub(crate) fn next(&mut self) -> io::Result<Option<Step>> {
        if self.over || self.at >= self.end {
            return Ok(None);
        }
        let at = self.at;
        let Some(header) = self.header(at)? else { return self.scan(at).map(Some) };
        let frame_end = at + header.frame_bytes();
        if frame_end > self.end {
            self.at = at + ALIGN;
            return Ok(Some(Step::Spoiled(header, at)));
        }
        self.at = padded(frame_end);
        let skip = header.kind.is_message() || header.kind == Kind::Large;
        if skip && self.check == Check::NoMessages {
            return Ok(Some(Step::Frame(header, at, None)));
        }
        let frame = self.bytes(at, header.frame_bytes())?;
        if (frame.len() as u64) < header.frame_bytes() {
            return Ok(Some(Step::Spoiled(header, at)));
        }
        let payload = frame.slice(HEADER_BYTES..header.frame_bytes() as usize);
        let whole = crc32c::crc32c(&payload) == header.payload_crc;
        Ok(Some(match whole {
            true => Step::Frame(header, at, Some(payload)),
            false => Step::Spoiled(header, at),
        }))
    }

    /// Looks for the next header behind a place where there is none.
    fn scan(&mut self, from: u64) -> io::Result<Step> {
        let (mut at, mut zeros) = (from, true);
        while at < self.end {
            let bytes = self.bytes(at, WINDOW_BYTES)?;
            if bytes.is_empty() {
                break;
            }
            let mut offset = 0;
            while offset < bytes.len() {
                let rest = &bytes[offset..];
                let is_frame = rest[0] == b'm' && self.header(at + offset as u64)?.is_some();
                if is_frame {
                    self.at = at + offset as u64;
                    return Ok(Step::Gap(from, self.at));
                }
                zeros &= rest[..rest.len().min(ALIGN as usize)].iter().all(|&byte| byte == 0);
                offset += ALIGN as usize;
            }
            at += offset as u64;
        }
        self.over = true;
        Ok(Step::Tail(from, zeros))
    }
}
