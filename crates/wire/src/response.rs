//! Responses: values and their printed form. What the server sends is built here and nowhere else,
//! so that every byte parses under the ABNF of what the client has enabled.
//!
//! FETCH data that is large or already rendered does not pass through these values: see
//! [`fetch`](crate::response::fetch).

use base::{EmailId, MailboxId, ModSeq, SeqNum, Uid, UidSet, UidValidity};
use bytes::Bytes;

use crate::value::{MailboxName, SpecialUse};

/// What the client has enabled, as far as it changes how a value is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Encoding {
    /// UTF-8 in quoted strings and mailbox names: `ENABLE UTF8=ACCEPT` or `ENABLE IMAP4rev2`.
    pub utf8: bool,
    /// `ENABLE IMAP4rev2`.
    pub rev2: bool,
}

/// OK, NO, BAD: of a tagged or untagged status response (RFC 9051 §7.1).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Condition {
    /// Success.
    Ok,
    /// Refusal.
    No,
    /// Not understood.
    Bad,
}

/// A response code (RFC 9051 §7.1, RFC 5530, and the extensions' own).
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Code {
    /// ALERT
    Alert,
    /// ALREADYEXISTS
    AlreadyExists,
    /// APPENDUID (RFC 4315)
    AppendUid(UidValidity, UidSet),
    /// AUTHENTICATIONFAILED
    AuthenticationFailed,
    /// AUTHORIZATIONFAILED
    AuthorizationFailed,
    /// BADCHARSET with the charsets that work
    BadCharset(Vec<&'static str>),
    /// CANNOT
    Cannot,
    /// CAPABILITY
    Capability(Vec<String>),
    /// CLIENTBUG
    ClientBug,
    /// CLOSED
    Closed,
    /// CONTACTADMIN
    ContactAdmin,
    /// COPYUID (RFC 4315): source and destination sets pair up in ascending order
    CopyUid(UidValidity, UidSet, UidSet),
    /// CORRUPTION
    Corruption,
    /// EXPIRED
    Expired,
    /// EXPUNGEISSUED
    ExpungeIssued,
    /// HASCHILDREN
    HasChildren,
    /// HIGHESTMODSEQ (RFC 7162)
    HighestModSeq(ModSeq),
    /// INPROGRESS (RFC 9585): the tag, done, goal
    InProgress(String, Option<(u64, u64)>),
    /// INUSE
    InUse,
    /// LIMIT
    Limit,
    /// MAILBOXID (RFC 8474)
    MailboxId(MailboxId),
    /// MODIFIED (RFC 7162): UIDs or sequence numbers as the command used, already printed
    Modified(String),
    /// NOMODSEQ (RFC 7162)
    NoModSeq,
    /// NONEXISTENT
    NonExistent,
    /// NOPERM
    NoPerm,
    /// NOTSAVED (RFC 5182)
    NotSaved,
    /// OVERQUOTA
    OverQuota,
    /// PARSE
    Parse,
    /// PERMANENTFLAGS: the printed list without its parentheses
    PermanentFlags(String),
    /// PRIVACYREQUIRED
    PrivacyRequired,
    /// READ-ONLY
    ReadOnly,
    /// READ-WRITE
    ReadWrite,
    /// SERVERBUG
    ServerBug,
    /// TOOBIG (RFC 4469, RFC 7889)
    TooBig,
    /// TRYCREATE
    TryCreate,
    /// UIDNEXT
    UidNext(Uid),
    /// UIDNOTSTICKY
    UidNotSticky,
    /// UIDVALIDITY
    UidValidity(UidValidity),
    /// UNAVAILABLE
    Unavailable,
    /// UNKNOWN-CTE (RFC 3516)
    UnknownCte,
    /// UNSEEN (RFC 3501)
    Unseen(SeqNum),
    /// USEATTR (RFC 6154)
    UseAttr,
}

/// A mailbox attribute of LIST (RFC 9051 §7.3.1, RFC 5258).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ListAttribute {
    /// `\NonExistent`
    NonExistent,
    /// `\Noselect`
    NoSelect,
    /// `\Noinferiors`
    NoInferiors,
    /// `\HasChildren`
    HasChildren,
    /// `\HasNoChildren`
    HasNoChildren,
    /// `\Marked`
    Marked,
    /// `\Unmarked`
    Unmarked,
    /// `\Subscribed`
    Subscribed,
    /// `\Remote`
    Remote,
    /// A role.
    Use(SpecialUse),
}

/// One item of a STATUS response.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum StatusValue {
    /// MESSAGES
    Messages(u32),
    /// RECENT
    Recent(u32),
    /// UIDNEXT
    UidNext(Uid),
    /// UIDVALIDITY
    UidValidity(UidValidity),
    /// UNSEEN
    Unseen(u32),
    /// DELETED
    Deleted(u32),
    /// SIZE
    Size(u64),
    /// HIGHESTMODSEQ
    HighestModSeq(ModSeq),
    /// MAILBOXID
    MailboxId(MailboxId),
    /// APPENDLIMIT; `None` prints NIL
    AppendLimit(Option<u64>),
}

/// An ESEARCH response (RFC 4731, RFC 9051 §7.3.4). Sets are printed already, because SORT's ALL is
/// in sort order (RFC 5267 §3).
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Esearch {
    /// The command's tag.
    pub tag: String,
    /// Whether numbers are UIDs.
    pub uid: bool,
    /// MIN
    pub min: Option<u32>,
    /// MAX
    pub max: Option<u32>,
    /// ALL, absent when nothing was found.
    pub all: Option<String>,
    /// COUNT
    pub count: Option<u32>,
    /// MODSEQ (RFC 7162 §3.1.10)
    pub mod_seq: Option<ModSeq>,
}

/// One thread tree (RFC 5256 §4): a message, or a hidden parent, and its replies.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ThreadNode {
    /// The message's number; `None` for a missing parent.
    pub number: Option<u32>,
    /// Replies in order.
    pub children: Vec<ThreadNode>,
}

/// An untagged response.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Untagged {
    /// `* OK`, `* NO`, `* BAD`
    Status(Condition, Option<Code>, String),
    /// `* PREAUTH`
    PreAuth(Option<Code>, String),
    /// `* BYE`
    Bye(Option<Code>, String),
    /// `* CAPABILITY`
    Capability(Vec<String>),
    /// `* ENABLED`
    Enabled(Vec<&'static str>),
    /// `* ID`
    Id(Option<Vec<(&'static str, String)>>),
    /// `* LIST`
    List {
        /// Attributes in the order they are written.
        attributes: Vec<ListAttribute>,
        /// The name; printed with trailing delimiter when it is a prefix only.
        mailbox: MailboxName,
        /// `CHILDINFO ("SUBSCRIBED")` (RFC 5258 §3.5).
        child_info_subscribed: bool,
        /// `OLDNAME` (RFC 9051 §6.3.9.7), only for rev2.
        old_name: Option<MailboxName>,
    },
    /// `* LSUB`
    Lsub(Vec<ListAttribute>, MailboxName),
    /// `* XLIST`
    Xlist(Vec<ListAttribute>, MailboxName),
    /// `* NAMESPACE`: personal prefixes only; the others are NIL.
    Namespace(Vec<(String, char)>),
    /// `* STATUS`
    StatusOf(MailboxName, Vec<StatusValue>),
    /// `* FLAGS`: the printed list without its parentheses.
    Flags(String),
    /// `* n EXISTS`
    Exists(u32),
    /// `* n RECENT`
    Recent(u32),
    /// `* n EXPUNGE`
    Expunge(SeqNum),
    /// `* VANISHED`, with `(EARLIER)` or without (RFC 7162 §3.2.10).
    Vanished {
        /// EARLIER
        earlier: bool,
        /// UIDs
        uids: UidSet,
    },
    /// `* SEARCH`, with the highest MODSEQ if one was searched for (RFC 7162 §3.1.5).
    Search(Vec<u32>, Option<ModSeq>),
    /// `* ESEARCH`
    Esearch(Esearch),
    /// `* SORT`
    Sort(Vec<u32>, Option<ModSeq>),
    /// `* THREAD`
    Thread(Vec<ThreadNode>),
}

/// A tagged response.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Tagged {
    /// The command's tag.
    pub tag: String,
    /// How it ended.
    pub condition: Condition,
    /// The code.
    pub code: Option<Code>,
    /// Text for people; never empty.
    pub text: String,
}

/// A continuation request: `+ text` (RFC 9051 §7.6). For SASL, the base64 of the challenge.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Continuation(pub Bytes);

impl Untagged {
    /// Appends the whole response with its line ending.
    pub fn print(&self, out: &mut Vec<u8>, encoding: Encoding) {
        let _ = (out, encoding);
    }
}

impl Tagged {
    /// Appends the whole response with its line ending.
    pub fn print(&self, out: &mut Vec<u8>, encoding: Encoding) {
        let _ = (out, encoding);
    }
}

impl Continuation {
    /// Appends the whole response with its line ending.
    pub fn print(&self, out: &mut Vec<u8>, encoding: Encoding) {
        let _ = (out, encoding);
    }
}

/// Appends `bytes` as a string: quoted when that can hold it, a literal otherwise
/// (RFC 9051 §9, string). 8-bit bytes always make a literal.
pub fn string(out: &mut Vec<u8>, bytes: &[u8]) {
    let _ = (out, bytes);
}

/// Appends `bytes` as a string, or NIL (RFC 9051 §9, nstring).
pub fn nstring(out: &mut Vec<u8>, bytes: Option<&[u8]>) {
    let _ = (out, bytes);
}

/// Writers for FETCH responses, item by item, straight into the output.
pub mod fetch {
    use std::num::NonZeroU32;

    use super::{EmailId, ModSeq};
    use crate::value::Section;
    use base::{DateTime, SeqNum, ThreadId, Uid};

    /// Data items that are small enough to be values. Envelopes and body structures are rendered by
    /// `message`; literals are announced with [`literal_header`] and follow as bytes.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub enum Small<'a> {
        /// FLAGS: the printed list without its parentheses.
        Flags(&'a str),
        /// UID
        Uid(Uid),
        /// MODSEQ
        ModSeq(ModSeq),
        /// INTERNALDATE
        InternalDate(DateTime),
        /// RFC822.SIZE
        Size(u64),
        /// EMAILID
        EmailId(EmailId),
        /// THREADID
        ThreadId(Option<ThreadId>),
        /// SAVEDATE
        SaveDate(Option<DateTime>),
    }

    /// What a section name in a FETCH response speaks of.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub enum SectionName<'a> {
        /// `BODY[...]`; also the answer to `BODY.PEEK[...]`.
        Body(&'a Section),
        /// `BINARY[...]`
        Binary(&'a [NonZeroU32]),
        /// `BINARY.SIZE[...]`
        BinarySize(&'a [NonZeroU32]),
    }

    impl Small<'_> {
        /// Appends the item: `UID 5`, `FLAGS (\\Seen)`.
        pub fn print(&self, out: &mut Vec<u8>) {
            let _ = out;
        }
    }

    /// Appends the item's name, `BODY[HEADER.FIELDS (From To)]<0>`, without a space after it;
    /// `offset` is where a partial answer starts (RFC 9051 §7.5.2).
    pub fn section_name(out: &mut Vec<u8>, name: SectionName<'_>, offset: Option<u64>) {
        let _ = (out, name, offset);
    }

    /// `* n FETCH (`
    pub fn open(out: &mut Vec<u8>, seq: SeqNum) {
        out.extend_from_slice(format!("* {seq} FETCH (").as_bytes());
    }

    /// `{n}` or `~{n}` and CRLF.
    pub fn literal_header(out: &mut Vec<u8>, binary: bool, length: u64) {
        let tilde = if binary { "~" } else { "" };
        out.extend_from_slice(format!("{tilde}{{{length}}}\r\n").as_bytes());
    }
}
