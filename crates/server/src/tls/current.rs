//! The certificate in use, and its replacement without a restart.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use super::certificate::{Current, Error, load};
use super::self_signed;

/// What TLS is configured with.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// PEM file of the certificate chain, the server's own first. With neither this nor `key`, a
    /// self-signed certificate is made in `data`.
    pub certificate: Option<PathBuf>,
    /// PEM file of its key; may be the same file.
    pub key: Option<PathBuf>,
    /// PEM file of authorities whose client certificates open accounts (SASL EXTERNAL). None: no
    /// client certificate is asked for.
    pub client_authorities: Option<PathBuf>,
    /// The data directory.
    pub data: PathBuf,
    /// Host names for a self-signed certificate.
    pub names: Vec<String>,
}

/// What a file looked like: a change is a reason to read it again.
type Stamp = Vec<Option<(SystemTime, u64)>>;

/// The certificate in use.
pub struct CertificateStore {
    certificate: PathBuf,
    key: PathBuf,
    client_authorities: Option<PathBuf>,
    current: RwLock<Arc<Current>>,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    /// Of the files that are in use.
    stamp: Stamp,
    /// The last complaint, so that a broken file is reported once and not every few seconds.
    complaint: Option<String>,
}

impl CertificateStore {
    /// Reads the configured files, or the self-signed certificate's, which is made if missing.
    pub fn open(settings: Settings) -> Result<Self, Error> {
        let Settings { certificate, key, client_authorities, data, names } = settings;
        let (certificate, key) = match (certificate, key) {
            (Some(certificate), Some(key)) => (certificate, key),
            (None, None) => self_signed::files(&data, &names)?,
            _ => return Err(Error::HalfConfigured),
        };
        warn_if_readable(&key);
        // Looked at before it is read: a change between the two is found by the next look.
        let stamp = stamp(&[Some(&certificate), Some(&key), client_authorities.as_deref()]);
        let current = load(&certificate, &key, client_authorities.as_deref())?;
        Ok(Self {
            certificate,
            key,
            client_authorities,
            current: RwLock::new(Arc::new(current)),
            seen: Mutex::new(Seen { stamp, complaint: None }),
        })
    }

    pub(super) fn current(&self) -> Arc<Current> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The certificate chain in use, in DER.
    pub fn chain(&self) -> Vec<Vec<u8>> {
        self.current().chain.iter().map(|der| der.to_vec()).collect()
    }

    /// Reads the files again. New connections get what they hold; on error the old certificate stays
    /// in use. Blocks on small files.
    pub fn reload(&self) -> Result<(), Error> {
        let stamp = self.stamp();
        let authorities = self.client_authorities.as_deref();
        let loaded = load(&self.certificate, &self.key, authorities).map(Arc::new);
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        match loaded {
            Ok(current) => {
                *self.current.write().unwrap_or_else(PoisonError::into_inner) = current;
                *seen = Seen { stamp, complaint: None };
                tracing::info!(certificate = %self.certificate.display(), "certificate loaded");
                Ok(())
            }
            Err(error) => {
                let complaint = error.to_string();
                if seen.complaint.as_ref() != Some(&complaint) {
                    tracing::error!(error = %complaint, "the certificate in use stays");
                    seen.complaint = Some(complaint);
                }
                Err(error)
            }
        }
    }

    /// Reloads if a file has changed since it was read; whether a new certificate is in use. A
    /// certificate whose key has not followed yet is tried again the next time.
    pub fn reload_if_changed(&self) -> bool {
        let same = {
            let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
            seen.stamp == self.stamp()
        };
        !same && self.reload().is_ok()
    }

    fn stamp(&self) -> Stamp {
        stamp(&[Some(&self.certificate), Some(&self.key), self.client_authorities.as_deref()])
    }

    /// Looks for changed files every `interval`, for ever.
    pub async fn watch(self: Arc<Self>, interval: Duration) {
        // They have just been read.
        let mut ticks = tokio::time::interval_at(tokio::time::Instant::now() + interval, interval);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let store = Arc::clone(&self);
            let look = move || store.reload_if_changed();
            if let Err(error) = tokio::task::spawn_blocking(look).await {
                tracing::error!(%error, "looking for a new certificate failed");
            }
        }
    }
}

fn stamp(files: &[Option<&Path>]) -> Stamp {
    let look = |path: &Path| {
        let metadata = std::fs::metadata(path).ok()?;
        Some((metadata.modified().ok()?, metadata.len()))
    };
    files.iter().map(|path| path.and_then(look)).collect()
}

fn warn_if_readable(key: &Path) {
    #[cfg(unix)]
    if let Ok(metadata) = std::fs::metadata(key) {
        use std::os::unix::fs::PermissionsExt;
        if metadata.permissions().mode() & 0o007 != 0 {
            tracing::warn!(key = %key.display(), "everybody on this machine can read the TLS key");
        }
    }
    #[cfg(not(unix))]
    let _ = key;
}
