//! LSUB: subscribed names, for clients of IMAP4rev1.
//!
//! RFC 3501 §6.3.9. Roles are told unasked: Outlook 2013 looks for them here. `\Noselect` marks a
//! level above subscribed names that is not subscribed itself, and names without a mailbox, which is
//! what Thunderbird looks for.

use std::collections::{BTreeMap, BTreeSet};

use wire::command::Lsub;
use wire::response::{ListAttribute, Untagged};
use wire::value::MailboxName;

use crate::context::Authenticated;
use crate::error::{Done, No};
use crate::names;
use crate::pattern::{self, Pattern};

/// Runs the command.
pub async fn run(cx: &mut Authenticated<'_>, args: Lsub) -> Result<Done, No> {
    if args.pattern.is_empty() {
        let name = MailboxName(String::new());
        cx.out.untagged(&Untagged::Lsub(vec![ListAttribute::NoSelect], name));
        return Ok(Done::new("LSUB completed"));
    }
    let pattern = Pattern::new(&args.reference, &args.pattern);
    let state = cx.live.state();
    pattern::check(std::slice::from_ref(&pattern), state.subscriptions())?;
    let mut found: BTreeMap<&str, bool> = BTreeMap::new();
    for name in state.subscriptions() {
        if pattern.matches(name) {
            found.insert(name, true);
        } else if pattern.ends_with_level() {
            // RFC 3501 §6.3.9: `%` lists the level that leads to a subscribed name.
            for parent in names::parents(name).filter(|parent| pattern.matches(parent)) {
                found.entry(parent).or_insert(false);
            }
        }
    }
    let parents: BTreeSet<&str> =
        state.mailboxes().flat_map(|info| names::parents(info.name)).collect();
    for (name, is_subscribed) in found {
        let info = state.find(name);
        let mut attributes = Vec::new();
        if !is_subscribed || info.is_none() {
            attributes.push(ListAttribute::NoSelect);
        }
        attributes.push(match parents.contains(name) {
            true => ListAttribute::HasChildren,
            false => ListAttribute::HasNoChildren,
        });
        let roles = info.iter().flat_map(|info| info.roles);
        attributes.extend(roles.map(|&role| ListAttribute::Use(names::special_use(role))));
        cx.out.untagged(&Untagged::Lsub(attributes, MailboxName(name.to_owned())));
        cx.out.flow().await?;
    }
    Ok(Done::new("LSUB completed"))
}
