//! The bytes of a segment, and with them what of a message is a text: whatever changes them makes
//! another version, because segments of both would otherwise be mixed.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::fmt::Write;
use std::path::Path;

use common::World;

const MESSAGES: [&str; 5] = [
    "From: =?utf-8?q?J=C3=B6rg?= <joerg@example.org>\r\nTo: Ann <ann@example.org>\r\n\
     Cc: a@b\r\nBcc: c@d\r\nSubject: =?iso-8859-1?q?Gr=FC=DFe?=\r\n and more\r\n\r\nHello\r\n",
    "Subject: parts\r\nContent-Type: multipart/mixed; boundary=q\r\n\r\n--q\r\n\
     Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n\
     5pel5pys6Kqe\r\n--q\r\nContent-Type: text/html; charset=koi8-r\r\n\
     Content-Transfer-Encoding: quoted-printable\r\n\r\n<b>=ED=C9=D2</b>\r\n--q\r\n\
     Content-Type: application/pdf; name*=utf-8''%C3%BC.pdf\r\n\r\nnot a text\r\n--q--\r\n",
    "Content-Type: message/rfc822\r\n\r\nSubject: inner\r\n\r\ninner text\r\n",
    "",
    "no header at all",
];

#[test]
fn the_bytes_of_a_segment() {
    let mut world = World::new();
    world.append(MESSAGES.map(|message| message.as_bytes().to_vec()));
    // So much text that all the rest is worth telling apart.
    world.append(
        ["many: words\r\n\r\n".to_owned() + &"the same again ".repeat(1000)].map(Vec::from),
    );
    world.update(&world.library());
    let mut text = String::new();
    for (name, bytes) in world.files() {
        writeln!(text, "{name}").unwrap();
        for line in bytes.chunks(32) {
            line.iter().for_each(|byte| write!(text, "{byte:02x}").unwrap());
            text.push('\n');
        }
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden.txt");
    if std::env::var_os("MARTLET_WRITE_GOLDEN").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    let golden = std::fs::read_to_string(&path).unwrap();
    assert!(text == golden, "raise VERSION in segment.rs, then write it by MARTLET_WRITE_GOLDEN=1");
}
