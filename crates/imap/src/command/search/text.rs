//! Text keys: messages are read in bounded memory, and only as far as it matters.

use std::pin::Pin;

use base::{Date, Limits, UidSet};
use bytes::Bytes;
use futures_util::future::{MaybeDone, maybe_done};
use mailbox::search::{Content, Facts, Plan, Texts, Verdict};
use mailbox::{Position, Row};
use message::search::{Needle, Scan, Want};
use storage::{Error, Task};

use super::column;
use crate::context::Reading;
use crate::error::No;
use crate::progress::Progress;

/// Octets of messages that are held at once; a larger message streams.
const HELD_BYTES: u64 = 256 * 1024;

/// A message whose columns and sent date do not decide.
pub(super) struct Candidate {
    pub(super) row: Row,
    /// The day of its `Date:` field, if it was looked up.
    pub(super) sent: Option<Option<Date>>,
}

/// Answers text keys, message by message.
pub(super) struct Scanner<'a> {
    plan: &'a Plan,
    wants: Vec<Want>,
    limits: &'a Limits,
    /// For each want the messages that have it, where that was looked up.
    columns: Vec<Option<UidSet>>,
    /// For each want the messages that may have it, where the index tells.
    candidates: Vec<Option<UidSet>>,
    /// Of the message at hand: what is known, and what is needed.
    known: Vec<Option<bool>>,
    needed: Vec<bool>,
}

impl<'a> Scanner<'a> {
    pub(super) fn new(plan: &'a Plan, limits: &'a Limits) -> Self {
        let wants: Vec<Want> = plan.contents().iter().map(want).collect();
        let (known, needed) = (vec![None; wants.len()], vec![false; wants.len()]);
        let (columns, candidates) = (Vec::new(), Vec::new());
        Self { plan, wants, limits, columns, candidates, known, needed }
    }

    /// Looks up header keys for the whole mailbox where that is worth while; `undecided` is how many
    /// messages depend on their text. Returns whether any was.
    pub(super) async fn look_up(
        &mut self,
        cx: &Reading<'_>,
        progress: &mut Progress<'_>,
        undecided: u64,
    ) -> Result<bool, No> {
        self.columns = column::answers(cx, progress, self.plan, undecided).await?;
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

    /// What is known of a message without reading it.
    pub(super) fn verdict(
        &mut self,
        cx: &Reading<'_>,
        row: &Row,
        sent: Option<Option<Date>>,
    ) -> Verdict {
        self.recall(row);
        let marks = &cx.mailbox.view;
        self.plan.verdict(&Facts { row, marks, sent, content: &self.known })
    }

    /// Begins with a message: what was looked up, and what the index excludes, is known.
    fn recall(&mut self, row: &Row) {
        self.known.fill(None);
        for (known, found) in self.known.iter_mut().zip(&self.columns) {
            *known = found.as_ref().map(|found| found.contains(row.uid));
        }
        for (known, candidates) in self.known.iter_mut().zip(&self.candidates) {
            if candidates.as_ref().is_some_and(|candidates| !candidates.contains(row.uid)) {
                *known = Some(false);
            }
        }
    }

    /// Which of `candidates` match; `found` gets them in order.
    pub(super) async fn scan(
        &mut self,
        cx: &Reading<'_>,
        progress: &mut Progress<'_>,
        candidates: &[Candidate],
        mut found: impl FnMut(&Row),
    ) -> Result<(), No> {
        let mut groups = Groups::new(cx, candidates, |candidate| &candidate.row);
        while let Some((group, read)) = groups.next().await {
            let mut read = read.into_iter();
            for candidate in group {
                let bytes = match is_small(&candidate.row) {
                    true => read.next().transpose(),
                    false => Ok(None),
                };
                if self.matches(cx, candidate, bytes).await? {
                    found(&candidate.row);
                }
            }
            progress.add(group.len());
            progress.tell().await?;
        }
        Ok(())
    }

    /// A damaged message has no text; it is logged.
    async fn matches(
        &mut self,
        cx: &Reading<'_>,
        candidate: &Candidate,
        bytes: Result<Option<Bytes>, Error>,
    ) -> Result<bool, No> {
        let result = match bytes {
            Ok(bytes) => self.ask(cx, candidate, bytes.as_ref()).await,
            Err(error) => Err(error),
        };
        match result {
            Ok(matches) => Ok(matches),
            Err(Error::Damaged(why)) => {
                let (account, uid) = (cx.live.id(), candidate.row.uid);
                tracing::error!(%account, %uid, why, "message cannot be searched");
                self.known.fill(Some(false));
                Ok(self.judge(cx, candidate) == Verdict::Yes)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// First what the header answers, then the rest if it still matters.
    async fn ask(
        &mut self,
        cx: &Reading<'_>,
        candidate: &Candidate,
        bytes: Option<&Bytes>,
    ) -> Result<bool, Error> {
        self.recall(&candidate.row);
        for headers_only in [true, false] {
            match self.judge(cx, candidate) {
                Verdict::Yes => return Ok(true),
                Verdict::No | Verdict::NeedsSent => return Ok(false),
                Verdict::NeedsContent => {}
            }
            let facts = facts(cx, candidate, &self.known);
            self.plan.needed(&facts, &mut self.needed);
            let asked: Vec<usize> = (0..self.wants.len())
                .filter(|&at| self.needed[at])
                .filter(|&at| !headers_only || self.plan.contents()[at].is_header())
                .collect();
            if asked.is_empty() {
                continue;
            }
            let wants = asked.iter().map(|&at| self.wants[at].clone()).collect();
            let mut scan = Scan::with_documents(wants, self.limits, cx.shared.documents.clone());
            match bytes {
                Some(bytes) => scan.feed(bytes),
                None => stream(cx, &candidate.row, &mut scan).await?,
            }
            for (at, answer) in asked.into_iter().zip(scan.finish()) {
                self.known[at] = Some(answer);
            }
        }
        Ok(self.judge(cx, candidate) == Verdict::Yes)
    }

    fn judge(&self, cx: &Reading<'_>, candidate: &Candidate) -> Verdict {
        self.plan.verdict(&facts(cx, candidate, &self.known))
    }
}

fn facts<'f>(
    cx: &'f Reading<'_>,
    candidate: &'f Candidate,
    known: &'f [Option<bool>],
) -> Facts<'f, mailbox::View> {
    let Candidate { row, sent } = candidate;
    Facts { row, marks: &cx.mailbox.view, sent: *sent, content: known }
}

async fn stream(cx: &Reading<'_>, row: &Row, scan: &mut Scan) -> Result<(), Error> {
    let mut message = cx.shared.accounts.storage().open(cx.live.id(), row.position).await?;
    while !scan.is_decided() {
        match message.next().await? {
            Some(bytes) => scan.feed(&bytes),
            None => break,
        }
    }
    Ok(())
}

pub(super) fn is_small(row: &Row) -> bool {
    u64::from(row.size) <= HELD_BYTES
}

/// Reads messages in groups that may be held at once, neighbours together. While one group is looked
/// at, the storage reads the next.
pub(super) struct Groups<'a, T> {
    cx: Reading<'a>,
    row: fn(&T) -> &Row,
    rest: &'a [T],
    ahead: Option<Ahead<'a, T>>,
}

/// A group, and its small messages on their way.
type Ahead<'a, T> = (&'a [T], MaybeDone<Task<'a, Vec<Result<Bytes, Error>>>>);

impl<'a, T> Groups<'a, T> {
    pub(super) fn new(cx: &Reading<'a>, all: &'a [T], row: fn(&T) -> &Row) -> Self {
        let mut groups = Self { cx: *cx, row, rest: all, ahead: None };
        groups.ahead = groups.begin();
        groups
    }

    fn begin(&mut self) -> Option<Ahead<'a, T>> {
        let mut octets = 0;
        let fits = |one: &&T| {
            octets += u64::from((self.row)(one).size);
            octets <= HELD_BYTES
        };
        let count = self.rest.iter().take_while(fits).count().max(1).min(self.rest.len());
        let (group, rest) = self.rest.split_at(count);
        self.rest = rest;
        let small = group.iter().map(self.row).filter(|row| is_small(row));
        let at: Vec<Position> = small.map(|row| row.position).collect();
        let storage = self.cx.shared.accounts.storage();
        let read = (!group.is_empty()).then(|| storage.messages(self.cx.live.id(), at));
        read.map(|read| (group, maybe_done(read)))
    }

    /// The next group and its small messages in order.
    pub(super) async fn next(&mut self) -> Option<(&'a [T], Vec<Result<Bytes, Error>>)> {
        let (group, mut read) = self.ahead.take()?;
        (&mut read).await;
        self.ahead = self.begin();
        if let Some((_, ahead)) = &mut self.ahead {
            // Begins to read.
            let _ = futures_util::poll!(ahead);
        }
        Some((group, Pin::new(&mut read).take_output().unwrap_or_default()))
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
