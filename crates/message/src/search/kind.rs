//! What of a part's body is text: decided by its type, and by its name where the type says nothing.

use crate::mime::Mime;
use crate::params;

/// A document whose text must be taken out of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DocumentKind {
    /// PDF
    Pdf,
    /// Office Open XML: docx, xlsx, pptx.
    OfficeOpen,
    /// OpenDocument: odt, ods, odp.
    OpenDocument,
}

/// How a body is read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    /// Not at all.
    Opaque,
    /// As text.
    Plain,
    /// As text, and without its tags.
    Html,
    /// As text, and with its folded lines joined (RFC 5545 §3.1, RFC 6350 §3.2).
    Folded,
    /// By someone who knows the format.
    Document(DocumentKind),
}

impl Kind {
    pub(crate) fn of(mime: &Mime) -> Self {
        let (main, sub) = (mime.media_type.0.as_str(), mime.media_type.1.as_str());
        match (main, sub) {
            ("text", "html") | ("application", "xhtml+xml") => Self::Html,
            (
                "text",
                "calendar" | "vcard" | "x-vcard" | "x-vcalendar" | "directory" | "x-icalendar",
            )
            | ("application", "ics" | "x-ics" | "vcard") => Self::Folded,
            // Reports (message/delivery-status and its like) are text too.
            ("text" | "message", _) => Self::Plain,
            ("application", "json" | "xml" | "csv" | "x-ndjson" | "yaml" | "x-yaml" | "sql") => {
                Self::Plain
            }
            ("application", "octet-stream" | "x-download" | "force-download" | "download") => {
                Self::of_name(mime)
            }
            ("application", "pdf" | "x-pdf") => Self::Document(DocumentKind::Pdf),
            ("application", sub) => Self::of_application(sub),
            _ => Self::Opaque,
        }
    }

    fn of_application(sub: &str) -> Self {
        if sub.starts_with("vnd.openxmlformats-officedocument.") {
            return Self::Document(DocumentKind::OfficeOpen);
        }
        if sub.starts_with("vnd.oasis.opendocument.") {
            return Self::Document(DocumentKind::OpenDocument);
        }
        match sub.ends_with("+xml") || sub.ends_with("+json") {
            true => Self::Plain,
            false => Self::Opaque,
        }
    }

    /// Many mailers know no type, and send the name.
    fn of_name(mime: &Mime) -> Self {
        let filename = mime.disposition.as_ref();
        let filename = filename.and_then(|(_, params)| params::value(params, "filename"));
        let name = filename.or_else(|| params::value(&mime.params, "name")).unwrap_or_default();
        let extension = name.trim().rsplit_once('.').map(|(_, extension)| extension);
        match extension.unwrap_or_default().to_ascii_lowercase().as_str() {
            "txt" | "csv" | "tsv" | "log" | "md" | "json" | "xml" | "yaml" | "yml" => Self::Plain,
            "htm" | "html" | "xhtml" => Self::Html,
            "ics" | "vcf" => Self::Folded,
            "pdf" => Self::Document(DocumentKind::Pdf),
            "docx" | "xlsx" | "pptx" => Self::Document(DocumentKind::OfficeOpen),
            "odt" | "ods" | "odp" => Self::Document(DocumentKind::OpenDocument),
            _ => Self::Opaque,
        }
    }
}
