//! A search answers the same with the text index on, half built, off, and while messages come.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::sync::Arc;

use base::Limits;
use common::{Server, identity};
use imap::{Settings, Shared};
use storage::Task;
use testkit::pipe::pipe;
use testkit::{Executor, block_on, mail};

const SEARCHES: [&str; 22] = [
    "TEXT invoice",
    "BODY invoice",
    "NOT BODY invoice",
    "BODY zyzzyva",
    "NOT TEXT zyzzyva",
    "FROM lovelace",
    "FROM GÖDEL",
    "TO kurt SUBJECT garden",
    "OR SUBJECT garden BODY \"lunch music\"",
    "OR BODY zyzzyva NOT FROM ada",
    "NOT (BODY holiday SUBJECT re)",
    "HEADER Message-ID 77@",
    "HEADER In-Reply-To \"\"",
    "HEADER X-None \"\"",
    "BODY e",
    "TEXT xz",
    "BODY \"end.\"",
    "SENTBEFORE 15-Jan-2026 BODY contract",
    "UNSEEN LARGER 700 BODY travel",
    "100:300 NOT BODY server",
    "TEXT 山田",
    "BODY 日本",
];

fn answers(shared: &Arc<Shared>) -> Vec<String> {
    let (near, far) = pipe();
    let mut executor = Executor::new();
    executor.spawn(imap::serve(Server::wire(near, ""), shared.clone()));
    far.send(b"a LOGIN alice secret\r\nb EXAMINE INBOX\r\n");
    executor.run();
    far.receive();
    let mut answers = Vec::new();
    for search in SEARCHES {
        // As a literal, which may hold any charset.
        let mut command = String::from("c SEARCH CHARSET UTF-8");
        for word in search.split(' ') {
            command.push(' ');
            match word.is_ascii() {
                true => command.push_str(word),
                false => command.push_str(&format!("{{{}+}}\r\n{word}", word.len())),
            }
        }
        far.send(format!("{command}\r\n").as_bytes());
        executor.run();
        let answer = String::from_utf8_lossy(&far.receive()).into_owned();
        assert!(answer.ends_with("c OK SEARCH completed\r\n"), "{command}: {answer}");
        answers.push(answer);
    }
    answers
}

fn deliver(shared: &Arc<Shared>, messages: impl IntoIterator<Item = Vec<u8>>) {
    for message in messages {
        let delivered = Server::deliver(shared.clone(), "alice".into(), "INBOX".into(), message);
        block_on(delivered);
    }
}

fn update(shared: &Arc<Shared>) -> usize {
    block_on(async {
        let account = identity("alice").unwrap().account;
        let live = shared.accounts.open(account).await.unwrap();
        let index = shared.index.as_ref().unwrap();
        let mut go_on = |_| -> Task<'static, bool> { Box::pin(std::future::ready(true)) };
        index.update(account, &live.state(), 1, &mut go_on).await.unwrap().done
    })
}

#[test]
fn answers_do_not_depend_on_the_index() {
    let limits = Limits { output_bytes_max: 1 << 20, ..Limits::default() };
    let server = Server::new(limits, Settings::default());
    let shared = server.shared;
    let special = || {
        let text = "Subject: =?iso-2022-jp?b?GyRCOzNFRBsoQg==?=\r\n\r\nzyzzyva 日本語\r\n";
        [text.as_bytes().to_vec()]
    };
    deliver(&shared, (0..250).map(mail::message).chain(special()));
    let empty = answers(&shared);
    assert!(empty[3].contains("* SEARCH 251\r\n"), "{}", empty[3]);
    assert_eq!(update(&shared), 251);
    assert_eq!(answers(&shared), empty, "all is indexed");
    deliver(&shared, (250..400).map(mail::message).chain(special()));
    let half = answers(&shared);
    let mut off = Arc::try_unwrap(shared).ok().expect("no session is left");
    let index = off.index.take();
    let off = Arc::new(off);
    assert_eq!(answers(&off), half, "half is indexed");
    let mut on = Arc::try_unwrap(off).ok().expect("no session is left");
    on.index = index;
    let on = Arc::new(on);
    // The second special message has the content of the first.
    assert_eq!(update(&on), 150);
    assert_eq!(answers(&on), half, "all is indexed again");
}
