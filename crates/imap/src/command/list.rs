//! LIST, with everything RFC 5258 adds.
//!
//! RFC 9051 §6.3.9; STATUS: RFC 5819; SPECIAL-USE: RFC 6154 §2. Roles and children are told unasked:
//! iOS and K-9 want roles in a plain LIST (RFC 6154 §2 allows it).

use std::collections::{BTreeMap, BTreeSet};

use mailbox::Account;
use wire::command::{List, ListSelect};
use wire::response::{ListAttribute, Untagged};
use wire::value::{MailboxName, StatusItem};

use crate::command::status;
use crate::context::Authenticated;
use crate::error::{Done, No};
use crate::names;
use crate::pattern::{self, Pattern};

/// Runs the command.
pub async fn run(cx: &mut Authenticated<'_>, args: List) -> Result<Done, No> {
    if !args.extended && args.patterns.iter().all(String::is_empty) {
        cx.out.untagged(&root());
        return Ok(Done::new("LIST completed"));
    }
    if args.returns.status.contains(&StatusItem::HighestModSeq) {
        cx.enable_condstore();
    }
    let patterns: Vec<Pattern> = args
        .patterns
        .iter()
        .filter(|pattern| !pattern.is_empty())
        .map(|pattern| Pattern::new(&args.reference, pattern))
        .collect();
    // The grammar has room for one of them: `\NonExistent` says more to those who know RFC 5258.
    let absent = match args.extended || cx.client.enabled.rev2 {
        true => ListAttribute::NonExistent,
        false => ListAttribute::NoSelect,
    };
    let criteria: Vec<&'static str> =
        [(args.select.subscribed, "SUBSCRIBED"), (args.select.special_use, "SPECIAL-USE")]
            .into_iter()
            .filter_map(|(is_asked, name)| is_asked.then_some(name))
            .collect();
    let state = cx.live.state();
    let names = state.mailboxes().map(|info| info.name).chain(state.subscriptions());
    pattern::check(&patterns, names)?;
    for (name, found) in select(&state, &patterns, args.select) {
        cx.out.untagged(&Untagged::List {
            attributes: attributes(&state, name, &found, &args, absent),
            mailbox: MailboxName(name.to_owned()),
            child_info: if found.child_info { criteria.clone() } else { Vec::new() },
            old_name: None,
        });
        if let Some(info) = state.find(name).filter(|_| found.is_selected)
            && !args.returns.status.is_empty()
        {
            let values = status::values(&info, &args.returns.status, &cx.shared.limits);
            cx.out.untagged(&Untagged::StatusOf(MailboxName(name.to_owned()), values));
        }
        cx.out.flow().await?;
    }
    Ok(Done::new("LIST completed"))
}

/// The answer to `LIST "" ""`: the delimiter, and a root without a name.
pub(crate) fn root() -> Untagged {
    Untagged::List {
        attributes: vec![ListAttribute::NoSelect],
        mailbox: MailboxName(String::new()),
        child_info: Vec::new(),
        old_name: None,
    }
}

/// Why a name is listed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
struct Found {
    /// It meets the selection options.
    is_selected: bool,
    /// Names below it do, and RECURSIVEMATCH asks for that (RFC 9051 §6.3.9.6).
    child_info: bool,
    /// Mailboxes exist below it.
    has_children: bool,
}

/// Which names are listed, in order.
fn select<'a>(
    account: &'a Account,
    patterns: &[Pattern],
    options: ListSelect,
) -> BTreeMap<&'a str, Found> {
    let mut found: BTreeMap<&str, Found> = BTreeMap::new();
    let parents: BTreeSet<&str> =
        account.mailboxes().flat_map(|info| names::parents(info.name)).collect();
    let matches = |name: &str| patterns.iter().any(|pattern| pattern.matches(name));
    let has_role = |name: &str| account.find(name).is_some_and(|info| !info.roles.is_empty());
    let meets: Vec<&str> = match options.subscribed {
        true => {
            account.subscriptions().filter(|name| !options.special_use || has_role(name)).collect()
        }
        false => account
            .mailboxes()
            .filter(|info| !options.special_use || !info.roles.is_empty())
            .map(|info| info.name)
            .collect(),
    };
    for &name in meets.iter().filter(|name| matches(name)) {
        found.entry(name).or_default().is_selected = true;
    }
    if options.recursive_match {
        for &name in &meets {
            let is_listed = matches(name);
            for parent in names::parents(name) {
                match found.get_mut(parent) {
                    Some(entry) => entry.child_info = true,
                    // A parent is listed for the sake of what is not: RFC 9051 §6.3.9.3, 2B.
                    None if !is_listed && matches(parent) => {
                        found.entry(parent).or_default().child_info = true;
                    }
                    None => {}
                }
            }
        }
    }
    if !options.subscribed && !options.special_use {
        let levels: Vec<&Pattern> = patterns.iter().filter(|p| p.ends_with_level()).collect();
        for &name in &parents {
            if levels.iter().any(|pattern| pattern.matches(name)) {
                found.entry(name).or_default();
            }
        }
    }
    for (name, entry) in &mut found {
        entry.has_children = parents.contains(name);
    }
    found
}

fn attributes(
    account: &Account,
    name: &str,
    found: &Found,
    args: &List,
    absent: ListAttribute,
) -> Vec<ListAttribute> {
    let info = account.find(name);
    let mut attributes = Vec::new();
    if info.is_none() {
        attributes.push(absent);
    }
    if (args.select.subscribed || args.returns.subscribed) && account.is_subscribed(name) {
        attributes.push(ListAttribute::Subscribed);
    }
    attributes.push(match found.has_children {
        true => ListAttribute::HasChildren,
        false => ListAttribute::HasNoChildren,
    });
    let roles = info.iter().flat_map(|info| info.roles);
    attributes.extend(roles.map(|&role| ListAttribute::Use(names::special_use(role))));
    attributes
}
