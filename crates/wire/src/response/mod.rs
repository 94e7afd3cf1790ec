//! Responses: values and their printed form. What the server sends is built here and nowhere else,
//! so that every byte parses under the ABNF of what the client has enabled.
//!
//! FETCH data that is large or already rendered does not pass through these values: see
//! [`fetch`](crate::response::fetch).

mod code;
mod esearch;
pub mod fetch;
mod list;
mod namespace;
pub mod search;
mod status;
mod thread;

use base::{ModSeq, SeqNum, UidSet};
use bytes::Bytes;

use crate::emit::{self, Style, push, spaced};
use crate::value::MailboxName;

pub use code::Code;
pub use esearch::Esearch;
pub use list::ListAttribute;
pub use status::StatusValue;
pub use thread::ThreadNode;

/// What stands between the levels of a mailbox's name, in every LIST and NAMESPACE response.
pub const DELIMITER: char = '/';

/// What the client has enabled, as far as it changes how a value is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Encoding {
    /// UTF-8 in quoted strings and mailbox names: `ENABLE UTF8=ACCEPT` or `ENABLE IMAP4rev2`.
    pub utf8: bool,
    /// `ENABLE IMAP4rev2`.
    pub rev2: bool,
}

/// OK, NO, BAD: of a tagged or untagged status response (RFC 9051 §7.1).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Condition {
    /// Success.
    Ok,
    /// Refusal.
    No,
    /// Not understood.
    Bad,
}

/// An untagged response.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Untagged {
    /// `* OK`, `* NO`, `* BAD`
    Status(Condition, Option<Code>, String),
    /// `* PREAUTH`
    PreAuth(Option<Code>, String),
    /// `* BYE`
    Bye(Option<Code>, String),
    /// `* CAPABILITY`
    Capability(Vec<String>),
    /// `* ENABLED`
    Enabled(Vec<&'static str>),
    /// `* ID`
    Id(Option<Vec<(&'static str, String)>>),
    /// `* LIST`
    List {
        /// Attributes in the order they are written.
        attributes: Vec<ListAttribute>,
        /// The name; printed with trailing delimiter when it is a prefix only.
        mailbox: MailboxName,
        /// `CHILDINFO`: the selection options that names below meet, such as `SUBSCRIBED`
        /// (RFC 5258 §3.5). Empty: there is none.
        child_info: Vec<&'static str>,
        /// `OLDNAME` (RFC 9051 §6.3.9.7), only for rev2.
        old_name: Option<MailboxName>,
    },
    /// `* LSUB`
    Lsub(Vec<ListAttribute>, MailboxName),
    /// `* XLIST`
    Xlist(Vec<ListAttribute>, MailboxName),
    /// `* NAMESPACE`: personal prefixes only; the others are NIL.
    Namespace(Vec<(String, char)>),
    /// `* STATUS`
    StatusOf(MailboxName, Vec<StatusValue>),
    /// `* FLAGS`: the printed list without its parentheses.
    Flags(String),
    /// `* n EXISTS`
    Exists(u32),
    /// `* n RECENT`
    Recent(u32),
    /// `* n EXPUNGE`
    Expunge(SeqNum),
    /// `* VANISHED`, with `(EARLIER)` or without (RFC 7162 §3.2.10).
    Vanished {
        /// EARLIER
        earlier: bool,
        /// UIDs
        uids: UidSet,
    },
    /// `* SEARCH`, with the highest MODSEQ if one was searched for (RFC 7162 §3.1.5).
    Search(Vec<u32>, Option<ModSeq>),
    /// `* ESEARCH`
    Esearch(Esearch),
    /// `* SORT`
    Sort(Vec<u32>, Option<ModSeq>),
    /// `* THREAD`
    Thread(Vec<ThreadNode>),
}

/// A tagged response.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Tagged {
    /// The command's tag.
    pub tag: String,
    /// How it ended.
    pub condition: Condition,
    /// The code.
    pub code: Option<Code>,
    /// Text for people; never empty.
    pub text: String,
}

/// A continuation request: `+ text` (RFC 9051 §7.6). For SASL, the base64 of the challenge.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Continuation(pub Bytes);

impl Encoding {
    fn style(self) -> Style {
        Style { client: false, utf8: self.utf8 }
    }
}

impl Condition {
    /// The word that is sent.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ok => "OK",
            Self::No => "NO",
            Self::Bad => "BAD",
        }
    }
}

impl Untagged {
    /// Appends the whole response with its line ending. A VANISHED without UIDs has no form and is
    /// left out.
    pub fn print(&self, out: &mut Vec<u8>, encoding: Encoding) {
        if matches!(self, Self::Vanished { uids, .. } if uids.is_empty()) {
            return;
        }
        out.extend_from_slice(b"* ");
        self.print_data(out, encoding);
        out.extend_from_slice(b"\r\n");
    }

    fn print_data(&self, out: &mut Vec<u8>, encoding: Encoding) {
        let style = encoding.style();
        match self {
            Self::Status(condition, code, text) => {
                print_text(condition.name(), code.as_ref(), text, out, encoding);
            }
            Self::PreAuth(code, text) => print_text("PREAUTH", code.as_ref(), text, out, encoding),
            Self::Bye(code, text) => print_text("BYE", code.as_ref(), text, out, encoding),
            Self::Capability(names) => words("CAPABILITY", names, out),
            Self::Enabled(names) => words("ENABLED", names, out),
            Self::Id(fields) => print_id(fields.as_ref(), out, style),
            Self::List { attributes, mailbox, child_info, old_name } => {
                list::print("LIST", attributes, mailbox, out, style);
                // OLDNAME came with rev2; others do not expect it.
                let old_name = old_name.as_ref().filter(|_| encoding.rev2);
                list::print_extended(child_info, old_name, out, style);
            }
            Self::Lsub(attributes, mailbox) => list::print("LSUB", attributes, mailbox, out, style),
            Self::Xlist(attributes, mailbox) => {
                list::print("XLIST", attributes, mailbox, out, style);
            }
            Self::Namespace(personal) => namespace::print(personal, out, style),
            Self::StatusOf(mailbox, values) => status::print(mailbox, values, out, style),
            Self::Flags(flags) => {
                out.extend_from_slice(b"FLAGS (");
                out.extend_from_slice(flags.as_bytes());
                out.push(b')');
            }
            Self::Exists(n) => {
                search::plain(out, *n);
                out.extend_from_slice(b" EXISTS");
            }
            Self::Recent(n) => {
                search::plain(out, *n);
                out.extend_from_slice(b" RECENT");
            }
            Self::Expunge(seq) => push(out, format_args!("{seq} EXPUNGE")),
            Self::Vanished { earlier, uids } => {
                let earlier = if *earlier { "(EARLIER) " } else { "" };
                push(out, format_args!("VANISHED {earlier}{uids}"));
            }
            Self::Search(numbers, mod_seq) => search::print("SEARCH", numbers, *mod_seq, out),
            Self::Sort(numbers, mod_seq) => search::print("SORT", numbers, *mod_seq, out),
            Self::Esearch(esearch) => esearch::print(esearch, out, encoding),
            Self::Thread(threads) => thread::print(threads, out),
        }
    }
}

impl Tagged {
    /// Appends the whole response with its line ending.
    pub fn print(&self, out: &mut Vec<u8>, encoding: Encoding) {
        out.extend_from_slice(self.tag.as_bytes());
        out.push(b' ');
        print_text(self.condition.name(), self.code.as_ref(), &self.text, out, encoding);
        out.extend_from_slice(b"\r\n");
    }
}

impl Continuation {
    /// Appends the whole response with its line ending. The space is there even without text.
    pub fn print(&self, out: &mut Vec<u8>, _: Encoding) {
        out.extend_from_slice(b"+ ");
        out.extend(self.0.iter().filter(|&&byte| !matches!(byte, b'\r' | b'\n' | 0)));
        out.extend_from_slice(b"\r\n");
    }
}

/// Appends RFC 9051 §9, resp-text, after its condition. What must not stand in text becomes `?`:
/// controls, and letters beyond ASCII unless IMAP4rev2 is enabled.
fn print_text(
    condition: &str,
    code: Option<&Code>,
    text: &str,
    out: &mut Vec<u8>,
    encoding: Encoding,
) {
    out.extend_from_slice(condition.as_bytes());
    out.push(b' ');
    if let Some(code) = code {
        out.push(b'[');
        code.print(out);
        out.extend_from_slice(b"] ");
    }
    let start = out.len();
    // Without an end before the last byte it is done many bytes at once.
    if text.bytes().fold(true, |plain, byte| plain & matches!(byte, b' '..=b'~')) {
        out.extend_from_slice(text.as_bytes());
    } else {
        print_odd_text(text, out, encoding);
    }
    match out.get(start) {
        // RFC 3501 wants text, and so do clients.
        None => out.extend_from_slice(b"-"),
        // It would read as a code.
        Some(b'[') if code.is_none() => out[start] = b'(',
        Some(_) => {}
    }
}

fn print_odd_text(text: &str, out: &mut Vec<u8>, encoding: Encoding) {
    for c in text.chars() {
        let plain = matches!(c, ' '..='~') || (encoding.rev2 && !c.is_ascii());
        let mut buffer = [0; 4];
        let c = if plain { c } else { '?' };
        out.extend_from_slice(c.encode_utf8(&mut buffer).as_bytes());
    }
}

fn words<T: AsRef<str>>(name: &str, words: &[T], out: &mut Vec<u8>) {
    out.extend_from_slice(name.as_bytes());
    words.iter().for_each(|word| push(out, format_args!(" {}", word.as_ref())));
}

/// RFC 2971 §4, id_response.
fn print_id(fields: Option<&Vec<(&'static str, String)>>, out: &mut Vec<u8>, style: Style) {
    out.extend_from_slice(b"ID ");
    let Some(fields) = fields else {
        out.extend_from_slice(b"NIL");
        return;
    };
    out.push(b'(');
    spaced(out, fields, |out, (field, value)| {
        emit::string(out, field.as_bytes(), style);
        out.push(b' ');
        emit::string(out, value.as_bytes(), style);
    });
    out.push(b')');
}

/// Appends `bytes` as a string: quoted when that can hold it, a literal otherwise
/// (RFC 9051 §9, string). 8-bit bytes always make a literal. NUL, which neither can hold, becomes
/// `?`.
pub fn string(out: &mut Vec<u8>, bytes: &[u8]) {
    emit::string(out, bytes, Encoding::default().style());
}

/// Appends `bytes` as a string, or NIL (RFC 9051 §9, nstring).
pub fn nstring(out: &mut Vec<u8>, bytes: Option<&[u8]>) {
    match bytes {
        Some(bytes) => string(out, bytes),
        None => out.extend_from_slice(b"NIL"),
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
