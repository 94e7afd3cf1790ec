//! A certificate for servers that have none: encryption from the first start, trust by looking.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair, date_time_ymd};

use super::certificate::{Error, file};

/// The files of the self-signed certificate in `data`, made if they are missing. `names` are host
/// names and addresses it is good for.
pub(super) fn files(data: &Path, names: &[String]) -> Result<(PathBuf, PathBuf), Error> {
    let directory = data.join("tls");
    let (certificate, key) = (directory.join("certificate.pem"), directory.join("key.pem"));
    if certificate.exists() && key.exists() {
        return Ok((certificate, key));
    }
    let (certificate_pem, key_pem) = make(names).map_err(|e| Error::SelfSigned(e.to_string()))?;
    std::fs::create_dir_all(&directory).map_err(|source| file(&directory, source))?;
    // The key first: whoever sees the certificate finds its key.
    write(&key, key_pem.as_bytes()).map_err(|source| file(&key, source))?;
    write(&certificate, certificate_pem.as_bytes()).map_err(|source| file(&certificate, source))?;
    tracing::info!(certificate = %certificate.display(), "made a self-signed certificate");
    Ok((certificate, key))
}

fn make(names: &[String]) -> Result<(String, zeroize::Zeroizing<String>), rcgen::Error> {
    let mut all: Vec<String> = names.to_vec();
    all.extend(["localhost", "127.0.0.1", "::1"].map(str::to_owned));
    all.dedup();
    let mut params = CertificateParams::new(all)?;
    params.distinguished_name = DistinguishedName::new();
    let common = names.first().map_or("localhost", String::as_str);
    params.distinguished_name.push(DnType::CommonName, common);
    params.not_before = date_time_ymd(2020, 1, 1);
    // The last year that a UTCTime can write.
    params.not_after = date_time_ymd(2049, 12, 31);
    let key = KeyPair::generate()?;
    let certificate = params.self_signed(&key)?;
    Ok((certificate.pem(), zeroize::Zeroizing::new(key.serialize_pem())))
}

/// Writes a file that only its owner reads, whole or not at all.
fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let temporary = path.with_extension("new");
    match std::fs::remove_file(&temporary) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&temporary)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    std::fs::rename(&temporary, path)
}
