//! Headers as they are kept beside their messages: the whole one, or the fields by which clients list
//! a mailbox.
//!
//! Both begin with a version. The fields follow as records in the order of the header: which of
//! [`NAMES`] it is, how long it is, and its lines as they are; the empty line at the end is a record
//! too. So an answer is a choice of records, byte for byte what a filter of the header gives.

use bytes::Bytes;

/// A header that ends behind this is not looked for in a message that is not held in memory.
pub const HEADER_BYTES_MAX: usize = 64 * 1024;

/// The longest beginning of a line that is looked at for a field's name. No name that a client can
/// ask for is longer.
pub const NAME_MAX: usize = 1024;

/// A line of a header, with its ending if it has one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Line<'a> {
    /// Begins a field, or is none: then there is no name.
    Field(Option<&'a [u8]>, &'a [u8]),
    /// Belongs to the line before.
    More(&'a [u8]),
    /// The empty line at the end.
    End(&'a [u8]),
}

impl<'a> Line<'a> {
    /// The line as it is.
    pub fn raw(self) -> &'a [u8] {
        match self {
            Self::Field(_, line) | Self::More(line) | Self::End(line) => line,
        }
    }
}

/// The lines of a header, up to its empty line.
pub fn lines(mut header: &[u8]) -> impl Iterator<Item = Line<'_>> {
    std::iter::from_fn(move || {
        let &first = header.first()?;
        let end = memchr::memchr(b'\n', header).map_or(header.len(), |at| at + 1);
        let (line, rest) = header.split_at(end);
        header = rest;
        if matches!(line, b"\n" | b"\r\n") {
            header = &[];
            return Some(Line::End(line));
        }
        if matches!(first, b' ' | b'\t') {
            return Some(Line::More(line));
        }
        let colon = memchr::memchr(b':', &line[..line.len().min(NAME_MAX)]);
        Some(Line::Field(colon.map(|at| line[..at].trim_ascii_end()), line))
    })
}

/// Changes with the form and with [`NAMES`]: what has another version is made anew.
const VERSION: u8 = 1;
/// What is larger is not kept, and read from its message each time.
pub const KEPT_BYTES_MAX: usize = 16 * 1024;

/// What Thunderbird, Apple Mail, Outlook, mutt, K-9, Roundcube and others ask for to show a list;
/// without the fields of relays and signatures, which are as large as all others together. Less than
/// 64: a set of them is a number.
const NAMES: [&str; 40] = [
    "autocrypt",
    "bcc",
    "cc",
    "chat-version",
    "content-class",
    "content-description",
    "content-transfer-encoding",
    "content-type",
    "date",
    "disposition-notification-to",
    "from",
    "importance",
    "in-reply-to",
    "lines",
    "list-id",
    "list-post",
    "list-subscribe",
    "list-unsubscribe",
    "mail-followup-to",
    "mail-reply-to",
    "message-id",
    "mime-version",
    "newsgroups",
    "precedence",
    "priority",
    "references",
    "reply-to",
    "resent-date",
    "resent-from",
    "return-path",
    "sender",
    "status",
    "subject",
    "to",
    "x-label",
    "x-mailer",
    "x-msmail-priority",
    "x-priority",
    "x-uniform-type-identifier",
    "x-universally-unique-identifier",
];
/// The record of the empty line.
const END: u8 = NAMES.len() as u8;
/// Field and length.
const RECORD_HEAD_BYTES: usize = 3;

/// Some of the kept fields.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Mask(u64);

impl Mask {
    /// The fields with these names; `None` if one of them is not kept.
    pub fn new(names: &[Bytes]) -> Option<Self> {
        names.iter().try_fold(1 << END, |mask, name| Some(mask | 1 << place(name)?)).map(Self)
    }
}

fn place(name: &[u8]) -> Option<usize> {
    NAMES.iter().position(|kept| kept.as_bytes().eq_ignore_ascii_case(name))
}

/// Whether a header was kept in the form of this version.
pub fn is_current(kept: &[u8]) -> bool {
    kept.first() == Some(&VERSION)
}

/// The fields of a header in the form they are kept in; `None` if they are too many.
pub fn fields(header: &[u8]) -> Option<Bytes> {
    let mut out = Vec::with_capacity(512);
    out.push(VERSION);
    // Where the record at hand begins.
    let mut record = None;
    for line in lines(header) {
        match line {
            Line::Field(name, line) => {
                close(&mut out, record)?;
                // Less than 64.
                record = name.and_then(place).map(|place| begin(&mut out, place as u8, line));
            }
            Line::More(line) if record.is_some() => out.extend_from_slice(line),
            Line::More(_) => {}
            Line::End(line) => {
                close(&mut out, record)?;
                record = Some(begin(&mut out, END, line));
            }
        }
        // What is to come of it cannot make it small again.
        if out.len() > 2 * KEPT_BYTES_MAX {
            return None;
        }
    }
    close(&mut out, record)?;
    Some(Bytes::from(out))
}

/// Begins a record; where.
fn begin(out: &mut Vec<u8>, place: u8, line: &[u8]) -> usize {
    let at = out.len();
    out.extend_from_slice(&[place, 0, 0]);
    out.extend_from_slice(line);
    at
}

/// Gives a record its length. `None`: it is too much.
fn close(out: &mut [u8], record: Option<usize>) -> Option<()> {
    if out.len() > KEPT_BYTES_MAX {
        return None;
    }
    if let Some(at) = record {
        // `KEPT_BYTES_MAX` is far below its limit.
        let length = (out.len() - at - RECORD_HEAD_BYTES) as u16;
        out[at + 1..at + RECORD_HEAD_BYTES].copy_from_slice(&length.to_le_bytes());
    }
    Some(())
}

/// The chosen records of [`fields`]; `None` for another version. It is checked where it is read.
pub fn chosen(kept: &[u8], mask: Mask) -> Option<impl Iterator<Item = &[u8]> + Clone> {
    let mut rest = kept.strip_prefix(&[VERSION])?;
    let records = std::iter::from_fn(move || {
        let (&[place, low, high], behind) = rest.split_first_chunk()?;
        let (lines, behind) = behind.split_at_checked(u16::from_le_bytes([low, high]).into())?;
        rest = behind;
        Some((place, lines))
    });
    let wanted = move |&(place, _): &(u8, &[u8])| mask.0 & 1u64.wrapping_shl(place.into()) != 0;
    Some(records.filter(wanted).map(|(_, lines)| lines))
}

/// A whole header in the form it is kept in; `None` if it is too large.
pub fn whole(header: &[u8]) -> Option<Bytes> {
    let kept = header.len() < KEPT_BYTES_MAX;
    kept.then(|| [&[VERSION], header].concat().into())
}

/// The header in [`whole`]'s form; `None` for another version.
pub fn header(kept: &[u8]) -> Option<&[u8]> {
    kept.strip_prefix(&[VERSION])
}

/// Takes the [`fields`] out of a message that comes in pieces.
#[derive(Default)]
pub struct Taker {
    /// The beginning of the message, as long as its header has not ended.
    begun: Vec<u8>,
    /// What was found, if the header has ended or is too long.
    found: Option<Option<Bytes>>,
}

impl Taker {
    /// The next bytes.
    pub fn feed(&mut self, bytes: &[u8]) {
        if self.found.is_some() {
            return;
        }
        if self.begun.is_empty() && ends(bytes, 0) {
            self.found = Some(fields(bytes));
            return;
        }
        let room = HEADER_BYTES_MAX - self.begun.len();
        let from = self.begun.len().saturating_sub(2);
        self.begun.extend_from_slice(&bytes[..bytes.len().min(room)]);
        if ends(&self.begun, from) {
            self.found = Some(fields(&self.begun));
        } else if self.begun.len() >= HEADER_BYTES_MAX {
            self.found = Some(None);
        }
        if self.found.is_some() {
            self.begun = Vec::new();
        }
    }

    /// The message has ended. `None` if there are too many.
    pub fn finish(self) -> Option<Bytes> {
        // All of it was header.
        self.found.unwrap_or_else(|| fields(&self.begun))
    }
}

/// Whether an empty line is in the beginning of a message, looked for behind `from`.
fn ends(begun: &[u8], from: usize) -> bool {
    let is_empty = |line: &[u8]| line.starts_with(b"\n") || line.starts_with(b"\r\n");
    let mut ends = memchr::memchr_iter(b'\n', &begun[from..]);
    (from == 0 && is_empty(begun)) || ends.any(|at| is_empty(&begun[from + at + 1..]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_are_ascending_and_fit_into_a_number() {
        assert!(NAMES.is_sorted() && NAMES.len() < 64);
        assert!(NAMES.iter().all(|name| !name.bytes().any(|c| c.is_ascii_uppercase())));
    }

    fn taken(message: &[u8], piece: usize) -> Option<Bytes> {
        let mut taker = Taker::default();
        message.chunks(piece).for_each(|bytes| taker.feed(bytes));
        taker.finish()
    }

    #[test]
    fn an_endless_header_is_not_kept() {
        let message = "X: y\r\n".repeat(HEADER_BYTES_MAX / 6 + 1);
        assert_eq!(taken(message.as_bytes(), 1000), None);
        assert!(taken(&message.as_bytes()[..6000], 1000).is_some());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]
        #[test]
        fn pieces_of_any_size(
            pieces in prop::collection::vec(
                prop::sample::select(&["To: a\r\n", "\r\n", "\n", "\r", " x\n", "Subject:", "y\n"][..]),
                0..12,
            ),
            piece in 1usize..20,
        ) {
            let message = pieces.concat().into_bytes();
            prop_assert_eq!(taken(&message, piece), fields(&message));
        }
    }
}
