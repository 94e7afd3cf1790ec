//! BODY and BODYSTRUCTURE (RFC 9051 §7.5.2).

use crate::Part;
use crate::envelope::Envelope;
use crate::mime::Mime;

/// A part while the message is read: what [`Part`] keeps, and what BODYSTRUCTURE shows.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) header_start: u64,
    pub(crate) body_start: u64,
    pub(crate) end: u64,
    /// Line breaks in the body.
    pub(crate) lines: u64,
    pub(crate) mime: Mime,
    /// Of a message's header; `None` if it belongs to a part that is no message.
    pub(crate) envelope: Option<Envelope>,
    pub(crate) children: Vec<Node>,
}

/// Which form to print, and for whom.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Form {
    /// BODYSTRUCTURE instead of BODY.
    pub(crate) extended: bool,
    /// The client reads UTF-8.
    pub(crate) utf8: bool,
}

impl Node {
    /// The root of a message without a byte.
    pub(crate) fn empty() -> Self {
        Self {
            header_start: 0,
            body_start: 0,
            end: 0,
            lines: 0,
            mime: Mime::plain(crate::mime::Implied::Text),
            envelope: None,
            children: Vec::new(),
        }
    }

    /// Writes the body structure with its parentheses. Its depth is bounded by the walk's.
    pub(crate) fn print(&self, out: &mut Vec<u8>, form: Form) {
        out.push(b'(');
        if self.mime.is_multipart() {
            self.print_multipart(out, form);
        } else {
            self.print_single(out, form);
        }
        out.push(b')');
    }

    fn print_multipart(&self, out: &mut Vec<u8>, form: Form) {
        self.children.iter().for_each(|child| child.print(out, form));
        out.push(b' ');
        crate::text::string(
            out,
            &self.mime.media_type.1.to_ascii_uppercase(),
            form.utf8,
            crate::text::Seven::Marks,
        );
        if form.extended {
            out.push(b' ');
            crate::params::print(out, &self.mime.params, form.utf8);
            self.mime.print_extension(out, form.utf8);
        }
    }

    fn print_single(&self, out: &mut Vec<u8>, form: Form) {
        self.mime.print_type(out);
        out.push(b' ');
        self.mime.print_fields(out, form.utf8);
        number(out, self.end - self.body_start);
        if let Some(message) = self.children.first() {
            out.push(b' ');
            match &message.envelope {
                Some(envelope) => envelope.print(out, form.utf8),
                None => Envelope::default().print(out, form.utf8),
            };
            out.push(b' ');
            message.print(out, form);
            number(out, self.lines);
        } else if self.mime.is_text() {
            number(out, self.lines);
        }
        if form.extended {
            out.push(b' ');
            let md5 = self.mime.md5.as_deref();
            crate::text::nstring(out, md5, form.utf8, crate::text::Seven::Marks);
            self.mime.print_extension(out, form.utf8);
        }
    }

    /// The tree without its texts.
    pub(crate) fn part(&self) -> Part {
        Part {
            header_start: self.header_start,
            body_start: self.body_start,
            end: self.end,
            media_type: self.mime.media_type.clone(),
            charset: self.mime.charset().map(str::to_owned),
            encoding: self.mime.encoding,
            children: self.children.iter().map(Self::part).collect(),
        }
    }
}

fn number(out: &mut Vec<u8>, number: u64) {
    out.extend_from_slice(format!(" {number}").as_bytes());
}
