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

/// Drops the index of an account, or of all, and builds it again. Searches scan meanwhile.
pub(super) async fn rebuild(
    node: &Arc<Node>,
    account: Option<&str>,
    progress: Progress,
) -> Result<Value, Refused> {
    let Some(library) = node.index() else {
        let message = "there is no text index: search.index is false";
        return Err(Refused::new("refused", message));
    };
    let users: Vec<Arc<User>> = match account {
        Some(name) => vec![find(node, name)?],
        None => node.directory().directory().users().into_iter().cloned().collect(),
    };
    let mut rebuilt = Rebuilt::default();
    for user in users {
        let failed =
            |error: storage::Error| Refused::new("failed", format!("{}: {error}", user.name));
        let live: Arc<Live> = node.accounts().open(user.id).await.map_err(failed)?;
        library.clear(user.id).await.map_err(failed)?;
        let (progress, name) = (Arc::clone(&progress), user.name.clone());
        let mut tell = move |now: index::Progress| -> Task<'static, bool> {
            progress(json!({ "mailbox": name, "done": now.done, "total": now.total }));
            // Others have their turn between two steps.
            Box::pin(async {
                tokio::task::yield_now().await;
                true
            })
        };
        let done = library.update(user.id, &live.state(), 1, &mut tell).await.map_err(failed)?.done;
        rebuilt.accounts += 1;
        rebuilt.messages += done;
    }
    to_value(rebuilt)
}
