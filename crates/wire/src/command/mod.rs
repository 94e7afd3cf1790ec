//! Commands: one variant a verb, one file a verb below `command/` with its struct's parser, printer
//! and table of tests.

pub mod append;

use base::{DateTime, ModSeq, UidSet};
use bytes::Bytes;

use crate::value::{
    FlagList, MailboxName, Numbering, Partial, SearchKey, SearchReturn, Section, SequenceSet,
    SortCriterion, SpecialUse, StatusItem, StoreMode, ThreadAlgorithm,
};

/// A complete command after its tag.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Command {
    /// RFC 9051 §6.1.1
    Capability,
    /// RFC 9051 §6.1.2
    Noop,
    /// RFC 9051 §6.1.3
    Logout,
    /// RFC 2971
    Id(Option<Vec<(Bytes, Option<Bytes>)>>),
    /// RFC 9051 §6.2.1
    StartTls,
    /// RFC 9051 §6.2.2
    Authenticate(Authenticate),
    /// RFC 9051 §6.2.3
    Login(Login),
    /// RFC 9051 §6.3.1: the capability names as sent; unknown ones are ignored.
    Enable(Vec<Bytes>),
    /// RFC 9051 §6.3.2
    Select(Select),
    /// RFC 9051 §6.3.3
    Examine(Select),
    /// RFC 9051 §6.3.4
    Create(Create),
    /// RFC 9051 §6.3.5
    Delete(MailboxName),
    /// RFC 9051 §6.3.6
    Rename(Rename),
    /// RFC 9051 §6.3.7
    Subscribe(MailboxName),
    /// RFC 9051 §6.3.8
    Unsubscribe(MailboxName),
    /// RFC 9051 §6.3.9
    List(List),
    /// RFC 3501 §6.3.9
    Lsub(Lsub),
    /// The unannounced ancestor of SPECIAL-USE that Outlook 2013 sends; answered like LIST.
    Xlist(Lsub),
    /// RFC 9051 §6.3.10
    Namespace,
    /// RFC 9051 §6.3.11
    Status(Status),
    /// RFC 9051 §6.3.12: only the part before the first message; see [`Append`].
    Append(Append),
    /// RFC 9051 §6.3.13
    Idle,
    /// RFC 3501 §6.4.1
    Check,
    /// RFC 9051 §6.4.1
    Close,
    /// RFC 9051 §6.4.2
    Unselect,
    /// RFC 9051 §6.4.3; with UIDs: RFC 4315 §2.1.
    Expunge(Option<SequenceSet>),
    /// RFC 9051 §6.4.4
    Search(Search),
    /// RFC 5256 §3
    Sort(Sort),
    /// RFC 5256 §3
    Thread(Thread),
    /// RFC 9051 §6.4.5
    Fetch(Fetch),
    /// RFC 9051 §6.4.6
    Store(Store),
    /// RFC 9051 §6.4.7
    Copy(Copy),
    /// RFC 9051 §6.4.8
    Move(Copy),
}

/// AUTHENTICATE with the initial response of SASL-IR (RFC 4959), decoded from base64; `=` is empty.
#[derive(Clone, PartialEq, Eq)]
pub struct Authenticate {
    /// The mechanism's name, in upper case.
    pub mechanism: String,
    /// The initial response.
    pub initial: Option<Bytes>,
}

/// LOGIN. Not `Debug`-printed with its password.
#[derive(Clone, PartialEq, Eq)]
pub struct Login {
    /// The user's name.
    pub user: Bytes,
    /// The password.
    pub password: Bytes,
}

impl std::fmt::Debug for Authenticate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Authenticate").field("mechanism", &self.mechanism).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Login {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Login").field("user", &self.user).finish_non_exhaustive()
    }
}

/// SELECT and EXAMINE with their parameters, in any order.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Select {
    /// The mailbox.
    pub mailbox: MailboxName,
    /// `(CONDSTORE)` (RFC 7162 §3.1.8).
    pub condstore: bool,
    /// `(QRESYNC (...))` (RFC 7162 §3.2.5).
    pub qresync: Option<Qresync>,
}

/// What a client remembers of a mailbox (RFC 7162 §3.2.5).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Qresync {
    /// UIDVALIDITY it knows.
    pub uid_validity: base::UidValidity,
    /// HIGHESTMODSEQ it knows.
    pub mod_seq: ModSeq,
    /// UIDs it knows; no `*`.
    pub known_uids: Option<UidSet>,
    /// Message sequence numbers and the UIDs they had (RFC 7162 §3.2.5.2): equally many of each.
    pub seq_match: Option<(base::SeqSet, UidSet)>,
}

/// CREATE (RFC 6154 §3: `(USE (...))`).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Create {
    /// The new mailbox; a trailing delimiter is still there.
    pub mailbox: MailboxName,
    /// Roles asked for.
    pub special_use: Vec<SpecialUse>,
}

/// RENAME.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Rename {
    /// Old name.
    pub from: MailboxName,
    /// New name.
    pub to: MailboxName,
}

/// LIST with RFC 5258's options.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct List {
    /// Whether options or several patterns were given: an extended LIST.
    pub extended: bool,
    /// Selection options.
    pub select: ListSelect,
    /// The reference name, decoded.
    pub reference: String,
    /// Patterns, decoded; at least one.
    pub patterns: Vec<String>,
    /// Return options.
    pub returns: ListReturn,
}

/// LIST's selection options (RFC 5258 §3.1, RFC 6154 §5.1).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ListSelect {
    /// SUBSCRIBED
    pub subscribed: bool,
    /// REMOTE
    pub remote: bool,
    /// RECURSIVEMATCH: never alone or only with REMOTE.
    pub recursive_match: bool,
    /// SPECIAL-USE
    pub special_use: bool,
}

/// LIST's return options (RFC 5258 §3.2, RFC 5819, RFC 6154).
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ListReturn {
    /// SUBSCRIBED
    pub subscribed: bool,
    /// CHILDREN
    pub children: bool,
    /// SPECIAL-USE
    pub special_use: bool,
    /// STATUS (...)
    pub status: Vec<StatusItem>,
}

/// LSUB.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Lsub {
    /// The reference name, decoded.
    pub reference: String,
    /// The pattern, decoded.
    pub pattern: String,
}

/// STATUS.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Status {
    /// The mailbox.
    pub mailbox: MailboxName,
    /// What is asked, in the client's order.
    pub items: Vec<StatusItem>,
}

/// The head of APPEND. The messages follow as [`AppendMessage`] heads with literals that stream and
/// never become part of a value (RFC 9051 §6.3.12, RFC 3502, RFC 3516 §4.2, RFC 6855 §4).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Append {
    /// The target.
    pub mailbox: MailboxName,
}

/// What stands before one message's literal.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AppendMessage {
    /// Flags to set.
    pub flags: FlagList,
    /// The internal date, if given.
    pub date: Option<DateTime>,
    /// `UTF8 (~{...})` (RFC 6855 §4).
    pub utf8: bool,
}

/// SEARCH (RFC 9051 §6.4.4).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Search {
    /// Whether UIDs are returned.
    pub numbering: Numbering,
    /// `RETURN (...)`.
    pub returns: Option<SearchReturn>,
    /// The program.
    pub key: SearchKey,
}

/// SORT (RFC 5256 §3, RFC 5267 §3 for RETURN).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Sort {
    /// Whether UIDs are returned.
    pub numbering: Numbering,
    /// `RETURN (...)`.
    pub returns: Option<SearchReturn>,
    /// Criteria, most important first; at least one.
    pub criteria: Vec<SortCriterion>,
    /// Which messages.
    pub key: SearchKey,
}

/// THREAD (RFC 5256 §3).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Thread {
    /// Whether UIDs are returned.
    pub numbering: Numbering,
    /// The algorithm.
    pub algorithm: ThreadAlgorithm,
    /// Which messages.
    pub key: SearchKey,
}

/// FETCH.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Fetch {
    /// How `set` is numbered.
    pub numbering: Numbering,
    /// Which messages.
    pub set: SequenceSet,
    /// What, in the client's order, macros expanded; at least one.
    pub items: Vec<FetchItem>,
    /// `(CHANGEDSINCE n)` (RFC 7162 §3.1.4).
    pub changed_since: Option<ModSeq>,
    /// `(CHANGEDSINCE n VANISHED)` (RFC 7162 §3.2.6).
    pub vanished: bool,
}

/// One data item of FETCH.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum FetchItem {
    /// ENVELOPE
    Envelope,
    /// FLAGS
    Flags,
    /// INTERNALDATE
    InternalDate,
    /// RFC822
    Rfc822,
    /// RFC822.HEADER
    Rfc822Header,
    /// RFC822.SIZE
    Rfc822Size,
    /// RFC822.TEXT
    Rfc822Text,
    /// BODY without a section
    Body,
    /// BODYSTRUCTURE
    BodyStructure,
    /// UID
    Uid,
    /// MODSEQ (RFC 7162)
    ModSeq,
    /// EMAILID (RFC 8474)
    EmailId,
    /// THREADID (RFC 8474)
    ThreadId,
    /// SAVEDATE (RFC 8514)
    SaveDate,
    /// BODY[...] and BODY.PEEK[...]
    BodySection {
        /// Do not set `\Seen`.
        peek: bool,
        /// Which.
        section: Section,
        /// A byte range.
        partial: Option<Partial>,
    },
    /// BINARY[...] and BINARY.PEEK[...] (RFC 3516)
    Binary {
        /// Do not set `\Seen`.
        peek: bool,
        /// Which part.
        path: Vec<std::num::NonZeroU32>,
        /// A byte range of the decoded part.
        partial: Option<Partial>,
    },
    /// BINARY.SIZE[...] (RFC 3516)
    BinarySize(Vec<std::num::NonZeroU32>),
}

/// STORE.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Store {
    /// How `set` is numbered.
    pub numbering: Numbering,
    /// Which messages.
    pub set: SequenceSet,
    /// Set, add or remove.
    pub mode: StoreMode,
    /// `.SILENT`
    pub silent: bool,
    /// The flags.
    pub flags: FlagList,
    /// `(UNCHANGEDSINCE n)` (RFC 7162 §3.1.3).
    pub unchanged_since: Option<ModSeq>,
}

/// COPY and MOVE.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Copy {
    /// How `set` is numbered.
    pub numbering: Numbering,
    /// Which messages.
    pub set: SequenceSet,
    /// The target.
    pub mailbox: MailboxName,
}
