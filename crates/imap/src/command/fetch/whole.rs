//! FETCH of whole messages, `BODY.PEEK[]` above all: how clients download a mailbox.
//!
//! The text around the messages is written first. The storage decodes them in between, on threads of
//! its own, and what it answers goes to the client as it is.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Waker};

use base::UidSet;
use futures_util::future::{MaybeDone, maybe_done};
use mailbox::{Row, View};
use storage::{Run, Wrapping};
use wire::command::FetchItem;
use wire::response::fetch::{self, SectionName, literal_header};
use wire::value::SectionText;

use super::plan::Plan;
use super::{Target, Targets, Trouble, is_held, items};
use crate::context::Selected;
use crate::error::No;

/// Octets after which a group ends: one read and one thread's work for storage. With more, what was
/// decoded leaves the processor's cache before it is written; with less, threads wake each other more
/// often than that is worth.
const GROUP_OCTETS: u64 = 256 * 1024;
/// Groups in hand: one that is waited for or written, and one behind it. No read waits for another:
/// with one of them late, the other's thread is not idle.
const IN_HAND: usize = 2;

/// A FETCH of whole messages and columns.
pub(super) struct WholeMessages<'a> {
    front: &'a [&'a FetchItem],
    /// How the answer names the message.
    label: Vec<u8>,
    back: &'a [&'a FetchItem],
}

impl<'a> WholeMessages<'a> {
    /// `None` if the plan asks for anything else, or sets `\Seen`.
    pub(super) fn new(plan: &'a Plan<'_>, read_only: bool) -> Option<Self> {
        if plan.needs_summary || (plan.sets_seen && !read_only) {
            return None;
        }
        let at = plan.items.iter().position(|item| !items::is_small(item))?;
        let (front, rest) = plan.items.split_at(at);
        let (message, back) = rest.split_first()?;
        let label = label(message)?;
        back.iter().all(|item| items::is_small(item)).then_some(Self { front, label, back })
    }

    /// Answers all of `targets`.
    pub(super) async fn run(
        &self,
        cx: &mut Selected<'_>,
        plan: &Plan<'_>,
        targets: UidSet,
        trouble: &mut Trouble,
    ) -> Result<(), No> {
        let mut targets = Targets::new(targets, GROUP_OCTETS);
        let mut in_hand = VecDeque::with_capacity(IN_HAND);
        loop {
            while in_hand.len() < IN_HAND {
                let group = targets.group(cx);
                if group.is_empty() {
                    break;
                }
                let reading = Reading::begin(self.read(cx, &group));
                in_hand.push_back((group, reading));
            }
            let Some((group, reading)) = in_hand.pop_front() else { return Ok(()) };
            cx.shared.go_on()?;
            let runs = reading.end().await;
            // The one behind it is read meanwhile.
            self.answer(cx, plan, (&group, runs), trouble).await?;
        }
    }

    /// Begins to read a group.
    fn read(
        &self,
        cx: &Selected<'_>,
        group: &[Target],
    ) -> impl Future<Output = Vec<Run>> + Send + use<> {
        let (storage, account) = (cx.live.storage().clone(), cx.live.id());
        let view = (&cx.mailbox.view, cx.client.enabled.rev2);
        let mut wrapping = Wrapping::default();
        for target @ (_, row) in group.iter().filter(|(_, row)| is_held(row)) {
            let front = |out: &mut Vec<u8>| self.front(view, target, out);
            wrapping.push((row.position, row.size), front, |out| self.back(view, row, out));
        }
        async move {
            match wrapping.is_empty() {
                true => Vec::new(),
                false => storage.wrapped(account, wrapping).await,
            }
        }
    }

    fn front(&self, view: (&View, bool), (seq, row): &Target, out: &mut Vec<u8>) {
        fetch::open(out, *seq);
        for item in self.front {
            items::column(view, row, item, out);
            out.push(b' ');
        }
        out.extend_from_slice(&self.label);
        match row.size {
            0 => out.extend_from_slice(b"\"\""),
            size => literal_header(out, false, size.into()),
        }
    }

    fn back(&self, view: (&View, bool), row: &Row, out: &mut Vec<u8>) {
        for item in self.back {
            out.push(b' ');
            items::column(view, row, item, out);
        }
        out.extend_from_slice(b")\r\n");
    }

    async fn answer(
        &self,
        cx: &mut Selected<'_>,
        plan: &Plan<'_>,
        (mut group, runs): (&[Target], Vec<Run>),
        trouble: &mut Trouble,
    ) -> Result<(), No> {
        for run in runs {
            let (these, others) = group.split_at(run.count.min(group.len()));
            group = others;
            match run.bytes {
                Ok(bytes) => cx.out.bytes(bytes),
                // One of them cannot be read: the others can.
                Err(_) => super::answer_apart(cx, plan, these, trouble).await?,
            }
            cx.out.flow().await?;
        }
        // It streams.
        super::answer_apart(cx, plan, group, trouble).await
    }
}

/// A read that goes on without being waited for.
struct Reading<F: Future>(Pin<Box<MaybeDone<F>>>);

impl<F: Future> Reading<F> {
    fn begin(read: F) -> Self {
        let mut read = Box::pin(maybe_done(read));
        // Whoever waits for it asks again; until then nobody has to be woken.
        let _ = read.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        Self(read)
    }

    async fn end(mut self) -> F::Output
    where
        F::Output: Default,
    {
        (&mut self.0).await;
        self.0.as_mut().take_output().unwrap_or_default()
    }
}

fn label(item: &FetchItem) -> Option<Vec<u8>> {
    match item {
        FetchItem::Rfc822 => Some(b"RFC822 ".to_vec()),
        FetchItem::BodySection { section, partial: None, .. }
            if section.path.is_empty() && section.text == SectionText::Whole =>
        {
            let mut label = Vec::new();
            fetch::section_name(&mut label, SectionName::Body(section), None);
            label.push(b' ');
            Some(label)
        }
        _ => None,
    }
}
