//! Many messages that wait for one commit do not wait in memory.
#![allow(clippy::unwrap_used, reason = "a test fails where it panics")]

use std::path::Path;
use std::sync::Arc;

use base::{AccountId, DateTime, Flags, MailboxId, ModSeq, ThreadId, Uid, UidValidity};
use mailbox::{Content, NewMessage, Record};
use storage::conformance::block_on;
use storage::{Batch, Durability, Staged, Storage};
use storage_files::{Files, Options};

const ID: AccountId = AccountId([5; 16]);
const COUNT: usize = 60;

/// Text that does not compress.
fn message(nth: usize) -> Vec<u8> {
    let mut state = nth as u64 + 1;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 33) as u8
    };
    (0..40_000).map(|_| next()).collect()
}

fn unnamed(dir: &Path) -> usize {
    let mut count = 0;
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        count += match path.is_dir() {
            true => unnamed(&path),
            false => usize::from(path.to_string_lossy().contains("incoming-")),
        };
    }
    count
}

async fn stage(files: &Files, nth: usize) -> Staged {
    let mut incoming = files.incoming(ID, Some(40_000)).await.unwrap();
    for piece in message(nth).chunks(7000) {
        incoming.write(piece).await.unwrap();
    }
    incoming.finish().await.unwrap()
}

fn records(staged: &[Staged]) -> Vec<Record> {
    let created = Record::MailboxCreated {
        name: "INBOX".into(),
        uid_validity: UidValidity::MIN,
        uid_next: Uid::MIN,
        roles: vec![],
    };
    let message = |(nth, staged): (usize, &Staged)| NewMessage {
        uid: Uid::new(nth as u32 + 1).unwrap(),
        flags: Flags::default(),
        internal_date: DateTime::new(0, 0),
        save_date: 0,
        size: staged.size as u32,
        email_id: staged.email_id(),
        thread_id: ThreadId(nth as u64),
        content: Content::Staged(nth),
    };
    let mailbox = MailboxId::new(ModSeq::new(1).unwrap());
    let messages = staged.iter().enumerate().map(message).collect();
    vec![created, Record::Appended { mailbox, messages }]
}

#[test]
fn what_waits_is_bounded() {
    let dir = tempfile::tempdir().unwrap();
    let options = Options { staged_bytes_max: 400_000, ..Options::default() };
    let files = Arc::new(Files::open(dir.path(), options).unwrap());
    block_on(async {
        files.create(ID).await.unwrap();
        // Given up, and so forgotten.
        for nth in 0..COUNT {
            drop(stage(&files, nth).await);
        }
        assert_eq!(unnamed(dir.path()), 0);
        let mut staged = Vec::new();
        for nth in 0..COUNT {
            staged.push(stage(&files, nth).await);
        }
        let waiting = unnamed(dir.path());
        assert!((40..COUNT - 8).contains(&waiting), "{waiting} in files");
        let records = records(&staged);
        let durability = Durability::Synced;
        let batch = Batch { records, staged, time: 0, durability, alone: true };
        let pending = files.commit(ID, ModSeq::ZERO, batch).await.unwrap();
        pending.durable.await.unwrap();
        let Record::Appended { messages, .. } = &*pending.entries[1].record else { panic!() };
        for (nth, stored) in messages.iter().enumerate() {
            let bytes = files.message(ID, stored.content.at(&[]).unwrap()).await.unwrap();
            assert_eq!(bytes, message(nth), "{nth}");
        }
        // There is room again.
        assert_eq!(unnamed(dir.path()), 0);
        drop(stage(&files, 1).await);
        let one = stage(&files, 1).await;
        assert_eq!(unnamed(dir.path()), 0);
        drop(one);
    });
}

#[test]
fn whatever_a_client_announces_the_message_is_what_comes() {
    let dir = tempfile::tempdir().unwrap();
    let files = Files::open(dir.path(), Options::default()).unwrap();
    block_on(files.create(ID)).unwrap();
    let mail: Vec<u8> = (0..8).flat_map(message).collect();
    for announced in [None, Some(0), Some(100_000), Some(320_000), Some(u64::MAX)] {
        let staged = block_on(async {
            let mut incoming = files.incoming(ID, announced).await?;
            for piece in mail.chunks(7000) {
                incoming.write(piece).await?;
            }
            incoming.finish().await
        });
        let staged = staged.unwrap();
        assert_eq!(staged.size, mail.len() as u64);
        assert_eq!(staged.hash, *blake3::hash(&mail).as_bytes());
    }
}
