//! Bringing mail along from elsewhere.
//!
//! A *source* reads files on a thread of its own and tells what it finds as [`Event`]s; the *sink*
//! stores it in batches. Between them is a short queue, so that memory stays small whatever the mail.

mod crlf;
mod maildir;
mod maildir_names;
mod mbox;
mod mbox_head;
mod report;
mod sink;
mod uidlist;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use base::Flags;
use server::Node;
use server::admin::{Progress, Refused};
use tokio::sync::mpsc;

pub(crate) use report::{MailboxReport, Report};

/// Pieces of at most 64 KiB that wait for the sink.
const QUEUE: usize = 16;

/// What a source tells.
#[derive(Debug)]
enum Event {
    /// All messages that follow belong here.
    Mailbox(Target),
    /// A message begins.
    Message(Meta),
    /// Bytes of it, with CRLF line ends.
    Bytes(Vec<u8>),
    /// It is whole.
    End,
    /// It can't be read to its end; it does not count as imported.
    Abandon(String),
    /// Something that its reader should know.
    Warning(String),
    /// A name is subscribed.
    Subscribed(String),
}

/// A mailbox to import into.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Target {
    name: String,
    /// What its UIDs belong to.
    uid_validity: Option<u32>,
    /// The first UID that was never given.
    uid_next: Option<u32>,
    /// How many messages there are.
    total: u64,
}

/// What is known of a message besides its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Meta {
    /// Where it was found, for warnings.
    label: String,
    uid: Option<u32>,
    flags: Flags,
    /// INTERNALDATE: seconds since 1970 UTC and minutes east of it.
    date: base::DateTime,
    size_hint: Option<u64>,
}

/// The source's end of the queue.
struct Outlet(mpsc::Sender<Event>);

/// The sink is gone: the import was given up.
struct Gone;

impl Outlet {
    fn tell(&self, event: Event) -> Result<(), Gone> {
        self.0.blocking_send(event).map_err(|_| Gone)
    }

    fn warn(&self, text: impl Into<String>) -> Result<(), Gone> {
        self.tell(Event::Warning(text.into()))
    }
}

/// Why a source ended early.
enum Stop {
    Gone,
    Failed(String),
}

impl From<Gone> for Stop {
    fn from(_: Gone) -> Self {
        Self::Gone
    }
}

/// Imports a Maildir with its subfolders.
pub(crate) async fn maildir(
    node: &Arc<Node>,
    path: PathBuf,
    account: &str,
    progress: Progress,
) -> Result<Report, Refused> {
    let root = readable(&path)?;
    run(node, account, progress, move |outlet| maildir::tell(&root, outlet)).await
}

/// Imports an mbox file into one mailbox.
pub(crate) async fn mbox(
    node: &Arc<Node>,
    path: PathBuf,
    account: &str,
    mailbox: String,
    progress: Progress,
) -> Result<Report, Refused> {
    let file = readable(&path)?;
    run(node, account, progress, move |outlet| mbox::tell(&file, &mailbox, outlet)).await
}

fn readable(path: &Path) -> Result<PathBuf, Refused> {
    std::fs::metadata(path)
        .map(|_| path.to_path_buf())
        .map_err(|error| Refused::new("refused", format!("{}: {error}", path.display())))
}

async fn run(
    node: &Arc<Node>,
    account: &str,
    progress: Progress,
    source: impl FnOnce(&Outlet) -> Result<(), Stop> + Send + 'static,
) -> Result<Report, Refused> {
    let failed = |error: storage::Error| Refused::new("failed", error.to_string());
    let user = crate::operation::find(node, account)?;
    let live = node.accounts().open(user.id).await.map_err(failed)?;
    let (sender, events) = mpsc::channel(QUEUE);
    let reading = tokio::task::spawn_blocking(move || source(&Outlet(sender)));
    let report = sink::Sink::new(live, progress).run(events).await;
    let read = reading.await;
    let report = report?;
    match read {
        Ok(Ok(()) | Err(Stop::Gone)) => Ok(report),
        Ok(Err(Stop::Failed(why))) => Err(Refused::new("refused", why)),
        Err(error) => Err(Refused::new("failed", format!("reading failed: {error}"))),
    }
}
