//! Dovecot 2.3, as Debian packages it, with what makes it fast: login processes that are reused and
//! every limit out of the way. `mail_fsync = always` is what martlet does.

use std::fs;
use std::net::TcpStream;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::{ACCOUNTS, PASSWORD, Started, free_port, log, output, signal};
use argon2::password_hash::{PasswordHasher, SaltString};

use rustix::process::Signal;

use crate::cost;
use crate::imap::Failure;
use crate::wire::text;

/// nobody and nogroup of Debian.
pub(super) const NOBODY: u32 = 65534;

/// Another name of `user0`, with a hashed password.
pub(super) const HASHED_USER: &str = "hashed0";

/// argon2id with 19 MiB, two passes, one lane: OWASP's minimum, martlet's default and the crate's.
fn hashed() -> Result<String, Failure> {
    let salt = SaltString::encode_b64(b"sixteen bytes ok").map_err(text)?;
    let hash = argon2::Argon2::default().hash_password(PASSWORD.as_bytes(), &salt);
    Ok(format!("{HASHED_USER}:{{ARGON2ID}}{}::::::user=user0\n", hash.map_err(text)?))
}

pub(super) fn start(home: &Path, store: &str, fsync: &str) -> Result<Started, Failure> {
    let ports = [free_port()?, free_port()?, free_port()?];
    let mail = home.join("data");
    fs::create_dir_all(&mail).map_err(text)?;
    fs::set_permissions(home, fs::Permissions::from_mode(0o755)).map_err(text)?;
    chown(&mail, Some(NOBODY), Some(NOBODY)).map_err(text)?;
    let users: String = (0..ACCOUNTS).map(|n| format!("user{n}:{{PLAIN}}{PASSWORD}\n")).collect();
    fs::write(home.join("users"), users + &hashed()?).map_err(text)?;
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).map_err(text)?;
    fs::write(home.join("certificate.pem"), made.cert.pem()).map_err(text)?;
    fs::write(home.join("key.pem"), made.signing_key.serialize_pem()).map_err(text)?;
    let config = home.join("dovecot.conf");
    fs::write(&config, settings(home, ports, store, fsync)).map_err(text)?;
    let child = Command::new("dovecot")
        .args(["-F", "-c"])
        .arg(&config)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| format!("dovecot: {error}; install dovecot-imapd and dovecot-lmtpd"))?;
    let addresses = ports.map(|port| format!("127.0.0.1:{port}"));
    for _ in 0..200 {
        if addresses.iter().all(|address| TcpStream::connect(address).is_ok()) {
            return Ok((child, addresses));
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    Err(format!("dovecot did not start: {}", log(home)))
}

/// Limits count file descriptors of one process too: 12,000 clients are within the 20,000 that a
/// system often allows.
fn settings(home: &Path, [imap, imaps, lmtp]: [u16; 3], store: &str, fsync: &str) -> String {
    let at = home.display();
    format!(
        "base_dir = {at}/run
state_dir = {at}/state
log_path = {at}/log
protocols = imap lmtp
listen = 127.0.0.1
ssl = yes
ssl_cert = <{at}/certificate.pem
ssl_key = <{at}/key.pem
disable_plaintext_auth = no
mail_fsync = {fsync}
mail_location = {store}:{at}/data/%u
first_valid_uid = 1
mail_uid = {NOBODY}
mail_gid = {NOBODY}
mail_max_userip_connections = 0
auth_username_format = %Ln
default_process_limit = 5000
default_client_limit = 12000
default_vsz_limit = 0
passdb {{
  driver = passwd-file
  args = {at}/users
}}
userdb {{
  driver = static
  args = uid={NOBODY} gid={NOBODY} home={at}/data/%u allow_all_users=yes
}}
namespace inbox {{
  inbox = yes
  separator = /
}}
service imap-login {{
  service_count = 0
  process_min_avail = 2
  process_limit = 8
  client_limit = 6000
  inet_listener imap {{
    port = {imap}
  }}
  inet_listener imaps {{
    port = {imaps}
    ssl = yes
  }}
}}
service imap {{
  service_count = 100
  process_min_avail = 4
  process_limit = 5000
}}
service lmtp {{
  process_min_avail = 4
  process_limit = 200
  inet_listener lmtp {{
    port = {lmtp}
  }}
}}
service auth {{
  client_limit = 12000
}}
service anvil {{
  client_limit = 12000
}}
"
    )
}

/// Ends all processes but the one that began the others, which then ends at once: alone it looks at
/// them only once a second, and a run has hundreds of restarts.
pub(super) fn end_sessions(master: &mut Child) {
    let root = master.id();
    if !matches!(master.try_wait(), Ok(None)) {
        return;
    }
    // It begins no others from here on.
    signal(root, Signal::TERM);
    for wait in 0..400 {
        let below = cost::family(root).into_iter().filter(|pid| *pid != root);
        let below: Vec<u32> = below.filter(|pid| !cost::has_ended(*pid)).collect();
        if below.is_empty() {
            break;
        }
        let last = if wait < 399 { Signal::TERM } else { Signal::KILL };
        below.into_iter().for_each(|pid| signal(pid, last));
        std::thread::sleep(Duration::from_millis(5));
    }
    if matches!(master.try_wait(), Ok(None)) {
        signal(root, Signal::KILL);
    }
}

pub(super) fn purge(home: &Path, user: &str) -> Result<(), Failure> {
    let config = home.join("dovecot.conf");
    output(Command::new("doveadm").arg("-c").arg(config).args(["purge", "-u", user])).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rival_checks_a_hash_that_costs_what_ours_costs() {
        let line = hashed().unwrap();
        assert!(line.starts_with("hashed0:{ARGON2ID}$argon2id$v=19$m=19456,t=2,p=1$"), "{line}");
    }
}
