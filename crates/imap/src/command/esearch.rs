//! ESEARCH: one search in many mailboxes, each answered on its own.
//!
//! RFC 7377 §2; the mailboxes: RFC 5465 §6. A mailbox in which nothing matches is not answered.

use std::collections::BTreeSet;

use base::{MailboxId, ModSeq, UidSet, UidValidity};
use mailbox::account::MailboxInfo;
use mailbox::{Account, View};
use wire::command::{MultiSearch, Source};
use wire::value::{MailboxName, Numbering, SearchReturn};

use super::search::answer::{self, Extended};
use super::search::{self};
use crate::context::{Authenticated, Selected, SelectedMailbox};
use crate::error::{Done, No};
use crate::names;
use crate::progress::Pace;

/// Runs the command.
pub async fn run(cx: &mut Authenticated<'_>, args: MultiSearch) -> Result<Done, No> {
    let asks_selected = args.sources.is_empty() || args.sources.contains(&Source::Selected);
    if asks_selected && cx.selected.is_none() {
        return Err(No::Bad("select a mailbox first"));
    }
    let all = SearchReturn { all: true, ..SearchReturn::default() };
    let returns = args.returns.unwrap_or(all);
    if returns.save && args.sources.iter().any(|source| *source != Source::Selected) {
        return Err(No::Bad("SAVE is for the selected mailbox alone"));
    }
    if search::asks_mod_seq(&args.key) {
        cx.enable_condstore();
    }
    let selected = cx.selected.as_ref().map(|selected| selected.id);
    let mut pace = Pace::new(cx.shared, cx.client);
    for id in mailboxes(&cx.live.state(), &args.sources, selected) {
        // As it is when its turn comes: it may be gone by then.
        let state = cx.live.state();
        let Some(info) = state.get(id) else { continue };
        let place = (MailboxName(info.name.to_owned()), info.mailbox.uid_validity());
        match cx.selected.as_deref_mut().filter(|selected| selected.id == id) {
            Some(mailbox) => {
                let mut one = Selected {
                    tag: cx.tag,
                    shared: cx.shared,
                    client: cx.client,
                    live: cx.live,
                    mailbox,
                    out: cx.out.reborrow(),
                    pace,
                };
                one_mailbox(&mut one, &args, returns, place).await?;
                pace = one.pace;
            }
            None => {
                let mut mailbox = unselected(&info);
                let mut one = Selected {
                    tag: cx.tag,
                    shared: cx.shared,
                    client: cx.client,
                    live: cx.live,
                    mailbox: &mut mailbox,
                    out: cx.out.reborrow(),
                    pace,
                };
                one_mailbox(&mut one, &args, returns, place).await?;
                pace = one.pace;
            }
        }
    }
    Ok(Done::new("ESEARCH completed"))
}

/// A mailbox as a session that selects it now would see it, without any claim to it.
fn unselected(info: &MailboxInfo<'_>) -> SelectedMailbox {
    let mailbox = info.mailbox;
    SelectedMailbox {
        id: info.id,
        view: View::new(mailbox.clone(), mailbox.recent_from(), false),
        read_only: true,
        saved: UidSet::new(),
        claims_recent: false,
        told: ModSeq::ZERO,
    }
}

async fn one_mailbox(
    cx: &mut Selected<'_>,
    args: &MultiSearch,
    returns: SearchReturn,
    place: (MailboxName, UidValidity),
) -> Result<(), No> {
    let with_mod_seq = search::begin(cx, &args.key);
    let found = search::find_or_forget(cx, &args.key, Some(returns)).await?;
    let ends = (found.first(), found.last());
    search::save(cx, returns, &found, ends);
    if found.is_empty() {
        return Ok(());
    }
    let numbering = Numbering::Uid;
    let found = &found;
    let place = Some(place);
    let answer = Extended { place, numbering, returns, found, ends, with_mod_seq };
    answer::ascending(cx, answer).await?;
    Ok(cx.out.flow().await?)
}

/// Which mailboxes are searched, each once, in the order of their names.
fn mailboxes(account: &Account, sources: &[Source], selected: Option<MailboxId>) -> Vec<MailboxId> {
    let mut names: BTreeSet<&str> = BTreeSet::new();
    let all = || account.mailboxes();
    let default = [Source::Selected];
    for source in if sources.is_empty() { &default[..] } else { sources } {
        match source {
            Source::Selected => {
                names.extend(selected.and_then(|id| account.get(id)).map(|info| info.name))
            }
            // Mail is delivered there unless its envelope names another.
            Source::Inboxes => names.extend(account.find("INBOX").map(|info| info.name)),
            Source::Personal => names.extend(all().map(|info| info.name)),
            Source::Subscribed => {
                names.extend(all().map(|i| i.name).filter(|name| account.is_subscribed(name)));
            }
            Source::Mailboxes(wanted) => {
                let found = wanted.iter().filter_map(|name| names::find(account, name));
                names.extend(found.map(|info| info.name));
            }
            Source::Subtree(roots) | Source::SubtreeOne(roots) => {
                let one_level = matches!(source, Source::SubtreeOne(_));
                let roots: Vec<String> =
                    roots.iter().map(|root| names::canonical(&root.0)).collect();
                let is_in = |name: &str| {
                    roots.iter().any(|root| {
                        let below = name
                            .strip_prefix(&**root)
                            .and_then(|rest| rest.strip_prefix(names::DELIMITER));
                        name == root
                            || below
                                .is_some_and(|rest| !one_level || !rest.contains(names::DELIMITER))
                    })
                };
                names.extend(all().map(|info| info.name).filter(|name| is_in(name)));
            }
        }
    }
    names.into_iter().filter_map(|name| account.find(name)).map(|info| info.id).collect()
}
