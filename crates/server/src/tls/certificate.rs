//! A certificate chain and its key, read from PEM files and checked.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use rustls::crypto::ring;
use rustls::server::{ServerSessionMemoryCache, WebPkiClientVerifier};
use rustls::sign::CertifiedKey;
use rustls::{RootCertStore, ServerConfig};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use super::facts::end_point;

/// Why TLS can't be had with what was configured.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file can't be read or written.
    #[error("{path}: {source}", path = path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file holds something else.
    #[error("{path}: {why}", path = path.display())]
    Content {
        /// Which.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// Only one of certificate and key is configured.
    #[error("a certificate needs its key: configure both files or none")]
    HalfConfigured,
    /// rustls can't work with it.
    #[error("TLS: {0}")]
    Tls(#[from] rustls::Error),
    /// A self-signed certificate can't be made.
    #[error("cannot make a self-signed certificate: {0}")]
    SelfSigned(String),
}

pub(super) fn content(path: &Path, why: impl ToString) -> Error {
    Error::Content { path: path.to_owned(), why: why.to_string() }
}

pub(super) fn file(path: &Path, source: io::Error) -> Error {
    Error::File { path: path.to_owned(), source }
}

fn read(path: &Path) -> Result<Vec<u8>, Error> {
    std::fs::read(path).map_err(|source| file(path, source))
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, Error> {
    let pem = read(path)?;
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    match chain {
        Ok(chain) if chain.is_empty() => Err(content(path, "there is no certificate in it")),
        Ok(chain) => Ok(chain),
        Err(error) => Err(content(path, error)),
    }
}

/// What connections are accepted with: one certificate, and all that belongs to it.
pub(super) struct Current {
    pub(super) config: Arc<ServerConfig>,
    pub(super) end_point: Option<Bytes>,
    pub(super) chain: Vec<CertificateDer<'static>>,
}

/// Reads a chain and its key, and makes a configuration of them.
pub(super) fn load(
    certificate: &Path,
    key: &Path,
    client_authorities: Option<&Path>,
) -> Result<Current, Error> {
    let provider = Arc::new(ring::default_provider());
    let chain = certificates(certificate)?;
    let secret = zeroize_on_drop(read(key)?);
    let private = PrivateKeyDer::from_pem_slice(&secret).map_err(|error| content(key, error))?;
    let private = provider.key_provider.load_private_key(private);
    let private = private.map_err(|error| content(key, error))?;
    let pair = CertifiedKey::new(chain.clone(), private);
    match pair.keys_match() {
        // A kind of key that can't be compared is not wrong for that.
        Ok(()) | Err(rustls::Error::InconsistentKeys(rustls::InconsistentKeys::Unknown)) => {}
        Err(_) => return Err(content(key, "this is not the key of the configured certificate")),
    }
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])?;
    let builder = match client_authorities {
        None => builder.with_no_client_auth(),
        Some(path) => {
            let mut roots = RootCertStore::empty();
            for authority in certificates(path)? {
                roots.add(authority).map_err(|error| content(path, error))?;
            }
            // Asked for, never demanded: passwords work as well.
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
                .allow_unauthenticated()
                .build()
                .map_err(|error| content(path, error))?;
            builder.with_client_cert_verifier(verifier)
        }
    };
    let end_point = chain.first().and_then(|leaf| end_point(leaf));
    let mut config =
        builder.with_cert_resolver(Arc::new(rustls::sign::SingleCertAndKey::from(pair)));
    config.alpn_protocols = vec![b"imap".to_vec()];
    // Sessions belong to the certificates: one resumed under another would be bound to what its
    // client has never seen (RFC 5929 §4.1), or outlive the authority that vouched for the client.
    config.ticketer = ring::Ticketer::new()?;
    config.session_storage = ServerSessionMemoryCache::new(1024);
    Ok(Current { config: Arc::new(config), end_point, chain })
}

/// PEM text of a key, overwritten when dropped.
fn zeroize_on_drop(bytes: Vec<u8>) -> zeroize::Zeroizing<Vec<u8>> {
    zeroize::Zeroizing::new(bytes)
}
