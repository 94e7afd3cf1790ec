//! The text of attached documents, read by someone who knows their formats: not here, because such
//! code is large, and may need a process of its own.

pub use super::kind::DocumentKind;

/// Reads documents.
pub trait Documents: Send + Sync {
    /// The text of a document. May take long, and blocks.
    fn text(&self, kind: DocumentKind, bytes: &[u8]) -> DocumentText;
    /// Changes whenever the same document may give another text.
    fn version(&self) -> u32;
}

/// What is known of a document's text.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum DocumentText {
    /// This; empty if there is none. The same document gives the same text every time.
    Text(String),
    /// It could not be had: time or memory ran out. Another time it may be.
    Unknown,
}
