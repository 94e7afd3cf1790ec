//! Framing: however the bytes are cut, the events are the same, and no byte stream makes a
//! connection hold more than its limits.
#![allow(clippy::unwrap_used, reason = "tests")]

use base::Limits;
use bytes::BytesMut;
use imap::connection::{Connection, Event};
use proptest::prelude::*;
use wire::command::Command;

const LIMITS: fn() -> Limits = || Limits {
    line_bytes_max: 300,
    line_bytes_max_before_login: 200,
    command_bytes_max: 400,
    command_bytes_max_before_login: 100,
    ..Limits::default()
};

/// A client that is cut into pieces, and a session that takes messages up to 60 bytes.
struct Bench {
    connection: Connection,
    events: Vec<Event>,
    held_max: usize,
    is_closed: bool,
}

impl Bench {
    fn new(logged_in: bool) -> Self {
        let mut connection = Connection::new(&LIMITS());
        if logged_in {
            connection.set_logged_in();
        }
        Self { connection, events: Vec::new(), held_max: 0, is_closed: false }
    }

    fn push(&mut self, event: Event) {
        // A message may come in any pieces.
        if let (Event::Chunk(new), Some(Event::Chunk(old))) = (&event, self.events.last_mut()) {
            let mut both = BytesMut::from(&old[..]);
            both.extend_from_slice(new);
            *old = both.freeze();
            return;
        }
        self.events.push(event);
    }

    fn decide(&mut self, bytes: u64) {
        match bytes <= 60 {
            true => {
                self.connection.accept();
            }
            false => self.connection.refuse(),
        }
    }

    fn receive(&mut self, bytes: &[u8]) {
        if self.is_closed {
            return;
        }
        self.connection.receive(bytes);
        loop {
            let event = self.connection.next_event();
            self.held_max = self.held_max.max(self.connection.held_bytes());
            match &event {
                Event::NeedBytes => return,
                Event::Close(_) => {
                    self.is_closed = true;
                    self.push(event);
                    return;
                }
                Event::Append(head) => self.decide(head.literal.bytes),
                Event::AppendNext(_, literal) => self.decide(literal.bytes),
                Event::Command(parsed) if matches!(parsed.command, Command::Authenticate(_)) => {
                    self.connection.expect_lines();
                }
                Event::Command(parsed) if parsed.command == Command::Idle => {
                    self.connection.expect_lines();
                }
                Event::Line(line) if line.starts_with(b"x") => {
                    self.connection.refuse_as_command(&line.clone(), "not now");
                }
                Event::Line(_) | Event::LineTooLong => self.connection.expect_commands(),
                _ => {}
            }
            self.push(event);
        }
    }

    fn play(logged_in: bool, pieces: &[&[u8]]) -> Self {
        let mut bench = Self::new(logged_in);
        for piece in pieces {
            bench.receive(piece);
        }
        bench
    }
}

/// Things a client may send, right and wrong, each complete.
fn phrase() -> impl Strategy<Value = Vec<u8>> {
    let fixed: Vec<&'static [u8]> = vec![
        b"a NOOP\r\n",
        b"a noop\n",
        b"\r\n",
        b"\n",
        b"a LOGIN {5}\r\nalice {6}\r\nsecret\r\n",
        b"a LOGIN {5+}\r\nalice {6+}\r\nse\r\net\r\n",
        b"a LOGIN {101}\r\n",
        b"a LOGIN {4097+}\r\n",
        b"a AUTHENTICATE PLAIN\r\nAGFsaWNl\r\n",
        b"a IDLE\r\nDONE\r\n",
        b"a IDLE\r\nx LOGIN {3+}\r\nabc {3}\r\ndef\r\n",
        b"a NONSENSE {3+}\r\n\r\n\n rest\r\n",
        b"nonsense\r\n",
        b"a NO\0OP\r\n",
        b"a NOOP {3}\r\n",
        b"a APPEND INBOX {10}\r\n0123456789\r\n",
        b"a APPEND {5+}\r\nINBOX (\\Seen) {10+}\r\n01234\r\n789\r\n",
        b"a APPEND INBOX {4+}\r\nabcd {4}\r\nefgh {4+}\r\nijkl\r\n",
        b"a APPEND INBOX {70+}\r\n0123456789\r\na LOGOUT\r\n0123456789012345678901234567890123456789012345678\r\n",
        b"a APPEND INBOX {70}\r\n",
        b"a APPEND INBOX {4+}\r\nabcd {70+}\r\n0123456789012345678901234567890123456789012345678901234567890123456789\r\n",
        b"a APPEND INBOX {4+}\r\nabcdoops {3+}\r\nxyz {2}\r\n",
        b"a APPEND INBOX nonsense {3+}\r\nabc\r\n",
        b"a APPEND UTF8 x UTF8 (~{3+}\r\nabc)\r\n",
        b"a SEARCH TEXT {300+}\r\n",
        b"GET / HTTP/1.1\r\n",
        b"{5+}\r\n",
        b"a {\r\n",
        b"a {99999999999999999999}\r\n",
        b"a X {18446744073709551615+}\r\n",
    ];
    prop_oneof![
        8 => prop::sample::select(fixed).prop_map(<[u8]>::to_vec),
        1 => prop::collection::vec(any::<u8>(), 0..50),
        1 => (150usize..700).prop_map(|n| format!("a NOOP {}\r\n", "x".repeat(n)).into_bytes()),
        1 => (1usize..500)
            .prop_map(|n| format!("a SEARCH TEXT {{{n}+}}\r\n{}\r\n", "y".repeat(n)).into_bytes()),
    ]
}

/// Every event has what it has to have behind it.
fn check_order(events: &[Event]) -> Result<(), TestCaseError> {
    for pair in events.windows(2) {
        match &pair[0] {
            Event::MessageEnd => prop_assert!(
                matches!(pair[1], Event::AppendEnd | Event::AppendNext(..) | Event::AppendBad(_)),
                "{:?}",
                pair
            ),
            Event::Chunk(_) => prop_assert!(matches!(pair[1], Event::MessageEnd), "{:?}", pair),
            _ => {}
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn every_split_gives_the_same_events(
        phrases in prop::collection::vec(phrase(), 1..12),
        cuts in prop::collection::vec(1usize..40, 1..200),
        logged_in: bool,
    ) {
        let stream = phrases.concat();
        let whole = Bench::play(logged_in, &[&stream]);
        let bytes: Vec<&[u8]> = stream.chunks(1).collect();
        prop_assert_eq!(&Bench::play(logged_in, &bytes).events, &whole.events);
        let mut rest = &stream[..];
        let mut pieces = Vec::new();
        for cut in cuts.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (piece, more) = rest.split_at((*cut).min(rest.len()));
            pieces.push(piece);
            rest = more;
        }
        prop_assert_eq!(&Bench::play(logged_in, &pieces).events, &whole.events);
        check_order(&whole.events)?;
    }

    #[test]
    fn nothing_makes_it_hold_more_than_its_limits(
        phrases in prop::collection::vec(phrase(), 1..40),
        logged_in: bool,
    ) {
        let stream = phrases.concat();
        let limits = LIMITS();
        let most = match logged_in {
            true => 2 * limits.line_bytes_max + limits.command_bytes_max,
            false => 2 * limits.line_bytes_max_before_login + limits.command_bytes_max_before_login,
        };
        let pieces: Vec<&[u8]> = stream.chunks(16).collect();
        let bench = Bench::play(logged_in, &pieces);
        prop_assert!(bench.held_max <= most + 16, "{} bytes held", bench.held_max);
    }
}

#[test]
fn a_stranger_has_a_budget() {
    let mut bench = Bench::new(false);
    for _ in 0..100_000 {
        bench.receive(b"a NOOP\r\n");
    }
    assert!(bench.is_closed);
}

#[test]
fn a_long_line_that_is_no_command_announces_no_literal() {
    let line = format!("a IDLE\r\n{}{{9+}}\r\nb NOOP\r\n", "y".repeat(500));
    for pieces in [vec![line.as_bytes()], line.as_bytes().chunks(1).collect()] {
        let events = Bench::play(true, &pieces).events;
        let [Event::Command(_), Event::LineTooLong, Event::Command(next)] = &events[..] else {
            panic!("{events:?}");
        };
        assert_eq!(next.tag, "b");
    }
}

#[test]
fn a_long_line_announces_its_literal_however_the_size_is_written() {
    let zeros = "0".repeat(300);
    let line = format!("a APPEND INBOX {{{zeros}9+}}\r\nx LOGOUT\n\r\nb NOOP\r\n");
    for piece in [1, 8, line.len()] {
        let pieces: Vec<_> = line.as_bytes().chunks(piece).collect();
        let events = Bench::play(true, &pieces).events;
        let [Event::Bad(refusal), Event::Command(next)] = &events[..] else {
            panic!("{events:?}");
        };
        assert_eq!((refusal.text.as_str(), next.tag.as_str()), ("line is too long", "b"));
    }
}

#[test]
fn a_long_line_behind_a_message_is_too_long_in_any_pieces() {
    let line = format!("a APPEND INBOX {{2+}}\r\nxy{}\r\nb NOOP\r\n", " ".repeat(301));
    for pieces in [vec![line.as_bytes()], line.as_bytes().chunks(1).collect()] {
        let events = Bench::play(true, &pieces).events;
        let [.., Event::AppendBad(refusal), Event::Command(next)] = &events[..] else {
            panic!("{events:?}");
        };
        assert_eq!((refusal.text.as_str(), next.tag.as_str()), ("line is too long", "b"));
    }
}

#[test]
fn what_is_skipped_is_not_interpreted() {
    let text = |event: &Event| match event {
        Event::Bad(refusal) => format!("bad {:?}", refusal.tag.as_deref()),
        Event::Command(parsed) => format!("command {}", parsed.tag),
        Event::Append(_) => "append".to_owned(),
        other => format!("{other:?}"),
    };
    for (stream, wanted) in [
        // A literal that is too big, and a command that looks like one inside.
        (&b"a SEARCH TEXT {405+}\r\nb NOOP\r\n"[..], vec![]),
        (b"a APPEND INBOX {70}\r\nb NOOP\r\n", vec!["append", "Skipped", "command b"]),
        (b"a SEARCH TEXT {500}\r\nb NOOP\r\n", vec!["bad Some(\"a\")", "command b"]),
        (b"a {3+}\r\nxyz {2+}\r\nuv\r\nb NOOP\r\n", vec!["bad Some(\"a\")", "command b"]),
    ] {
        let bench = Bench::play(true, &[stream]);
        let events: Vec<String> = bench.events.iter().map(text).collect();
        assert_eq!(events, wanted, "{}", stream.escape_ascii());
    }
}
