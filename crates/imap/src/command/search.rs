//! SEARCH: which messages match.
//!
//! RFC 9051 §6.4.4, RFC 3501 §6.4.4; RETURN: RFC 4731; SAVE and `$`: RFC 5182; MODSEQ: RFC 7162
//! §3.1.5, §3.1.10. Messages that another session expunged are not found (RFC 2180 §4.3).

mod column;
pub(crate) mod find;
mod resolve;
mod text;

use base::{ModSeq, SeqSet, Uid, UidSet};
use wire::command::Search;
use wire::response::{Esearch, Untagged};
use wire::value::{Numbering, SearchKey, SearchReturn};

use self::find::{Found, find};
use crate::context::Selected;
use crate::error::{Done, No};

/// Runs the command.
pub async fn run(cx: &mut Selected<'_>, args: Search) -> Result<Done, No> {
    let returns = returns(cx, args.returns);
    let with_mod_seq = begin(cx, &args.key);
    let found = find_or_forget(cx, &args.key, returns).await?;
    match returns {
        None => plain(cx, "* SEARCH", args.numbering, &found, with_mod_seq).await?,
        Some(returns) => {
            let ends = (found.uids.first(), found.uids.last());
            save(cx, returns, &found, ends);
            let all = returns.all.then(|| match args.numbering {
                Numbering::Uid => found.uids.to_string(),
                Numbering::Seq => seqs(cx, &found.uids).to_string(),
            });
            extended(
                cx,
                args.numbering,
                returns,
                Extended { found: &found, ends, all, with_mod_seq },
            );
        }
    }
    Ok(Done::new("SEARCH completed"))
}

/// What is to be returned; with IMAP4rev2 always by ESEARCH (RFC 9051 §6.4.4). `None`: the plain
/// response.
pub(crate) fn returns(cx: &Selected<'_>, asked: Option<SearchReturn>) -> Option<SearchReturn> {
    let all = SearchReturn { all: true, ..SearchReturn::default() };
    match asked {
        // `RETURN ()` means ALL (RFC 4731 §3.1).
        Some(asked) if asked == SearchReturn::default() => Some(all),
        None if cx.client.enabled.rev2 => Some(all),
        asked => asked,
    }
}

/// What comes before every search. Returns whether mod-sequences are part of the answer, which also
/// enables CONDSTORE (RFC 7162 §3.1).
pub(crate) fn begin(cx: &mut Selected<'_>, key: &SearchKey) -> bool {
    let with_mod_seq = resolve::asks_mod_seq(key);
    if with_mod_seq {
        cx.enable_condstore();
    }
    cx.absorb();
    with_mod_seq
}

/// Searches. A search that was to be saved and failed leaves nothing saved (RFC 5182 §2.1).
pub(crate) async fn find_or_forget(
    cx: &mut Selected<'_>,
    key: &SearchKey,
    returns: Option<SearchReturn>,
) -> Result<Found, No> {
    let (reading, mut progress) = cx.long_work();
    let result = find(&reading, &mut progress, key).await;
    if result.is_err() && returns.is_some_and(|returns| returns.save) {
        cx.mailbox.saved = UidSet::new();
    }
    result
}

/// Remembers the result as `$`: what is returned by MIN and MAX if only they are asked, everything
/// otherwise (RFC 5182 §2.4).
pub(crate) fn save(
    cx: &mut Selected<'_>,
    returns: SearchReturn,
    found: &Found,
    (min, max): (Option<Uid>, Option<Uid>),
) {
    if !returns.save {
        return;
    }
    let only_ends = (returns.min || returns.max) && !returns.all && !returns.count;
    cx.mailbox.saved = match only_ends {
        true => {
            let min = min.filter(|_| returns.min);
            min.into_iter().chain(max.filter(|_| returns.max)).collect()
        }
        false => found.uids.clone(),
    };
}

/// The numbers of messages.
pub(crate) fn seqs(cx: &Selected<'_>, uids: &UidSet) -> SeqSet {
    cx.mailbox.view.rows(uids).map(|(seq, _)| seq).collect()
}

/// One message as the command numbers it.
pub(crate) fn number(cx: &Selected<'_>, numbering: Numbering, uid: Uid) -> Option<u32> {
    match numbering {
        Numbering::Uid => Some(uid.get()),
        Numbering::Seq => cx.mailbox.view.seq_of(uid).map(base::SeqNum::get),
    }
}

/// `* SEARCH` in ascending order, written as it goes.
async fn plain(
    cx: &mut Selected<'_>,
    name: &str,
    numbering: Numbering,
    found: &Found,
    with_mod_seq: bool,
) -> Result<(), No> {
    cx.out.tail().extend_from_slice(name.as_bytes());
    for uid in found.uids.iter() {
        if let Some(number) = number(cx, numbering, uid) {
            append_number(cx, number);
            cx.out.flow().await?;
        }
    }
    end_plain(cx, found, with_mod_seq);
    Ok(())
}

/// A space and a number.
pub(crate) fn append_number(cx: &mut Selected<'_>, number: u32) {
    let tail = cx.out.tail();
    tail.push(b' ');
    wire::response::fetch::number(tail, number);
}

/// The highest mod-sequence if one was asked for, and the line's end (RFC 7162 §3.1.6).
pub(crate) fn end_plain(cx: &mut Selected<'_>, found: &Found, with_mod_seq: bool) {
    let tail = cx.out.tail();
    if with_mod_seq && !found.uids.is_empty() {
        tail.extend_from_slice(format!(" (MODSEQ {})", found.highest).as_bytes());
    }
    tail.extend_from_slice(b"\r\n");
}

/// What ESEARCH may tell.
pub(crate) struct Extended<'a> {
    pub(crate) found: &'a Found,
    /// First and last, in the order of the result.
    pub(crate) ends: (Option<Uid>, Option<Uid>),
    /// ALL as a set.
    pub(crate) all: Option<String>,
    pub(crate) with_mod_seq: bool,
}

/// `* ESEARCH` (RFC 4731 §3.1). With SAVE alone there is nothing to say (RFC 5182 §2.2).
pub(crate) fn extended(
    cx: &mut Selected<'_>,
    numbering: Numbering,
    returns: SearchReturn,
    answer: Extended<'_>,
) {
    let Extended { found, ends: (min, max), all, with_mod_seq } = answer;
    if !(returns.min || returns.max || returns.all || returns.count) {
        return;
    }
    let shown = |uid: Option<Uid>, asked: bool| uid.filter(|_| asked);
    let (min, max) = (shown(min, returns.min), shown(max, returns.max));
    let mod_seq = match returns.all || returns.count {
        true => found.highest,
        // RFC 4731 §3.2: only that of the messages returned.
        false => {
            let of = |uid: Uid| cx.mailbox.view.by_uid(uid).map(|row| row.mod_seq);
            let highest = min.into_iter().chain(max).filter_map(of).max();
            highest.unwrap_or(ModSeq::ZERO)
        }
    };
    let esearch = Esearch {
        tag: cx.tag.to_owned(),
        uid: numbering == Numbering::Uid,
        min: min.and_then(|uid| number(cx, numbering, uid)),
        max: max.and_then(|uid| number(cx, numbering, uid)),
        all: all.filter(|set| !set.is_empty()),
        count: returns.count.then_some(found.count),
        mod_seq: (with_mod_seq && !found.uids.is_empty()).then_some(mod_seq),
    };
    cx.out.untagged(&Untagged::Esearch(esearch));
}
