//! What comes over real sockets where a transcript has none: bytes around a handshake, the end of a
//! TLS connection, and many connections that begin a command and never end it.
#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

use std::net::SocketAddr;
use std::sync::Arc;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use server::settings::{Listen, TlsFiles};
use server::{Handle, Server, Settings};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

struct Running {
    handle: Handle,
    connector: TlsConnector,
    _directory: TempDir,
}

impl Running {
    /// A server that wants TLS even on this machine.
    async fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let key = rcgen::KeyPair::generate().unwrap();
        let certificate = rcgen::CertificateParams::new(vec!["mail.test".into()]).unwrap();
        let certificate = certificate.self_signed(&key).unwrap();
        let path = |name: &str| directory.path().join(name);
        std::fs::write(path("certificate.pem"), certificate.pem()).unwrap();
        std::fs::write(path("key.pem"), key.serialize_pem()).unwrap();
        let any = || vec![SocketAddr::from(([127, 0, 0, 1], 0))];
        let settings = Settings {
            data: path("data"),
            listen: Listen { imap: any(), imaps: any(), ..Listen::none() },
            tls: TlsFiles {
                certificate: Some(path("certificate.pem")),
                key: Some(path("key.pem")),
                client_authorities: None,
            },
            plaintext_from_loopback: false,
            ..Settings::default()
        };
        let mut roots = RootCertStore::empty();
        roots.add(certificate.der().clone()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        Self {
            handle: Server::start(settings, None).await.unwrap(),
            connector: TlsConnector::from(Arc::new(config)),
            _directory: directory,
        }
    }

    /// A connection without TLS, behind its greeting.
    async fn plain(&self) -> TcpStream {
        let mut stream = TcpStream::connect(self.handle.addresses().imap[0]).await.unwrap();
        let greeting = line(&mut stream).await;
        assert!(greeting.contains(" STARTTLS LOGINDISABLED]"), "{greeting}");
        assert!(!greeting.contains("AUTH=") && !greeting.contains("PREAUTH"), "{greeting}");
        stream
    }
}

async fn line(stream: &mut TcpStream) -> String {
    let mut line = Vec::new();
    while !line.ends_with(b"\r\n") {
        line.push(stream.read_u8().await.unwrap());
    }
    String::from_utf8(line).unwrap()
}

/// All that comes until the connection ends, however that is.
async fn rest(stream: &mut TcpStream) -> String {
    let mut all = Vec::new();
    let _ = stream.read_to_end(&mut all).await;
    String::from_utf8_lossy(&all).into_owned()
}

fn name() -> ServerName<'static> {
    ServerName::try_from("mail.test").unwrap()
}

#[tokio::test]
async fn nothing_before_the_handshake_is_a_command_after_it() {
    let running = Running::start().await;
    // In the same segment, with commands before it too (CVE-2021-33515, CVE-2021-38542).
    for bytes in [&b"a STARTTLS\r\nb NOOP\r\n"[..], b"z NOOP\r\na STARTTLS\r\nb NOOP\r\n"] {
        let mut stream = running.plain().await;
        stream.write_all(bytes).await.unwrap();
        let answer = rest(&mut stream).await;
        assert!(!answer.contains("b OK") && !answer.contains("a OK"), "{answer}");
        assert!(answer.contains("* BYE"), "{answer}");
    }
    // In a segment of its own, where a ClientHello should be: at most an alert comes back.
    let mut stream = running.plain().await;
    stream.write_all(b"a STARTTLS\r\n").await.unwrap();
    assert_eq!(line(&mut stream).await, "a OK Begin TLS negotiation\r\n");
    stream.write_all(b"b NOOP\r\nc LOGIN alice secret\r\n").await.unwrap();
    let answer = rest(&mut stream).await;
    assert!(!answer.contains("OK") && !answer.contains("NO") && !answer.contains('*'), "{answer}");
}

#[tokio::test]
async fn starttls_forgets_and_goes_on() {
    let running = Running::start().await;
    let mut stream = running.plain().await;
    stream.write_all(b"a LOGIN alice secret\r\n").await.unwrap();
    assert!(line(&mut stream).await.starts_with("a NO [PRIVACYREQUIRED]"));
    stream.write_all(b"b STARTTLS\r\n").await.unwrap();
    assert!(line(&mut stream).await.starts_with("b OK"));
    let mut stream = running.connector.connect(name(), stream).await.unwrap();
    stream.write_all(b"c CAPABILITY\r\nd LOGOUT\r\n").await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.contains(" AUTH=") && answer.contains("c OK"), "{answer}");
    assert!(!answer.contains("STARTTLS") && !answer.contains("LOGINDISABLED"), "{answer}");
}

/// mbsync waits for it (mox#30): without close_notify the client's TLS reports an error, not an end.
#[tokio::test]
async fn logout_ends_with_close_notify() {
    let running = Running::start().await;
    let stream = TcpStream::connect(running.handle.addresses().imaps[0]).await.unwrap();
    let mut stream = running.connector.connect(name(), stream).await.unwrap();
    stream.write_all(b"a LOGOUT\r\n").await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.ends_with("* BYE Logging out\r\na OK LOGOUT completed\r\n"), "{answer}");
}

/// Commands that are held open cost what they hold, and others are served meanwhile (Dovecot
/// CVE-2026-27857, CVE-2026-42006).
#[tokio::test]
async fn commands_held_open_hold_up_nobody() {
    let running = Running::start().await;
    let mut held = Vec::new();
    for _ in 0..100 {
        let mut stream = running.plain().await;
        stream.write_all(format!("a NOOP {}", "(".repeat(8000)).as_bytes()).await.unwrap();
        held.push(stream);
    }
    let mut stream = running.plain().await;
    stream.write_all(b"a NOOP\r\n").await.unwrap();
    assert_eq!(line(&mut stream).await, "a OK NOOP completed\r\n");
    for mut stream in held {
        stream.write_all(b"\r\nb LOGOUT\r\n").await.unwrap();
        let answer = rest(&mut stream).await;
        assert!(answer.starts_with("a BAD ") && answer.contains("b OK"), "{answer}");
    }
}
