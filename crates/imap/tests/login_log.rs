//! Every failed login is logged with its true reason, and without the password: phones say "wrong
//! password" to their owners whatever the reason was (stalwart#1144, mox#328).

mod common;

use base::Limits;
use common::Server;
use imap::Settings;
use testkit::log_lines::Lines;
use testkit::{Executor, pipe::pipe};

fn logged(sent: &[u8]) -> Vec<String> {
    let lines = Lines::default();
    tracing::subscriber::with_default(lines.clone(), || {
        let server = Server::new(Limits::default(), Settings::default());
        let (near, far) = pipe();
        let mut executor = Executor::new();
        executor.spawn(imap::serve(Server::wire(near, ""), server.shared.clone()));
        far.send(sent);
        executor.run();
    });
    lines
        .take()
        .into_iter()
        .filter(|line| line.contains("login") || line.contains("refused"))
        .collect()
}

#[test]
fn failures_are_logged_with_their_reason() {
    for (sent, wanted) in [
        (&b"a LOGIN alice hunter2\r\n"[..], "reason=test"),
        (b"a AUTHENTICATE PLAIN AGFsaWNlAGh1bnRlcjI=\r\n", "reason=test"),
        (b"a AUTHENTICATE PLAIN\r\n*\r\n", "reason=cancelled"),
        (b"a AUTHENTICATE PLAIN\r\nhunter2!\r\n", "reason=not base64"),
    ] {
        let lines = logged(sent);
        let [line] = &lines[..] else { panic!("{lines:?}") };
        assert!(line.contains("message=login failed"), "{line}");
        assert!(line.contains(wanted) && line.contains("remote=127.0.0.1"), "{line}");
        assert!(!line.contains("hunter2"), "{line}");
    }
}

#[test]
fn refusals_before_login_are_logged() {
    for (sent, wanted) in [
        (&b"a LOGIN alice hun\"ter2\r\n"[..], "why=expected"),
        (b"a LOGIN {99999}\r\n", "why=literal is too big"),
        (b"a AUTHENTICATE CRAM-MD5\r\n", "mechanism=CRAM-MD5"),
        (b"a AUTHENTICATE PLAIN AGFs=ZQ\r\n", "why=expected base64"),
    ] {
        let lines = logged(sent);
        let [line] = &lines[..] else { panic!("{lines:?}") };
        assert!(line.contains(wanted) && line.contains("remote=127.0.0.1"), "{line}");
        assert!(!line.contains("ter2") && !line.contains("AGFs"), "{line}");
    }
}

#[test]
fn logins_are_logged_once() {
    let lines = logged(b"a LOGIN alice secret\r\nb NOOP\r\n");
    let [line] = &lines[..] else { panic!("{lines:?}") };
    assert!(line.contains("account=alice") && !line.contains("secret"), "{line}");
}
