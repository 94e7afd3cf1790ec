//! Logging in over real TLS by what only TLS knows: a client's certificate, a channel binding. And the
//! server's certificate, replaced under its feet.
#![allow(clippy::unwrap_used)]

mod common;

use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use common::{Imap, Server, add_account};
use hmac::{Hmac, Mac};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustix::process::Signal;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use sha2::{Digest, Sha256};

type Tls = StreamOwned<ClientConnection, TcpStream>;
type Pair = (CertificateDer<'static>, PrivateKeyDer<'static>);

/// The server's certificate and its key, in PEM and in DER.
fn write_certificate(directory: &Path) -> CertificateDer<'static> {
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec!["localhost".into()]).unwrap();
    let certificate = certificate.self_signed(&key).unwrap();
    // The key first: a server that looks in between finds a pair that does not fit.
    std::fs::write(directory.join("key.pem"), key.serialize_pem()).unwrap();
    std::fs::write(directory.join("certificate.pem"), certificate.pem()).unwrap();
    certificate.der().clone()
}

/// An authority, as PEM, and certificates it gave to people.
fn authority(names: &[&str]) -> (String, Vec<Pair>) {
    let key = KeyPair::generate().unwrap();
    let mut authority = CertificateParams::default();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    authority.distinguished_name.push(DnType::CommonName, "authority");
    let pem = authority.self_signed(&key).unwrap().pem();
    let issuer = Issuer::new(authority, key);
    let person = |name: &&str| {
        let key = KeyPair::generate().unwrap();
        let mut person = CertificateParams::default();
        person.distinguished_name.push(DnType::CommonName, *name);
        let certificate = person.signed_by(&key, &issuer).unwrap().der().clone();
        (certificate, PrivateKeyDer::try_from(key.serialize_der()).unwrap())
    };
    (pem, names.iter().map(person).collect())
}

struct World {
    home: tempfile::TempDir,
    server: Server,
    certificate: CertificateDer<'static>,
}

impl World {
    fn new(authority: Option<&str>) -> Self {
        let home = tempfile::tempdir().unwrap();
        let data = home.path().join("data");
        let certificate = write_certificate(home.path());
        let mut text = "[tls]\ncertificate = \"certificate.pem\"\nkey = \"key.pem\"\n".to_owned();
        if let Some(pem) = authority {
            std::fs::write(home.path().join("ca.pem"), pem).unwrap();
            text.push_str("client_authorities = \"ca.pem\"\n");
        }
        let config = home.path().join("martlet.toml");
        std::fs::write(&config, text).unwrap();
        add_account(&data, "alice");
        add_account(&data, "bob");
        let server = Server::start_with(&data, &["--config", config.to_str().unwrap()]);
        Self { home, server, certificate }
    }

    /// A connection, if the two agree on one.
    fn connect(&self, person: Option<&Pair>, protocols: &[&str]) -> Option<Imap<Tls>> {
        let mut roots = RootCertStore::empty();
        roots.add(self.certificate.clone()).unwrap();
        let builder = ClientConfig::builder().with_root_certificates(roots);
        let mut config = match person {
            None => builder.with_no_client_auth(),
            Some((certificate, key)) => {
                builder.with_client_auth_cert(vec![certificate.clone()], key.clone_key()).unwrap()
            }
        };
        config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
        let name = ServerName::try_from("localhost").unwrap();
        let mut socket = TcpStream::connect(self.server.address("imaps")).unwrap();
        let mut connection = ClientConnection::new(Arc::new(config), name).unwrap();
        while connection.is_handshaking() {
            connection.complete_io(&mut socket).ok()?;
        }
        let mut stream = StreamOwned::new(connection, socket);
        // With TLS 1.3 the server refuses a certificate when the client believes itself done.
        let mut first = [0; 1];
        std::io::Read::read_exact(&mut stream, &mut first).ok()?;
        let mut imap = Imap::without_greeting(stream);
        imap.greeting = format!("*{}", imap.response().unwrap());
        Some(imap)
    }
}

#[test]
fn a_certificate_opens_the_account_it_names() {
    let (pem, people) = authority(&["alice", "nobody"]);
    let world = World::new(Some(&pem));
    let connect = |person: Option<&Pair>| world.connect(person, &["imap"]);
    let mut imap = connect(Some(&people[0])).unwrap();
    assert!(imap.greeting.contains("AUTH=EXTERNAL"), "{}", imap.greeting);
    imap.ok("AUTHENTICATE EXTERNAL =");
    imap.ok("SELECT INBOX");
    // Its own name may be said, another's not.
    let as_whom = |name: &str| format!("AUTHENTICATE EXTERNAL {}", STANDARD.encode(name));
    connect(Some(&people[0])).unwrap().ok(&as_whom("alice"));
    let answer = connect(Some(&people[0])).unwrap().command(&as_whom("bob")).unwrap();
    assert!(answer[0].contains("NO [AUTHORIZATIONFAILED]"), "{answer:?}");
    let answer = connect(Some(&people[1])).unwrap().command("AUTHENTICATE EXTERNAL =").unwrap();
    assert!(answer[0].contains("NO [AUTHENTICATIONFAILED]"), "{answer:?}");
    // Passwords work as before for who has no certificate.
    let mut imap = connect(None).unwrap();
    assert!(!imap.greeting.contains("EXTERNAL"), "{}", imap.greeting);
    let answer = imap.command("AUTHENTICATE EXTERNAL =").unwrap();
    assert!(answer[0].contains(" NO "), "{answer:?}");
    imap.ok(&format!("LOGIN bob \"{}\"", common::PASSWORD));
    // What another authority signed is worth nothing.
    let (_, strangers) = authority(&["alice"]);
    assert!(connect(Some(&strangers[0])).is_none());
}

fn hmac(key: &[u8], text: &[u8]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    mac.update(text);
    mac.finalize().into_bytes().into()
}

fn xor(a: [u8; 32], b: [u8; 32]) -> [u8; 32] {
    std::array::from_fn(|at| a[at] ^ b[at])
}

/// One SCRAM-SHA-256-PLUS exchange (RFC 5802 §3, RFC 7677): its last answer.
fn scram_plus(imap: &mut Imap<Tls>, binding: &str, data: &[u8]) -> String {
    let (header, bare) = (format!("p={binding},,"), "n=alice,r=fyko+d2lbbFgONRv9qkxdawL");
    let mut step = |line: String| {
        imap.send(line.as_bytes()).unwrap();
        let answer = imap.response().unwrap();
        let text = answer.strip_prefix("+ ").map(|text| STANDARD.decode(text).unwrap());
        text.map_or(answer, |text| String::from_utf8(text).unwrap())
    };
    let encoded = STANDARD.encode(format!("{header}{bare}"));
    let first = step(format!("s AUTHENTICATE SCRAM-SHA-256-PLUS {encoded}\r\n"));
    let value = |key: &str| first.split(',').find_map(|part| part.strip_prefix(key)).unwrap();
    let (nonce, salt) = (value("r="), STANDARD.decode(value("s=")).unwrap());
    let mut salted = hmac(common::PASSWORD.as_bytes(), &[&salt[..], &[0, 0, 0, 1]].concat());
    let mut last = salted;
    for _ in 1..value("i=").parse::<u32>().unwrap() {
        last = hmac(common::PASSWORD.as_bytes(), &last);
        salted = xor(salted, last);
    }
    let channel = STANDARD.encode([header.as_bytes(), data].concat());
    let without_proof = format!("c={channel},r={nonce}");
    let all = format!("{bare},{first},{without_proof}");
    let key = hmac(&salted, b"Client Key");
    let proof = xor(key, hmac(&Sha256::digest(key), all.as_bytes()));
    let line = STANDARD.encode(format!("{without_proof},p={}", STANDARD.encode(proof)));
    let answer = step(format!("{line}\r\n"));
    let Some(signature) = answer.strip_prefix("v=") else { return answer };
    let expected = hmac(&hmac(&salted, b"Server Key"), all.as_bytes());
    assert_eq!(STANDARD.decode(signature).unwrap(), expected, "the server knows the password too");
    step("\r\n".to_owned())
}

#[test]
fn a_password_bound_to_its_connection() {
    let world = World::new(None);
    let connect = || world.connect(None, &["imap"]).unwrap();
    let exporter = |imap: &Imap<Tls>| {
        let connection = &imap.stream.get_ref().conn;
        let label = b"EXPORTER-Channel-Binding";
        connection.export_keying_material([0u8; 32], label, Some(b"")).unwrap()
    };
    let end_point = Sha256::digest(&world.certificate);
    let mut imap = connect();
    assert!(imap.greeting.contains("AUTH=SCRAM-SHA-256-PLUS"), "{}", imap.greeting);
    assert_eq!(imap.stream.get_ref().conn.alpn_protocol(), Some(&b"imap"[..]));
    let data = exporter(&imap);
    let answer = scram_plus(&mut imap, "tls-exporter", &data);
    assert!(answer.starts_with("s OK [CAPABILITY "), "{answer}");
    imap.ok("SELECT INBOX");
    let answer = scram_plus(&mut connect(), "tls-server-end-point", &end_point);
    assert!(answer.starts_with("s OK "), "{answer}");
    // Somebody in the middle has two connections, with two bindings.
    let answer = scram_plus(&mut connect(), "tls-exporter", &data);
    assert!(answer.starts_with("s NO [AUTHENTICATIONFAILED]"), "{answer}");
    let answer = scram_plus(&mut connect(), "tls-server-end-point", &[0; 32]);
    assert!(answer.starts_with("s NO [AUTHENTICATIONFAILED]"), "{answer}");
    // A browser that was lured here does not get through.
    assert!(world.connect(None, &["http/1.1"]).is_none());
}

#[test]
fn a_new_certificate_is_taken_without_a_restart() {
    let mut world = World::new(None);
    let mut before = world.connect(None, &[]).unwrap();
    let old = world.certificate.clone();
    world.certificate = write_certificate(world.home.path());
    assert!(world.connect(None, &[]).is_none(), "not yet");
    world.server.signal(Signal::HUP);
    // The signal is handled before long; how long is the machine's affair.
    while world.connect(None, &[]).is_none() {}
    world.certificate = old;
    assert!(world.connect(None, &[]).is_none());
    before.ok(&format!("LOGIN alice \"{}\"", common::PASSWORD));
}
