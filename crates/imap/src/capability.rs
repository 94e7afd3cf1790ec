//! What the server says it can do: RFC 9051 §6.1.1, §7.2.1.

use std::collections::BTreeMap;

use crate::context::{Client, Shared};

/// Capabilities that are hidden: from all, from accounts, from clients by the name of their ID.
/// A hidden capability is not advertised and can't be enabled.
#[derive(Clone, Debug, Default)]
pub struct Mask {
    /// Hidden from all, in upper case.
    pub everywhere: Vec<String>,
    /// Hidden from accounts, by name.
    pub accounts: BTreeMap<String, Vec<String>>,
    /// Hidden from clients, by the `name` of their ID in lower case.
    pub clients: BTreeMap<String, Vec<String>>,
}

impl Mask {
    /// Whether `capability` is hidden from `client`.
    pub fn hides(&self, capability: &str, client: &Client) -> bool {
        let listed = |list: Option<&Vec<String>>| {
            list.is_some_and(|list| list.iter().any(|name| name.eq_ignore_ascii_case(capability)))
        };
        let account = client.identity.as_ref().and_then(|who| self.accounts.get(&who.name));
        let name = client.id_name.as_ref().and_then(|name| self.clients.get(&name.to_lowercase()));
        listed(Some(&self.everywhere)) || listed(account) || listed(name)
    }
}

/// Tells how far long commands are.
pub(crate) const INPROGRESS: &str = "INPROGRESS";

/// Everything that does not depend on the connection, before and after login alike: some clients
/// never ask again.
const ALWAYS: [&str; 33] = [
    "IMAP4rev1",
    "IMAP4rev2",
    "SASL-IR",
    "ID",
    "ENABLE",
    "IDLE",
    INPROGRESS,
    "NAMESPACE",
    "CHILDREN",
    "UNSELECT",
    "UIDPLUS",
    "MOVE",
    "LIST-EXTENDED",
    "LIST-STATUS",
    "SPECIAL-USE",
    "CREATE-SPECIAL-USE",
    "STATUS=SIZE",
    "ESEARCH",
    "SEARCHRES",
    "MULTISEARCH",
    "CONDSTORE",
    "QRESYNC",
    "BINARY",
    "MULTIAPPEND",
    "UTF8=ACCEPT",
    "OBJECTID",
    "SAVEDATE",
    "WITHIN",
    "SORT",
    "SORT=DISPLAY",
    "ESORT",
    "THREAD=ORDEREDSUBJECT",
    "THREAD=REFERENCES",
];

/// The list for this client, in this state.
pub fn list(shared: &Shared, client: &Client) -> Vec<String> {
    let mut all: Vec<String> = ALWAYS.iter().map(|&name| name.to_owned()).collect();
    all.push(format!("APPENDLIMIT={}", shared.limits.message_bytes_max));
    match &client.identity {
        Some(_) => all.push("LITERAL+".to_owned()),
        None => {
            all.push("LITERAL-".to_owned());
            if client.can_start_tls {
                all.push("STARTTLS".to_owned());
            }
            if !client.channel.secure {
                all.push("LOGINDISABLED".to_owned());
            }
            let mechanisms = shared.authenticator.mechanisms(&client.channel);
            all.extend(mechanisms.into_iter().map(|mechanism| format!("AUTH={mechanism}")));
        }
    }
    all.retain(|name| !shared.settings.mask.hides(name, client));
    all
}
