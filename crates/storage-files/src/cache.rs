//! `cache/search/`: files that something above the engine makes from the mail, and checks itself.

use std::io;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use storage::disk::{File, Open};
use storage::{CacheFile, Error, Task};

use crate::log::Log;
use crate::{Shared, failed};

/// What one read may ask for; whoever caches more reads it in parts.
const READ_BYTES_MAX: u64 = 1 << 30;
/// Ends the name of a file that is being written.
const HALF_MADE: &str = ".new";

fn is_name(name: &str) -> bool {
    let ok = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.');
    !name.is_empty() && !name.starts_with('.') && name.bytes().all(ok)
}

impl Log {
    fn cache_dir(&self) -> String {
        self.path("cache/search")
    }

    fn cache_path(&self, name: &str) -> Result<String, Error> {
        if !is_name(name) {
            return Err(Error::Failed(format!("{name:?} cannot name a cached file").into()));
        }
        Ok(format!("{}/{name}", self.cache_dir()))
    }

    pub(crate) fn cache_list(&self) -> Result<Vec<String>, Error> {
        let dir = self.cache_dir();
        match self.shared.disk.list(&dir) {
            Ok(names) => Ok(names),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(error) => Err(failed(&dir, &error)),
        }
    }

    pub(crate) fn cache_read(
        &self,
        name: &str,
        ranges: &[Range<u64>],
    ) -> Result<Option<Vec<Bytes>>, Error> {
        let path = self.cache_path(name)?;
        let read = || -> io::Result<Option<Vec<Bytes>>> {
            let file = self.shared.disk.open(&path, Open::Read)?;
            let length = file.len()?;
            let mut parts = Vec::with_capacity(ranges.len());
            for range in ranges {
                let bytes = range.end.saturating_sub(range.start);
                if range.end > length || bytes > READ_BYTES_MAX {
                    return Ok(None);
                }
                let mut part = vec![0; bytes as usize];
                if file.read_at(&mut part, range.start)? < part.len() {
                    return Ok(None);
                }
                parts.push(Bytes::from(part));
            }
            Ok(Some(parts))
        };
        match read() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            other => other.map_err(|error| failed(&path, &error)),
        }
    }

    /// Not synced: a crash may leave the new name with other bytes, which whoever reads them finds.
    pub(crate) fn cache_write(&self, name: &str, bytes: &[u8]) -> Result<(), Error> {
        let path = self.cache_path(name)?;
        let half_made = half_made(&path);
        let disk = &self.shared.disk;
        let write = || -> io::Result<()> {
            self.begin_cached(&half_made)?.write_at(bytes, 0)?;
            disk.rename(&half_made, &path)
        };
        write().map_err(|error| {
            let _ = disk.remove(&half_made);
            failed(&path, &error)
        })
    }

    /// An empty file below a name that nobody asks for.
    fn begin_cached(&self, half_made: &str) -> io::Result<Arc<dyn File>> {
        let disk = &self.shared.disk;
        disk.make_dir(&self.path("cache"))?;
        disk.make_dir(&self.cache_dir())?;
        ignore_missing(disk.remove(half_made))?;
        disk.open(half_made, Open::New)
    }

    /// Not synced either.
    pub(crate) fn cache_create(&self, name: &str) -> Result<Written, Error> {
        let path = self.cache_path(name)?;
        let file = self.begin_cached(&half_made(&path)).map_err(|error| failed(&path, &error))?;
        Ok(Written { shared: Arc::clone(&self.shared), path, file })
    }

    pub(crate) fn cache_remove(&self, name: &str) -> Result<(), Error> {
        let path = self.cache_path(name)?;
        ignore_missing(self.shared.disk.remove(&path)).map_err(|error| failed(&path, &error))
    }
}

fn half_made(path: &str) -> String {
    format!("{path}{HALF_MADE}")
}

/// A file of the cache before it has its name.
pub(crate) struct Written {
    shared: Arc<Shared>,
    path: String,
    file: Arc<dyn File>,
}

impl CacheFile for Written {
    fn write(&mut self, at: u64, bytes: Bytes) -> Task<'_, Result<(), Error>> {
        let (file, path) = (Arc::clone(&self.file), self.path.clone());
        let write = move || file.write_at(&bytes, at).map_err(|error| failed(&path, &error));
        self.shared.pool.run(write)
    }

    fn finish(self: Box<Self>) -> Task<'static, Result<(), Error>> {
        Box::pin(async move {
            let Self { shared, path, file } = *self;
            drop(file);
            let disk = Arc::clone(&shared.disk);
            let finish = move || {
                let half_made = half_made(&path);
                disk.rename(&half_made, &path).map_err(|error| failed(&path, &error))
            };
            shared.pool.run(finish).await
        })
    }
}

fn ignore_missing(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}
