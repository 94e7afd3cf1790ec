//! Version 1 of the form: each column of a mailbox in one piece. Only read.

use std::sync::Arc;

use base::{EmailId, ModSeq, SystemFlags, ThreadId, Uid, UidSet};

use super::read_mod_seqs;
use crate::account::{Account, Slot};
use crate::chunk::{Bits, NewRow, set_bit};
use crate::codec::{BadRecord, Reader};
use crate::history::{Gone, History};
use crate::mailbox::Row;
use crate::{Mailbox, Role};

/// UID's share, MODSEQ, flags, dates, size, identities and position of one message.
const ROW_BYTES_MIN: usize = 1 + 1 + 2 + 1 + 1 + 16 + 8 + 3;

/// What follows the version.
pub(super) fn read(reader: &mut Reader<'_>) -> Result<Account, BadRecord> {
    let mut account = Account {
        head: reader.mod_seq()?,
        uid_validity_max: reader.u32()?,
        uid_validity_retired: reader.u32()?,
        ..Account::default()
    };
    let mut last = None;
    for _ in 0..reader.count(12)? {
        let id = reader.mailbox()?;
        let name: Arc<str> = reader.text()?.into();
        let roles: Vec<Role> = reader.roles()?;
        let mailbox = read_mailbox(reader)?;
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

fn read_mailbox(reader: &mut Reader<'_>) -> Result<Mailbox, BadRecord> {
    let uid_validity = reader.uid_validity()?;
    let (uid_next, recent_from) = (reader.uid()?, reader.uid()?);
    let highest_mod_seq = reader.mod_seq()?;
    let mut mailbox = Mailbox::new(uid_validity, uid_next, highest_mod_seq);
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
