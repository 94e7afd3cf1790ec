//! Records: the only way anything changes. Binary form, with versions: `docs/format-records.md`.

use base::{DateTime, EmailId, Flags, MailboxId, ThreadId, Uid, UidSet, UidValidity};
use bytes::Bytes;

pub use crate::codec::BadRecord;
use crate::codec::{
    Reader, put_bytes, put_date, put_flags, put_i64, put_mailbox, put_position, put_roles, put_u64,
    put_uid, put_uids,
};

/// Where an engine keeps a message's bytes. Opaque to everything above the engine.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Position {
    /// The segment or pack.
    pub segment: u32,
    /// Byte offset of the message's frame in it.
    pub offset: u32,
    /// Bytes the frame takes there, so that one read fetches it.
    pub stored_bytes: u32,
}

/// A message's bytes, before and after the commit that makes them visible.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Content {
    /// The n-th blob staged with the same batch; only before the commit.
    Staged(usize),
    /// Stored; what every record of a log carries.
    At(Position),
}

/// One message of [`Record::Appended`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NewMessage {
    /// Its UID: at least the mailbox's UIDNEXT, ascending within the record.
    pub uid: Uid,
    /// Its flags.
    pub flags: Flags,
    /// INTERNALDATE.
    pub internal_date: DateTime,
    /// When it came into the mailbox, seconds since 1970 UTC (SAVEDATE, RFC 8514).
    pub save_date: i64,
    /// Its octets as IMAP counts them (RFC822.SIZE).
    pub size: u32,
    /// Its content's identity.
    pub email_id: EmailId,
    /// Its conversation.
    pub thread_id: ThreadId,
    /// Its bytes.
    pub content: Content,
}

/// A mailbox's role (RFC 6154, RFC 8457); as bits in [`Record::MailboxCreated`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Role {
    /// `\All`
    All,
    /// `\Archive`
    Archive,
    /// `\Drafts`
    Drafts,
    /// `\Flagged`
    Flagged,
    /// `\Important`
    Important,
    /// `\Junk`
    Junk,
    /// `\Sent`
    Sent,
    /// `\Trash`
    Trash,
}

impl Role {
    /// All, in the order of their bits in the binary form.
    pub const ALL: [Self; 8] = [
        Self::All,
        Self::Archive,
        Self::Drafts,
        Self::Flagged,
        Self::Important,
        Self::Junk,
        Self::Sent,
        Self::Trash,
    ];

    pub(crate) const fn bit(self) -> u32 {
        self as u32
    }
}

/// How [`Record::FlagsChanged`] changes each message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FlagOp {
    /// The message has exactly these.
    Replace,
    /// The message has these too.
    Add,
    /// The message has none of these.
    Remove,
}

/// One change of an account. Its log position becomes the MODSEQ of every message it touches.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Record {
    /// A mailbox; its [`MailboxId`] is this record's position. Parents need not exist.
    MailboxCreated {
        /// Full name in UTF-8, levels separated by `/`.
        name: String,
        /// Its UIDVALIDITY: greater than that of any earlier mailbox of this name.
        uid_validity: UidValidity,
        /// Its first UIDNEXT; above 1 for an import that keeps UIDs.
        uid_next: Uid,
        /// Its roles.
        roles: Vec<Role>,
    },
    /// A new name; the mailbox stays the same. Children are renamed by records of their own.
    MailboxRenamed {
        /// Which.
        mailbox: MailboxId,
        /// The new full name.
        name: String,
    },
    /// The mailbox and its messages are gone.
    MailboxDeleted {
        /// Which.
        mailbox: MailboxId,
    },
    /// The mailbox's roles are now these.
    RolesSet {
        /// Which.
        mailbox: MailboxId,
        /// All roles.
        roles: Vec<Role>,
    },
    /// A name is subscribed; the mailbox need not exist (RFC 9051 §6.3.7).
    Subscribed {
        /// The name.
        name: String,
    },
    /// A name is not subscribed any more.
    Unsubscribed {
        /// The name.
        name: String,
    },
    /// Messages come in.
    Appended {
        /// Where.
        mailbox: MailboxId,
        /// What; at least one.
        messages: Vec<NewMessage>,
    },
    /// Messages are copied with flags, dates and bytes. They get consecutive UIDs from `first_uid`
    /// in ascending order of their old ones.
    Copied {
        /// Source.
        from: MailboxId,
        /// Which; all exist.
        uids: UidSet,
        /// Target, which may be the source.
        to: MailboxId,
        /// UID of the first copy: the target's UIDNEXT.
        first_uid: Uid,
        /// SAVEDATE of the copies, seconds since 1970 UTC.
        save_date: i64,
    },
    /// As [`Record::Copied`], and the originals are expunged, in one step.
    Moved {
        /// Source.
        from: MailboxId,
        /// Which; all exist.
        uids: UidSet,
        /// Target, which may be the source.
        to: MailboxId,
        /// UID of the first moved message: the target's UIDNEXT.
        first_uid: Uid,
        /// SAVEDATE in the target, seconds since 1970 UTC.
        save_date: i64,
    },
    /// Flags change on all of `uids` that exist.
    FlagsChanged {
        /// Where.
        mailbox: MailboxId,
        /// Which.
        uids: UidSet,
        /// How.
        op: FlagOp,
        /// The flags.
        flags: Flags,
    },
    /// Messages are gone from the mailbox.
    Expunged {
        /// Where.
        mailbox: MailboxId,
        /// Which of those that exist.
        uids: UidSet,
    },
    /// Messages with UIDs below are not `\Recent` for sessions to come. Touches no message's MODSEQ.
    RecentClaimed {
        /// Where.
        mailbox: MailboxId,
        /// The first UID that is still recent.
        below: Uid,
    },
    /// UIDs below are given: UIDNEXT is at least this. For an import, so that the UID of a message
    /// that was expunged at the source is never given to another one. Touches no message's MODSEQ.
    UidNextRaised {
        /// Where.
        mailbox: MailboxId,
        /// The least UIDNEXT.
        uid_next: Uid,
    },
    /// An entry of the directory of users; only in the system account's log, read by `auth`.
    Directory(Bytes),
    /// What an engine answers where damage took a record away; never committed. From here on the
    /// fold is lenient: records that do not fit are passed over, and UIDNEXT of each mailbox is kept
    /// away from UIDs that the lost records may have given.
    Lost {
        /// Bytes of the log that are gone, 0 for all but the first of neighbouring records.
        bytes: u64,
    },
}

/// The kinds' numbers in the binary form. A number is never used again for something else.
mod kind {
    pub(super) const MAILBOX_CREATED: u8 = 1;
    pub(super) const MAILBOX_RENAMED: u8 = 2;
    pub(super) const MAILBOX_DELETED: u8 = 3;
    pub(super) const ROLES_SET: u8 = 4;
    pub(super) const SUBSCRIBED: u8 = 5;
    pub(super) const UNSUBSCRIBED: u8 = 6;
    pub(super) const APPENDED: u8 = 7;
    pub(super) const COPIED: u8 = 8;
    pub(super) const MOVED: u8 = 9;
    pub(super) const FLAGS_CHANGED: u8 = 10;
    pub(super) const EXPUNGED: u8 = 11;
    pub(super) const RECENT_CLAIMED: u8 = 12;
    pub(super) const DIRECTORY: u8 = 13;
    pub(super) const LOST: u8 = 14;
    pub(super) const UID_NEXT_RAISED: u8 = 15;
}

/// The version written behind the kind. A reader knows all versions up to its own.
const VERSION: u8 = 1;

impl Record {
    /// Appends the binary form to `out`. `positions` tells where the blobs staged with the same
    /// batch were put, in their order.
    ///
    /// The error is the caller's: a content names a blob that `positions` does not have. Then what
    /// was appended to `out` is of no use.
    pub fn encode(&self, positions: &[Position], out: &mut Vec<u8>) -> Result<(), BadRecord> {
        out.extend_from_slice(&[self.kind(), VERSION]);
        match self {
            Self::MailboxCreated { name, uid_validity, uid_next, roles } => {
                put_bytes(out, name.as_bytes());
                put_u64(out, u64::from(uid_validity.get()));
                put_uid(out, *uid_next);
                put_roles(out, roles);
            }
            Self::MailboxRenamed { mailbox, name } => {
                put_mailbox(out, *mailbox);
                put_bytes(out, name.as_bytes());
            }
            Self::MailboxDeleted { mailbox } => put_mailbox(out, *mailbox),
            Self::RolesSet { mailbox, roles } => {
                put_mailbox(out, *mailbox);
                put_roles(out, roles);
            }
            Self::Subscribed { name } | Self::Unsubscribed { name } => {
                put_bytes(out, name.as_bytes());
            }
            Self::Appended { mailbox, messages } => {
                put_mailbox(out, *mailbox);
                put_u64(out, messages.len() as u64);
                messages.iter().try_for_each(|message| message.encode(positions, out))?;
            }
            Self::Copied { from, uids, to, first_uid, save_date }
            | Self::Moved { from, uids, to, first_uid, save_date } => {
                put_mailbox(out, *from);
                put_mailbox(out, *to);
                put_uid(out, *first_uid);
                put_i64(out, *save_date);
                put_uids(out, uids);
            }
            Self::FlagsChanged { mailbox, uids, op, flags } => {
                put_mailbox(out, *mailbox);
                out.push(*op as u8);
                put_flags(out, flags);
                put_uids(out, uids);
            }
            Self::Expunged { mailbox, uids } => {
                put_mailbox(out, *mailbox);
                put_uids(out, uids);
            }
            Self::RecentClaimed { mailbox, below } => {
                put_mailbox(out, *mailbox);
                put_uid(out, *below);
            }
            Self::UidNextRaised { mailbox, uid_next } => {
                put_mailbox(out, *mailbox);
                put_uid(out, *uid_next);
            }
            Self::Directory(entry) => out.extend_from_slice(entry),
            Self::Lost { bytes } => put_u64(out, *bytes),
        }
        Ok(())
    }

    /// Reads [`Record::encode`]'s form, which must be all of `bytes`. Never panics, and allocates no
    /// more than a small multiple of their length.
    pub fn decode(bytes: &[u8]) -> Result<Self, BadRecord> {
        let mut reader = Reader::new(bytes);
        let (kind, version) = (reader.u8()?, reader.u8()?);
        if version != VERSION {
            return Err(BadRecord("unknown version"));
        }
        let record = Self::decode_kind(kind, &mut reader)?;
        reader.end()?;
        Ok(record)
    }

    fn decode_kind(kind: u8, reader: &mut Reader<'_>) -> Result<Self, BadRecord> {
        Ok(match kind {
            kind::MAILBOX_CREATED => Self::MailboxCreated {
                name: reader.text()?.into(),
                uid_validity: reader.uid_validity()?,
                uid_next: reader.uid()?,
                roles: reader.roles()?,
            },
            kind::MAILBOX_RENAMED => {
                Self::MailboxRenamed { mailbox: reader.mailbox()?, name: reader.text()?.into() }
            }
            kind::MAILBOX_DELETED => Self::MailboxDeleted { mailbox: reader.mailbox()? },
            kind::ROLES_SET => {
                Self::RolesSet { mailbox: reader.mailbox()?, roles: reader.roles()? }
            }
            kind::SUBSCRIBED => Self::Subscribed { name: reader.text()?.into() },
            kind::UNSUBSCRIBED => Self::Unsubscribed { name: reader.text()?.into() },
            kind::APPENDED => Self::Appended {
                mailbox: reader.mailbox()?,
                messages: (0..reader.count(NewMessage::ENCODED_BYTES_MIN)?)
                    .map(|_| NewMessage::decode(reader))
                    .collect::<Result<_, _>>()?,
            },
            kind::COPIED | kind::MOVED => {
                let (from, to) = (reader.mailbox()?, reader.mailbox()?);
                let (first_uid, save_date) = (reader.uid()?, reader.i64()?);
                let uids = reader.uids()?;
                match kind {
                    kind::COPIED => Self::Copied { from, uids, to, first_uid, save_date },
                    _ => Self::Moved { from, uids, to, first_uid, save_date },
                }
            }
            kind::FLAGS_CHANGED => {
                let mailbox = reader.mailbox()?;
                let op = match reader.u8()? {
                    0 => FlagOp::Replace,
                    1 => FlagOp::Add,
                    2 => FlagOp::Remove,
                    _ => return Err(BadRecord("unknown flag operation")),
                };
                let flags = reader.flags()?;
                Self::FlagsChanged { mailbox, uids: reader.uids()?, op, flags }
            }
            kind::EXPUNGED => Self::Expunged { mailbox: reader.mailbox()?, uids: reader.uids()? },
            kind::RECENT_CLAIMED => {
                Self::RecentClaimed { mailbox: reader.mailbox()?, below: reader.uid()? }
            }
            kind::UID_NEXT_RAISED => {
                Self::UidNextRaised { mailbox: reader.mailbox()?, uid_next: reader.uid()? }
            }
            kind::DIRECTORY => Self::Directory(Bytes::copy_from_slice(reader.rest())),
            kind::LOST => Self::Lost { bytes: reader.u64()? },
            _ => return Err(BadRecord("unknown kind of record")),
        })
    }

    /// Turns every [`Content::Staged`] into [`Content::At`]. The error is the caller's: a content
    /// names a blob that `positions` does not have; then nothing has changed.
    pub fn resolve(&mut self, positions: &[Position]) -> Result<(), BadRecord> {
        let Self::Appended { messages, .. } = self else { return Ok(()) };
        messages.iter().try_for_each(|message| message.content.at(positions).map(drop))?;
        for message in messages {
            message.content = Content::At(message.content.at(positions)?);
        }
        Ok(())
    }

    fn kind(&self) -> u8 {
        match self {
            Self::MailboxCreated { .. } => kind::MAILBOX_CREATED,
            Self::MailboxRenamed { .. } => kind::MAILBOX_RENAMED,
            Self::MailboxDeleted { .. } => kind::MAILBOX_DELETED,
            Self::RolesSet { .. } => kind::ROLES_SET,
            Self::Subscribed { .. } => kind::SUBSCRIBED,
            Self::Unsubscribed { .. } => kind::UNSUBSCRIBED,
            Self::Appended { .. } => kind::APPENDED,
            Self::Copied { .. } => kind::COPIED,
            Self::Moved { .. } => kind::MOVED,
            Self::FlagsChanged { .. } => kind::FLAGS_CHANGED,
            Self::Expunged { .. } => kind::EXPUNGED,
            Self::RecentClaimed { .. } => kind::RECENT_CLAIMED,
            Self::Directory(_) => kind::DIRECTORY,
            Self::Lost { .. } => kind::LOST,
            Self::UidNextRaised { .. } => kind::UID_NEXT_RAISED,
        }
    }
}

impl Content {
    /// Where the bytes are, given where the blobs of the batch were put.
    pub fn at(self, positions: &[Position]) -> Result<Position, BadRecord> {
        match self {
            Self::At(position) => Ok(position),
            Self::Staged(n) => {
                positions.get(n).copied().ok_or(BadRecord("content names no staged blob"))
            }
        }
    }
}

impl NewMessage {
    /// UID, flags, dates, size, position: each at least one byte, and the identities.
    const ENCODED_BYTES_MIN: usize = 1 + 2 + 2 + 1 + 1 + 16 + 8 + 3;

    fn encode(&self, positions: &[Position], out: &mut Vec<u8>) -> Result<(), BadRecord> {
        put_uid(out, self.uid);
        put_flags(out, &self.flags);
        put_date(out, self.internal_date);
        put_i64(out, self.save_date);
        put_u64(out, u64::from(self.size));
        out.extend_from_slice(&self.email_id.0);
        out.extend_from_slice(&self.thread_id.0.to_le_bytes());
        put_position(out, self.content.at(positions)?);
        Ok(())
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, BadRecord> {
        Ok(Self {
            uid: reader.uid()?,
            flags: reader.flags()?,
            internal_date: reader.date()?,
            save_date: reader.i64()?,
            size: reader.u32()?,
            email_id: EmailId(reader.array()?),
            thread_id: ThreadId(u64::from_le_bytes(reader.array()?)),
            content: Content::At(reader.position()?),
        })
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A plain message.
    pub(crate) fn message(uid: u32) -> NewMessage {
        NewMessage {
            uid: Uid::new(uid).unwrap(),
            flags: Flags::default(),
            internal_date: DateTime::new(1_700_000_000, 0),
            save_date: 1_700_000_000,
            size: 100,
            email_id: EmailId([7; 16]),
            thread_id: ThreadId(7),
            content: Content::At(Position { segment: 1, offset: 8, stored_bytes: 80 }),
        }
    }
}
