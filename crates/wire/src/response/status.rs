//! STATUS response.
//!
//! RFC 9051 §7.3.5; HIGHESTMODSEQ: RFC 7162 §7; MAILBOXID: RFC 8474 §4.3; APPENDLIMIT: RFC 7889 §4.

use base::{MailboxId, ModSeq, Uid, UidValidity};

use crate::emit::{self, Style, push};
use crate::value::MailboxName;

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

pub(super) fn print(
    mailbox: &MailboxName,
    values: &[StatusValue],
    out: &mut Vec<u8>,
    style: Style,
) {
    out.extend_from_slice(b"STATUS ");
    emit::mailbox(out, mailbox, style);
    out.push(b' ');
    emit::list(out, values, |out, value| match *value {
        StatusValue::Messages(n) => push(out, format_args!("MESSAGES {n}")),
        StatusValue::Recent(n) => push(out, format_args!("RECENT {n}")),
        StatusValue::UidNext(uid) => push(out, format_args!("UIDNEXT {uid}")),
        StatusValue::UidValidity(n) => push(out, format_args!("UIDVALIDITY {n}")),
        StatusValue::Unseen(n) => push(out, format_args!("UNSEEN {n}")),
        StatusValue::Deleted(n) => push(out, format_args!("DELETED {n}")),
        StatusValue::Size(bytes) => push(out, format_args!("SIZE {bytes}")),
        StatusValue::HighestModSeq(n) => push(out, format_args!("HIGHESTMODSEQ {n}")),
        StatusValue::MailboxId(id) => push(out, format_args!("MAILBOXID ({id})")),
        StatusValue::AppendLimit(Some(n)) => push(out, format_args!("APPENDLIMIT {n}")),
        StatusValue::AppendLimit(None) => out.extend_from_slice(b"APPENDLIMIT NIL"),
    });
}
