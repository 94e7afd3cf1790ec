//! The server as a process: what it prints, how it speaks, how it ends.
#![allow(clippy::unwrap_used)]

mod common;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::sync::Arc;

use common::{Imap, Lmtp, Server, add_account, binary, cli_ok, literal, texts};
use rustix::process::Signal;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

fn home() -> (tempfile::TempDir, std::path::PathBuf) {
    let home = tempfile::tempdir().unwrap();
    let data = home.path().join("data");
    (home, data)
}

/// A TLS client that trusts the server's own certificate and nothing else.
fn tls(data: &std::path::Path, stream: TcpStream) -> StreamOwned<ClientConnection, TcpStream> {
    let mut roots = RootCertStore::empty();
    let pem = data.join("tls/certificate.pem");
    for certificate in CertificateDer::pem_file_iter(pem).unwrap() {
        roots.add(certificate.unwrap()).unwrap();
    }
    let mut config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![b"imap".to_vec()];
    let name = ServerName::try_from("localhost").unwrap();
    StreamOwned::new(ClientConnection::new(Arc::new(config), name).unwrap(), stream)
}

#[test]
fn a_message_goes_in_by_lmtp_and_out_by_imap() {
    let (_home, data) = home();
    add_account(&data, "alice");
    let server = Server::start(&data);
    let mut lmtp = Lmtp::connect(&server.address("lmtp")).unwrap();
    let text = b"Subject: Hello\r\nFrom: a@example.org\r\n\r\n.It works.\r\n";
    let replies = lmtp.deliver(&["alice@example.org", "alice"], text).unwrap();
    assert!(replies.iter().all(|reply| reply.starts_with("250")), "{replies:?}");

    let mut imap = server.session("alice");
    let select = imap.ok("SELECT INBOX");
    assert!(select.contains(&"* 2 EXISTS".to_owned()), "{select:?}");
    let fetch = imap.ok("FETCH 1 (BODY.PEEK[] ENVELOPE)");
    let stored = literal(&fetch[0]).unwrap();
    assert!(stored.ends_with(text) && stored.starts_with(b"Return-Path: <sender@example.org>"));
    imap.ok("STORE 1 +FLAGS (\\Flagged Work)");
    imap.ok("LOGOUT");

    // It is all there after a restart.
    assert!(server.stop().success());
    let server = Server::start(&data);
    let mut imap = server.session("alice");
    imap.ok("SELECT INBOX");
    let found = imap.ok("SEARCH FLAGGED KEYWORD work SUBJECT hello");
    assert_eq!(found[0], "* SEARCH 1");
}

#[test]
fn a_new_password_ends_the_sessions_that_have_the_old_one() {
    let (_home, data) = home();
    add_account(&data, "alice");
    add_account(&data, "bob");
    let server = Server::start(&data);
    let mut other = server.session("bob");
    for (words, input) in [
        (&["account", "passwd", "alice", "--password-stdin"][..], "another\n"),
        (&["account", "disable", "alice"], ""),
    ] {
        let mut imap = server.imap();
        let password = if words[1] == "passwd" { common::PASSWORD } else { "another" };
        imap.ok(&format!("LOGIN alice \"{password}\""));
        imap.ok("SELECT INBOX");
        imap.send(b"i IDLE\r\n").unwrap();
        assert!(imap.response().unwrap().starts_with('+'));
        cli_ok(&data, words, input);
        assert!(imap.response().unwrap().starts_with("* BYE"), "{words:?}");
        let mail = b"Subject: Hello\r\n\r\nMail comes in.\r\n";
        let mut lmtp = Lmtp::connect(&server.address("lmtp")).unwrap();
        let replies = lmtp.deliver(&["alice"], mail).unwrap();
        assert!(replies[0].starts_with("250"), "{replies:?}");
    }
    other.ok("SELECT INBOX");
    cli_ok(&data, &["account", "enable", "alice"], "");
    let mut imap = server.imap();
    imap.ok("LOGIN alice another");
    let select = imap.ok("SELECT INBOX");
    assert!(select.contains(&"* 2 EXISTS".to_owned()), "{select:?}");
}

#[test]
fn few_open_files_are_told_and_bound_the_connections() {
    let (_home, data) = home();
    let mut command = std::process::Command::new("sh");
    command.args(["-c", "ulimit -n 256; exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_martlet")]);
    let any = "127.0.0.1:0";
    command
        .args(["serve", "--imap", any, "--imaps", "none", "--lmtp", "none", "--data"])
        .arg(&data);
    let server = Server::run(command, &data);
    assert!(server.log().contains("raise LimitNOFILE="), "{}", server.log());
}

#[test]
fn two_servers_do_not_share_data() {
    let (_home, data) = home();
    let server = Server::start(&data);
    let second = binary()
        .args(["serve", "--imap", "127.0.0.1:0", "--imaps", "none", "--lmtp", "none", "--data"])
        .arg(&data)
        .output()
        .unwrap();
    let (out, err) = texts(&second);
    assert_eq!(second.status.code(), Some(3), "{out}{err}");
    assert!(err.contains(&format!("process {}", server.child.id())), "{err}");
    assert!(out.is_empty(), "it never was ready: {out}");
}

#[test]
fn a_taken_port_is_told_with_a_remedy() {
    let (_home, data) = home();
    std::fs::create_dir(&data).unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let output = binary()
        .args(["serve", "--imap", &address, "--imaps", "none", "--lmtp", "none", "--data"])
        .arg(&data)
        .output()
        .unwrap();
    let (_, err) = texts(&output);
    assert_eq!(output.status.code(), Some(1), "{err}");
    assert!(err.contains(&address) && err.contains("choose another port"), "{err}");
}

#[test]
fn sigterm_says_bye_to_all_and_ends_with_0() {
    for signal in [Signal::TERM, Signal::INT] {
        let (_home, data) = home();
        add_account(&data, "alice");
        let mut server = Server::start(&data);
        let mut stranger = server.imap();
        let mut idle = server.session("alice");
        idle.ok("SELECT INBOX");
        idle.send(b"i IDLE\r\n").unwrap();
        assert!(idle.response().unwrap().starts_with('+'));
        let mut lmtp = Lmtp::connect(&server.address("lmtp")).unwrap();
        lmtp.command("MAIL FROM:<a@example.org>").unwrap();
        server.signal(signal);
        let bye = stranger.response().unwrap();
        assert!(bye.starts_with("* BYE "), "{bye}");
        let bye = idle.response().unwrap();
        assert!(bye.starts_with("* BYE "), "{bye}");
        assert!(idle.response().is_err(), "the connection ends");
        drop((stranger, idle));
        let answer = lmtp.command("NOOP").unwrap_or_default();
        assert!(answer.is_empty() || answer.starts_with("421"), "{answer}");
        assert_eq!(server.child.wait().unwrap().code(), Some(0), "{}", server.log());
        assert!(!data.join("admin.sock").exists());
    }
}

#[test]
fn tls_from_the_first_byte() {
    let (_home, data) = home();
    add_account(&data, "alice");
    let server = Server::start(&data);
    let stream = TcpStream::connect(server.address("imaps")).unwrap();
    let mut imap = Imap::over(tls(&data, stream));
    assert!(!imap.greeting.contains("STARTTLS") && !imap.greeting.contains("LOGINDISABLED"));
    assert!(imap.greeting.contains("AUTH=SCRAM-SHA-256-PLUS"), "{}", imap.greeting);
    imap.ok(&format!("LOGIN alice \"{}\"", common::PASSWORD));
    let bye = imap.ok("LOGOUT");
    assert!(bye[0].starts_with("* BYE"), "{bye:?}");
    // close_notify: the end is an end, not an error (RFC 8446 §6.1).
    let mut rest = Vec::new();
    assert_eq!(imap.stream.read_to_end(&mut rest).unwrap(), 0);
}

#[test]
fn starttls_forgets_what_came_before_the_handshake() {
    let (_home, data) = home();
    add_account(&data, "alice");
    let server = Server::start(&data);
    // An injected command, in the same segment as STARTTLS.
    let mut plain = server.imap();
    plain.send(b"s STARTTLS\r\ni LOGIN alice wrong\r\n").unwrap();
    let answer = plain.response().unwrap();
    match answer.starts_with("s OK") {
        false => {
            let end = answer.starts_with("* BYE") || answer.starts_with("s BAD");
            assert!(end, "{answer}");
        }
        true => {
            let stream = plain.stream.into_inner();
            let mut inner = tls(&data, stream);
            let mut answer = String::new();
            if inner.write_all(b"c CAPABILITY\r\n").is_ok() {
                let mut buffer = [0; 4096];
                while let Ok(count @ 1..) = inner.read(&mut buffer) {
                    answer.push_str(&String::from_utf8_lossy(&buffer[..count]));
                    if answer.contains("c OK") {
                        break;
                    }
                }
            }
            assert!(!answer.contains("i NO") && !answer.contains("i BAD"), "{answer}");
        }
    }
    // And one that behaves.
    let mut plain = server.imap();
    assert!(plain.greeting.contains("STARTTLS"), "{}", plain.greeting);
    plain.ok("STARTTLS");
    let mut inner = tls(&data, plain.stream.into_inner());
    inner.write_all(b"a CAPABILITY\r\n").unwrap();
    let mut line = String::new();
    let mut reader = std::io::BufReader::new(&mut inner);
    std::io::BufRead::read_line(&mut reader, &mut line).unwrap();
    assert!(line.starts_with("* CAPABILITY") && !line.contains("STARTTLS"), "{line}");
}

#[test]
fn lmtp_on_a_unix_socket() {
    let (home, data) = home();
    add_account(&data, "alice");
    let socket = home.path().join("lmtp.sock");
    let config = home.path().join("martlet.toml");
    std::fs::write(
        &config,
        format!(
            "data = {data:?}\n[listen]\nimap = \"127.0.0.1:0\"\nimaps = \"none\"\nlmtp = \"none\"\n\
             lmtp_socket = {socket:?}\nlmtp_socket_mode = \"0666\"\n"
        ),
    )
    .unwrap();
    let mut command = binary();
    command.args(["serve", "--config"]).arg(&config);
    let server = Server::run(command, &data);
    assert!(server.ready.contains(&format!("lmtp={}", socket.display())), "{}", server.ready);
    let mode = std::fs::metadata(&socket).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o666);
    let mut stream = UnixStream::connect(&socket).unwrap();
    let lines =
        "LHLO c\r\nMAIL FROM:<>\r\nRCPT TO:<alice>\r\nDATA\r\nSubject: x\r\n\r\ny\r\n.\r\nQUIT\r\n";
    stream.write_all(lines.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.contains("delivered"), "{answer}");
    assert!(server.stop().success());
    assert!(!socket.exists());
}

#[test]
fn limits_of_the_configuration_are_kept() {
    let (home, data) = home();
    add_account(&data, "alice");
    let config = home.path().join("martlet.toml");
    let limits = "[limits]\nconnections_per_account_max = 1\nconnections_per_address_max = 3\n";
    std::fs::write(&config, limits).unwrap();
    let server = Server::start_with(&data, &["--config", config.to_str().unwrap()]);
    let first = server.session("alice");
    let mut second = server.imap();
    let refused = second.command(&format!("LOGIN alice \"{}\"", common::PASSWORD));
    let refused = refused.unwrap_or_default().join("\n");
    assert!(!refused.contains(" OK "), "{refused}");
    let third = server.imap();
    let mut fourth = TcpStream::connect(server.address("imap")).unwrap();
    let mut text = String::new();
    fourth.read_to_string(&mut text).unwrap();
    assert!(text.starts_with("* BYE ") && text.contains("too many connections"), "{text}");
    drop((first, second, third));
}

#[test]
fn capabilities_can_be_masked() {
    let (home, data) = home();
    add_account(&data, "alice");
    let config = home.path().join("martlet.toml");
    let text = "[capabilities]\ndisable = [\"SORT\"]\n[capabilities.account]\nalice = [\"IDLE\"]\n\
                [capabilities.client]\n\"Some Client\" = [\"MOVE\"]\n";
    std::fs::write(&config, text).unwrap();
    let server = Server::start_with(&data, &["--config", config.to_str().unwrap()]);
    let mut imap = server.imap();
    let has = |imap: &mut Imap, name: &str| {
        imap.ok("CAPABILITY")[0].split(' ').any(|capability| capability == name)
    };
    assert!(!has(&mut imap, "SORT") && has(&mut imap, "IDLE") && has(&mut imap, "MOVE"));
    imap.ok(&format!("LOGIN alice \"{}\"", common::PASSWORD));
    assert!(!has(&mut imap, "IDLE"));
    imap.ok("ID (\"name\" \"Some Client\")");
    assert!(!has(&mut imap, "MOVE"));
}

#[test]
fn sighup_reads_the_certificate_and_the_log_level_again() {
    let (home, data) = home();
    add_account(&data, "alice");
    let config = home.path().join("martlet.toml");
    std::fs::write(&config, "[log]\nlevel = \"error\"\nformat = \"json\"\n").unwrap();
    let server = Server::start_with(&data, &["--config", config.to_str().unwrap()]);
    drop(server.session("alice"));
    assert!(!server.log().contains("login"), "{}", server.log());
    std::fs::write(&config, "[log]\nlevel = \"info\"\n").unwrap();
    server.signal(Signal::HUP);
    // The signal is handled before long; how long is the machine's affair.
    for _ in 0.. {
        drop(server.session("alice"));
        if server.log().contains("login") && server.log().contains("certificate loaded") {
            break;
        }
    }
    let line = server.log().lines().find(|line| line.contains("login")).unwrap().to_owned();
    assert!(line.starts_with('{') && line.contains("\"account\":\"alice\""), "{line}");
}

#[test]
fn files_are_for_their_owner_only_and_no_password_is_in_the_log() {
    let (_home, data) = home();
    add_account(&data, "alice");
    let server = Server::start(&data);
    drop(server.session("alice"));
    let mut imap = server.imap();
    let answer = imap.command("LOGIN alice \"quite wrong\"").unwrap();
    assert!(answer[0].contains("AUTHENTICATIONFAILED"), "{answer:?}");
    let mut stack = vec![data.clone()];
    while let Some(path) = stack.pop() {
        let metadata = std::fs::symlink_metadata(&path).unwrap();
        let mode = metadata.permissions().mode() & 0o077;
        assert_eq!(mode, 0, "{} is open to others", path.display());
        if metadata.is_dir() {
            stack.extend(std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        }
    }
    let log = server.log();
    assert!(log.contains("login"), "{log}");
    for secret in [common::PASSWORD, "quite wrong"] {
        assert!(!log.contains(secret), "{log}");
    }
    // Core dumps would hold mail.
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", server.child.id())).unwrap();
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
    assert!(core.split_whitespace().nth(4) == Some("0"), "{core}");
}

#[test]
fn data_at_a_path_too_long_for_a_socket() {
    let (home, _) = home();
    let data = home.path().join("a".repeat(120)).join("data");
    add_account(&data, "alice");
    let server = Server::start(&data);
    let list = cli_ok(&server.data, &["account", "list"], "");
    assert_eq!(list, "alice\n");
}

/// `pgrep` and service managers find it by its name.
#[test]
fn the_process_is_called_as_the_program() {
    let (_home, data) = home();
    let server = Server::start(&data);
    let name = std::fs::read_to_string(format!("/proc/{}/comm", server.child.id())).unwrap();
    assert_eq!(name.trim_end(), "martlet");
}
