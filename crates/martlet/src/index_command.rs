//! `martlet index`: the text index.

use crate::cli::{IndexCommand, Place};
use crate::client::{Missing, call};
use crate::exit::{Failure, Outcome};
use crate::import_command::Bars;
use crate::operation::{Rebuilt, Request};

/// Runs one of them.
pub(crate) fn run(place: &Place, command: &IndexCommand) -> Outcome {
    let IndexCommand::Rebuild { account } = command;
    let bars = Bars::default();
    let request = Request::IndexRebuild { account: account.clone() };
    let answer = call(place, Missing::Refuse, &request, move |value| bars.update(&value))?;
    let rebuilt: Rebuilt = serde_json::from_value(answer).map_err(Failure::failed)?;
    let plural = if rebuilt.accounts == 1 { "" } else { "s" };
    println!("{} messages of {} account{plural} indexed", rebuilt.messages, rebuilt.accounts);
    Ok(())
}
