//! ENABLE: UTF8=ACCEPT, CONDSTORE, QRESYNC, IMAP4rev2.
//!
//! RFC 9051 §6.3.1, RFC 5161; QRESYNC: RFC 7162 §3.2.3; UTF8=ACCEPT: RFC 6855 §3.

use bytes::Bytes;
use wire::response::Untagged;

use crate::error::{Done, No};
use crate::session::Driver;

/// Runs the command. What is unknown, or not offered to this client, is left out of the answer,
/// which comes even if it is empty.
pub(crate) fn run<T: crate::Transport>(
    driver: &mut Driver<T>,
    names: Vec<Bytes>,
) -> Result<Done, No> {
    const KNOWN: [&str; 4] = ["CONDSTORE", "QRESYNC", "UTF8=ACCEPT", "IMAP4rev2"];
    let mask = &driver.shared.settings.mask;
    let asked: Vec<&'static str> = KNOWN
        .into_iter()
        .filter(|known| names.iter().any(|name| name.eq_ignore_ascii_case(known.as_bytes())))
        .filter(|known| !mask.hides(known, &driver.client))
        .collect();
    let condstore = asked.iter().any(|&name| name == "CONDSTORE" || name == "QRESYNC");
    driver.output.untagged(&Untagged::Enabled(asked.clone()));
    let enabled = &mut driver.client.enabled;
    enabled.qresync |= asked.contains(&"QRESYNC");
    enabled.utf8 |= asked.contains(&"UTF8=ACCEPT");
    enabled.rev2 |= asked.contains(&"IMAP4rev2");
    if condstore {
        driver.enable_condstore();
    }
    driver.enabled_changed();
    Ok(Done::new("ENABLE completed"))
}
