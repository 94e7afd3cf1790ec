//! What a server runs with. The binary makes it from its configuration file; tests make it by hand.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use base::Limits;

/// Everything a server is told when it starts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The data directory; made when it does not exist.
    pub data: PathBuf,
    /// The name in greetings, `Received` headers and self-signed certificates.
    pub host_name: String,
    /// Where to accept connections.
    pub listen: Listen,
    /// Certificate files; a self-signed certificate is made when there are none.
    pub tls: TlsFiles,
    /// Whether passwords may cross an unencrypted connection from the same machine.
    pub plaintext_from_loopback: bool,
    /// Every bound.
    pub limits: Limits,
    /// How long expunged messages and old records stay in the log.
    pub retention: Duration,
    /// The size at which a log segment is closed and the next one begins, in bytes.
    pub segment_bytes_max: u64,
    /// Whether searches in text use an index, and whether one is kept.
    pub search_index: bool,
    /// The program that reads attached documents when it is called with `extract`, if their text is
    /// searched.
    pub document_reader: Option<PathBuf>,
    /// What keeping it may take.
    pub index_budget: IndexBudget,
    /// Capabilities that are not offered.
    pub mask: Mask,
}

/// What the text index may take while it is built in the background.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IndexBudget {
    /// Percent of one processor while clients say something, 1 to 100. What it does in a
    /// millisecond delays nobody: its thread has the lowest priority.
    pub percent_busy: u64,
    /// Percent of one processor else, 1 to 100.
    pub percent_idle: u64,
    /// Bytes of mail that are read in a second, whoever is active: leaves a disk to others.
    pub bytes_per_second: u64,
}

impl Default for IndexBudget {
    fn default() -> Self {
        Self { percent_busy: 25, percent_idle: 100, bytes_per_second: 64 * 1024 * 1024 }
    }
}

/// Where to accept connections; port 0 picks a free one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listen {
    /// IMAP with STARTTLS.
    pub imap: Vec<SocketAddr>,
    /// IMAP inside TLS (RFC 8314).
    pub imaps: Vec<SocketAddr>,
    /// LMTP (RFC 2033).
    pub lmtp: Vec<SocketAddr>,
    /// LMTP on a unix socket.
    pub lmtp_socket: Option<PathBuf>,
    /// Permissions of that socket.
    pub lmtp_socket_mode: u32,
}

/// PEM files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate and its chain.
    pub certificate: Option<PathBuf>,
    /// Its private key.
    pub key: Option<PathBuf>,
    /// Authorities whose client certificates are accepted for `AUTHENTICATE EXTERNAL`.
    pub client_authorities: Option<PathBuf>,
}

/// Names of capabilities that are not offered, for clients that stumble over them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mask {
    /// Never.
    pub all: Vec<String>,
    /// Not after login to an account of this name.
    pub accounts: BTreeMap<String, Vec<String>>,
    /// Not after a client said it has this name by ID (RFC 2971).
    pub clients: BTreeMap<String, Vec<String>>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            data: PathBuf::from("martlet-data"),
            host_name: "localhost".to_owned(),
            listen: Listen::default(),
            tls: TlsFiles::default(),
            plaintext_from_loopback: true,
            limits: Limits::default(),
            retention: Duration::from_secs(30 * 86_400),
            segment_bytes_max: 64 * 1024 * 1024,
            search_index: true,
            document_reader: None,
            index_budget: IndexBudget::default(),
            mask: Mask::default(),
        }
    }
}

impl Default for Listen {
    fn default() -> Self {
        let loopback = |port| vec![SocketAddr::from(([127, 0, 0, 1], port))];
        Self {
            imap: loopback(1143),
            imaps: loopback(1993),
            lmtp: loopback(1024),
            lmtp_socket: None,
            lmtp_socket_mode: 0o660,
        }
    }
}

impl Listen {
    /// Nothing at all.
    pub fn none() -> Self {
        Self {
            imap: Vec::new(),
            imaps: Vec::new(),
            lmtp: Vec::new(),
            lmtp_socket: None,
            lmtp_socket_mode: 0o660,
        }
    }
}
