//! FETCH responses as a client reads them.

use std::num::NonZeroU32;

use bytes::Bytes;

use super::{ascii, flags, mod_seq};
use crate::abnf::{read_body, read_envelope};
use crate::cursor::{Cursor, Result, is_astring_char};
use crate::grammar;

/// Data without a meaning: what parentheses, strings and atoms make of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Value {
    /// NIL
    Nil,
    /// An atom, a number, a set.
    Atom(String),
    /// A quoted string or literal.
    String(Bytes),
    /// `(...)`, with or without spaces in between.
    List(Vec<Value>),
}

impl Value {
    /// The bytes of a string, or of an atom.
    pub fn bytes(&self) -> Option<&[u8]> {
        match self {
            Self::Atom(atom) => Some(atom.as_bytes()),
            Self::String(bytes) => Some(bytes),
            Self::Nil | Self::List(_) => None,
        }
    }

    /// The number that an atom is.
    pub fn number(&self) -> Option<u64> {
        if let Self::Atom(atom) = self { atom.parse().ok() } else { None }
    }

    /// The items of a list.
    pub fn items(&self) -> &[Self] {
        if let Self::List(items) = self { items } else { &[] }
    }
}

/// One item of a FETCH response.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FetchData {
    /// The item's name as written, `BODY[HEADER.FIELDS (From)]<0>`.
    pub name: String,
    /// Its value.
    pub value: Value,
}

/// RFC 9051 §9, msg-att.
pub(super) fn parse(c: &mut Cursor<'_>) -> Result<Vec<FetchData>> {
    c.list1("a fetch item", item)
}

fn item(c: &mut Cursor<'_>) -> Result<FetchData> {
    let start = c.at();
    let label = c.label("a fetch item")?.to_ascii_uppercase();
    let section = c.peek() == Some(b'[');
    if section {
        match &label[..] {
            b"BODY" => {
                grammar::section(c)?;
            }
            b"BINARY" | b"BINARY.SIZE" => {
                grammar::section_binary(c)?;
            }
            _ => return Err(c.fail("a space")),
        }
        if label != b"BINARY.SIZE" && c.eat(b'<') {
            c.number64()?;
            c.expect(b'>', ">")?;
        }
    }
    let name = ascii(c.since(start));
    c.sp()?;
    let value = item_value(c, &label, section, start)?;
    Ok(FetchData { name, value })
}

/// Checks the item's own grammar, then reads it as data.
fn item_value(c: &mut Cursor<'_>, label: &[u8], section: bool, start: usize) -> Result<Value> {
    if label == b"BINARY" && c.peek() == Some(b'~') {
        return literal8(c);
    }
    let mut check = c.clone();
    match label {
        b"BODY" if !section => read_body(&mut check, false)?,
        b"BODYSTRUCTURE" => read_body(&mut check, true)?,
        b"ENVELOPE" => read_envelope(&mut check)?,
        b"FLAGS" => {
            flags(&mut check, false)?;
        }
        b"UID" => {
            check.nz_number()?;
        }
        b"MODSEQ" => {
            check.expect(b'(', "an opening parenthesis")?;
            mod_seq(&mut check)?;
            check.expect(b')', "a closing parenthesis")?;
        }
        b"INTERNALDATE" => date_time(&mut check)?,
        b"SAVEDATE" if check.eat_nil() => {}
        b"SAVEDATE" => date_time(&mut check)?,
        b"RFC822.SIZE" => {
            check.number64()?;
        }
        b"BINARY.SIZE" if section => {
            check.number()?;
        }
        b"THREADID" if check.eat_nil() => {}
        b"THREADID" | b"EMAILID" => {
            check.expect(b'(', "an opening parenthesis")?;
            grammar::object_id(&mut check)?;
            check.expect(b')', "a closing parenthesis")?;
        }
        b"RFC822" | b"RFC822.HEADER" | b"RFC822.TEXT" => {
            check.nstring(false)?;
        }
        b"BODY" | b"BINARY" if section => {
            check.nstring(false)?;
        }
        _ => return Err(c.fail_at(start, "a known fetch item")),
    }
    let value = value(c)?;
    if c.at() == check.at() { Ok(value) } else { Err(check.fail("a space or )")) }
}

/// RFC 3516 §7, literal8: the one place where NUL may be.
fn literal8(c: &mut Cursor<'_>) -> Result<Value> {
    let spec = c.literal_spec()?;
    let bytes = usize::try_from(spec.bytes).ok().and_then(|n| c.rest().get(..n));
    let bytes = bytes.ok_or_else(|| c.fail("the rest of a literal"))?;
    c.skip(bytes.len());
    Ok(Value::String(Bytes::copy_from_slice(bytes)))
}

/// RFC 9051 §9, date-time: 26 characters in quotes.
fn date_time(c: &mut Cursor<'_>) -> Result<()> {
    let start = c.at();
    grammar::date_time(c)?;
    if c.since(start).len() == 28 { Ok(()) } else { Err(c.fail_at(start, "a two-digit day")) }
}

/// Any data; an atom that holds `\` or `*` too.
pub(super) fn value(c: &mut Cursor<'_>) -> Result<Value> {
    match c.peek() {
        Some(b'(') => {
            c.skip(1);
            c.nested(|c| {
                let mut items = Vec::new();
                while !c.eat(b')') {
                    items.push(value(c)?);
                    c.eat(b' ');
                }
                Ok(Value::List(items))
            })
        }
        Some(b'"' | b'{') => {
            let string = c.string(false, "a string")?;
            Ok(Value::String(Bytes::from(string.into_owned())))
        }
        _ if c.eat_nil() => Ok(Value::Nil),
        _ => {
            let rest = c.rest();
            let fits = |&byte: &u8| is_astring_char(byte) || matches!(byte, b'\\' | b'*');
            let end = rest.iter().position(|byte| !fits(byte)).unwrap_or(rest.len());
            if end == 0 {
                return Err(c.fail("a value"));
            }
            c.skip(end);
            Ok(Value::Atom(ascii(&rest[..end])))
        }
    }
}

/// A number as a response's subject: never 0.
pub(super) fn seq(c: &Cursor<'_>, number: u32, start: usize) -> Result<base::SeqNum> {
    NonZeroU32::new(number)
        .and_then(|n| base::SeqNum::new(n.get()))
        .ok_or_else(|| c.fail_at(start, "a sequence number"))
}
