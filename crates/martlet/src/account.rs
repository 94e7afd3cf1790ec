//! `martlet account`: what it asks for, and how the answers look.

use serde_json::Value;

use crate::cli::{AccountCommand, AliasCommand, Place};
use crate::client::{Missing, call};
use crate::config::{parse_size, print_size};
use crate::exit::{Failure, Kind, Outcome};
use crate::operation::{AccountLine, AccountPage, Request};
use crate::password;

/// Runs one of them.
pub(crate) fn run(place: &Place, command: &AccountCommand) -> Outcome {
    let ask = |request: &Request| call(place, Missing::Refuse, request, |_| {});
    match command {
        AccountCommand::Add { name, password_stdin } => {
            let password = password::read(*password_stdin)?;
            let request = Request::AccountAdd { name: name.clone(), password };
            let added: AccountLine = read(call(place, Missing::Create, &request, |_| {})?)?;
            println!("account {} added", added.name);
        }
        AccountCommand::List { json } => list(ask(&Request::AccountList)?, *json)?,
        AccountCommand::Show { name, json } => {
            show(ask(&Request::AccountShow { name: name.clone() })?, *json)?;
        }
        AccountCommand::Passwd { name, password_stdin } => {
            let password = password::read(*password_stdin)?;
            ask(&Request::AccountPassword { name: name.clone(), password })?;
            println!("password of {name} changed");
        }
        AccountCommand::Remove { name, yes } => {
            if !yes {
                let message = format!("this removes {name} with all its mail; add --yes");
                return Err(Failure::new(Kind::Usage, message));
            }
            ask(&Request::AccountRemove { name: name.clone() })?;
            println!("account {name} removed");
        }
        AccountCommand::Disable { name } => {
            ask(&Request::AccountDisable { name: name.clone(), disabled: true })?;
            println!("account {name} disabled");
        }
        AccountCommand::Enable { name } => {
            ask(&Request::AccountDisable { name: name.clone(), disabled: false })?;
            println!("account {name} enabled");
        }
        AccountCommand::Quota { name, size } => {
            let bytes = match size.as_str() {
                "none" => None,
                size => Some(parse_size(size).ok_or_else(|| {
                    let message = format!("\"{size}\" is not a size; write 2GiB, or none");
                    Failure::new(Kind::Usage, message)
                })?),
            };
            ask(&Request::AccountQuota { name: name.clone(), bytes })?;
            println!("quota of {name}: {}", bytes.map_or("none".to_owned(), print_size));
        }
        AccountCommand::Alias(command) => alias(command, ask)?,
    }
    Ok(())
}

fn alias(command: &AliasCommand, ask: impl Fn(&Request) -> Result<Value, Failure>) -> Outcome {
    match command {
        AliasCommand::Add { alias, name } => {
            ask(&Request::AliasAdd { alias: alias.clone(), name: name.clone() })?;
            println!("{alias} is {name}");
        }
        AliasCommand::Remove { alias } => {
            ask(&Request::AliasRemove { alias: alias.clone() })?;
            println!("alias {alias} removed");
        }
        AliasCommand::List { json } => {
            let pairs = ask(&Request::AliasList)?;
            if *json {
                return print_json(&pairs);
            }
            for pair in pairs.as_array().into_iter().flatten() {
                let text = |key: &str| pair[key].as_str().unwrap_or_default().to_owned();
                println!("{}\t{}", text("alias"), text("account"));
            }
        }
    }
    Ok(())
}

fn read<T: serde::de::DeserializeOwned>(value: Value) -> Result<T, Failure> {
    serde_json::from_value(value).map_err(Failure::failed)
}

/// For programs.
pub(crate) fn print_json(value: &Value) -> Outcome {
    println!("{}", serde_json::to_string_pretty(value).map_err(Failure::failed)?);
    Ok(())
}

fn list(value: Value, json: bool) -> Outcome {
    if json {
        return print_json(&value);
    }
    for account in read::<Vec<AccountLine>>(value)? {
        println!("{}{}", account.name, remarks(&account));
    }
    Ok(())
}

fn remarks(account: &AccountLine) -> String {
    let mut remarks = Vec::new();
    if account.disabled {
        remarks.push("disabled".to_owned());
    }
    if !account.has_password {
        remarks.push("no password".to_owned());
    }
    if let Some(quota) = account.quota {
        remarks.push(format!("quota {}", print_size(quota)));
    }
    if !account.aliases.is_empty() {
        remarks.push(format!("also {}", account.aliases.join(", ")));
    }
    if remarks.is_empty() { String::new() } else { format!("\t({})", remarks.join("; ")) }
}

fn show(value: Value, json: bool) -> Outcome {
    if json {
        return print_json(&value);
    }
    let page: AccountPage = read(value)?;
    println!("{}{}", page.line.name, remarks(&page.line));
    println!("{} messages, {} bytes", page.messages, page.size_bytes);
    let width = page.mailboxes.iter().map(|mailbox| mailbox.name.chars().count()).max();
    println!("{:>9} {:>9} {:>14}  mailbox", "messages", "unseen", "bytes");
    for mailbox in &page.mailboxes {
        println!(
            "{:>9} {:>9} {:>14}  {:width$}  uidvalidity {}, uidnext {}",
            mailbox.messages,
            mailbox.unseen,
            mailbox.size_bytes,
            mailbox.name,
            mailbox.uid_validity,
            mailbox.uid_next,
            width = width.unwrap_or(0),
        );
    }
    Ok(())
}
