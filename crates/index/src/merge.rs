//! Making one segment of several, read and written in pieces: memory is bounded by the lists of one
//! key, some bytes a document, and a piece of each segment.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

use base::{AccountId, EmailId};
use bytes::Bytes;
use storage::{CacheFile, Error, Storage};

use crate::encode::{Blocks, Budget, bits_max, id_bytes, longest_useful, table_bytes};
use crate::segment::{Damaged, Entries, FIXED_BYTES, Fixed};
use crate::shelf::Segment;
use crate::survey::Used;
use crate::update::{Pause, Progress};

/// Bytes of blocks that are read at once from each segment, and written at once.
const PIECE_BYTES: u64 = 256 * 1024;
/// Bytes between two looks at the time: some milliseconds of work.
const STEP_BYTES: u64 = 512 * 1024;
/// Stands for a document that is left out.
const LEFT_OUT: u32 = u32::MAX;

/// A segment that is merged.
pub(crate) struct Input {
    pub(crate) segment: Arc<Segment>,
    /// The new number of each document, ascending, or [`LEFT_OUT`].
    numbers: Vec<u32>,
}

/// How a merge ended.
pub(crate) enum Merged {
    /// It is written.
    Done,
    /// This one of the segments is damaged.
    Damaged(Arc<Segment>),
    /// It was told to end; nothing is changed.
    Ended,
}

/// A merge: what of the segments becomes what.
pub(crate) struct Merge<'m> {
    pub(crate) storage: &'m dyn Storage,
    pub(crate) account: AccountId,
    pub(crate) fingerprint: u32,
    pub(crate) inputs: Vec<Input>,
    pub(crate) documents: Vec<EmailId>,
    pub(crate) text_bytes: u64,
}

impl<'m> Merge<'m> {
    /// Keeps the documents of `segments` that are `used`.
    pub(crate) fn new(
        (storage, account, fingerprint): (&'m dyn Storage, AccountId, u32),
        segments: Vec<Arc<Segment>>,
        used: &Used,
    ) -> Self {
        let (mut inputs, mut text_bytes) = (Vec::new(), 0);
        let mut next = 0u32;
        for segment in segments {
            let (before, used) = (next, used.of(&segment));
            let number = |doc| {
                if !used.has(doc) {
                    return LEFT_OUT;
                }
                next += 1;
                next - 1
            };
            let numbers: Vec<u32> = (0..segment.head.documents).map(number).collect();
            // What a text is worth is known of all together only.
            let (kept, of) = (u64::from(next - before), u64::from(segment.head.documents.max(1)));
            text_bytes +=
                (u128::from(segment.head.text_bytes) * u128::from(kept) / u128::from(of)) as u64;
            inputs.push(Input { segment, numbers });
        }
        let mut documents = vec![EmailId([0; 16]); next as usize];
        for Input { segment, numbers } in &inputs {
            for &(id, doc) in segment.ids.entries() {
                let number = numbers.get(doc as usize).copied().unwrap_or(LEFT_OUT);
                if let Some(place) = documents.get_mut(number as usize) {
                    *place = EmailId(id);
                }
            }
        }
        Self { storage, account, fingerprint, inputs, documents, text_bytes }
    }

    /// Writes the new segment as `name`. Where the segments are far below their share of the text they
    /// are read once; otherwise twice, for lengths and for lists.
    pub(crate) async fn run(
        &self,
        name: &str,
        progress: &mut Progress,
        pause: &mut Pause<'_>,
    ) -> Result<Merged, Error> {
        let documents = self.documents.len() as u32;
        let bits = |input: &Input| input.segment.head.file_bytes() * 8;
        let bits: u64 = self.inputs.iter().map(bits).sum();
        let longest = longest_useful(documents);
        if bits / 2 * 3 <= bits_max(self.text_bytes)
            && let Some(end) = self.write(name, (longest, true), progress, pause).await?
        {
            return Ok(end);
        }
        let mut measured = Pass::Measure(Budget::new(documents, self.text_bytes));
        if let Some(end) = self.pass(&mut measured, progress, pause).await? {
            return Ok(end);
        }
        let Pass::Measure(budget) = measured else { return Ok(Merged::Ended) };
        let written = self.write(name, (budget.longest(), false), progress, pause).await?;
        Ok(written.unwrap_or(Merged::Ended))
    }

    /// Writes lists of up to `longest` documents. `None`: they `must_fit` into their share of the text,
    /// and did not.
    async fn write(
        &self,
        name: &str,
        (longest, must_fit): (u32, bool),
        progress: &mut Progress,
        pause: &mut Pause<'_>,
    ) -> Result<Option<Merged>, Error> {
        let documents = self.documents.len() as u32;
        let mut file = self.storage.cache_create(self.account, name).await?;
        let ids: Bytes = id_bytes(&self.documents).into();
        let ids_crc = crc32c::crc32c(&ids);
        let blocks_at = (FIXED_BYTES + ids.len()) as u64;
        file.write(FIXED_BYTES as u64, ids).await?;
        let output = Output { file, blocks_at, blocks: Blocks::new(documents, longest) };
        let mut written = Pass::Write(output);
        if let Some(end) = self.pass(&mut written, progress, pause).await? {
            return Ok(Some(end));
        }
        let Pass::Write(Output { mut file, blocks, .. }) = written else { return Ok(None) };
        if must_fit && !blocks.fits(self.text_bytes) {
            return Ok(None);
        }
        let (at, bytes, table) = blocks.finish();
        let table_at = blocks_at + at + bytes.len() as u64;
        file.write(blocks_at + at, bytes.into()).await?;
        let table = table_bytes(&table);
        let fixed = Fixed {
            documents,
            blocks: (table.len() / 8) as u32,
            text_bytes: self.text_bytes,
            table_at,
            ids_crc,
            table_crc: crc32c::crc32c(&table),
        };
        file.write(table_at, table.into()).await?;
        file.write(0, fixed.encode(self.fingerprint).into()).await?;
        file.finish().await?;
        Ok(Some(Merged::Done))
    }

    /// Tells all keys in order with their documents. An answer: how it ended too early.
    async fn pass(
        &self,
        pass: &mut Pass,
        progress: &mut Progress,
        pause: &mut Pause<'_>,
    ) -> Result<Option<Merged>, Error> {
        let mut cursors: Vec<Cursor<'_>> = self.inputs.iter().map(Cursor::new).collect();
        let (mut docs, mut worked) = (Vec::new(), 0);
        loop {
            for cursor in &mut cursors {
                while cursor.key.is_none() && !cursor.is_at_end() {
                    if cursor.wants_bytes() {
                        let read = cursor.fill(self.storage, self.account).await?;
                        worked += read.unwrap_or(0);
                    }
                    if cursor.advance().is_err() {
                        return Ok(Some(Merged::Damaged(Arc::clone(&cursor.input.segment))));
                    }
                }
            }
            let Some(key) = cursors.iter().filter_map(|cursor| cursor.key).min() else {
                return Ok(None);
            };
            docs.clear();
            for cursor in cursors.iter_mut().filter(|cursor| cursor.key == Some(key)) {
                docs.append(&mut cursor.docs);
                cursor.key = None;
            }
            pass.add(key, &docs);
            worked += pass.flush().await?;
            if worked >= STEP_BYTES {
                progress.bytes += std::mem::take(&mut worked);
                if !pause(*progress).await {
                    return Ok(Some(Merged::Ended));
                }
            }
        }
    }
}

struct Output {
    file: Box<dyn CacheFile>,
    blocks_at: u64,
    blocks: Blocks,
}

/// What keys are read for.
enum Pass {
    Measure(Budget),
    Write(Output),
}

impl Pass {
    fn add(&mut self, key: u32, docs: &[u32]) {
        match self {
            Self::Measure(budget) => budget.add(key, docs),
            Self::Write(output) => output.blocks.add(key, docs),
        }
    }

    /// Writes what is worth it; how many bytes.
    async fn flush(&mut self) -> Result<u64, Error> {
        let Self::Write(Output { file, blocks_at, blocks }) = self else { return Ok(0) };
        if (blocks.waiting() as u64) < PIECE_BYTES {
            return Ok(0);
        }
        let (at, bytes) = blocks.take();
        let count = bytes.len() as u64;
        file.write(*blocks_at + at, bytes.into()).await?;
        Ok(count)
    }
}

/// Goes through the keys of a segment.
struct Cursor<'i> {
    input: &'i Input,
    /// The next block to be read, and those that are.
    block: usize,
    read: VecDeque<(usize, Bytes)>,
    entries: Option<Entries<Bytes>>,
    /// The key at hand and its documents, as they are numbered anew.
    key: Option<u32>,
    docs: Vec<u32>,
}

impl<'i> Cursor<'i> {
    fn new(input: &'i Input) -> Self {
        let (read, docs) = Default::default();
        Self { input, block: 0, read, entries: None, key: None, docs }
    }

    fn is_at_end(&self) -> bool {
        self.entries.is_none()
            && self.read.is_empty()
            && self.block >= self.input.segment.head.block_count()
    }

    fn wants_bytes(&self) -> bool {
        self.entries.is_none() && self.read.is_empty()
    }

    /// Reads the next blocks. `None`: they are not there, which `advance` finds too.
    async fn fill(
        &mut self,
        storage: &dyn Storage,
        account: AccountId,
    ) -> Result<Option<u64>, Error> {
        let head = &self.input.segment.head;
        let mut place: Range<u64> = head.place(self.block);
        let mut end = self.block + 1;
        while end < head.block_count() && head.place(end).end - place.start <= PIECE_BYTES {
            place.end = head.place(end).end;
            end += 1;
        }
        let start = place.start;
        let ranges = std::iter::once(place).collect();
        let parts = storage.cache_read(account, &self.input.segment.name, ranges).await?;
        let Some(bytes) = parts.and_then(|mut parts| parts.pop()) else { return Ok(None) };
        for block in self.block..end {
            let place = head.place(block);
            let part = (place.start - start) as usize..(place.end - start) as usize;
            self.read.push_back((block, bytes.slice(part)));
        }
        self.block = end;
        Ok(Some(bytes.len() as u64))
    }

    /// To the next key that has documents; none if the next block must be read first.
    fn advance(&mut self) -> Result<(), Damaged> {
        loop {
            if self.entries.is_none() {
                let (block, bytes) = match self.read.pop_front() {
                    Some(next) => next,
                    // What was asked for did not come.
                    None if self.block < self.input.segment.head.block_count() => {
                        return Err(Damaged);
                    }
                    None => return Ok(()),
                };
                let entries = self.input.segment.head.entries(block, bytes);
                self.entries = Some(entries.ok_or(Damaged)?);
            }
            let Some(entries) = &mut self.entries else { return Ok(()) };
            let Some((key, count)) = entries.next()? else {
                self.entries = None;
                if self.read.is_empty() {
                    return Ok(());
                }
                continue;
            };
            self.docs.clear();
            let (numbers, docs) = (&self.input.numbers, &mut self.docs);
            if count == 0 {
                // What was not told apart may be any of them.
                docs.extend(numbers.iter().filter(|&&number| number != LEFT_OUT));
            } else {
                entries.documents(|doc| {
                    let number = numbers.get(doc as usize).copied().unwrap_or(LEFT_OUT);
                    if number != LEFT_OUT {
                        docs.push(number);
                    }
                })?;
            }
            if !self.docs.is_empty() {
                self.key = Some(key);
                return Ok(());
            }
        }
    }
}
