//! Commands as a client writes them.

use crate::command::{self, Command};
use crate::emit::Style;

/// The command's text without its tag, with its line ending; strings that do not fit quotes are
/// non-synchronizing literals. Mailbox names are in modified UTF-7.
pub fn print(command: &Command) -> Vec<u8> {
    print_for(command, false)
}

/// The same; after `ENABLE UTF8=ACCEPT` or `ENABLE IMAP4rev2`, with `utf8`, names are in UTF-8.
pub fn print_for(command: &Command, utf8: bool) -> Vec<u8> {
    let mut out = Vec::new();
    command::print(command, &mut out, Style { client: true, utf8 });
    out.extend_from_slice(b"\r\n");
    out
}
