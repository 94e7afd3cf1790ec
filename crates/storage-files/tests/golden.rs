//! A data directory written by an older format version is read by every later one: an account with
//! plain, large and rewritten segments, a checkpoint, a snapshot and summaries.
//!
//! With MARTLET_WRITE_GOLDEN set, the directory is written anew: only for a new version, beside the
//! old ones.

#![allow(clippy::unwrap_used, reason = "a test fails where it panics")]

use std::path::{Path, PathBuf};

use base::{ModSeq, SystemFlag, Uid, UidSet};
use bytes::Bytes;
use mailbox::{Account, Record};
use storage::conformance::{
    account, appended, batch, block_on, commit, flagged, inbox, inbox_id, message, pages,
    positions, stage,
};
use storage::{Extract, Storage};
use storage_files::frame::{self, Found, Kind, VERSION};
use storage_files::{Files, Options, Threads, doctor};

const MESSAGES: u32 = 12;
/// The first version whose directory has extracts of this version.
const EXTRACTS_SINCE: u16 = 3;

fn golden(version: u16) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/golden/v{version}"))
}

fn octets(n: u32) -> usize {
    if n % 5 == 4 { 5_000 } else { 700 + n as usize }
}

fn expunged(n: u32) -> bool {
    n % 3 == 1
}

fn options() -> Options {
    Options {
        segment_bytes: 4_000,
        large_bytes: 3_000,
        block_bytes: 2_000,
        page_bytes: 48,
        threads: Threads::Inline,
        compact_dead_percent: 0,
        ..Options::default()
    }
}

fn fold(files: &Files) -> Account {
    let snapshot = block_on(files.load_snapshot(account(1))).unwrap();
    let mut fold =
        snapshot.map_or_else(Account::default, |(_, pages)| Account::decode_pages(pages).unwrap());
    for entry in block_on(files.read(account(1), fold.head(), usize::MAX)).unwrap() {
        fold.apply(entry.at, &entry.record).unwrap();
    }
    fold
}

fn write(dir: &Path) {
    let files = Files::open(dir, options()).unwrap();
    block_on(files.create(account(1))).unwrap();
    let put = |time: i64, record: Record, staged| {
        let head = block_on(files.head(account(1))).unwrap();
        let mut batch = batch(vec![record], staged);
        batch.time = time;
        commit(&files, account(1), head, batch).unwrap();
    };
    put(1, inbox(), vec![]);
    for n in 0..MESSAGES {
        // Odd seeds make messages that do not compress, even ones those that do.
        let staged = vec![stage(&files, account(1), &message(u64::from(n), octets(n))).unwrap()];
        put(2, appended(n + 1, &staged), staged);
    }
    for n in (0..MESSAGES).filter(|&n| expunged(n)) {
        let uid = Uid::new(n + 1).unwrap();
        let uids = UidSet::range(uid, uid);
        put(i64::from(n), Record::Expunged { mailbox: inbox_id(), uids }, vec![]);
    }
    block_on(files.compact(account(1), 7)).unwrap();
    put(100, flagged(UidSet::range(Uid::MIN, Uid::MAX), SystemFlag::Seen), vec![]);
    let state = fold(&files);
    block_on(files.save_snapshot(account(1), state.head(), pages(&state.encode()))).unwrap();
    put(101, flagged(UidSet::range(Uid::MIN, Uid::MIN), SystemFlag::Flagged), vec![]);
    let rows = state.find("INBOX").unwrap().mailbox;
    let summaries = rows.rows().map(|row| (row.position, Bytes::from(format!("uid {}", row.uid))));
    block_on(files.put_extracts(account(1), Extract::Summary, summaries.collect())).unwrap();
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &target)
        } else {
            std::fs::copy(&path, target).unwrap();
        }
    }
}

/// What was kept beside messages by an earlier version of that is made again.
fn check(dir: &Path, version: u16, with_caches: bool) {
    let report = doctor::check(dir, None, &mut |_| {}).unwrap();
    assert_eq!(report.findings, []);
    let files = Files::open(dir, options()).unwrap();
    assert_eq!(block_on(files.accounts()).unwrap(), [account(1)]);
    let fold = fold(&files);
    assert_eq!(fold.head().get(), 19);
    let inbox = fold.find("INBOX").unwrap().mailbox;
    let kept: Vec<u32> = (0..MESSAGES).filter(|&n| !expunged(n)).collect();
    let uids: Vec<u32> = inbox.rows().map(|row| row.uid.get() - 1).collect();
    assert_eq!(uids, kept);
    for row in inbox.rows() {
        let n = row.uid.get() - 1;
        assert!(row.system.contains(SystemFlag::Seen));
        assert_eq!(row.system.contains(SystemFlag::Flagged), n == 0);
        let expected = message(u64::from(n), octets(n));
        assert_eq!(block_on(files.message(account(1), row.position)).unwrap(), expected);
        let wanted = vec![row.position];
        let found = block_on(files.extracts(account(1), Extract::Summary, wanted)).unwrap();
        let summary = Bytes::from(format!("uid {}", row.uid));
        let beside = (with_caches && version >= EXTRACTS_SINCE).then_some(summary);
        assert_eq!((found.len(), found.bytes(0)), (1, beside));
    }
    let snapshot = block_on(files.load_snapshot(account(1))).unwrap();
    assert_eq!(snapshot.unwrap().0.get(), if with_caches { 18 } else { 16 });
}

fn copy_of(version: u16) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    copy(&golden(version), dir.path());
    dir
}

fn account_dir(dir: &Path) -> PathBuf {
    dir.join("accounts/01").join(account(1).to_string())
}

#[test]
fn every_version_is_read() {
    if std::env::var_os("MARTLET_WRITE_GOLDEN").is_some() {
        write(&golden(VERSION));
    }
    for version in 1..=VERSION {
        let dir = copy_of(version);
        assert_eq!(has_fills(dir.path()), version >= 3);
        check(dir.path(), version, true);
        std::fs::remove_dir_all(account_dir(dir.path()).join("cache")).unwrap();
        check(dir.path(), version, false);
    }
}

/// What is kept of messages, by their numbers: a large one, one that was in a group with others, and
/// what waits for more.
fn extract(n: usize) -> Bytes {
    format!("Subject: message {n}\r\n").repeat([370, 900, 350, 60][n]).into()
}

#[test]
fn extracts_of_this_version_are_read() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/extracts2");
    let options = || Options { threads: Threads::Inline, ..Options::default() };
    if std::env::var_os("MARTLET_WRITE_GOLDEN").is_some() {
        let files = Files::open(&dir, options()).unwrap();
        block_on(files.create(account(1))).unwrap();
        let staged: Vec<_> =
            (0..4).map(|n| stage(&files, account(1), &message(n, 300)).unwrap()).collect();
        let batch = batch(vec![inbox(), appended(1, &staged)], staged);
        let at = positions(&commit(&files, account(1), ModSeq::ZERO, batch).unwrap());
        for (n, &at) in at.iter().enumerate() {
            block_on(files.put_extracts(account(1), Extract::Fields, vec![(at, extract(n))]))
                .unwrap();
        }
    }
    let copied = tempfile::tempdir().unwrap();
    copy(&dir, copied.path());
    assert_eq!(doctor::check(copied.path(), None, &mut |_| {}).unwrap().findings, []);
    let files = Files::open(copied.path(), options()).unwrap();
    let at: Vec<_> =
        fold(&files).find("INBOX").unwrap().mailbox.rows().map(|row| row.position).collect();
    let found = block_on(files.extracts(account(1), Extract::Fields, at)).unwrap();
    for n in 0..4 {
        assert_eq!(found.get(n), Some(&*extract(n)), "{n}");
    }
}

/// Whether a log segment has a page that was filled.
fn has_fills(dir: &Path) -> bool {
    let files = std::fs::read_dir(account_dir(dir).join("log")).unwrap();
    let bytes = files.map(|entry| std::fs::read(entry.unwrap().path()).unwrap());
    let is_fill =
        |found: &Found| matches!(found, Found::Frame(header, _) if header.kind == Kind::Fill);
    bytes.filter_map(|bytes| frame::parse(&bytes)).any(|(_, found)| found.iter().any(is_fill))
}

/// The version of each log segment, and the kinds of its messages' frames.
fn segments(dir: &Path) -> Vec<(u16, Vec<Kind>)> {
    let files = std::fs::read_dir(account_dir(dir).join("log")).unwrap();
    let mut paths: Vec<_> = files.map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "seg"));
    paths.sort();
    let parsed = paths.iter().map(|path| frame::parse(&std::fs::read(path).unwrap()).unwrap());
    let parsed = parsed.map(|(segment, found)| {
        let kinds = found.iter().filter_map(|found| match found {
            Found::Frame(header, _) if header.kind.is_message() => Some(header.kind),
            Found::Frame(..) => None,
            other => panic!("{other:?}"),
        });
        (segment.version, kinds.collect())
    });
    parsed.collect()
}

#[test]
fn a_log_of_an_older_version_goes_on_in_a_segment_of_its_own() {
    (1..VERSION).for_each(goes_on);
}

fn goes_on(old: u16) {
    let kind_of = |version| if version == 1 { Kind::Message1 } else { Kind::Message };
    let dir = copy_of(old);
    let before = segments(dir.path());
    assert!(before.iter().all(|(version, kinds)| {
        *version == old && kinds.iter().all(|&kind| kind == kind_of(old))
    }));
    let body = message(50, 900);
    let at = {
        let files = Files::open(dir.path(), options()).unwrap();
        let staged = vec![stage(&files, account(1), &body).unwrap()];
        let head = block_on(files.head(account(1))).unwrap();
        let batch = batch(vec![appended(50, &staged)], staged);
        positions(&commit(&files, account(1), head, batch).unwrap())[0]
    };
    let after = segments(dir.path());
    assert_eq!(after[..before.len()], before);
    assert_eq!(after[before.len()..], [(VERSION, vec![Kind::Message])]);
    // Old messages expire: their segment is rewritten as what it is.
    let files = Files::open(dir.path(), options()).unwrap();
    let uids = UidSet::range(Uid::MIN, Uid::new(6).unwrap());
    let head = block_on(files.head(account(1))).unwrap();
    let gone = Record::Expunged { mailbox: inbox_id(), uids };
    commit(&files, account(1), head, batch(vec![gone], vec![])).unwrap();
    block_on(files.compact(account(1), i64::MAX)).unwrap();
    assert_eq!(block_on(files.message(account(1), at)).unwrap(), body);
    let fold = fold(&files);
    for row in fold.find("INBOX").unwrap().mailbox.rows().filter(|row| row.uid.get() < 50) {
        let n = row.uid.get() - 1;
        let read = block_on(files.message(account(1), row.position)).unwrap();
        assert_eq!(read, message(u64::from(n), octets(n)));
    }
    drop(files);
    for (version, kinds) in segments(dir.path()) {
        assert!(kinds.iter().all(|&kind| kind == kind_of(version)));
    }
    assert_eq!(doctor::check(dir.path(), None, &mut |_| {}).unwrap().findings, []);
}
