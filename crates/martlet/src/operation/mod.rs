//! What commands do to the data. The same code runs in a server, asked through the admin socket, and
//! in a command when no server runs.

mod account;
mod index;

use std::path::PathBuf;

pub(crate) use account::{AccountLine, AccountPage, Names, find};

pub(crate) use index::{Rebuilt, StatusLine};

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use server::Node;
use server::admin::{Answer, Handler, Progress, Refused};

use crate::import;
use crate::password::Password;

/// What can be asked for.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "kebab-case")]
pub(crate) enum Request {
    AccountAdd { name: String, password: Password },
    AccountList,
    AccountShow { name: String },
    AccountPassword { name: String, password: Password },
    AccountRemove { name: String },
    AccountDisable { name: String, disabled: bool },
    AccountQuota { name: String, bytes: Option<u64> },
    AliasAdd { alias: String, name: String },
    AliasRemove { alias: String },
    AliasList,
    Names,
    IndexRebuild { account: Option<String> },
    IndexStatus { account: Option<String> },
    ImportMaildir { path: PathBuf, account: String },
    ImportMbox { path: PathBuf, account: String, mailbox: String },
}

impl Request {
    /// Whether it ends with the one who asked: what takes long, and is safe to run again.
    fn may_be_cut(&self) -> bool {
        matches!(
            self,
            Self::IndexRebuild { .. } | Self::ImportMaildir { .. } | Self::ImportMbox { .. }
        )
    }
}

/// The handler of the admin socket.
pub(crate) struct Operations;

impl Handler for Operations {
    fn handle(&self, node: Arc<Node>, request: Value, progress: Progress) -> Answer {
        Box::pin(async move {
            let request: Request = serde_json::from_value(request)
                .map_err(|error| Refused::new("protocol", error.to_string()))?;
            if request.may_be_cut() {
                return run(&node, request, progress).await;
            }
            // Its caller may go away at any moment: half an account, or a password that only the
            // disk knows, must not be what is left.
            let work = tokio::spawn(async move { run(&node, request, progress).await });
            work.await.unwrap_or_else(|error| Err(Refused::new("failed", error.to_string())))
        })
    }
}

async fn run(node: &Arc<Node>, request: Request, progress: Progress) -> Result<Value, Refused> {
    match request {
        Request::AccountAdd { name, password } => account::add(node, &name, &password).await,
        Request::AccountList => account::list(node),
        Request::AccountShow { name } => account::show(node, &name).await,
        Request::AccountPassword { name, password } => {
            account::set_password(node, &name, &password).await
        }
        Request::AccountRemove { name } => account::remove(node, &name).await,
        Request::AccountDisable { name, disabled } => {
            account::set_disabled(node, &name, disabled).await
        }
        Request::AccountQuota { name, bytes } => account::set_quota(node, &name, bytes).await,
        Request::AliasAdd { alias, name } => account::add_alias(node, &name, &alias).await,
        Request::AliasRemove { alias } => account::remove_alias(node, &alias).await,
        Request::IndexRebuild { account } => {
            index::rebuild(node, account.as_deref(), progress).await
        }
        Request::IndexStatus { account } => index::status(node, account.as_deref()).await,
        Request::AliasList => account::list_aliases(node),
        Request::Names => account::names(node).await,
        Request::ImportMaildir { path, account } => {
            to_value(import::maildir(node, path, &account, progress).await?)
        }
        Request::ImportMbox { path, account, mailbox } => {
            to_value(import::mbox(node, path, &account, mailbox, progress).await?)
        }
    }
}

fn to_value(value: impl Serialize) -> Result<Value, Refused> {
    serde_json::to_value(value).map_err(|error| Refused::new("failed", error.to_string()))
}
