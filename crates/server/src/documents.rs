//! Has documents read by processes of their own, a few at a time, each within its time.

use std::collections::HashSet;
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use documents::child::write_request;
use message::search::{DocumentKind, DocumentText, Documents};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use sha2::{Digest, Sha256};
use tokio::runtime::{Handle, RuntimeFlavor};

/// Processes at once: each may take a processor and a gigabyte.
const AT_ONCE: usize = 2;
/// Documents that one process reads: what leaks in it ends with it.
const DOCUMENTS_EACH: usize = 200;
/// A document that takes longer has no text that can be told.
const TIME_MAX: Duration = Duration::from_secs(5);
/// Documents of which that is remembered.
const FAILED_KEPT: usize = 10_000;
/// An answer is no longer; see [`documents::Bounds`].
const TEXT_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// Readers of documents, as processes of `program`.
pub(crate) struct Readers {
    program: PathBuf,
    state: Mutex<State>,
    freed: Condvar,
}

#[derive(Default)]
struct State {
    idle: Option<Worker>,
    busy: usize,
    /// Hashes of documents that could not be read: nobody waits for them twice.
    failed: HashSet<[u8; 32]>,
}

struct Worker {
    child: Child,
    input: ChildStdin,
    output: ChildStdout,
    left: usize,
}

impl Drop for Worker {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Readers {
    /// `program` reads documents when it is called with `extract`.
    pub(crate) fn new(program: PathBuf) -> Arc<Self> {
        Arc::new(Self { program, state: Mutex::default(), freed: Condvar::new() })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn read(&self, kind: DocumentKind, bytes: &[u8]) -> DocumentText {
        let hash: [u8; 32] = Sha256::digest(bytes).into();
        let mut state = self.lock();
        if state.failed.contains(&hash) {
            return DocumentText::Unknown;
        }
        while state.busy >= AT_ONCE {
            state = self.freed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.busy += 1;
        let idle = state.idle.take();
        drop(state);
        let read = idle.map_or_else(|| Worker::start(&self.program), Ok).and_then(|mut worker| {
            let text = worker.read(kind, bytes)?;
            Ok((text, worker))
        });
        let mut state = self.lock();
        state.busy -= 1;
        self.freed.notify_one();
        match read {
            Ok((text, worker)) => {
                let spare = match worker.left {
                    0 => Some(worker),
                    _ => state.idle.replace(worker),
                };
                drop(state);
                drop(spare);
                DocumentText::Text(text)
            }
            Err(error) => {
                tracing::info!(%error, ?kind, bytes = bytes.len(), "a document cannot be read");
                if state.failed.len() >= FAILED_KEPT {
                    state.failed.clear();
                }
                state.failed.insert(hash);
                DocumentText::Unknown
            }
        }
    }
}

impl Documents for Readers {
    fn text(&self, kind: DocumentKind, bytes: &[u8]) -> DocumentText {
        // Other tasks of this thread go on elsewhere.
        match Handle::try_current().map(|handle| handle.runtime_flavor()) {
            Ok(RuntimeFlavor::MultiThread) => {
                tokio::task::block_in_place(|| self.read(kind, bytes))
            }
            _ => self.read(kind, bytes),
        }
    }

    fn version(&self) -> u32 {
        documents::VERSION
    }
}

impl Worker {
    fn start(program: &Path) -> io::Result<Self> {
        let mut child = Command::new(program)
            .arg("extract")
            .env_clear()
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let missing = || io::Error::from(io::ErrorKind::BrokenPipe);
        let input = child.stdin.take().ok_or_else(missing)?;
        let output = child.stdout.take().ok_or_else(missing)?;
        Ok(Self { child, input, output, left: DOCUMENTS_EACH })
    }

    /// An error: it must not be used any more.
    fn read(&mut self, kind: DocumentKind, bytes: &[u8]) -> io::Result<String> {
        self.left = self.left.saturating_sub(1);
        let end = Instant::now() + TIME_MAX;
        write_request(&mut self.input, kind, bytes)?;
        let mut length = [0; 8];
        self.fill(&mut length, end)?;
        let length = u64::from_le_bytes(length);
        if length > TEXT_BYTES_MAX {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let mut text = vec![0; length as usize];
        self.fill(&mut text, end)?;
        String::from_utf8(text).map_err(|_| io::ErrorKind::InvalidData.into())
    }

    fn fill(&mut self, mut into: &mut [u8], end: Instant) -> io::Result<()> {
        while !into.is_empty() {
            let left = end.saturating_duration_since(Instant::now());
            let timeout =
                Timespec { tv_sec: left.as_secs() as _, tv_nsec: left.subsec_nanos().into() };
            let mut ready = [PollFd::from_borrowed_fd(self.output.as_fd(), PollFlags::IN)];
            if poll(&mut ready, Some(&timeout))? == 0 {
                return Err(io::ErrorKind::TimedOut.into());
            }
            match self.output.read(into)? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                count => into = &mut into[count..],
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_that_fails_is_asked_once() {
        for program in ["/bin/false", "/nowhere/at/all"] {
            let readers = Readers::new(program.into());
            for _ in 0..2 {
                assert_eq!(readers.text(DocumentKind::Pdf, b"x"), DocumentText::Unknown);
                let state = readers.lock();
                assert_eq!((state.failed.len(), state.busy), (1, 0), "{program}");
            }
        }
    }
}
