//! Salvage: what is readable around damage goes on; what is damaged is kept aside.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;
use std::sync::Arc;

use base::{AccountId, ModSeq, UidSet};
use mailbox::{Account, Record};
use storage::disk::{Disk, Open};
use storage::{Batch, Durability, Error};

use super::{Check, Frames, Progress, Report, Tell, inspector, unreadable};
use crate::compact::Keep;
use crate::frame::{Commit, FRAMES_AT, Kind, Lost, SegmentKind};
use crate::log::Log;
use crate::recover::Known;
use crate::segment::Handle;
use crate::walk::{Step, Walk};
use crate::{Directory, failed};

/// What a repair did.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Repaired {
    /// What was found before.
    pub before: Report,
    /// What is found after: well, unless the disk itself is at fault.
    pub after: Report,
    /// Files that were damaged; copies are in the accounts' `damaged/`.
    pub kept_aside: Vec<String>,
    /// Messages that could not be read and left their mailboxes.
    pub expunged: u64,
}

/// Repairs a data directory, or one account of it, that no server has open. Damaged files are copied
/// to the account's `damaged/` first. Then segments are written anew without what is damaged, a
/// snapshot that is newer than the damage becomes the log's checkpoint, and messages whose bytes are
/// gone leave their mailboxes, so that clients see what there is.
///
/// # Errors
/// If another process has the directory open, or a file cannot be written.
pub fn repair(dir: &Path, account: Option<AccountId>, tell: Tell<'_>) -> Result<Repaired, Error> {
    let disk = Directory::existing(dir);
    let disk = disk.map_err(|error| failed(&dir.display().to_string(), &error))?;
    repair_disk(Arc::new(disk), account, tell)
}

/// As [`repair`], on any disk.
///
/// # Errors
/// As [`repair`].
pub fn repair_disk(
    disk: Arc<dyn Disk>,
    account: Option<AccountId>,
    tell: Tell<'_>,
) -> Result<Repaired, Error> {
    let lock = disk.lock("lock").map_err(|error| match error.kind() {
        io::ErrorKind::WouldBlock => Error::Failed("the data directory is in use".into()),
        _ => failed("lock", &error),
    })?;
    let shared = inspector(disk.clone());
    let mut repaired = Repaired::default();
    let accounts = match account {
        Some(account) => vec![account],
        None => shared.list_accounts()?,
    };
    for (nth, &id) in accounts.iter().enumerate() {
        tell(Progress::Account(id, nth, accounts.len()));
        let mut check = Check::new(&shared, id, &mut repaired.before, tell)?;
        check.run();
        let has_damage =
            check.report.findings.iter().any(|finding| {
                finding.account == id && finding.severity == super::Severity::Damage
            });
        if has_damage {
            check.salvage(&mut repaired.kept_aside)?;
            drop(check);
            // What can be read is known only from what was written anew.
            let (mut scratch, mut quiet) = (Report::default(), |_: Progress<'_>| {});
            let mut check = Check::new(&shared, id, &mut scratch, &mut quiet)?;
            check.run();
            match expunge(&shared, id, &check.frames) {
                Ok(count) => {
                    repaired.expunged += count;
                    check.drop_large(&mut repaired.kept_aside)?;
                }
                // It cannot be opened: the last check says so. The other accounts go on.
                Err(Error::Damaged(_)) => {}
                Err(error) => return Err(error),
            }
        }
    }
    drop((shared, lock));
    repaired.after = super::check_disk(disk, account, &mut |_| {})?;
    Ok(repaired)
}

impl Check<'_> {
    fn salvage(&mut self, kept_aside: &mut Vec<String>) -> Result<(), Error> {
        for finding in &self.report.findings {
            let ours = finding.account == self.log.id && finding.file.ends_with(".seg");
            let number =
                crate::frame::parse_file_name(finding.file.rsplit('/').next().unwrap_or(""));
            if let Some((number, _)) = number.filter(|_| ours)
                && finding.severity == super::Severity::Damage
                && finding.message.is_none()
                && !self.bad.contains(&number)
            {
                self.bad.push(number);
            }
        }
        self.bad.sort_unstable();
        for number in std::mem::take(&mut self.bad) {
            let path = self.log.segment_path(number, SegmentKind::Log);
            set_aside(&self.log, &path)?;
            kept_aside.push(path.clone());
            let handle = match self.log.handle(number) {
                Ok(handle) => handle,
                // Nothing in it can be read.
                Err(Error::Damaged(_)) => continue,
                Err(error) => return Err(error),
            };
            let lost = lost_in(&handle, &self.lost).map_err(|error| failed(&path, &error))?;
            let keep = Keep { records_after: ModSeq::ZERO, messages: None };
            self.log.rewrite(&handle, &keep, &lost)?;
        }
        self.salvage_checkpoint(kept_aside)?;
        self.keep_snapshot()
    }

    /// Makes a damaged checkpoint anew from its other copy.
    fn salvage_checkpoint(&mut self, kept_aside: &mut Vec<String>) -> Result<(), Error> {
        let mut damaged = BTreeSet::new();
        for finding in &self.report.findings {
            let name = finding.file.rsplit('/').next().unwrap_or("");
            if let Some((number, SegmentKind::Checkpoint)) = crate::frame::parse_file_name(name)
                && finding.account == self.log.id
                && finding.severity == super::Severity::Damage
                && damaged.insert(number)
            {
                set_aside(&self.log, &finding.file)?;
                kept_aside.push(finding.file.clone());
            }
        }
        // Without a good header there is nothing to be copied.
        let (begin, copies) = self.log.find_checkpoint().unwrap_or_default();
        {
            let mut state = self.log.lock();
            (state.begin, state.checkpoints) = (begin, copies);
        }
        self.log.heal_checkpoint(&damaged)
    }

    /// Moves large messages that cannot be read out of the log; no mailbox has them any more.
    fn drop_large(&self, kept_aside: &mut Vec<String>) -> Result<(), Error> {
        let large = |path: &&String| path.ends_with(".msg");
        let damage = self
            .report
            .findings
            .iter()
            .filter(|finding| finding.severity == super::Severity::Damage);
        let paths: BTreeSet<&String> = damage.map(|finding| &finding.file).filter(large).collect();
        for path in paths {
            set_aside(&self.log, path)?;
            let removed = self.log.shared.disk.remove(path);
            removed.map_err(|error| failed(path, &error))?;
            kept_aside.push(path.clone());
        }
        Ok(())
    }

    /// A snapshot that was taken behind the damage knows what the log lost: the log begins there.
    fn keep_snapshot(&mut self) -> Result<(), Error> {
        let Some(last) = self.lost.iter().map(|&(_, _, lost)| lost.last).max() else {
            return Ok(());
        };
        let snapshot = crate::snapshot::read_whole(&self.log).ok().flatten();
        let fold = snapshot.and_then(|(at, pages)| {
            Account::decode_pages(pages).filter(|fold| fold.head() == at && !fold.is_lossy())
        });
        if let Some(fold) = fold
            && fold.head() >= last
            && fold.head() <= self.fold.head()
            && !self.has_directory
        {
            self.log.checkpoint(&fold)?;
        }
        Ok(())
    }
}

/// Copies a file to the account's `damaged/`, under a name of its own.
fn set_aside(log: &Log, path: &str) -> Result<(), Error> {
    let copy = || -> io::Result<()> {
        let disk = &log.shared.disk;
        let dir = log.path("damaged");
        disk.make_dir(&dir)?;
        disk.sync_dir(&log.dir)?;
        let name = path.rsplit('/').next().unwrap_or(path);
        let taken = disk.list(&dir)?;
        let names = (1u32..).map(|nth| format!("{name}.{nth}"));
        let name = names.into_iter().find(|name| !taken.contains(name));
        let target = disk.open(&format!("{dir}/{}", name.unwrap_or_default()), Open::New)?;
        let source = disk.open(path, Open::Read)?;
        let (mut at, mut buffer) = (0, vec![0; 1024 * 1024]);
        loop {
            let count = source.read_at(&mut buffer, at)?;
            if count == 0 {
                break;
            }
            target.write_at(&buffer[..count], at)?;
            at += count as u64;
        }
        target.sync_data()?;
        disk.sync_dir(&dir)
    };
    copy().map_err(|error| failed(path, &error))
}

/// The records that are lost between this segment's own.
fn lost_in(handle: &Handle, lost: &[(u32, ModSeq, Lost)]) -> io::Result<Vec<(ModSeq, Lost)>> {
    let mut last = handle.segment.base;
    let mut walk = Walk::new(&*handle.file, handle.seed, FRAMES_AT, handle.end()?).moved(true);
    while let Some(step) = walk.next()? {
        if let Step::Frame(header, _, Some(payload)) = step
            && header.kind == Kind::Records
            && let Some(commit) = Commit::decode(&payload)
        {
            last = last.max(commit.last(header.sequence));
        }
    }
    let inside = lost.iter().filter(|&&(segment, first, _)| {
        // Seen at the next segment's beginning: lost at the end of this one.
        segment == handle.segment.number
            || (segment > handle.segment.number && first == last.next())
    });
    let inside = inside.filter(|&&(_, first, _)| first > handle.segment.base);
    Ok(inside.map(|&(_, first, lost)| (first, lost)).collect())
}

/// Takes messages that cannot be read out of their mailboxes.
fn expunge(shared: &Arc<crate::Shared>, id: AccountId, frames: &Frames) -> Result<u64, Error> {
    let log = Arc::new(Log::open_log(shared, id, Known::default())?);
    let fold = log.load_fold()?;
    let mut gone: BTreeMap<String, UidSet> = BTreeMap::new();
    for (name, uid, ..) in unreadable(frames, &fold) {
        gone.entry(name).or_default().insert(uid);
    }
    let records: Vec<Record> = gone
        .iter()
        .filter_map(|(name, uids)| {
            let mailbox = fold.find(name)?;
            Some(Record::Expunged { mailbox: mailbox.id, uids: uids.clone() })
        })
        .collect();
    let count = records.iter().map(|record| match record {
        Record::Expunged { uids, .. } => uids.len(),
        _ => 0,
    });
    let count = count.sum();
    let (head, time) = {
        let state = log.lock();
        (state.head, state.time)
    };
    let durability = Durability::Synced;
    let batch = Batch { records, staged: Vec::new(), time, durability, alone: true };
    let pending =
        log.commit(head, batch).map_err(|error| Error::Failed(error.to_string().into()))?;
    storage::conformance::block_on(pending.durable)?;
    Ok(count)
}
