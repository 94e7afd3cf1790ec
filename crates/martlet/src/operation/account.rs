//! Accounts and aliases.

use std::sync::Arc;

use auth::directory::{Source, User};
use auth::{Credential, decide};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use server::Node;
use server::admin::Refused;
use server::directory::Error;

use super::to_value;
use crate::password::Password;

/// An account as `account list` tells it.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct AccountLine {
    pub(crate) name: String,
    pub(crate) id: String,
    /// Milliseconds since 1970 UTC.
    pub(crate) created: i64,
    pub(crate) aliases: Vec<String>,
    pub(crate) disabled: bool,
    pub(crate) quota: Option<u64>,
    pub(crate) has_password: bool,
}

/// An account as `account show` tells it.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct AccountPage {
    #[serde(flatten)]
    pub(crate) line: AccountLine,
    pub(crate) messages: u64,
    pub(crate) size_bytes: u64,
    pub(crate) mailboxes: Vec<MailboxLine>,
}

/// One mailbox of it.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct MailboxLine {
    pub(crate) name: String,
    pub(crate) messages: u32,
    pub(crate) unseen: u32,
    pub(crate) size_bytes: u64,
    pub(crate) uid_validity: u32,
    pub(crate) uid_next: u32,
}

/// Who is who, for the doctor.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Names {
    /// Identity and name of every account.
    pub(crate) accounts: Vec<(String, String)>,
    /// Identities of mail that has no name.
    pub(crate) without_owner: Vec<String>,
    /// Names that have no mail store.
    pub(crate) without_mail: Vec<String>,
}

fn line(user: &User) -> AccountLine {
    AccountLine {
        name: user.name.clone(),
        id: user.id.to_string(),
        created: user.created,
        aliases: user.aliases.iter().cloned().collect(),
        disabled: user.disabled,
        quota: user.quota,
        has_password: user.credential.is_some(),
    }
}

fn refused(error: Error) -> Refused {
    let kind = match &error {
        Error::Refused(_) => "refused",
        _ => "failed",
    };
    Refused::new(kind, error.to_string())
}

/// The account of this name or alias.
pub(crate) fn find(node: &Node, name: &str) -> Result<Arc<User>, Refused> {
    let directory = node.directory().directory();
    let found = directory.find(name).cloned();
    found.ok_or_else(|| Refused::new("refused", format!("there is no account {name}")))
}

async fn credential(node: &Node, password: &Password) -> Result<Credential, Refused> {
    let derived = node.authenticator().derive(password.bytes()).await;
    derived.map_err(|error| Refused::new("refused", error.to_string()))
}

pub(super) async fn add(node: &Node, name: &str, password: &Password) -> Result<Value, Refused> {
    let credential = credential(node, password).await?;
    let id = node.directory().add_account(name, Some(credential)).await.map_err(refused)?;
    tracing::info!(account = name, %id, "account added");
    to_value(line(&*find(node, name)?))
}

pub(super) fn list(node: &Node) -> Result<Value, Refused> {
    let directory = node.directory().directory();
    to_value(directory.users().into_iter().map(|user| line(user)).collect::<Vec<_>>())
}

pub(super) async fn names(node: &Node) -> Result<Value, Refused> {
    let directory = node.directory().directory();
    let users = directory.users();
    let orphans = node.directory().without_owner().await.map_err(refused)?;
    to_value(Names {
        accounts: users.iter().map(|user| (user.id.to_string(), user.name.clone())).collect(),
        without_owner: orphans.iter().map(ToString::to_string).collect(),
        without_mail: node.directory().without_mail().await.map_err(refused)?,
    })
}

pub(super) async fn show(node: &Node, name: &str) -> Result<Value, Refused> {
    let user = find(node, name)?;
    let live = node.accounts().open(user.id).await;
    let state = live.map_err(|error| Refused::new("failed", error.to_string()))?.state();
    let mailboxes: Vec<MailboxLine> = state
        .mailboxes()
        .map(|info| MailboxLine {
            name: info.name.to_owned(),
            messages: info.mailbox.len(),
            unseen: info.mailbox.unseen(),
            size_bytes: info.mailbox.size_bytes(),
            uid_validity: info.mailbox.uid_validity().get(),
            uid_next: info.mailbox.uid_next().get(),
        })
        .collect();
    to_value(AccountPage {
        line: line(&user),
        messages: mailboxes.iter().map(|mailbox| u64::from(mailbox.messages)).sum(),
        size_bytes: mailboxes.iter().map(|mailbox| mailbox.size_bytes).sum(),
        mailboxes,
    })
}

pub(super) async fn set_password(
    node: &Node,
    name: &str,
    password: &Password,
) -> Result<Value, Refused> {
    let credential = credential(node, password).await?;
    let set = |directory: &auth::Directory| {
        decide::set_password(directory, name, Some(credential.clone()))
    };
    node.directory().change(set).await.map_err(refused)?;
    // Whoever logged in by the old one may be the reason for the new one.
    node.accounts().disconnect(find(node, name)?.id).await;
    tracing::info!(account = name, "password changed");
    Ok(json!({}))
}

pub(super) async fn remove(node: &Node, name: &str) -> Result<Value, Refused> {
    let id = node.directory().remove_account(name).await.map_err(refused)?;
    tracing::info!(account = name, %id, "account removed");
    Ok(json!({ "id": id.to_string() }))
}

pub(super) async fn set_disabled(
    node: &Node,
    name: &str,
    disabled: bool,
) -> Result<Value, Refused> {
    let set = |directory: &auth::Directory| decide::set_disabled(directory, name, disabled);
    node.directory().change(set).await.map_err(refused)?;
    if disabled {
        node.accounts().disconnect(find(node, name)?.id).await;
    }
    tracing::info!(account = name, disabled, "account changed");
    Ok(json!({}))
}

pub(super) async fn set_quota(
    node: &Node,
    name: &str,
    bytes: Option<u64>,
) -> Result<Value, Refused> {
    let set = |directory: &auth::Directory| decide::set_quota(directory, name, bytes);
    node.directory().change(set).await.map_err(refused)?;
    Ok(json!({}))
}

pub(super) async fn add_alias(node: &Node, name: &str, alias: &str) -> Result<Value, Refused> {
    let add = |directory: &auth::Directory| decide::add_alias(directory, name, alias);
    node.directory().change(add).await.map_err(refused)?;
    Ok(json!({}))
}

pub(super) async fn remove_alias(node: &Node, alias: &str) -> Result<Value, Refused> {
    let remove = |directory: &auth::Directory| decide::remove_alias(directory, alias);
    node.directory().change(remove).await.map_err(refused)?;
    Ok(json!({}))
}

pub(super) fn list_aliases(node: &Node) -> Result<Value, Refused> {
    let directory = node.directory().directory();
    let users = directory.users();
    let pairs = users.iter().flat_map(|user| {
        user.aliases.iter().map(|alias| json!({ "alias": alias, "account": user.name }))
    });
    to_value(pairs.collect::<Vec<_>>())
}
