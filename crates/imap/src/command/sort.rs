//! SORT: which messages match, in order.
//!
//! RFC 5256 §3; RETURN: RFC 5267 §3; DISPLAYFROM and DISPLAYTO: RFC 5957.

use std::sync::Arc;

use account::memo::{Answer, Messages, Order, Question};
use base::{Uid, UidSet};
use bytes::Bytes;
use mailbox::Row;
use mailbox::sort::{By, Criterion, Sorter};
use message::SortKeys;
use wire::command::Sort;
use wire::response::search::spaced;
use wire::value::{Numbering, SortCriterion, SortKey};

use super::search::answer::{self, Extended};
use super::search::numbers::Numbers;
use super::search::{self};
use crate::context::{Reading, Selected};
use crate::error::{Done, No};
use crate::progress::Progress;

/// What an answer begins with, once it is worked out: progress is told between responses only.
const SORT: &[u8] = b"* SORT";
/// Messages whose summaries are looked up together.
const BATCH: usize = 512;

/// Runs the command.
pub async fn run(cx: &mut Selected<'_>, args: Sort) -> Result<Done, No> {
    let with_mod_seq = search::begin(cx, &args.key);
    let found = search::find_or_forget(cx, &args.key, args.returns).await?;
    let criteria: Vec<Criterion> = args.criteria.iter().map(criterion).collect();
    let numbering = args.numbering;
    match args.returns.and_then(|returns| search::returns(cx, Some(returns))) {
        None => {
            plain(cx, numbering, &found, criteria).await?;
            answer::end_plain(cx, &found, with_mod_seq);
        }
        Some(returns) => {
            let order = order(cx, &found, &criteria).await?;
            // RFC 5267 §3.1: MIN and MAX are the first and the last in sort order.
            let uid = |number: Option<u32>| number.and_then(Uid::new);
            let within = |uid: &u32| Uid::new(*uid).is_some_and(|uid| found.contains(uid));
            let first = order.sorter.numbers().find(within);
            let last = order.sorter.numbers().rev().find(within);
            let ends = (uid(first), uid(last));
            search::save(cx, returns, &found, ends);
            // RFC 5267 §3.2: a set that keeps its order; ascending runs become ranges.
            let numbers = Numbers::new(cx.mailbox, numbering, &found);
            let all = order.sorter.numbers().filter_map(|uid| numbers.get(uid));
            let found = &found;
            let answer = Extended { place: None, numbering, returns, found, ends, with_mod_seq };
            answer::extended(cx, answer, all.map(|number| (number, number))).await?;
        }
    }
    Ok(Done::new("SORT completed"))
}

/// `* SORT` and its numbers. Those of a whole mailbox are kept as they are written.
async fn plain(
    cx: &mut Selected<'_>,
    numbering: Numbering,
    found: &UidSet,
    criteria: Vec<Criterion>,
) -> Result<(), No> {
    let messages = Messages::of(cx.mailbox.view.mailbox());
    let is_whole = search::is_whole(cx, found) && found.len() >= KEPT_MIN as u64;
    let question = Question::Sort(criteria.clone(), numbering == Numbering::Uid);
    let key = ((cx.live.id(), cx.mailbox.id), question);
    let answers = &cx.shared.accounts.memo().answers;
    if is_whole && let Some(kept) = answers.get(&key).filter(|kept| kept.messages == messages) {
        return put(cx, kept.text).await;
    }
    let order = order(cx, found, &criteria).await?;
    let numbers = Numbers::new(cx.mailbox, numbering, found);
    let sorted = order.sorter.numbers().filter_map(|uid| numbers.get(uid));
    // A space and up to ten digits each.
    if !is_whole || 11 * found.len() > answers.value_bytes_max() as u64 {
        cx.out.tail().extend_from_slice(SORT);
        return answer::write(cx, sorted).await;
    }
    let mut text = Vec::new();
    sorted.for_each(|number| spaced(&mut text, number));
    text.shrink_to_fit();
    let kept = Answer { messages, text: text.into() };
    answers.put(key, kept.clone(), kept.text.len());
    put(cx, kept.text).await
}

/// An answer as it was written.
async fn put(cx: &mut Selected<'_>, text: Bytes) -> Result<(), No> {
    cx.out.tail().extend_from_slice(SORT);
    cx.out.bytes(text);
    Ok(cx.out.flow().await?)
}

/// Fewer messages are sorted on their own.
const KEPT_MIN: usize = 256;

/// An order with all that were found; it may have others too.
async fn order(
    cx: &mut Selected<'_>,
    found: &UidSet,
    criteria: &[Criterion],
) -> Result<Arc<Order>, No> {
    let (cx, progress) = &mut cx.long_work();
    progress.aim(found.len());
    if let Some(order) = whole(cx, progress, found.len(), criteria).await? {
        // It may be that of another session, which knew that some of them are gone.
        let numbers = Numbers::new(cx.mailbox, Numbering::Uid, found);
        let count = order.sorter.numbers().filter(|&uid| numbers.get(uid).is_some()).count();
        if count as u64 == found.len() {
            return Ok(order);
        }
    }
    let mut sorter = Sorter::new(criteria.to_vec());
    let rows: Vec<Row> = cx.mailbox.view.mailbox().rows_in(found).collect();
    add(cx, progress, &mut sorter, &rows).await?;
    sorter.sort();
    Ok(Arc::new(Order { sorter, below: Uid::MIN }))
}

/// An order of all messages that exist, from which those that were found are picked, if that is
/// worth while for `found` of them. It is kept for the next time, when only new messages are added.
async fn whole(
    cx: &Reading<'_>,
    progress: &mut Progress<'_>,
    found: u64,
    criteria: &[Criterion],
) -> Result<Option<Arc<Order>>, No> {
    let mailbox = cx.mailbox.view.mailbox();
    let total = mailbox.len() as usize;
    if total < KEPT_MIN || found * 16 < total as u64 {
        return Ok(None);
    }
    let orders = &cx.shared.accounts.memo().orders;
    let key = ((cx.live.id(), cx.mailbox.id), criteria.to_vec());
    let kept = orders.get(&key).filter(|order| order.sorter.len() <= 2 * total);
    if let Some(order) = &kept
        && order.below >= mailbox.uid_next()
    {
        return Ok(kept);
    }
    if kept.is_none() && found * 2 < total as u64 {
        return Ok(None);
    }
    let new = || Order { sorter: Sorter::new(criteria.to_vec()), below: Uid::MIN };
    let mut order = kept.map_or_else(new, Arc::unwrap_or_clone);
    let uids = base::UidSet::range(order.below, Uid::MAX);
    let rows: Vec<Row> = mailbox.rows_in(&uids).collect();
    add(cx, progress, &mut order.sorter, &rows).await?;
    order.sorter.sort();
    order.below = mailbox.uid_next();
    let order = Arc::new(order);
    orders.put(key, order.clone(), order.sorter.memory_bytes());
    Ok(Some(order))
}

async fn add(
    cx: &Reading<'_>,
    progress: &mut Progress<'_>,
    sorter: &mut Sorter,
    rows: &[Row],
) -> Result<(), No> {
    for batch in rows.chunks(BATCH) {
        push(cx, sorter, batch).await;
        progress.add(batch.len());
        progress.tell().await?;
    }
    Ok(())
}

/// A message that cannot be read sorts as if its header were empty.
async fn push(cx: &Reading<'_>, sorter: &mut Sorter, rows: &[Row]) {
    let none = SortKeys::default();
    let summaries = if sorter.needs_keys() { cx.live.summaries(rows).await } else { Vec::new() };
    for (at, row) in rows.iter().enumerate() {
        let summary = summaries.get(at).and_then(|summary| summary.as_ref().ok());
        sorter.push(row.uid.get(), row, summary.map_or(&none, |summary| summary.sort_keys()));
    }
}

fn criterion(criterion: &SortCriterion) -> Criterion {
    let by = match criterion.key {
        SortKey::Arrival => By::Arrival,
        SortKey::Cc => By::Cc,
        SortKey::Date => By::Date,
        SortKey::From => By::From,
        SortKey::Size => By::Size,
        SortKey::Subject => By::Subject,
        SortKey::To => By::To,
        SortKey::DisplayFrom => By::DisplayFrom,
        SortKey::DisplayTo => By::DisplayTo,
    };
    Criterion { by, reverse: criterion.reverse }
}
