//! How SEARCH and SORT answer. What may be long is written as it goes: nothing here holds an answer.

use base::{ModSeq, Uid, UidSet, UidValidity};
use wire::response::Esearch;
use wire::response::search::spaced;
use wire::value::{MailboxName, Numbering, SearchReturn};

use super::numbers::{Numbers, runs};
use crate::context::Selected;
use crate::error::No;

/// Numbers that are written between two looks at how much waits for the client.
const AT_ONCE: usize = 1024;

/// `* SEARCH` in ascending order.
pub(super) async fn plain(
    cx: &mut Selected<'_>,
    numbering: Numbering,
    found: &UidSet,
    with_mod_seq: bool,
) -> Result<(), No> {
    cx.out.tail().extend_from_slice(b"* SEARCH");
    let all: Vec<(u32, u32)> = spans(cx, numbering, found).collect();
    write(cx, all.into_iter().flat_map(|(first, last)| first..=last)).await?;
    end_plain(cx, found, with_mod_seq);
    Ok(())
}

/// The numbers as ranges, ascending.
fn spans<'a>(
    cx: &'a Selected<'_>,
    numbering: Numbering,
    found: &'a UidSet,
) -> impl Iterator<Item = (u32, u32)> + 'a {
    let runs = runs(cx.mailbox, numbering, found);
    runs.map(|(first, last, number)| (number, number + (last - first)))
}

/// Numbers, each behind a space.
pub(crate) async fn write(
    cx: &mut Selected<'_>,
    mut numbers: impl Iterator<Item = u32>,
) -> Result<(), No> {
    loop {
        let tail = cx.out.tail();
        let mut written = 0;
        for number in numbers.by_ref().take(AT_ONCE) {
            spaced(tail, number);
            written += 1;
        }
        if written < AT_ONCE {
            return Ok(());
        }
        cx.out.flow().await?;
    }
}

/// The highest mod-sequence if one was asked for, and the line's end (RFC 7162 §3.1.6).
pub(crate) fn end_plain(cx: &mut Selected<'_>, found: &UidSet, with_mod_seq: bool) {
    if with_mod_seq && !found.is_empty() {
        let highest = cx.mailbox.view.mailbox().highest_among(found);
        cx.out.tail().extend_from_slice(format!(" (MODSEQ {highest})").as_bytes());
    }
    cx.out.tail().extend_from_slice(b"\r\n");
}

/// What ESEARCH may tell.
pub(crate) struct Extended<'a> {
    /// The mailbox, in answer to ESEARCH.
    pub(crate) place: Option<(MailboxName, UidValidity)>,
    pub(crate) numbering: Numbering,
    pub(crate) returns: SearchReturn,
    pub(crate) found: &'a UidSet,
    /// First and last, in the order of the result.
    pub(crate) ends: (Option<Uid>, Option<Uid>),
    pub(crate) with_mod_seq: bool,
}

/// `* ESEARCH` (RFC 4731 §3.1), ALL in ascending order.
pub(crate) async fn ascending(cx: &mut Selected<'_>, answer: Extended<'_>) -> Result<(), No> {
    let all: Vec<(u32, u32)> = match answer.returns.all {
        true => spans(cx, answer.numbering, answer.found).collect(),
        false => Vec::new(),
    };
    extended(cx, answer, all.into_iter()).await
}

/// `* ESEARCH` (RFC 4731 §3.1). `all` are ranges in the order of the result: those that follow each
/// other become one. With SAVE alone there is nothing to say (RFC 5182 §2.2).
pub(crate) async fn extended(
    cx: &mut Selected<'_>,
    answer: Extended<'_>,
    all: impl Iterator<Item = (u32, u32)>,
) -> Result<(), No> {
    let Extended { place, numbering, returns, found, ends: (min, max), with_mod_seq } = answer;
    if !(returns.min || returns.max || returns.all || returns.count) {
        return Ok(());
    }
    let shown = |uid: Option<Uid>, asked: bool| uid.filter(|_| asked);
    let (min, max) = (shown(min, returns.min), shown(max, returns.max));
    let mod_seq = match (with_mod_seq && !found.is_empty(), returns.all || returns.count) {
        (false, _) => None,
        (true, true) => Some(cx.mailbox.view.mailbox().highest_among(found)),
        // RFC 4731 §3.2: only that of the messages returned.
        (true, false) => {
            let of = |uid: Uid| cx.mailbox.view.by_uid(uid).map(|row| row.mod_seq);
            let highest = min.into_iter().chain(max).filter_map(of).max();
            Some(highest.unwrap_or(ModSeq::ZERO))
        }
    };
    let number = |uid: Uid| {
        let one = UidSet::range(uid, uid);
        Numbers::new(cx.mailbox, numbering, &one).get(uid.get())
    };
    // A mailbox has fewer messages than numbers.
    let count = u32::try_from(found.len()).unwrap_or(u32::MAX);
    let esearch = Esearch {
        tag: cx.tag.to_owned(),
        mailbox: place,
        uid: numbering == Numbering::Uid,
        min: min.and_then(number),
        max: max.and_then(number),
        all: None,
        count: returns.count.then_some(count),
        mod_seq,
    };
    let encoding = cx.out.encoding();
    let tail = cx.out.tail();
    tail.extend_from_slice(b"* ");
    esearch.print_before_all(tail, encoding);
    if returns.all && !found.is_empty() {
        tail.extend_from_slice(b" ALL");
        set(cx, all).await?;
    }
    let tail = cx.out.tail();
    esearch.print_after_all(tail);
    tail.extend_from_slice(b"\r\n");
    Ok(())
}

/// ` 1:3,5`: ranges in the order they come, joined where one follows the other.
async fn set(
    cx: &mut Selected<'_>,
    mut ranges: impl Iterator<Item = (u32, u32)>,
) -> Result<(), No> {
    let Some((mut first, mut last)) = ranges.next() else { return Ok(()) };
    let (mut separator, mut written) = (b' ', 0);
    loop {
        let next = ranges.next();
        if let Some((from, to)) = next
            && last.checked_add(1) == Some(from)
        {
            last = to;
            continue;
        }
        let tail = cx.out.tail();
        let start = tail.len();
        spaced(tail, first);
        tail[start] = separator;
        if first != last {
            let colon = tail.len();
            spaced(tail, last);
            tail[colon] = b':';
        }
        separator = b',';
        let Some(next) = next else { return Ok(()) };
        (first, last) = next;
        written += 1;
        if written % AT_ONCE == 0 {
            cx.out.flow().await?;
        }
    }
}
