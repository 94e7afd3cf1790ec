//! A search program as the client wrote it becomes one over UIDs: numbers, `*` and `$` mean what
//! they mean to this session at this moment.

use base::{SeqNum, SeqSet, UidSet};
use mailbox::search::{Content, Day, Key};
use wire::value::{SearchKey, SequenceSet, SetEnd};

use crate::context::SelectedMailbox;

/// Resolves `key`. Numbers that number nothing match nothing: a search asks, it does not address.
pub(super) fn resolve(mailbox: &SelectedMailbox, key: &SearchKey) -> Key {
    let again = |key: &SearchKey| resolve(mailbox, key);
    match key {
        SearchKey::All | SearchKey::SaveDateSupported => Key::All,
        SearchKey::And(keys) => Key::And(keys.iter().map(again).collect()),
        SearchKey::Or(a, b) => Key::Or(Box::new(again(a)), Box::new(again(b))),
        SearchKey::Not(key) => Key::Not(Box::new(again(key))),
        SearchKey::Flag(flag) => Key::Flag(*flag),
        SearchKey::Keyword(keyword) => Key::Keyword(keyword.clone()),
        SearchKey::Recent => Key::Recent,
        SearchKey::Header { field, text } => {
            Key::Content(Content::Header { field: field.clone(), text: text.clone() })
        }
        // Every string contains the empty one.
        SearchKey::Body(text) | SearchKey::Text(text) if text.is_empty() => Key::All,
        SearchKey::Body(text) => Key::Content(Content::Body(text.clone())),
        SearchKey::Text(text) => Key::Content(Content::Text(text.clone())),
        SearchKey::Before(day) => Key::Internal(Day::Before(*day)),
        SearchKey::On(day) => Key::Internal(Day::On(*day)),
        SearchKey::Since(day) => Key::Internal(Day::Since(*day)),
        SearchKey::SentBefore(day) => Key::Sent(Day::Before(*day)),
        SearchKey::SentOn(day) => Key::Sent(Day::On(*day)),
        SearchKey::SentSince(day) => Key::Sent(Day::Since(*day)),
        SearchKey::SavedBefore(day) => Key::Saved(Day::Before(*day)),
        SearchKey::SavedOn(day) => Key::Saved(Day::On(*day)),
        SearchKey::SavedSince(day) => Key::Saved(Day::Since(*day)),
        SearchKey::Older(seconds) => Key::Older(seconds.get()),
        SearchKey::Younger(seconds) => Key::Younger(seconds.get()),
        SearchKey::Larger(octets) => Key::Larger(*octets),
        SearchKey::Smaller(octets) => Key::Smaller(*octets),
        SearchKey::Uid(SequenceSet::Saved) | SearchKey::Seq(SequenceSet::Saved) => {
            Key::Uids(mailbox.saved.clone())
        }
        SearchKey::Uid(SequenceSet::Ranges(ranges)) => Key::Uids(mailbox.uid_ranges(ranges)),
        SearchKey::Seq(SequenceSet::Ranges(ranges)) => Key::Uids(by_number(mailbox, ranges)),
        SearchKey::ModSeq(at) => Key::ModSeq(*at),
        SearchKey::EmailId(id) => Key::email_id(id),
        SearchKey::ThreadId(id) => Key::thread_id(id),
    }
}

fn by_number(mailbox: &SelectedMailbox, ranges: &[(SetEnd, SetEnd)]) -> UidSet {
    let Some(last) = SeqNum::new(mailbox.view.exists()) else { return UidSet::new() };
    let end = |end: SetEnd| match end {
        SetEnd::Star => last,
        SetEnd::Number(n) => SeqNum::new(n.get()).unwrap_or(last),
    };
    let mut seqs = SeqSet::new();
    for &(a, b) in ranges {
        let (first, until) = (end(a).min(end(b)), end(a).max(end(b)).min(last));
        if first <= until {
            seqs.insert_range(first, until);
        }
    }
    mailbox.view.uids_of(&seqs).unwrap_or_default()
}

/// Whether MODSEQ is among the keys (RFC 7162 §3.1.5).
pub(crate) fn asks_mod_seq(key: &SearchKey) -> bool {
    match key {
        SearchKey::ModSeq(_) => true,
        SearchKey::And(keys) => keys.iter().any(asks_mod_seq),
        SearchKey::Or(a, b) => asks_mod_seq(a) || asks_mod_seq(b),
        SearchKey::Not(key) => asks_mod_seq(key),
        _ => false,
    }
}
