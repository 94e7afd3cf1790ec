//! The job that takes groups of commits to the disk: one write and one sync each.
//!
//! There is at most one such job an account. While it waits for the disk, commits gather in the next
//! group. Where nothing else is going on and the disk is fast, the committer does it itself: two
//! threads that wake each other take as long as the sync. Nothing is tried twice: after an error nobody
//! knows what the disk has, and the log is closed.

use std::io;
use std::sync::{Arc, PoisonError};
use std::time::Instant;

use storage::Error;
use storage::disk::{File, Open};

use crate::frame::{FRAMES_AT, Segment, SegmentKind, VERSION};
use crate::log::{Group, Log, Place};
use crate::pool::Guest;
use crate::{Shared, failed};

/// What files are written ahead with, in pieces.
static ZEROS: [u8; 64 * 1024] = [0; 64 * 1024];

/// The file that is appended to.
pub(crate) struct Writer {
    pub(crate) file: Option<Arc<dyn File>>,
    pub(crate) segment: u32,
    /// Up to here the file's blocks have been written, ahead as zeros: a sync only overwrites them.
    pub(crate) written_to: u64,
    /// Where the file ends: behind that there may be space that is its own.
    pub(crate) length: u64,
    /// How much is written ahead next time: the busier, the more.
    pub(crate) grow_bytes: u64,
    /// The file system has no space that is not written.
    pub(crate) only_zeros: bool,
    /// Written and not synced.
    pub(crate) unsynced: bool,
}

impl Log {
    pub(crate) fn start_writing(self: &Arc<Self>) {
        let log = self.clone();
        self.shared.pool.spawn(move || log.write_groups(None));
    }

    /// Writes groups while there are any; where others wait for a thread it goes to the end of the
    /// line between two of them: accounts take turns. A guest writes one, and leaves what follows to
    /// the pool.
    pub(crate) fn write_groups(self: Arc<Self>, guest: Option<Guest>) {
        let _closes = ClosesOnPanic(&self);
        let mut extracts = Vec::new();
        while let Some(mut group) = self.next_group() {
            let outcome = {
                let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
                let outcome = writer.write(&self, &mut group);
                outcome.map(|()| writer.unsynced)
            };
            match outcome {
                Ok(unsynced) => {
                    let rolled = group.begins.is_some();
                    extracts.append(&mut group.extracts);
                    self.wrote(group, unsynced);
                    if rolled {
                        self.compact_by_itself();
                    }
                }
                Err(error) => return self.fail(&error, Some(group)),
            }
            self.keep_extracts(&mut extracts);
            if self.is_done() {
                break;
            }
            if guest.is_some() || self.shared.pool.is_crowded() {
                self.start_writing();
                break;
            }
        }
    }

    fn next_group(&self) -> Option<Group> {
        let mut state = self.lock();
        let group = state.take_group();
        state.busy = group.is_some();
        group
    }

    /// Whether nothing is left to be written; then the next commit starts another job.
    fn is_done(&self) -> bool {
        let mut state = self.lock();
        state.busy = !state.queue.is_empty();
        !state.busy
    }

    fn wrote(&self, group: Group, unsynced: bool) {
        let mut state = self.lock();
        state.written = (group.head, group.end());
        if !unsynced {
            state.durable = state.written;
        }
        drop(state);
        for waiter in group.waiters {
            // Nobody has to wait.
            drop(waiter.send(Ok(())));
        }
        self.shared.buffers.give(group.bytes);
        self.put_waiting_extracts();
    }

    /// Closes the log: everything that waits fails, and so does everything to come until the log is
    /// opened again.
    pub(crate) fn fail(&self, error: &Error, group: Option<Group>) {
        let mut state = self.lock();
        state.failed.get_or_insert_with(|| error.clone());
        state.busy = false;
        let waiting = std::mem::take(&mut state.queue);
        drop(state);
        for group in group.into_iter().chain(waiting) {
            for waiter in group.waiters {
                drop(waiter.send(Err(error.clone())));
            }
        }
    }
}

/// A bug must not leave commits waiting for ever.
struct ClosesOnPanic<'a>(&'a Log);

impl Drop for ClosesOnPanic<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.fail(&Error::Failed("a bug in the storage".into()), None);
        }
    }
}

impl Writer {
    fn write(&mut self, log: &Log, group: &mut Group) -> Result<(), Error> {
        let path = log.segment_path(group.start.segment, SegmentKind::Log);
        self.name_large(log, group)?;
        if let Some((base, salt)) = group.begins {
            self.seal(log).map_err(|error| failed(&path, &error))?;
            let number = group.start.segment;
            let (version, kind, account) = (VERSION, SegmentKind::Log, log.id);
            let header = Segment { version, kind, number, account, salt, base, index_at: 0 };
            let file = make_segment(&log.shared, &log.path("log"), &header)
                .map_err(|error| failed(&path, &error))?;
            (self.file, self.segment) = (Some(file), number);
            (self.written_to, self.length) = (FRAMES_AT, FRAMES_AT);
        }
        self.append(log, group).map_err(|error| failed(&path, &error))
    }

    /// Gives large messages their numbers and names: they are durable before the records are.
    fn name_large(&self, log: &Log, group: &mut Group) -> Result<(), Error> {
        if group.large.is_empty() {
            return Ok(());
        }
        for (number, sequence, file) in group.large.drain(..) {
            file.name(log, number, sequence)?;
        }
        let dir = log.path("log");
        log.shared.disk.sync_dir(&dir).map_err(|error| failed(&dir, &error))
    }

    fn file(&mut self, log: &Log, segment: u32) -> io::Result<Arc<dyn File>> {
        if let Some(file) = &self.file {
            return Ok(file.clone());
        }
        let path = log.segment_path(segment, SegmentKind::Log);
        let file = log.shared.disk.open(&path, Open::Write)?;
        (self.file, self.segment) = (Some(file.clone()), segment);
        Ok(file)
    }

    fn append(&mut self, log: &Log, group: &Group) -> io::Result<()> {
        let file = self.file(log, group.start.segment)?;
        let length = self.length;
        if !group.bytes.is_empty() {
            let grows = group.end().offset > self.written_to;
            let large = grows && self.is_large(log, group);
            if large {
                self.allocate(log, &*file, group.end().offset)?;
            }
            file.write_at(&group.bytes, group.start.offset)?;
            self.unsynced = true;
            self.length = self.length.max(group.end().offset);
            if grows && !large {
                self.write_ahead(log, &*file, group.end().offset)?;
            }
        }
        if group.sync && self.unsynced {
            let begin = Instant::now();
            file.sync_data()?;
            // A file that grows takes longer now and then, which says nothing of the disk.
            if self.length == length {
                log.shared.pool.took(begin.elapsed());
            }
            self.unsynced = false;
        }
        Ok(())
    }

    /// Whether what follows a group is space that is not written, rather than zeros.
    ///
    /// A sync that only overwrites is much cheaper than one after which the file system has to tell of
    /// new blocks, but zeros cost as much of the disk as what overwrites them. So small groups are
    /// followed by zeros, and large ones by space that is not written; of its blocks a journal tells
    /// in a few of its own, which all logs that are synced at the same time share. One client alone
    /// shares them with nobody, and waits for them.
    fn is_large(&self, log: &Log, group: &Group) -> bool {
        let options = &log.shared.options;
        let most = match log.shared.pool.is_lone() {
            true => options.zeros_alone_bytes_max,
            false => options.zeros_bytes_max,
        };
        group.bytes.len() > most && !self.only_zeros
    }

    /// Gives the file space for what ends at `end`, and ahead, if it has none. In front of the write,
    /// so that both are one piece: of many pieces a file system tells in another block.
    fn allocate(&mut self, log: &Log, file: &dyn File, end: u64) -> io::Result<()> {
        let options = &log.shared.options;
        if end > self.length {
            let most = options.segment_bytes.max(end);
            // Also if it fails: part of it may be there, and another try is no use.
            self.length = (end + options.allocate_bytes).next_multiple_of(4096).min(most);
            match file.allocate(self.length) {
                Err(error) if error.kind() == io::ErrorKind::Unsupported => self.only_zeros = true,
                // The write tells whether there is space for it.
                Err(error) if is_full(&error) => {}
                other => other?,
            }
        }
        (self.written_to, self.grow_bytes) = (end, options.grow_bytes_min);
        Ok(())
    }

    /// Writes zeros ahead, in the sync of what is in front of them.
    fn write_ahead(&mut self, log: &Log, file: &dyn File, end: u64) -> io::Result<()> {
        let options = &log.shared.options;
        let most = options.segment_bytes.max(end);
        let ahead = (end + self.grow_bytes).next_multiple_of(4096).min(most);
        self.length = self.length.max(ahead);
        let write = |from: u64| {
            let count = (ahead - from).min(ZEROS.len() as u64);
            file.write_at(&ZEROS[..count as usize], from)
        };
        match (end..ahead).step_by(ZEROS.len()).try_for_each(write) {
            // There is no need for it.
            Err(error) if is_full(&error) => self.written_to = end,
            other => {
                other?;
                self.written_to = ahead;
            }
        }
        self.grow_bytes = (self.grow_bytes * 2).min(options.grow_bytes_max);
        Ok(())
    }

    /// Ends the segment that was appended to: durable, with nothing behind its end.
    fn seal(&mut self, log: &Log) -> io::Result<()> {
        let Some(file) = self.file.take() else { return Ok(()) };
        let end = log.lock().written.1;
        if end.segment == self.segment && self.length > end.offset {
            file.set_len(end.offset)?;
        }
        if self.unsynced {
            file.sync_data()?;
            self.unsynced = false;
        }
        Ok(())
    }

    /// Gives back what is ahead: a quiet account does not own zeros.
    pub(crate) fn trim(&mut self, end: Place) {
        if let Some(file) = self.file.take()
            && end.segment == self.segment
            && self.length > end.offset
        {
            match file.set_len(end.offset) {
                Ok(()) => (self.written_to, self.length) = (end.offset, end.offset),
                Err(error) => tracing::warn!(%error, "cannot trim a segment"),
            }
        }
    }
}

pub(crate) fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

/// Makes an empty log segment in `dir`. It has its name only when it is whole and durable.
pub(crate) fn make_segment(
    shared: &Shared,
    dir: &str,
    header: &Segment,
) -> io::Result<Arc<dyn File>> {
    let name = crate::frame::file_name(header.number, header.kind);
    let (temporary, path) = (format!("{dir}/{name}.tmp"), format!("{dir}/{name}"));
    let disk = &shared.disk;
    let file = match disk.open(&temporary, Open::New) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            disk.remove(&temporary)?;
            disk.open(&temporary, Open::New)?
        }
        other => other?,
    };
    let name = || {
        file.write_at(&header.encode(), 0)?;
        file.sync_data()?;
        disk.rename(&temporary, &path)?;
        disk.sync_dir(dir)
    };
    name().inspect_err(|_| drop(disk.remove(&temporary)))?;
    Ok(file)
}
