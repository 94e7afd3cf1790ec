//! One FETCH response: its items in the order asked.

use base::DateTime;
use mailbox::{Row, View};
use message::printed::Item;
use wire::command::FetchItem;
use wire::response::fetch::{self, SectionName, Small};
use wire::value::{Section, SectionText};

use super::plan::Plan;
use super::section::{self, Piece};
use super::{Message, Trouble, source};
use crate::context::Selected;
use crate::error::No;
use crate::sync;

/// Writes the response of one message.
pub(super) async fn write(
    cx: &mut Selected<'_>,
    plan: &Plan<'_>,
    message: &Message,
    trouble: &mut Trouble,
) -> Result<(), No> {
    fetch::open(cx.out.tail(), message.seq);
    let more: &[&FetchItem] = if message.newly_seen { &plan.when_seen } else { &[] };
    for (at, item) in plan.items.iter().chain(more).enumerate() {
        if at > 0 {
            cx.out.tail().push(b' ');
        }
        if !small(cx, &message.row, item) && !summarized(cx, message, item) {
            let whole = body(cx, message, item).await?;
            if let Err(error) = whole {
                let (account, uid) = (cx.live.id(), message.row.uid);
                tracing::error!(%account, %uid, %error, "message cannot be read");
                trouble.unreadable(cx, uid);
            }
        }
    }
    cx.out.tail().extend_from_slice(b")\r\n");
    Ok(())
}

/// Whether [`small`] writes it.
pub(super) fn is_small(item: &FetchItem) -> bool {
    matches!(
        item,
        FetchItem::Flags
            | FetchItem::Uid
            | FetchItem::ModSeq
            | FetchItem::InternalDate
            | FetchItem::Rfc822Size
            | FetchItem::EmailId
            | FetchItem::ThreadId
            | FetchItem::SaveDate
    )
}

/// Items of the columns.
pub(super) fn small(cx: &mut Selected<'_>, row: &Row, item: &FetchItem) -> bool {
    column((&cx.mailbox.view, cx.client.enabled.rev2), row, item, cx.out.tail())
}

/// The same into any buffer, for a client that numbers the messages of a view and has enabled
/// IMAP4rev2 or not.
pub(super) fn column(
    (view, rev2): (&View, bool),
    row: &Row,
    item: &FetchItem,
    out: &mut Vec<u8>,
) -> bool {
    let small = match item {
        FetchItem::Flags => {
            out.extend_from_slice(b"FLAGS (");
            sync::print_flags(view, row, rev2, out);
            out.push(b')');
            return true;
        }
        FetchItem::Uid => Small::Uid(row.uid),
        FetchItem::ModSeq => Small::ModSeq(row.mod_seq),
        FetchItem::InternalDate => Small::InternalDate(row.internal_date),
        FetchItem::Rfc822Size => Small::Size(u64::from(row.size)),
        FetchItem::EmailId => Small::EmailId(row.email_id),
        FetchItem::ThreadId => Small::ThreadId(Some(row.thread_id)),
        FetchItem::SaveDate => Small::SaveDate(Some(DateTime::new(row.save_date, 0))),
        _ => return false,
    };
    small.print(out);
    true
}

/// Items of the summary.
fn summarized(cx: &mut Selected<'_>, message: &Message, item: &FetchItem) -> bool {
    let Some(summary) = &message.summary else { return false };
    let utf8 = cx.out.encoding().utf8;
    let (name, item) = match item {
        FetchItem::Envelope => ("ENVELOPE ", Item::Envelope),
        FetchItem::Body => ("BODY ", Item::Body),
        FetchItem::BodyStructure => ("BODYSTRUCTURE ", Item::BodyStructure),
        _ => return false,
    };
    cx.out.tail().extend_from_slice(name.as_bytes());
    summary.print(item, utf8, cx.out.tail());
    true
}

/// Items that need the message's bytes.
async fn body(
    cx: &mut Selected<'_>,
    message: &Message,
    item: &FetchItem,
) -> Result<source::Whole, No> {
    let size = u64::from(message.row.size);
    let root = message.summary.as_ref().map(|summary| summary.root());
    let of_message = |text: SectionText| Section { path: Vec::new(), text };
    let (name, section) = match item {
        FetchItem::Rfc822Header => ("RFC822.HEADER ", of_message(SectionText::Header)),
        FetchItem::Rfc822Text => ("RFC822.TEXT ", of_message(SectionText::Text)),
        FetchItem::BodySection { section, partial, .. } => {
            let name = SectionName::Body(section);
            fetch::section_name(cx.out.tail(), name, partial.map(|partial| partial.offset));
            cx.out.tail().push(b' ');
            let piece = match root {
                Some(root) => section::section(section, root, size),
                // Without a summary only the whole message was asked for.
                None => Piece::Range(0..size),
            };
            return source::write(cx, message, &piece, *partial, false).await;
        }
        FetchItem::Binary { path, partial, .. } => {
            let name = SectionName::Binary(path);
            fetch::section_name(cx.out.tail(), name, partial.map(|partial| partial.offset));
            cx.out.tail().push(b' ');
            let piece = root.map_or(Piece::Missing, |root| section::decoded(path, root, size));
            return source::write(cx, message, &piece, *partial, true).await;
        }
        FetchItem::BinarySize(path) => {
            fetch::section_name(cx.out.tail(), SectionName::BinarySize(path), None);
            let piece = root.map_or(Piece::Missing, |root| section::decoded(path, root, size));
            // A number has no NIL: a part that is not there has no octets.
            let octets = source::size(cx, message, &piece).await;
            let shown = octets.as_ref().copied().unwrap_or(0);
            cx.out.tail().extend_from_slice(format!(" {shown}").as_bytes());
            return Ok(octets.map(|_| ()));
        }
        _ => ("RFC822 ", of_message(SectionText::Whole)),
    };
    cx.out.tail().extend_from_slice(name.as_bytes());
    let piece = match root {
        Some(root) => section::section(&section, root, size),
        None => Piece::Range(0..size),
    };
    source::write(cx, message, &piece, None, false).await
}
