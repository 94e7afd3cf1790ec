//! ESEARCH response.
//!
//! RFC 9051 §7.3.4, RFC 4731; MODSEQ: RFC 7162 §3.1.10; of SORT: RFC 5267 §3.

use base::ModSeq;

use crate::emit::push;

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

pub(super) fn print(esearch: &Esearch, out: &mut Vec<u8>) {
    // A tag has no character that quotes do not hold.
    push(out, format_args!("ESEARCH (TAG \"{}\")", esearch.tag));
    if esearch.uid {
        out.extend_from_slice(b" UID");
    }
    if let Some(min) = esearch.min {
        push(out, format_args!(" MIN {min}"));
    }
    if let Some(max) = esearch.max {
        push(out, format_args!(" MAX {max}"));
    }
    if let Some(all) = &esearch.all {
        push(out, format_args!(" ALL {all}"));
    }
    if let Some(count) = esearch.count {
        push(out, format_args!(" COUNT {count}"));
    }
    if let Some(mod_seq) = esearch.mod_seq {
        push(out, format_args!(" MODSEQ {mod_seq}"));
    }
}
