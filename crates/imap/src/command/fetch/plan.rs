//! What a FETCH answers for each message, and what has to be looked up for it.

use message::{Summary, TransferEncoding};
use wire::command::{Fetch, FetchItem};
use wire::value::{Numbering, SectionText};

use super::section::{self, Piece};
use crate::context::Enabled;

/// The items of one command.
pub(super) struct Plan<'a> {
    /// In the order they are answered.
    pub(super) items: Vec<&'a FetchItem>,
    /// Answered too when `\Seen` was set.
    pub(super) when_seen: Vec<&'a FetchItem>,
    /// Whether the command enables CONDSTORE (RFC 7162 §3.1).
    pub(super) enables_condstore: bool,
    /// Whether the command sets `\Seen`.
    pub(super) sets_seen: bool,
    /// Whether flags are shown.
    pub(super) shows_flags: bool,
    /// Whether summaries are needed.
    pub(super) needs_summary: bool,
    /// Whether message bytes are needed.
    pub(super) needs_bytes: bool,
}

impl<'a> Plan<'a> {
    pub(super) fn new(args: &'a Fetch, enabled: Enabled) -> Self {
        let mut items: Vec<&FetchItem> = Vec::with_capacity(args.items.len() + 2);
        // RFC 9051 §6.4.9: UID FETCH answers with UIDs, asked for or not.
        if args.numbering == Numbering::Uid && !args.items.contains(&FetchItem::Uid) {
            items.push(&FetchItem::Uid);
        }
        for item in &args.items {
            if !items.contains(&item) {
                items.push(item);
            }
        }
        // RFC 7162 §3.1.4.1.
        if args.changed_since.is_some() && !items.contains(&&FetchItem::ModSeq) {
            items.push(&FetchItem::ModSeq);
        }
        // RFC 7162 §3.2.4: a FETCH that set `\Seen` tells UID and MODSEQ too.
        let condstore = enabled.condstore || items.contains(&&FetchItem::ModSeq);
        let mut when_seen = vec![&FetchItem::Flags];
        if condstore {
            when_seen.extend([&FetchItem::Uid, &FetchItem::ModSeq]);
        }
        when_seen.retain(|item| !items.contains(item));
        Self {
            when_seen,
            enables_condstore: items.contains(&&FetchItem::ModSeq),
            shows_flags: items.contains(&&FetchItem::Flags),
            sets_seen: items.iter().any(|item| sets_seen(item)),
            needs_summary: items.iter().any(|item| needs_summary(item)),
            needs_bytes: items.iter().any(|item| needs_bytes(item)),
            items,
        }
    }

    /// Whether BINARY is asked of a part whose encoding is unknown (RFC 3516 §4.3).
    pub(super) fn unknown_encoding(&self, summary: &Summary) -> bool {
        self.items.iter().any(|item| match item {
            FetchItem::Binary { path, .. } | FetchItem::BinarySize(path) => {
                let piece = section::decoded(path, summary.root(), u64::MAX);
                matches!(piece, Piece::Decoded { encoding: TransferEncoding::Unknown, .. })
            }
            _ => false,
        })
    }
}

fn sets_seen(item: &FetchItem) -> bool {
    match item {
        FetchItem::Rfc822 | FetchItem::Rfc822Text => true,
        FetchItem::BodySection { peek, .. } | FetchItem::Binary { peek, .. } => !peek,
        _ => false,
    }
}

fn needs_summary(item: &FetchItem) -> bool {
    match item {
        FetchItem::Envelope
        | FetchItem::Body
        | FetchItem::BodyStructure
        | FetchItem::Rfc822Header
        | FetchItem::Rfc822Text
        | FetchItem::Binary { .. }
        | FetchItem::BinarySize(_) => true,
        FetchItem::BodySection { section, .. } => {
            !section.path.is_empty() || section.text != SectionText::Whole
        }
        _ => false,
    }
}

fn needs_bytes(item: &FetchItem) -> bool {
    matches!(
        item,
        FetchItem::Rfc822
            | FetchItem::Rfc822Header
            | FetchItem::Rfc822Text
            | FetchItem::BodySection { .. }
            | FetchItem::Binary { .. }
            | FetchItem::BinarySize(_)
    )
}
