//! SORT and THREAD answer the same whether files of keys are there, are missing, are old, are those of
//! other messages, or are damaged.

mod common;
mod odd_storage;
mod one_client;

use std::sync::Arc;
use std::sync::atomic::Ordering;

use base::{AccountId, Limits};
use bytes::Bytes;
use odd_storage::Odd;
use one_client::Client;
use proptest::prelude::*;
use storage::Storage;
use testkit::{block_on, mail};

/// So many are worth a file.
const MESSAGES: u64 = 1100;

const ASKED: [&str; 8] = [
    "SORT (DATE) UTF-8 ALL",
    "SORT (SUBJECT) UTF-8 ALL",
    "UID SORT (REVERSE DATE SUBJECT) UTF-8 ALL",
    "SORT (FROM TO CC SIZE) UTF-8 ALL",
    "SORT (DISPLAYFROM DISPLAYTO REVERSE ARRIVAL) UTF-8 NOT FROM ada",
    "UID THREAD REFERENCES UTF-8 ALL",
    "THREAD ORDEREDSUBJECT UTF-8 ALL",
    "THREAD REFERENCES UTF-8 5:30",
];

fn forgetful() -> Limits {
    Limits { search_memory_bytes_max: 0, ..Limits::default() }
}

fn start(storage: &Arc<Odd>, limits: Limits) -> Client {
    let mut client = Client::over(storage.clone(), limits);
    client.ask("b SELECT INBOX");
    client
}

/// A filled mailbox.
fn filled() -> Arc<Odd> {
    let mut client = Client::new();
    for nth in 0..MESSAGES / 50 {
        let mut command = b"a APPEND INBOX".to_vec();
        for message in (nth * 50..nth * 50 + 50).map(mail::message) {
            command.extend_from_slice(format!(" {{{}+}}\r\n", message.len()).as_bytes());
            command.extend_from_slice(&message);
        }
        client.peer.send(&command);
        let answer = client.text("");
        assert!(answer.starts_with("a OK"), "{answer}");
    }
    client.storage
}

fn account() -> AccountId {
    common::identity("alice").expect("a known user").account
}

fn files(storage: &Odd) -> Vec<(String, Bytes)> {
    let account = account();
    let names = block_on(storage.cache_list(account)).expect("names");
    let read = |name: String| {
        let whole = |end: u64| {
            let read = storage.cache_read(account, &name, std::iter::once(0..end).collect());
            block_on(read).expect("no failure").and_then(|mut parts| parts.pop())
        };
        // Lengths are not told.
        let (mut fits, mut too_long) = (0, 1 << 20);
        while too_long - fits > 1 {
            let middle = (fits + too_long) / 2;
            if whole(middle).is_some() { fits = middle } else { too_long = middle }
        }
        let bytes = whole(fits).expect("it was there");
        (name, bytes)
    };
    names.into_iter().map(read).collect()
}

fn put(storage: &Odd, files: &[(String, Bytes)]) {
    let account = account();
    for name in block_on(storage.cache_list(account)).expect("names") {
        block_on(storage.cache_remove(account, &name)).expect("removed");
    }
    for (name, bytes) in files {
        block_on(storage.cache_write(account, name, bytes.clone())).expect("written");
    }
}

fn answers(client: &mut Client) -> Vec<String> {
    ASKED.iter().map(|command| client.text(&format!("y {command}"))).collect()
}

fn check(storage: &Arc<Odd>, expected: &[String], what: &str) {
    for (command, expected) in ASKED.iter().zip(expected) {
        let answer = start(storage, Limits::default()).text(&format!("y {command}"));
        assert!(answer == *expected, "{what}: {command}");
    }
}

#[test]
fn files_do_not_show() {
    let storage = filled();
    let expected = answers(&mut start(&storage, forgetful()));
    assert!(expected.iter().all(|answer| answer.contains("y OK")), "{expected:?}");
    put(&storage, &[]);
    check(&storage, &expected, "none");
    let made = files(&storage);
    assert_eq!(made.len(), 8, "one for each key");
    check(&storage, &expected, "all");
    // Expunges, and new mail with known and unknown subjects.
    let mut client = start(&storage, Limits::default());
    client.ask("c UID STORE 3,40:60,1000 +FLAGS.SILENT (\\Deleted)");
    client.ask("c EXPUNGE");
    for n in [3, 7, 50_000, 60_000] {
        client.deliver(&mail::message(n));
    }
    client.deliver(b"\r\nno header");
    let expected = answers(&mut start(&storage, forgetful()));
    put(&storage, &[]);
    check(&storage, &expected, "none, after changes");
    for old in [&made[..], &files(&storage)[..]] {
        put(&storage, old);
        check(&storage, &expected, "old or new");
    }
    // A backup that is older than the files.
    put(&storage, &made);
    let older = filled();
    put(&older, &files(&storage));
    let expected = answers(&mut start(&older, forgetful()));
    check(&older, &expected, "newer");
}

#[test]
fn few_summaries_are_read() {
    let storage = filled();
    let read = |client: &mut Client, command: &str| {
        let before = storage.summaries_read.load(Ordering::SeqCst);
        let answer = client.text(&format!("y {command}"));
        assert!(answer.contains("y OK"), "{answer}");
        storage.summaries_read.load(Ordering::SeqCst) - before
    };
    let three =
        ["SORT (DATE) UTF-8 ALL", "SORT (SUBJECT) UTF-8 ALL", "THREAD REFERENCES UTF-8 ALL"];
    let mut client = start(&storage, Limits::default());
    for command in three {
        assert_eq!(read(&mut client, command), MESSAGES, "{command}");
    }
    for command in three {
        let mut client = start(&storage, Limits::default());
        assert_eq!(read(&mut client, command), 0, "{command}");
    }
    let mut client = start(&storage, Limits::default());
    client.deliver(&mail::message(70_000));
    client.ask("c NOOP");
    // The new one, and those that its subject is compared with.
    assert_eq!(read(&mut client, three[0]), 1);
    assert!((1..=12).contains(&read(&mut client, three[1])));
    assert_eq!(read(&mut client, three[2]), 1);
}

#[test]
fn files_of_mailboxes_that_are_gone_are_removed() {
    let storage = filled();
    let mut client = start(&storage, Limits::default());
    let account = account();
    block_on(storage.cache_write(account, "Mffff-sent.keys", Bytes::new())).expect("written");
    client.ask("c SORT (DATE) UTF-8 ALL");
    let names = block_on(storage.cache_list(account)).expect("names");
    assert!(names.len() == 1 && names[0].ends_with("-sent.keys"), "{names:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3))]

    #[test]
    fn damage_does_not_show(
        at in prop::collection::vec(any::<prop::sample::Index>(), 8),
        bit in 0u32..8,
        is_cut in any::<bool>(),
    ) {
        let storage = filled();
        let expected = answers(&mut start(&storage, Limits::default()));
        let mut files = files(&storage);
        for ((_, bytes), at) in files.iter_mut().zip(at) {
            let at = at.index(bytes.len());
            let mut damaged = bytes.to_vec();
            damaged[at] ^= 1 << bit;
            damaged.truncate(if is_cut { at } else { damaged.len() });
            *bytes = damaged.into();
        }
        put(&storage, &files);
        check(&storage, &expected, "damaged");
    }
}
