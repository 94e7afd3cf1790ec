//! The servers that are compared: each on loopback, with its own temporary directory and equal
//! durability.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::imap::Failure;

/// Which server, with which store.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    /// This project.
    Martlet,
    /// Dovecot with mdbox.
    DovecotMdbox,
    /// Dovecot with Maildir.
    DovecotMaildir,
}

impl Kind {
    /// The name in tables and options.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Martlet => "martlet",
            Self::DovecotMdbox => "dovecot-mdbox",
            Self::DovecotMaildir => "dovecot-maildir",
        }
    }

    /// Reads a name.
    pub(crate) fn parse(name: &str) -> Result<Self, Failure> {
        [Self::Martlet, Self::DovecotMdbox, Self::DovecotMaildir]
            .into_iter()
            .find(|kind| kind.name() == name)
            .ok_or_else(|| format!("no server is called {name:?}"))
    }
}

/// The password of every account.
pub(crate) const PASSWORD: &str = "bench-password";
/// Accounts `user0` to `user63`.
pub(crate) const ACCOUNTS: usize = 64;

/// A running server.
pub(crate) struct Server {
    /// Which.
    pub(crate) kind: Kind,
    /// IMAP in the clear.
    pub(crate) imap: String,
    /// IMAP inside TLS.
    pub(crate) imaps: String,
    /// LMTP.
    pub(crate) lmtp: String,
    home: tempfile::TempDir,
    child: Child,
    binary: PathBuf,
    /// More of martlet's configuration.
    settings: &'static str,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Server {
    /// Starts a server with all its accounts in a directory of its own.
    pub(crate) fn start(kind: Kind, binary: &Path) -> Result<Self, Failure> {
        Self::start_with(kind, binary, "")
    }

    /// The same with more of martlet's configuration, as TOML.
    pub(crate) fn start_with(
        kind: Kind,
        binary: &Path,
        settings: &'static str,
    ) -> Result<Self, Failure> {
        let home = tempfile::Builder::new().prefix("bench-").tempdir().map_err(text)?;
        let (child, [imap, imaps, lmtp]) = match kind {
            Kind::Martlet => start_martlet(binary, home.path(), settings)?,
            _ => start_dovecot(kind, home.path())?,
        };
        let binary = binary.to_owned();
        let server = Self { kind, imap, imaps, lmtp, home, child, binary, settings };
        if kind == Kind::Martlet {
            server.add_accounts()?;
        }
        Ok(server)
    }

    /// Stops the server and starts it again on the same mail.
    pub(crate) fn restart(&mut self) -> Result<(), Failure> {
        self.stop();
        let (child, [imap, imaps, lmtp]) = match self.kind {
            Kind::Martlet => start_martlet(&self.binary, self.home.path(), self.settings)?,
            kind => start_dovecot(kind, self.home.path())?,
        };
        self.child = child;
        [self.imap, self.imaps, self.lmtp] = [imap, imaps, lmtp];
        Ok(())
    }

    /// The process whose descendants are the server.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Where its mail is.
    pub(crate) fn mail(&self) -> PathBuf {
        self.home.path().join("data")
    }

    fn stop(&mut self) {
        let pid = rustix::process::Pid::from_child(&self.child);
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        let _ = self.child.wait();
    }

    fn add_accounts(&self) -> Result<(), Failure> {
        for n in 0..ACCOUNTS {
            let mut child = Command::new(&self.binary)
                .args(["account", "add", &format!("user{n}"), "--password-stdin", "--data"])
                .arg(self.mail())
                .stdin(Stdio::piped())
                .stdout(Stdio::null())
                .spawn()
                .map_err(text)?;
            if let Some(mut stdin) = child.stdin.take() {
                stdin.write_all(format!("{PASSWORD}\n").as_bytes()).map_err(text)?;
            }
            if !child.wait().map_err(text)?.success() {
                return Err(format!("account user{n} could not be added"));
            }
        }
        Ok(())
    }
}

fn text(error: std::io::Error) -> Failure {
    error.to_string()
}

fn start_martlet(
    binary: &Path,
    home: &Path,
    settings: &str,
) -> Result<(Child, [String; 3]), Failure> {
    let log = fs::File::create(home.join("log")).map_err(text)?;
    // All clients come from one address.
    let config = "[limits]\nconnections_per_address_max = 1000000\n\
                  connections_per_account_max = 1000000\nconnections_before_login_max = 1000000\n";
    fs::write(home.join("martlet.toml"), config.to_owned() + settings).map_err(text)?;
    let mut child = Command::new(binary)
        .args(["serve", "--imap", "127.0.0.1:0", "--imaps", "127.0.0.1:0", "--lmtp", "127.0.0.1:0"])
        .arg("--data")
        .arg(home.join("data"))
        .arg("--config")
        .arg(home.join("martlet.toml"))
        .stdout(Stdio::piped())
        .stderr(log)
        .spawn()
        .map_err(|error| format!("{}: {error}", binary.display()))?;
    let mut line = String::new();
    let stdout = child.stdout.take().ok_or("no standard output")?;
    BufReader::new(stdout).read_line(&mut line).map_err(text)?;
    let address = |name: &str| {
        let found = line.split_whitespace().find_map(|word| word.strip_prefix(name));
        found.map(str::to_owned).ok_or_else(|| format!("not ready: {line}"))
    };
    let addresses = [address("imap=")?, address("imaps=")?, address("lmtp=")?];
    Ok((child, addresses))
}

fn free_port() -> Result<u16, Failure> {
    let listener = TcpListener::bind("127.0.0.1:0").map_err(text)?;
    Ok(listener.local_addr().map_err(text)?.port())
}

/// Dovecot 2.3, as Debian packages it, with what makes it fast: login processes that are reused,
/// every limit out of the way, and `mail_fsync = always`, which is what martlet does.
fn start_dovecot(kind: Kind, home: &Path) -> Result<(Child, [String; 3]), Failure> {
    let (imap, imaps, lmtp) = (free_port()?, free_port()?, free_port()?);
    let store = match kind {
        Kind::DovecotMdbox => "mdbox",
        _ => "maildir",
    };
    let mail = home.join("data");
    fs::create_dir_all(&mail).map_err(text)?;
    fs::set_permissions(home, fs::Permissions::from_mode(0o755)).map_err(text)?;
    // nobody and nogroup of Debian.
    chown(&mail, Some(65534), Some(65534)).map_err(text)?;
    let users: String = (0..ACCOUNTS).map(|n| format!("user{n}:{{PLAIN}}{PASSWORD}\n")).collect();
    fs::write(home.join("users"), users).map_err(text)?;
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]);
    let made = made.map_err(|error| error.to_string())?;
    fs::write(home.join("certificate.pem"), made.cert.pem()).map_err(text)?;
    fs::write(home.join("key.pem"), made.signing_key.serialize_pem()).map_err(text)?;
    let at = home.display();
    let config = format!(
        "base_dir = {at}/run\nstate_dir = {at}/state\nlog_path = {at}/log\nprotocols = imap lmtp\n\
         listen = 127.0.0.1\nssl = yes\nssl_cert = <{at}/certificate.pem\nssl_key = <{at}/key.pem\ndisable_plaintext_auth = no\nmail_fsync = always\n\
         mail_location = {store}:{at}/data/%u\nfirst_valid_uid = 1\nmail_uid = 65534\n\
         mail_gid = 65534\nmail_max_userip_connections = 0\nauth_username_format = %Ln\n\
         default_process_limit = 20000\ndefault_client_limit = 30000\ndefault_vsz_limit = 0\n\
         passdb {{\n driver = passwd-file\n args = {at}/users\n}}\n\
         userdb {{\n driver = static\n args = uid=65534 gid=65534 home={at}/data/%u allow_all_users=yes\n}}\n\
         namespace inbox {{\n inbox = yes\n separator = /\n}}\n\
         service imap-login {{\n service_count = 0\n process_min_avail = 2\n\
         \u{20}inet_listener imap {{\n port = {imap}\n }}\n inet_listener imaps {{\n port = {imaps}\n ssl = yes\n }}\n}}\n\
         service imap {{\n service_count = 100\n process_min_avail = 4\n}}\n\
         service lmtp {{\n process_min_avail = 4\n inet_listener lmtp {{\n port = {lmtp}\n }}\n}}\n"
    );
    let path = home.join("dovecot.conf");
    fs::write(&path, config).map_err(text)?;
    let child = Command::new("dovecot")
        .args(["-F", "-c"])
        .arg(&path)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| format!("dovecot: {error}; install dovecot-imapd and dovecot-lmtpd"))?;
    let addresses = [imap, imaps, lmtp].map(|port| format!("127.0.0.1:{port}"));
    for _ in 0..200 {
        if addresses.iter().all(|address| TcpStream::connect(address).is_ok()) {
            return Ok((child, addresses));
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    Err(format!(
        "dovecot did not start: {}",
        fs::read_to_string(home.join("log")).unwrap_or_default()
    ))
}
