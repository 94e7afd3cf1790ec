//! TLS 1.2 and 1.3 by rustls: certificates that change while the server runs, and what SASL needs to
//! know of a connection.
//!
//! RFC 8314; ALPN `imap` (a client that asks for another protocol is refused, which keeps browsers
//! from being tricked into talking to a mail server; one that asks for none is welcome).

mod certificate;
mod current;
mod facts;
mod self_signed;

pub use certificate::Error;
pub use current::{CertificateStore, Settings};
pub use facts::{end_point, facts};

use std::io;
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncWrite};

/// A connection after its handshake.
pub type TlsStream<S> = tokio_rustls::server::TlsStream<S>;

/// Makes TLS connections of plain ones. A clone is a reference.
#[derive(Clone)]
pub struct Acceptor {
    store: Arc<CertificateStore>,
}

impl Acceptor {
    /// Reads or makes the certificate. Blocks on small files.
    pub fn from_config(settings: Settings) -> Result<Self, Error> {
        Ok(Self { store: Arc::new(CertificateStore::open(settings)?) })
    }

    /// The certificate: for SIGHUP ([`CertificateStore::reload`]) and file changes
    /// ([`CertificateStore::watch`]).
    pub fn store(&self) -> &Arc<CertificateStore> {
        &self.store
    }

    /// Does the handshake. No byte that came before it may be left in a buffer of the caller's. The
    /// caller sets a time limit, and logs the error as the client's.
    pub async fn accept<S>(&self, stream: S) -> io::Result<(TlsStream<S>, auth::Tls)>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        // The certificate may be replaced during the handshake: this connection keeps this one.
        let current = self.store.current();
        let acceptor = tokio_rustls::TlsAcceptor::from(Arc::clone(&current.config));
        let stream = acceptor.accept(stream).await?;
        let facts = facts(stream.get_ref().1, current.end_point.as_ref());
        Ok((stream, facts))
    }
}

#[cfg(test)]
mod tests;
