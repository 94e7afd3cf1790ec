//! However the bytes are cut, IMAP and LMTP see the same; and neither holds more than its limits.
//!
//! Of the first byte, the lowest bit chooses the protocol, the next one whether the client has logged
//! in, the rest how long the pieces are.

#![no_main]

use base::Limits;
use bytes::BytesMut;
use imap::connection::{Connection, Event};
use libfuzzer_sys::fuzz_target;
use lmtp::connection::Next;
use wire::command::Command;

const LINE_BYTES_MAX: usize = 300;
const COMMAND_BYTES_MAX: usize = 400;
/// Larger messages are refused.
const MESSAGE_BYTES_MAX: u64 = 60;

fuzz_target!(|input: &[u8]| {
    let Some((&mode, stream)) = input.split_first() else { return };
    let piece = usize::from(mode >> 2) + 1;
    match mode & 1 {
        0 => {
            let whole = imap_events(stream, mode & 2 != 0, stream.len().max(1));
            assert_eq!(imap_events(stream, mode & 2 != 0, piece), whole);
        }
        _ => {
            let whole = lmtp_events(stream, stream.len().max(1));
            assert_eq!(lmtp_events(stream, piece), whole);
        }
    }
});

fn imap_events(stream: &[u8], logged_in: bool, piece: usize) -> Vec<Event> {
    let limits = Limits {
        line_bytes_max: LINE_BYTES_MAX,
        line_bytes_max_before_login: LINE_BYTES_MAX,
        command_bytes_max: COMMAND_BYTES_MAX,
        command_bytes_max_before_login: COMMAND_BYTES_MAX,
        ..Limits::default()
    };
    let mut connection = Connection::new(&limits);
    if logged_in {
        connection.set_logged_in();
    }
    let mut events: Vec<Event> = Vec::new();
    for bytes in stream.chunks(piece) {
        connection.receive(bytes);
        loop {
            let event = connection.next_event();
            let most = 2 * LINE_BYTES_MAX + COMMAND_BYTES_MAX + bytes.len();
            assert!(connection.held_bytes() <= most, "{} bytes held", connection.held_bytes());
            match &event {
                Event::NeedBytes => break,
                Event::Close(_) => {
                    events.push(event);
                    return events;
                }
                Event::Append(head) => decide(&mut connection, head.literal.bytes),
                Event::AppendNext(_, literal) => decide(&mut connection, literal.bytes),
                Event::Command(parsed)
                    if matches!(parsed.command, Command::Authenticate(_) | Command::Idle) =>
                {
                    connection.expect_lines();
                }
                Event::Line(line) if line.starts_with(b"x") => {
                    connection.refuse_as_command(&line.clone(), "not now");
                }
                Event::Line(_) | Event::LineTooLong => connection.expect_commands(),
                _ => {}
            }
            match (event, events.last_mut()) {
                (Event::Chunk(new), Some(Event::Chunk(old))) => {
                    *old = [&old[..], &new[..]].concat().into();
                }
                (event, _) => events.push(event),
            }
        }
    }
    events
}

fn decide(connection: &mut Connection, bytes: u64) {
    match bytes <= MESSAGE_BYTES_MAX {
        true => drop(connection.accept()),
        false => connection.refuse(),
    }
}

fn lmtp_events(stream: &[u8], piece: usize) -> Vec<Next> {
    let mut connection = lmtp::connection::Connection::new(LINE_BYTES_MAX);
    let mut events: Vec<Next> = Vec::new();
    for bytes in stream.chunks(piece) {
        connection.inbox().extend_from_slice(bytes);
        loop {
            let next = connection.advance();
            match &next {
                Next::NeedBytes => break,
                Next::Broken(_) => {
                    events.push(next);
                    return events;
                }
                Next::Command(lmtp::command::Command::Data) => connection.begin_data(),
                Next::Command(lmtp::command::Command::Bdat { size, .. }) => {
                    connection.begin_chunk(*size);
                }
                _ => {}
            }
            match (next, events.last_mut()) {
                (Next::Data(new), Some(Next::Data(old))) => {
                    let mut both = BytesMut::from(&old[..]);
                    both.extend_from_slice(&new);
                    *old = both.freeze();
                }
                (next, _) => events.push(next),
            }
        }
        let held = connection.inbox().len();
        assert!(held <= LINE_BYTES_MAX + bytes.len() + 2, "{held} bytes held");
    }
    events
}
