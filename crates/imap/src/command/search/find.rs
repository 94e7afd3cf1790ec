//! Finding messages: columns first, then sent dates in batches, then text message by message.

use base::{ModSeq, Uid, UidSet};
use mailbox::Row;
use mailbox::search::{Facts, Plan, Verdict};
use wire::value::SearchKey;

use super::resolve;
use super::text::{self, Candidate};
use crate::context::Reading;
use crate::error::No;
use crate::progress::Progress;
use crate::session::yield_now;

/// Undecided messages whose summaries are looked up together.
const BATCH: usize = 256;
/// Rows after which others may run: the longest program takes milliseconds for so many.
const ROWS_IN_A_ROW: usize = 256;

/// What a search found.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// Which.
    pub(crate) uids: UidSet,
    /// How many.
    pub(crate) count: u32,
    /// The highest mod-sequence among them.
    pub(crate) highest: ModSeq,
}

impl Found {
    fn add(&mut self, row: &Row) {
        self.uids.insert(row.uid);
        self.count += 1;
        self.highest = self.highest.max(row.mod_seq);
    }
}

/// Finds the messages that match, among those the client numbers and that still exist.
pub(crate) async fn find(
    cx: &Reading<'_>,
    progress: &mut Progress<'_>,
    key: &SearchKey,
) -> Result<Found, No> {
    let view = &cx.mailbox.view;
    let key = resolve::resolve(cx.mailbox, key);
    let plan = Plan::new(key, view.mailbox().keywords(), cx.now());
    let mut found = Found::default();
    if plan.is_nothing() {
        return Ok(found);
    }
    let mut within = plan.candidates(&[]).unwrap_or_else(|| UidSet::range(Uid::MIN, Uid::MAX));
    if let Some((with, without)) = plan.flags() {
        within = within.intersection(&view.mailbox().uids_by_flags(with, without));
    }
    let count = || {
        let is_open = |row: &Row| {
            let facts = Facts { row, marks: view, sent: None, content: &[] };
            !matches!(plan.verdict(&facts), Verdict::Yes | Verdict::No)
        };
        view.mailbox().rows_in(&within).filter(is_open).count()
    };
    let mut undecided = Vec::with_capacity(BATCH);
    let mut scan = text::Scanner::new(&plan, &cx.shared.limits);
    scan.look_up(cx, progress, count).await?;
    if within.len().min(u64::from(view.exists())) >= BATCH as u64 {
        // So many are worth asking the index for those that need not be looked at.
        if let Some(narrower) = scan.narrow(cx).await {
            within = within.intersection(&narrower);
        }
    }
    progress.aim(within.len().min(u64::from(view.exists())));
    for (at, (_, row)) in view.rows(&within).enumerate() {
        if at % ROWS_IN_A_ROW == ROWS_IN_A_ROW - 1 {
            progress.tell().await?;
            yield_now().await;
        }
        let facts = Facts { row: &row, marks: view, sent: None, content: &[] };
        match plan.verdict(&facts) {
            Verdict::No => progress.add(1),
            _ if view.is_ghost(row.uid) => progress.add(1),
            Verdict::Yes => {
                progress.add(1);
                found.add(&row);
            }
            _ => match scan.verdict(cx, &row, None) {
                Verdict::No => progress.add(1),
                Verdict::Yes => {
                    progress.add(1);
                    found.add(&row);
                }
                _ => undecided.push(row),
            },
        }
        if undecided.len() == BATCH {
            decide(cx, progress, &plan, (&mut scan, &mut found), &undecided).await?;
            undecided.clear();
        }
    }
    decide(cx, progress, &plan, (&mut scan, &mut found), &undecided).await?;
    Ok(found)
}

/// Decides messages that their columns do not decide. A message that cannot be read has no text and
/// no date: it is logged, and matches what a message without them would.
async fn decide(
    cx: &Reading<'_>,
    progress: &mut Progress<'_>,
    plan: &Plan,
    (scan, found): (&mut text::Scanner<'_>, &mut Found),
    rows: &[Row],
) -> Result<(), No> {
    let summaries = if plan.asks_sent() { cx.live.summaries(rows).await } else { Vec::new() };
    let mut candidates = Vec::new();
    for (at, &row) in rows.iter().enumerate() {
        let summary = summaries.get(at).and_then(|summary| summary.as_ref().ok());
        let date = summary.and_then(|summary| summary.sort_keys().date);
        let sent = plan.asks_sent().then(|| date.map(base::DateTime::date));
        match scan.verdict(cx, &row, sent) {
            Verdict::Yes => found.add(&row),
            Verdict::No | Verdict::NeedsSent => {}
            Verdict::NeedsContent => candidates.push(Candidate { row, sent }),
        }
    }
    progress.add(rows.len() - candidates.len());
    scan.scan(cx, progress, &candidates, |row| found.add(row)).await
}
