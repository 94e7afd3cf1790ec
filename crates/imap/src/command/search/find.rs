//! Finding messages: columns first, then sent dates in batches, then text message by message.

use std::sync::Arc;

use base::UidSet;
use mailbox::Row;
use mailbox::search::{Plan, Split, Verdict};
use wire::value::SearchKey;

use super::judge::{Candidate, Case, Judge};
use super::{resolve, text};
use crate::context::Reading;
use crate::error::No;
use crate::progress::Progress;
use crate::session::yield_now;

/// Undecided messages that are worth asking the index about.
const NARROWED_MIN: u64 = 256;
/// Undecided messages that are collected before they are read, two megabytes of them: nobody reads
/// while they are collected.
const BATCH: usize = 16 * 1024;
/// Messages whose summaries are looked up together.
const SUMMARIES: usize = 512;
/// Rows after which others may run: the longest program takes milliseconds for so many.
const ROWS_IN_A_ROW: usize = 256;

/// Finds the messages that match, among those the client numbers and that still exist.
pub(crate) async fn find(
    cx: &Reading<'_>,
    progress: &mut Progress<'_>,
    key: &SearchKey,
) -> Result<UidSet, No> {
    let view = &cx.mailbox.view;
    let key = resolve::resolve(cx.mailbox, key);
    let plan = Arc::new(Plan::new(key, view.mailbox().keywords(), cx.now()));
    if plan.is_nothing() {
        return Ok(UidSet::new());
    }
    let mailbox = view.mailbox();
    if let Some(found) = plan.few_unseen(mailbox, view.announced()) {
        return Ok(found);
    }
    let mut within = mailbox.uids_between(0, mailbox.rank(view.announced()));
    if let Some(candidates) = plan.candidates(&[]) {
        within = within.intersection(&candidates);
    }
    if plan.is_everything() {
        return Ok(within);
    }
    let mut judge = Judge::new(cx, &plan);
    let columns = split(cx, progress, &plan, &judge, &within).await?;
    let (mut found, mut open) = (columns.yes, columns.open);
    if !open.is_empty() && judge.look_up(cx, progress, open.len()).await? {
        let fields = split(cx, progress, &plan, &judge, &open).await?;
        (found, open) = (found.union(&fields.yes), fields.open);
    }
    // So many are worth asking the index for those that need not be looked at.
    if open.len() >= NARROWED_MIN && judge.narrow(cx).await {
        let indexed = split(cx, progress, &plan, &judge, &open).await?;
        (found, open) = (found.union(&indexed.yes), indexed.open);
    }
    progress.aim(open.len());
    if !open.is_empty() {
        found = found.union(&read(cx, progress, &plan, judge, &open).await?);
    }
    Ok(found)
}

/// Asks all that is known without reading, key by key, so many messages at once that others need not
/// wait.
async fn split(
    cx: &Reading<'_>,
    progress: &mut Progress<'_>,
    plan: &Plan,
    judge: &Judge,
    within: &UidSet,
) -> Result<Split, No> {
    let (view, mailbox) = (&cx.mailbox.view, cx.mailbox.view.mailbox());
    let mut all = Split::default();
    let (mut at, end) = match (within.first(), within.last()) {
        (Some(first), Some(last)) => (mailbox.rank(first), mailbox.rank(last) + 1),
        _ => (0, 0),
    };
    while at < end {
        let next = end.min(at.saturating_add(plan.messages_at_once()));
        let here = mailbox.uids_between(at, next).intersection(within);
        let split = plan.split(view, judge.looked_up(), &here);
        let add = |all: &mut UidSet, some: &UidSet| {
            some.ranges().iter().for_each(|&(first, last)| all.insert_range(first, last));
        };
        add(&mut all.yes, &split.yes);
        add(&mut all.open, &split.open);
        at = next;
        if at < end {
            progress.tell().await?;
            yield_now().await;
        }
    }
    Ok(all)
}

/// Decides the messages of `open` one by one, and reads those that nothing else decides.
async fn read(
    cx: &Reading<'_>,
    progress: &mut Progress<'_>,
    plan: &Plan,
    judge: Judge,
    open: &UidSet,
) -> Result<UidSet, No> {
    let mut found = UidSet::new();
    let judge = Arc::new(judge);
    let mut case = judge.case();
    let mut undecided = Vec::new();
    for (at, row) in cx.mailbox.view.mailbox().rows_in(open).enumerate() {
        if at % ROWS_IN_A_ROW == ROWS_IN_A_ROW - 1 {
            progress.tell().await?;
            yield_now().await;
        }
        match judge.verdict(&mut case, &row, None) {
            Verdict::No => progress.add(1),
            Verdict::Yes => {
                progress.add(1);
                found.insert(row.uid);
            }
            _ => undecided.push(row),
        }
        if undecided.len() == BATCH {
            decide(cx, progress, plan, (&judge, &mut case, &mut found), &undecided).await?;
            undecided.clear();
        }
    }
    decide(cx, progress, plan, (&judge, &mut case, &mut found), &undecided).await?;
    Ok(found)
}

/// Decides messages that their columns do not decide. A message that cannot be read has no text and
/// no date: it is logged, and matches what a message without them would.
async fn decide(
    cx: &Reading<'_>,
    progress: &mut Progress<'_>,
    plan: &Plan,
    (judge, case, found): (&Arc<Judge>, &mut Case, &mut UidSet),
    rows: &[Row],
) -> Result<(), No> {
    let mut candidates = Vec::new();
    for some in rows.chunks(SUMMARIES) {
        let summaries = if plan.asks_sent() { cx.live.summaries(some).await } else { Vec::new() };
        for (at, &row) in some.iter().enumerate() {
            let summary = summaries.get(at).and_then(|summary| summary.as_ref().ok());
            let date = summary.and_then(|summary| summary.sort_keys().date);
            let sent = plan.asks_sent().then(|| date.map(base::DateTime::date));
            match judge.verdict(case, &row, sent) {
                Verdict::Yes => found.insert(row.uid),
                Verdict::No | Verdict::NeedsSent => {}
                Verdict::NeedsContent => candidates.push(Candidate { row, sent }),
            }
        }
        if plan.asks_sent() {
            progress.tell().await?;
        }
    }
    progress.add(rows.len() - candidates.len());
    text::scan(cx, progress, (judge, case), &candidates, |row| found.insert(row.uid)).await
}
