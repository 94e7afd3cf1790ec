//! The default engine: a log of plain files for each account. `docs/format.md` describes the bytes.
//!
//! ```text
//! accounts/3f/3f9a…/log/00000001.seg   messages and records in commit order
//!                       00000002.msg   one large message
//!                       00000003.chk   the fold at the position where the log begins
//!                   cache/state        disposable: a snapshot of the fold
//!                   cache/summaries/   disposable: what ENVELOPE and BODYSTRUCTURE need
//!                   cache/structures/  disposable: BODY and BODYSTRUCTURE alone
//!                   cache/headers/     disposable: header fields
//!                   cache/search/      disposable: the text index
//! ```
//!
//! Callers do not wait for a disk on their own thread: writes and syncs are done by a pool, but for
//! those of a single writer on a fast disk ([`storage::Batch::alone`]). Accounts
//! sync in parallel; commits of one account that wait together share one write and one sync.

#![forbid(unsafe_code)]

use std::any::Any;
use std::collections::HashSet;
use std::io;
use std::path::Path;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, PoisonError};

use base::AccountId;
use storage::Error;
use storage::disk::Disk;

mod accounts;
mod buffers;
mod cache;
mod checkpoint;
mod codec;
mod compact;
mod directory;
pub mod doctor;
mod engine;
mod estimate;
mod extracts;
pub mod frame;
mod incoming;
mod log;
mod neighbours;
mod outgoing;
mod pool;
mod read;
mod recover;
mod rewrite;
mod seed;
mod segment;
mod show;
mod snapshot;
mod walk;
mod writer;

pub use compact::Statistics;
pub use directory::Directory;
pub use pool::Threads;

const KIB: u64 = 1024;
const MIB: u64 = 1024 * KIB;

/// How the engine works. [`Options::default`] is right for servers.
#[derive(Clone, Debug)]
pub struct Options {
    /// A log segment that would grow above this many bytes is followed by another: small enough to
    /// be rewritten in a second, large enough that an account has few files.
    pub segment_bytes: u64,
    /// Messages with more octets get a segment of their own, and never wait in memory.
    pub large_bytes: usize,
    /// Small messages that wait in memory for their commit, of all accounts together. Above so many
    /// bytes, messages of more than a few KiB are treated as large: one APPEND of a thousand
    /// messages does not fill the memory.
    pub staged_bytes_max: u64,
    /// Octets of a large message's blocks: what one read decodes. At most 1 MiB.
    pub block_bytes: u32,
    /// zstd's level for messages: 1 costs some 50 microseconds for 20 KB; 3 saves 3 % more.
    pub level: i32,
    /// A group with more bytes takes no more commits, so that the first ones are not held up.
    pub group_bytes_max: u64,
    /// Bytes of the blocks that the file system writes: commits of two or more end with one where that
    /// takes little more.
    pub page_bytes: u64,
    /// Bytes a log is written ahead after it was opened; doubled each time it is used up.
    pub grow_bytes_min: u64,
    /// Bytes a busy log is written ahead: more does not fit the processor's caches, and costs more
    /// than the syncs it spares.
    pub grow_bytes_max: u64,
    /// A group that takes more is not worth as many zeros, where several clients write: what a file
    /// system's journal takes for a sync, which mostly is that of two to four logs, is as much.
    pub zeros_bytes_max: usize,
    /// The same where one client waits: telling of new blocks takes as long as writing so much.
    pub zeros_alone_bytes_max: usize,
    /// Bytes that a log of large messages is given ahead, unwritten: many, because each piece is one
    /// more to be told of; few enough that all busy logs do not fill a disk.
    pub allocate_bytes: u64,
    /// Where blocking work runs.
    pub threads: Threads,
    /// Accounts whose logs are kept open: where they end is known. Each takes some kilobytes.
    pub open_accounts_max: usize,
    /// Those of them that have files open: each takes at most seven file descriptors, mostly three.
    pub awake_accounts_max: usize,
    /// How long expunged messages and old records stay, in milliseconds.
    pub retention_ms: i64,
    /// Compaction begins by itself when so many percent of an account's bytes are dead, or a quarter
    /// of that in segments that are mostly dead; 0 is never.
    pub compact_dead_percent: u8,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            segment_bytes: 64 * MIB,
            large_bytes: MIB as usize,
            staged_bytes_max: 16 * MIB,
            block_bytes: 256 * KIB as u32,
            level: 1,
            group_bytes_max: 4 * MIB,
            page_bytes: 4 * KIB,
            grow_bytes_min: 16 * KIB,
            grow_bytes_max: 512 * KIB,
            zeros_bytes_max: 8 * KIB as usize,
            zeros_alone_bytes_max: 128 * KIB as usize,
            allocate_bytes: 16 * MIB,
            threads: Threads::Pool(8),
            open_accounts_max: 4096,
            awake_accounts_max: 96,
            retention_ms: 30 * 24 * 60 * 60 * 1000,
            compact_dead_percent: 50,
        }
    }
}

/// What all logs share.
pub(crate) struct Shared {
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) options: Options,
    pub(crate) pool: pool::Pool,
    pub(crate) codec: codec::Codec,
    pub(crate) buffers: buffers::Buffers,
    /// Bytes of small messages that wait for their commit.
    pub(crate) staged: Arc<AtomicU64>,
    /// In the names of this process's half-made files.
    pub(crate) token: String,
    pub(crate) map: Mutex<accounts::Map>,
    /// Held while an account is made or removed: the directories of accounts whose names are durable.
    pub(crate) shards: Mutex<HashSet<String>>,
    lock: Mutex<Option<Box<dyn Any + Send + Sync>>>,
}

/// The storage of a data directory. Dropping it finishes what was accepted and gives up the lock.
pub struct Files {
    pub(crate) shared: Arc<Shared>,
}

impl Files {
    /// Opens the data directory `dir`, which is made if need be. Accounts are opened when they are
    /// first used.
    ///
    /// # Errors
    /// [`Error::Failed`] also if another process has it open.
    pub fn open(dir: &Path, options: Options) -> Result<Self, Error> {
        let disk = Directory::new(dir);
        let disk = disk.map_err(|error| failed(&dir.display().to_string(), &error))?;
        Self::open_disk(Arc::new(disk), options)
    }

    /// As [`Files::open`], on any disk.
    ///
    /// # Errors
    /// As [`Files::open`].
    pub fn open_disk(disk: Arc<dyn Disk>, options: Options) -> Result<Self, Error> {
        let lock = disk.lock("lock").map_err(|error| match error.kind() {
            io::ErrorKind::WouldBlock => {
                Error::Failed("the data directory is in use by another process".into())
            }
            _ => failed("lock", &error),
        })?;
        let prepare = || {
            disk.make_dir("accounts")?;
            disk.sync_dir("")?;
            disk.random()
        };
        let random = prepare().map_err(|error| failed("accounts", &error))?;
        let token = random.iter().map(|byte| format!("{byte:02x}")).collect();
        let options = Options {
            block_bytes: options.block_bytes.clamp(1, frame::BLOCK_OCTETS_MAX),
            segment_bytes: options.segment_bytes.min(1024 * MIB),
            large_bytes: options.large_bytes.min(32 * MIB as usize),
            ..options
        };
        let shared = Arc::new(Shared {
            disk,
            pool: pool::Pool::new(options.threads),
            codec: codec::Codec::new(options.level),
            buffers: buffers::Buffers::default(),
            staged: Arc::default(),
            options,
            token,
            map: Mutex::default(),
            shards: Mutex::default(),
            lock: Mutex::new(Some(lock)),
        });
        accounts::clean_up(&shared)?;
        Ok(Self { shared })
    }

    /// Runs one piece of waiting work on this thread; false if there is none. For
    /// [`Threads::Manual`].
    pub fn step(&self) -> bool {
        self.shared.pool.step()
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        self.shared.close_all();
        self.shared.pool.close();
        drop(self.shared.lock.lock().unwrap_or_else(PoisonError::into_inner).take());
    }
}

/// An account's directory.
pub(crate) fn account_dir(id: AccountId) -> String {
    let name = id.to_string();
    format!("accounts/{}/{name}", &name[..2])
}

/// The one place where an IO error becomes the engine's, and its one log line.
pub(crate) fn failed(what: &str, error: &io::Error) -> Error {
    tracing::error!(path = what, %error, "storage failed");
    if writer::is_full(error) {
        return Error::NoSpace;
    }
    Error::Failed(format!("{what}: {error}").into())
}

/// No such segment: a position of another account, or of what compaction removed.
pub(crate) fn not_there(number: u32) -> Error {
    Error::Damaged(format!("segment {number} is not there"))
}
