//! Records: the only way anything changes. Binary form, with versions: `docs/format.md`.

use base::{DateTime, EmailId, Flags, MailboxId, ThreadId, Uid, UidSet, UidValidity};
use bytes::Bytes;

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
    /// An entry of the directory of users; only in the system account's log, read by `auth`.
    Directory(Bytes),
}
