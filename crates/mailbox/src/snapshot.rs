//! An account's fold as bytes: columns of each mailbox, deterministic and versioned.
//!
//! Chunks are no part of it, so that equal folds give equal bytes however they came about.

use std::sync::Arc;

use base::{EmailId, ModSeq, SystemFlags, ThreadId, Uid, UidSet};

use crate::account::{Account, Slot};
use crate::chunk::{Bits, NewRow, places, set_bit};
use crate::codec::{
    BadRecord, Reader, put_bytes, put_date, put_i64, put_mailbox, put_mod_seq, put_position,
    put_roles, put_u64, put_uid, put_uids,
};
use crate::history::{Gone, History};
use crate::mailbox::Row;
use crate::{Mailbox, Role};

/// The first byte. A reader knows all versions up to its own.
const VERSION: u8 = 1;

/// UID's share, MODSEQ, flags, dates, size, identities and position of one message.
const ROW_BYTES_MIN: usize = 1 + 1 + 2 + 1 + 1 + 16 + 8 + 3;

impl Account {
    /// The fold as bytes, versioned and checksummed by the caller; the form of `cache/state`.
    /// Equal folds give equal bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = vec![VERSION];
        put_mod_seq(&mut out, self.head);
        put_u64(&mut out, u64::from(self.uid_validity_max));
        put_u64(&mut out, u64::from(self.uid_validity_retired));
        put_u64(&mut out, self.mailboxes.len() as u64);
        for (&id, slot) in self.mailboxes.iter() {
            put_mailbox(&mut out, id);
            put_bytes(&mut out, slot.name.as_bytes());
            put_roles(&mut out, &slot.roles);
            slot.mailbox.encode(&mut out);
        }
        put_u64(&mut out, self.subscriptions.len() as u64);
        self.subscriptions().for_each(|name| put_bytes(&mut out, name.as_bytes()));
        if self.lossy {
            // Only the folds of damaged logs have this part.
            for (_, slot) in self.mailboxes.iter() {
                put_u64(&mut out, u64::from(slot.mailbox.columns.uids_in_doubt));
            }
            out.push(1);
        }
        out
    }

    /// Reads [`Account::encode`]'s form; `None` for anything else. Never panics.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(bytes);
        let account = Self::read(&mut reader).ok()?;
        reader.end().is_ok().then_some(account)
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, BadRecord> {
        if reader.u8()? != VERSION {
            return Err(BadRecord("unknown version"));
        }
        let mut account = Self {
            head: reader.mod_seq()?,
            uid_validity_max: reader.u32()?,
            uid_validity_retired: reader.u32()?,
            ..Self::default()
        };
        let mut last = None;
        for _ in 0..reader.count(12)? {
            let id = reader.mailbox()?;
            let name: Arc<str> = reader.text()?.into();
            let roles: Vec<Role> = reader.roles()?;
            let mailbox = Mailbox::read(reader)?;
            let fits = last < Some(id) && id.created() <= account.head && !name.is_empty();
            if !fits || account.names.get(&*name).is_some() {
                return Err(BadRecord("mailboxes do not fit together"));
            }
            last = Some(id);
            account.names.insert(name.clone(), id);
            account.mailboxes.insert(id, Arc::new(Slot { name, roles: roles.into(), mailbox }));
        }
        for _ in 0..reader.count(1)? {
            account.subscriptions.insert(reader.text()?.into(), ());
        }
        if reader.end().is_err() {
            let ids: Vec<_> = account.mailboxes.iter().map(|(&id, _)| id).collect();
            for id in ids {
                let uids = reader.u32()?;
                if let Some(slot) = account.mailboxes.get_mut(&id) {
                    Arc::make_mut(slot).mailbox.doubt_uids(uids);
                }
            }
            account.lossy = reader.u8()? == 1;
            if !account.lossy {
                return Err(BadRecord("more bytes than expected"));
            }
        }
        Ok(account)
    }
}

impl Mailbox {
    fn encode(&self, out: &mut Vec<u8>) {
        let columns = &*self.columns;
        put_u64(out, u64::from(columns.uid_validity.get()));
        put_uid(out, columns.uid_next);
        put_uid(out, columns.recent_from);
        put_mod_seq(out, columns.highest_mod_seq);
        put_u64(out, columns.keywords.len() as u64);
        columns.keywords.iter().for_each(|keyword| put_bytes(out, keyword.as_str().as_bytes()));
        put_u64(out, u64::from(self.len()));
        put_uids(out, &self.uids());
        self.encode_mod_seqs(out);
        out.extend(self.marks().map(|(_, _, system)| system.bits()));
        self.encode_keywords(out);
        for row in self.rows() {
            put_u64(out, u64::from(row.size));
            put_date(out, row.internal_date);
            put_i64(out, row.save_date);
            out.extend_from_slice(&row.email_id.0);
            out.extend_from_slice(&row.thread_id.0.to_le_bytes());
            put_position(out, row.position);
        }
        encode_history(&columns.history, out);
    }

    /// Each as the difference to the one before: mostly one byte.
    fn encode_mod_seqs(&self, out: &mut Vec<u8>) {
        let mut before = 0;
        for (_, mod_seq, _) in self.marks() {
            put_i64(out, mod_seq.get() as i64 - before);
            before = mod_seq.get() as i64;
        }
    }

    /// For each keyword the messages that have it.
    fn encode_keywords(&self, out: &mut Vec<u8>) {
        let mut having = vec![UidSet::new(); self.columns.keywords.len()];
        if !having.is_empty() {
            for (uid, bits) in self.columns.chunks.iter().flat_map(|(_, chunk)| {
                chunk.uids().iter().enumerate().map(|(at, &uid)| (uid, chunk.bits(at)))
            }) {
                places(&bits).for_each(|place| having[place].insert(uid));
            }
        }
        having.iter().for_each(|uids| put_uids(out, uids));
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, BadRecord> {
        let uid_validity = reader.uid_validity()?;
        let (uid_next, recent_from) = (reader.uid()?, reader.uid()?);
        let highest_mod_seq = reader.mod_seq()?;
        let mut mailbox = Self::new(uid_validity, uid_next, highest_mod_seq);
        let columns = Arc::make_mut(&mut mailbox.columns);
        columns.recent_from = recent_from;
        for at in 0..reader.count(2)? {
            if columns.place_of(&reader.keyword()?) != at {
                return Err(BadRecord("a keyword twice"));
            }
        }
        let count = reader.count(ROW_BYTES_MIN)?;
        let uids = reader.uids()?;
        let last = uids.last();
        if uids.len() != count as u64 || last >= Some(uid_next) || recent_from > uid_next {
            return Err(BadRecord("UIDs do not fit"));
        }
        let mod_seqs = read_mod_seqs(reader, count, highest_mod_seq)?;
        let system = reader.take(count)?;
        let bits = read_keywords(reader, columns.keywords.len(), &uids)?;
        let rest = mod_seqs.into_iter().zip(system).zip(bits);
        for (uid, ((mod_seq, &system), bits)) in uids.iter().zip(rest) {
            let system = SystemFlags::from_bits(system).ok_or(BadRecord("unknown system flag"))?;
            columns.push(&NewRow { row: read_row(reader, uid, mod_seq, system)?, bits });
        }
        columns.uid_next = uid_next;
        columns.history = read_history(reader)?;
        Ok(mailbox)
    }
}

fn read_mod_seqs(
    reader: &mut Reader<'_>,
    count: usize,
    highest: ModSeq,
) -> Result<Vec<ModSeq>, BadRecord> {
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
fn read_keywords(
    reader: &mut Reader<'_>,
    keywords: usize,
    uids: &UidSet,
) -> Result<Vec<Bits>, BadRecord> {
    let mut bits = vec![Bits::new(); uids.len() as usize];
    // How many UIDs come before each range.
    let mut starts = Vec::with_capacity(uids.ranges().len());
    let mut start = 0;
    for &(first, last) in uids.ranges() {
        starts.push(start);
        start += (last.get() - first.get()) as usize + 1;
    }
    for place in 0..keywords {
        for &(first, last) in reader.uids()?.ranges() {
            let at = uids.ranges().partition_point(|&(_, end)| end < first);
            let around = uids.ranges().get(at).filter(|&&(a, b)| a <= first && last <= b);
            let &(start, _) = around.ok_or(BadRecord("keyword of no message"))?;
            let from = starts[at] + (first.get() - start.get()) as usize;
            let to = from + (last.get() - first.get()) as usize;
            bits[from..=to].iter_mut().for_each(|bits| set_bit(bits, place));
        }
    }
    Ok(bits)
}

fn read_row(
    reader: &mut Reader<'_>,
    uid: Uid,
    mod_seq: ModSeq,
    system: SystemFlags,
) -> Result<Row, BadRecord> {
    Ok(Row {
        uid,
        mod_seq,
        system,
        size: reader.u32()?,
        internal_date: reader.date()?,
        save_date: reader.i64()?,
        email_id: EmailId(reader.array()?),
        thread_id: ThreadId(u64::from_le_bytes(reader.array()?)),
        position: reader.position()?,
    })
}

fn encode_history(history: &History, out: &mut Vec<u8>) {
    put_mod_seq(out, history.forgotten());
    put_u64(out, history.len() as u64);
    let mut before = 0;
    for Gone { at, first, last } in history.iter() {
        put_u64(out, at.get() - before);
        put_uid(out, first);
        put_u64(out, u64::from(last.get() - first.get()));
        before = at.get();
    }
}

fn read_history(reader: &mut Reader<'_>) -> Result<History, BadRecord> {
    let mut history = History::new(reader.mod_seq()?);
    let mut before = 0u64;
    for _ in 0..reader.count(3)? {
        let at = before.checked_add(reader.u64()?).and_then(ModSeq::new);
        let first = reader.uid()?;
        let last = first.get().checked_add(reader.u32()?).and_then(Uid::new);
        let (at, last) = at.zip(last).ok_or(BadRecord("history out of range"))?;
        history.push(Gone { at, first, last });
        before = at.get();
    }
    Ok(history)
}
