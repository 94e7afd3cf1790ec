//! ID: who is at either end, for logs and for capability masks.
//!
//! RFC 2971 §3.1. Before login the server tells its name only: versions help strangers.

use bytes::Bytes;
use wire::response::Untagged;

use crate::error::{Done, No};
use crate::session::Driver;

/// RFC 2971 §3.3 bounds names and values; what is longer is not kept.
const NAME_BYTES_MAX: usize = 1024;

/// Runs the command.
pub(crate) fn run<T: crate::Transport>(
    driver: &mut Driver<T>,
    args: Option<Vec<(Bytes, Option<Bytes>)>>,
) -> Result<Done, No> {
    let name = args.iter().flatten().find(|(field, _)| field.eq_ignore_ascii_case(b"name"));
    if let Some((_, Some(name))) = name {
        let name = String::from_utf8_lossy(&name[..name.len().min(NAME_BYTES_MAX)]).into_owned();
        tracing::debug!(remote = %driver.client.channel.remote, client = ?name, "client named itself");
        driver.client.id_name = Some(name);
    }
    let settings = &driver.shared.settings;
    let mut own = vec![("name", settings.name.clone())];
    if driver.client.identity.is_some() {
        own.push(("version", settings.version.clone()));
    }
    driver.output.untagged(&Untagged::Id(Some(own)));
    Ok(Done::new("ID completed"))
}
