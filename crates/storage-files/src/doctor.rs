//! Looking at every byte: what `martlet doctor` says.
//!
//! The check reads and never writes, and never stops at the first bad place. It needs no lock: on
//! the data of a running server the end of a log may look as if a crash had torn it.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex};

use base::{AccountId, ModSeq, Uid};
use bytes::Bytes;
use mailbox::{Account, Position, Record};
use storage::disk::{Disk, Open};
use storage::{Error, Snapshot};

use crate::frame::{
    Commit, FRAMES_AT, HEADER_BYTES, Header, Kind, Lost, Segment, SegmentKind, parse_file_name,
};
use crate::log::Log;
use crate::outgoing::LargeReader;
use crate::segment::Handle;
use crate::walk::{Step, Walk};
use crate::{Directory, Options, Shared, Threads, account_dir, codec, extracts, failed, pool};

mod repair;

pub use repair::{Repaired, repair, repair_disk};

/// How bad something is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Severity {
    /// Nothing is lost: what a crash left half-done, or a cache that will be made again.
    Note,
    /// Something that was durable is damaged.
    Damage,
}

/// One thing that is not as it should be.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Finding {
    /// Whose.
    pub account: AccountId,
    /// How bad.
    pub severity: Severity,
    /// The file, relative to the data directory.
    pub file: String,
    /// The first byte concerned, if it is one place.
    pub offset: Option<u64>,
    /// The message concerned, if the log still tells: its mailbox's name and its UID.
    pub message: Option<(String, Uid)>,
    /// What it is.
    pub what: String,
}

/// What a check counted and found.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Report {
    /// Accounts looked at.
    pub accounts: u64,
    /// Whole frames.
    pub frames: u64,
    /// Records in them.
    pub records: u64,
    /// Messages whose bytes and hash are right.
    pub messages: u64,
    /// Their octets.
    pub octets: u64,
    /// What is not as it should be.
    pub findings: Vec<Finding>,
}

impl Report {
    /// Whether nothing is damaged.
    pub fn is_well(&self) -> bool {
        self.findings.iter().all(|finding| finding.severity == Severity::Note)
    }
}

/// What a check does right now.
#[derive(Debug)]
pub enum Progress<'a> {
    /// Begins with an account, one of so many.
    Account(AccountId, usize, usize),
    /// Read a file with so many bytes.
    File(&'a str, u64),
    /// Found something.
    Finding(&'a Finding),
}

/// Called with what a check does.
pub type Tell<'a> = &'a mut dyn FnMut(Progress<'_>);

/// Checks a data directory, or one account of it: every frame, every hash, every cache.
///
/// # Errors
/// Only if the directory cannot be listed; what is wrong in it is in the report.
pub fn check(dir: &Path, account: Option<AccountId>, tell: Tell<'_>) -> Result<Report, Error> {
    let disk = Directory::existing(dir);
    let disk = disk.map_err(|error| failed(&dir.display().to_string(), &error))?;
    check_disk(Arc::new(disk), account, tell)
}

/// As [`check`], on any disk.
///
/// # Errors
/// As [`check`].
pub fn check_disk(
    disk: Arc<dyn Disk>,
    account: Option<AccountId>,
    tell: Tell<'_>,
) -> Result<Report, Error> {
    let shared = inspector(disk);
    let mut report = Report::default();
    let accounts = match account {
        Some(account) => vec![account],
        None => shared.list_accounts()?,
    };
    for (nth, &account) in accounts.iter().enumerate() {
        tell(Progress::Account(account, nth, accounts.len()));
        let mut check = Check::new(&shared, account, &mut report, tell)?;
        check.run();
    }
    Ok(report)
}

/// What logs need, without a lock and without threads.
fn inspector(disk: Arc<dyn Disk>) -> Arc<Shared> {
    let options = Options { threads: Threads::Inline, ..Options::default() };
    Arc::new(Shared {
        disk,
        pool: pool::Pool::new(Threads::Inline),
        codec: codec::Codec::new(options.level),
        buffers: crate::buffers::Buffers::default(),
        staged: Arc::default(),
        options,
        token: "doctor".to_owned(),
        map: Mutex::default(),
        shards: Mutex::default(),
        lock: Mutex::new(None),
    })
}

/// What is known of a message's frame: bytes it takes, and whether they are right.
type Frames = HashMap<(u32, u32), (u32, Result<[u8; 16], &'static str>)>;

/// The check of one account.
struct Check<'a> {
    log: Log,
    report: &'a mut Report,
    tell: &'a mut dyn FnMut(Progress<'_>),
    frames: Frames,
    fold: Account,
    snapshot: Option<Snapshot>,
    lost_bytes: u64,
    /// Records that are gone, and the segment at which that was seen.
    lost: Vec<(u32, ModSeq, Lost)>,
    /// Log segments with bad places, or without a header.
    bad: Vec<u32>,
    has_directory: bool,
}

impl<'a> Check<'a> {
    fn new(
        shared: &Arc<Shared>,
        account: AccountId,
        report: &'a mut Report,
        tell: &'a mut (dyn FnMut(Progress<'_>) + 'a),
    ) -> Result<Self, Error> {
        let dir = account_dir(account);
        let path = format!("{dir}/log");
        let names = shared.disk.list(&path).map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => Error::NoAccount,
            _ => failed(&path, &error),
        })?;
        let segments = names.iter().filter_map(|name| parse_file_name(name)).collect();
        Ok(Self {
            log: Log::empty(shared, account, dir, segments),
            report,
            tell,
            frames: Frames::new(),
            fold: Account::default(),
            snapshot: None,
            lost_bytes: 0,
            lost: Vec::new(),
            bad: Vec::new(),
            has_directory: false,
        })
    }

    fn find(&mut self, severity: Severity, file: &str, offset: Option<u64>, what: String) {
        self.find_message(severity, file, offset, None, what);
    }

    fn find_message(
        &mut self,
        severity: Severity,
        file: &str,
        offset: Option<u64>,
        message: Option<(String, Uid)>,
        what: String,
    ) {
        let (account, file) = (self.log.id, file.to_owned());
        let finding = Finding { account, severity, file, offset, message, what };
        (self.tell)(Progress::Finding(&finding));
        self.report.findings.push(finding);
    }

    fn run(&mut self) {
        self.report.accounts += 1;
        self.read_snapshot();
        self.check_checkpoints();
        let segments: Vec<_> = {
            let state = self.log.lock();
            state.segments.iter().map(|(&number, &kind)| (number, kind)).collect()
        };
        let logs = segments.iter().filter(|&&(_, kind)| kind == SegmentKind::Log);
        let last = logs.map(|&(number, _)| number).next_back();
        if last.is_none() {
            let dir = self.log.path("log");
            self.find(Severity::Damage, &dir, None, "there is no log".to_owned());
        }
        for &(number, kind) in &segments {
            let path = self.log.segment_path(number, kind);
            let handle = self.open(number, kind, &path);
            match (kind, handle) {
                (SegmentKind::Log, Some(handle)) => {
                    if let Err(error) = self.check_log(&handle, &path, last == Some(number)) {
                        self.find(
                            Severity::Damage,
                            &path,
                            None,
                            format!("cannot be read: {error}"),
                        );
                    }
                }
                (SegmentKind::Log, None) => self.bad.push(number),
                (SegmentKind::Large, Some(handle)) => self.check_large(&handle, &path),
                _ => {}
            }
            let bytes = self.log.shared.disk.open(&path, Open::Read).and_then(|file| file.len());
            (self.tell)(Progress::File(&path, bytes.unwrap_or(0)));
        }
        self.check_messages();
        extracts::DIRECTORIES.iter().for_each(|dir| self.check_extracts(dir));
    }

    /// A segment with a good header.
    fn open(&mut self, number: u32, kind: SegmentKind, path: &str) -> Option<Arc<Handle>> {
        let handle = match self.log.handle(number) {
            Ok(handle) => handle,
            Err(error) => {
                self.find(Severity::Damage, path, Some(0), error.to_string());
                return None;
            }
        };
        let mut bytes = vec![0; FRAMES_AT as usize];
        let whole = handle.file.read_at(&mut bytes, 0).is_ok() && Segment::both_copies(&bytes);
        if !handle.whole {
            let what = "header or index are gone; the frames tell what they said".to_owned();
            self.find(Severity::Damage, path, Some(0), what);
        } else if !whole {
            self.find(Severity::Damage, path, Some(0), "one copy of the header".to_owned());
        }
        if handle.segment.kind != kind {
            self.find(Severity::Damage, path, Some(0), "its header says another kind".to_owned());
        }
        Some(handle)
    }

    fn check_checkpoints(&mut self) {
        let numbers = self.log.lock().numbers(SegmentKind::Checkpoint);
        for number in numbers {
            let path = self.log.segment_path(number, SegmentKind::Checkpoint);
            let read = self.log.read_checkpoint(number);
            let fold =
                read.map(|(at, bytes)| Account::decode(&bytes).filter(|fold| fold.head() == at));
            match fold {
                Ok(Some(fold)) => {
                    self.report.frames += 1;
                    self.fold = fold;
                }
                Ok(None) => self.find(Severity::Damage, &path, None, "no fold".to_owned()),
                Err(error) => self.find(Severity::Damage, &path, None, error.to_string()),
            }
        }
    }

    fn check_log(&mut self, handle: &Handle, path: &str, last: bool) -> std::io::Result<()> {
        let (seed, end) = (handle.seed, handle.end()?);
        let moved = handle.segment.index_at != 0;
        if handle.segment.base > self.fold.head() {
            self.lose(handle.segment.number, path, handle.segment.base);
        }
        // What was in flight at a crash is known only when the last frame is.
        let (mut bad, mut durable_to) = (Vec::new(), FRAMES_AT);
        let mut walk = Walk::new(&*handle.file, seed, FRAMES_AT, end).moved(moved);
        while let Some(step) = walk.next()? {
            match step {
                Step::Frame(header, at, payload) => {
                    self.report.frames += 1;
                    durable_to = durable_to.max(u64::from(header.durable_to));
                    let payload = payload.unwrap_or_default();
                    match header.kind {
                        Kind::Message | Kind::Message1 => {
                            self.check_message(handle, &header, path, at, &payload)
                        }
                        Kind::Records => self.check_records(handle, &header, path, at, &payload),
                        Kind::Lost => self.check_lost(handle, &header, path, &payload),
                        _ => {}
                    }
                }
                Step::Spoiled(header, at) => {
                    if header.kind.is_message() {
                        let stored = header.frame_bytes() as u32;
                        let key = (handle.segment.number, header.offset);
                        self.frames.insert(key, (stored, Err("checksum")));
                    }
                    self.lost_bytes += header.frame_bytes();
                    bad.push((at, format!("a damaged frame ({:?})", header.kind)));
                }
                Step::Gap(from, to) => {
                    self.lost_bytes += to - from;
                    bad.push((from, format!("{} bytes that are no frame", to - from)));
                }
                Step::Tail(from, false) => {
                    bad.push((from, "bytes behind the last frame".to_owned()));
                }
                Step::Tail(_, true) => {}
            }
        }
        for (at, what) in bad {
            if last && at >= durable_to {
                let what = format!("{what}, left by a crash; to be cut");
                self.find(Severity::Note, path, Some(at), what);
            } else {
                self.find(Severity::Damage, path, Some(at), what);
                if self.bad.last() != Some(&handle.segment.number) {
                    self.bad.push(handle.segment.number);
                }
            }
        }
        Ok(())
    }

    fn check_message(
        &mut self,
        handle: &Handle,
        header: &Header,
        path: &str,
        at: u64,
        payload: &Bytes,
    ) {
        let mut frame = header.encode(handle.seed).to_vec();
        frame.extend_from_slice(payload);
        let checked = self.log.shared.codec.verify(&frame, (handle.seed, header.offset));
        let found = match checked {
            Ok((octets, id)) => {
                self.report.messages += 1;
                self.report.octets += octets;
                Ok(id)
            }
            Err(error) => {
                self.find(Severity::Damage, path, Some(at), error.to_string());
                Err("content")
            }
        };
        let stored = header.frame_bytes() as u32;
        self.frames.insert((handle.segment.number, header.offset), (stored, found));
    }

    fn check_records(
        &mut self,
        handle: &Handle,
        header: &Header,
        path: &str,
        at: u64,
        payload: &Bytes,
    ) {
        let Some(commit) = Commit::decode(payload) else {
            return self.find(Severity::Damage, path, Some(at), "records of no form".to_owned());
        };
        let before = ModSeq::new(header.sequence.get().saturating_sub(1)).unwrap_or_default();
        if before > self.fold.head() {
            self.lose(handle.segment.number, path, before);
        }
        self.lost_bytes = 0;
        for (n, bytes) in (0..).zip(&commit.records) {
            let sequence = header.sequence.plus(n);
            self.report.records += 1;
            if sequence <= self.fold.head() {
                continue;
            }
            let record = Record::decode(bytes).unwrap_or_else(|bad| {
                self.find(Severity::Damage, path, Some(at), format!("record {sequence}: {bad}"));
                Record::Lost { bytes: bytes.len() as u64 }
            });
            self.has_directory |= matches!(record, Record::Directory(_));
            self.apply(path, &record);
        }
    }

    fn check_lost(&mut self, handle: &Handle, header: &Header, path: &str, payload: &Bytes) {
        let Some(lost) = Lost::decode(payload) else { return };
        let what = format!(
            "records {} to {} are lost, as an earlier repair found",
            header.sequence, lost.last
        );
        self.find(Severity::Note, path, None, what);
        self.lost_bytes = lost.bytes;
        self.lost.push((handle.segment.number, header.sequence, lost));
        self.fold_lost(path, lost.last);
    }

    /// Records up to `last` are not there.
    fn lose(&mut self, segment: u32, path: &str, last: ModSeq) {
        let first = self.fold.head().next();
        self.find(Severity::Damage, path, None, format!("records {first} to {last} are lost"));
        self.lost.push((segment, first, Lost { last, bytes: self.lost_bytes }));
        self.fold_lost(path, last);
    }

    fn fold_lost(&mut self, path: &str, last: ModSeq) {
        let mut bytes = std::mem::take(&mut self.lost_bytes);
        while self.fold.head() < last {
            self.apply(path, &Record::Lost { bytes });
            bytes = 0;
        }
    }

    fn apply(&mut self, path: &str, record: &Record) {
        let at = self.fold.head().next();
        if let Err(bad) = self.fold.apply(at, record) {
            self.find(Severity::Damage, path, None, bad.to_string());
            // The fold goes on as it does behind lost records.
            drop(self.fold.apply(at, &Record::Lost { bytes: 0 }));
        }
        if let Some((_, pages)) = self.snapshot.take_if(|(snapshot, _)| *snapshot == at)
            && let Some(snapshot) = Account::decode_pages(pages)
            && !self.fold.is_lossy()
            // Not the bytes: an older version may have written them.
            && snapshot.pages().ne(self.fold.pages())
        {
            let path = self.log.path("cache/state");
            let what = "the snapshot is not the fold of the log".to_owned();
            self.find(Severity::Damage, &path, None, what);
        }
    }

    fn check_large(&mut self, handle: &Handle, path: &str) {
        let mut bytes = [0; HEADER_BYTES];
        let read = handle.file.read_at(&mut bytes, FRAMES_AT);
        let header = read.ok().and_then(|_| Header::decode(&bytes, handle.seed));
        let Some(header) = header else {
            return self.find(Severity::Damage, path, Some(FRAMES_AT), "no frame".to_owned());
        };
        let at = Position {
            segment: handle.segment.number,
            offset: FRAMES_AT as u32,
            stored_bytes: header.frame_bytes() as u32,
        };
        let verified = LargeReader::open(&self.log, at).and_then(|reader| reader.verify(&self.log));
        let found = match verified {
            Ok((octets, hash)) => {
                self.report.frames += 1;
                self.report.messages += 1;
                self.report.octets += octets;
                let mut id = [0; 16];
                id.copy_from_slice(&hash[..16]);
                Ok(id)
            }
            Err(error) => {
                self.find(Severity::Damage, path, Some(FRAMES_AT), error.to_string());
                Err("content")
            }
        };
        self.frames.insert((at.segment, at.offset), (at.stored_bytes, found));
    }

    /// Every message of every mailbox has its bytes.
    fn check_messages(&mut self) {
        for (name, uid, at, why) in unreadable(&self.frames, &self.fold) {
            let kind = self.log.lock().segments.get(&at.segment).copied();
            let path = self.log.segment_path(at.segment, kind.unwrap_or(SegmentKind::Log));
            let message = Some((name, uid));
            let offset = Some(u64::from(at.offset));
            self.find_message(Severity::Damage, &path, offset, message, why.to_owned());
        }
    }

    fn read_snapshot(&mut self) {
        let path = self.log.path("cache/state");
        match crate::snapshot::read_whole(&self.log) {
            Ok(snapshot) => self.snapshot = snapshot,
            Err(what) => self.find(Severity::Note, &path, None, what),
        }
    }

    fn check_extracts(&mut self, dir: &str) {
        let dir = self.log.path(&format!("cache/{dir}"));
        for name in self.log.shared.disk.list(&dir).unwrap_or_default() {
            let path = format!("{dir}/{name}");
            let read = self.log.shared.disk.open(&path, Open::Read).and_then(|file| {
                let mut bytes = vec![0; usize::try_from(file.len()?).unwrap_or(0)];
                let count = file.read_at(&mut bytes, 0)?;
                bytes.truncate(count);
                Ok(bytes)
            });
            match read.as_deref().map(extracts::check) {
                Ok(Some((_, 0))) => {}
                Ok(Some((entries, rest))) => {
                    let what = format!("{rest} bytes behind {entries} entries are none");
                    self.find(Severity::Note, &path, None, what);
                }
                Ok(None) => self.find(Severity::Note, &path, None, "no cache".to_owned()),
                Err(error) => self.find(Severity::Note, &path, None, error.to_string()),
            }
        }
    }
}

/// The messages of a fold that cannot be read: mailbox, UID, where they were, why.
fn unreadable(frames: &Frames, fold: &Account) -> Vec<(String, Uid, Position, &'static str)> {
    let mut unreadable = Vec::new();
    for info in fold.mailboxes() {
        for row in info.mailbox.rows() {
            let at = row.position;
            let why = match frames.get(&(at.segment, at.offset)) {
                None => "the message's bytes are gone",
                Some((_, Err(_))) => "the message's bytes are damaged",
                Some((stored, _)) if *stored != at.stored_bytes => "another frame is there",
                Some((_, Ok(id))) if *id != row.email_id.0 => "another message is there",
                Some(_) => continue,
            };
            unreadable.push((info.name.to_owned(), row.uid, at, why));
        }
    }
    unreadable
}
