//! What an engine asks of a disk: few and plain operations, so that a simulated one can fail at each.
//!
//! Paths are relative to the data directory, in ASCII, with `/` between names.

use std::any::Any;
use std::io;
use std::sync::Arc;

/// How [`Disk::open`] opens.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Open {
    /// An existing file, to read.
    Read,
    /// An existing file, to read and write.
    Write,
    /// A file that does not exist yet, to read and write.
    New,
}

/// A directory tree that belongs to one engine.
///
/// A name (made, renamed, removed) is durable only after [`Disk::sync_dir`] of the directory it is
/// in; bytes and lengths only after [`File::sync_data`].
pub trait Disk: Send + Sync + 'static {
    /// Makes a directory; its parent exists. A directory that exists is no error.
    fn make_dir(&self, path: &str) -> io::Result<()>;
    /// The names in a directory, in any order.
    fn list(&self, dir: &str) -> io::Result<Vec<String>>;
    /// Opens a file.
    fn open(&self, path: &str, how: Open) -> io::Result<Arc<dyn File>>;
    /// Gives a file or directory another name in the same directory. A file of that name is replaced
    /// in the same step.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;
    /// Removes a file's name. Who has it open can go on reading.
    fn remove(&self, path: &str) -> io::Result<()>;
    /// Removes a directory with everything in it, not atomically.
    fn remove_dir(&self, path: &str) -> io::Result<()>;
    /// Makes the names in a directory durable.
    fn sync_dir(&self, path: &str) -> io::Result<()>;
    /// Takes the file's lock until the answer is dropped, and makes the file if need be. Kind
    /// [`io::ErrorKind::WouldBlock`]: another process has it.
    fn lock(&self, path: &str) -> io::Result<Box<dyn Any + Send + Sync>>;
    /// Sixteen bytes nobody can guess.
    fn random(&self) -> io::Result<[u8; 16]>;
}

/// An open file.
pub trait File: Send + Sync {
    /// Fills `buffer` from `offset`; fewer bytes only at the end of the file.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;
    /// As [`File::read_at`], but `None` where that would wait for the disk.
    fn read_cached(&self, buffer: &mut [u8], offset: u64) -> io::Result<Option<usize>> {
        self.read_at(buffer, offset).map(Some)
    }
    /// Writes all of `bytes`; what is between the end of the file and `offset` reads as zeros. After
    /// an error any part of it may be written.
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()>;
    /// Makes bytes and length durable. After an error nobody knows what is, and trying again proves
    /// nothing: the system may have forgotten what it could not write.
    fn sync_data(&self) -> io::Result<()>;
    /// Cuts the file, or lengthens it by zeros.
    fn set_len(&self, bytes: u64) -> io::Result<()>;
    /// Lengthens the file to `bytes`, with zeros for which there is space: writing there finds the
    /// disk full no more. [`io::ErrorKind::Unsupported`] where that would mean to write them.
    fn allocate(&self, bytes: u64) -> io::Result<()>;
    /// Its length in bytes.
    fn len(&self) -> io::Result<u64>;
    /// Whether it has no bytes.
    fn is_empty(&self) -> io::Result<bool> {
        self.len().map(|bytes| bytes == 0)
    }
}
