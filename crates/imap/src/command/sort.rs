//! SORT: which messages match, in order.
//!
//! RFC 5256 §3; RETURN: RFC 5267 §3; DISPLAYFROM and DISPLAYTO: RFC 5957.

use std::sync::Arc;

use account::memo::Order;
use base::Uid;
use mailbox::Row;
use mailbox::sort::{By, Criterion, Sorter};
use message::SortKeys;
use wire::command::Sort;
use wire::value::{Numbering, SortCriterion, SortKey};

use super::search::{self, Extended};
use crate::context::{Reading, Selected};
use crate::error::{Done, No};
use crate::progress::Progress;

/// Messages whose summaries are looked up together.
const BATCH: usize = 512;

/// Runs the command.
pub async fn run(cx: &mut Selected<'_>, args: Sort) -> Result<Done, No> {
    let with_mod_seq = search::begin(cx, &args.key);
    let found = search::find_or_forget(cx, &args.key, args.returns).await?;
    let (reading, mut progress) = cx.long_work();
    progress.aim(u64::from(found.count));
    let order = sort(&reading, &mut progress, &found.uids, &args.criteria).await?;
    match args.returns.and_then(|returns| search::returns(cx, Some(returns))) {
        None => {
            cx.out.tail().extend_from_slice(b"* SORT");
            for uid in order {
                if let Some(number) = search::number(cx, args.numbering, uid) {
                    search::append_number(cx, number);
                    cx.out.flow().await?;
                }
            }
            search::end_plain(cx, &found, with_mod_seq);
        }
        Some(returns) => {
            // RFC 5267 §3.1: MIN and MAX are the first and the last in sort order.
            let ends = (order.first().copied(), order.last().copied());
            search::save(cx, returns, &found, ends);
            let all = returns.all.then(|| in_order(cx, args.numbering, &order));
            let answer = Extended { found: &found, ends, all, with_mod_seq };
            search::extended(cx, args.numbering, returns, answer);
        }
    }
    Ok(Done::new("SORT completed"))
}

/// A set that keeps its order (RFC 5267 §3.2): ascending runs become ranges.
fn in_order(cx: &Selected<'_>, numbering: Numbering, order: &[Uid]) -> String {
    use std::fmt::Write;
    let numbers = order.iter().filter_map(|&uid| search::number(cx, numbering, uid));
    let numbers: Vec<u32> = numbers.collect();
    let mut text = String::new();
    for run in numbers.chunk_by(|a, b| a.checked_add(1) == Some(*b)) {
        let comma = if text.is_empty() { "" } else { "," };
        let _ = match run {
            [only] => write!(text, "{comma}{only}"),
            [first, .., last] => write!(text, "{comma}{first}:{last}"),
            [] => Ok(()),
        };
    }
    text
}

/// Fewer messages are sorted on their own.
const KEPT_MIN: usize = 256;

async fn sort(
    cx: &Reading<'_>,
    progress: &mut Progress<'_>,
    uids: &base::UidSet,
    criteria: &[SortCriterion],
) -> Result<Vec<Uid>, No> {
    let criteria: Vec<Criterion> = criteria.iter().map(criterion).collect();
    if let Some(order) = whole(cx, progress, uids.len(), &criteria).await? {
        let all = order.sorter.numbers().filter_map(Uid::new);
        let picked: Vec<Uid> = all.filter(|&uid| uids.contains(uid)).collect();
        // It may be that of another session, which knew that some of them are gone.
        if picked.len() as u64 == uids.len() {
            return Ok(picked);
        }
    }
    let mut sorter = Sorter::new(criteria);
    let rows: Vec<Row> = cx.mailbox.view.rows(uids).map(|(_, row)| row).collect();
    add(cx, progress, &mut sorter, &rows).await?;
    Ok(sorter.finish().into_iter().filter_map(Uid::new).collect())
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
