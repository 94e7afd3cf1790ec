//! The text index.

use std::sync::Arc;

use account::Live;
use auth::directory::{Source, User};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use server::Node;
use server::admin::{Progress, Refused};
use storage::Task;

use super::account::find;
use super::to_value;

/// What was rebuilt.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Rebuilt {
    pub(crate) accounts: usize,
    pub(crate) messages: usize,
}

/// The index of an account, as `index status` tells it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct StatusLine {
    pub(crate) account: String,
    /// Whether nothing waits that the server would index before the account is quiet.
    pub(crate) ready: bool,
    pub(crate) indexed: usize,
    pub(crate) waiting: usize,
    pub(crate) unreadable: usize,
    pub(crate) documents: usize,
    pub(crate) segments: usize,
    pub(crate) index_bytes: u64,
    pub(crate) text_bytes: u64,
    /// `index_bytes` of `text_bytes`, in percent.
    pub(crate) share_percent: f64,
    pub(crate) memory_bytes: u64,
    /// The account's log ends here, and is indexed up to there, where that is noted on the disk.
    pub(crate) head: u64,
    pub(crate) upto: Option<u64>,
}

fn users(node: &Node, account: Option<&str>) -> Result<Vec<Arc<User>>, Refused> {
    Ok(match account {
        Some(name) => vec![find(node, name)?],
        None => node.directory().directory().users().into_iter().cloned().collect(),
    })
}

fn library(node: &Node) -> Result<&Arc<index::Library>, Refused> {
    node.index()
        .ok_or_else(|| Refused::new("refused", "there is no text index: search.index is false"))
}

fn failed(user: &User) -> impl Fn(storage::Error) -> Refused {
    move |error| Refused::new("failed", format!("{}: {error}", user.name))
}

/// What there is of the index of an account, or of all.
pub(super) async fn status(node: &Arc<Node>, account: Option<&str>) -> Result<Value, Refused> {
    let library = library(node)?;
    let mut lines = Vec::new();
    for user in users(node, account)? {
        let failed = failed(&user);
        let state = node.accounts().open(user.id).await.map_err(&failed)?.state();
        let status = library.status(user.id, &state).await.map_err(&failed)?;
        let share = status.index_bytes as f64 * 100.0 / status.text_bytes.max(1) as f64;
        lines.push(StatusLine {
            account: user.name.clone(),
            ready: status.waiting < server::INDEX_MESSAGES_LEAST,
            indexed: status.indexed,
            waiting: status.waiting,
            unreadable: status.unreadable,
            documents: status.documents,
            segments: status.segments,
            index_bytes: status.index_bytes,
            text_bytes: status.text_bytes,
            share_percent: (share * 10.0).round() / 10.0,
            memory_bytes: status.memory_bytes,
            head: state.head().get(),
            upto: status.upto.map(base::ModSeq::get),
        });
    }
    to_value(lines)
}

/// Drops the index of an account, or of all, and builds it again. Searches scan meanwhile.
pub(super) async fn rebuild(
    node: &Arc<Node>,
    account: Option<&str>,
    progress: Progress,
) -> Result<Value, Refused> {
    let library = library(node)?;
    let mut rebuilt = Rebuilt::default();
    for user in users(node, account)? {
        let failed = failed(&user);
        let live: Arc<Live> = node.accounts().open(user.id).await.map_err(&failed)?;
        library.clear(user.id).await.map_err(&failed)?;
        let (progress, name) = (Arc::clone(&progress), user.name.clone());
        let mut tell = move |now: index::Progress| -> Task<'static, bool> {
            progress(json!({ "mailbox": name, "done": now.done, "total": now.total }));
            // Others have their turn between two steps.
            Box::pin(async {
                tokio::task::yield_now().await;
                true
            })
        };
        let update = library.update(user.id, &live.state(), 1, &mut tell).await;
        rebuilt.accounts += 1;
        rebuilt.messages += update.map_err(&failed)?.done;
    }
    to_value(rebuilt)
}
