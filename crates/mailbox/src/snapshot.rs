//! An account's fold as bytes: parts of bounded size, deterministic and versioned, so that a large
//! account is written and read without a second copy of it in memory.
//!
//! Chunks are no part of it, so that equal folds give equal bytes however they came about.

use std::sync::Arc;

use base::{EmailId, MailboxId, ModSeq, SystemFlags, ThreadId, Uid};

use crate::account::{Account, Slot};
use crate::chunk::{Bits, NewRow, places, set_bit};
use crate::codec::{
    BadRecord, Reader, put_bytes, put_i64, put_mailbox, put_mod_seq, put_roles, put_u64, put_uid,
    put_uids,
};
use crate::history::{Gone, History};
use crate::mailbox::{Columns, Row};
use crate::{Mailbox, Position};

mod version_1;

/// The first byte. A reader knows all versions up to its own.
const VERSION: u8 = 2;

/// Messages of one part.
const PART_ROWS: u32 = 1024;

/// Expunged ranges of one part, and subscriptions.
const PART_ITEMS: usize = 4096;

type Read<T> = Result<T, BadRecord>;

/// A part of the form, in the order they come.
#[derive(Clone, Copy)]
enum Part {
    /// What concerns the account.
    Head,
    /// What concerns a mailbox.
    Mailbox(MailboxId),
    /// Its messages from the n-th on.
    Rows(MailboxId, u32),
    /// What was expunged from it, from the n-th range on.
    Gone(MailboxId, usize),
    /// Subscriptions from the n-th on.
    Subscriptions(usize),
}

impl Account {
    /// The fold as bytes, versioned and checksummed by the caller; the form of `cache/state`.
    /// Equal folds give equal bytes.
    pub fn encode(&self) -> Vec<u8> {
        self.pages().collect::<Vec<_>>().concat()
    }

    /// The same in pieces of some tens of KiB, made one by one.
    pub fn pages(&self) -> impl Iterator<Item = Vec<u8>> + Send + 'static + use<> {
        let account = self.clone();
        account.parts().into_iter().map(move |part| account.page(part))
    }

    /// Reads [`Account::encode`]'s form; `None` for anything else. Never panics.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        Self::decode_pages([bytes])
    }

    /// As [`Account::decode`], cut into pages anywhere, each of which is dropped when it is read.
    pub fn decode_pages<P: AsRef<[u8]>>(pages: impl IntoIterator<Item = P>) -> Option<Self> {
        let mut parts = Parts { pages: pages.into_iter(), page: None, at: 0 };
        match parts.take(1).ok()?[..] {
            [1] => {
                let whole = parts.take(usize::MAX).ok()?;
                let mut reader = Reader::new(&whole);
                let account = version_1::read(&mut reader).ok()?;
                reader.end().is_ok().then_some(account)
            }
            [VERSION] => Self::read(&mut parts).ok(),
            _ => None,
        }
    }

    fn parts(&self) -> Vec<Part> {
        let mut parts = vec![Part::Head];
        for (&id, slot) in self.mailboxes.iter() {
            let rows = (0..slot.mailbox.len()).step_by(PART_ROWS as usize);
            let gone = (0..slot.mailbox.columns.history.len()).step_by(PART_ITEMS);
            parts.push(Part::Mailbox(id));
            parts.extend(rows.map(|from| Part::Rows(id, from)));
            parts.extend(gone.map(|from| Part::Gone(id, from)));
        }
        let names = (0..self.subscriptions.len()).step_by(PART_ITEMS);
        parts.extend(names.map(Part::Subscriptions));
        parts
    }

    /// A part behind its length.
    fn page(&self, part: Part) -> Vec<u8> {
        let mut out = match part {
            Part::Head => vec![VERSION],
            _ => Vec::new(),
        };
        let begin = out.len() + 4;
        out.resize(begin, 0);
        match part {
            Part::Head => {
                put_mod_seq(&mut out, self.head);
                put_u64(&mut out, u64::from(self.uid_validity_max));
                put_u64(&mut out, u64::from(self.uid_validity_retired));
                out.push(u8::from(self.lossy));
                put_u64(&mut out, self.mailboxes.len() as u64);
                put_u64(&mut out, self.subscriptions.len() as u64);
            }
            Part::Subscriptions(from) => {
                let names = self.subscriptions().skip(from).take(PART_ITEMS);
                names.for_each(|name| put_bytes(&mut out, name.as_bytes()));
            }
            Part::Mailbox(id) | Part::Rows(id, _) | Part::Gone(id, _) => {
                if let Some(slot) = self.mailboxes.get(&id) {
                    let columns = &slot.mailbox.columns;
                    match part {
                        Part::Rows(_, from) => slot.mailbox.put_rows(from, &mut out),
                        Part::Gone(_, from) => put_history(&columns.history, from, &mut out),
                        _ => put_slot(id, slot, &mut out),
                    }
                }
            }
        }
        let length = (out.len() - begin) as u32;
        out[begin - 4..begin].copy_from_slice(&length.to_le_bytes());
        out
    }

    /// What follows the version.
    fn read<I: Iterator<Item: AsRef<[u8]>>>(parts: &mut Parts<I>) -> Read<Self> {
        let bytes = parts.next()?;
        let mut reader = Reader::new(&bytes);
        let mut account = Self {
            head: reader.mod_seq()?,
            uid_validity_max: reader.u32()?,
            uid_validity_retired: reader.u32()?,
            lossy: match reader.u8()? {
                0 => false,
                1 => true,
                _ => return Err(BadRecord("neither lossy nor not")),
            },
            ..Self::default()
        };
        let (mailboxes, subscriptions) = (reader.u64()?, reader.u64()?);
        reader.end()?;
        let mut last = None;
        for _ in 0..mailboxes {
            let (id, slot) = read_slot(parts)?;
            let fits = last < Some(id) && id.created() <= account.head && !slot.name.is_empty();
            if !fits || account.names.get(&*slot.name).is_some() {
                return Err(BadRecord("mailboxes do not fit together"));
            }
            last = Some(id);
            account.names.insert(slot.name.clone(), id);
            account.mailboxes.insert(id, Arc::new(slot));
        }
        while (account.subscriptions.len() as u64) < subscriptions {
            let bytes = parts.next()?;
            let mut reader = Reader::new(&bytes);
            let before = account.subscriptions.len();
            while reader.end().is_err() {
                account.subscriptions.insert(reader.text()?.into(), ());
            }
            if account.subscriptions.len() == before {
                return Err(BadRecord("a subscription twice"));
            }
        }
        parts.end()?;
        Ok(account)
    }
}

fn put_slot(id: MailboxId, slot: &Slot, out: &mut Vec<u8>) {
    put_mailbox(out, id);
    put_bytes(out, slot.name.as_bytes());
    put_roles(out, &slot.roles);
    let columns = &*slot.mailbox.columns;
    put_u64(out, u64::from(columns.uid_validity.get()));
    put_uid(out, columns.uid_next);
    put_u64(out, u64::from(columns.uids_in_doubt));
    put_uid(out, columns.recent_from);
    put_mod_seq(out, columns.highest_mod_seq);
    put_u64(out, columns.keywords.len() as u64);
    columns.keywords.iter().for_each(|keyword| put_bytes(out, keyword.as_str().as_bytes()));
    put_u64(out, u64::from(slot.mailbox.len()));
    put_mod_seq(out, columns.history.forgotten());
    put_u64(out, columns.history.len() as u64);
}

/// A mailbox with its messages and its history.
fn read_slot<I: Iterator<Item: AsRef<[u8]>>>(parts: &mut Parts<I>) -> Read<(MailboxId, Slot)> {
    let bytes = parts.next()?;
    let mut reader = Reader::new(&bytes);
    let (id, name, roles) = (reader.mailbox()?, reader.text()?.into(), reader.roles()?.into());
    let (uid_validity, uid_next) = (reader.uid_validity()?, reader.uid()?);
    let (uids_in_doubt, recent_from) = (reader.u32()?, reader.uid()?);
    let mut mailbox = Mailbox::new(uid_validity, uid_next, reader.mod_seq()?);
    let columns = Arc::make_mut(&mut mailbox.columns);
    for at in 0..reader.count(2)? {
        if columns.place_of(&reader.keyword()?) != at {
            return Err(BadRecord("a keyword twice"));
        }
    }
    let (rows, history) = (reader.u32()?, History::new(reader.mod_seq()?));
    let ranges = reader.u64()?;
    reader.end()?;
    for from in (0..rows).step_by(PART_ROWS as usize) {
        read_rows(&parts.next()?, (rows - from).min(PART_ROWS) as usize, columns)?;
    }
    if columns.uid_next > uid_next || recent_from > uid_next {
        return Err(BadRecord("UIDs do not fit"));
    }
    columns.history = history;
    let mut newest = ModSeq::ZERO;
    while (columns.history.len() as u64) < ranges {
        newest = read_history(&parts.next()?, newest, &mut columns.history)?;
    }
    (columns.uid_next, columns.recent_from) = (uid_next, recent_from);
    columns.uids_in_doubt = uids_in_doubt;
    Ok((id, Slot { name, roles, mailbox }))
}

impl Mailbox {
    /// Column by column; numbers that mostly grow as differences to the row before.
    fn put_rows(&self, from: u32, out: &mut Vec<u8>) {
        let to = self.len().min(from.saturating_add(PART_ROWS));
        put_uids(out, &self.uids_between(from, to));
        let mut rows: Vec<(Row, Bits)> = Vec::with_capacity((to - from) as usize);
        for (start, chunk) in self.columns.chunks.onward_from_index(from) {
            let first = from.saturating_sub(start) as usize;
            let last = (to.saturating_sub(start) as usize).min(chunk.len());
            if first >= last {
                break;
            }
            rows.extend((first..last).map(|at| (chunk.row(at), chunk.bits(at))));
        }
        let mut before = 0;
        for (row, _) in &rows {
            put_i64(out, row.mod_seq.get() as i64 - before);
            before = row.mod_seq.get() as i64;
        }
        out.extend(rows.iter().map(|(row, _)| row.system.bits()));
        put_keywords(&rows, self.columns.keywords.len(), out);
        let mut before = Before::default();
        for (row, _) in rows {
            put_row(&before, &row, out);
            before = Before::new(&row);
        }
    }
}

/// For each keyword that is used here its place and the messages that have it.
fn put_keywords(rows: &[(Row, Bits)], keywords: usize, out: &mut Vec<u8>) {
    let mut having: Vec<Vec<Uid>> = vec![Vec::new(); keywords];
    for (row, bits) in rows {
        places(bits).for_each(|place| having[place].push(row.uid));
    }
    put_u64(out, having.iter().filter(|uids| !uids.is_empty()).count() as u64);
    for (place, uids) in having.into_iter().enumerate().filter(|(_, uids)| !uids.is_empty()) {
        put_u64(out, place as u64);
        put_uids(out, &uids.into_iter().collect());
    }
}

/// What a row is told as the difference to.
#[derive(Default)]
struct Before {
    /// INTERNALDATE, seconds.
    seconds: i64,
    save_date: i64,
    segment: u32,
    /// Behind the message: where the next one mostly is.
    offset: i64,
}

impl Before {
    fn new(row: &Row) -> Self {
        Self {
            seconds: row.internal_date.seconds(),
            save_date: row.save_date,
            segment: row.position.segment,
            offset: i64::from(row.position.offset) + i64::from(row.position.stored_bytes),
        }
    }
}

fn put_row(before: &Before, row: &Row, out: &mut Vec<u8>) {
    put_u64(out, u64::from(row.size));
    put_i64(out, row.internal_date.seconds() - before.seconds);
    put_i64(out, i64::from(row.internal_date.offset_minutes()));
    put_i64(out, row.save_date.wrapping_sub(before.save_date));
    out.extend_from_slice(&row.email_id.0);
    out.extend_from_slice(&row.thread_id.0.to_le_bytes());
    put_i64(out, i64::from(row.position.segment) - i64::from(before.segment));
    put_i64(out, i64::from(row.position.offset) - before.offset);
    put_u64(out, u64::from(row.position.stored_bytes));
}

type Mark = (Uid, ModSeq, SystemFlags);

fn read_row(before: &Before, mark: Mark, reader: &mut Reader<'_>) -> Read<Row> {
    let sum = |from: i64, by: i64| {
        let sum = from.checked_add(by).and_then(|sum| u32::try_from(sum).ok());
        sum.ok_or(BadRecord("position out of range"))
    };
    let size = reader.u32()?;
    let seconds = before.seconds.checked_add(reader.i64()?);
    let internal_date = reader.date_at(seconds.ok_or(BadRecord("date out of range"))?)?;
    Ok(Row {
        uid: mark.0,
        mod_seq: mark.1,
        system: mark.2,
        size,
        internal_date,
        save_date: before.save_date.wrapping_add(reader.i64()?),
        email_id: EmailId(reader.array()?),
        thread_id: ThreadId(u64::from_le_bytes(reader.array()?)),
        position: Position {
            segment: sum(before.segment.into(), reader.i64()?)?,
            offset: sum(before.offset, reader.i64()?)?,
            stored_bytes: reader.u32()?,
        },
    })
}

/// Adds the `count` messages of a part.
fn read_rows(bytes: &[u8], count: usize, columns: &mut Columns) -> Read<()> {
    let mut reader = Reader::new(bytes);
    let uids = reader.uids()?;
    let behind_others = uids.ranges().first().map(|&(first, _)| first) > columns.chunks.last();
    // As many as there are bytes for, so that a claim costs nothing.
    if uids.len() != count as u64 || count > bytes.len() || !behind_others {
        return Err(BadRecord("UIDs do not fit"));
    }
    let uids: Vec<Uid> = uids.iter().collect();
    let mod_seqs = read_mod_seqs(&mut reader, count, columns.highest_mod_seq)?;
    let system = reader.take(count)?;
    let bits = read_keywords(&mut reader, columns.keywords.len(), &uids)?;
    let mut rows: Vec<NewRow> = Vec::with_capacity(count);
    let mut before = Before::default();
    for (((uid, mod_seq), &system), bits) in uids.into_iter().zip(mod_seqs).zip(system).zip(bits) {
        let system = SystemFlags::from_bits(system).ok_or(BadRecord("unknown system flag"))?;
        let row = read_row(&before, (uid, mod_seq, system), &mut reader)?;
        before = Before::new(&row);
        rows.push(NewRow { row, bits });
    }
    reader.end()?;
    columns.extend(&rows);
    Ok(())
}

fn read_mod_seqs(reader: &mut Reader<'_>, count: usize, highest: ModSeq) -> Read<Vec<ModSeq>> {
    let mut before = 0i64;
    let mut mod_seqs = Vec::with_capacity(count);
    for _ in 0..count {
        let at = before.checked_add(reader.i64()?).filter(|&at| at >= 0);
        let at = at.ok_or(BadRecord("MODSEQ out of range"))?;
        let mod_seq = ModSeq::new(at as u64).filter(|&mod_seq| mod_seq <= highest);
        mod_seqs.push(mod_seq.ok_or(BadRecord("MODSEQ out of range"))?);
        before = at;
    }
    Ok(mod_seqs)
}

/// The keywords of each message, in the order of `uids`.
fn read_keywords(reader: &mut Reader<'_>, keywords: usize, uids: &[Uid]) -> Read<Vec<Bits>> {
    let mut bits = vec![Bits::new(); uids.len()];
    let mut least = 0;
    for _ in 0..reader.count(3)? {
        let place = reader.u64()? as usize;
        if place < least || place >= keywords {
            return Err(BadRecord("no such keyword"));
        }
        least = place + 1;
        for &(first, last) in reader.uids()?.ranges() {
            let from = uids.partition_point(|&uid| uid < first);
            let to = uids.partition_point(|&uid| uid <= last);
            if (to - from) as u64 != u64::from(last.get() - first.get()) + 1 {
                return Err(BadRecord("keyword of no message"));
            }
            bits[from..to].iter_mut().for_each(|bits| set_bit(bits, place));
        }
    }
    Ok(bits)
}

fn put_history(history: &History, from: usize, out: &mut Vec<u8>) {
    let mut before = 0;
    for Gone { at, first, last } in history.iter().skip(from).take(PART_ITEMS) {
        put_u64(out, at.get() - before);
        put_uid(out, first);
        put_u64(out, u64::from(last.get() - first.get()));
        before = at.get();
    }
}

/// Adds the ranges of a part, none of which is older than `newest`. Answers with the newest one.
fn read_history(bytes: &[u8], newest: ModSeq, history: &mut History) -> Read<ModSeq> {
    let mut reader = Reader::new(bytes);
    let (mut before, mut newest, len) = (0u64, newest, history.len());
    while reader.end().is_err() {
        let at = before.checked_add(reader.u64()?).and_then(ModSeq::new);
        let first = reader.uid()?;
        let last = first.get().checked_add(reader.u32()?).and_then(Uid::new);
        let (at, last) = at.zip(last).ok_or(BadRecord("history out of range"))?;
        if at < newest {
            return Err(BadRecord("history out of order"));
        }
        history.push(Gone { at, first, last });
        (before, newest) = (at.get(), at);
    }
    if history.len() == len { Err(BadRecord("a part with nothing in it")) } else { Ok(newest) }
}

/// Parts out of pages that were cut anywhere.
struct Parts<I: Iterator> {
    pages: I,
    page: Option<I::Item>,
    /// What was read of the page.
    at: usize,
}

impl<I: Iterator<Item: AsRef<[u8]>>> Parts<I> {
    /// The next bytes, `count` or as many as there are. Nothing is made larger than that.
    fn some(&mut self, count: usize) -> Vec<u8> {
        let mut taken = Vec::new();
        while taken.len() < count {
            let Some(page) = &self.page else {
                (self.page, self.at) = (self.pages.next(), 0);
                if self.page.is_none() {
                    break;
                }
                continue;
            };
            let rest = &page.as_ref()[self.at..];
            let part = rest.len().min(count - taken.len());
            taken.extend_from_slice(&rest[..part]);
            self.at += part;
            if part == rest.len() {
                self.page = None;
            }
        }
        taken
    }

    fn take(&mut self, count: usize) -> Read<Vec<u8>> {
        let taken = self.some(count);
        let whole = taken.len() == count || count == usize::MAX;
        if whole { Ok(taken) } else { Err(BadRecord("too short")) }
    }

    fn next(&mut self) -> Read<Vec<u8>> {
        let length = Reader::new(&self.take(4)?).array()?;
        self.take(u32::from_le_bytes(length) as usize)
    }

    fn end(&mut self) -> Read<()> {
        if self.some(1).is_empty() { Ok(()) } else { Err(BadRecord("more bytes than expected")) }
    }
}
