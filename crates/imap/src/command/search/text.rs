//! Text keys: messages are read in bounded memory, and only as far as it matters.

use std::ops::ControlFlow;
use std::sync::Arc;

use mailbox::Row;
use mailbox::search::Verdict;
use message::search::Scan;
use storage::Error;

use super::groups::{Groups, Works, is_small};
use super::judge::{Candidate, Case, Judge};
use crate::context::Reading;
use crate::error::No;
use crate::progress::Progress;

/// Which of `candidates` match; `found` gets them in order.
pub(super) async fn scan(
    cx: &Reading<'_>,
    progress: &mut Progress<'_>,
    (judge, case): (&Arc<Judge>, &mut Case),
    candidates: &[Candidate],
    mut found: impl FnMut(&Row),
) -> Result<(), No> {
    let works: Works<Candidate, bool> = {
        let judge = judge.clone();
        Arc::new(move || {
            let (judge, mut case) = (judge.clone(), judge.case());
            Box::new(move |candidate, message| judge.read(&mut case, candidate, message))
        })
    };
    let mut groups = Groups::new(cx, candidates, |candidate| &candidate.row, works);
    while let Some((group, mut read)) = groups.next().await {
        for candidate in group {
            let matches = match is_small(&candidate.row) {
                true => read.next().copied(),
                false => stream(cx, (judge, case), candidate).await,
            };
            if matches_anyway(cx, (judge, case), candidate, matches)? {
                found(&candidate.row);
            }
        }
        progress.add(group.len());
        progress.tell().await?;
    }
    Ok(())
}

/// A damaged message has no text; it is logged.
fn matches_anyway(
    cx: &Reading<'_>,
    (judge, case): (&Judge, &mut Case),
    candidate: &Candidate,
    matches: Result<bool, Error>,
) -> Result<bool, No> {
    match matches {
        Err(Error::Damaged(why)) => {
            let (account, uid) = (cx.live.id(), candidate.row.uid);
            tracing::error!(%account, %uid, why, "message cannot be searched");
            Ok(judge.unreadable(case, candidate))
        }
        matches => Ok(matches?),
    }
}

/// Whether a message matches that is too large to be held.
async fn stream(
    cx: &Reading<'_>,
    (judge, case): (&Judge, &mut Case),
    candidate: &Candidate,
) -> Result<bool, Error> {
    judge.recall(case, &candidate.row);
    for headers_only in [true, false] {
        match judge.ask(case, candidate, headers_only) {
            ControlFlow::Break(matches) => return Ok(matches),
            ControlFlow::Continue(None) => {}
            ControlFlow::Continue(Some(scan)) => {
                let read = feed(cx, &candidate.row, scan).await;
                // Also after an error: the next message is another.
                case.learn();
                read?;
            }
        }
    }
    Ok(judge.judge(case, candidate) == Verdict::Yes)
}

async fn feed(cx: &Reading<'_>, row: &Row, scan: &mut Scan) -> Result<(), Error> {
    let mut message = cx.shared.accounts.storage().open(cx.live.id(), row.position).await?;
    while !scan.is_decided() {
        match message.next().await? {
            Some(bytes) => scan.feed(&bytes),
            None => break,
        }
    }
    Ok(())
}
