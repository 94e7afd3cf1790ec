//! What the tests that run the real binary have in common: a server, its command line, and plain
//! clients of IMAP and LMTP.
#![allow(dead_code, clippy::unwrap_used, missing_docs, unreachable_pub)]

pub mod hostile;

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::Duration;

pub const PASSWORD: &str = "correct horse battery";

pub fn binary() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_martlet"));
    command.env_remove("MARTLET_LOG");
    command
}

/// A server process.
pub struct Server {
    pub child: Child,
    pub data: PathBuf,
    pub ready: String,
    stdout: Option<BufReader<std::process::ChildStdout>>,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Server {
    /// On free ports.
    pub fn start(data: &Path) -> Self {
        Self::start_with(data, &[])
    }

    pub fn start_with(data: &Path, more: &[&str]) -> Self {
        let mut command = binary();
        let any = "127.0.0.1:0";
        command
            .args(["serve", "--imap", any, "--imaps", any, "--lmtp", any, "--data"])
            .arg(data)
            .args(more);
        Self::run(command, data)
    }

    pub fn run(mut command: Command, data: &Path) -> Self {
        let log = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(data.with_extension("log"))
            .unwrap();
        let mut child = command.stdout(Stdio::piped()).stderr(log).spawn().unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut ready = String::new();
        stdout.read_line(&mut ready).unwrap();
        let server = Self { child, data: data.to_owned(), ready, stdout: Some(stdout) };
        assert!(server.ready.starts_with("ready"), "{:?}\n{}", server.ready, server.log());
        server
    }

    pub fn log(&self) -> String {
        std::fs::read_to_string(self.data.with_extension("log")).unwrap_or_default()
    }

    pub fn address(&self, protocol: &str) -> String {
        let key = format!("{protocol}=");
        let word = self.ready.split_whitespace().find_map(|word| word.strip_prefix(&key));
        word.unwrap_or_else(|| panic!("no {protocol} in {:?}", self.ready)).to_owned()
    }

    pub fn imap(&self) -> Imap {
        Imap::connect(&self.address("imap"))
    }

    /// Logged in.
    pub fn session(&self, user: &str) -> Imap {
        let mut imap = self.imap();
        imap.ok(&format!("LOGIN {user} \"{PASSWORD}\""));
        imap
    }

    pub fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, signal).unwrap();
    }

    /// SIGTERM, and what it comes to.
    pub fn stop(mut self) -> ExitStatus {
        self.signal(rustix::process::Signal::TERM);
        self.child.wait().unwrap()
    }

    /// SIGKILL
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub fn cli(&self, words: &[&str]) -> Output {
        cli(&self.data, words, "")
    }
}

pub fn cli(data: &Path, words: &[&str], input: &str) -> Output {
    let mut child = binary()
        .args(words)
        .arg("--data")
        .arg(data)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A command that does not read its input closes it.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    child.wait_with_output().unwrap()
}

/// Runs a command that has to go well; what it prints.
pub fn cli_ok(data: &Path, words: &[&str], input: &str) -> String {
    let output = cli(data, words, input);
    let (out, err) = texts(&output);
    assert!(output.status.success(), "martlet {}: {out}{err}", words.join(" "));
    out
}

pub fn texts(output: &Output) -> (String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (text(&output.stdout), text(&output.stderr))
}

pub fn add_account(data: &Path, name: &str) {
    cli_ok(data, &["account", "add", name, "--password-stdin"], &format!("{PASSWORD}\n"));
}

/// A client that sends what it is told to. `S` is a socket, or TLS over one.
pub struct Imap<S: Read + Write = TcpStream> {
    pub stream: BufReader<S>,
    tag: u32,
    pub greeting: String,
}

impl Imap<TcpStream> {
    pub fn connect(address: &str) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        Self::over(stream)
    }
}

impl<S: Read + Write> Imap<S> {
    pub fn over(stream: S) -> Self {
        let mut imap = Self::without_greeting(stream);
        imap.greeting = imap.response().unwrap();
        imap
    }

    /// The greeting has not been read yet.
    pub fn without_greeting(stream: S) -> Self {
        Self { stream: BufReader::new(stream), tag: 0, greeting: String::new() }
    }

    /// One response with its literals; bytes are chars of the same number.
    pub fn response(&mut self) -> io::Result<String> {
        let mut all = Vec::new();
        loop {
            let start = all.len();
            if self.stream.read_until(b'\n', &mut all)? == 0 || !all.ends_with(b"\r\n") {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let line = String::from_utf8_lossy(&all[start..all.len() - 2]).into_owned();
            let literal = line.strip_suffix('}').and_then(|line| line.rsplit_once('{'));
            let Some(length) = literal.and_then(|(_, digits)| digits.parse::<usize>().ok()) else {
                break;
            };
            let from = all.len();
            all.resize(from + length, 0);
            self.stream.read_exact(&mut all[from..])?;
        }
        all.truncate(all.len() - 2);
        Ok(all.into_iter().map(char::from).collect())
    }

    pub fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.get_mut().write_all(bytes)?;
        self.stream.get_mut().flush()
    }

    /// Sends a command; all responses, the tagged one last.
    pub fn command(&mut self, command: &str) -> io::Result<Vec<String>> {
        self.tag += 1;
        let tag = format!("t{}", self.tag);
        self.send(format!("{tag} {command}\r\n").as_bytes())?;
        self.until_tagged(&tag)
    }

    fn until_tagged(&mut self, tag: &str) -> io::Result<Vec<String>> {
        let mut all = Vec::new();
        loop {
            let response = self.response()?;
            let last = response.starts_with(&format!("{tag} "));
            all.push(response);
            if last {
                return Ok(all);
            }
        }
    }

    /// A command that has to go well.
    pub fn ok(&mut self, command: &str) -> Vec<String> {
        let answer = self.command(command).unwrap();
        let last = answer.last().unwrap();
        assert!(last.split(' ').nth(1) == Some("OK"), "{command}: {answer:?}");
        answer
    }

    /// Appends; the UID.
    pub fn append(&mut self, mailbox: &str, message: &[u8]) -> io::Result<u32> {
        self.tag += 1;
        let tag = format!("t{}", self.tag);
        let mut bytes = format!("{tag} APPEND {mailbox} {{{}+}}\r\n", message.len()).into_bytes();
        bytes.extend_from_slice(message);
        bytes.extend_from_slice(b"\r\n");
        self.send(&bytes)?;
        let answer = self.until_tagged(&tag)?;
        let last = answer.last().unwrap();
        let code = last.split("[APPENDUID ").nth(1).unwrap_or_else(|| panic!("{answer:?}"));
        let words: Vec<&str> = code.split(']').next().unwrap().split(' ').collect();
        Ok(words[1].parse().unwrap())
    }
}

/// Bytes of a response's literal, as [`Imap::response`] gives them.
pub fn literal(response: &str) -> Option<Vec<u8>> {
    let (before, after) = response.split_once("}\r\n")?;
    let length: usize = before.rsplit_once('{')?.1.parse().ok()?;
    Some(after.chars().take(length).map(|c| c as u8).collect())
}

/// A client of LMTP.
pub struct Lmtp {
    stream: BufReader<TcpStream>,
}

impl Lmtp {
    pub fn connect(address: &str) -> io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(Duration::from_secs(60)))?;
        let mut lmtp = Self { stream: BufReader::new(stream) };
        lmtp.reply()?;
        lmtp.command("LHLO client.example.org")?;
        Ok(lmtp)
    }

    fn reply(&mut self) -> io::Result<String> {
        loop {
            let mut line = String::new();
            if self.stream.read_line(&mut line)? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            if line.as_bytes().get(3) != Some(&b'-') {
                return Ok(line);
            }
        }
    }

    pub fn command(&mut self, command: &str) -> io::Result<String> {
        self.stream.get_mut().write_all(format!("{command}\r\n").as_bytes())?;
        self.reply()
    }

    /// Delivers; one reply for each recipient.
    pub fn deliver(&mut self, recipients: &[&str], message: &[u8]) -> io::Result<Vec<String>> {
        self.command("MAIL FROM:<sender@example.org>")?;
        for recipient in recipients {
            let reply = self.command(&format!("RCPT TO:<{recipient}>"))?;
            assert!(reply.starts_with("250"), "{recipient}: {reply}");
        }
        self.command("DATA")?;
        let mut bytes = Vec::with_capacity(message.len() + 5);
        for line in message.split_inclusive(|byte| *byte == b'\n') {
            if line.starts_with(b".") {
                bytes.push(b'.');
            }
            bytes.extend_from_slice(line);
        }
        bytes.extend_from_slice(b".\r\n");
        self.stream.get_mut().write_all(&bytes)?;
        recipients.iter().map(|_| self.reply()).collect()
    }
}
