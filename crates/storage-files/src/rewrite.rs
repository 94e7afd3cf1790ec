//! Writing a segment anew: what is kept goes over byte for byte, with an index behind it.

use std::io;

use base::ModSeq;
use storage::disk::File;

use crate::compact::Keep;
use crate::frame::{Encoding, FRAMES_AT, Header, Kind, Lost, Segment, padded};
use crate::segment::Handle;
use crate::walk::{Step, Walk};

/// Writes a segment anew.
pub(crate) struct Rewriter<'a> {
    file: &'a dyn File,
    segment: Segment,
    at: u64,
    buffer: Vec<u8>,
    index: Vec<u8>,
}

/// Bytes of one write.
const WRITE_BYTES: usize = 1024 * 1024;

impl<'a> Rewriter<'a> {
    pub(crate) fn new(file: &'a dyn File, segment: Segment) -> Self {
        Self { file, segment, at: FRAMES_AT, buffer: Vec::new(), index: Vec::new() }
    }

    pub(crate) fn run(
        mut self,
        handle: &Handle,
        keep: &Keep<'_>,
        lost: &[(ModSeq, Lost)],
    ) -> io::Result<()> {
        let mut lost = lost.iter().peekable();
        let mut walk = Walk::new(&*handle.file, handle.seed, FRAMES_AT, handle.end()?)
            .moved(handle.segment.index_at != 0 || handle.seed != handle.segment.seed());
        while let Some(step) = walk.next()? {
            let Step::Frame(header, _, Some(payload)) = step else { continue };
            if !keep.keeps(&header, Some(&payload)) {
                continue;
            }
            if header.kind.is_message() {
                let now = self.at + self.buffer.len() as u64;
                self.index.extend_from_slice(&header.offset.to_le_bytes());
                self.index.extend_from_slice(&(now as u32).to_le_bytes());
            } else {
                while let Some((first, lost)) = lost.next_if(|lost| lost.0 < header.sequence) {
                    self.put_own(Kind::Lost, *first, &lost.encode())?;
                }
            }
            self.put(&header, &payload)?;
        }
        for (first, lost) in lost {
            self.put_own(Kind::Lost, *first, &lost.encode())?;
        }
        let index = std::mem::take(&mut self.index);
        self.segment.index_at = (self.at + self.buffer.len() as u64) as u32;
        self.put_own(Kind::Index, ModSeq::ZERO, &index)?;
        self.flush()?;
        self.file.write_at(&self.segment.encode(), 0)
    }

    /// A frame that was not there before.
    fn put_own(&mut self, kind: Kind, sequence: ModSeq, payload: &[u8]) -> io::Result<()> {
        let offset = (self.at + self.buffer.len() as u64) as u32;
        let header = Header {
            kind,
            encoding: Encoding::Raw,
            payload_bytes: payload.len() as u32,
            offset,
            durable_to: FRAMES_AT as u32,
            sequence,
            payload_crc: crc32c::crc32c(payload),
        };
        self.put(&header, payload)
    }

    fn put(&mut self, header: &Header, payload: &[u8]) -> io::Result<()> {
        self.buffer.extend_from_slice(&header.encode(self.segment.seed()));
        self.buffer.extend_from_slice(payload);
        self.buffer.resize(padded(self.buffer.len() as u64) as usize, 0);
        if self.buffer.len() >= WRITE_BYTES { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.write_at(&self.buffer, self.at)?;
        self.at += self.buffer.len() as u64;
        self.buffer.clear();
        Ok(())
    }
}
