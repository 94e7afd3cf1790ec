//! What a process is that holds other people's mail.

use rustix::fs::Mode;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit, umask};

/// Files are for their owner only; no core dump holds mail or passwords; as many file descriptors
/// as the system lets us have.
pub(crate) fn harden() {
    private_files();
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    if let Err(error) = setrlimit(Resource::Core, none) {
        tracing::warn!(%error, "core dumps stay possible");
    }
    let files = getrlimit(Resource::Nofile);
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: files.maximum, ..files }) {
        tracing::warn!(%error, "the number of open files stays small");
    }
}

/// Files are for their owner only.
pub(crate) fn private_files() {
    umask(Mode::RWXG | Mode::RWXO);
}
