//! The servers that are compared: each on loopback, with its own temporary directory and equal
//! durability.

mod caches;
mod dovecot;
mod martlet;

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal};

use crate::imap::Failure;
use crate::wire::text;

/// Which server, with which store.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    /// This project.
    Martlet,
    /// Dovecot with mdbox.
    DovecotMdbox,
    /// Dovecot with Maildir.
    DovecotMaildir,
    /// Dovecot with mdbox and `mail_fsync = optimized`, which does not sync flags.
    DovecotOptimized,
}

impl Kind {
    /// The name in tables and options.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Martlet => "martlet",
            Self::DovecotMdbox => "dovecot-mdbox",
            Self::DovecotMaildir => "dovecot-maildir",
            Self::DovecotOptimized => "dovecot-mdbox-optimized",
        }
    }

    /// Reads the name of a rival.
    pub(crate) fn parse(name: &str) -> Result<Self, Failure> {
        [Self::DovecotMdbox, Self::DovecotMaildir, Self::DovecotOptimized]
            .into_iter()
            .find(|kind| kind.name() == name)
            .ok_or_else(|| format!("no rival is called {name:?}"))
    }

    /// Whether an acknowledged change is on the disk: only such rivals are compared.
    pub(crate) fn is_durable(self) -> bool {
        self != Self::DovecotOptimized
    }
}

/// martlet's configuration without a text index: what there is of one is not looked at.
pub(crate) const NO_INDEX: &str = "[search]\nindex = false\n";
/// The password of every account.
pub(crate) const PASSWORD: &str = "bench-password";
/// Accounts `user0` to `user63`.
pub(crate) const ACCOUNTS: usize = 64;

/// Names an account.
pub(crate) fn user(n: usize) -> String {
    format!("user{}", n % ACCOUNTS)
}

/// A process and its addresses: IMAP, IMAP inside TLS, LMTP.
type Started = (Child, [String; 3]);

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
    /// The martlet binary.
    pub(crate) binary: PathBuf,
    /// Bytes on disk before the big mailbox was filled.
    pub(crate) bytes_before: u64,
    home: tempfile::TempDir,
    child: Child,
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
        Self::start_in(&std::env::temp_dir(), kind, binary, "")
    }

    /// The same in a directory below `parent`, and with more of martlet's configuration, as TOML.
    pub(crate) fn start_in(
        parent: &Path,
        kind: Kind,
        binary: &Path,
        settings: &'static str,
    ) -> Result<Self, Failure> {
        let home = tempfile::Builder::new().prefix("bench-").tempdir_in(parent).map_err(text)?;
        let (child, [imap, imaps, lmtp]) = start(kind, binary, home.path(), settings)?;
        let (binary, bytes_before) = (binary.to_owned(), 0);
        let server = Self { kind, imap, imaps, lmtp, binary, bytes_before, home, child, settings };
        if kind == Kind::Martlet {
            martlet::add_accounts(&server.binary, &server.mail())?;
        }
        Ok(server)
    }

    /// Stops the server and starts it again on the same mail.
    pub(crate) fn restart(&mut self) -> Result<(), Failure> {
        self.restart_with(self.settings)
    }

    /// The same with other additions to martlet's configuration, until the next restart.
    pub(crate) fn restart_with(&mut self, settings: &str) -> Result<(), Failure> {
        self.stop();
        let (child, [imap, imaps, lmtp]) =
            start(self.kind, &self.binary, self.home.path(), settings)?;
        self.child = child;
        [self.imap, self.imaps, self.lmtp] = [imap, imaps, lmtp];
        Ok(())
    }

    /// Keeps what the caches hold when the big mailbox was just filled. Ends what is connected.
    pub(crate) fn remember_filled(&mut self) -> Result<(), Failure> {
        self.stop();
        let kept = self.home.path().join("filled");
        match self.kind {
            Kind::Martlet => caches::remember(&self.mail(), &kept)?,
            _ => caches::remember_dovecot(&self.mail(), &kept)?,
        }
        self.restart()
    }

    /// Stops the server, puts the caches back to that, and starts it, martlet without an index.
    pub(crate) fn restart_as_filled(&mut self) -> Result<(), Failure> {
        self.stop();
        let kept = self.home.path().join("filled");
        match self.kind {
            Kind::Martlet => caches::put_back(&self.mail(), &kept)?,
            _ => caches::put_back_dovecot(&self.mail(), &kept)?,
        }
        self.restart_with(NO_INDEX)
    }

    /// Stops the server, removes martlet's text index, and starts it: it begins a new one.
    pub(crate) fn restart_without_index(&mut self) -> Result<(), Failure> {
        self.stop();
        caches::forget_index(&self.mail())?;
        self.restart()
    }

    /// What the text index takes on disk.
    pub(crate) fn index_bytes(&self) -> Result<u64, Failure> {
        caches::index_bytes(&self.mail())
    }

    /// A name for `user0` of which every server has a hash like martlet's of the password.
    pub(crate) fn hashed_user(&self) -> &'static str {
        match self.kind {
            Kind::Martlet => "user0",
            _ => dovecot::HASHED_USER,
        }
    }

    /// The process whose descendants are the server.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Where its mail is.
    pub(crate) fn mail(&self) -> PathBuf {
        self.home.path().join("data")
    }

    /// Builds the text index of all accounts; how many messages that has. Only martlet has one.
    pub(crate) fn index(&self) -> Result<usize, Failure> {
        martlet::index(&self.binary, &self.mail())
    }

    /// Gives back what expunged messages of an account take, where that needs a command.
    pub(crate) fn purge(&self, user: &str) -> Result<(), Failure> {
        match self.kind {
            Kind::DovecotMdbox | Kind::DovecotOptimized => dovecot::purge(self.home.path(), user),
            Kind::Martlet | Kind::DovecotMaildir => Ok(()),
        }
    }

    fn stop(&mut self) {
        if self.kind != Kind::Martlet {
            dovecot::end_sessions(&mut self.child);
        }
        // Once it has ended its number may be another's.
        if matches!(self.child.try_wait(), Ok(None)) {
            signal(self.child.id(), Signal::TERM);
        }
        let _ = self.child.wait();
    }
}

fn signal(pid: u32, signal: Signal) {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
    let _ = pid.map(|pid| rustix::process::kill_process(pid, signal));
}

fn start(kind: Kind, binary: &Path, home: &Path, settings: &str) -> Result<Started, Failure> {
    match kind {
        Kind::Martlet => martlet::start(binary, home, settings),
        Kind::DovecotMdbox => dovecot::start(home, "mdbox", "always"),
        Kind::DovecotMaildir => dovecot::start(home, "maildir", "always"),
        Kind::DovecotOptimized => dovecot::start(home, "mdbox", "optimized"),
    }
}

/// Runs a command to its end; what it printed.
fn output(command: &mut Command) -> Result<String, Failure> {
    let name = command.get_program().to_string_lossy().into_owned();
    let failed = |why: &dyn std::fmt::Display| format!("{name}: {why}");
    let output = command.stdin(Stdio::null()).output().map_err(|error| failed(&error))?;
    match output.status.success() {
        true => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
        false => Err(failed(&String::from_utf8_lossy(&output.stderr))),
    }
}

fn free_port() -> Result<u16, Failure> {
    let listener = TcpListener::bind("127.0.0.1:0").map_err(text)?;
    Ok(listener.local_addr().map_err(text)?.port())
}

/// What a server said that does not start.
fn log(home: &Path) -> String {
    fs::read_to_string(home.join("log")).unwrap_or_default()
}
