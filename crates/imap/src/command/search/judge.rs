//! Whether a message matches: what was looked up, then its header, then the rest of it. Works on any
//! thread.

use std::ops::ControlFlow;
use std::sync::Arc;

use base::{Date, Limits, UidSet};
use mailbox::search::{Content, Facts, Plan, Texts, Verdict};
use mailbox::{Row, View};
use message::search::{Documents, Needle, Scan, Want};

use super::column;
use crate::context::Reading;
use crate::error::No;
use crate::progress::Progress;

/// A message whose columns and sent date do not decide.
#[derive(Clone, Copy)]
pub(super) struct Candidate {
    pub(super) row: Row,
    /// The day of its `Date:` field, if it was looked up.
    pub(super) sent: Option<Option<Date>>,
}

/// All that decides about messages, but for their text.
pub(super) struct Judge {
    plan: Arc<Plan>,
    wants: Vec<Want>,
    limits: Limits,
    documents: Option<Arc<dyn Documents>>,
    marks: View,
    /// For each want the messages that have it, where that was looked up.
    columns: Vec<Option<UidSet>>,
    /// For each want the messages that may have it, where the index tells.
    candidates: Vec<Option<UidSet>>,
}

/// What is known of the message at hand, and what is needed; one of each thread.
pub(super) struct Case {
    known: Vec<Option<bool>>,
    needed: Vec<bool>,
    scan: Scan,
}

impl Judge {
    pub(super) fn new(cx: &Reading<'_>, plan: &Arc<Plan>) -> Self {
        Self {
            plan: plan.clone(),
            wants: plan.contents().iter().map(want).collect(),
            limits: cx.shared.limits.clone(),
            documents: cx.shared.documents.clone(),
            marks: cx.mailbox.view.clone(),
            columns: Vec::new(),
            candidates: Vec::new(),
        }
    }

    /// Looks up header keys for the whole mailbox where that is worth while; `undecided` is how many
    /// messages depend on their text. Returns whether any was.
    pub(super) async fn look_up(
        &mut self,
        cx: &Reading<'_>,
        progress: &mut Progress<'_>,
        undecided: u64,
    ) -> Result<bool, No> {
        self.columns = column::answers(cx, progress, &self.plan, undecided).await?;
        Ok(self.columns.iter().any(Option::is_some))
    }

    /// What was looked up, and what the index knows.
    pub(super) fn looked_up(&self) -> Texts<'_> {
        Texts { has: &self.columns, may: &self.candidates }
    }

    /// Asks the text index, if there is one and something that it may know. Returns whether it does.
    pub(super) async fn narrow(&mut self, cx: &Reading<'_>) -> bool {
        let is_open = |nth: usize| self.columns.get(nth).is_none_or(Option::is_none);
        if let Some(index) = &cx.shared.index
            && (0..self.wants.len()).any(is_open)
        {
            let mailbox = (cx.mailbox.id, cx.mailbox.view.mailbox());
            self.candidates = index.candidates(cx.live.id(), mailbox, &self.wants).await;
        }
        self.candidates.iter().any(Option::is_some)
    }

    /// For messages that are judged one after the other.
    pub(super) fn case(&self) -> Case {
        let count = self.wants.len();
        let documents = self.documents.clone();
        let scan = Scan::with_documents(self.wants.clone(), &self.limits, documents);
        Case { known: vec![None; count], needed: vec![false; count], scan }
    }

    /// What is known of a message without reading it.
    pub(super) fn verdict(
        &self,
        case: &mut Case,
        row: &Row,
        sent: Option<Option<Date>>,
    ) -> Verdict {
        self.recall(case, row);
        self.judge(case, &Candidate { row: *row, sent })
    }

    /// Whether a message matches that is in memory.
    pub(super) fn read(&self, case: &mut Case, candidate: &Candidate, message: &[u8]) -> bool {
        self.recall(case, &candidate.row);
        for headers_only in [true, false] {
            match self.ask(case, candidate, headers_only) {
                ControlFlow::Break(matches) => return matches,
                ControlFlow::Continue(None) => {}
                ControlFlow::Continue(Some(scan)) => {
                    scan.feed(message);
                    case.learn();
                }
            }
        }
        self.judge(case, candidate) == Verdict::Yes
    }

    /// Whether one matches that cannot be read: it has no text.
    pub(super) fn unreadable(&self, case: &mut Case, candidate: &Candidate) -> bool {
        case.known.fill(Some(false));
        self.judge(case, candidate) == Verdict::Yes
    }

    /// Begins with a message: what was looked up, and what the index excludes, is known.
    pub(super) fn recall(&self, case: &mut Case, row: &Row) {
        case.known.fill(None);
        for (known, found) in case.known.iter_mut().zip(&self.columns) {
            *known = found.as_ref().map(|found| found.contains(row.uid));
        }
        for (known, candidates) in case.known.iter_mut().zip(&self.candidates) {
            if candidates.as_ref().is_some_and(|candidates| !candidates.contains(row.uid)) {
                *known = Some(false);
            }
        }
    }

    /// First what the header answers, then the rest if it still matters: whether the message matches,
    /// or what has to read it, from its first byte, before [`Case::learn`].
    pub(super) fn ask<'c>(
        &self,
        case: &'c mut Case,
        candidate: &Candidate,
        headers_only: bool,
    ) -> ControlFlow<bool, Option<&'c mut Scan>> {
        match self.judge(case, candidate) {
            Verdict::Yes => return ControlFlow::Break(true),
            Verdict::No | Verdict::NeedsSent => return ControlFlow::Break(false),
            Verdict::NeedsContent => {}
        }
        let Case { known, needed, scan } = case;
        let Candidate { row, sent } = candidate;
        let facts = Facts { row, marks: &self.marks, sent: *sent, content: known };
        self.plan.needed(&facts, needed);
        if headers_only {
            let contents = self.plan.contents().iter();
            needed.iter_mut().zip(contents).for_each(|(needed, key)| *needed &= key.is_header());
        }
        ControlFlow::Continue(needed.contains(&true).then(|| {
            scan.ask(|nth| needed[nth]);
            scan
        }))
    }

    /// What is known decides this far.
    pub(super) fn judge(&self, case: &Case, candidate: &Candidate) -> Verdict {
        let Candidate { row, sent } = candidate;
        let facts = Facts { row, marks: &self.marks, sent: *sent, content: &case.known };
        self.plan.verdict(&facts)
    }
}

impl Case {
    /// The message was read as far as it matters.
    pub(super) fn learn(&mut self) {
        let answers = self.scan.end().iter().zip(&self.needed);
        for (known, (&answer, _)) in
            self.known.iter_mut().zip(answers).filter(|(_, (_, needed))| **needed)
        {
            *known = Some(answer);
        }
    }
}

fn want(content: &Content) -> Want {
    match content {
        Content::Header { field, text } => {
            Want::Header { field: field.clone(), needle: Needle::new(text) }
        }
        Content::Body(text) => Want::Body(Needle::new(text)),
        Content::Text(text) => Want::Text(Needle::new(text)),
    }
}
