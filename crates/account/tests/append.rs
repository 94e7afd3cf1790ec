//! Messages in, and their summaries out.
#![allow(clippy::unwrap_used)]

mod common;

use std::sync::Arc;

use account::{Accounts, Appended, Failure, Live, NewMail, Received};
use base::{DateTime, Flags, Limits, MailboxId, ModSeq, Uid};
use common::{ID, Slow, accounts, run};
use mailbox::{Account, Position, Row};
use storage::{Error, Extract, Storage};

const MESSAGE: &[u8] = b"From: Ada <ada@example.org>\r\nMessage-ID: <1@example.org>\r\n\
    Subject: the engine\r\n\r\nIt weaves.\r\n";

fn opened() -> (Slow, Arc<Accounts>, Arc<Live>) {
    let slow = Slow::default();
    let accounts = accounts(&slow, Limits::default());
    let live = run(accounts.create(ID)).unwrap();
    (slow, accounts, live)
}

fn received(live: &Live, bytes: &[u8], piece: usize) -> Received {
    run(async {
        let mut receiving = live.incoming(Some(bytes.len() as u64)).await.unwrap();
        for piece in bytes.chunks(piece) {
            receiving.write(piece).await.unwrap();
        }
        assert_eq!(receiving.size(), bytes.len() as u64);
        receiving.finish().await.unwrap()
    })
}

fn new_mail(live: &Live, uid: Option<u32>) -> NewMail {
    NewMail {
        received: received(live, MESSAGE, 7),
        flags: Flags::default(),
        internal_date: DateTime::new(1_600_000_000, 120),
        uid: uid.and_then(Uid::new),
    }
}

fn inbox(account: &Account) -> Result<MailboxId, &'static str> {
    account.find("inbox").map(|info| info.id).ok_or("no INBOX")
}

fn rows(live: &Live) -> Vec<Row> {
    live.state().find("INBOX").unwrap().mailbox.rows().collect()
}

#[test]
fn appended_messages_come_back_with_their_summaries() {
    let (slow, _accounts, live) = opened();
    let mail = vec![new_mail(&live, None), new_mail(&live, None)];
    let (email_id, thread_id) = (mail[0].received.email_id, mail[0].received.thread_id);
    let appended = run(live.append(inbox, mail)).unwrap();
    let state = live.state();
    let info = state.find("INBOX").unwrap();
    let uids: Vec<Uid> = [1, 2].into_iter().filter_map(Uid::new).collect();
    let (mailbox, uid_validity) = (info.id, info.mailbox.uid_validity());
    assert_eq!(appended, Appended { mailbox, uid_validity, uids });

    let rows = rows(&live);
    for row in &rows {
        assert_eq!(
            (row.size as usize, row.email_id, row.thread_id),
            (MESSAGE.len(), email_id, thread_id)
        );
        assert_eq!((row.internal_date.seconds(), row.save_date), (1_600_000_000, 1_700_000_000));
        assert_eq!(run(slow.message(ID, row.position)).unwrap(), MESSAGE);
    }
    let positions = rows.iter().map(|row| row.position).collect();
    let found = run(slow.extracts(ID, Extract::Summary, positions)).unwrap();
    assert!((0..rows.len()).all(|nth| found.get(nth).is_some()));
    for summary in run(live.summaries(&rows)) {
        assert_eq!(*summary.unwrap(), message::summarize(MESSAGE, &Limits::default()));
    }
}

#[test]
fn missing_summaries_are_made_again_and_damage_stays_where_it_is() {
    let (slow, _accounts, live) = opened();
    run(live.append(inbox, vec![new_mail(&live, None), new_mail(&live, None)])).unwrap();
    let mut rows = rows(&live);
    let noise = rows.iter().map(|row| (row.position, b"noise".as_slice().into())).collect();
    run(slow.put_extracts(ID, Extract::Summary, noise)).unwrap();
    rows.insert(1, Row { position: Position { offset: 99, ..rows[0].position }, ..rows[0] });
    let summaries = run(live.summaries(&rows));
    assert!(matches!(summaries[1], Err(Error::Damaged(_))));
    let expected = message::summarize(MESSAGE, &Limits::default());
    assert_eq!(**summaries[0].as_ref().unwrap(), expected);
    assert_eq!(**summaries[2].as_ref().unwrap(), expected);
    let wanted = vec![rows[2].position];
    let cached = run(slow.extracts(ID, Extract::Summary, wanted)).unwrap();
    assert_eq!(cached.bytes(0), Some(expected.encode()));
}

/// An import keeps UIDs where it can.
#[test]
fn uids_are_kept_when_they_ascend() {
    let (_slow, _accounts, live) = opened();
    let mail = [Some(5), Some(9), Some(9), None, Some(3)].map(|uid| new_mail(&live, uid)).into();
    let appended = run(live.append(inbox, mail)).unwrap();
    let uids: Vec<u32> = appended.uids.iter().map(|uid| uid.get()).collect();
    assert_eq!(uids, [5, 9, 10, 11, 12]);
}

#[test]
fn refused_messages_leave_no_trace() {
    let (slow, _accounts, live) = opened();
    let head = run(slow.memory.head(ID)).unwrap();
    let refused = run(live.append(|_| Err("over quota"), vec![new_mail(&live, None)]));
    assert!(matches!(refused, Err(Failure::Refused("over quota"))));
    let nowhere = |_: &Account| Ok::<_, &str>(MailboxId::new(ModSeq::ZERO));
    let failed = run(live.append(nowhere, vec![new_mail(&live, None)]));
    assert!(matches!(failed, Err(Failure::Storage(_))));
    let last = run(live.append(inbox, vec![new_mail(&live, Some(u32::MAX))]));
    assert!(matches!(last, Err(Failure::Storage(_))));
    let nothing = run(live.append(inbox, vec![])).unwrap();
    assert!(nothing.uids.is_empty());
    assert_eq!(run(slow.memory.head(ID)).unwrap(), head);
}
