//! ESEARCH response.
//!
//! RFC 9051 §7.3.4, RFC 4731; MODSEQ: RFC 7162 §3.1.10; of SORT: RFC 5267 §3.

use base::{ModSeq, UidValidity};

use super::Encoding;
use crate::emit::{self, push};
use crate::value::MailboxName;

/// An ESEARCH response (RFC 4731, RFC 9051 §7.3.4). Sets are printed already, because SORT's ALL is
/// in sort order (RFC 5267 §3).
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Esearch {
    /// The command's tag.
    pub tag: String,
    /// MAILBOX and UIDVALIDITY (RFC 7377 §2.1): in answer to ESEARCH.
    pub mailbox: Option<(MailboxName, UidValidity)>,
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

pub(super) fn print(esearch: &Esearch, out: &mut Vec<u8>, encoding: Encoding) {
    esearch.print_before_all(out, encoding);
    if let Some(all) = &esearch.all {
        push(out, format_args!(" ALL {all}"));
    }
    esearch.print_after_all(out);
}

impl Esearch {
    /// Appends what comes before ALL, which may be too long to be held: ` ALL ` and its set follow,
    /// then [`Esearch::print_after_all`].
    pub fn print_before_all(&self, out: &mut Vec<u8>, encoding: Encoding) {
        // A tag has no character that quotes do not hold.
        push(out, format_args!("ESEARCH (TAG \"{}\"", self.tag));
        if let Some((mailbox, uid_validity)) = &self.mailbox {
            out.extend_from_slice(b" MAILBOX ");
            emit::mailbox(out, mailbox, encoding.style());
            push(out, format_args!(" UIDVALIDITY {uid_validity}"));
        }
        out.push(b')');
        if self.uid {
            out.extend_from_slice(b" UID");
        }
        if let Some(min) = self.min {
            push(out, format_args!(" MIN {min}"));
        }
        if let Some(max) = self.max {
            push(out, format_args!(" MAX {max}"));
        }
    }

    /// Appends what comes behind ALL.
    pub fn print_after_all(&self, out: &mut Vec<u8>) {
        if let Some(count) = self.count {
            push(out, format_args!(" COUNT {count}"));
        }
        if let Some(mod_seq) = self.mod_seq {
            push(out, format_args!(" MODSEQ {mod_seq}"));
        }
    }
}
