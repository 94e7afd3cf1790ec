//! A search reads no message that something cheaper decides, and what is kept of whole mailboxes
//! never shows in an answer.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;
mod odd_storage;
mod one_client;

use std::sync::atomic::Ordering;

use base::Limits;
use one_client::Client;
use testkit::mail;

const MESSAGES: usize = 300;

/// A mailbox in which messages 1 to 3 are not seen.
fn filled(limits: Limits) -> Client {
    let mut client = Client::with(limits);
    for n in 0..MESSAGES {
        client.deliver(&mail::message(n as u64));
    }
    client.ask("b SELECT INBOX");
    client.ask("b STORE 4:* +FLAGS.SILENT (\\Seen)");
    client
}

impl Client {
    /// What a search finds, and how many messages it reads.
    fn search(&mut self, program: &str) -> (usize, u64) {
        let before = self.storage.messages_read.load(Ordering::SeqCst);
        let answer = self.text(&format!("c UID SEARCH {program}"));
        assert!(answer.ends_with("c OK SEARCH completed\r\n"), "{program}: {answer}");
        let line = answer.lines().next().unwrap();
        let read = self.storage.messages_read.load(Ordering::SeqCst) - before;
        (line.split(' ').count() - 2, read)
    }
}

#[test]
fn cheap_keys_decide_first_and_text_is_read_last() {
    let mut client = filled(Limits::default());
    let all = MESSAGES as u64;
    for (program, read) in [
        ("ALL", 0),
        ("UNSEEN LARGER 10 NOT DELETED", 0),
        ("BODY zyzzyva UNSEEN", 3),
        ("TEXT zyzzyva UID 5:8", 4),
        ("NOT BODY zyzzyva 1:2", 2),
        ("BODY zyzzyva DELETED", 0),
        ("BODY zyzzyva LARGER 99999999", 0),
        ("OR UNSEEN BODY zyzzyva", all - 3),
        ("OR BODY zyzzyva NOT UNSEEN", 3),
        ("NOT (BODY zyzzyva UNSEEN)", 3),
        ("OR (DELETED BODY zyzzyva) (UNSEEN UID 1 BODY zyzzyva)", 1),
        ("SENTBEFORE 1-Jan-1980 BODY zyzzyva", 0),
        ("BODY \"\"", 0),
        // All fields of who and what come from one pass, over what is kept of each message.
        ("FROM ada", 0),
        ("FROM grace", 0),
        ("TO kurt SUBJECT garden", 0),
        ("NOT CC emmy", 0),
        ("OR BCC \"\" SUBJECT lunch", 0),
    ] {
        assert_eq!(client.search(program).1, read, "{program}");
    }
    let (ada, _) = client.search("FROM ada");
    assert!((1..MESSAGES).contains(&ada));
    assert_eq!(client.search("BODY zyzzyva FROM ada"), (0, ada as u64));
    assert_eq!(client.search("OR BODY zyzzyva FROM ada"), (ada, all - ada as u64));
    assert_eq!(client.search("NOT FROM ada NOT BODY zyzzyva").1, all - ada as u64);
    // Of a new message only what is kept of itself is looked at, once for all fields.
    client.deliver(&mail::message(1_000_000));
    client.forget_fields();
    client.ask("b NOOP");
    assert_eq!(client.search("FROM ada").1, 1);
    assert_eq!(client.search("SUBJECT lunch").1, 0);
    client.deliver(&mail::message(1_000_001));
    client.ask("b NOOP");
    assert_eq!(client.search("FROM ada").1, 0);
    for command in ["SORT (SUBJECT) UTF-8 ALL", "THREAD REFERENCES UTF-8 ALL"] {
        client.ask(&format!("d {command}"));
        assert_eq!(client.search("ALL").1, 0);
    }
}

#[test]
fn fields_that_are_not_kept_come_from_one_pass() {
    let mut client = filled(Limits::default());
    client.forget_fields();
    for (program, read) in [("FROM ada", MESSAGES as u64), ("FROM grace", 0), ("SUBJECT lunch", 0)]
    {
        assert_eq!(client.search(program).1, read, "{program}");
    }
}

const ASKED: [&str; 16] = [
    "SORT (DATE) UTF-8 ALL",
    "UID SORT (DATE) UTF-8 ALL",
    "SORT (REVERSE SUBJECT SIZE) UTF-8 ALL",
    "UID SORT (REVERSE SUBJECT SIZE) UTF-8 NOT FROM ada",
    "SORT RETURN (MIN MAX ALL COUNT) (FROM DATE) UTF-8 SEEN",
    "UID SORT RETURN (ALL) (ARRIVAL) UTF-8 ALL",
    "THREAD REFERENCES UTF-8 ALL",
    "UID THREAD REFERENCES UTF-8 ALL",
    "THREAD ORDEREDSUBJECT UTF-8 SEEN",
    "UID THREAD ORDEREDSUBJECT UTF-8 ALL",
    "SEARCH FROM grace",
    "UID SEARCH OR SUBJECT garden NOT TO kurt",
    "SEARCH RETURN (ALL COUNT) CC emmy",
    "UID SEARCH RETURN (MIN MAX) UNSEEN",
    "SEARCH MODSEQ 5 UNSEEN",
    "ESEARCH IN (personal) RETURN (ALL COUNT) FROM grace",
];

#[test]
fn what_is_kept_does_not_show() {
    let mut keeping = filled(Limits::default());
    let mut forgetful = filled(Limits { search_memory_bytes_max: 0, ..Limits::default() });
    let deliver = |client: &mut Client, n| client.deliver(&mail::message(n));
    type Change<'a> = Box<dyn Fn(&mut Client) + 'a>;
    let ask = |line: &'static str| -> Change<'_> { Box::new(move |client| drop(client.ask(line))) };
    let changes: Vec<Change<'_>> = vec![
        ask("z NOOP"),
        Box::new(|client| deliver(client, 2_000_000)),
        ask("z STORE 7 +FLAGS (\\Deleted)"),
        ask("z STORE 2 +FLAGS (\\Seen)"),
        ask("z EXPUNGE"),
        Box::new(|client| deliver(client, 7)),
        ask("z UID STORE 100:250 +FLAGS.SILENT (\\Deleted)"),
        ask("z UID EXPUNGE 101:249"),
        Box::new(|client| (0..40).for_each(|n| deliver(client, 3_000_000 + n))),
    ];
    for (at, change) in changes.iter().enumerate() {
        change(&mut keeping);
        change(&mut forgetful);
        // The second time from what is kept; a new message is announced in between.
        for round in 0..2 {
            for command in ASKED {
                let line = format!("y {command}");
                assert_eq!(keeping.text(&line), forgetful.text(&line), "{at} {round} {command}");
            }
        }
    }
}
