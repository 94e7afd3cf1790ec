//! SEARCH and SORT responses.
//!
//! RFC 3501 §7.2.5, RFC 5256 §4; MODSEQ: RFC 7162 §3.1.5.

use base::ModSeq;

use crate::emit::push;

/// Without numbers there is no MODSEQ either (RFC 7162 §7, mailbox-data).
pub(super) fn print(kind: &str, numbers: &[u32], mod_seq: Option<ModSeq>, out: &mut Vec<u8>) {
    out.extend_from_slice(kind.as_bytes());
    numbers.iter().for_each(|number| push(out, format_args!(" {number}")));
    if let Some(mod_seq) = mod_seq.filter(|_| !numbers.is_empty()) {
        push(out, format_args!(" (MODSEQ {mod_seq})"));
    }
}
