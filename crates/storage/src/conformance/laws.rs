//! The laws that need no failing disk. Each is a test of its own in every engine.

use std::sync::{Arc, OnceLock};

use base::{ModSeq, SystemFlag, Uid, UidSet};
use bytes::Bytes;
use mailbox::{Content, Position, Record};

use super::{
    Subject, account, appended, batch, block_on, commit, flagged, inbox, message, pages, positions,
    read_all, stage, stream, whole, wrapped,
};
use crate::sim::Chance;
use crate::{CommitError, Durability, Error, Extract, Lookers, Storage};

fn seq(n: u64) -> ModSeq {
    ModSeq::ZERO.plus(n)
}

/// Appends a message after `expected`; where it is.
fn append(storage: &dyn Storage, n: u8, expected: u64, bytes: &[u8]) -> Position {
    let staged = vec![stage(storage, account(n), bytes).expect("staged")];
    let records = vec![appended(1, &staged)];
    let entries = commit(storage, account(n), seq(expected), batch(records, staged));
    positions(&entries.expect("committed"))[0]
}

/// An account exists from creation to removal, and one made again is empty.
pub fn accounts_come_and_go(subject: &mut dyn Subject) {
    let storage = subject.storage();
    assert_eq!(block_on(storage.accounts()).expect("list"), []);
    for n in [3, 1, 2] {
        block_on(storage.create(account(n))).expect("created");
    }
    assert!(matches!(block_on(storage.create(account(1))), Err(Error::AccountExists)));
    let at = append(&*storage, 1, 0, b"gone soon");
    drop(storage);
    subject.reopen();
    let storage = subject.storage();
    assert_eq!(block_on(storage.accounts()).expect("list"), [account(1), account(2), account(3)]);
    block_on(storage.remove(account(1))).expect("removed");
    assert!(matches!(block_on(storage.remove(account(1))), Err(Error::NoAccount)));
    assert!(matches!(block_on(storage.head(account(1))), Err(Error::NoAccount)));
    assert!(matches!(block_on(storage.message(account(1), at)), Err(Error::NoAccount)));
    let refused = commit(&*storage, account(1), seq(1), batch(vec![inbox()], Vec::new()));
    assert!(matches!(refused, Err(CommitError::Storage(Error::NoAccount))));
    drop(storage);
    subject.reopen();
    let storage = subject.storage();
    assert_eq!(block_on(storage.accounts()).expect("list"), [account(2), account(3)]);
    block_on(storage.create(account(1))).expect("created again");
    assert_eq!(block_on(storage.head(account(1))).expect("head"), ModSeq::ZERO);
    assert!(block_on(storage.message(account(1), at)).is_err());
}

/// Law 1: only at the head; a conflict says where that is, and what is newer can be read.
pub fn a_commit_is_conditional(subject: &mut dyn Subject) {
    let storage = subject.storage();
    block_on(storage.create(account(1))).expect("created");
    let one = || batch(vec![inbox()], Vec::new());
    commit(&*storage, account(1), seq(0), one()).expect("committed");
    let refused = commit(&*storage, account(1), seq(0), one());
    assert!(matches!(refused, Err(CommitError::Conflict { head }) if head == seq(1)));
    for beyond in [2, 100] {
        let refused = commit(&*storage, account(1), seq(beyond), one());
        assert!(matches!(refused, Err(CommitError::Storage(Error::Failed(_)))), "{beyond}");
    }
    assert_eq!(block_on(storage.head(account(1))).expect("head"), seq(1));
    let newer = block_on(storage.read(account(1), seq(0), 10)).expect("read");
    assert_eq!(newer.len(), 1);
    let flag = flagged(UidSet::range(Uid::MIN, Uid::MAX), SystemFlag::Seen);
    let entries = commit(&*storage, account(1), seq(1), batch(vec![flag.clone()], Vec::new()));
    let entries = entries.expect("committed");
    assert_eq!((entries[0].at, &*entries[0].record), (seq(2), &flag));
    drop(storage);
    subject.reopen();
    let storage = subject.storage();
    assert_eq!(block_on(storage.head(account(1))).expect("head"), seq(2));
    assert_eq!(read_all(&*storage, account(1)).expect("read")[1], entries[0]);
}

/// Law 1: a batch that names what is not staged is refused whole.
pub fn a_refused_commit_changes_nothing(subject: &mut dyn Subject) {
    let storage = subject.storage();
    block_on(storage.create(account(1))).expect("created");
    let staged = vec![stage(&*storage, account(1), b"one").expect("staged")];
    let mut wrong = appended(1, &staged);
    if let Record::Appended { messages, .. } = &mut wrong {
        messages[0].content = Content::Staged(1);
    }
    let refused = commit(&*storage, account(1), seq(0), batch(vec![inbox(), wrong], staged));
    assert!(matches!(refused, Err(CommitError::Storage(_))));
    assert_eq!(block_on(storage.head(account(1))).expect("head"), seq(0));
    assert_eq!(read_all(&*storage, account(1)).expect("read"), []);
    commit(&*storage, account(1), seq(0), batch(vec![inbox()], Vec::new())).expect("committed");
}

/// Law 3: every limit and every beginning, before and after a restart.
pub fn reads_are_gapless(subject: &mut dyn Subject) {
    let storage = subject.storage();
    block_on(storage.create(account(1))).expect("created");
    let mut head = 0;
    for count in [1u32, 3, 1, 5, 2, 8, 1, 1] {
        let uids = (0..count).map(|n| UidSet::range(Uid::MIN, Uid::new(n + 1).expect("not 0")));
        let records: Vec<_> = uids.map(|uids| flagged(uids, SystemFlag::Seen)).collect();
        let entries = commit(&*storage, account(1), seq(head), batch(records, Vec::new()));
        head += entries.expect("committed").len() as u64;
    }
    drop(storage);
    for _ in 0..2 {
        let storage = subject.storage();
        let all = read_all(&*storage, account(1)).expect("read");
        assert_eq!(all.len() as u64, head);
        for after in 0..=head {
            for limit in [0, 1, 2, 5, 100] {
                let read = block_on(storage.read(account(1), seq(after), limit)).expect("read");
                let from = after as usize;
                assert_eq!(read, all[from..all.len().min(from + limit)], "{after} {limit}");
            }
        }
        drop(storage);
        subject.reopen();
    }
}

const SIZES: [usize; 12] =
    [0, 1, 31, 100, 127, 128, 4096, 20_000, 65_536, 65_537, 262_144, 300_001];

/// Law 4: any bytes, any size, before and after a restart and without caches.
pub fn messages_come_back_byte_for_byte(subject: &mut dyn Subject) {
    let storage = subject.storage();
    block_on(storage.create(account(1))).expect("created");
    let mut kept = Vec::new();
    for (n, size) in (0..).zip(SIZES.into_iter().chain(SIZES.map(|size| size + 1))) {
        let bytes = message(n, size);
        let at = append(&*storage, 1, n, &bytes);
        assert_eq!(block_on(storage.message(account(1), at)).expect("message"), bytes);
        kept.push((at, bytes));
    }
    drop(storage);
    for round in 0..3 {
        let storage = subject.storage();
        for (at, bytes) in &kept {
            assert_eq!(&block_on(storage.message(account(1), *at)).expect("message"), bytes);
            assert_eq!(&stream(&*storage, account(1), *at).expect("stream"), bytes);
        }
        let nowhere = Position { segment: 77, offset: 1024, stored_bytes: 100 };
        assert!(block_on(storage.message(account(1), nowhere)).is_err());
        drop(storage);
        if round == 0 { subject.reopen() } else { subject.lose_caches() }
    }
}

/// Law 4 for many at once: in any order, with repetitions, beside what is not there.
pub fn messages_are_read_together(subject: &mut dyn Subject) {
    let storage = subject.storage();
    block_on(storage.create(account(1))).expect("created");
    let sizes = [700, 0, 2_000, 45_000, 90, 1_300_000, 6_000, 800, 300_000, 1_000];
    let mut kept = Vec::new();
    for (n, size) in (0..).zip(sizes.into_iter().chain([1_500; 150])) {
        let bytes = message(n, size);
        kept.push((append(&*storage, 1, n, &bytes), Some(bytes)));
    }
    let nowhere = kept[0].0;
    kept.push((Position { segment: 77, offset: 1 << 20, ..nowhere }, None));
    kept.push((Position { offset: 1 << 30, ..nowhere }, None));
    drop(storage);
    for round in 0..2u64 {
        let storage = subject.storage();
        let mut chance = Chance::new(round);
        for count in [0, 1, 2, 7, kept.len()] {
            let mut asked: Vec<_> = kept.iter().collect();
            if round > 0 {
                asked = (0..count).map(|_| &kept[chance.below(kept.len())]).collect();
            }
            asked.truncate(count);
            let positions = asked.iter().map(|(at, _)| *at).collect();
            let read = block_on(storage.messages(account(1), positions));
            let read: Vec<_> = read.into_iter().map(Result::ok).collect();
            assert!(read.iter().eq(asked.iter().map(|(_, bytes)| bytes)), "{count}");
            assert_eq!(shown(&*storage, 1, &asked), read, "{count}");
            assert_eq!(shown(&*storage, 2, &asked), vec![None; count]);
            let positions = asked.iter().map(|(at, _)| *at).collect();
            let strange = block_on(storage.messages(account(2), positions));
            assert!(strange.len() == count && strange.iter().all(Result::is_err));
            wrapped::with_text(&*storage, &asked);
        }
        drop(storage);
        subject.reopen();
    }
}

/// The messages as they are shown: each once, on whatever thread.
fn shown(storage: &dyn Storage, n: u8, asked: &[&(Position, Option<Bytes>)]) -> Vec<Option<Bytes>> {
    let shown: Arc<[OnceLock<Option<Bytes>>]> = asked.iter().map(|_| OnceLock::new()).collect();
    let lookers: Lookers = {
        let shown = shown.clone();
        Arc::new(move || {
            let shown = shown.clone();
            Box::new(move |nth, message| {
                let first = shown[nth].set(message.ok().map(Bytes::copy_from_slice));
                assert_eq!(first, Ok(()), "shown twice");
            })
        })
    };
    block_on(storage.show(account(n), asked.iter().map(|(at, _)| *at).collect(), lookers));
    shown.iter().map(|message| message.get().expect("shown").clone()).collect()
}

/// Law 4 for what does not fit into memory: any piece of it can be had.
pub fn large_messages_stream(subject: &mut dyn Subject) {
    let storage = subject.storage();
    block_on(storage.create(account(1))).expect("created");
    let sizes = [1 << 20, (1 << 20) + 1, 2_000_000];
    let mut kept = Vec::new();
    for (n, size) in (0..).zip(sizes) {
        let bytes = message(n, size);
        kept.push((append(&*storage, 1, n, &bytes), bytes));
    }
    drop(storage);
    subject.reopen();
    let storage = subject.storage();
    for (at, bytes) in &kept {
        assert_eq!(&block_on(storage.message(account(1), *at)).expect("message"), bytes);
        assert_eq!(&stream(&*storage, account(1), *at).expect("stream"), bytes);
        for skip in [0, 1, 262_143, 262_144, 262_145, 1_000_000, 1 << 20, u64::MAX] {
            let rest = block_on(async {
                let mut outgoing = storage.open(account(1), *at).await?;
                assert_eq!(outgoing.size(), bytes.len() as u64);
                let first = outgoing.next().await?.expect("not empty");
                outgoing.skip(skip).await?;
                let mut rest = Vec::new();
                while let Some(piece) = outgoing.next().await? {
                    rest.extend_from_slice(&piece);
                }
                Ok::<_, Error>((first, rest))
            });
            let (first, rest) = rest.expect("read");
            let from = (first.len() as u64).saturating_add(skip).min(bytes.len() as u64);
            assert_eq!(first, bytes[..first.len()]);
            assert!(rest == bytes[from as usize..], "skip {skip}");
        }
    }
}

/// Laws 1 and 4: many messages in one batch, small and large, some staged for nothing.
pub fn a_batch_holds_many_messages(subject: &mut dyn Subject) {
    let storage = subject.storage();
    block_on(storage.create(account(1))).expect("created");
    let sizes = [10, 1_200_000, 0, 30_000, 1_100_000, 5];
    let bodies: Vec<Bytes> = (0..).zip(sizes).map(|(n, size)| message(n, size)).collect();
    let staged = bodies.iter().map(|bytes| stage(&*storage, account(1), bytes));
    let staged: Vec<_> = staged.collect::<Result<_, _>>().expect("staged");
    let record = appended(1, &staged);
    let entries = commit(&*storage, account(1), seq(0), batch(vec![inbox(), record], staged));
    let entries = entries.expect("committed");
    drop(storage);
    subject.reopen();
    let storage = subject.storage();
    assert_eq!(read_all(&*storage, account(1)).expect("read"), entries);
    for (at, bytes) in positions(&entries).into_iter().zip(&bodies) {
        assert_eq!(&block_on(storage.message(account(1), at)).expect("message"), bytes);
    }
}

/// Law 5: what is staged and dropped leaves nothing that hurts, whatever its size.
pub fn what_no_record_names_vanishes(subject: &mut dyn Subject) {
    let storage = subject.storage();
    block_on(storage.create(account(1))).expect("created");
    for size in [0, 10, 1_500_000] {
        drop(stage(&*storage, account(1), &message(4, size)).expect("staged"));
        let mut half = block_on(storage.incoming(account(1), Some(u64::MAX))).expect("incoming");
        block_on(half.write(&message(6, size))).expect("written");
        drop(half);
        let staged = vec![stage(&*storage, account(1), &message(8, size)).expect("staged")];
        let record = appended(1, &staged);
        let refused = commit(&*storage, account(1), seq(99), batch(vec![record], staged));
        assert!(refused.is_err());
    }
    assert_eq!(block_on(storage.head(account(1))).expect("head"), seq(0));
    drop(storage);
    subject.reopen();
    let storage = subject.storage();
    let at = append(&*storage, 1, 0, b"kept");
    assert_eq!(block_on(storage.message(account(1), at)).expect("message"), &b"kept"[..]);
}

/// Laws 1 and 2: commits that wait together get their places in order, and all arrive.
pub fn waiting_commits_keep_their_order(subject: &mut dyn Subject) {
    let storage = subject.storage();
    block_on(storage.create(account(1))).expect("created");
    let (mut entries, mut waiting) = (Vec::new(), Vec::new());
    for n in 0..40u64 {
        let staged = vec![stage(&*storage, account(1), &message(n, 500)).expect("staged")];
        let record = appended(n as u32 + 1, &staged);
        let pending = storage.commit(account(1), seq(n), batch(vec![record], staged));
        let pending = block_on(pending).expect("has its place");
        entries.extend(pending.entries);
        waiting.push(pending.durable);
    }
    // A conflict tells of what waits, and a read waits for it.
    let refused = commit(&*storage, account(1), seq(39), batch(vec![inbox()], Vec::new()));
    assert!(matches!(refused, Err(CommitError::Conflict { head }) if head == seq(40)));
    for (n, (at, durable)) in (0..).zip(positions(&entries).into_iter().zip(waiting)) {
        let bytes = block_on(storage.message(account(1), at)).expect("message");
        assert_eq!(bytes, message(n, 500));
        block_on(durable).expect("durable");
    }
    assert_eq!(read_all(&*storage, account(1)).expect("read"), entries);
    drop(storage);
    subject.reopen();
    assert_eq!(read_all(&*subject.storage(), account(1)).expect("read"), entries);
}

/// Lazy commits answer at once and keep their order among the others; a clean stop keeps them.
pub fn lazy_commits_keep_their_place(subject: &mut dyn Subject) {
    let storage = subject.storage();
    block_on(storage.create(account(1))).expect("created");
    let mut entries = Vec::new();
    for n in 0..9 {
        let uids = UidSet::range(Uid::MIN, Uid::new(n as u32 + 1).expect("not 0"));
        let mut batch = batch(vec![flagged(uids, SystemFlag::Seen)], Vec::new());
        if n % 3 != 1 {
            batch.durability = Durability::Lazy;
        }
        entries.extend(commit(&*storage, account(1), seq(n), batch).expect("committed"));
    }
    assert_eq!(read_all(&*storage, account(1)).expect("read"), entries);
    let state = Bytes::from("a fold of lazy records too");
    block_on(storage.save_snapshot(account(1), seq(9), pages(&state))).expect("saved");
    drop(storage);
    subject.reopen();
    let storage = subject.storage();
    assert_eq!(read_all(&*storage, account(1)).expect("read"), entries);
    let found = block_on(storage.load_snapshot(account(1))).expect("load");
    assert_eq!(found.map(whole), Some((seq(9), state)));
}

/// Law 6: the newest is found, an older one does not replace it, losing it loses nothing.
pub fn snapshots_are_disposable(subject: &mut dyn Subject) {
    let storage = subject.storage();
    block_on(storage.create(account(1))).expect("created");
    assert!(block_on(storage.load_snapshot(account(1))).expect("load").is_none());
    let mut entries = Vec::new();
    for n in 0..6 {
        let records = vec![flagged(UidSet::new(), SystemFlag::Seen)];
        let done = commit(&*storage, account(1), seq(n), batch(records, Vec::new()));
        entries.extend(done.expect("committed"));
    }
    for (at, bytes) in [(2, "two"), (5, "five"), (4, "four")] {
        let saved = storage.save_snapshot(account(1), seq(at), pages(bytes.as_bytes()));
        block_on(saved).expect("saved");
    }
    drop(storage);
    let five = Some((seq(5), Bytes::from("five")));
    for round in 0..3 {
        let storage = subject.storage();
        let found = block_on(storage.load_snapshot(account(1))).expect("load").map(whole);
        assert!(found == five || round == 2, "{found:?}");
        assert_eq!(read_all(&*storage, account(1)).expect("read"), entries);
        drop(storage);
        if round == 0 { subject.reopen() } else { subject.lose_caches() }
    }
}

/// Law 6: each position has its own or none, in any order, again and again.
pub fn extracts_are_disposable(subject: &mut dyn Subject) {
    let storage = subject.storage();
    block_on(storage.create(account(1))).expect("created");
    let at: Vec<_> = (0..30).map(|n| append(&*storage, 1, n, &message(n, 300))).collect();
    let extract = |what, n: usize| Bytes::from(format!("{what:?} {n}").repeat(n * 20));
    let put = |wanted: &[usize]| {
        for what in Extract::ALL {
            let new = wanted.iter().map(|&n| (at[n], extract(what, n))).collect();
            block_on(storage.put_extracts(account(1), what, new)).expect("put");
        }
    };
    put(&(0..10).collect::<Vec<_>>());
    put(&[25, 12, 19]);
    put(&[3, 12, 29]);
    let expected =
        |what, n: usize| (n < 10 || [25, 12, 19, 29].contains(&n)).then(|| extract(what, n));
    let check = |storage: &dyn Storage, lost: bool| {
        let order: Vec<usize> = (0..30).rev().chain([3, 3, 29]).collect();
        for what in Extract::ALL {
            let mut answered = 0;
            while answered < order.len() {
                let wanted = order[answered..].iter().map(|&n| at[n]).collect();
                let found = block_on(storage.extracts(account(1), what, wanted)).expect("extracts");
                assert!(!found.is_empty() && found.len() <= order.len() - answered);
                for (nth, &n) in order[answered..].iter().enumerate().take(found.len()) {
                    let found = found.bytes(nth);
                    let fits = found == expected(what, n) || (lost && found.is_none());
                    assert!(fits, "{what:?} {n}: {found:?}");
                }
                answered += found.len();
            }
        }
    };
    check(&*storage, false);
    drop(storage);
    subject.reopen();
    check(&*subject.storage(), false);
    subject.lose_caches();
    check(&*subject.storage(), true);
    let again = subject.storage();
    let new = vec![(at[3], extract(Extract::Header, 3))];
    block_on(again.put_extracts(account(1), Extract::Header, new)).expect("put again");
    drop(again);
    check(&*subject.storage(), true);
    for (n, &at) in at.iter().enumerate() {
        let bytes = block_on(subject.storage().message(account(1), at)).expect("message");
        assert_eq!(bytes, message(n as u64, 300));
    }
}

/// Law 6: what is asked for at once is not what is held at once.
pub fn large_extracts_come_in_parts(subject: &mut dyn Subject) {
    const BYTES: usize = 300_000;
    let storage = subject.storage();
    block_on(storage.create(account(1))).expect("created");
    let at: Vec<_> = (0..60).map(|n| append(&*storage, 1, n, &message(n, 300))).collect();
    let extract = |n: usize| Bytes::from(vec![n as u8; BYTES]);
    let what = Extract::Header;
    for (n, &at) in at.iter().enumerate() {
        let new = vec![(at, extract(n))];
        block_on(storage.put_extracts(account(1), what, new)).expect("put");
    }
    let mut answered = 0;
    while answered < at.len() {
        let wanted = at[answered..].to_vec();
        let found = block_on(storage.extracts(account(1), what, wanted)).expect("extracts");
        assert!(!found.is_empty() && found.len() < at.len(), "{}", found.len());
        for nth in 0..found.len() {
            assert!(found.get(nth).is_some_and(|found| found == extract(answered + nth)));
        }
        answered += found.len();
    }
    assert_eq!(answered, at.len());
}

/// Law 6: a cached file is read as it was written last, in parts, or it is gone.
#[allow(clippy::single_range_in_vec_init, reason = "ranges are what is meant")]
pub fn cached_files_are_disposable(subject: &mut dyn Subject) {
    let storage = subject.storage();
    block_on(storage.create(account(1))).expect("created");
    let read = |storage: &dyn Storage, ranges: &[(u64, u64)]| {
        let ranges = ranges.iter().map(|&(start, end)| start..end).collect();
        block_on(storage.cache_read(account(1), "a.idx", ranges)).expect("no failure")
    };
    assert_eq!(block_on(storage.cache_list(account(1))).expect("list"), Vec::<String>::new());
    assert_eq!(read(&*storage, &[(0, 1)]), None);
    block_on(storage.cache_remove(account(1), "a.idx")).expect("nothing to remove");
    for bytes in [&b"first and longer"[..], b"second"] {
        let bytes = Bytes::from_static(bytes);
        block_on(storage.cache_write(account(1), "a.idx", bytes)).expect("written");
    }
    if let Some(parts) = read(&*storage, &[(0, 6), (1, 3), (6, 6)]) {
        assert_eq!(parts, [&b"second"[..], b"ec", b""]);
        assert_eq!(read(&*storage, &[(0, 7)]), None);
        assert_eq!(block_on(storage.cache_list(account(1))).expect("list"), ["a.idx"]);
    }
    in_parts(&*storage, b"seco", false);
    if let Some(parts) = read(&*storage, &[(0, 6)]) {
        assert_eq!(parts, [&b"second"[..]], "what is not finished has no name");
    }
    in_parts(&*storage, b"seco", true);
    if let Some(parts) = read(&*storage, &[(0, 6)]) {
        assert_eq!(parts, [&b"second"[..]]);
        assert_eq!(read(&*storage, &[(0, 7)]), None, "nothing of an earlier attempt");
    }
    drop(storage);
    subject.lose_caches();
    let storage = subject.storage();
    let parts = read(&*storage, &[(0, 6)]);
    assert!(parts.is_none_or(|parts| parts == [&b"second"[..]]));
    block_on(storage.cache_remove(account(1), "a.idx")).expect("removed");
    assert_eq!(read(&*storage, &[(0, 1)]), None);
}

/// Writes a file out of order; one that is given up is longer.
fn in_parts(storage: &dyn Storage, first: &'static [u8], finish: bool) {
    let mut file = block_on(storage.cache_create(account(1), "a.idx")).expect("created");
    let second = if finish { &b"nd"[..] } else { b"ndary" };
    block_on(file.write(4, Bytes::from_static(second))).expect("written");
    block_on(file.write(0, Bytes::from_static(first))).expect("written");
    if finish {
        block_on(file.finish()).expect("finished");
    }
}

/// Law 7: the same operations in two accounts, and neither sees the other.
pub fn accounts_are_apart(subject: &mut dyn Subject) {
    let storage = subject.storage();
    for n in [1, 2] {
        block_on(storage.create(account(n))).expect("created");
    }
    let one = append(&*storage, 1, 0, b"of the first account");
    assert_eq!(block_on(storage.head(account(2))).expect("head"), seq(0));
    let two = append(&*storage, 2, 0, b"OF THE OTHER account");
    let snapshot = storage.save_snapshot(account(1), seq(1), pages(b"one"));
    block_on(snapshot).expect("saved");
    assert_eq!(block_on(storage.load_snapshot(account(2))).expect("load"), None);
    drop(storage);
    subject.reopen();
    let storage = subject.storage();
    let read = |n, at| block_on(storage.message(account(n), at)).expect("message");
    assert_eq!(read(1, one), &b"of the first account"[..]);
    assert_eq!(read(2, two), &b"OF THE OTHER account"[..]);
    block_on(storage.remove(account(1))).expect("removed");
    assert_eq!(read(2, two), &b"OF THE OTHER account"[..]);
}
