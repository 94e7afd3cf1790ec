//! Importing: what comes along, and what happens the second time.
#![allow(clippy::unwrap_used)]

mod common;

use std::fs::{self, File};
use std::path::Path;
use std::time::{Duration, SystemTime};

use common::{Imap, Server, add_account, cli, cli_ok, texts};
use serde_json::Value;

struct Fixture {
    _home: tempfile::TempDir,
    data: std::path::PathBuf,
    mail: std::path::PathBuf,
}

fn fixture() -> Fixture {
    let home = tempfile::tempdir().unwrap();
    let (data, mail) = (home.path().join("data"), home.path().join("mail"));
    add_account(&data, "alice");
    Fixture { _home: home, data, mail }
}

fn put(path: &Path, text: &str, seconds: u64) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
    File::options().append(true).open(path).unwrap().set_modified(time).unwrap();
}

fn message(subject: &str) -> String {
    format!("Subject: {subject}\nFrom: a@example.org\n\nThis is {subject}.\n")
}

fn import(fixture: &Fixture, words: &[&str]) -> (i32, Value) {
    let all = [words, &["--account", "alice", "--json"]].concat();
    let output = cli(&fixture.data, &all, "");
    let (out, err) = texts(&output);
    let report = serde_json::from_str(&out).unwrap_or_else(|_| panic!("{words:?}: {out}{err}"));
    (output.status.code().unwrap(), report)
}

fn maildir(fixture: &Fixture) -> Value {
    let (code, report) = import(fixture, &["import", "maildir", fixture.mail.to_str().unwrap()]);
    assert_eq!((code, &report["complete"]), (0, &Value::Bool(true)), "{report}");
    report
}

fn counts(report: &Value, mailbox: &str) -> [u64; 4] {
    let mailboxes = report["mailboxes"].as_array().unwrap();
    let one = mailboxes.iter().find(|one| one["name"] == mailbox);
    let one = one.unwrap_or_else(|| panic!("no {mailbox} in {report}"));
    ["found", "imported", "present", "expunged"].map(|key| one[key].as_u64().unwrap())
}

fn look(imap: &mut Imap, mailbox: &str) -> (Vec<String>, Vec<String>) {
    let select = imap.ok(&format!("EXAMINE \"{mailbox}\""));
    let mut fetch = imap.ok("FETCH 1:* (UID FLAGS INTERNALDATE RFC822.SIZE)");
    fetch.retain(|line| line.starts_with("* ") && line.contains(" FETCH "));
    let fetch = fetch.iter().map(|line| line.replace(" \\Recent", "").replace("\\Recent", ""));
    (select, fetch.collect())
}

fn dovecot(mail: &Path) {
    put(&mail.join("cur/1003.M3.host,S=50:2,FS"), &message("three"), 1_600_000_003);
    put(&mail.join("cur/1001.M1.host,S=50:2,Sab"), &message("one"), 1_600_000_001);
    put(&mail.join("cur/1002.M2.host,S=50,W=55:2,"), &message("two"), 1_600_000_002);
    put(&mail.join("new/1009.M9.host"), &message("nine"), 1_600_000_009);
    let list = "3 V1234567890 N50 G1234\n3 :1001.M1.host,S=50\n7 W55 :1002.M2.host,S=50,W=55\n\
                40 :1003.M3.host,S=50:2,S\n44 :gone.host\n";
    put(&mail.join("dovecot-uidlist"), list, 1);
    put(&mail.join("dovecot-keywords"), "0 $Forwarded\n1 NonJunk\n", 1);
    put(&mail.join("subscriptions"), "V\t2\n\nLists\trust\nEntw&APw-rfe\n", 1);
    put(&mail.join(".Lists.rust/cur/1.M.host:2,RTD"), &message("list"), 1_600_000_010);
    put(&mail.join(".Entw&APw-rfe/cur/1.M.host:2,"), &message("draft"), 1_600_000_011);
    put(&mail.join(".Sent Messages/cur/1.M.host:2,P"), &message("sent"), 1_600_000_012);
    fs::create_dir_all(mail.join(".Empty/cur")).unwrap();
}

#[test]
fn a_maildir_of_dovecot_keeps_everything() {
    let fixture = fixture();
    dovecot(&fixture.mail);
    let report = maildir(&fixture);
    assert_eq!(counts(&report, "INBOX"), [4, 4, 0, 0]);

    let server = Server::start(&fixture.data);
    let mut imap = server.session("alice");
    let (select, fetch) = look(&mut imap, "INBOX");
    assert!(select.iter().any(|line| line.contains("[UIDVALIDITY 1234567890]")), "{select:?}");
    assert!(select.iter().any(|line| line.contains("[UIDNEXT 51]")), "{select:?}");
    assert_eq!(
        fetch,
        [
            "* 1 FETCH (UID 3 FLAGS (\\Seen $Forwarded NonJunk) INTERNALDATE \"13-Sep-2020 12:26:41 +0000\" RFC822.SIZE 51)",
            "* 2 FETCH (UID 7 FLAGS () INTERNALDATE \"13-Sep-2020 12:26:42 +0000\" RFC822.SIZE 51)",
            "* 3 FETCH (UID 40 FLAGS (\\Flagged \\Seen) INTERNALDATE \"13-Sep-2020 12:26:43 +0000\" RFC822.SIZE 55)",
            "* 4 FETCH (UID 50 FLAGS () INTERNALDATE \"13-Sep-2020 12:26:49 +0000\" RFC822.SIZE 53)",
        ]
    );
    let (_, list) = look(&mut imap, "Lists/rust");
    assert!(list[0].contains("FLAGS (\\Answered \\Deleted \\Draft)"), "{list:?}");
    let (_, sent) = look(&mut imap, "Sent Messages");
    assert!(sent[0].contains("FLAGS ($Forwarded)"), "{sent:?}");
    let body = imap.ok("FETCH 1 BODY.PEEK[]");
    let expected = message("sent").replace('\n', "\r\n");
    assert_eq!(common::literal(&body[0]).unwrap(), expected.as_bytes());
    let subscribed = imap.ok("LSUB \"\" *").join("\n");
    assert!(subscribed.contains("Lists/rust") && subscribed.contains("Entw&APw-rfe"));
    let roles = imap.ok("LIST \"\" *").join("\n");
    assert!(roles.contains("\\Sent) \"/\" \"Sent Messages\""), "{roles}");
    assert!(!roles.contains("\"/\" Sent\n"), "the unused Sent made room: {roles}");
    assert!(roles.contains("\"/\" Empty"), "{roles}");
}

#[test]
fn the_second_time_only_what_is_new_comes_in() {
    let fixture = fixture();
    dovecot(&fixture.mail);
    maildir(&fixture);
    assert_eq!(counts(&maildir(&fixture), "INBOX"), [4, 0, 4, 0]);

    // Through a running server too, while mail arrives there and here.
    let server = Server::start(&fixture.data);
    let mut imap = server.session("alice");
    imap.append("INBOX", b"Subject: own\r\n\r\nown\r\n").unwrap();
    imap.ok("SELECT INBOX");
    imap.ok("STORE 1 +FLAGS (\\Deleted)");
    imap.ok("EXPUNGE");
    put(&fixture.mail.join("cur/1051.M.host:2,S"), &message("later"), 1_600_000_051);
    let path = fixture.mail.join("dovecot-uidlist");
    let list = fs::read_to_string(&path).unwrap().replace("N50", "N52");
    fs::write(&path, list + "50 :1009.M9.host\n51 :1051.M.host\n").unwrap();
    let report = maildir(&fixture);
    assert_eq!(counts(&report, "INBOX"), [5, 1, 3, 1], "{report}");
    assert_eq!(counts(&report, "Lists/rust"), [1, 0, 1, 0]);
    assert_eq!(counts(&maildir(&fixture), "INBOX"), [5, 0, 4, 1]);
    let (_, fetch) = look(&mut imap, "INBOX");
    assert_eq!(fetch.len(), 5, "{fetch:?}");
}

#[test]
fn an_account_with_mail_of_its_own_gets_no_duplicates() {
    let fixture = fixture();
    {
        let server = Server::start(&fixture.data);
        server.session("alice").append("INBOX", b"Subject: own\r\n\r\nown\r\n").unwrap();
    }
    dovecot(&fixture.mail);
    // Two that are the same stay two.
    put(&fixture.mail.join("cur/1011.M.host:2,"), &message("one"), 1_600_000_001);
    let report = maildir(&fixture);
    assert_eq!(counts(&report, "INBOX"), [5, 5, 0, 0]);
    assert!(report["warnings"][0].as_str().unwrap().contains("new UIDs"), "{report}");
    assert_eq!(counts(&maildir(&fixture), "INBOX"), [5, 0, 5, 0]);
}

#[test]
fn a_maildir_of_courier() {
    let fixture = fixture();
    let mail = &fixture.mail;
    put(&mail.join("cur/2000.x.host,S=50:2,RS"), &message("b"), 1_600_000_002);
    put(&mail.join("cur/1000.x.host,S=50:2,"), &message("a"), 1_600_000_001);
    put(
        &mail.join("courierimapuiddb"),
        "1 987654321 12\n5 2000.x.host,S=50\n9 1000.x.host,S=50\n",
        1,
    );
    put(&mail.join("courierimapsubscribed"), "INBOX\nINBOX.Trash\nINBOX.Old.2019\n", 1);
    put(&mail.join(".Old.2019/cur/1.x:2,S"), &message("old"), 1_500_000_000);
    maildir(&fixture);
    let server = Server::start(&fixture.data);
    let mut imap = server.session("alice");
    let (select, fetch) = look(&mut imap, "INBOX");
    assert!(select.iter().any(|line| line.contains("[UIDVALIDITY 987654321]")), "{select:?}");
    assert!(select.iter().any(|line| line.contains("[UIDNEXT 12]")), "{select:?}");
    assert!(fetch[0].contains("UID 5 ") && fetch[0].contains("\\Answered"), "{fetch:?}");
    assert!(fetch[1].contains("UID 9 "), "{fetch:?}");
    let subscribed = imap.ok("LSUB \"\" *").join("\n");
    assert!(subscribed.contains("Old/2019"), "{subscribed}");
}

#[test]
fn plain_directories_and_things_that_are_no_mail() {
    let fixture = fixture();
    let mail = &fixture.mail;
    put(&mail.join("Work/2020/cur/1.x:2,S"), &message("work"), 1_600_000_000);
    put(&mail.join("Work/2020/cur/.hidden"), "no mail", 1);
    put(&mail.join("Work/2020/tmp/1.x"), "half a message", 1);
    put(&mail.join("Work/new/1.x"), &message("new"), 1_600_000_000);
    fs::write(mail.join("Work/new/3.x"), b"\x28\xb5\x2f\xfd not really").unwrap();
    put(&mail.join("maildirsize"), "100S\n", 1);
    // A link to nowhere is as good as a file that vanished.
    std::os::unix::fs::symlink("/nonexistent", mail.join("Work/new/2.x")).unwrap();
    let (code, report) = import(&fixture, &["import", "maildir", mail.to_str().unwrap()]);
    assert_eq!(code, 4, "{report}");
    assert_eq!(counts(&report, "Work/2020"), [1, 1, 0, 0]);
    assert_eq!(counts(&report, "Work"), [3, 1, 0, 0]);
    let warnings = report["warnings"].to_string();
    assert!(warnings.contains("vanished") && warnings.contains("compressed"), "{report}");

    let empty = fixture.data.join("../nothing");
    fs::create_dir(&empty).unwrap();
    let words = ["import", "maildir", empty.to_str().unwrap(), "--account", "alice"];
    let output = cli(&fixture.data, &words, "");
    assert_eq!(output.status.code(), Some(1), "{:?}", texts(&output));
    assert!(texts(&output).1.contains("no Maildir"), "{:?}", texts(&output));
}

#[test]
fn an_mbox_with_its_notes() {
    let fixture = fixture();
    let from = "From a@example.org Mon Nov 23 10:02:54 2026\n";
    let text = format!(
        "From MAILER-DAEMON Mon Nov 23 10:02:54 2026\nSubject: DON'T DELETE THIS MESSAGE -- FOLDER \
         INTERNAL DATA\nX-IMAP: 1234567890 0000000030\nStatus: RO\n\ninternal\n\n\
         {from}Subject: one\nStatus: RO\nX-Status: AF\nX-Keywords: NonJunk\nX-UID: 10\n\nHello\n\
         >From here\n\n{from}Subject: two\nX-UID: 20\n\nHello\n\n"
    );
    put(&fixture.mail, &text, 1);
    let mail = fixture.mail.to_str().unwrap();
    let words = ["import", "mbox", mail, "--mailbox", "Old/mail"];
    let (code, report) = import(&fixture, &words);
    assert_eq!(code, 0, "{report}");
    assert_eq!(counts(&report, "Old/mail"), [2, 2, 0, 0]);
    assert_eq!(counts(&import(&fixture, &words).1, "Old/mail"), [2, 0, 2, 0]);
    // Into INBOX, by default.
    assert_eq!(counts(&import(&fixture, &words[..3]).1, "INBOX"), [2, 2, 0, 0]);
    let server = Server::start(&fixture.data);
    let mut imap = server.session("alice");
    let (select, fetch) = look(&mut imap, "Old/mail");
    assert!(select.iter().any(|line| line.contains("[UIDVALIDITY 1234567890]")), "{select:?}");
    assert!(select.iter().any(|line| line.contains("[UIDNEXT 31]")), "{select:?}");
    let flags = "UID 10 FLAGS (\\Answered \\Flagged \\Seen NonJunk)";
    assert!(fetch[0].contains(flags), "{fetch:?}");
    assert!(fetch[0].contains("\"23-Nov-2026 10:02:54 +0000\""), "{fetch:?}");
    let body = imap.ok("FETCH 1 BODY.PEEK[]");
    let expected = "Subject: one\r\n\r\nHello\r\nFrom here\r\n";
    assert_eq!(common::literal(&body[0]).unwrap(), expected.as_bytes());
}

#[test]
fn import_into_no_account_is_refused() {
    let fixture = fixture();
    dovecot(&fixture.mail);
    let words = ["import", "maildir", fixture.mail.to_str().unwrap(), "--account", "nobody"];
    let output = cli(&fixture.data, &words, "");
    assert_eq!(output.status.code(), Some(1));
    assert!(texts(&output).1.contains("there is no account nobody"));
    cli_ok(&fixture.data, &["account", "list"], "");
}
