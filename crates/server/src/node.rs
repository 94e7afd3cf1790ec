//! The data of a node, opened: storage, accounts, directory, authenticator. A server runs on it, and
//! so does a command while no server does.

use std::fs::{DirBuilder, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use account::Accounts;
use message::search::Documents;
use rustix::process::{Resource, getrlimit};
use storage_files::Files;

use crate::Settings;
use crate::compaction::Compactor;
use crate::directory::{self, LiveDirectory};
use crate::documents::Readers;
use crate::lock::{DataLock, LockError};
use crate::runtime::System;

/// Why the data can't be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The directory can't be made or read.
    #[error("{}: {error}", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// Somebody else has it.
    #[error("{}: {error}", path.display())]
    Locked {
        /// The data directory.
        path: PathBuf,
        /// Who.
        error: LockError,
    },
    /// The engine failed.
    #[error("the storage cannot be opened: {0}")]
    Storage(#[from] storage::Error),
    /// The directory of users can't be read.
    #[error("the directory of users cannot be opened: {0}")]
    Directory(#[from] directory::Error),
    /// No authenticator could be made.
    #[error(transparent)]
    Authenticator(#[from] auth::CannotStart),
}

/// Open data. Nobody else has it open as long as this lives.
pub struct Node {
    settings: Settings,
    accounts: Arc<Accounts>,
    index: Option<Arc<index::Library>>,
    documents: Option<Arc<dyn Documents>>,
    directory: Arc<LiveDirectory>,
    authenticator: auth::Internal,
    system: Arc<System>,
    compactor: Arc<Compactor>,
    _lock: DataLock,
}

impl Node {
    /// Opens the data directory, which is made when it does not exist. Inside an executor of tokio.
    pub async fn open(settings: Settings) -> Result<Arc<Self>, OpenError> {
        Self::open_with(settings, |_| ()).await.map(|(node, ())| node)
    }

    /// The same; `begin` begins what can be done while a password's hash is computed, which takes most of
    /// the time of a start and one processor.
    pub(crate) async fn open_with<T>(
        settings: Settings,
        begin: impl FnOnce(&Arc<Accounts>) -> T,
    ) -> Result<(Arc<Self>, T), OpenError> {
        let data = settings.data.clone();
        make_private(&data).map_err(|error| OpenError::Io { path: data.clone(), error })?;
        let lock = DataLock::take(&data)
            .map_err(|error| OpenError::Locked { path: data.clone(), error })?;
        let files = engine(&settings)?;
        let system = Arc::new(System::current());
        let documents = settings.document_reader.clone().map(|program| Readers::new(program) as _);
        let documents: Option<Arc<dyn Documents>> = documents;
        let index = settings.search_index.then(|| {
            index::Library::new(Arc::clone(&files) as _, &settings.limits, documents.clone())
        });
        let accounts = Accounts::new(
            Arc::clone(&files) as _,
            Arc::clone(&system) as _,
            settings.limits.clone(),
        );
        let directory =
            LiveDirectory::open(Arc::clone(&accounts), Arc::clone(&system) as _).await?;
        let begun = begin(&accounts);
        let options = auth::Options {
            limits: settings.limits.clone(),
            checks_at_once: std::thread::available_parallelism().map_or(2, usize::from).max(2),
            ..auth::Options::default()
        };
        let authenticator =
            auth::Internal::new(Arc::clone(&directory) as _, Arc::clone(&system) as _, &options)?;
        let compactor = Compactor::new(
            files,
            Arc::clone(&directory),
            Arc::clone(&system) as _,
            settings.retention,
        );
        let compactor = Arc::new(compactor);
        let node = Self {
            settings,
            accounts,
            index,
            documents,
            directory,
            authenticator,
            system,
            compactor,
            _lock: lock,
        };
        Ok((Arc::new(node), begun))
    }

    /// What it was opened with.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The live accounts.
    pub fn accounts(&self) -> &Arc<Accounts> {
        &self.accounts
    }

    /// The text index, unless it is switched off.
    pub fn index(&self) -> Option<&Arc<index::Library>> {
        self.index.as_ref()
    }

    /// Who reads attached documents, if somebody does.
    pub fn documents(&self) -> Option<&Arc<dyn Documents>> {
        self.documents.as_ref()
    }

    /// The directory of users.
    pub fn directory(&self) -> &Arc<LiveDirectory> {
        &self.directory
    }

    /// Who checks passwords.
    pub fn authenticator(&self) -> &auth::Internal {
        &self.authenticator
    }

    /// The clock and the threads.
    pub fn system(&self) -> &Arc<System> {
        &self.system
    }

    /// Who gives space back.
    pub fn compactor(&self) -> &Arc<Compactor> {
        &self.compactor
    }

    /// Writes snapshots of what changed.
    pub async fn close(&self) {
        self.accounts.close().await;
    }
}

/// A directory for its owner only, whatever the umask; one that is there already stays as it is.
fn make_private(path: &Path) -> io::Result<()> {
    let existed = path.is_dir();
    DirBuilder::new().recursive(true).mode(0o700).create(path)?;
    if !existed {
        std::fs::set_permissions(path, Permissions::from_mode(0o700))?;
    }
    Ok(())
}

fn engine(settings: &Settings) -> Result<Arc<Files>, storage::Error> {
    let defaults = storage_files::Options::default();
    let files = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    let options = storage_files::Options {
        // Half of the process's open files at most; the rest are connections.
        awake_accounts_max: usize::try_from(files / 14)
            .unwrap_or(usize::MAX)
            .clamp(8, defaults.awake_accounts_max),
        segment_bytes: settings.segment_bytes_max,
        retention_ms: i64::try_from(settings.retention.as_millis()).unwrap_or(i64::MAX),
        ..defaults
    };
    Ok(Arc::new(Files::open(&settings.data, options)?))
}
