//! Any commands in any order, right or wrong: the server never panics, answers every tag once, and
//! every response parses under the grammar of what the client has enabled.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use base::Limits;
use common::Server;
use imap::Settings;
use proptest::prelude::*;
use testkit::pipe::{Peer, pipe};
use testkit::player::response_length;
use testkit::{Executor, mail};
use wire::reply::{Data, Reply};
use wire::response::Encoding;

/// Mailbox names, of which some exist.
const NAMES: [&str; 10] = [
    "INBOX",
    "inbox",
    "Sent",
    "a/b",
    "a",
    "\"x y\"",
    "Entw&APw-rfe",
    "\"\"",
    "{3+}\r\nfoo",
    "a/b/c/",
];
const SETS: [&str; 8] = ["1", "1:*", "*", "5:2", "1:3,7,9", "100", "$", "4294967295"];
const KEYS: [&str; 12] = [
    "ALL",
    "UNSEEN",
    "OR SEEN FLAGGED",
    "NOT DELETED",
    "SUBJECT re",
    "TEXT {3+}\r\nend",
    "UID 1:*",
    "SINCE 1-Jan-2020",
    "MODSEQ 5",
    "CHARSET UTF-8 BODY x",
    "(RECENT (NEW OLD))",
    "YOUNGER 100",
];
const ITEMS: [&str; 16] = [
    "FLAGS",
    "ALL",
    "FULL",
    "FAST",
    "UID",
    "(UID FLAGS MODSEQ)",
    "ENVELOPE",
    "BODYSTRUCTURE",
    "BODY",
    "BODY.PEEK[]",
    "BODY[1.MIME]",
    "BODY[HEADER.FIELDS (From X)]<3.10>",
    "BINARY[1]",
    "BINARY.SIZE[1]",
    "(EMAILID THREADID SAVEDATE)",
    "RFC822.HEADER",
];

fn of(from: &'static [&'static str]) -> impl Strategy<Value = &'static str> {
    prop::sample::select(from.to_vec())
}

/// A command without its tag and its line ending.
fn command() -> impl Strategy<Value = String> {
    let plain = of(&[
        "NOOP",
        "CAPABILITY",
        "CHECK",
        "CLOSE",
        "UNSELECT",
        "EXPUNGE",
        "NAMESPACE",
        "IDLE\r\nDONE",
        "ID NIL",
        "STARTTLS",
        "LOGIN alice secret",
        "ENABLE CONDSTORE",
        "ENABLE QRESYNC",
        "ENABLE UTF8=ACCEPT",
        "ENABLE IMAP4rev2",
        "NONSENSE",
        "NOOP x",
        "LIST \"\" *",
        "LSUB \"\" %",
        "LIST (SUBSCRIBED RECURSIVEMATCH) \"\" % RETURN (CHILDREN STATUS (MESSAGES SIZE))",
        "LIST \"\" (% a/%) RETURN (SUBSCRIBED SPECIAL-USE)",
        "XLIST \"\" *",
        "LIST \"\" \"\"",
    ]);
    let uid = of(&["", "UID "]);
    prop_oneof![
        4 => plain.prop_map(str::to_owned),
        3 => (of(&["SELECT", "EXAMINE", "CREATE", "DELETE", "SUBSCRIBE", "UNSUBSCRIBE"]), of(&NAMES))
            .prop_map(|(verb, name)| format!("{verb} {name}")),
        1 => (of(&NAMES), 1u32..60).prop_map(|(name, at)| {
            format!("SELECT {name} (QRESYNC (1767323045 {at} 1:30 (1:3 1:3)))")
        }),
        1 => (of(&NAMES), of(&NAMES)).prop_map(|(a, b)| format!("RENAME {a} {b}")),
        1 => of(&NAMES).prop_map(|name| format!(
            "STATUS {name} (MESSAGES UIDNEXT UNSEEN RECENT SIZE HIGHESTMODSEQ MAILBOXID DELETED)"
        )),
        2 => (of(&NAMES), 0u64..50).prop_map(|(name, seed)| {
            let message = String::from_utf8(mail::message(seed)).unwrap();
            format!("APPEND {name} (\\Seen $k{seed}) {{{}+}}\r\n{message}", message.len())
        }),
        4 => (uid, of(&SETS), of(&ITEMS), of(&["", "", " (CHANGEDSINCE 12)"]))
            .prop_map(|(uid, set, items, since)| format!("{uid}FETCH {set} {items}{since}")),
        3 => (of(&["", "UID "]), of(&SETS), of(&["FLAGS", "+FLAGS.SILENT", "-FLAGS"]),
              of(&["\\Seen", "(\\Deleted $x)", "()"]))
            .prop_map(|(uid, set, mode, flags)| format!("{uid}STORE {set} {mode} {flags}")),
        2 => (of(&["", "UID "]), of(&["COPY", "MOVE"]), of(&SETS), of(&NAMES))
            .prop_map(|(uid, verb, set, name)| format!("{uid}{verb} {set} {name}")),
        3 => (of(&["", "UID "]), of(&["", "RETURN () ", "RETURN (MIN MAX COUNT) ", "RETURN (SAVE) "]),
              of(&KEYS))
            .prop_map(|(uid, returns, key)| format!("{uid}SEARCH {returns}{key}")),
        1 => (of(&["", "UID "]), of(&KEYS))
            .prop_map(|(uid, key)| format!("{uid}SORT (REVERSE DATE SUBJECT) UTF-8 {key}")),
        1 => (of(&["REFERENCES", "ORDEREDSUBJECT"]), of(&KEYS))
            .prop_map(|(how, key)| format!("THREAD {how} UTF-8 {key}")),
    ]
}

/// A client that reads every response by the letter.
struct Reader {
    peer: Peer,
    unread: Vec<u8>,
    encoding: Encoding,
    said_bye: bool,
}

impl Reader {
    /// How often `tag` was answered.
    fn read(&mut self, tag: &str) -> usize {
        self.unread.extend_from_slice(&self.peer.receive());
        let mut answers = 0;
        while let Some(length) = response_length(&self.unread) {
            let response: Vec<u8> = self.unread.drain(..length).collect();
            let reply = wire::parse::response(&response, self.encoding)
                .unwrap_or_else(|error| panic!("{error}: {}", response.escape_ascii()));
            match reply {
                // IDLE was refused; its DONE is no command.
                Reply::Tagged { tag, .. } if tag == "DONE" => {}
                Reply::Tagged { tag: its, .. } => {
                    assert_eq!(its, tag);
                    answers += 1;
                }
                Reply::Untagged(Data::Enabled(names)) => {
                    self.encoding.rev2 |= names.iter().any(|name| name == "IMAP4rev2");
                    self.encoding.utf8 |=
                        self.encoding.rev2 || names.iter().any(|name| name == "UTF8=ACCEPT");
                }
                Reply::Untagged(Data::Bye(_)) => self.said_bye = true,
                _ => {}
            }
        }
        assert!(self.unread.is_empty(), "half a response: {}", self.unread.escape_ascii());
        answers
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn every_command_is_answered_by_the_letter(
        commands in prop::collection::vec((0usize..2, command()), 1..40),
        log_in_first in prop::bool::weighted(0.95),
    ) {
        let limits = Limits { bad_commands_max: 1000, output_bytes_max: 2048, ..Limits::default() };
        let server = Server::new(limits, Settings::default());
        let mut executor = Executor::new();
        for seed in 0..8 {
            let (user, mailbox) = ("alice".to_owned(), "INBOX".to_owned());
            let message = mail::message(seed);
            executor.spawn(Server::deliver(server.shared.clone(), user, mailbox, message));
        }
        let mut clients: Vec<Reader> = (0..2)
            .map(|_| {
                let (pipe, peer) = pipe();
                executor.spawn(imap::serve(Server::wire(pipe, ""), server.shared.clone()));
                Reader { peer, unread: vec![], encoding: Encoding::default(), said_bye: false }
            })
            .collect();
        for client in &mut clients {
            if log_in_first {
                client.peer.send(b"l LOGIN alice secret\r\nl SELECT INBOX\r\n");
            }
            executor.run();
            client.read("l");
        }
        for (at, (who, command)) in commands.iter().enumerate() {
            let client = &mut clients[*who];
            if client.said_bye {
                continue;
            }
            let tag = format!("t{at}");
            client.peer.send(format!("{tag} {command}\r\n").as_bytes());
            executor.run();
            let answers = client.read(&tag);
            prop_assert!(answers == 1 || client.said_bye, "{answers} answers to {command:?}");
        }
    }
}
