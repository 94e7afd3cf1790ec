//! Commands as a client writes them.

use crate::command::Command;

/// The command's text without its tag, with its line ending; strings that do not fit quotes are
/// non-synchronizing literals. Mailbox names are in modified UTF-7.
pub fn print(command: &Command) -> Vec<u8> {
    let _ = command;
    Vec::new()
}
