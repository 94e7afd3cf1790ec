//! The command line: configuration, and accounts with a server and without one.
#![allow(clippy::unwrap_used)]

mod common;

use common::{Server, add_account, binary, cli, cli_ok, texts};

#[test]
fn config_check_tells_all_mistakes_at_once() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("martlet.toml");
    std::fs::write(&file, "daat = 1\n[listen]\nimap = \"143\"\n[limits]\nidle_time = \"1m\"\n")
        .unwrap();
    let output = binary().args(["config", "check", "--config"]).arg(&file).output().unwrap();
    let (out, err) = texts(&output);
    assert_eq!(output.status.code(), Some(2), "{out}{err}");
    let lines: Vec<&str> = err.lines().collect();
    assert_eq!(lines.len(), 3, "{err}");
    for (line, (number, key, remedy)) in lines.iter().zip([
        (1, "daat", "did you mean data?"),
        (3, "listen.imap", "[::]:143"),
        (5, "limits.idle_time", "30m"),
    ]) {
        let start = format!("{}:{number}: {key}: ", file.display());
        assert!(line.starts_with(&start) && line.contains(remedy), "{line}");
    }
    // A server does not start on it.
    let serve = binary().args(["serve", "--config"]).arg(&file).output().unwrap();
    assert_eq!((serve.status.code(), texts(&serve).1), (Some(2), err));
}

#[test]
fn the_default_configuration_is_all_well() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("martlet.toml");
    let default = binary().args(["config", "default"]).output().unwrap();
    assert!(default.status.success());
    std::fs::write(&file, default.stdout).unwrap();
    let output = binary().args(["config", "check", "--config"]).arg(&file).output().unwrap();
    assert!(output.status.success(), "{:?}", texts(&output));
}

#[test]
fn wrong_usage_is_2() {
    for words in [
        &["frobnicate"][..],
        &["serve", "--imap", "nowhere"],
        &["config", "check"],
        &["account", "quota", "alice", "much"],
        &["account", "remove", "alice"],
    ] {
        let output = binary().args(words).current_dir("/").output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{words:?}: {:?}", texts(&output));
    }
}

/// The life of an account, with the commands that `check` runs between them.
fn life(data: &std::path::Path, login: impl Fn(&str, &str) -> Option<bool>) {
    let ok = |words: &[&str], input: &str| cli_ok(data, words, input);
    let refused = |words: &[&str], input: &str, why: &str| {
        let output = cli(data, words, input);
        let (out, err) = texts(&output);
        assert_eq!(output.status.code(), Some(1), "{words:?}: {out}{err}");
        assert!(err.contains(why), "{words:?}: {err}");
    };
    let can = |name: &str, password: &str, expected: bool| {
        assert!(login(name, password).is_none_or(|could| could == expected), "{name} {password}");
    };
    ok(&["account", "add", "bob@example.org", "--password-stdin"], "one two three\nrest\n");
    can("bob@example.org", "one two three", true);
    can("bob@example.org", "one two three\nrest", false);
    refused(&["account", "add", "BOB@example.org", "--password-stdin"], "x y z\n", "taken");
    refused(&["account", "add", "no/good", "--password-stdin"], "x y z\n", "cannot be a name");
    refused(&["account", "add", "carol", "--password-stdin"], "\n", "empty");
    ok(&["account", "passwd", "bob@example.org", "--password-stdin"], "four five six\r\n");
    can("bob@example.org", "one two three", false);
    can("bob@example.org", "four five six", true);
    ok(&["account", "alias", "add", "bob", "bob@example.org"], "");
    can("bob", "four five six", true);
    assert_eq!(ok(&["account", "alias", "list"], ""), "bob\tbob@example.org\n");
    refused(&["account", "alias", "add", "bob", "bob@example.org"], "", "taken");
    ok(&["account", "disable", "bob"], "");
    can("bob", "four five six", false);
    ok(&["account", "enable", "bob"], "");
    ok(&["account", "quota", "bob", "2GiB"], "");
    let list: serde_json::Value =
        serde_json::from_str(&ok(&["account", "list", "--json"], "")).unwrap();
    let bob = list.as_array().unwrap().iter().find(|one| one["name"] == "bob@example.org").unwrap();
    assert_eq!(bob["quota"], 2_u64 << 30);
    assert_eq!(bob["aliases"][0], "bob");
    let page: serde_json::Value =
        serde_json::from_str(&ok(&["account", "show", "bob", "--json"], "")).unwrap();
    let names: Vec<&str> =
        page["mailboxes"].as_array().unwrap().iter().map(|m| m["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["Archive", "Drafts", "INBOX", "Junk", "Sent", "Trash"]);
    ok(&["account", "alias", "remove", "bob"], "");
    refused(&["account", "show", "bob"], "", "there is no account bob");
    ok(&["account", "remove", "bob@example.org", "--yes"], "");
    can("bob@example.org", "four five six", false);
    refused(&["account", "remove", "bob@example.org", "--yes"], "", "there is no account");
}

#[test]
fn accounts_without_a_server() {
    let home = tempfile::tempdir().unwrap();
    let data = home.path().join("data");
    add_account(&data, "alice");
    life(&data, |_, _| None);
    assert_eq!(cli_ok(&data, &["account", "list"], ""), "alice\n");
}

#[test]
fn accounts_while_a_server_runs() {
    let home = tempfile::tempdir().unwrap();
    let data = home.path().join("data");
    let server = Server::start(&data);
    add_account(&data, "alice");
    life(&data, |name, password| {
        let mut imap = server.imap();
        let password = password.replace('\n', " ");
        let answer = imap.command(&format!("LOGIN {name} \"{password}\"")).unwrap();
        Some(answer.last().unwrap().contains(" OK "))
    });
    assert_eq!(cli_ok(&data, &["account", "list"], ""), "alice\n");
    // A session of an account that is removed ends.
    let mut imap = server.session("alice");
    imap.ok("SELECT INBOX");
    cli_ok(&data, &["account", "remove", "alice", "--yes"], "");
    imap.send(b"n NOOP\r\n").unwrap();
    let mut said = String::new();
    while let Ok(response) = imap.response() {
        said.push_str(&response);
    }
    assert!(said.contains("* BYE"), "{said}");
}

#[test]
fn a_mistyped_directory_is_not_an_empty_mail_store() {
    let home = tempfile::tempdir().unwrap();
    let data = home.path().join("data");
    let output = cli(&data, &["account", "list"], "");
    assert_eq!(output.status.code(), Some(3), "{:?}", texts(&output));
    assert!(!data.exists());
}

#[test]
fn the_data_is_found_in_the_configuration() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("martlet.toml");
    std::fs::write(&file, "data = \"mail\"\n").unwrap();
    add_account(&home.path().join("mail"), "alice");
    let output = binary().args(["account", "list", "--config"]).arg(&file).output().unwrap();
    assert_eq!(texts(&output).0, "alice\n");
}
