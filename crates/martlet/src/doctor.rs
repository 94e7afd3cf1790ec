//! `martlet doctor`: every byte of the data, looked at.
//!
//! A check only reads, and may run beside a server. A repair needs the data for itself.

use std::collections::HashMap;
use std::io::IsTerminal;
use std::path::Path;

use base::AccountId;
use indicatif::ProgressBar;
use serde_json::{Value, json};
use storage_files::doctor::{self, Finding, Progress, Repaired, Report, Severity};

use crate::account::print_json;
use crate::cli::{Doctor, Place};
use crate::client::{Missing, call};
use crate::exit::{Failure, Kind, Outcome};
use crate::operation::{Names, Request};

/// Checks, and repairs if it was asked to.
pub(crate) fn run(place: &Place, flags: &Doctor) -> Outcome {
    let data = crate::config_at(place)?.settings.data;
    if !data.is_dir() {
        let message = format!("{}: there is no such data directory", data.display());
        return Err(Failure::new(Kind::Unavailable, message));
    }
    let account = flags.account.as_deref().map(|name| find(place, name)).transpose()?;
    // The check comes first: opening the data to ask for names would already mend torn ends.
    let (report, repaired) = match flags.repair {
        false => (check(&data, account)?, None),
        true => {
            let repaired = repair(&data, account)?;
            (repaired.after.clone(), Some(repaired))
        }
    };
    let names = match account {
        None => names(place),
        Some(_) => names(place).map(|names| Names { without_mail: Vec::new(), ..names }),
    };
    let well = report.is_well() && names.as_ref().is_ok_and(|names| names.without_mail.is_empty());
    if flags.json {
        print_json(&as_json(&report, repaired.as_ref(), names.as_ref().ok(), well))?;
    } else {
        print(&report, repaired.as_ref(), names.as_ref().ok());
    }
    names?;
    if well { Ok(()) } else { Err(Failure::new(Kind::Incomplete, "not all is well")) }
}

fn names(place: &Place) -> Result<Names, Failure> {
    let answer = call(place, Missing::Refuse, &Request::Names, |_| {})?;
    serde_json::from_value(answer).map_err(Failure::failed)
}

/// An account by its name, or by its identity when it has no name any more.
fn find(place: &Place, name: &str) -> Result<AccountId, Failure> {
    if let Some(id) = AccountId::parse(name) {
        return Ok(id);
    }
    let names = names(place)?;
    let id = names.accounts.iter().find(|(_, one)| *one == name).map(|(id, _)| id);
    let no_account = || Failure::failed(format!("there is no account {name}"));
    id.and_then(|id| AccountId::parse(id)).ok_or_else(no_account)
}

fn unavailable(error: storage::Error) -> Failure {
    Failure::new(Kind::Unavailable, error.to_string())
}

fn check(data: &Path, account: Option<AccountId>) -> Result<Report, Failure> {
    let bar = spinner();
    let report = doctor::check(data, account, &mut |progress| show(&bar, &progress));
    bar.finish_and_clear();
    report.map_err(unavailable)
}

fn repair(data: &Path, account: Option<AccountId>) -> Result<Repaired, Failure> {
    // Held against servers; the engine has a lock of its own.
    let _lock = server::DataLock::take(data).map_err(|error| {
        let message = format!("{error}; a repair needs the data for itself: stop the server first");
        Failure::new(Kind::Unavailable, message)
    })?;
    let bar = spinner();
    let repaired = doctor::repair(data, account, &mut |progress| show(&bar, &progress));
    bar.finish_and_clear();
    repaired.map_err(unavailable)
}

fn spinner() -> ProgressBar {
    match std::io::stderr().is_terminal() {
        true => ProgressBar::new_spinner(),
        false => ProgressBar::hidden(),
    }
}

fn show(bar: &ProgressBar, progress: &Progress<'_>) {
    match progress {
        Progress::Account(id, nth, count) => {
            bar.set_message(format!("account {} of {count}: {id}", nth + 1));
        }
        Progress::File(_, bytes) => bar.inc(*bytes),
        Progress::Finding(_) => {}
    }
    bar.tick();
}

fn name_of(names: Option<&Names>, id: AccountId) -> String {
    let id = id.to_string();
    let names: HashMap<&str, &str> = names
        .into_iter()
        .flat_map(|names| &names.accounts)
        .map(|(id, name)| (id.as_str(), name.as_str()))
        .collect();
    match names.get(id.as_str()) {
        Some(name) => (*name).to_owned(),
        None if id == AccountId::SYSTEM.to_string() => "directory of users".to_owned(),
        None => id,
    }
}

fn print(report: &Report, repaired: Option<&Repaired>, names: Option<&Names>) {
    if let Some(repaired) = repaired {
        for finding in &repaired.before.findings {
            println!("found    {}", line(finding, names));
        }
        for file in &repaired.kept_aside {
            println!("kept     {file} (the damaged file, in damaged/)");
        }
        println!("expunged {} messages that cannot be read", repaired.expunged);
    }
    for finding in &report.findings {
        let severity = match finding.severity {
            Severity::Damage => "damage  ",
            Severity::Note => "note    ",
        };
        println!("{severity} {}", line(finding, names));
    }
    for id in names.into_iter().flat_map(|names| &names.without_owner) {
        println!("note     account {id} has mail but no name: an interrupted removal");
    }
    for name in names.into_iter().flat_map(|names| &names.without_mail) {
        println!("damage   account {name} has no mail store");
    }
    println!(
        "{} accounts, {} messages with {} bytes, {} records, {} frames: {}",
        report.accounts,
        report.messages,
        report.octets,
        report.records,
        report.frames,
        if report.is_well() { "all is well" } else { "damaged" },
    );
}

/// `alice: INBOX, UID 5: accounts/3f/…/00000001.seg at byte 1234: what it is`
fn line(finding: &Finding, names: Option<&Names>) -> String {
    let mut line = name_of(names, finding.account);
    if let Some((mailbox, uid)) = &finding.message {
        line.push_str(&format!(": {mailbox}, UID {uid}"));
    }
    line.push_str(&format!(": {}", finding.file));
    if let Some(offset) = finding.offset {
        line.push_str(&format!(" at byte {offset}"));
    }
    line.push_str(&format!(": {}", finding.what));
    line
}

fn finding_as_json(finding: &Finding, names: Option<&Names>) -> Value {
    let (mailbox, uid) = match &finding.message {
        Some((mailbox, uid)) => (Some(mailbox), Some(uid.get())),
        None => (None, None),
    };
    json!({
        "account": finding.account.to_string(),
        "name": name_of(names, finding.account),
        "severity": match finding.severity {
            Severity::Damage => "damage",
            Severity::Note => "note",
        },
        "file": finding.file,
        "offset": finding.offset,
        "mailbox": mailbox,
        "uid": uid,
        "what": finding.what,
    })
}

fn as_json(
    report: &Report,
    repaired: Option<&Repaired>,
    names: Option<&Names>,
    well: bool,
) -> Value {
    let findings = |report: &Report| -> Vec<Value> {
        report.findings.iter().map(|finding| finding_as_json(finding, names)).collect()
    };
    json!({
        "well": well,
        "accounts": report.accounts,
        "messages": report.messages,
        "octets": report.octets,
        "records": report.records,
        "frames": report.frames,
        "findings": findings(report),
        "without_owner": names.map(|names| &names.without_owner),
        "without_mail": names.map(|names| &names.without_mail),
        "repaired": repaired.map(|repaired| json!({
            "findings": findings(&repaired.before),
            "kept_aside": repaired.kept_aside,
            "expunged": repaired.expunged,
        })),
    })
}
