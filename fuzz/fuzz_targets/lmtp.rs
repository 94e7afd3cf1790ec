//! An LMTP connection means the same however its bytes are cut, and a message ends only at CR LF . CR
//! LF or at the end of its chunk.
//!
//! The first byte says how long the pieces are.

#![no_main]

use libfuzzer_sys::fuzz_target;
use lmtp::command::Command;
use lmtp::connection::{Connection, Next};

const LINE_BYTES_MAX: usize = 64;

#[derive(PartialEq, Debug)]
enum Heard {
    Command(Command),
    Reply(Vec<u8>),
    /// What DATA brought, and whether it ended.
    Message(Vec<u8>, bool),
    /// What BDAT brought, and whether all of it.
    Chunk(Vec<u8>, bool),
}

fuzz_target!(|input: &[u8]| {
    let Some((&mode, bytes)) = input.split_first() else { return };
    let step = usize::from(mode % 16) + 1;
    let (whole, left) = hear(bytes, bytes.len().max(1));
    let (pieces, _) = hear(bytes, step);
    assert_eq!(whole, pieces, "in pieces of {step}");
    for heard in &whole {
        match heard {
            Heard::Reply(reply) => {
                assert!(reply.ends_with(b"\r\n"));
                let lines = reply.strip_suffix(b"\r\n").expect("it ends so");
                assert!(!lines.contains(&0));
            }
            Heard::Message(text, ended) => {
                // Stuffed again, nothing in it is an end.
                let stuffed = stuff(text);
                let end = stuffed.windows(5).any(|five| five == b"\r\n.\r\n");
                assert!(!end && !stuffed.starts_with(b".\r\n"));
                assert!(*ended || left <= 3, "{left} bytes are kept");
            }
            Heard::Command(_) | Heard::Chunk(..) => {}
        }
    }
    assert!(left <= LINE_BYTES_MAX + 2, "{left} bytes are kept");
});

/// As a sender does it (RFC 5321 §4.5.2).
fn stuff(text: &[u8]) -> Vec<u8> {
    let mut stuffed = Vec::new();
    for (at, &byte) in text.iter().enumerate() {
        if byte == b'.' && (at == 0 || text[..at].ends_with(b"\r\n")) {
            stuffed.push(b'.');
        }
        stuffed.push(byte);
    }
    stuffed
}

/// All that a connection hears, fed in pieces of `step`, and how many bytes it keeps.
fn hear(bytes: &[u8], step: usize) -> (Vec<Heard>, usize) {
    let mut connection = Connection::new(LINE_BYTES_MAX);
    let mut all = Vec::new();
    let mut pieces = bytes.chunks(step);
    loop {
        match connection.advance() {
            Next::NeedBytes => match pieces.next() {
                Some(piece) => connection.inbox().extend_from_slice(piece),
                None => break,
            },
            Next::Command(command) => {
                match &command {
                    Command::Data => connection.begin_data(),
                    Command::Bdat { size, .. } => connection.begin_chunk(*size),
                    _ => {}
                }
                let body = match &command {
                    Command::Data => Some(Heard::Message(Vec::new(), false)),
                    Command::Bdat { .. } => Some(Heard::Chunk(Vec::new(), false)),
                    _ => None,
                };
                all.push(Heard::Command(command));
                all.extend(body);
            }
            Next::Data(data) => match all.last_mut() {
                Some(Heard::Message(text, false) | Heard::Chunk(text, false)) => {
                    assert!(!data.is_empty());
                    text.extend_from_slice(&data);
                }
                _ => panic!("data of nothing"),
            },
            Next::DataEnd => match all.last_mut() {
                Some(Heard::Message(_, ended) | Heard::Chunk(_, ended)) if !*ended => *ended = true,
                _ => panic!("an end of nothing"),
            },
            Next::Bad(reply) => all.push(Heard::Reply(print(&reply))),
            Next::Broken(reply) => {
                all.push(Heard::Reply(print(&reply)));
                return (all, 0);
            }
        }
    }
    let left = connection.inbox().len();
    (all, left)
}

fn print(reply: &lmtp::reply::Reply) -> Vec<u8> {
    let mut out = Vec::new();
    reply.print(&mut out);
    out
}
