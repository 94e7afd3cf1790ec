//! What a process is that holds other people's mail.

use std::os::unix::net::UnixDatagram;

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

/// Tells the service manager how it stands (sd_notify(3)), if there is one that wants to know.
pub(crate) fn notify(state: &str) {
    let Some(path) = std::env::var_os("NOTIFY_SOCKET") else { return };
    let sent = UnixDatagram::unbound().and_then(|socket| {
        #[cfg(target_os = "linux")]
        {
            use std::os::linux::net::SocketAddrExt;
            use std::os::unix::ffi::OsStrExt;
            if let Some(name) = path.as_bytes().strip_prefix(b"@") {
                let address = std::os::unix::net::SocketAddr::from_abstract_name(name)?;
                return socket.send_to_addr(state.as_bytes(), &address);
            }
        }
        socket.send_to(state.as_bytes(), &path)
    });
    if let Err(error) = sent {
        tracing::warn!(%error, "the service manager does not listen");
    }
}
