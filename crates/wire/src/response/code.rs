//! Response codes.

use base::{MailboxId, ModSeq, SeqNum, Uid, UidSet, UidValidity};

use super::search::{spaced, spaced_long};
use crate::emit::{list, push};

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

impl Code {
    /// The code's name.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Alert => "ALERT",
            Self::AlreadyExists => "ALREADYEXISTS",
            Self::AppendUid(..) => "APPENDUID",
            Self::AuthenticationFailed => "AUTHENTICATIONFAILED",
            Self::AuthorizationFailed => "AUTHORIZATIONFAILED",
            Self::BadCharset(_) => "BADCHARSET",
            Self::Cannot => "CANNOT",
            Self::Capability(_) => "CAPABILITY",
            Self::ClientBug => "CLIENTBUG",
            Self::Closed => "CLOSED",
            Self::ContactAdmin => "CONTACTADMIN",
            Self::CopyUid(..) => "COPYUID",
            Self::Corruption => "CORRUPTION",
            Self::Expired => "EXPIRED",
            Self::ExpungeIssued => "EXPUNGEISSUED",
            Self::HasChildren => "HASCHILDREN",
            Self::HighestModSeq(_) => "HIGHESTMODSEQ",
            Self::InProgress(..) => "INPROGRESS",
            Self::InUse => "INUSE",
            Self::Limit => "LIMIT",
            Self::MailboxId(_) => "MAILBOXID",
            Self::Modified(_) => "MODIFIED",
            Self::NoModSeq => "NOMODSEQ",
            Self::NonExistent => "NONEXISTENT",
            Self::NoPerm => "NOPERM",
            Self::NotSaved => "NOTSAVED",
            Self::OverQuota => "OVERQUOTA",
            Self::Parse => "PARSE",
            Self::PermanentFlags(_) => "PERMANENTFLAGS",
            Self::PrivacyRequired => "PRIVACYREQUIRED",
            Self::ReadOnly => "READ-ONLY",
            Self::ReadWrite => "READ-WRITE",
            Self::ServerBug => "SERVERBUG",
            Self::TooBig => "TOOBIG",
            Self::TryCreate => "TRYCREATE",
            Self::UidNext(_) => "UIDNEXT",
            Self::UidNotSticky => "UIDNOTSTICKY",
            Self::UidValidity(_) => "UIDVALIDITY",
            Self::Unavailable => "UNAVAILABLE",
            Self::UnknownCte => "UNKNOWN-CTE",
            Self::Unseen(_) => "UNSEEN",
            Self::UseAttr => "USEATTR",
        }
    }

    /// Appends the code without its brackets.
    pub(super) fn print(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.name().as_bytes());
        match self {
            Self::AppendUid(validity, uids) => push(out, format_args!(" {validity} {uids}")),
            Self::BadCharset(charsets) if !charsets.is_empty() => {
                out.push(b' ');
                list(out, charsets, |out, name| out.extend_from_slice(name.as_bytes()));
            }
            Self::Capability(names) => names.iter().for_each(|name| {
                out.push(b' ');
                out.extend_from_slice(name.as_bytes());
            }),
            Self::CopyUid(validity, from, to) => {
                push(out, format_args!(" {validity} {from} {to}"));
            }
            Self::HighestModSeq(mod_seq) => spaced_long(out, mod_seq.get()),
            // A tag has no character that quotes do not hold.
            Self::InProgress(tag, Some((done, goal))) => {
                push(out, format_args!(" (\"{tag}\" {done} {goal})"));
            }
            Self::InProgress(tag, None) => push(out, format_args!(" (\"{tag}\" NIL NIL)")),
            Self::MailboxId(id) => push(out, format_args!(" ({id})")),
            Self::Modified(set) => push(out, format_args!(" {set}")),
            Self::PermanentFlags(flags) => {
                out.extend_from_slice(b" (");
                out.extend_from_slice(flags.as_bytes());
                out.push(b')');
            }
            Self::UidNext(uid) => spaced(out, uid.get()),
            Self::UidValidity(validity) => spaced(out, validity.get()),
            Self::Unseen(seq) => spaced(out, seq.get()),
            _ => {}
        }
    }
}
