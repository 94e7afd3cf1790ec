//! `martlet index`: the text index.

use crate::account::print_json;
use crate::cli::{IndexCommand, Place};
use crate::client::{Missing, call};
use crate::exit::{Failure, Outcome};
use crate::import_command::Bars;
use crate::operation::{Rebuilt, Request, StatusLine};

/// Runs one of them.
pub(crate) fn run(place: &Place, command: &IndexCommand) -> Outcome {
    match command {
        IndexCommand::Rebuild { account, json } => rebuild(place, account.clone(), *json),
        IndexCommand::Status { account, json } => status(place, account.clone(), *json),
    }
}

fn rebuild(place: &Place, account: Option<String>, json: bool) -> Outcome {
    let bars = Bars::default();
    let request = Request::IndexRebuild { account };
    let answer = call(place, Missing::Refuse, &request, move |value| bars.update(&value))?;
    if json {
        return print_json(&answer);
    }
    let rebuilt: Rebuilt = serde_json::from_value(answer).map_err(Failure::failed)?;
    let plural = if rebuilt.accounts == 1 { "" } else { "s" };
    println!("{} messages of {} account{plural} indexed", rebuilt.messages, rebuilt.accounts);
    Ok(())
}

fn status(place: &Place, account: Option<String>, json: bool) -> Outcome {
    let answer = call(place, Missing::Refuse, &Request::IndexStatus { account }, |_| {})?;
    if json {
        return print_json(&answer);
    }
    let lines: Vec<StatusLine> = serde_json::from_value(answer).map_err(Failure::failed)?;
    for line in lines {
        println!("{}: {}", line.account, facts(&line));
    }
    Ok(())
}

fn facts(line: &StatusLine) -> String {
    let messages = line.indexed + line.waiting + line.unreadable;
    let mut facts = format!("{} of {messages} messages indexed", line.indexed);
    if line.unreadable > 0 {
        facts += &format!(", {} damaged", line.unreadable);
    }
    let dead = line.documents.saturating_sub(line.indexed);
    if dead > 0 {
        facts += &format!(", {dead} expunged still in it");
    }
    if line.segments > 0 {
        let plural = if line.segments == 1 { "" } else { "s" };
        facts += &format!(
            ", {} segment{plural}, {} for {} of text ({} %)",
            line.segments,
            size(line.index_bytes),
            size(line.text_bytes),
            line.share_percent
        );
    }
    facts
}

fn size(bytes: u64) -> String {
    indicatif::HumanBytes(bytes).to_string()
}
