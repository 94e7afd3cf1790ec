//! CLOSE: expunge without a word and leave the mailbox.
//!
//! RFC 9051 §6.4.1. HIGHESTMODSEQ must not be sent (RFC 7162 §3.2.8): the client was not told of
//! the expunges and would believe itself up to date.

use super::expunge;
use crate::context::Selected;
use crate::error::{Done, Next, No};

/// Runs the command. A mailbox that was EXAMINEd loses nothing, which is no error.
pub async fn run(cx: &mut Selected<'_>) -> Result<Done, No> {
    if !cx.mailbox.read_only {
        cx.absorb();
        expunge::expunge(cx, None).await?;
    }
    Ok(Done::new("CLOSE completed").next(Next::Unselect))
}
