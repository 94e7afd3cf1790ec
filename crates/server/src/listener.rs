//! Sockets that accept connections.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};

/// After an error of accepting, such as no file descriptor being left.
const PAUSE: Duration = Duration::from_millis(100);

/// Why a socket can't accept connections.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address}: {error}{}", remedy(error))]
pub struct BindError {
    /// Where.
    pub address: String,
    /// Why.
    pub error: io::Error,
}

fn remedy(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::AddrInUse => "; another process listens there: choose another port, or 0",
        io::ErrorKind::PermissionDenied => {
            "; ports below 1024 need CAP_NET_BIND_SERVICE (systemd: AmbientCapabilities)"
        }
        io::ErrorKind::AddrNotAvailable => "; no network interface has this address",
        _ => "",
    }
}

/// A listening socket.
pub(crate) enum Listener {
    Tcp(TcpListener),
    Unix(UnixListener, PathBuf),
}

/// A connection that just began.
pub(crate) enum Accepted {
    Tcp(TcpStream, IpAddr),
    Unix(UnixStream),
}

impl Listener {
    /// On TCP. Answers where, which port 0 leaves open.
    pub(crate) async fn tcp(address: SocketAddr) -> Result<(Self, SocketAddr), BindError> {
        let failed = |error| BindError { address: address.to_string(), error };
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        Ok((Self::Tcp(listener), address))
    }

    /// On a unix socket with these permissions. A dead one at its place is removed; a living one, or
    /// any other file, is not.
    pub(crate) fn unix(path: &Path, mode: u32) -> Result<Self, BindError> {
        let failed = |error| BindError { address: path.display().to_string(), error };
        match std::os::unix::net::UnixStream::connect(path) {
            Ok(_) => return Err(failed(io::ErrorKind::AddrInUse.into())),
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                let is_socket = std::fs::symlink_metadata(path).is_ok_and(|metadata| {
                    std::os::unix::fs::FileTypeExt::is_socket(&metadata.file_type())
                });
                if !is_socket {
                    return Err(failed(io::ErrorKind::AlreadyExists.into()));
                }
                std::fs::remove_file(path).map_err(failed)?;
            }
            Err(_) => {}
        }
        let listener = UnixListener::bind(path).map_err(failed)?;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).map_err(failed)?;
        Ok(Self::Unix(listener, path.to_path_buf()))
    }

    /// The next connection. Errors are logged and waited out.
    pub(crate) async fn accept(&self) -> Accepted {
        loop {
            let accepted = match self {
                Self::Tcp(listener) => listener
                    .accept()
                    .await
                    .map(|(stream, peer)| Accepted::Tcp(stream, peer.ip().to_canonical())),
                Self::Unix(listener, _) => {
                    listener.accept().await.map(|(stream, _)| Accepted::Unix(stream))
                }
            };
            match accepted {
                Ok(accepted) => return accepted,
                Err(error) => {
                    tracing::error!(%error, "cannot accept a connection");
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        if let Self::Unix(_, path) = self {
            // One that stays is removed at the next start.
            let _ = std::fs::remove_file(path);
        }
    }
}
