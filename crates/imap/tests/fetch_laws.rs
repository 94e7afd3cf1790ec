//! What must hold between the parts of any message, whatever it looks like.

mod common;
mod odd_storage;
mod one_client;

use one_client::Client;
use proptest::prelude::*;
use testkit::mail;

/// The values of a FETCH of these items, in their order; `None` for NIL.
fn fetch(client: &mut Client, items: &[String]) -> Option<Vec<Option<Vec<u8>>>> {
    let output = client.ask(&format!("x FETCH * ({})", items.join(" ")));
    let mut rest = &output[..];
    if rest.starts_with(b"x NO [UNKNOWN-CTE]") {
        return None;
    }
    let mut values = Vec::new();
    let mut separator = rest.iter().position(|&c| c == b'(').expect("a FETCH") + 1;
    for item in items {
        rest = &rest[separator..];
        let mut name = item.replace(".PEEK", "");
        if let Some((range, _)) = name.rsplit_once('.').filter(|_| name.ends_with('>')) {
            name = format!("{range}>");
        }
        let after = rest.strip_prefix(name.as_bytes());
        let shown = || String::from_utf8_lossy(rest).into_owned();
        rest = after.unwrap_or_else(|| panic!("{name}: {}", shown()));
        let (value, length) = value(&rest[1..]);
        values.push(value);
        rest = &rest[1 + length..];
        separator = 1;
    }
    assert_eq!(String::from_utf8_lossy(rest), ")\r\nx OK FETCH completed\r\n");
    Some(values)
}

/// NIL, a string or a number, and how long it is.
fn value(bytes: &[u8]) -> (Option<Vec<u8>>, usize) {
    if bytes.starts_with(b"NIL") {
        return (None, 3);
    }
    if bytes.starts_with(b"\"\"") {
        return (Some(Vec::new()), 2);
    }
    if bytes[0].is_ascii_digit() {
        let end = bytes.iter().position(|c| !c.is_ascii_digit()).expect("an end");
        return (Some(bytes[..end].to_vec()), end);
    }
    let open = bytes.iter().position(|&c| c == b'{').expect("a literal");
    let close = bytes.iter().position(|&c| c == b'}').expect("a literal");
    let length = String::from_utf8_lossy(&bytes[open + 1..close]);
    let length: usize = length.parse().expect("a length");
    let start = close + 3;
    let value = bytes[start..start + length].to_vec();
    // Only BINARY may hold NUL, and says so.
    assert_eq!(open == 1, value.contains(&0) && bytes[0] == b'~');
    (Some(value), start + length)
}

fn strings(items: &[&str]) -> Vec<String> {
    items.iter().map(|item| (*item).to_owned()).collect()
}

fn laws(client: &mut Client, message: &[u8]) {
    client.deliver(message);
    client.ask("y NOOP");
    let items = strings(&[
        "BODY.PEEK[]",
        "RFC822.SIZE",
        "BODY.PEEK[HEADER]",
        "BODY.PEEK[TEXT]",
        "BODY.PEEK[HEADER.FIELDS (SUBJECT FROM CONTENT-TYPE)]",
        "BODY.PEEK[HEADER.FIELDS.NOT (SUBJECT FROM CONTENT-TYPE)]",
        "RFC822.HEADER",
    ]);
    let values = fetch(client, &items).expect("no BINARY here");
    let value = |at: usize| values[at].as_deref().expect("every message has these");
    assert!(value(0) == message, "byte for byte");
    assert_eq!(value(1), message.len().to_string().as_bytes());
    assert!([value(2), value(3)].concat() == message, "header and text are the message");
    assert!(value(6) == value(2));
    let empty_line = [&b"\r\n"[..], b"\n"]
        .into_iter()
        .find(|end| value(4).ends_with(end) && value(5).ends_with(end) && value(2).ends_with(end));
    let twice = value(4).len() + value(5).len() - value(2).len();
    assert!(twice == 0 || Some(twice) == empty_line.map(<[u8]>::len), "each field once");
    for path in ["1", "2", "3", "1.1", "2.1", "1.2", "1.1.1"] {
        part_laws(client, message, path);
    }
}

fn part_laws(client: &mut Client, message: &[u8], path: &str) {
    let items = strings(&[
        &format!("BODY.PEEK[{path}]"),
        &format!("BODY.PEEK[{path}]<0.7>"),
        &format!("BODY.PEEK[{path}]<7.100000000>"),
        &format!("BODY.PEEK[{path}.MIME]"),
    ]);
    let values = fetch(client, &items).expect("no BINARY here");
    let Some(part) = &values[0] else {
        assert!(values.iter().all(Option::is_none), "{path}: there or not there");
        return;
    };
    assert!(part.is_empty() || memchr::memmem::find(message, part).is_some(), "a slice");
    let pieces = [values[1].as_deref(), values[2].as_deref()].map(Option::unwrap_or_default);
    assert!(pieces.concat() == *part, "{path}: its ranges are the part");
    assert!(values[3].is_some());
    let items = strings(&[
        &format!("BINARY.SIZE[{path}]"),
        &format!("BINARY.PEEK[{path}]"),
        &format!("BINARY.PEEK[{path}]<3.5>"),
    ]);
    if let Some(values) = fetch(client, &items) {
        let decoded = values[1].as_deref().expect("the part is there");
        assert_eq!(values[0], Some(decoded.len().to_string().into_bytes()));
        let piece = decoded.iter().skip(3).take(5).copied().collect::<Vec<_>>();
        assert_eq!(values[2], Some(piece));
    }
}

fn client() -> Client {
    let mut client = Client::new();
    client.ask("b SELECT INBOX");
    client
}

#[test]
fn of_made_up_mail() {
    let mut client = client();
    for seed in 0..60 {
        laws(&mut client, &mail::message(seed));
    }
}

/// Pieces that MIME is made of, in no order.
fn soup() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop::sample::select(vec![
        &b"\r\n"[..],
        b"\n",
        b"--b",
        b"--b--",
        b"Content-Type: multipart/mixed; boundary=b\r\n",
        b"Content-Type: message/rfc822\r\n",
        b"Content-Type: text/plain; charset=utf-8\r\n",
        b"Content-Transfer-Encoding: base64\r\n",
        b"Content-Transfer-Encoding: quoted-printable\r\n",
        b"Subject: a\r\n b\r\n",
        b"From: x@y\r\n",
        b"AAECAw==",
        b"=C3=A9=\r\n",
        b"\0",
        b"\xff",
        b" ",
        b":",
    ]);
    prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn of_anything(messages in prop::collection::vec(soup(), 1..4)) {
        let mut client = client();
        for message in &messages {
            laws(&mut client, message);
        }
    }
}
