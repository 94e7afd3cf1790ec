//! FETCH of whole messages, `BODY.PEEK[]` above all: how clients download a mailbox.
//!
//! What is the same in all responses is written once, and a message passes from the storage's buffer
//! to the output without a look at its structure.

use bytes::Bytes;
use wire::command::FetchItem;
use wire::response::fetch::{self, SectionName};
use wire::value::SectionText;

use super::plan::Plan;
use super::{Bodies, Target, Trouble, is_in_memory, items, source};
use crate::context::Selected;
use crate::error::No;

/// A FETCH of whole messages and columns.
pub(super) struct WholeMessages<'a> {
    items: Vec<Item<'a>>,
}

enum Item<'a> {
    Column(&'a FetchItem),
    /// The message, and how the answer names it.
    Message(Vec<u8>),
}

impl<'a> WholeMessages<'a> {
    /// `None` if the plan asks for anything else, or sets `\Seen`.
    pub(super) fn new(plan: &Plan<'a>, read_only: bool) -> Option<Self> {
        if !plan.needs_bytes || plan.needs_summary || (plan.sets_seen && !read_only) {
            return None;
        }
        let items = plan.items.iter().map(|&item| Item::new(item));
        Some(Self { items: items.collect::<Option<_>>()? })
    }

    /// Answers a group whose bytes were read.
    pub(super) async fn answer(
        &self,
        cx: &mut Selected<'_>,
        plan: &Plan<'_>,
        (group, bodies): (Vec<Target>, Bodies),
        trouble: &mut Trouble,
    ) -> Result<(), No> {
        let mut bodies = bodies.into_iter();
        for target in group {
            let body = if is_in_memory(plan, &target.1) { bodies.next() } else { None };
            match body {
                Some(Ok(body)) => self.line(cx, &target, &body),
                // It streams, or it cannot be read.
                body => {
                    let body = body.into_iter().collect();
                    super::answer(cx, plan, (vec![target], body), trouble).await?;
                }
            }
            cx.out.flow().await?;
        }
        Ok(())
    }

    fn line(&self, cx: &mut Selected<'_>, (seq, row): &Target, message: &Bytes) {
        fetch::open(cx.out.tail(), *seq);
        for (nth, item) in self.items.iter().enumerate() {
            if nth > 0 {
                cx.out.tail().push(b' ');
            }
            match item {
                // Only columns are made [`Item::Column`].
                Item::Column(item) => {
                    items::small(cx, row, item);
                }
                Item::Message(label) => {
                    cx.out.tail().extend_from_slice(label);
                    source::announce(cx, message.len() as u64, false);
                    cx.out.bytes(message.clone());
                }
            }
        }
        cx.out.tail().extend_from_slice(b")\r\n");
    }
}

impl<'a> Item<'a> {
    fn new(item: &'a FetchItem) -> Option<Self> {
        match item {
            item if items::is_small(item) => Some(Self::Column(item)),
            FetchItem::Rfc822 => Some(Self::Message(b"RFC822 ".to_vec())),
            FetchItem::BodySection { section, partial: None, .. }
                if section.path.is_empty() && section.text == SectionText::Whole =>
            {
                let mut label = Vec::new();
                fetch::section_name(&mut label, SectionName::Body(section), None);
                label.push(b' ');
                Some(Self::Message(label))
            }
            _ => None,
        }
    }
}
