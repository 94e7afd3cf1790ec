//! What a process is that holds other people's mail.

use std::os::unix::net::UnixDatagram;
use std::os::unix::process::CommandExt;
use std::process::Command;

use base::Limits;
use rustix::fs::Mode;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit, umask};

/// Milliseconds after which the allocator gives freed memory back to the system.
const PURGE_DELAY: (&str, &str) = ("MIMALLOC_PURGE_DELAY", "10");

/// Begins again as the same process, with an allocator that gives memory back soon: by itself it
/// keeps what a burst took until somebody allocates a second later, 20 MB of a password's hash for
/// one. It is told by the environment only, and only at start. Without it the server works all the
/// same, so a failure is a warning.
pub(crate) fn with_frugal_allocator() {
    let (name, value) = PURGE_DELAY;
    if std::env::var_os(name).is_some() {
        return;
    }
    let mut arguments = std::env::args_os();
    // By its own path, which names the process: `/proc/self/exe` would show as `exe` to `pgrep`.
    let own = std::env::current_exe().unwrap_or_else(|_| "/proc/self/exe".into());
    let mut command = Command::new(own);
    if let Some(own) = arguments.next() {
        command.arg0(own);
    }
    let error = command.args(arguments).env(name, value).exec();
    eprintln!("the allocator keeps more memory than it needs: {error}");
}

/// Files are for their owner only; no core dump holds mail or passwords.
pub(crate) fn harden() {
    private_files();
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    if let Err(error) = setrlimit(Resource::Core, none) {
        tracing::warn!(%error, "core dumps stay possible");
    }
}

/// Raises the number of open files as far as the system lets us, and tells how many there may be.
pub(crate) fn open_files() -> u64 {
    let files = getrlimit(Resource::Nofile);
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: files.maximum, ..files }) {
        tracing::warn!(%error, "the number of open files stays small");
    }
    let files = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    tracing::info!(files, "open files");
    files
}

/// Files that are not connections: those of logs, and what a process has.
const OTHER_FILES: u64 = 512;

/// Keeps connections within the files that the process may have open. Says what had to be changed.
pub(crate) fn bound_connections(limits: &mut Limits, files: u64) -> Vec<String> {
    let room = files - OTHER_FILES.min(files / 2);
    let room = usize::try_from(room).unwrap_or(usize::MAX);
    // Whoever is not logged in must not take the place of those who are.
    let bounds = [
        ("connections_per_address_max", &mut limits.connections_per_address_max, room),
        ("connections_per_account_max", &mut limits.connections_per_account_max, room),
        ("connections_before_login_max", &mut limits.connections_before_login_max, room / 2),
    ];
    let lower = |(name, limit, most): (&str, &mut usize, usize)| {
        let wanted = std::mem::replace(limit, most.min(*limit));
        (wanted > most).then(|| {
            format!(
                "limits.{name} is {most} and not {wanted}: the system allows {files} open files; \
                 raise LimitNOFILE= of the systemd unit, or ulimit -n"
            )
        })
    };
    bounds.into_iter().filter_map(lower).collect()
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

/// What the thread of a worker does before anything else: it has pages of its stack, and of the sizes that
/// sessions allocate, from the system. Else the first command that it runs gets them one by one, 50 of
/// them, and takes 100 microseconds longer.
pub(crate) fn begin_thread() {
    const ALLOCATED_MAX: usize = 8 * 1024;
    touch_stack();
    let sizes = std::iter::successors(Some(16_usize), |size| Some(size + (size / 8).max(16)));
    let sizes = sizes.take_while(|&size| size <= ALLOCATED_MAX);
    let pieces: Vec<Vec<u8>> = sizes.map(|size| vec![1; size]).collect();
    std::hint::black_box(pieces);
}

/// The deepest commands need less.
#[inline(never)]
fn touch_stack() {
    let mut stack = [0_u8; 96 * 1024];
    std::hint::black_box(&mut stack);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_fit_into_the_open_files() {
        let all = |limits: &Limits| {
            [
                limits.connections_per_address_max,
                limits.connections_per_account_max,
                limits.connections_before_login_max,
            ]
        };
        for (files, lowered, expected) in [
            (1 << 20, 0, [1000, 200, 2000]),
            (4512, 0, [1000, 200, 2000]),
            (4510, 1, [1000, 200, 1999]),
            (1024, 2, [512, 200, 256]),
            (256, 3, [128, 128, 64]),
        ] {
            let mut limits = Limits::default();
            let said = bound_connections(&mut limits, files);
            assert_eq!((said.len(), all(&limits)), (lowered, expected), "{files}: {said:?}");
            assert!(said.iter().all(|line| line.contains("LimitNOFILE")), "{said:?}");
        }
    }
}
