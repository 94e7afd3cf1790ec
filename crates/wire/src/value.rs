//! Values that more than one command or response is made of.

use std::num::NonZeroU32;

use base::{Date, Flags, ModSeq};
use bytes::Bytes;

/// One end of a range in a sequence set: a number or `*` (RFC 9051 §9, seq-number).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SetEnd {
    /// A UID or a message sequence number.
    Number(NonZeroU32),
    /// `*`: the largest number in use.
    Star,
}

/// A sequence set as the client wrote it (RFC 9051 §9, sequence-set): what `*` means and whether
/// the numbers are UIDs is decided by the command.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum SequenceSet {
    /// Ranges in the order given; a single number is a range of one.
    Ranges(Vec<(SetEnd, SetEnd)>),
    /// `$`, the saved search result (RFC 5182).
    Saved,
}

/// A mailbox name, decoded to UTF-8; any case of INBOX reads as `INBOX`. May be empty where the
/// grammar allows it; whether such a mailbox can exist is not decided here.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct MailboxName(pub String);

/// A flag list of APPEND or STORE. `\Recent` and unknown `\` flags are refused by the grammar.
pub type FlagList = Flags;

/// `STORE`'s way (RFC 9051 §6.4.6).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum StoreMode {
    /// `FLAGS`
    Replace,
    /// `+FLAGS`
    Add,
    /// `-FLAGS`
    Remove,
}

/// Which numbers a command's set, and its answer, speak of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Numbering {
    /// Message sequence numbers.
    Seq,
    /// UIDs: the `UID` form of the command.
    Uid,
}

/// A MIME part, `1.2.3`; empty for the whole message (RFC 9051 §6.4.5).
pub type PartPath = Vec<NonZeroU32>;

/// What of a part is wanted (RFC 9051 §9, section-spec).
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum SectionText {
    /// The whole part: `BODY[]`, `BODY[1]`.
    Whole,
    /// `HEADER`
    Header,
    /// `HEADER.FIELDS (...)`, or `HEADER.FIELDS.NOT (...)` when `not`. At least one name.
    HeaderFields {
        /// All fields but these.
        not: bool,
        /// Field names in the client's spelling, which the answer repeats.
        fields: Vec<Bytes>,
    },
    /// `TEXT`
    Text,
    /// `MIME`; only with a part path.
    Mime,
}

/// A body section: `1.2.HEADER`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Section {
    /// The part.
    pub path: PartPath,
    /// What of it.
    pub text: SectionText,
}

/// A byte range `<offset.length>`; `length` is never 0 (RFC 9051 §9, partial).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Partial {
    /// First byte.
    pub offset: u64,
    /// Most bytes wanted.
    pub length: u64,
}

/// A search program (RFC 9051 §6.4.4, RFC 5032, RFC 7162, RFC 8474, RFC 8514).
/// Text is as the client sent it, in the command's charset, converted to UTF-8 by the parser.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum SearchKey {
    /// Every message.
    All,
    /// All of these; never empty.
    And(Vec<SearchKey>),
    /// Either.
    Or(Box<SearchKey>, Box<SearchKey>),
    /// Not this one.
    Not(Box<SearchKey>),
    /// A system flag is set: SEEN, ANSWERED, …; its negations are `Not`.
    Flag(base::SystemFlag),
    /// A keyword is set. Its text is an atom, not necessarily one that is in use.
    Keyword(base::Keyword),
    /// RECENT. NEW is `And([Recent, Not(Flag(Seen))])`, OLD is `Not(Recent)`.
    Recent,
    /// A header field contains a text; an empty text asks for the field's presence. BCC, CC, FROM,
    /// SUBJECT and TO are this key with their field names.
    Header {
        /// The field's name.
        field: String,
        /// The text.
        text: String,
    },
    /// BODY: text of the body.
    Body(String),
    /// TEXT: header or body.
    Text(String),
    /// Internal date before the day.
    Before(Date),
    /// Internal date on the day.
    On(Date),
    /// Internal date on the day or later.
    Since(Date),
    /// `Date:` before the day.
    SentBefore(Date),
    /// `Date:` on the day.
    SentOn(Date),
    /// `Date:` on the day or later.
    SentSince(Date),
    /// SAVEDBEFORE (RFC 8514).
    SavedBefore(Date),
    /// SAVEDON (RFC 8514).
    SavedOn(Date),
    /// SAVEDSINCE (RFC 8514).
    SavedSince(Date),
    /// SAVEDATESUPPORTED (RFC 8514): all messages or none.
    SaveDateSupported,
    /// OLDER: at least so many seconds ago (RFC 5032).
    Older(NonZeroU32),
    /// YOUNGER: at most so many seconds ago (RFC 5032).
    Younger(NonZeroU32),
    /// More octets than.
    Larger(u64),
    /// Fewer octets than.
    Smaller(u64),
    /// UIDs.
    Uid(SequenceSet),
    /// Message sequence numbers.
    Seq(SequenceSet),
    /// MODSEQ: at least. The entry name and type that may precede it only choose among per-flag
    /// mod-sequences, which the server does not keep apart (RFC 7162 §3.1.5).
    ModSeq(ModSeq),
    /// EMAILID (RFC 8474).
    EmailId(String),
    /// THREADID (RFC 8474).
    ThreadId(String),
}

/// What a SEARCH or SORT is to return (RFC 4731, RFC 5182, RFC 9051 §6.4.4).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct SearchReturn {
    /// MIN
    pub min: bool,
    /// MAX
    pub max: bool,
    /// ALL; also what `RETURN ()` means.
    pub all: bool,
    /// COUNT
    pub count: bool,
    /// SAVE
    pub save: bool,
}

/// How to sort (RFC 5256 §3, RFC 5957).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SortKey {
    /// ARRIVAL: internal date.
    Arrival,
    /// CC: first mailbox local part.
    Cc,
    /// DATE: sent date.
    Date,
    /// FROM: first mailbox local part.
    From,
    /// SIZE
    Size,
    /// SUBJECT: base subject.
    Subject,
    /// TO: first mailbox local part.
    To,
    /// DISPLAYFROM (RFC 5957).
    DisplayFrom,
    /// DISPLAYTO (RFC 5957).
    DisplayTo,
}

/// One sort criterion.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SortCriterion {
    /// What by.
    pub key: SortKey,
    /// Largest first.
    pub reverse: bool,
}

/// THREAD's algorithms (RFC 5256).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ThreadAlgorithm {
    /// ORDEREDSUBJECT
    OrderedSubject,
    /// REFERENCES
    References,
}

/// What STATUS can tell (RFC 9051 §6.3.11, RFC 7162, RFC 8438, RFC 8474, RFC 7889).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum StatusItem {
    /// MESSAGES
    Messages,
    /// RECENT
    Recent,
    /// UIDNEXT
    UidNext,
    /// UIDVALIDITY
    UidValidity,
    /// UNSEEN
    Unseen,
    /// DELETED
    Deleted,
    /// SIZE
    Size,
    /// HIGHESTMODSEQ
    HighestModSeq,
    /// MAILBOXID
    MailboxId,
    /// APPENDLIMIT
    AppendLimit,
}

/// A mailbox's role (RFC 6154, RFC 8457).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum SpecialUse {
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
