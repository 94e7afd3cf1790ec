//! Headers as they are kept beside their messages ([`storage::Extract`]): the whole one, or the
//! fields by which clients list a mailbox.
//!
//! Both begin with a version. The fields follow as records in the order of the header: which of
//! [`NAMES`] it is, how long it is, and its lines as they are; the empty line at the end is a record
//! too. So an answer is a choice of records, byte for byte what a filter of the header gives.

use bytes::Bytes;

use super::fields::{Line, lines};

/// Changes with the form and with [`NAMES`]: what has another version is made anew.
const VERSION: u8 = 1;
/// What is larger is not kept, and read from its message each time.
pub(super) const KEPT_BYTES_MAX: usize = 16 * 1024;

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

/// Some of the kept fields.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::command) struct Mask(u64);

impl Mask {
    /// The fields with these names; `None` if one of them is not kept.
    pub(in crate::command) fn new(names: &[Bytes]) -> Option<Self> {
        names.iter().try_fold(1 << END, |mask, name| Some(mask | 1 << place(name)?)).map(Self)
    }
}

fn place(name: &[u8]) -> Option<usize> {
    NAMES.iter().position(|kept| kept.as_bytes().eq_ignore_ascii_case(name))
}

/// Whether a header was kept in the form of this version.
pub(super) fn is_current(kept: &[u8]) -> bool {
    kept.first() == Some(&VERSION)
}

/// The fields of a header in the form they are kept in; `None` if they are too many.
pub(super) fn fields(header: &[u8]) -> Option<Bytes> {
    let mut out = vec![VERSION];
    let mut record: Option<(u8, Vec<u8>)> = None;
    let mut close = |record: &mut Option<(u8, Vec<u8>)>| {
        if let Some((place, lines)) = record.take() {
            out.push(place);
            // `KEPT_BYTES_MAX` is far below.
            out.extend_from_slice(&(lines.len().min(usize::from(u16::MAX)) as u16).to_le_bytes());
            out.extend_from_slice(&lines);
        }
        out.len() <= KEPT_BYTES_MAX
    };
    for line in lines(header) {
        match line {
            Line::Field(name, line) => {
                if !close(&mut record) {
                    return None;
                }
                // Less than 64.
                record = name.and_then(place).map(|place| (place as u8, line.to_vec()));
            }
            Line::More(line) => {
                if let Some((_, lines)) = &mut record {
                    lines.extend_from_slice(line);
                }
            }
            Line::End(line) => {
                close(&mut record);
                record = Some((END, line.to_vec()));
            }
        }
        let lines = record.as_ref().map_or(0, |(_, lines)| lines.len());
        if lines > KEPT_BYTES_MAX {
            return None;
        }
    }
    close(&mut record).then(|| Bytes::from(out))
}

/// The chosen records of [`fields`]; `None` for another version. It is checked where it is read.
pub(in crate::command) fn chosen(
    kept: &[u8],
    mask: Mask,
) -> Option<impl Iterator<Item = &[u8]> + Clone> {
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
pub(super) fn whole(header: &[u8]) -> Option<Bytes> {
    let kept = header.len() < KEPT_BYTES_MAX;
    kept.then(|| [&[VERSION], header].concat().into())
}

/// The header in [`whole`]'s form; `None` for another version.
pub(super) fn header(kept: &[u8]) -> Option<&[u8]> {
    kept.strip_prefix(&[VERSION])
}

#[cfg(test)]
mod tests {
    use super::super::fields::FieldFilter;
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_are_ascending_and_fit_into_a_number() {
        assert!(NAMES.is_sorted() && NAMES.len() < 64);
        assert!(NAMES.iter().all(|name| !name.bytes().any(|c| c.is_ascii_uppercase())));
    }

    fn filtered(header: &[u8], names: &[Bytes], not: bool) -> Vec<u8> {
        let mut filter = FieldFilter::new(names, not);
        let mut out = Vec::new();
        filter.feed(header, &mut out);
        filter.finish(&mut out);
        out
    }

    fn check(header: &[u8], names: &[Bytes]) {
        let kept = fields(header).expect("small");
        let mask = Mask::new(names).expect("kept names");
        let found: Vec<u8> =
            chosen(&kept, mask).expect("this version").flatten().copied().collect();
        assert_eq!(found, filtered(header, names, false));
        for not in [false, true] {
            let mut found = Vec::new();
            super::super::fields::select(header, names, not, &mut found);
            assert_eq!(found, filtered(header, names, not));
        }
    }

    #[test]
    fn what_is_too_large_is_not_kept() {
        let line = |bytes: usize| format!("Subject: {}\r\n\r\n", "a".repeat(bytes)).into_bytes();
        for bytes in [0, 1000, KEPT_BYTES_MAX - 100] {
            check(&line(bytes), &[Bytes::from_static(b"subject")]);
            assert!(whole(&line(bytes)).is_some());
        }
        for bytes in [KEPT_BYTES_MAX, 100_000] {
            assert_eq!((fields(&line(bytes)), whole(&line(bytes))), (None, None));
        }
        let many = "To: a\r\n".repeat(10_000).into_bytes();
        assert_eq!(fields(&many), None);
        let folded = [&b"To: a\r\n"[..], " b\r\n".repeat(10_000).as_bytes()].concat();
        assert_eq!(fields(&folded), None);
        let others = [&b"X: a\r\n"[..], " b\r\n".repeat(10_000).as_bytes(), b"To: c\r\n"].concat();
        check(&others, &[Bytes::from_static(b"to")]);
    }

    fn piece() -> impl Strategy<Value = &'static [u8]> {
        prop::sample::select(vec![
            &b"From: a <b@c>\r\n"[..],
            b"from : odd\n",
            b"TO:\r\n",
            b"To",
            b"To: no end",
            b": no name\r\n",
            b"no colon\r\n",
            b" folded\r\n",
            b"\tfolded: too\n",
            b" ",
            b"\r\n",
            b"\n",
            b"\r",
            b"X-Other: y\r\n",
            b"Received: from a\r\n\tby b\r\n",
            b"Subject: \xc3\xa4 \x00\r\n",
            b"subject: again\r\n",
        ])
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]
        #[test]
        fn kept_fields_answer_as_the_header_does(
            pieces in prop::collection::vec(piece(), 0..12),
            asked in prop::collection::vec(prop::sample::select(vec!["FROM", "to", "Subject", "bcc"]), 1..4),
        ) {
            let names: Vec<Bytes> = asked.iter().map(|name| Bytes::from_static(name.as_bytes())).collect();
            check(&pieces.concat(), &names);
        }

        #[test]
        fn any_bytes_do_as_well(header in prop::collection::vec(prop::sample::select(b"to:\r\n \tx".to_vec()), 0..60)) {
            check(&header, &[Bytes::from_static(b"to")]);
        }
    }
}
