//! What is answered from what is kept beside the messages is what the messages themselves answer:
//! when it is made, when it is there, and when it is damaged.

mod common;
mod odd_storage;
mod one_client;

use std::sync::atomic::Ordering;

use base::Limits;
use bytes::Bytes;
use message::search::{Needle, Scan, Want};
use one_client::Client;
use proptest::prelude::*;
use storage::{Extract, Storage};
use testkit::log_lines::Lines;
use testkit::{block_on, mail};

/// What clients ask to show a mailbox, and what else the kept extracts have to answer.
const ASKED: &[&str] = &[
    "UID FLAGS",
    "FLAGS INTERNALDATE RFC822.SIZE ENVELOPE",
    "FLAGS INTERNALDATE RFC822.SIZE ENVELOPE BODY",
    "BODYSTRUCTURE",
    "BODY BODYSTRUCTURE",
    "BODY.PEEK[HEADER.FIELDS (DATE FROM TO CC SUBJECT MESSAGE-ID REFERENCES)]",
    // Thunderbird
    "UID RFC822.SIZE FLAGS BODY.PEEK[HEADER.FIELDS (From To Cc Bcc Subject Date Message-ID Priority \
     X-Priority References Newsgroups In-Reply-To Content-Type Reply-To)]",
    // mutt
    "UID FLAGS INTERNALDATE RFC822.SIZE BODY.PEEK[HEADER.FIELDS (DATE FROM SENDER SUBJECT TO CC \
     MESSAGE-ID REFERENCES CONTENT-TYPE CONTENT-DESCRIPTION IN-REPLY-TO REPLY-TO LINES LIST-POST \
     LIST-SUBSCRIBE LIST-UNSUBSCRIBE X-LABEL)]",
    // Outlook
    "UID RFC822.SIZE FLAGS BODY.PEEK[HEADER] INTERNALDATE",
    "RFC822.HEADER ENVELOPE EMAILID THREADID SAVEDATE MODSEQ",
    "BODY.PEEK[HEADER.FIELDS (subject)]<0.10> BODY.PEEK[HEADER.FIELDS (SUBJECT to)]<3.4000000000>",
    "BODY.PEEK[HEADER.FIELDS (x-other subject)] BODY.PEEK[HEADER.FIELDS (To)]<1.2>",
    "BODY.PEEK[HEADER.FIELDS.NOT (Received From)] BODY.PEEK[HEADER]<5.7>",
    "BODY.PEEK[HEADER.FIELDS.NOT (Received)]<2.9> BODYSTRUCTURE",
];

/// Asks for a part's header too, which is not kept: so all comes from the message.
fn from_message(client: &mut Client, number: usize, items: &str) -> Vec<u8> {
    let answer = client.ask(&format!("x FETCH {number} ({items} BODY.PEEK[1.MIME]<0.1>)"));
    let end = memchr::memmem::rfind(&answer, b" BODY[1.MIME]<0> ");
    let end = end.unwrap_or_else(|| panic!("{}", String::from_utf8_lossy(&answer)));
    [&answer[..end], b")\r\n"].concat()
}

fn check(client: &mut Client, messages: usize) {
    for items in ASKED {
        let expected: Vec<u8> =
            (1..=messages).flat_map(|n| from_message(client, n, items)).collect();
        for time in ["kept as it came", "made", "kept"] {
            if time == "made" {
                client.forget_fields();
            }
            let found = client.ask(&format!("x FETCH 1:* ({items})"));
            let found = found.strip_suffix(b"x OK FETCH completed\r\n").expect("all were answered");
            let shown = String::from_utf8_lossy(found);
            assert!(found == expected, "{time}, {items}: {shown}");
        }
        let read = client.storage.octets_read.load(Ordering::Relaxed);
        client.ask(&format!("x FETCH 1:* ({items})"));
        assert_eq!(client.storage.octets_read.load(Ordering::Relaxed), read, "{items}");
    }
}

fn selected(messages: &[Vec<u8>]) -> Client {
    let mut client = Client::new();
    messages.iter().for_each(|message| client.deliver(message));
    client.ask("b SELECT INBOX (CONDSTORE)");
    client
}

#[test]
fn made_up_mail() {
    let messages: Vec<_> = (0..120).map(mail::message).collect();
    let mut client = selected(&messages);
    client.ask("c STORE 3,7:9 +FLAGS (\\Flagged $Forwarded other)");
    client.ask("c STORE 7 +FLAGS.SILENT (\\Seen)");
    check(&mut client, 120);
    client.ask("c STORE 1:5,50 +FLAGS.SILENT (\\Deleted)");
    client.ask("c EXPUNGE");
    check(&mut client, 114);
}

/// Searches are asked of more messages than are read one by one.
const SEARCHED: usize = 40;

/// Looks for `needles` in the fields of a search's columns, after the kept fields were made of the
/// messages for which `is_kept`: the others are read, and no more.
fn search(messages: &[Vec<u8>], limits: Limits, needles: &[&str], is_kept: fn(usize) -> bool) {
    let mut client = Client::with(limits.clone());
    messages.iter().for_each(|message| client.deliver(message));
    client.ask("b SELECT INBOX");
    client.forget_fields();
    for number in (1..=messages.len()).filter(|&number| is_kept(number)) {
        client.ask(&format!("c FETCH {number} (BODY.PEEK[HEADER.FIELDS (SUBJECT)])"));
    }
    let before = client.storage.octets_read.load(Ordering::Relaxed);
    let all = |field| needles.iter().map(move |&needle| (field, needle));
    for (field, needle) in ["from", "to", "subject"].into_iter().flat_map(all) {
        let found = client.text(&format!("d SEARCH HEADER {field} \"{needle}\""));
        let expected: String = (1..=messages.len())
            .filter(|&number| {
                let want = Want::Header { field: field.into(), needle: Needle::new(needle) };
                let mut scan = Scan::with_limits(vec![want], &limits);
                scan.feed(&messages[number - 1]);
                scan.finish()[0]
            })
            .map(|number| format!(" {number}"))
            .collect();
        assert_eq!(found, format!("* SEARCH{expected}\r\nd OK SEARCH completed\r\n"));
    }
    let read = client.storage.octets_read.load(Ordering::Relaxed) - before;
    let is_read =
        |number: usize| !is_kept(number) || messages[number - 1].len() > limits.header_bytes_max;
    let others = (1..=messages.len()).filter(|&number| is_read(number));
    let octets: usize = others.map(|number| messages[number - 1].len()).sum();
    assert!(read as usize <= octets, "{read} of {octets} octets were read");
}

#[test]
fn searches_look_at_what_is_kept() {
    let messages: Vec<_> = (0..3 * SEARCHED as u64).map(mail::message).collect();
    for is_kept in [|_| true, |_| false, |number| number % 3 == 0, |number| number > 60] {
        search(&messages, Limits::default(), &["a", "example", ""], is_kept);
    }
}

#[test]
fn searches_find_what_is_before_a_header_is_cut() {
    let limits = Limits { header_bytes_max: 1000, ..Limits::default() };
    let line =
        |bytes: usize| format!("X: {}\r\nSubject: a\r\n\r\nb", "x".repeat(bytes)).into_bytes();
    let messages: Vec<_> = (0..SEARCHED).map(|nth| line(970 + nth)).collect();
    search(&messages, limits, &["a"], |_| true);
}

#[test]
fn damaged_extracts_are_made_again() {
    let mut client = selected(&(0..3).map(mail::message).collect::<Vec<_>>());
    let account = block_on(client.storage.accounts()).expect("accounts")[0];
    let live = block_on(client.server.shared.accounts.open(account)).expect("the account");
    let positions: Vec<_> = {
        let state = live.state();
        let inbox = state.find("INBOX").expect("INBOX").mailbox;
        inbox.rows().map(|row| row.position).collect()
    };
    let items = "ENVELOPE BODYSTRUCTURE";
    let expected: Vec<u8> = (1..=3).flat_map(|n| from_message(&mut client, n, items)).collect();
    for noise in [&b""[..], b"\x01", b"\x02", b"\x02\x05", b"\x02\0\xff", b"noise"] {
        for what in Extract::ALL {
            let new = positions.iter().map(|&at| (at, Bytes::from_static(noise))).collect();
            block_on(client.storage.put_extracts(account, what, new)).expect("put");
        }
        for items in [items, "BODYSTRUCTURE"] {
            let found = client.ask(&format!("x FETCH 1:* ({items})"));
            let found = found.strip_suffix(b"x OK FETCH completed\r\n").expect("all were answered");
            let full = items.starts_with("ENV");
            assert!(!full || found == expected, "{}", String::from_utf8_lossy(found));
        }
    }
}

#[test]
fn what_cannot_be_read_is_made_from_the_messages_and_logged() {
    let lines = Lines::default();
    tracing::subscriber::with_default(lines.clone(), || {
        let mut client = selected(&(0..3).map(mail::message).collect::<Vec<_>>());
        check(&mut client, 3);
        let told = |lines: Vec<String>| {
            lines.iter().filter(|line| line.contains("beside messages cannot be read")).count()
        };
        assert_eq!(told(lines.take()), 0);
        client.storage.hides_extracts.store(true, Ordering::SeqCst);
        for items in ASKED.iter().filter(|items| **items != "UID FLAGS") {
            let expected: Vec<u8> =
                (1..=3).flat_map(|n| from_message(&mut client, n, items)).collect();
            lines.take();
            let found = client.ask(&format!("x FETCH 1:* ({items})"));
            let found = found.strip_suffix(b"x OK FETCH completed\r\n").expect("all were answered");
            assert!(found == expected, "{items}: {}", String::from_utf8_lossy(found));
            assert!(told(lines.take()) > 0, "{items}");
        }
        let answer = client.text("y SORT (SUBJECT) UTF-8 ALL");
        assert!(answer.contains("\r\ny OK ") && told(lines.take()) > 0, "{answer}");
    });
}

/// Pieces that headers are made of, in no order.
fn header() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop::sample::select(vec![
        &b"From: a <b@c>\r\n"[..],
        b"from : odd\n",
        b"TO: x@y,\r\n z@y\r\n",
        b"To:",
        b": no name\r\n",
        b"no colon\r\n",
        b" folded\r\n",
        b"\t",
        b"\r\n",
        b"\n",
        b"\r",
        b"X-Other: y\r\n",
        b"Received: from a\r\n\tby b\r\n",
        b"Subject: \xc3\xa4\r\n",
        b"subject: again\r\n",
        b"Subject: \xc4\r\n",
        b"Content-Type: multipart/mixed; boundary=b\r\n",
        b"Content-Type: text/plain; charset=koi8-r\r\n",
        b"--b\r\n",
    ]);
    prop::collection::vec(piece, 0..14).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn any_header(messages in prop::collection::vec(header(), 1..4)) {
        check(&mut selected(&messages), messages.len());
    }

    #[test]
    fn searches_of_any_header(messages in prop::collection::vec(header(), SEARCHED)) {
        search(&messages, Limits::default(), &["c", "\u{c4}", "odd", ""], |number| number % 4 != 0);
    }
}
