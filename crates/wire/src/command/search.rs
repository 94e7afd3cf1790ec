//! SEARCH and UID SEARCH; the search program is also that of SORT and THREAD.
//!
//! RFC 9051 §6.4.4; RETURN: RFC 4731, RFC 5182; MODSEQ: RFC 7162 §3.1.5; OLDER, YOUNGER: RFC 5032;
//! EMAILID, THREADID: RFC 8474 §6; SAVEDBEFORE and its like: RFC 8514 §4.3.

use base::{Date, Keyword, SystemFlag};
use encoding_rs::Encoding;

use crate::cursor::{Cursor, Result};
use crate::emit::{self, Style, push};
use crate::error::SyntaxErrorKind;
use crate::grammar;
use crate::value::{Numbering, SearchKey, SearchReturn};

/// SEARCH (RFC 9051 §6.4.4).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Search {
    /// Whether UIDs are returned.
    pub numbering: Numbering,
    /// `RETURN (...)`.
    pub returns: Option<SearchReturn>,
    /// The program.
    pub key: SearchKey,
}

/// What a BADCHARSET code lists: the charsets a client should use. Every other one that encoding_rs
/// knows works too.
pub const CHARSETS: &[&str] = &["US-ASCII", "UTF-8"];

/// How the texts of a search program are written.
#[derive(Clone, Copy)]
enum Charset {
    /// UTF-8, and US-ASCII as its part. Clients that name no charset, or the wrong one of the two,
    /// send UTF-8 all the same.
    Utf8,
    Other(&'static Encoding),
}

const KEY: &str = "a search key";

pub(super) fn parse(c: &mut Cursor<'_>, numbering: Numbering) -> Result<Search> {
    c.sp()?;
    let (returns, key) = returns_and_program(c)?;
    Ok(Search { numbering, returns, key })
}

/// What SEARCH and ESEARCH end with.
pub(super) fn returns_and_program(c: &mut Cursor<'_>) -> Result<(Option<SearchReturn>, SearchKey)> {
    let returns = return_options(c)?;
    let mut text = Charset::Utf8;
    if c.eat_word("CHARSET") {
        c.sp()?;
        let start = c.at();
        text = charset(c, returns.is_some_and(|returns| returns.save))?;
        // RFC 6855 §3 forbids CHARSET after UTF8=ACCEPT because labels may contradict each other.
        // "UTF-8" does not, and clients go on sending it.
        if c.syntax.utf8 && !c.syntax.rev2 && matches!(text, Charset::Other(_)) {
            return Err(c.fail_at(start, "UTF-8 as the charset after ENABLE UTF8=ACCEPT"));
        }
        c.sp()?;
    }
    Ok((returns, program(c, text)?))
}

/// RFC 5256 §5, search-criteria: the charset is not optional there.
pub(super) fn criteria(c: &mut Cursor<'_>, save: bool) -> Result<SearchKey> {
    let text = charset(c, save)?;
    c.sp()?;
    program(c, text)
}

/// `RETURN (...)` and the space after it, if it is there (RFC 4466 §2.6.1).
pub(super) fn return_options(c: &mut Cursor<'_>) -> Result<Option<SearchReturn>> {
    #[derive(Clone, Copy)]
    enum Item {
        Min,
        Max,
        All,
        Count,
        Save,
    }
    if !c.eat_word("RETURN") {
        return Ok(None);
    }
    c.sp()?;
    let table = [
        ("MIN", Item::Min),
        ("MAX", Item::Max),
        ("ALL", Item::All),
        ("COUNT", Item::Count),
        ("SAVE", Item::Save),
    ];
    let mut returns = SearchReturn::default();
    c.list(|c| {
        match c.choose(&table, "MIN, MAX, ALL, COUNT or SAVE")? {
            Item::Min => returns.min = true,
            Item::Max => returns.max = true,
            Item::All => returns.all = true,
            Item::Count => returns.count = true,
            Item::Save => returns.save = true,
        }
        Ok(())
    })?;
    // RFC 4731 §3.1: "If the list of result options is empty, that is equivalent to ALL."
    returns.all |= returns == SearchReturn::default();
    c.sp()?;
    Ok(Some(returns))
}

fn charset(c: &mut Cursor<'_>, save: bool) -> Result<Charset> {
    let start = c.at();
    let label = c.astring("a charset")?;
    if label.eq_ignore_ascii_case(b"US-ASCII") {
        return Ok(Charset::Utf8);
    }
    match Encoding::for_label_no_replacement(&label) {
        Some(encoding) if encoding == encoding_rs::UTF_8 => Ok(Charset::Utf8),
        // UTF-16 text is full of NUL, which no string can hold.
        Some(encoding)
            if encoding != encoding_rs::UTF_16LE && encoding != encoding_rs::UTF_16BE =>
        {
            Ok(Charset::Other(encoding))
        }
        _ => {
            let mut error = c.fail_at(start, "a known charset");
            error.kind = SyntaxErrorKind::BadCharset { save };
            Err(error)
        }
    }
}

/// RFC 9051 §9, search-key *(SP search-key).
fn program(c: &mut Cursor<'_>, charset: Charset) -> Result<SearchKey> {
    let first = key(c, charset)?;
    if c.peek() != Some(b' ') {
        return Ok(first);
    }
    let mut keys = vec![first];
    while c.eat(b' ') {
        keys.push(key(c, charset)?);
    }
    Ok(SearchKey::And(keys))
}

/// One key. Clients chain hundreds of `OR`s, so these are read in a loop, and nest in the value no
/// deeper than they must; what else nests is bounded by [`Cursor::nested`].
fn key(c: &mut Cursor<'_>, charset: Charset) -> Result<SearchKey> {
    let mut missing = 1usize;
    let mut alternatives = Vec::new();
    loop {
        if c.eat_word("OR") {
            c.sp()?;
            missing += 1;
            continue;
        }
        alternatives.push(simple_key(c, charset)?);
        missing -= 1;
        if missing == 0 {
            return Ok(any_of(alternatives));
        }
        c.sp()?;
    }
}

/// The alternatives as a balanced tree of [`SearchKey::Or`]; OR is associative.
fn any_of(mut keys: Vec<SearchKey>) -> SearchKey {
    if keys.len() > 1 {
        let right = keys.split_off(keys.len() / 2);
        return SearchKey::Or(Box::new(any_of(keys)), Box::new(any_of(right)));
    }
    keys.pop().unwrap_or(SearchKey::All)
}

fn simple_key(c: &mut Cursor<'_>, charset: Charset) -> Result<SearchKey> {
    match c.peek() {
        Some(b'0'..=b'9' | b'*' | b'$') => return grammar::sequence_set(c).map(SearchKey::Seq),
        Some(b'(') => {
            let mut keys = c.list1(KEY, |c| key(c, charset))?;
            return match keys.len() {
                1 => Ok(keys.pop().unwrap_or(SearchKey::All)),
                _ => Ok(SearchKey::And(keys)),
            };
        }
        _ => {}
    }
    let start = c.at();
    let word = c.label(KEY)?;
    let mut upper = [0u8; 20];
    let name = upper.get_mut(..word.len()).ok_or_else(|| c.fail_at(start, KEY))?;
    name.copy_from_slice(word);
    name.make_ascii_uppercase();
    if let Some(key) = flag_key(name) {
        return Ok(key);
    }
    if name == b"NOT" {
        c.sp()?;
        let inner = c.nested(|c| key(c, charset))?;
        return Ok(SearchKey::Not(Box::new(inner)));
    }
    if name == b"SAVEDATESUPPORTED" {
        return Ok(SearchKey::SaveDateSupported);
    }
    argument_key(c, name, charset)?.ok_or_else(|| c.fail_at(start, KEY))
}

/// Keys without an argument.
fn flag_key(name: &[u8]) -> Option<SearchKey> {
    let set = SearchKey::Flag;
    let not = |key| SearchKey::Not(Box::new(key));
    Some(match name {
        b"ALL" => SearchKey::All,
        b"ANSWERED" => set(SystemFlag::Answered),
        b"DELETED" => set(SystemFlag::Deleted),
        b"DRAFT" => set(SystemFlag::Draft),
        b"FLAGGED" => set(SystemFlag::Flagged),
        b"SEEN" => set(SystemFlag::Seen),
        b"UNANSWERED" => not(set(SystemFlag::Answered)),
        b"UNDELETED" => not(set(SystemFlag::Deleted)),
        b"UNDRAFT" => not(set(SystemFlag::Draft)),
        b"UNFLAGGED" => not(set(SystemFlag::Flagged)),
        b"UNSEEN" => not(set(SystemFlag::Seen)),
        b"RECENT" => SearchKey::Recent,
        b"OLD" => not(SearchKey::Recent),
        b"NEW" => SearchKey::And(vec![SearchKey::Recent, not(set(SystemFlag::Seen))]),
        _ => return None,
    })
}

/// Keys with an argument; `None` if there is no such key.
fn argument_key(c: &mut Cursor<'_>, name: &[u8], charset: Charset) -> Result<Option<SearchKey>> {
    let key = match name {
        b"BCC" => header(c, "Bcc", charset)?,
        b"CC" => header(c, "Cc", charset)?,
        b"FROM" => header(c, "From", charset)?,
        b"SUBJECT" => header(c, "Subject", charset)?,
        b"TO" => header(c, "To", charset)?,
        b"BODY" => SearchKey::Body(text(c, charset)?),
        b"TEXT" => SearchKey::Text(text(c, charset)?),
        b"HEADER" => {
            c.sp()?;
            let at = c.at();
            let field = c.astring("a header field's name")?;
            let field = grammar::utf8(c, at, field)?;
            SearchKey::Header { field, text: text(c, charset)? }
        }
        b"BEFORE" => SearchKey::Before(date(c)?),
        b"ON" => SearchKey::On(date(c)?),
        b"SINCE" => SearchKey::Since(date(c)?),
        b"SENTBEFORE" => SearchKey::SentBefore(date(c)?),
        b"SENTON" => SearchKey::SentOn(date(c)?),
        b"SENTSINCE" => SearchKey::SentSince(date(c)?),
        b"SAVEDBEFORE" => SearchKey::SavedBefore(date(c)?),
        b"SAVEDON" => SearchKey::SavedOn(date(c)?),
        b"SAVEDSINCE" => SearchKey::SavedSince(date(c)?),
        b"KEYWORD" => SearchKey::Keyword(keyword(c)?),
        b"UNKEYWORD" => SearchKey::Not(Box::new(SearchKey::Keyword(keyword(c)?))),
        b"LARGER" => SearchKey::Larger(after_space(c, Cursor::number64)?),
        b"SMALLER" => SearchKey::Smaller(after_space(c, Cursor::number64)?),
        b"OLDER" => SearchKey::Older(after_space(c, Cursor::nz_number)?),
        b"YOUNGER" => SearchKey::Younger(after_space(c, Cursor::nz_number)?),
        b"UID" => SearchKey::Uid(after_space(c, grammar::sequence_set)?),
        b"MODSEQ" => mod_seq(c)?,
        b"EMAILID" => SearchKey::EmailId(after_space(c, grammar::object_id)?),
        b"THREADID" => SearchKey::ThreadId(after_space(c, grammar::object_id)?),
        _ => return Ok(None),
    };
    Ok(Some(key))
}

fn after_space<'a, T>(
    c: &mut Cursor<'a>,
    read: impl FnOnce(&mut Cursor<'a>) -> Result<T>,
) -> Result<T> {
    c.sp()?;
    read(c)
}

fn date(c: &mut Cursor<'_>) -> Result<Date> {
    after_space(c, grammar::date)
}

fn header(c: &mut Cursor<'_>, field: &str, charset: Charset) -> Result<SearchKey> {
    Ok(SearchKey::Header { field: field.to_owned(), text: text(c, charset)? })
}

fn keyword(c: &mut Cursor<'_>) -> Result<Keyword> {
    c.sp()?;
    let start = c.at();
    let atom = c.atom("a keyword")?;
    let keyword = std::str::from_utf8(atom).ok().and_then(Keyword::new);
    keyword.ok_or_else(|| c.fail_at(start, "a shorter keyword"))
}

/// A space and a text in the command's charset, as UTF-8.
fn text(c: &mut Cursor<'_>, charset: Charset) -> Result<String> {
    c.sp()?;
    let at = c.at();
    // In quotes after UTF8=ACCEPT, text is UTF-8 whatever the charset says.
    let quoted_utf8 = c.syntax.utf8 && c.peek() == Some(b'"');
    let bytes = c.astring_8bit("a text to search for")?;
    match charset {
        Charset::Other(encoding) if !quoted_utf8 => {
            let text = encoding.decode_without_bom_handling_and_without_replacement(&bytes);
            let text = text.ok_or_else(|| c.fail_at(at, "text in the given charset"))?;
            // ISO-2022-JP could bring one in.
            if text.contains('\0') { Err(c.fail_at(at, "no NUL")) } else { Ok(text.into_owned()) }
        }
        _ => grammar::utf8(c, at, bytes),
    }
}

/// RFC 7162 §3.1.5: the entry is understood and has no meaning here.
fn mod_seq(c: &mut Cursor<'_>) -> Result<SearchKey> {
    c.sp()?;
    if c.peek() == Some(b'"') {
        let start = c.at();
        let entry = c.string(false, "an entry name")?;
        if !entry.to_ascii_lowercase().starts_with(b"/flags/") {
            return Err(c.fail_at(start, "an entry name that begins with /flags/"));
        }
        c.sp()?;
        c.choose(&[("PRIV", ()), ("SHARED", ()), ("ALL", ())], "priv, shared or all")?;
        c.sp()?;
    }
    c.mod_seq().map(SearchKey::ModSeq)
}

pub(super) fn print(search: &Search, out: &mut Vec<u8>, style: Style) {
    super::print_verb("SEARCH", search.numbering, out);
    print_returns_and_program(search.returns, &search.key, out, style);
}

pub(super) fn print_returns_and_program(
    returns: Option<SearchReturn>,
    key: &SearchKey,
    out: &mut Vec<u8>,
    style: Style,
) {
    print_returns(returns, out);
    if !style.utf8 {
        out.extend_from_slice(b"CHARSET UTF-8 ");
    }
    print_program(key, out, style);
}

pub(super) fn print_returns(returns: Option<SearchReturn>, out: &mut Vec<u8>) {
    let Some(SearchReturn { min, max, all, count, save }) = returns else {
        return;
    };
    let options = [(min, "MIN"), (max, "MAX"), (all, "ALL"), (count, "COUNT"), (save, "SAVE")];
    out.extend_from_slice(b"RETURN ");
    let given = options.into_iter().filter(|(given, _)| *given);
    emit::list(out, given, |out, (_, name)| out.extend_from_slice(name.as_bytes()));
    out.push(b' ');
}

pub(super) fn print_program(key: &SearchKey, out: &mut Vec<u8>, style: Style) {
    match key {
        SearchKey::And(keys) => emit::spaced(out, keys, |out, key| print_key(key, out, style)),
        key => print_key(key, out, style),
    }
}

fn print_key(key: &SearchKey, out: &mut Vec<u8>, style: Style) {
    match key {
        SearchKey::All => out.extend_from_slice(b"ALL"),
        SearchKey::And(keys) => emit::list(out, keys, |out, key| print_key(key, out, style)),
        SearchKey::Or(a, b) => {
            out.extend_from_slice(b"OR ");
            print_key(a, out, style);
            out.push(b' ');
            print_key(b, out, style);
        }
        SearchKey::Not(inner) => print_not(inner, out, style),
        SearchKey::Flag(flag) => {
            out.extend_from_slice(flag.name()[1..].to_ascii_uppercase().as_bytes());
        }
        SearchKey::Keyword(keyword) => push(out, format_args!("KEYWORD {keyword}")),
        SearchKey::Recent => out.extend_from_slice(b"RECENT"),
        SearchKey::Header { field, text } => {
            let short = ["Bcc", "Cc", "From", "Subject", "To"];
            if short.contains(&field.as_str()) {
                push(out, format_args!("{} ", field.to_ascii_uppercase()));
            } else {
                out.extend_from_slice(b"HEADER ");
                emit::astring(out, field.as_bytes(), style);
                out.push(b' ');
            }
            emit::string(out, text.as_bytes(), style);
        }
        SearchKey::Body(text) => print_text("BODY", text, out, style),
        SearchKey::Text(text) => print_text("TEXT", text, out, style),
        SearchKey::Before(date) => push(out, format_args!("BEFORE {date}")),
        SearchKey::On(date) => push(out, format_args!("ON {date}")),
        SearchKey::Since(date) => push(out, format_args!("SINCE {date}")),
        SearchKey::SentBefore(date) => push(out, format_args!("SENTBEFORE {date}")),
        SearchKey::SentOn(date) => push(out, format_args!("SENTON {date}")),
        SearchKey::SentSince(date) => push(out, format_args!("SENTSINCE {date}")),
        SearchKey::SavedBefore(date) => push(out, format_args!("SAVEDBEFORE {date}")),
        SearchKey::SavedOn(date) => push(out, format_args!("SAVEDON {date}")),
        SearchKey::SavedSince(date) => push(out, format_args!("SAVEDSINCE {date}")),
        SearchKey::SaveDateSupported => out.extend_from_slice(b"SAVEDATESUPPORTED"),
        SearchKey::Older(seconds) => push(out, format_args!("OLDER {seconds}")),
        SearchKey::Younger(seconds) => push(out, format_args!("YOUNGER {seconds}")),
        SearchKey::Larger(bytes) => push(out, format_args!("LARGER {bytes}")),
        SearchKey::Smaller(bytes) => push(out, format_args!("SMALLER {bytes}")),
        SearchKey::Uid(set) => {
            out.extend_from_slice(b"UID ");
            emit::sequence_set(out, set);
        }
        SearchKey::Seq(set) => emit::sequence_set(out, set),
        SearchKey::ModSeq(mod_seq) => push(out, format_args!("MODSEQ {mod_seq}")),
        SearchKey::EmailId(id) => push(out, format_args!("EMAILID {id}")),
        SearchKey::ThreadId(id) => push(out, format_args!("THREADID {id}")),
    }
}

fn print_not(inner: &SearchKey, out: &mut Vec<u8>, style: Style) {
    match inner {
        SearchKey::Recent => out.extend_from_slice(b"OLD"),
        SearchKey::Flag(_) | SearchKey::Keyword(_) => {
            out.extend_from_slice(b"UN");
            print_key(inner, out, style);
        }
        _ => {
            out.extend_from_slice(b"NOT ");
            print_key(inner, out, style);
        }
    }
}

fn print_text(name: &str, text: &str, out: &mut Vec<u8>, style: Style) {
    push(out, format_args!("{name} "));
    emit::string(out, text.as_bytes(), style);
}

#[cfg(test)]
#[path = "search_tests.rs"]
mod tests;
