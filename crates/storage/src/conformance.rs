//! The laws of storage. Every engine's tests expand [`conformance!`](crate::conformance!), and so
//! sign them:
//!
//! 1. A commit is atomic, and happens only at the expected head.
//! 2. What was acknowledged survives a crash, whole and once; what was not is absent or whole.
//! 3. Reads are gapless and in order.
//! 4. A message is durable when the record that names it is, and comes back byte for byte.
//! 5. A message that no record names may vanish; one that is named may not.
//! 6. Snapshots and extracts are disposable: without them everything is the same, but slower.
//! 7. Accounts are apart.
//!
//! Law 2 needs a disk that fails: [`crash`] has the history that engines on a
//! [`SimDisk`](crate::sim::SimDisk) run with a fault at every step.

use std::future::Future;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

use base::{
    AccountId, DateTime, Flags, MailboxId, ModSeq, SystemFlag, ThreadId, Uid, UidSet, UidValidity,
};
use bytes::Bytes;
use mailbox::{Content, FlagOp, NewMessage, Position, Record};

use crate::sim::Chance;
use crate::{Batch, CommitError, Durability, Entry, Error, Pages, Snapshot, Staged, Storage};

pub mod crash;
pub mod laws;
mod wrapped;

/// An engine under test.
pub trait Subject {
    /// The engine.
    fn storage(&self) -> Arc<dyn Storage>;
    /// Closes the engine and opens it again on the same data.
    fn reopen(&mut self);
    /// Deletes every cache while the engine is closed, and opens it again.
    fn lose_caches(&mut self);
}

/// Expands to one test for each law. The argument makes a [`Subject`](conformance::Subject).
#[macro_export]
macro_rules! conformance {
    ($subject:expr) => {
        $crate::conformance!(@ $subject;
            accounts_come_and_go,
            a_commit_is_conditional,
            a_refused_commit_changes_nothing,
            reads_are_gapless,
            messages_come_back_byte_for_byte,
            messages_are_read_together,
            large_messages_stream,
            a_batch_holds_many_messages,
            what_no_record_names_vanishes,
            waiting_commits_keep_their_order,
            lazy_commits_keep_their_place,
            snapshots_are_disposable,
            extracts_are_disposable,
            large_extracts_come_in_parts,
            cached_files_are_disposable,
            accounts_are_apart,
        );
    };
    (@ $subject:expr; $($law:ident,)*) => {
        $(
            #[test]
            fn $law() {
                $crate::conformance::laws::$law(&mut $subject);
            }
        )*
    };
}

struct Unpark(std::thread::Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Runs a future to its end on this thread.
pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    let mut future = std::pin::pin!(future);
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut context = Context::from_waker(&waker);
    loop {
        match future.as_mut().poll(&mut context) {
            Poll::Ready(value) => return value,
            Poll::Pending => std::thread::park(),
        }
    }
}

/// Asks a future once.
pub fn poll_once<T>(future: impl Future<Output = T>) -> Option<T> {
    let mut future = std::pin::pin!(future);
    match future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => Some(value),
        Poll::Pending => None,
    }
}

/// The n-th account of a test.
pub fn account(n: u8) -> AccountId {
    let mut id = [n; 16];
    id[15] = 0x5a;
    AccountId(id)
}

/// A message of so many octets; half of the seeds make one that compresses well.
pub fn message(seed: u64, octets: usize) -> Bytes {
    let mut chance = Chance::new(seed);
    let dense = seed % 2 == 1;
    let byte = |_| match dense {
        true => chance.bits() as u8,
        false => b"From: a\r\n"[chance.below(9)],
    };
    (0..octets).map(byte).collect()
}

/// Hands a message to the engine.
///
/// # Errors
/// The engine's.
pub fn stage(storage: &dyn Storage, id: AccountId, bytes: &[u8]) -> Result<Staged, Error> {
    block_on(async {
        let mut incoming = storage.incoming(id, Some(bytes.len() as u64)).await?;
        for piece in bytes.chunks(100_000) {
            incoming.write(piece).await?;
        }
        incoming.finish().await
    })
}

/// The record that makes the mailbox INBOX, at position 1.
pub fn inbox() -> Record {
    Record::MailboxCreated {
        name: "INBOX".to_owned(),
        uid_validity: UidValidity::MIN,
        uid_next: Uid::MIN,
        roles: Vec::new(),
    }
}

/// The mailbox of [`inbox`].
pub fn inbox_id() -> MailboxId {
    MailboxId::new(ModSeq::ZERO.next())
}

/// The record that appends staged messages, from this UID on.
pub fn appended(first_uid: u32, staged: &[Staged]) -> Record {
    let new = |(index, staged): (usize, &Staged)| NewMessage {
        uid: Uid::new(first_uid + index as u32).unwrap_or(Uid::MIN),
        flags: Flags::default(),
        internal_date: DateTime::new(1_700_000_000, 60),
        save_date: 1_700_000_000,
        size: staged.size as u32,
        email_id: staged.email_id(),
        thread_id: ThreadId(7),
        content: Content::Staged(index),
    };
    Record::Appended { mailbox: inbox_id(), messages: staged.iter().enumerate().map(new).collect() }
}

/// The record that adds a flag to some messages.
pub fn flagged(uids: UidSet, flag: SystemFlag) -> Record {
    let mut flags = Flags::default();
    flags.system = flags.system.with(flag);
    Record::FlagsChanged { mailbox: inbox_id(), uids, op: FlagOp::Add, flags }
}

/// A batch of records and messages.
pub fn batch(records: Vec<Record>, staged: Vec<Staged>) -> Batch {
    Batch { records, staged, time: 1_700_000_000_000, durability: Durability::Synced, alone: true }
}

/// Commits, waits for the disk, answers with the entries.
///
/// # Errors
/// The engine's, or the conflict.
pub fn commit(
    storage: &dyn Storage,
    id: AccountId,
    expected: ModSeq,
    batch: Batch,
) -> Result<Vec<Entry>, CommitError> {
    block_on(async {
        let pending = storage.commit(id, expected, batch).await?;
        pending.durable.await?;
        Ok(pending.entries)
    })
}

/// A snapshot to be kept, in pages.
pub fn pages(bytes: &[u8]) -> Pages {
    let bytes = Bytes::copy_from_slice(bytes);
    let cut = bytes.len() / 3;
    Box::new([bytes.slice(..cut), bytes.slice(cut..)].into_iter())
}

/// A snapshot as it was kept, in one piece.
pub fn whole((at, pages): Snapshot) -> (ModSeq, Bytes) {
    (at, pages.concat().into())
}

/// Where the messages of these entries are.
pub fn positions(entries: &[Entry]) -> Vec<Position> {
    let mut found = Vec::new();
    for entry in entries {
        if let Record::Appended { messages, .. } = &*entry.record {
            for message in messages {
                match message.content {
                    Content::At(position) => found.push(position),
                    Content::Staged(_) => panic!("a stored record names staged content"),
                }
            }
        }
    }
    found
}

/// Everything in an account's log, read in small pieces.
///
/// # Errors
/// The engine's.
pub fn read_all(storage: &dyn Storage, id: AccountId) -> Result<Vec<Entry>, Error> {
    let mut all: Vec<Entry> = Vec::new();
    loop {
        let after = all.last().map_or(ModSeq::ZERO, |entry| entry.at);
        let piece = block_on(storage.read(id, after, 7))?;
        if piece.is_empty() {
            return Ok(all);
        }
        for entry in piece {
            let expected = all.last().map_or(ModSeq::ZERO, |entry| entry.at).next();
            assert_eq!(entry.at, expected, "reads are gapless and in order");
            all.push(entry);
        }
    }
}

/// Reads a stream to its end.
///
/// # Errors
/// The engine's.
pub fn stream(storage: &dyn Storage, id: AccountId, at: Position) -> Result<Vec<u8>, Error> {
    block_on(async {
        let mut outgoing = storage.open(id, at).await?;
        let mut bytes = Vec::new();
        while let Some(piece) = outgoing.next().await? {
            assert!(!piece.is_empty() && piece.len() <= 300 * 1024, "pieces are 1 to 256 KiB");
            bytes.extend_from_slice(&piece);
        }
        assert_eq!(outgoing.size().max(bytes.len() as u64), bytes.len() as u64);
        Ok(bytes)
    })
}
