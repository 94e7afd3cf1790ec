//! FETCH of what is kept beside the messages: flags and other columns, ENVELOPE, BODYSTRUCTURE,
//! header fields.
//!
//! Nothing is allocated for a message, and while some are written, what the next ones need is read.
//! What is not kept yet is made from the message, and kept for the next time.

use account::Live;
use base::{Uid, UidSet};
use bytes::Bytes;
use futures_util::future::join;
use mailbox::Row;
use message::printed;
use storage::{Extract, Extracts};
use wire::command::FetchItem;
use wire::response::fetch::{self, SectionName};
use wire::value::{Partial, SectionText};

use super::plan::Plan;
use super::{Target, Trouble, fields, items, kept, make};
use crate::context::Selected;
use crate::error::No;

/// Messages that are looked up together.
const GROUP_ROWS: usize = 512;

/// A FETCH whose items are all kept beside the messages.
pub(super) struct Quick<'a> {
    items: Vec<Item<'a>>,
    summary: Option<Extract>,
    header: Option<Extract>,
}

enum Item<'a> {
    Column(&'a FetchItem),
    Printed(&'static [u8], printed::Item),
    /// What of the header, how the answer names it, and which octets of it.
    Header(Choice<'a>, Vec<u8>, Option<Partial>),
}

#[derive(Clone, Copy)]
enum Choice<'a> {
    Whole,
    Fields(&'a [Bytes], bool),
    Kept(kept::Mask),
}

/// What was read for a group, or made where it was not kept.
#[derive(Default)]
struct Found {
    summaries: Pieces,
    headers: Pieces,
}

#[derive(Default)]
struct Pieces {
    kept: Extracts,
    /// For those that are not kept; none at all if all are.
    made: Vec<Option<Bytes>>,
}

impl<'a> Quick<'a> {
    /// `None` if the plan needs more than what is kept, or sets `\Seen`.
    pub(super) fn new(plan: &Plan<'a>, read_only: bool) -> Option<Self> {
        if plan.sets_seen && !read_only {
            return None;
        }
        let items: Option<Vec<_>> = plan.items.iter().map(|&item| Item::new(item)).collect();
        let mut quick = Self { items: items?, summary: None, header: None };
        for item in &quick.items {
            match item {
                Item::Column(_) => {}
                Item::Printed(_, printed::Item::Envelope) => {
                    quick.summary = Some(Extract::Summary);
                }
                Item::Printed(..) => {
                    let _ = quick.summary.get_or_insert(Extract::Structure);
                }
                Item::Header(Choice::Kept(_), ..) => {
                    let _ = quick.header.get_or_insert(Extract::Fields);
                }
                Item::Header(..) => quick.header = Some(Extract::Header),
            }
        }
        if quick.header == Some(Extract::Header) {
            quick.items.iter_mut().zip(&plan.items).for_each(|(item, asked)| item.of_whole(asked));
        }
        Some(quick)
    }

    /// Answers all of `targets`, which the client numbers.
    pub(super) async fn run(
        &self,
        cx: &mut Selected<'_>,
        plan: &Plan<'_>,
        targets: &UidSet,
        trouble: &mut Trouble,
    ) -> Result<(), No> {
        let (shared, live) = (cx.shared, cx.live);
        let mut next = targets.first();
        let mut group = rows(cx, targets, &mut next);
        let mut found = self.read(live, &group).await;
        loop {
            // What does not fit into one answer is asked for again.
            if let Some((_, row)) = group.get(found.answered(self, group.len())) {
                next = Some(row.uid);
                group.truncate(found.answered(self, group.len()));
            }
            if group.is_empty() {
                return Ok(());
            }
            shared.go_on()?;
            let ahead = rows(cx, targets, &mut next);
            // In this order: the storage is at work while this thread writes.
            let reads = self.read(live, &ahead);
            let (read, written) = join(reads, self.write(cx, plan, &group, &found, trouble)).await;
            written?;
            (group, found) = (ahead, read);
        }
    }

    /// Reads what the items need, and makes what is not kept.
    async fn read(&self, live: &Live, group: &[Target]) -> Found {
        let rows: Vec<Row> = match (self.summary, self.header) {
            (None, None) => return Found::default(),
            _ => group.iter().map(|&(_, row)| row).collect(),
        };
        let kept = |what: Option<Extract>| async move {
            let Some(what) = what else { return Extracts::default() };
            live.extracts(what, group.iter().map(|(_, row)| row.position).collect()).await
        };
        let (summaries, headers) = join(kept(self.summary), kept(self.header)).await;
        let mut found = Found {
            summaries: Pieces { kept: summaries, made: Vec::new() },
            headers: Pieces { kept: headers, made: Vec::new() },
        };
        let rows = &rows[..found.answered(self, rows.len())];
        if let Some(what) = self.summary {
            let (lacking, at) = found.summaries.lacking(rows, printed::is_current);
            if !lacking.is_empty() {
                found.summaries.add(rows.len(), at, make::summaries(live, what, &lacking).await);
            }
        }
        if let Some(what) = self.header {
            let (lacking, at) = found.headers.lacking(rows, kept::is_current);
            if !lacking.is_empty() {
                found.headers.add(rows.len(), at, make::headers(live, what, &lacking).await);
            }
        }
        found
    }

    async fn write(
        &self,
        cx: &mut Selected<'_>,
        plan: &Plan<'_>,
        group: &[Target],
        found: &Found,
        trouble: &mut Trouble,
    ) -> Result<(), No> {
        for (nth, target) in group.iter().enumerate() {
            if !self.line(cx, target, found.summaries.get(nth), found.headers.get(nth)) {
                // Damaged, or too large to be kept.
                super::answer_apart(cx, plan, &[*target], trouble).await?;
            }
            if cx.out.is_full() {
                cx.out.flow().await?;
            }
        }
        Ok(())
    }

    /// Writes one response; false, and nothing written, if something that it needs is not there.
    fn line(
        &self,
        cx: &mut Selected<'_>,
        (seq, row): &Target,
        summary: Option<&[u8]>,
        header: Option<&[u8]>,
    ) -> bool {
        let begun = cx.out.tail().len();
        fetch::open(cx.out.tail(), *seq);
        for (nth, item) in self.items.iter().enumerate() {
            if nth > 0 {
                cx.out.tail().push(b' ');
            }
            let written = match item {
                Item::Column(item) => items::small(cx, row, item),
                Item::Printed(label, item) => {
                    let utf8 = cx.out.encoding().utf8;
                    let tail = cx.out.tail();
                    tail.extend_from_slice(label);
                    summary.is_some_and(|summary| match self.summary {
                        Some(Extract::Structure) => {
                            printed::print_structure(summary, *item, utf8, tail)
                        }
                        _ => printed::print(summary, *item, utf8, tail),
                    })
                }
                Item::Header(choice, label, partial) => {
                    let tail = cx.out.tail();
                    tail.extend_from_slice(label);
                    header.and_then(|header| choice.print(header, *partial, tail)).is_some()
                }
            };
            if !written {
                cx.out.tail().truncate(begun);
                return false;
            }
        }
        cx.out.tail().extend_from_slice(b")\r\n");
        true
    }
}

/// The next rows of `targets` from `next` on.
pub(super) fn rows(cx: &Selected<'_>, targets: &UidSet, next: &mut Option<Uid>) -> Vec<Target> {
    let Some(from) = *next else { return Vec::new() };
    let (mut some, mut room) = (UidSet::new(), GROUP_ROWS as u32);
    let ranges = targets.ranges();
    *next = None;
    for &(first, last) in &ranges[ranges.partition_point(|&(_, last)| last < from)..] {
        let first = first.max(from);
        if room == 0 {
            *next = Some(first);
            break;
        }
        let end = Uid::new(first.get().saturating_add(room - 1)).map_or(last, |end| end.min(last));
        some.insert_range(first, end);
        room -= end.get() - first.get() + 1;
        if end < last {
            *next = end.next();
            break;
        }
    }
    cx.mailbox.view.collect_rows(&some)
}

impl Found {
    /// How many messages of the group have their answers.
    fn answered(&self, quick: &Quick<'_>, group: usize) -> usize {
        let summaries = quick.summary.map_or(group, |_| self.summaries.kept.len());
        let headers = quick.header.map_or(group, |_| self.headers.kept.len());
        summaries.min(headers).min(group)
    }
}

impl Pieces {
    fn get(&self, nth: usize) -> Option<&[u8]> {
        match self.made.get(nth) {
            Some(Some(made)) => Some(made),
            _ => self.kept.get(nth),
        }
    }

    /// Rows of which nothing of this version is kept, and which of `rows` they are.
    fn lacking(&self, rows: &[Row], is_current: fn(&[u8]) -> bool) -> (Vec<Row>, Vec<usize>) {
        let has = |nth| self.kept.get(nth).is_some_and(is_current);
        rows.iter().zip(0..).filter(|&(_, nth)| !has(nth)).map(|(&row, nth)| (row, nth)).unzip()
    }

    fn add(&mut self, rows: usize, at: Vec<usize>, made: Vec<Option<Bytes>>) {
        self.made.resize(rows, None);
        for (nth, made) in at.into_iter().zip(made) {
            self.made[nth] = made;
        }
    }
}

impl<'a> Item<'a> {
    fn new(item: &'a FetchItem) -> Option<Self> {
        Some(match item {
            FetchItem::Envelope => Self::Printed(b"ENVELOPE ", printed::Item::Envelope),
            FetchItem::Body => Self::Printed(b"BODY ", printed::Item::Body),
            FetchItem::BodyStructure => {
                Self::Printed(b"BODYSTRUCTURE ", printed::Item::BodyStructure)
            }
            FetchItem::Rfc822Header => {
                Self::Header(Choice::Whole, b"RFC822.HEADER ".to_vec(), None)
            }
            FetchItem::BodySection { section, partial, .. } if section.path.is_empty() => {
                let choice = match &section.text {
                    SectionText::Header => Choice::Whole,
                    SectionText::HeaderFields { not: false, fields } => {
                        kept::Mask::new(fields).map_or(Choice::Fields(fields, false), Choice::Kept)
                    }
                    SectionText::HeaderFields { not, fields } => Choice::Fields(fields, *not),
                    _ => return None,
                };
                let mut label = Vec::new();
                let offset = partial.map(|partial| partial.offset);
                fetch::section_name(&mut label, SectionName::Body(section), offset);
                label.push(b' ');
                Self::Header(choice, label, *partial)
            }
            item if items::is_small(item) => Self::Column(item),
            _ => return None,
        })
    }

    /// Another item needs the whole header: then this one is made from it too.
    fn of_whole(&mut self, item: &'a FetchItem) {
        if let (Self::Header(choice, ..), FetchItem::BodySection { section, .. }) = (self, item)
            && let SectionText::HeaderFields { not, fields } = &section.text
        {
            *choice = Choice::Fields(fields, *not);
        }
    }
}

impl Choice<'_> {
    /// Writes what is wanted of a header that was kept as a string; `None` if it is of another
    /// version.
    fn print(self, kept: &[u8], partial: Option<Partial>, out: &mut Vec<u8>) -> Option<()> {
        match self {
            Self::Whole => string(kept::header(kept)?, partial, out),
            Self::Kept(mask) if partial.is_none() => {
                let records = kept::chosen(kept, mask)?;
                announce(records.clone().map(<[u8]>::len).sum(), out);
                records.for_each(|lines| out.extend_from_slice(lines));
            }
            Self::Kept(mask) => {
                string(&kept::chosen(kept, mask)?.collect::<Vec<_>>().concat(), partial, out);
            }
            Self::Fields(names, not) => {
                let mut chosen = Vec::new();
                fields::select(kept::header(kept)?, names, not, &mut chosen);
                string(&chosen, partial, out);
            }
        }
        Some(())
    }
}

fn string(bytes: &[u8], partial: Option<Partial>, out: &mut Vec<u8>) {
    let length = bytes.len() as u64;
    let (skip, take) = partial.map_or((0, length), |partial| (partial.offset, partial.length));
    let from = skip.min(length);
    // Both ends are at most the length, which is a usize.
    let wanted = &bytes[from as usize..(from + take.min(length - from)) as usize];
    announce(wanted.len(), out);
    out.extend_from_slice(wanted);
}

fn announce(length: usize, out: &mut Vec<u8>) {
    match length {
        0 => out.extend_from_slice(b"\"\""),
        _ => fetch::literal_header(out, false, length as u64),
    }
}
