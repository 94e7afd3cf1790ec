//! The admin socket: a unix socket in the data directory through which commands reach the data while
//! a server has it.
//!
//! One JSON object a line. The client sends one request; the server answers with any number of
//! `{"progress": …}` and one `{"ok": …}` or `{"error": {"kind": …, "message": …}}`. What requests
//! mean is the business of whoever starts the server. Only the user who runs the server may speak.

use std::fs::File;
use std::io::{self, BufRead, BufReader as StdBufReader, Write};
use std::os::unix::net::UnixStream as StdUnixStream;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::mpsc;

use crate::Node;

/// The longest request, in bytes.
const REQUEST_BYTES_MAX: u64 = 1024 * 1024;
/// The longest path a unix socket can have on every system, in bytes.
const SOCKET_PATH_MAX: usize = 100;

/// Why a request was not done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct Refused {
    /// A word for programs.
    pub kind: String,
    /// A sentence for people.
    pub message: String,
}

impl Refused {
    /// A refusal.
    pub fn new(kind: &str, message: impl Into<String>) -> Self {
        Self { kind: kind.to_owned(), message: message.into() }
    }
}

/// One line of an answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Line {
    /// How far it is; there may be many.
    Progress(Value),
    /// Done; the last line.
    Ok(Value),
    /// Not done; the last line.
    Error(Refused),
}

/// Takes news of how far a request is.
pub type Progress = Arc<dyn Fn(Value) + Send + Sync>;

/// A request's answer on its way.
pub type Answer = Pin<Box<dyn Future<Output = Result<Value, Refused>> + Send>>;

/// What requests mean.
pub trait Handler: Send + Sync {
    /// Does what a request asks for.
    fn handle(&self, node: Arc<Node>, request: Value, progress: Progress) -> Answer;
}

/// The socket's path as it can be bound and connected to: a long one through the directory's file
/// descriptor, which the second part keeps open.
fn reachable(data: &Path) -> io::Result<(PathBuf, Option<File>)> {
    let path = data.join("admin.sock");
    if path.as_os_str().len() <= SOCKET_PATH_MAX {
        return Ok((path, None));
    }
    let directory = File::open(data)?;
    let number = std::os::fd::AsRawFd::as_raw_fd(&directory);
    Ok((PathBuf::from(format!("/proc/self/fd/{number}/admin.sock")), Some(directory)))
}

/// Makes the socket. The data's lock must be held: a socket that is there already is a dead one.
pub(crate) fn bind(data: &Path) -> io::Result<UnixListener> {
    let (path, _directory) = reachable(data)?;
    match std::fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(&path)?;
    std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
    Ok(listener)
}

/// Removes the socket.
pub(crate) fn unbind(data: &Path) {
    // One that stays is removed at the next start.
    let _ = std::fs::remove_file(data.join("admin.sock"));
}

/// Answers one client.
pub(crate) async fn serve(stream: UnixStream, node: Arc<Node>, handler: Arc<dyn Handler>) {
    let own = rustix::process::geteuid().as_raw();
    match stream.peer_cred() {
        Ok(peer) if peer.uid() == own || peer.uid() == 0 => {}
        peer => {
            tracing::warn!(?peer, "a stranger at the admin socket");
            return;
        }
    }
    if let Err(error) = answer(stream, node, handler).await {
        tracing::info!(%error, "an admin client went away");
    }
}

async fn answer(stream: UnixStream, node: Arc<Node>, handler: Arc<dyn Handler>) -> io::Result<()> {
    let (read, mut write) = stream.into_split();
    let mut read = BufReader::new(read.take(REQUEST_BYTES_MAX));
    let mut request = Vec::new();
    read.read_until(b'\n', &mut request).await?;
    let (sender, mut lines) = mpsc::unbounded_channel();
    let news = sender.clone();
    let progress: Progress = Arc::new(move |value| {
        // Nobody listens any more when the client is gone, and then the work ends too.
        let _ = news.send(Line::Progress(value));
    });
    let work = async move {
        let line = match serde_json::from_slice(&request) {
            Ok(request) => match handler.handle(node, request, progress).await {
                Ok(value) => Line::Ok(value),
                Err(refused) => Line::Error(refused),
            },
            Err(error) => Line::Error(Refused::new("protocol", error.to_string())),
        };
        let _ = sender.send(line);
        std::future::pending::<()>().await;
    };
    let tell = async move {
        while let Some(line) = lines.recv().await {
            let mut text = serde_json::to_vec(&line)?;
            text.push(b'\n');
            write.write_all(&text).await?;
            if !matches!(line, Line::Progress(_)) {
                return write.shutdown().await;
            }
        }
        Ok(())
    };
    // Whoever presses Ctrl-C at a command ends the work too. What arrived whole is begun in any case:
    // whether a change happens must not depend on how soon its caller left.
    let mut rest = Vec::new();
    tokio::select! {
        biased;
        () = work => Ok(()),
        done = tell => done,
        gone = read.read_until(b'\n', &mut rest) => gone.map(|_| ()),
    }
}

/// Whether a server has this data: a connection to its admin socket.
pub fn connect(data: &Path) -> io::Result<Client> {
    let (path, _directory) = reachable(data)?;
    Ok(Client { stream: StdUnixStream::connect(path)? })
}

/// The command's end of an admin socket.
pub struct Client {
    stream: StdUnixStream,
}

impl Client {
    /// Sends a request and waits for its answer.
    pub fn call(
        mut self,
        request: &Value,
        mut progress: impl FnMut(Value),
    ) -> io::Result<Result<Value, Refused>> {
        let mut text = serde_json::to_vec(request)?;
        text.push(b'\n');
        self.stream.write_all(&text)?;
        for line in StdBufReader::new(self.stream).lines() {
            match serde_json::from_str(&line?)? {
                Line::Progress(value) => progress(value),
                Line::Ok(value) => return Ok(Ok(value)),
                Line::Error(refused) => return Ok(Err(refused)),
            }
        }
        Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the server closed the connection"))
    }
}
