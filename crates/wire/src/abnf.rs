//! ENVELOPE and BODYSTRUCTURE by the letter (RFC 9051 §9, envelope and body): validators for tests
//! of those who render them.

use crate::cursor::{Cursor, Result};
use crate::response::Encoding;

/// Whether `bytes` are one envelope and nothing else, without 8-bit quoted strings.
///
/// # Errors
/// Where they are not.
pub fn envelope(bytes: &[u8]) -> Result<()> {
    envelope_for(bytes, Encoding::default())
}

/// The same for a client with `encoding`.
///
/// # Errors
/// Where they are not.
pub fn envelope_for(bytes: &[u8], encoding: Encoding) -> Result<()> {
    let mut c = Cursor::of_server(bytes, encoding);
    read_envelope(&mut c)?;
    all_read(&c)
}

/// Whether `bytes` are one body: of BODYSTRUCTURE if `extensible`, of BODY otherwise, without 8-bit
/// quoted strings.
///
/// # Errors
/// Where they are not.
pub fn body(bytes: &[u8], extensible: bool) -> Result<()> {
    body_for(bytes, extensible, Encoding::default())
}

/// The same for a client with `encoding`.
///
/// # Errors
/// Where they are not.
pub fn body_for(bytes: &[u8], extensible: bool, encoding: Encoding) -> Result<()> {
    let mut c = Cursor::of_server(bytes, encoding);
    read_body(&mut c, extensible)?;
    all_read(&c)
}

fn all_read(c: &Cursor<'_>) -> Result<()> {
    if c.rest().is_empty() { Ok(()) } else { Err(c.fail("the end")) }
}

fn nstring(c: &mut Cursor<'_>) -> Result<()> {
    c.nstring(false).map(|_| ())
}

fn string(c: &mut Cursor<'_>) -> Result<()> {
    c.string(false, "a string").map(|_| ())
}

/// RFC 9051 §9, envelope.
pub(crate) fn read_envelope(c: &mut Cursor<'_>) -> Result<()> {
    c.expect(b'(', "an envelope")?;
    nstring(c)?;
    c.sp()?;
    nstring(c)?;
    c.sp()?;
    for _ in ["from", "sender", "reply-to", "to", "cc", "bcc"] {
        addresses(c)?;
        c.sp()?;
    }
    nstring(c)?;
    c.sp()?;
    nstring(c)?;
    c.expect(b')', "the end of the envelope")
}

/// `"(" 1*address ")" / nil`: no space between addresses.
fn addresses(c: &mut Cursor<'_>) -> Result<()> {
    if c.eat_nil() {
        return Ok(());
    }
    c.expect(b'(', "a list of addresses or NIL")?;
    loop {
        c.expect(b'(', "an address")?;
        for at in 0..4 {
            if at > 0 {
                c.sp()?;
            }
            nstring(c)?;
        }
        c.expect(b')', "the end of the address after four fields")?;
        if c.eat(b')') {
            return Ok(());
        }
    }
}

/// RFC 9051 §9, body.
pub(crate) fn read_body(c: &mut Cursor<'_>, extensible: bool) -> Result<()> {
    c.expect(b'(', "a body")?;
    c.nested(|c| match c.peek() {
        Some(b'(') => multipart(c, extensible),
        _ => single_part(c, extensible),
    })?;
    c.expect(b')', "the end of the body")
}

/// body-type-mpart: at least one part, no space between parts.
fn multipart(c: &mut Cursor<'_>, extensible: bool) -> Result<()> {
    while c.peek() == Some(b'(') {
        read_body(c, extensible)?;
    }
    c.sp()?;
    string(c)?;
    if extensible && c.eat(b' ') {
        parameters(c)?;
        extension_tail(c)?;
    }
    Ok(())
}

/// body-type-1part.
fn single_part(c: &mut Cursor<'_>, extensible: bool) -> Result<()> {
    let start = c.at();
    let kind = c.string(false, "a media type")?.to_ascii_uppercase();
    let quoted = c.since(start).first() == Some(&b'"');
    c.sp()?;
    let subtype = c.string(false, "a media subtype")?.to_ascii_uppercase();
    c.sp()?;
    // body-fields
    parameters(c)?;
    c.sp()?;
    nstring(c)?;
    c.sp()?;
    nstring(c)?;
    c.sp()?;
    string(c)?;
    c.sp()?;
    c.number()?;
    let message = kind == b"MESSAGE" && matches!(&subtype[..], b"RFC822" | b"GLOBAL");
    if (message || kind == b"TEXT") && !quoted {
        return Err(c.fail_at(start, "TEXT and MESSAGE in quotes"));
    }
    if message {
        c.sp()?;
        read_envelope(c)?;
        c.sp()?;
        read_body(c, extensible)?;
    }
    if message || kind == b"TEXT" {
        c.sp()?;
        c.number64()?;
    }
    if extensible && c.eat(b' ') {
        // body-fld-md5
        nstring(c)?;
        extension_tail(c)?;
    }
    Ok(())
}

/// body-fld-param.
fn parameters(c: &mut Cursor<'_>) -> Result<()> {
    if c.eat_nil() {
        return Ok(());
    }
    c.list1("a parameter", |c| {
        string(c)?;
        c.sp()?;
        string(c)
    })?;
    Ok(())
}

/// `[SP body-fld-dsp [SP body-fld-lang [SP body-fld-loc]]]`. What may follow one day as
/// body-extension, a server must not send.
fn extension_tail(c: &mut Cursor<'_>) -> Result<()> {
    if !c.eat(b' ') {
        return Ok(());
    }
    if !c.eat_nil() {
        c.expect(b'(', "a disposition or NIL")?;
        string(c)?;
        c.sp()?;
        parameters(c)?;
        c.expect(b')', "the end of the disposition")?;
    }
    if !c.eat(b' ') {
        return Ok(());
    }
    if c.peek() == Some(b'(') {
        c.list1("a language", string)?;
    } else {
        nstring(c)?;
    }
    if c.eat(b' ') {
        nstring(c)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of RFC 9051 §8.
    const ENVELOPE: &str = "(\"Wed, 17 Jul 1996 02:23:25 -0700 (PDT)\" \
        \"IMAP4rev2 WG mtg summary and minutes\" \
        ((\"Terry Gray\" NIL \"gray\" \"cac.washington.edu\")) \
        ((\"Terry Gray\" NIL \"gray\" \"cac.washington.edu\")) \
        ((\"Terry Gray\" NIL \"gray\" \"cac.washington.edu\")) \
        ((NIL NIL \"imap\" \"cac.washington.edu\")) \
        ((NIL NIL \"minutes\" \"CNRI.Reston.VA.US\")(\"John Klensin\" NIL \"KLENSIN\" \"MIT.EDU\")) \
        NIL NIL \"<B27397-0100000@cac.washington.ed>\")";

    #[test]
    fn envelopes() {
        assert_eq!(envelope(ENVELOPE.as_bytes()), Ok(()));
        let group =
            "(NIL NIL ((NIL NIL \"g\" NIL)(NIL NIL NIL NIL)) NIL NIL NIL NIL NIL NIL {1}\r\nx)";
        assert_eq!(envelope(group.as_bytes()), Ok(()));
        for (from, to) in [
            (") NIL NIL \"<B", ") NIL NIL  \"<B"),
            (")) ((NIL NIL \"m", ")) (NIL) ((NIL NIL \"m"),
            ("NIL NIL \"<B", "() NIL \"<B"),
            ("\"US\")(\"John", "\"US\") (\"John"),
            ("\"imap\" \"cac.washington.edu\"", "\"imap\""),
            ("Terry", "Térry"),
            ("Terry", "Terry\r\n"),
            ("\"<B27397-0100000@cac.washington.ed>\"", "<B>"),
            ("\"<B27397-0100000@cac.washington.ed>\"", "{3+}\r\n<B>"),
            ("\"<B27397-0100000@cac.washington.ed>\"", "~{3}\r\n<B>"),
            ("\"<B27397-0100000@cac.washington.ed>\"", "{3}\n<B>"),
            ("\"<B27397-0100000@cac.washington.ed>\"", "{1}\r\n\0"),
            ("ed>\")", "ed>\") "),
        ] {
            let bad = ENVELOPE.replacen(from, to, 1);
            if bad != ENVELOPE {
                assert!(envelope(bad.as_bytes()).is_err(), "{bad}");
            }
        }
    }

    #[test]
    fn bodies() {
        let text = "(\"TEXT\" \"PLAIN\" (\"CHARSET\" \"US-ASCII\") NIL NIL \"7BIT\" 2279 48)";
        let image = "(\"IMAGE\" \"PNG\" NIL NIL NIL \"BASE64\" 5)";
        let message =
            format!("(\"MESSAGE\" \"RFC822\" NIL NIL NIL \"7BIT\" 9 {ENVELOPE} {text} 7)");
        let mixed = format!("({text}{image}{message} \"MIXED\")");
        for good in [text, image, &message, &mixed] {
            assert_eq!(body(good.as_bytes(), false), Ok(()), "{good}");
            assert_eq!(body(good.as_bytes(), true), Ok(()), "{good}");
        }
        let extended = [
            "(\"IMAGE\" \"PNG\" NIL NIL NIL \"BASE64\" 5 NIL)",
            "(\"IMAGE\" \"PNG\" NIL NIL NIL \"BASE64\" 5 \"md5\" NIL NIL NIL)",
            "(\"TEXT\" \"X\" NIL NIL NIL \"8BIT\" 5 1 NIL (\"INLINE\" (\"a\" \"b\")) (\"en\" \"de\") \"l\")",
            "((\"IMAGE\" \"PNG\" NIL NIL NIL \"BASE64\" 5 NIL) \"MIXED\" (\"BOUNDARY\" \"x\") NIL NIL)",
        ];
        for good in extended {
            assert_eq!(body(good.as_bytes(), true), Ok(()), "{good}");
            assert!(body(good.as_bytes(), false).is_err(), "{good}");
        }
        for bad in [
            "(\"MIXED\")",
            "( \"MIXED\")",
            "(\"TEXT\" \"PLAIN\" NIL NIL NIL \"7BIT\" 2279)",
            "(\"TEXT\" \"PLAIN\" NIL NIL NIL NIL 2279 48)",
            "(\"TEXT\" \"PLAIN\" () NIL NIL \"7BIT\" 2279 48)",
            "(\"TEXT\" \"PLAIN\" (\"a\") NIL NIL \"7BIT\" 2279 48)",
            "(\"TEXT\" NIL NIL NIL NIL \"7BIT\" 2279 48)",
            "(\"TEXT\" \"PLAIN\" NIL NIL NIL \"7BIT\" -1 48)",
            "(\"IMAGE\" \"PNG\" NIL NIL NIL \"BASE64\" 5 1)",
            "(\"MESSAGE\" \"RFC822\" NIL NIL NIL \"7BIT\" 9)",
            "(\"IMAGE\" \"PNG\" NIL NIL NIL \"BASE64\" 5 NIL \"INLINE\")",
            "(\"IMAGE\" \"PNG\" NIL NIL NIL \"BASE64\" 5 NIL NIL ())",
            "(\"IMAGE\" \"PNG\" NIL NIL NIL \"BASE64\" 5 NIL NIL NIL NIL NIL)",
            "(\"IMAGE\" \"PNG\" NIL NIL NIL \"BASE64\" 4294967296)",
        ] {
            assert!(body(bad.as_bytes(), true).is_err(), "{bad}");
        }
        let deep = format!("{}{text}{}", "(".repeat(400), " \"MIXED\")".repeat(400));
        assert!(body(deep.as_bytes(), true).is_err());
    }
}
