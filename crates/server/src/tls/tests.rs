use std::path::Path;
use std::sync::Arc;

use rcgen::{CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use sha2::Digest;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream as ClientStream;

use super::*;

struct Pair {
    certificate: CertificateDer<'static>,
    certificate_pem: String,
    key_pem: String,
    key: PrivateKeyDer<'static>,
}

fn self_signed(algorithm: &'static rcgen::SignatureAlgorithm) -> Pair {
    let key = KeyPair::generate_for(algorithm).unwrap();
    let certificate = CertificateParams::new(vec!["mail.test".into()]).unwrap();
    pair(&certificate.self_signed(&key).unwrap(), &key)
}

fn pair(certificate: &rcgen::Certificate, key: &KeyPair) -> Pair {
    Pair {
        certificate: certificate.der().clone(),
        certificate_pem: certificate.pem(),
        key_pem: key.serialize_pem(),
        key: PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
    }
}

fn write(directory: &Path, pair: &Pair) -> Settings {
    let (certificate, key) = (directory.join("c.pem"), directory.join("k.pem"));
    std::fs::write(&certificate, &pair.certificate_pem).unwrap();
    std::fs::write(&key, &pair.key_pem).unwrap();
    Settings { certificate: Some(certificate), key: Some(key), ..Settings::default() }
}

type Version = &'static rustls::SupportedProtocolVersion;

fn client(
    trusted: &CertificateDer<'static>,
    version: Version,
    identity: Option<&Pair>,
) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.clone()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[version])
        .unwrap()
        .with_root_certificates(roots);
    match identity {
        None => builder.with_no_client_auth(),
        Some(pair) => builder
            .with_client_auth_cert(vec![pair.certificate.clone()], pair.key.clone_key())
            .unwrap(),
    }
}

type Both = (ClientStream<tokio::io::DuplexStream>, auth::Tls);

async fn connect(acceptor: &Acceptor, config: ClientConfig) -> io::Result<Both> {
    connect_with(acceptor, Arc::new(config)).await
}

async fn connect_with(acceptor: &Acceptor, config: Arc<ClientConfig>) -> io::Result<Both> {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let (near, far) = tokio::io::duplex(64 * 1024);
    let name = ServerName::try_from("mail.test").unwrap();
    let server = async {
        let (mut stream, facts) = acceptor.accept(near).await?;
        stream.write_all(b"* OK\r\n").await?;
        stream.flush().await?;
        Ok::<_, io::Error>(facts)
    };
    let client = async {
        let mut stream = TlsConnector::from(config).connect(name, far).await?;
        // Reading also takes in the session tickets.
        let mut greeting = [0; 6];
        stream.read_exact(&mut greeting).await?;
        assert_eq!(&greeting, b"* OK\r\n");
        Ok::<_, io::Error>(stream)
    };
    let (server, client) = tokio::join!(server, client);
    Ok((client?, server?))
}

const TLS13: Version = &rustls::version::TLS13;
const TLS12: Version = &rustls::version::TLS12;

#[tokio::test]
async fn facts_agree_with_the_clients() {
    let directory = tempfile::tempdir().unwrap();
    let pair = self_signed(&rcgen::PKCS_ECDSA_P256_SHA256);
    let acceptor = Acceptor::from_config(write(directory.path(), &pair)).unwrap();
    let (stream, facts) = connect(&acceptor, client(&pair.certificate, TLS13, None)).await.unwrap();
    let exported = stream.get_ref().1.export_keying_material(
        [0u8; 32],
        b"EXPORTER-Channel-Binding",
        Some(b""),
    );
    assert_eq!(facts.exporter, exported.ok());
    assert!(facts.exporter.is_some());
    let hash = sha2::Sha256::digest(&pair.certificate);
    assert_eq!(facts.end_point.as_deref(), Some(&hash[..]));
    assert_eq!(facts.client_certificate, None);
    let (_, facts) = connect(&acceptor, client(&pair.certificate, TLS12, None)).await.unwrap();
    assert_eq!(facts.exporter, None);
    assert_eq!(facts.end_point.as_deref(), Some(&hash[..]));
}

#[tokio::test]
async fn two_connections_have_two_bindings_also_when_resumed() {
    let directory = tempfile::tempdir().unwrap();
    let pair = self_signed(&rcgen::PKCS_ECDSA_P256_SHA256);
    let acceptor = Acceptor::from_config(write(directory.path(), &pair)).unwrap();
    let config = Arc::new(client(&pair.certificate, TLS13, None));
    let (_, one) = connect_with(&acceptor, Arc::clone(&config)).await.unwrap();
    let (stream, two) = connect_with(&acceptor, Arc::clone(&config)).await.unwrap();
    assert_ne!(one.exporter, two.exporter);
    assert_eq!(one.end_point, two.end_point);
    let kind = stream.get_ref().1.handshake_kind();
    assert_eq!(kind, Some(rustls::HandshakeKind::Resumed));
    // A new certificate forgets the sessions of the old one.
    acceptor.store().reload().unwrap();
    let (stream, _) = connect_with(&acceptor, config).await.unwrap();
    assert_eq!(stream.get_ref().1.handshake_kind(), Some(rustls::HandshakeKind::Full));
}

#[test]
fn the_end_point_follows_the_signature() {
    let p384 = self_signed(&rcgen::PKCS_ECDSA_P384_SHA384).certificate;
    assert_eq!(end_point(&p384).as_deref(), Some(&sha2::Sha384::digest(&p384)[..]));
    let ed25519 = self_signed(&rcgen::PKCS_ED25519).certificate;
    assert_eq!(end_point(&ed25519), None);
    assert_eq!(end_point(b""), None);
    assert_eq!(end_point(b"\x30\x03\x02\x01\x01"), None);
}

#[tokio::test]
async fn alpn_is_imap_or_absent() {
    let directory = tempfile::tempdir().unwrap();
    let pair = self_signed(&rcgen::PKCS_ECDSA_P256_SHA256);
    let acceptor = Acceptor::from_config(write(directory.path(), &pair)).unwrap();
    for (offered, accepted) in [
        (&[][..], true),
        (&["imap"][..], true),
        (&["h2", "imap"], true),
        (&["http/1.1"], false),
        (&["h2", "http/1.1"], false),
        (&["smtp"], false),
        (&["IMAP"], false),
    ] {
        for version in [TLS12, TLS13] {
            let mut config = client(&pair.certificate, version, None);
            config.alpn_protocols = offered.iter().map(|name| name.as_bytes().to_vec()).collect();
            assert_eq!(connect(&acceptor, config).await.is_ok(), accepted, "{offered:?}");
        }
    }
}

#[tokio::test]
async fn a_new_certificate_is_taken_and_a_broken_one_is_not() {
    let directory = tempfile::tempdir().unwrap();
    let (old, new) =
        (self_signed(&rcgen::PKCS_ECDSA_P256_SHA256), self_signed(&rcgen::PKCS_ECDSA_P384_SHA384));
    let acceptor = Acceptor::from_config(write(directory.path(), &old)).unwrap();
    let works = async |pair: &Pair| {
        connect(&acceptor, client(&pair.certificate, TLS13, None)).await.is_ok()
    };
    assert!(!acceptor.store().reload_if_changed(), "nothing has changed");
    // The certificate has been replaced, its key not yet.
    std::fs::write(directory.path().join("c.pem"), &new.certificate_pem).unwrap();
    assert!(!acceptor.store().reload_if_changed());
    assert!(acceptor.store().reload().is_err());
    assert!(works(&old).await && !works(&new).await);
    std::fs::write(directory.path().join("k.pem"), "garbage").unwrap();
    assert!(acceptor.store().reload().is_err());
    assert!(works(&old).await);
    // The key has followed.
    std::fs::write(directory.path().join("k.pem"), &new.key_pem).unwrap();
    assert!(acceptor.store().reload_if_changed());
    assert!(works(&new).await && !works(&old).await);
    std::fs::remove_file(directory.path().join("c.pem")).unwrap();
    assert!(acceptor.store().reload().is_err());
    assert!(works(&new).await);
}

#[tokio::test]
async fn a_self_signed_certificate_is_made_once() {
    let directory = tempfile::tempdir().unwrap();
    let settings = Settings {
        data: directory.path().to_owned(),
        names: vec!["mail.test".into()],
        ..Settings::default()
    };
    let first = Acceptor::from_config(settings.clone()).unwrap();
    let second = Acceptor::from_config(settings.clone()).unwrap();
    assert_eq!(first.store().chain(), second.store().chain());
    let certificate = CertificateDer::from(first.store().chain().remove(0));
    for version in [TLS12, TLS13] {
        connect(&second, client(&certificate, version, None)).await.unwrap();
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let key = std::fs::metadata(directory.path().join("tls/key.pem")).unwrap();
        assert_eq!(key.permissions().mode() & 0o777, 0o600);
    }
    let half = Settings { certificate: Some("x".into()), ..settings };
    assert!(matches!(Acceptor::from_config(half), Err(Error::HalfConfigured)));
}

#[tokio::test]
async fn client_certificates_are_welcome_and_verified() {
    let directory = tempfile::tempdir().unwrap();
    let server = self_signed(&rcgen::PKCS_ECDSA_P256_SHA256);
    let authority_key = KeyPair::generate().unwrap();
    let mut authority = CertificateParams::default();
    authority.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    authority.distinguished_name.push(DnType::CommonName, "authority");
    let authority_certificate = authority.self_signed(&authority_key).unwrap();
    let issuer = Issuer::new(authority, authority_key);
    let key = KeyPair::generate().unwrap();
    let mut alice = CertificateParams::default();
    alice.distinguished_name.push(DnType::CommonName, "alice");
    let alice = pair(&alice.signed_by(&key, &issuer).unwrap(), &key);

    let mut settings = write(directory.path(), &server);
    let authorities = directory.path().join("ca.pem");
    std::fs::write(&authorities, authority_certificate.pem()).unwrap();
    settings.client_authorities = Some(authorities);
    let acceptor = Acceptor::from_config(settings).unwrap();
    for version in [TLS12, TLS13] {
        let config = client(&server.certificate, version, Some(&alice));
        let (_, facts) = connect(&acceptor, config).await.unwrap();
        assert_eq!(facts.client_certificate.as_deref(), Some(&alice.certificate[..]));
        let (_, facts) =
            connect(&acceptor, client(&server.certificate, version, None)).await.unwrap();
        assert_eq!(facts.client_certificate, None);
        let stranger = self_signed(&rcgen::PKCS_ECDSA_P256_SHA256);
        let config = client(&server.certificate, version, Some(&stranger));
        assert!(connect(&acceptor, config).await.is_err(), "not of the configured authority");
    }
    // Without authorities nobody is asked.
    let acceptor = Acceptor::from_config(write(directory.path(), &server)).unwrap();
    let config = client(&server.certificate, TLS13, Some(&alice));
    let (_, facts) = connect(&acceptor, config).await.unwrap();
    assert_eq!(facts.client_certificate, None);
}

#[tokio::test]
async fn what_is_not_tls_is_an_error() {
    use tokio::io::AsyncWriteExt;
    let directory = tempfile::tempdir().unwrap();
    let pair = self_signed(&rcgen::PKCS_ECDSA_P256_SHA256);
    let acceptor = Acceptor::from_config(write(directory.path(), &pair)).unwrap();
    for garbage in
        [&b"a LOGIN alice secret\r\n"[..], b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\x00\x00", b""]
    {
        let (near, mut far) = tokio::io::duplex(4096);
        far.write_all(garbage).await.unwrap();
        far.shutdown().await.unwrap();
        assert!(acceptor.accept(near).await.is_err(), "{garbage:?}");
    }
}
