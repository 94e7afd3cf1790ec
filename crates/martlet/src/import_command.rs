//! `martlet import`: its progress bar and its report.

use std::fmt::Write;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use indicatif::{ProgressBar, ProgressState, ProgressStyle};
use serde_json::Value;

use crate::account::print_json;
use crate::cli::{ImportCommand, Place};
use crate::client::{Missing, call};
use crate::exit::{Failure, Kind, Outcome};
use crate::import::{MailboxReport, Report};
use crate::operation::Request;

/// Runs one of them.
pub(crate) fn run(place: &Place, command: &ImportCommand) -> Outcome {
    let (request, json) = match command {
        ImportCommand::Maildir { path, account, json } => {
            (Request::ImportMaildir { path: absolute(path)?, account: account.clone() }, *json)
        }
        ImportCommand::Mbox { path, account, mailbox, json } => {
            let mailbox = mailbox.clone().unwrap_or_else(|| "INBOX".to_owned());
            let (path, account) = (absolute(path)?, account.clone());
            (Request::ImportMbox { path, account, mailbox }, *json)
        }
    };
    let bars = Bars::default();
    let answer = call(place, Missing::Refuse, &request, move |value| bars.update(&value))?;
    let report: Report = serde_json::from_value(answer.clone()).map_err(Failure::failed)?;
    if json {
        print_json(&answer)?;
    } else {
        print(&report);
    }
    if report.complete {
        return Ok(());
    }
    Err(Failure::new(Kind::Incomplete, "not every message could be imported"))
}

/// A running server has a working directory of its own.
fn absolute(path: &Path) -> Result<PathBuf, Failure> {
    std::path::absolute(path).map_err(Failure::failed)
}

fn print(report: &Report) {
    let mut sum = MailboxReport::default();
    for mailbox in &report.mailboxes {
        println!("{}: {}", mailbox.name, counts(mailbox));
        sum.found += mailbox.found;
        sum.imported += mailbox.imported;
        sum.present += mailbox.present;
        sum.expunged += mailbox.expunged;
        sum.failed += mailbox.failed;
        sum.keeps_uids |= mailbox.keeps_uids;
    }
    if report.mailboxes.len() > 1 {
        println!("together: {}", counts(&sum));
    }
    for warning in &report.warnings {
        eprintln!("warning: {warning}");
    }
}

fn counts(report: &MailboxReport) -> String {
    let mut parts = vec![format!("{} of {} messages imported", report.imported, report.found)];
    for (count, what) in [
        (report.present, "skipped: already there"),
        (report.expunged, "skipped: expunged here since an earlier import"),
        (report.failed, "could not be read"),
    ] {
        if count > 0 {
            parts.push(format!("{count} {what}"));
        }
    }
    if report.keeps_uids && report.imported > 0 {
        parts.push("UIDs kept".to_owned());
    }
    parts.join(", ")
}

/// A bar for the mailbox at hand, on a terminal.
#[derive(Default)]
pub(crate) struct Bars {
    bar: Mutex<Option<(String, ProgressBar)>>,
}

impl Bars {
    /// What a progress line says.
    pub(crate) fn update(&self, value: &Value) {
        if !std::io::stderr().is_terminal() {
            return;
        }
        let (Some(mailbox), Some(done), Some(total)) =
            (value["mailbox"].as_str(), value["done"].as_u64(), value["total"].as_u64())
        else {
            return;
        };
        let mut held = self.bar.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if held.as_ref().is_none_or(|(name, _)| name != mailbox) {
            if let Some((_, old)) = held.take() {
                old.finish_and_clear();
            }
            let bar = ProgressBar::new(total);
            let style = "{msg} {wide_bar} {human_pos} of {human_len}, {rate}, {eta} left";
            if let Ok(style) = ProgressStyle::with_template(style) {
                bar.set_style(style.with_key("rate", rate));
            }
            bar.set_message(mailbox.to_owned());
            *held = Some((mailbox.to_owned(), bar));
        }
        if let Some((_, bar)) = held.as_ref() {
            bar.set_position(done);
        }
    }
}

/// Messages a second, without the fractions that nobody reads.
fn rate(state: &ProgressState, out: &mut dyn Write) {
    // What cannot be written is not shown.
    let _ = write!(out, "{:.0}/s", state.per_sec());
}

impl Drop for Bars {
    fn drop(&mut self) {
        let held = self.bar.get_mut().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some((_, bar)) = held.take() {
            bar.finish_and_clear();
        }
    }
}
