//! XLIST: how Gmail told roles before RFC 6154; Outlook 2013 and 2016 still ask.

use std::collections::BTreeSet;

use wire::command::Lsub;
use wire::response::{ListAttribute, Untagged};
use wire::value::MailboxName;

use crate::context::Authenticated;
use crate::error::{Done, No};
use crate::names;
use crate::pattern::{self, Pattern};

/// Runs the command.
pub async fn run(cx: &mut Authenticated<'_>, args: Lsub) -> Result<Done, No> {
    let pattern = Pattern::new(&args.reference, &args.pattern);
    let state = cx.live.state();
    pattern::check(std::slice::from_ref(&pattern), state.mailboxes().map(|info| info.name))?;
    let parents: BTreeSet<&str> =
        state.mailboxes().flat_map(|info| names::parents(info.name)).collect();
    for info in state.mailboxes().filter(|info| pattern.matches(info.name)) {
        let mut attributes = vec![match parents.contains(info.name) {
            true => ListAttribute::HasChildren,
            false => ListAttribute::HasNoChildren,
        }];
        let roles = info.roles.iter();
        attributes.extend(roles.map(|&role| ListAttribute::Use(names::special_use(role))));
        cx.out.untagged(&Untagged::Xlist(attributes, MailboxName(info.name.to_owned())));
        cx.out.flow().await?;
    }
    Ok(Done::new("XLIST completed"))
}
