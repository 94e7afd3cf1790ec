//! martlet with its defaults; only limits on connections are out of the way.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use super::{ACCOUNTS, PASSWORD, Started, log, output, user};
use crate::imap::Failure;
use crate::wire::text;

/// All clients come from one address.
const LIMITS: &str = "[limits]\nconnections_per_address_max = 1000000\n\
    connections_per_account_max = 1000000\nconnections_before_login_max = 1000000\n";

pub(super) fn start(binary: &Path, home: &Path, settings: &str) -> Result<Started, Failure> {
    let errors = fs::File::create(home.join("log")).map_err(text)?;
    let config = home.join("martlet.toml");
    fs::write(&config, LIMITS.to_owned() + settings).map_err(text)?;
    let mut child = Command::new(binary)
        .args(["serve", "--imap", "127.0.0.1:0", "--imaps", "127.0.0.1:0", "--lmtp", "127.0.0.1:0"])
        .arg("--data")
        .arg(home.join("data"))
        .arg("--config")
        .arg(config)
        .stdout(Stdio::piped())
        .stderr(errors)
        .spawn()
        .map_err(|error| format!("{}: {error}", binary.display()))?;
    let mut line = String::new();
    let stdout = child.stdout.take().ok_or("no standard output")?;
    BufReader::new(stdout).read_line(&mut line).map_err(text)?;
    let address = |name: &str| {
        let found = line.split_whitespace().find_map(|word| word.strip_prefix(name));
        found.map(str::to_owned).ok_or_else(|| format!("not ready: {line}{}", log(home)))
    };
    let addresses = [address("imap=")?, address("imaps=")?, address("lmtp=")?];
    Ok((child, addresses))
}

/// A password's hash takes a while: some at a time.
pub(super) fn add_accounts(binary: &Path, data: &Path) -> Result<(), Failure> {
    let users: Vec<String> = (0..ACCOUNTS).map(user).collect();
    users.chunks(8).try_for_each(|users| {
        let children = users.iter().map(|user| add_account(binary, data, user));
        let children = children.collect::<Result<Vec<_>, Failure>>()?;
        children.into_iter().zip(users).try_for_each(|(mut child, user)| {
            match child.wait().map_err(text)?.success() {
                true => Ok(()),
                false => Err(format!("account {user} could not be added")),
            }
        })
    })
}

fn add_account(binary: &Path, data: &Path, user: &str) -> Result<Child, Failure> {
    let mut child = Command::new(binary)
        .args(["account", "add", user, "--password-stdin", "--data"])
        .arg(data)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .map_err(text)?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(format!("{PASSWORD}\n").as_bytes()).map_err(text)?;
    }
    Ok(child)
}

/// It ends when the index is built.
pub(super) fn index(binary: &Path, data: &Path) -> Result<usize, Failure> {
    let said = output(Command::new(binary).args(["index", "rebuild", "--data"]).arg(data))?;
    let count = said.split_whitespace().next().and_then(|word| word.parse().ok());
    count.ok_or_else(|| format!("index rebuild: {said}"))
}
