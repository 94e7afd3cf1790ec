//! What an mbox file says of a message: its `From ` line, and the fields that mail programs keep
//! their own notes in. Those fields are no part of the message and are taken out, as Dovecot does.

use base::{Date, DateTime, Flags, Keyword, SystemFlag};

/// A message's notes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Notes {
    pub(super) flags: Flags,
    pub(super) uid: Option<u32>,
    /// `X-IMAPbase` or `X-IMAP`: UIDVALIDITY and the last UID given; in the first message.
    pub(super) imap_base: Option<(u32, u32)>,
    /// Octets of the body, to be checked.
    pub(super) content_length: Option<u64>,
    /// A message that a mail program keeps its data in; nobody wrote it.
    pub(super) is_internal: bool,
}

/// Takes the notes out of a header (with the empty line at its end, if there is one).
pub(super) fn take_notes(header: &[u8]) -> (Vec<u8>, Notes) {
    let (mut kept, mut notes) = (Vec::with_capacity(header.len()), Notes::default());
    let mut internal_subject = false;
    for field in fields(header) {
        let Some(colon) = memchr::memchr(b':', field) else {
            kept.extend_from_slice(field);
            continue;
        };
        let name = field[..colon].to_ascii_lowercase();
        let value = String::from_utf8_lossy(&field[colon + 1..]);
        match &name[..] {
            b"status" | b"x-status" => value.bytes().for_each(|letter| {
                if let Some(flag) = status_flag(letter) {
                    notes.flags.system = notes.flags.system.with(flag);
                }
            }),
            b"x-keywords" => {
                let words = value.split([' ', ',', '\t', '\r', '\n']).filter_map(Keyword::new);
                words.for_each(|keyword| notes.flags.add_keyword(keyword));
            }
            b"x-uid" => notes.uid = value.trim().parse().ok().filter(|uid| *uid > 0),
            b"x-imapbase" | b"x-imap" => {
                let mut numbers = value.split_whitespace().map_while(|word| word.parse().ok());
                notes.imap_base = numbers.next().zip(numbers.next()).filter(|(v, _)| *v > 0);
                notes.is_internal |= name == b"x-imap";
            }
            b"content-length" => notes.content_length = value.trim().parse().ok(),
            _ => {
                internal_subject |= name == b"subject" && value.contains("FOLDER INTERNAL DATA");
                kept.extend_from_slice(field);
            }
        }
    }
    notes.is_internal &= internal_subject;
    (kept, notes)
}

fn status_flag(letter: u8) -> Option<SystemFlag> {
    Some(match letter {
        b'R' => SystemFlag::Seen,
        b'A' => SystemFlag::Answered,
        b'F' => SystemFlag::Flagged,
        b'T' => SystemFlag::Draft,
        b'D' => SystemFlag::Deleted,
        _ => return None,
    })
}

/// Fields with their continuation lines, and the lines that are none.
fn fields(header: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = header;
    std::iter::from_fn(move || {
        let mut end = 0;
        loop {
            end += memchr::memchr(b'\n', &rest[end..]).map_or(rest.len() - end, |at| at + 1);
            if !matches!(rest.get(end), Some(b' ' | b'\t')) {
                break;
            }
        }
        let (field, after) = rest.split_at(end);
        rest = after;
        (!field.is_empty()).then_some(field)
    })
}

/// The date of a `From ` line: `From alice@example.org Mon Nov 23 10:02:54 2026`, with or without a
/// time zone before or after the year. `None` for any other line, which is then text.
pub(super) fn from_line(line: &[u8]) -> Option<DateTime> {
    let text = std::str::from_utf8(line.strip_prefix(b"From ")?).ok()?;
    let words: Vec<&str> = text.split_whitespace().collect();
    // The sender may have spaces in it: the last month's name counts.
    let month_at = words.iter().rposition(|word| Date::month_from_name(word).is_some())?;
    let month = Date::month_from_name(words[month_at])?;
    let mut rest = words[month_at + 1..].iter();
    let day = rest.next()?.parse().ok()?;
    let (hour, minute, second) = time(rest.next()?)?;
    let (mut year, mut offset) = (None, 0);
    for word in rest {
        match word.parse::<i32>() {
            Ok(number) if word.len() == 4 && word.as_bytes()[0] != b'+' && number > 0 => {
                year = Some(number);
            }
            _ => offset = zone(word).unwrap_or(offset),
        }
    }
    let date = Date::new(year?, month, day)?;
    let local = date.days_since_epoch() * 86_400
        + i64::from(hour) * 3600
        + i64::from(minute) * 60
        + i64::from(second);
    Some(DateTime::new(local - i64::from(offset) * 60, offset))
}

fn time(word: &str) -> Option<(u8, u8, u8)> {
    let mut parts = word.split(':');
    let (hour, minute) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
    let second = parts.next().map_or(Some(0), |second| second.parse().ok())?;
    let fits = parts.next().is_none() && hour < 24 && minute < 60 && second <= 60;
    fits.then_some((hour, minute, second.min(59)))
}

/// `+0100` in minutes. Names of zones are taken as UTC: they are too ambiguous to believe.
fn zone(word: &str) -> Option<i16> {
    let (sign, digits) = match word.split_at_checked(1)? {
        ("+", digits) => (1, digits),
        ("-", digits) => (-1, digits),
        _ => return None,
    };
    let number: i16 = digits.parse().ok().filter(|_| digits.len() == 4)?;
    let minutes = number / 100 * 60 + number % 100;
    (number % 100 < 60 && minutes < 24 * 60).then_some(sign * minutes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn from_lines() {
        for (line, expected) in [
            ("From a@b Mon Nov 23 10:02:54 2026\n", Some((1_795_428_174, 0))),
            ("From a@b Mon Nov 23 11:02:54 2026 +0100\r\n", Some((1_795_428_174, 60))),
            ("From a@b Mon Nov 23 10:02:54 GMT 2026", Some((1_795_428_174, 0))),
            ("From \"a May b\"@c  Mon Nov 23 10:02 2026", Some((1_795_428_120, 0))),
            ("From MAILER-DAEMON Thu Jan  1 00:00:00 1970", Some((0, 0))),
            ("From a@b\n", None),
            ("From the beginning of May on, we met at 10:00 2026\n", None),
            ("From a Mon Nov 23 25:02:54 2026", None),
            ("from a Mon Nov 23 10:02:54 2026", None),
        ] {
            let read =
                from_line(line.as_bytes()).map(|date| (date.seconds(), date.offset_minutes()));
            assert_eq!(read, expected, "{line:?}");
        }
    }

    #[test]
    fn notes_are_taken_out() {
        let header = b"Subject: x\nX-IMAPbase: 1234567890 0000000042 $Forwarded\nX-UID: 7\n\
                       Status: RO\nX-Status: AF\nX-Keywords: NonJunk $Forwarded   \n\
                       Content-Length: 12\nTo: a,\n b\n\n";
        let (kept, notes) = take_notes(header);
        assert_eq!(kept, b"Subject: x\nTo: a,\n b\n\n");
        assert_eq!(notes.imap_base, Some((1_234_567_890, 42)));
        assert_eq!((notes.uid, notes.content_length), (Some(7), Some(12)));
        assert_eq!(notes.flags.to_string(), "\\Answered \\Flagged \\Seen NonJunk $Forwarded");
        assert!(!notes.is_internal);
        let pseudo = b"Subject: DON'T DELETE THIS MESSAGE -- FOLDER INTERNAL DATA\nX-IMAP: 5 6\n\n";
        assert!(take_notes(pseudo).1.is_internal);
        assert_eq!(take_notes(b"").0, b"");
        assert_eq!(take_notes(b"no colon\n\xff: x").0, b"no colon\n\xff: x");
    }
}
