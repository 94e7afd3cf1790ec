//! DELETE.

use wire::value::MailboxName;

use crate::context::Authenticated;
use crate::error::{Done, No};

/// Runs the command.
pub async fn run(cx: &mut Authenticated<'_>, args: MailboxName) -> Result<Done, No> {
    let _ = (cx, args);
    Err(No::Bad("not there yet"))
}
