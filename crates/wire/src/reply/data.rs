//! Untagged responses but FETCH as a client reads them.

use std::num::NonZeroU32;

use base::{ModSeq, UidValidity};
use bytes::Bytes;

use super::{
    CONDITIONS, Data, ListKind, Namespace, Value, ascii, atoms, capabilities, fetch, flags,
    mod_seq, text,
};
use crate::cursor::{Cursor, Result};
use crate::grammar::{self, STATUS_ITEMS};
use crate::response::{Esearch, ThreadNode};
use crate::utf7;
use crate::value::{MailboxName, SequenceSet, StatusItem};

pub(super) fn parse(c: &mut Cursor<'_>) -> Result<Data> {
    if c.peek().is_some_and(|byte| byte.is_ascii_digit()) {
        return numbered(c);
    }
    let start = c.at();
    let label = c.label("a response")?.to_ascii_uppercase();
    let condition = CONDITIONS.iter().find(|(name, _)| name.as_bytes() == label);
    if let Some(&(_, condition)) = condition {
        c.sp()?;
        return Ok(Data::Status(condition, text(c)?));
    }
    match &label[..] {
        b"CAPABILITY" => return capabilities(c).map(Data::Capability),
        b"ENABLED" => return atoms(c).map(Data::Enabled),
        b"SEARCH" => return numbers(c).map(|(numbers, modseq)| Data::Search(numbers, modseq)),
        b"SORT" => return numbers(c).map(|(numbers, modseq)| Data::Sort(numbers, modseq)),
        b"ESEARCH" => return esearch(c).map(Data::Esearch),
        b"THREAD" => return threads(c).map(Data::Thread),
        _ => {}
    }
    c.sp()?;
    match &label[..] {
        b"PREAUTH" => text(c).map(Data::PreAuth),
        b"BYE" => text(c).map(Data::Bye),
        b"ID" => id(c).map(Data::Id),
        b"LIST" => list(c, ListKind::List),
        b"LSUB" => list(c, ListKind::Lsub),
        b"XLIST" => list(c, ListKind::Xlist),
        b"NAMESPACE" => {
            let personal = namespace(c)?;
            c.sp()?;
            let others = namespace(c)?;
            c.sp()?;
            Ok(Data::Namespace([personal, others, namespace(c)?]))
        }
        b"STATUS" => {
            let mailbox = mailbox(c)?;
            c.sp()?;
            Ok(Data::StatusOf(mailbox, c.list(status_item)?))
        }
        b"FLAGS" => flags(c, false).map(Data::Flags),
        b"VANISHED" => {
            let earlier = c.eat(b'(');
            if earlier {
                c.choose(&[("EARLIER", ())], "EARLIER")?;
                c.expect(b')', "a closing parenthesis")?;
                c.sp()?;
            }
            Ok(Data::Vanished { earlier, uids: grammar::known_uids(c)? })
        }
        _ => Err(c.fail_at(start, "a known response")),
    }
}

fn numbered(c: &mut Cursor<'_>) -> Result<Data> {
    let start = c.at();
    let number = c.number()?;
    c.sp()?;
    let at = c.at();
    match &c.label("EXISTS, RECENT, EXPUNGE or FETCH")?.to_ascii_uppercase()[..] {
        b"EXISTS" => Ok(Data::Exists(number)),
        b"RECENT" => Ok(Data::Recent(number)),
        b"EXPUNGE" => fetch::seq(c, number, start).map(Data::Expunge),
        b"FETCH" => {
            let seq = fetch::seq(c, number, start)?;
            c.sp()?;
            Ok(Data::Fetch(seq, fetch::parse(c)?))
        }
        _ => Err(c.fail_at(at, "EXISTS, RECENT, EXPUNGE or FETCH")),
    }
}

/// `[1*(SP nz-number) [SP search-sort-mod-seq]]` (RFC 7162 §7).
fn numbers(c: &mut Cursor<'_>) -> Result<(Vec<u32>, Option<ModSeq>)> {
    let mut numbers = Vec::new();
    while c.eat(b' ') {
        if c.peek() == Some(b'(') && !numbers.is_empty() {
            c.skip(1);
            c.choose(&[("MODSEQ", ())], "MODSEQ")?;
            c.sp()?;
            let mod_seq = mod_seq(c)?;
            c.expect(b')', "a closing parenthesis")?;
            return Ok((numbers, Some(mod_seq)));
        }
        numbers.push(c.nz_number()?.get());
    }
    Ok((numbers, None))
}

/// A name in the one encoding that the client expects.
fn mailbox(c: &mut Cursor<'_>) -> Result<MailboxName> {
    let start = c.at();
    let bytes = c.astring("a mailbox name")?;
    let name = match c.syntax.utf8 {
        true => String::from_utf8(bytes.into_owned()).ok(),
        false => utf7::decode(&bytes),
    };
    name.map(MailboxName).ok_or_else(|| c.fail_at(start, "a mailbox name in its encoding"))
}

/// `DQUOTE QUOTED-CHAR DQUOTE / nil`
fn delimiter(c: &mut Cursor<'_>) -> Result<Option<char>> {
    let start = c.at();
    if c.eat_nil() {
        return Ok(None);
    }
    let text = c.string(false, "a delimiter")?;
    match (c.since(start).first(), &text[..]) {
        (Some(b'"'), &[byte]) if byte.is_ascii() => Ok(Some(char::from(byte))),
        _ => Err(c.fail_at(start, "one character in quotes")),
    }
}

fn list(c: &mut Cursor<'_>, kind: ListKind) -> Result<Data> {
    let start = c.at();
    let attributes = c.list(|c| {
        let start = c.at();
        c.expect(b'\\', "a mailbox attribute")?;
        c.atom("a mailbox attribute")?;
        Ok(ascii(c.since(start)))
    })?;
    let exclusive = ["\\NonExistent", "\\Noselect", "\\Marked", "\\Unmarked"];
    let exclusive = attributes.iter().filter(|name| exclusive.contains(&name.as_str())).count();
    let twice = (1..attributes.len()).any(|at| attributes[..at].contains(&attributes[at]));
    if exclusive > 1 || twice {
        return Err(c.fail_at(start, "attributes that go together"));
    }
    c.sp()?;
    let delimiter = delimiter(c)?;
    c.sp()?;
    let mailbox = mailbox(c)?;
    let mut extended = Vec::new();
    if kind == ListKind::List && c.eat(b' ') {
        extended = c.list(extended_item)?;
    }
    Ok(Data::List { kind, attributes, delimiter, mailbox, extended })
}

/// RFC 9051 §9, mbox-list-extended-item; the values of the two known ones are lists.
fn extended_item(c: &mut Cursor<'_>) -> Result<(String, Value)> {
    let start = c.at();
    let tag = ascii(&c.astring("an item of extended data")?).to_ascii_uppercase();
    if !matches!(tag.as_str(), "CHILDINFO" | "OLDNAME") {
        return Err(c.fail_at(start, "CHILDINFO or OLDNAME"));
    }
    c.sp()?;
    if c.peek() != Some(b'(') {
        return Err(c.fail("an opening parenthesis"));
    }
    Ok((tag, fetch::value(c)?))
}

fn namespace(c: &mut Cursor<'_>) -> Result<Namespace> {
    let mut namespace = Namespace::new();
    if c.eat_nil() {
        return Ok(namespace);
    }
    c.expect(b'(', "an opening parenthesis or NIL")?;
    while !c.eat(b')') || namespace.is_empty() {
        c.expect(b'(', "a namespace")?;
        let start = c.at();
        let prefix = c.string(false, "a prefix")?;
        let prefix = match c.syntax.utf8 {
            true => String::from_utf8(prefix.into_owned()).ok(),
            false => utf7::decode(&prefix),
        };
        let prefix = prefix.ok_or_else(|| c.fail_at(start, "a prefix in its encoding"))?;
        c.sp()?;
        namespace.push((prefix, delimiter(c)?));
        c.expect(b')', "a closing parenthesis")?;
    }
    Ok(namespace)
}

fn status_item(c: &mut Cursor<'_>) -> Result<(StatusItem, String)> {
    let item = c.choose(STATUS_ITEMS, "a status item")?;
    c.sp()?;
    let start = c.at();
    match item {
        StatusItem::UidNext | StatusItem::UidValidity => {
            c.nz_number()?;
        }
        StatusItem::Size | StatusItem::HighestModSeq => {
            c.number64()?;
        }
        StatusItem::AppendLimit if c.eat_nil() => {}
        StatusItem::MailboxId => {
            c.expect(b'(', "an opening parenthesis")?;
            let id = grammar::object_id(c)?;
            c.expect(b')', "a closing parenthesis")?;
            return Ok((item, id));
        }
        StatusItem::Messages
        | StatusItem::Recent
        | StatusItem::Unseen
        | StatusItem::Deleted
        | StatusItem::AppendLimit => {
            c.number()?;
        }
    }
    Ok((item, ascii(c.since(start))))
}

type IdFields = Vec<(Bytes, Option<Bytes>)>;

fn id(c: &mut Cursor<'_>) -> Result<Option<IdFields>> {
    if c.eat_nil() {
        return Ok(None);
    }
    let fields = c.list(|c| {
        let field = Bytes::from(c.string(false, "a field's name")?.into_owned());
        c.sp()?;
        let value = c.nstring(false)?;
        Ok((field, value.map(|value| Bytes::from(value.into_owned()))))
    })?;
    Ok(Some(fields))
}

/// RFC 9051 §9, esearch-response.
fn esearch(c: &mut Cursor<'_>) -> Result<Esearch> {
    let mut esearch = Esearch::default();
    let mut first = true;
    while c.eat(b' ') {
        if first && c.eat(b'(') {
            correlators(c, &mut esearch)?;
            first = false;
            continue;
        }
        let at = c.at();
        let label = c.label("an item of ESEARCH")?.to_ascii_uppercase();
        if label == b"UID" {
            esearch.uid = true;
            continue;
        }
        c.sp()?;
        match &label[..] {
            b"MIN" => esearch.min = Some(c.nz_number()?.get()),
            b"MAX" => esearch.max = Some(c.nz_number()?.get()),
            b"COUNT" => esearch.count = Some(c.number()?),
            b"MODSEQ" => esearch.mod_seq = Some(mod_seq(c)?),
            b"ALL" => {
                let start = c.at();
                if grammar::sequence_set(c)? == SequenceSet::Saved || c.since(start).contains(&b'*')
                {
                    return Err(c.fail_at(start, "a set of numbers"));
                }
                esearch.all = Some(ascii(c.since(start)));
            }
            _ => return Err(c.fail_at(at, "MIN, MAX, ALL, COUNT or MODSEQ")),
        }
    }
    Ok(esearch)
}

/// RFC 7377 §4, one-correlator *(SP one-correlator): TAG alone, or with the other two.
fn correlators(c: &mut Cursor<'_>, esearch: &mut Esearch) -> Result<()> {
    c.choose(&[("TAG", ())], "TAG")?;
    c.sp()?;
    esearch.tag = ascii(&c.astring("a tag")?);
    if c.eat(b' ') {
        c.choose(&[("MAILBOX", ())], "MAILBOX")?;
        c.sp()?;
        let mailbox = mailbox(c)?;
        c.sp()?;
        c.choose(&[("UIDVALIDITY", ())], "UIDVALIDITY")?;
        c.sp()?;
        let uid_validity = UidValidity::new(c.nz_number()?.get());
        esearch.mailbox = uid_validity.map(|uid_validity| (mailbox, uid_validity));
    }
    c.expect(b')', "a closing parenthesis")
}

/// RFC 5256 §5, thread-data.
fn threads(c: &mut Cursor<'_>) -> Result<Vec<ThreadNode>> {
    let mut threads = Vec::new();
    if c.eat(b' ') {
        threads.push(thread_list(c)?);
        while c.peek() == Some(b'(') {
            threads.push(thread_list(c)?);
        }
    }
    Ok(threads)
}

/// RFC 5256 §5, thread-list: a chain of numbers, and where it ends maybe two lists or more.
fn thread_list(c: &mut Cursor<'_>) -> Result<ThreadNode> {
    c.expect(b'(', "a thread")?;
    let mut numbers: Vec<NonZeroU32> = Vec::new();
    let mut branches = Vec::new();
    c.nested(|c| {
        loop {
            if c.peek() == Some(b'(') {
                while c.peek() == Some(b'(') {
                    branches.push(thread_list(c)?);
                }
                return if branches.len() > 1 { Ok(()) } else { Err(c.fail("one more branch")) };
            }
            numbers.push(c.nz_number()?);
            if !c.eat(b' ') {
                return Ok(());
            }
        }
    })?;
    c.expect(b')', "the end of the thread")?;
    if numbers.is_empty() {
        return Ok(ThreadNode { number: None, children: branches });
    }
    for number in numbers.into_iter().rev() {
        branches = vec![ThreadNode { number: Some(number.get()), children: branches }];
    }
    Ok(branches.pop().unwrap_or(ThreadNode { number: None, children: Vec::new() }))
}
