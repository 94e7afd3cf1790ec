//! Grammar that several commands share: names, sets, flags, sections, dates.

use std::borrow::Cow;
use std::num::NonZeroU32;

use base::{Date, DateTime, Flags, Keyword, SeqNum, SystemFlag, Uid, UidSet};
use bytes::Bytes;

use crate::cursor::{Cursor, Result};
use crate::utf7;
use crate::value::{
    MailboxName, PartPath, Partial, Section, SectionText, SequenceSet, SetEnd, SpecialUse,
    StatusItem,
};

/// Every name of STATUS (RFC 9051 §6.3.11, RFC 7162 §3.1.7, RFC 8474 §4.3, RFC 7889 §4).
pub(crate) const STATUS_ITEMS: &[(&str, StatusItem)] = &[
    ("MESSAGES", StatusItem::Messages),
    ("RECENT", StatusItem::Recent),
    ("UIDNEXT", StatusItem::UidNext),
    ("UIDVALIDITY", StatusItem::UidValidity),
    ("UNSEEN", StatusItem::Unseen),
    ("DELETED", StatusItem::Deleted),
    ("SIZE", StatusItem::Size),
    ("HIGHESTMODSEQ", StatusItem::HighestModSeq),
    ("MAILBOXID", StatusItem::MailboxId),
    ("APPENDLIMIT", StatusItem::AppendLimit),
];

/// Every role (RFC 6154 §2, RFC 8457 §3.1).
pub(crate) const SPECIAL_USES: &[(&str, SpecialUse)] = &[
    ("\\All", SpecialUse::All),
    ("\\Archive", SpecialUse::Archive),
    ("\\Drafts", SpecialUse::Drafts),
    ("\\Flagged", SpecialUse::Flagged),
    ("\\Important", SpecialUse::Important),
    ("\\Junk", SpecialUse::Junk),
    ("\\Sent", SpecialUse::Sent),
    ("\\Trash", SpecialUse::Trash),
];

/// The name that `table` has for `value`.
pub(crate) fn name_of<T: PartialEq>(table: &[(&'static str, T)], value: &T) -> &'static str {
    table.iter().find(|(_, v)| v == value).map_or("", |&(name, _)| name)
}

const NAME: &str = "a mailbox name";

/// A name or pattern in the client's encoding. A name that is no modified UTF-7 is taken for
/// UTF-8: clients send `R&D` and raw 8-bit names (RFC 6855 §3 wants both understood).
fn decoded(c: &Cursor<'_>, at: usize, bytes: &[u8]) -> Result<String> {
    if !c.syntax.utf8
        && let Some(name) = utf7::decode(bytes)
    {
        return Ok(name);
    }
    match std::str::from_utf8(bytes) {
        Ok(name) => Ok(name.to_owned()),
        Err(_) => Err(c.fail_at(at, "a mailbox name in UTF-8")),
    }
}

/// RFC 9051 §9, mailbox.
pub(crate) fn mailbox(c: &mut Cursor<'_>) -> Result<MailboxName> {
    let mut name = mailbox_text(c)?;
    if name.eq_ignore_ascii_case("INBOX") {
        name.make_ascii_uppercase();
    }
    Ok(MailboxName(name))
}

/// A mailbox argument that is not one mailbox's name: LIST's reference.
pub(crate) fn mailbox_text(c: &mut Cursor<'_>) -> Result<String> {
    let at = c.at();
    let bytes = c.astring_8bit(NAME)?;
    decoded(c, at, &bytes)
}

/// RFC 9051 §9, list-mailbox. The wildcards are no base64, so that decoding leaves them alone.
pub(crate) fn pattern(c: &mut Cursor<'_>) -> Result<String> {
    let at = c.at();
    let bytes = c.list_mailbox()?;
    decoded(c, at, &bytes)
}

/// RFC 9051 §9, sequence-set.
pub(crate) fn sequence_set(c: &mut Cursor<'_>) -> Result<SequenceSet> {
    if c.eat(b'$') {
        return Ok(SequenceSet::Saved);
    }
    let mut ranges = Vec::new();
    loop {
        let first = set_end(c)?;
        let last = if c.eat(b':') { set_end(c)? } else { first };
        ranges.push((first, last));
        if !c.eat(b',') {
            return Ok(SequenceSet::Ranges(ranges));
        }
    }
}

fn set_end(c: &mut Cursor<'_>) -> Result<SetEnd> {
    if c.eat(b'*') {
        return Ok(SetEnd::Star);
    }
    match c.nz_number() {
        Ok(n) => Ok(SetEnd::Number(n)),
        Err(error) => Err(c.fail_at(error.at, "a number from 1 to 4294967295 or *")),
    }
}

/// A sequence set of plain numbers as sorted ranges (RFC 7162 §7, known-uids): O(n log n).
fn known_set(c: &mut Cursor<'_>) -> Result<Vec<(NonZeroU32, NonZeroU32)>> {
    let at = c.at();
    let SequenceSet::Ranges(ranges) = sequence_set(c)? else {
        return Err(c.fail_at(at, "a set of numbers"));
    };
    let mut known = Vec::with_capacity(ranges.len());
    for range in ranges {
        let (SetEnd::Number(first), SetEnd::Number(last)) = range else {
            return Err(c.fail_at(at, "a set without *"));
        };
        known.push((first.min(last), first.max(last)));
    }
    known.sort_unstable();
    Ok(known)
}

/// RFC 7162 §7, known-uids.
pub(crate) fn known_uids(c: &mut Cursor<'_>) -> Result<UidSet> {
    let ranges = known_set(c)?;
    let uid = |n: NonZeroU32| Uid::new(n.get()).unwrap_or(Uid::MIN);
    Ok(ranges.into_iter().map(|(first, last)| (uid(first), uid(last))).collect())
}

/// RFC 7162 §7, known-sequence-set.
pub(crate) fn known_seqs(c: &mut Cursor<'_>) -> Result<base::SeqSet> {
    let ranges = known_set(c)?;
    let seq = |n: NonZeroU32| SeqNum::new(n.get()).unwrap_or(SeqNum::MIN);
    Ok(ranges.into_iter().map(|(first, last)| (seq(first), seq(last))).collect())
}

/// What to do with `\Recent` in a flag list: it is the session's, no client can set it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Recent {
    Refuse,
    Ignore,
}

/// Keywords of one flag list: more than a mailbox may have. Each is compared with those before it.
const KEYWORDS_MAX: usize = 4096;

/// Reads one flag into `flags` (RFC 9051 §9, flag).
pub(crate) fn flag(c: &mut Cursor<'_>, recent: Recent, flags: &mut Flags) -> Result<()> {
    let start = c.at();
    let system = c.eat(b'\\');
    let atom = c.atom("a flag")?;
    // Atoms are ASCII.
    let name = std::str::from_utf8(atom).unwrap_or_default();
    if !system {
        if flags.keywords.len() >= KEYWORDS_MAX {
            return Err(c.fail_at(start, "fewer keywords"));
        }
        let keyword = Keyword::new(name);
        flags.add_keyword(keyword.ok_or_else(|| c.fail_at(start, "a shorter keyword"))?);
        return Ok(());
    }
    let known = SystemFlag::ALL.into_iter().find(|f| f.name()[1..].eq_ignore_ascii_case(name));
    match known {
        Some(flag) => flags.system = flags.system.with(flag),
        None if recent == Recent::Ignore && name.eq_ignore_ascii_case("Recent") => {}
        None => {
            let expected =
                "\\Answered, \\Flagged, \\Deleted, \\Seen, \\Draft or a keyword as the flag";
            return Err(c.fail_at(start, expected));
        }
    }
    Ok(())
}

/// RFC 9051 §9, flag-list.
pub(crate) fn flag_list(c: &mut Cursor<'_>, recent: Recent) -> Result<Flags> {
    let mut flags = Flags::default();
    c.list(|c| flag(c, recent, &mut flags))?;
    Ok(flags)
}

/// A role: `\Sent` and its like; `None` for one that nobody knows (RFC 6154 §3).
pub(crate) fn special_use(c: &mut Cursor<'_>) -> Result<Option<SpecialUse>> {
    c.expect(b'\\', "a backslash")?;
    let name = c.atom("a special use")?;
    let known = SPECIAL_USES.iter().find(|(n, _)| n.as_bytes()[1..].eq_ignore_ascii_case(name));
    Ok(known.map(|&(_, value)| value))
}

/// RFC 9051 §9, section-part, maybe empty.
pub(crate) fn part_path(c: &mut Cursor<'_>) -> Result<PartPath> {
    let mut path = PartPath::new();
    if !c.peek().is_some_and(|byte| byte.is_ascii_digit()) {
        return Ok(path);
    }
    path.push(c.nz_number()?);
    while c.rest().first() == Some(&b'.') && c.rest().get(1).is_some_and(u8::is_ascii_digit) {
        c.skip(1);
        path.push(c.nz_number()?);
    }
    Ok(path)
}

/// `[` section-part `]` (RFC 3516 §7, section-binary).
pub(crate) fn section_binary(c: &mut Cursor<'_>) -> Result<PartPath> {
    c.expect(b'[', "[")?;
    let path = part_path(c)?;
    c.expect(b']', "a part number and ]")?;
    Ok(path)
}

/// RFC 9051 §9, section.
pub(crate) fn section(c: &mut Cursor<'_>) -> Result<Section> {
    c.expect(b'[', "[")?;
    let path = part_path(c)?;
    let text = match c.peek() {
        Some(b']') => SectionText::Whole,
        _ if path.is_empty() => section_text(c, false)?,
        _ => {
            c.expect(b'.', ". or ]")?;
            section_text(c, true)?
        }
    };
    c.expect(b']', "]")?;
    Ok(Section { path, text })
}

fn section_text(c: &mut Cursor<'_>, in_part: bool) -> Result<SectionText> {
    let start = c.at();
    let label = c.label("a section")?;
    let is = |name: &str| label.eq_ignore_ascii_case(name.as_bytes());
    let not = is("HEADER.FIELDS.NOT");
    if not || is("HEADER.FIELDS") {
        c.sp()?;
        let fields = c.list1("a header field's name", |c| {
            c.astring("a header field's name").map(|name| Bytes::from(name.into_owned()))
        })?;
        return Ok(SectionText::HeaderFields { not, fields });
    }
    match () {
        () if is("HEADER") => Ok(SectionText::Header),
        () if is("TEXT") => Ok(SectionText::Text),
        () if is("MIME") && in_part => Ok(SectionText::Mime),
        () => {
            let expected = "HEADER, HEADER.FIELDS, HEADER.FIELDS.NOT, TEXT, or MIME after a part";
            Err(c.fail_at(start, expected))
        }
    }
}

/// RFC 9051 §9, partial, if there is one.
pub(crate) fn partial(c: &mut Cursor<'_>) -> Result<Option<Partial>> {
    if !c.eat(b'<') {
        return Ok(None);
    }
    let offset = c.number64()?;
    c.expect(b'.', ". between the partial's offset and length")?;
    let start = c.at();
    let length = c.number64()?;
    if length == 0 {
        return Err(c.fail_at(start, "a length above 0"));
    }
    c.expect(b'>', "> after the partial's length")?;
    Ok(Some(Partial { offset, length }))
}

fn date_parts(c: &mut Cursor<'_>, day_digits: usize) -> Result<Date> {
    let start = c.at();
    let day = c.fixed_digits(day_digits)?;
    c.expect(b'-', "- after the day")?;
    let month = c.rest().get(..3).and_then(|name| std::str::from_utf8(name).ok());
    let month = month.and_then(Date::month_from_name);
    let month = month.ok_or_else(|| c.fail("a month: Jan, Feb, ..."))?;
    c.skip(3);
    c.expect(b'-', "- after the month")?;
    let year = c.fixed_digits(4)?;
    let day = u8::try_from(day).unwrap_or(0);
    Date::new(i32::from(year), month, day).ok_or_else(|| c.fail_at(start, "a day that exists"))
}

/// How many digits the day has: one or two.
fn day_digits(c: &Cursor<'_>) -> usize {
    if c.rest().get(1).is_some_and(u8::is_ascii_digit) { 2 } else { 1 }
}

/// RFC 9051 §9, date.
pub(crate) fn date(c: &mut Cursor<'_>) -> Result<Date> {
    let quoted = c.eat(b'"');
    let digits = day_digits(c);
    let date = date_parts(c, digits)?;
    if quoted {
        c.expect(b'"', "a closing quote")?;
    }
    Ok(date)
}

/// RFC 9051 §9, date-time. A one-digit day without its space is understood too.
pub(crate) fn date_time(c: &mut Cursor<'_>) -> Result<DateTime> {
    c.expect(b'"', "a date and time in quotes")?;
    let start = c.at();
    let digits = if c.eat(b' ') { 1 } else { day_digits(c) };
    let date = date_parts(c, digits)?;
    c.sp()?;
    let mut time = [0u8; 3];
    for (at, part) in time.iter_mut().enumerate() {
        if at > 0 {
            c.expect(b':', ": in the time")?;
        }
        *part = u8::try_from(c.fixed_digits(2)?).unwrap_or(u8::MAX);
    }
    c.sp()?;
    let sign = if c.eat(b'-') {
        -1
    } else {
        c.expect(b'+', "+ or - and the time zone")?;
        1
    };
    let zone_at = c.at();
    let (hours, minutes) = (c.fixed_digits(2)?, c.fixed_digits(2)?);
    let offset = i16::try_from(hours * 60 + minutes).ok().filter(|_| minutes < 60);
    let offset = offset.ok_or_else(|| c.fail_at(zone_at, "a time zone"))?;
    let [hour, minute, second] = time;
    let at = DateTime::from_civil(date, (hour, minute, second), sign * offset)
        .ok_or_else(|| c.fail_at(start, "a time that exists"))?;
    c.expect(b'"', "a closing quote")?;
    Ok(at)
}

/// RFC 8474 §7, objectid.
pub(crate) fn object_id(c: &mut Cursor<'_>) -> Result<String> {
    let id = c.atom("an object identifier")?;
    let fits = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    match std::str::from_utf8(id) {
        Ok(text) if id.len() <= 255 && id.iter().all(fits) => Ok(text.to_owned()),
        _ => Err(c.fail_at(c.at() - id.len(), "an object identifier")),
    }
}

/// Text as UTF-8.
pub(crate) fn utf8(c: &Cursor<'_>, at: usize, bytes: Cow<'_, [u8]>) -> Result<String> {
    String::from_utf8(bytes.into_owned()).map_err(|_| c.fail_at(at, "valid UTF-8"))
}
