//! A column as it is kept in a cache.
//!
//! Header: magic, version, what it tells, the version of summaries, a zero; UIDVALIDITY, the
//! mailbox's id, how many bytes follow, their CRC32C, the header's CRC32C; little endian. Then the
//! UIDs, the CRC32C of the EMAILIDs of each [`BLOCK`] messages, and the values. Messages are the ones
//! that the column tells of if their block has the same EMAILIDs in the mailbox; those of other
//! blocks, of which some may be expunged, are left out and read again.

use base::{MailboxId, UidSet};
use message::{SUMMARY_VERSION, SortKey};

use super::{Column, Kind, Links, NO_DATE, Ranks, Values};
use crate::Mailbox;
use crate::codec::{self, Reader, put_u64, put_uids};

const MAGIC: [u8; 8] = *b"martkeys";
/// Version of the form, and of what SORT and THREAD compare.
const VERSION: u8 = 1;
/// Messages that are checked together.
const BLOCK: usize = 256;
/// How the names of such files end.
pub const NAME_SUFFIX: &str = ".keys";

/// The name of the file of a mailbox's column.
pub fn name(mailbox: MailboxId, kind: Kind) -> String {
    let kind = match kind {
        Kind::Sent => "sent",
        Kind::Links => "links",
        Kind::Text(SortKey::Subject) => "subject",
        Kind::Text(SortKey::From) => "from",
        Kind::Text(SortKey::To) => "to",
        Kind::Text(SortKey::Cc) => "cc",
        Kind::Text(SortKey::DisplayFrom) => "display-from",
        Kind::Text(SortKey::DisplayTo) => "display-to",
    };
    format!("{mailbox}-{kind}{NAME_SUFFIX}")
}

/// The beginning of such a file.
#[derive(Clone, Copy, Debug)]
pub struct Header {
    bytes: u32,
    check: u32,
}

impl Header {
    /// Its length in bytes.
    pub const BYTES: usize = 36;

    /// Reads it; `None` if it is damaged or of another version, mailbox or kind.
    pub fn read(bytes: &[u8], kind: Kind, id: MailboxId, mailbox: &Mailbox) -> Option<Self> {
        let number = |at: usize| bytes.get(at..at + 4)?.try_into().ok().map(u32::from_le_bytes);
        let header = Self { bytes: number(24)?, check: number(28)? };
        (header.encode(kind, id, mailbox) == bytes).then_some(header)
    }

    fn encode(self, kind: Kind, id: MailboxId, mailbox: &Mailbox) -> Vec<u8> {
        let mut out = MAGIC.to_vec();
        let kind = Kind::ALL.iter().position(|&other| other == kind).unwrap_or(Kind::ALL.len());
        out.extend_from_slice(&[VERSION, kind as u8, SUMMARY_VERSION, 0]);
        out.extend_from_slice(&mailbox.uid_validity().get().to_le_bytes());
        out.extend_from_slice(&id.created().get().to_le_bytes());
        out.extend_from_slice(&self.bytes.to_le_bytes());
        out.extend_from_slice(&self.check.to_le_bytes());
        out.extend_from_slice(&crc32c::crc32c(&out).to_le_bytes());
        out
    }

    /// How many bytes follow.
    pub fn payload_bytes(self) -> u64 {
        u64::from(self.bytes)
    }
}

impl Column {
    /// The bytes of a file with this column, which has keys of the messages of `mailbox` and of no
    /// others; `None` if that is not so.
    pub fn encode(&self, kind: Kind, id: MailboxId, mailbox: &Mailbox) -> Option<Vec<u8>> {
        if self.flawed || self.uid_validity != mailbox.uid_validity() {
            return None;
        }
        let mut payload = Vec::new();
        put_uids(&mut payload, &self.uids);
        for (check, count) in checks(&self.uids, mailbox) {
            if count == 0 {
                return None;
            }
            payload.extend_from_slice(&check.to_le_bytes());
        }
        match &self.values {
            Values::Sent(seconds) => put_seconds(&mut payload, seconds),
            Values::Ranks(ranks) => put_ranks(&mut payload, ranks),
            Values::Links(links) => links.encode(&mut payload),
        }
        let bytes = u32::try_from(payload.len()).ok()?;
        let mut out = Header { bytes, check: crc32c::crc32c(&payload) }.encode(kind, id, mailbox);
        out.append(&mut payload);
        Some(out)
    }

    /// Reads what follows the header: the column of those messages of `mailbox` that surely are the
    /// ones it was made of. `None` if it is damaged.
    pub fn decode(
        header: Header,
        payload: &[u8],
        kind: Kind,
        (mailbox, checks): (&Mailbox, &mut Checks),
    ) -> Option<Self> {
        let is_whole = payload.len() as u64 == header.payload_bytes()
            && crc32c::crc32c(payload) == header.check;
        if !is_whole {
            return None;
        }
        let mut reader = Reader::new(payload);
        let uids = reader.uids().ok()?;
        let count = usize::try_from(uids.len()).ok()?;
        // Before anything is allocated for so many: most would be left out.
        if count > 2 * mailbox.len() as usize + BLOCK {
            return None;
        }
        let same = same(&uids, checks.of(&uids, mailbox), &mut reader)?;
        let values = match kind {
            Kind::Sent => Values::Sent(seconds(&mut reader, count).ok()?),
            Kind::Text(_) => Values::Ranks(ranks(&mut reader, count)?),
            Kind::Links => Values::Links(Links::decode(&mut reader, count)?),
        };
        reader.end().ok()?;
        let uid_validity = mailbox.uid_validity();
        let column = Self { uid_validity, uids, values, unsaved: 0, flawed: false };
        Some(if same == column.uids { column } else { column.only(&same) })
    }
}

/// The messages of the blocks that are the same in `mailbox` as when they were checked.
fn same(uids: &UidSet, checks: &[(u32, usize)], reader: &mut Reader<'_>) -> Option<UidSet> {
    let mut same = UidSet::new();
    let mut rest = uids.iter();
    for &(check, count) in checks {
        let is_same = u32::from_le_bytes(reader.array().ok()?) == check && count > 0;
        same.extend(rest.by_ref().take(BLOCK).filter(|_| is_same));
    }
    Some(same)
}

/// What the messages of a mailbox are known again by, block by block: columns of one mailbox mostly
/// have the same ones.
#[derive(Debug, Default)]
pub struct Checks {
    uids: UidSet,
    /// The check, and how many messages there are, 0 if not all.
    blocks: Vec<(u32, usize)>,
}

impl Checks {
    fn of(&mut self, uids: &UidSet, mailbox: &Mailbox) -> &[(u32, usize)] {
        if self.uids != *uids {
            *self = Self { uids: uids.clone(), blocks: checks(uids, mailbox) };
        }
        &self.blocks
    }
}

fn checks(uids: &UidSet, mailbox: &Mailbox) -> Vec<(u32, usize)> {
    let total = uids.len() as usize;
    let mut checks = vec![(0, 0); total.div_ceil(BLOCK)];
    let mut ranges = uids.ranges();
    let mut before = 0;
    for (uid, email_id) in mailbox.email_ids() {
        while let Some((&(first, last), behind)) = ranges.split_first()
            && last < uid
        {
            before += (last.get() - first.get()) as usize + 1;
            ranges = behind;
        }
        let Some(&(first, _)) = ranges.first() else { break };
        if first <= uid {
            let at = before + (uid.get() - first.get()) as usize;
            let (check, count) = &mut checks[at / BLOCK];
            *check = crc32c::crc32c_append(*check, &email_id.0);
            *count += 1;
        }
    }
    for (nth, (_, count)) in checks.iter_mut().enumerate() {
        if *count != BLOCK.min(total - nth * BLOCK) {
            *count = 0;
        }
    }
    checks
}

/// A zero if there is none, or the distance from the one before it in zigzag and 1.
fn put_seconds(out: &mut Vec<u8>, seconds: &[i64]) {
    let mut before = 0;
    for &at in seconds {
        if at == NO_DATE {
            out.push(0);
        } else {
            let distance = at.wrapping_sub(before);
            put_u64(out, (((distance << 1) ^ (distance >> 63)) as u64).wrapping_add(1));
            before = at;
        }
    }
}

fn seconds(reader: &mut Reader<'_>, count: usize) -> Result<Vec<i64>, codec::BadRecord> {
    let mut before = 0i64;
    let mut seconds = Vec::with_capacity(count);
    for _ in 0..count {
        seconds.push(match reader.u64()? {
            0 => NO_DATE,
            number => {
                let zigzag = number - 1;
                let distance = (zigzag >> 1).cast_signed() ^ -((zigzag & 1).cast_signed());
                before = before.wrapping_add(distance);
                before
            }
        });
    }
    Ok(seconds)
}

/// As many bits each as the highest one has.
fn bits(count: u32) -> u32 {
    u32::BITS - count.saturating_sub(1).leading_zeros()
}

fn put_ranks(out: &mut Vec<u8>, ranks: &Ranks) {
    put_u64(out, u64::from(ranks.count));
    out.push(u8::from(ranks.has_empty));
    let bits = bits(ranks.count);
    let (mut waiting, mut have) = (0u64, 0);
    for &rank in &ranks.ranks {
        waiting |= u64::from(rank) << have;
        have += bits;
        while have >= 8 {
            out.push(waiting as u8);
            waiting >>= 8;
            have -= 8;
        }
    }
    if have > 0 {
        out.push(waiting as u8);
    }
}

fn ranks(reader: &mut Reader<'_>, messages: usize) -> Option<Ranks> {
    let count = reader.u32().ok()?;
    let has_empty = reader.u8().ok().filter(|&byte| byte <= 1)? == 1;
    let bits = bits(count);
    let bytes = reader.take((messages * bits as usize).div_ceil(8)).ok()?;
    let mut bytes = bytes.iter();
    let (mut waiting, mut have) = (0u64, 0);
    let mut ranks = Vec::with_capacity(messages);
    for _ in 0..messages {
        while have < bits {
            waiting |= u64::from(*bytes.next()?) << have;
            have += 8;
        }
        let rank = (waiting & ((1 << bits) - 1)) as u32;
        ranks.push(Some(rank).filter(|&rank| rank < count)?);
        waiting >>= bits;
        have -= bits;
    }
    Some(Ranks { ranks, count, has_empty })
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::{Account, Content, NewMessage, Position, Record};
    use base::{DateTime, EmailId, Flags, ModSeq, ThreadId, Uid, UidValidity};

    pub(crate) fn id() -> MailboxId {
        MailboxId::new(ModSeq::ZERO.next())
    }

    /// A mailbox of these messages, whose contents differ as `content` says.
    pub(crate) fn mailbox(uids: &UidSet, content: impl Fn(Uid) -> u8) -> Mailbox {
        let message = |uid: Uid| {
            let mut email_id = [content(uid); 16];
            email_id[..4].copy_from_slice(&uid.get().to_le_bytes());
            NewMessage {
                uid,
                flags: Flags::default(),
                internal_date: DateTime::new(0, 0),
                save_date: 0,
                size: 1,
                email_id: EmailId(email_id),
                thread_id: ThreadId(0),
                content: Content::At(Position { segment: 1, offset: uid.get(), stored_bytes: 1 }),
            }
        };
        let created = Record::MailboxCreated {
            name: "a".into(),
            uid_validity: UidValidity::new(7).unwrap(),
            uid_next: Uid::MIN,
            roles: Vec::new(),
        };
        let messages: Vec<NewMessage> = uids.iter().map(message).collect();
        let mut account = Account::default();
        account.apply(ModSeq::ZERO.next(), &created).unwrap();
        if !messages.is_empty() {
            let appended = Record::Appended { mailbox: id(), messages };
            account.apply(ModSeq::ZERO.next().next(), &appended).unwrap();
        }
        account.get(id()).unwrap().mailbox.clone()
    }

    pub(crate) fn read(bytes: &[u8], kind: Kind, mailbox: &Mailbox) -> Option<Column> {
        let (header, payload) = bytes.split_at_checked(Header::BYTES)?;
        let header = Header::read(header, kind, id(), mailbox)?;
        Column::decode(header, payload, kind, (mailbox, &mut Checks::default()))
    }

    /// With sums that are right.
    pub(crate) fn read_payload(bytes: &[u8], kind: Kind, mailbox: &Mailbox) -> Option<Column> {
        let header = Header { bytes: bytes.len() as u32, check: crc32c::crc32c(bytes) };
        Column::decode(header, bytes, kind, (mailbox, &mut Checks::default()))
    }

    pub(crate) fn check(uids: &UidSet, mailbox: &Mailbox) -> u32 {
        checks(uids, mailbox)[0].0
    }

    #[test]
    fn only_blocks_of_the_same_messages_are_taken() {
        let messages = 1000u32;
        let uids: UidSet = (1..=messages).filter_map(Uid::new).collect();
        let values = Values::Sent((0..i64::from(messages)).collect());
        let uid_validity = UidValidity::new(7).unwrap();
        let column =
            Column { uid_validity, uids: uids.clone(), values, unsaved: 1000, flawed: false };
        let bytes = column.encode(Kind::Sent, id(), &mailbox(&uids, |_| 1)).unwrap();
        let taken = |mailbox: &Mailbox| read(&bytes, Kind::Sent, mailbox).unwrap();
        // Another message has the UID 300: a backup was restored, and other mail came in.
        let other = taken(&mailbox(&uids, |uid| if uid.get() == 300 { 2 } else { 1 }));
        assert_eq!(other.uids.to_string(), "1:256,513:1000");
        let Values::Sent(seconds) = other.values else { panic!("not seconds") };
        assert_eq!((seconds.len(), seconds[255], seconds[256]), (744, 255, 512));
        // One was expunged, others came: the rest of its block is read again.
        let gone = uids.difference(&UidSet::range(Uid::MIN, Uid::MIN));
        let more = gone.union(&UidSet::range(Uid::new(1001).unwrap(), Uid::new(1100).unwrap()));
        assert_eq!(taken(&mailbox(&more, |_| 1)).uids.to_string(), "257:1000");
        // An older mailbox, and an empty one.
        let older = UidSet::range(Uid::MIN, Uid::new(600).unwrap());
        assert_eq!(taken(&mailbox(&older, |_| 1)).uids.to_string(), "1:512");
        assert!(read(&bytes, Kind::Sent, &mailbox(&UidSet::new(), |_| 1)).is_none());
        let none = column.encode(Kind::Sent, id(), &mailbox(&older, |_| 1));
        assert!(none.is_none(), "not the messages of this mailbox");
    }
}
