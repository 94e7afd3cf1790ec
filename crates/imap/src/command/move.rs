//! MOVE: COPY and expunge in one record.
//!
//! RFC 9051 §6.4.8, RFC 6851. COPYUID goes before EXPUNGE or VANISHED (RFC 6851 §4.3), HIGHESTMODSEQ
//! with the tagged OK (RFC 6851 §4.4).

use wire::command::Copy;
use wire::response::{Code, Condition, Untagged};

use super::copy::transfer;
use crate::context::Selected;
use crate::error::{Done, No};

/// Runs the command; the end of the command tells EXPUNGE or VANISHED.
pub async fn run(cx: &mut Selected<'_>, args: Copy) -> Result<Done, No> {
    cx.must_be_writable()?;
    let Some(moved) = transfer(cx, &args, true).await? else {
        return Ok(Done::new("MOVE completed, nothing moved"));
    };
    let text = "Messages moved".to_owned();
    cx.out.untagged(&Untagged::Status(Condition::Ok, Some(moved.code()), text));
    cx.absorb();
    let code = cx
        .client
        .enabled
        .condstore
        .then(|| Code::HighestModSeq(cx.mailbox.view.mailbox().highest_mod_seq()));
    Ok(Done::new("MOVE completed").code(code))
}
