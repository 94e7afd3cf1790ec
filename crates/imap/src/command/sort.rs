//! SORT: which messages match, in order.
//!
//! RFC 5256 §3; RETURN: RFC 5267 §3; DISPLAYFROM and DISPLAYTO: RFC 5957.

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
const BATCH: usize = 64;

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

async fn sort(
    cx: &Reading<'_>,
    progress: &mut Progress<'_>,
    uids: &base::UidSet,
    criteria: &[SortCriterion],
) -> Result<Vec<Uid>, No> {
    let mut sorter = Sorter::new(criteria.iter().map(criterion).collect());
    let mut batch = Vec::with_capacity(BATCH);
    for (_, row) in cx.mailbox.view.rows(uids) {
        batch.push(row);
        if batch.len() == BATCH {
            push(cx, &mut sorter, &batch).await;
            progress.add(batch.len());
            progress.tell().await?;
            batch.clear();
        }
    }
    push(cx, &mut sorter, &batch).await;
    progress.add(batch.len());
    progress.tell().await?;
    Ok(sorter.finish().into_iter().filter_map(Uid::new).collect())
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
