//! The text of PDF and office documents, so that searches find what is in attachments.
//!
//! Libraries for such formats are large, and what they read comes from strangers: they may loop,
//! recurse or allocate without end. So they run in a process of their own, [`child`], which holds no
//! file, may make none, and has little memory; whoever starts it ends it when its time is up.

#![forbid(unsafe_code)]

pub mod child;
#[cfg(feature = "formats")]
mod office;
#[cfg(feature = "formats")]
mod pdf;

use message::search::DocumentKind;

/// Bounds of one document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Bytes of its text; what follows is left out.
    pub text_bytes_max: usize,
    /// Bytes of unpacked parts in all: against bombs.
    pub unpacked_bytes_max: u64,
    /// Parts of an archive.
    pub parts_max: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            text_bytes_max: 4 * 1024 * 1024,
            unpacked_bytes_max: 64 * 1024 * 1024,
            parts_max: 10_000,
        }
    }
}

/// Whether documents can be read at all.
pub const IS_ABLE: bool = cfg!(feature = "formats");

/// Changes whenever a document may give another text than before.
pub const VERSION: u32 = 1;

/// The text of a document; empty where there is none, or none that can be read.
pub fn text(kind: DocumentKind, bytes: &[u8], bounds: &Bounds) -> String {
    let mut text = read(kind, bytes, bounds);
    if text.len() > bounds.text_bytes_max {
        let mut end = bounds.text_bytes_max;
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        text.truncate(end);
    }
    text
}

#[cfg(feature = "formats")]
fn read(kind: DocumentKind, bytes: &[u8], bounds: &Bounds) -> String {
    match kind {
        DocumentKind::Pdf => pdf::text(bytes),
        DocumentKind::OfficeOpen | DocumentKind::OpenDocument => office::text(kind, bytes, bounds),
    }
}

#[cfg(not(feature = "formats"))]
fn read(_: DocumentKind, _: &[u8], _: &Bounds) -> String {
    String::new()
}
