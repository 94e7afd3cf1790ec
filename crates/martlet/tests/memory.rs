//! Large things stream: the server's memory stays where it was, whatever passes through it.
//!
//! Reads the peak of resident memory from `/proc`, so it runs on Linux only.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

const MIB: u64 = 1024 * 1024;
const BOUND: u64 = 8 * MIB;

struct Server {
    child: Child,
    imap: String,
    _home: tempfile::TempDir,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Server {
    fn start() -> Self {
        let home = tempfile::tempdir().unwrap();
        let binary = env!("CARGO_BIN_EXE_martlet");
        let mut child = Command::new(binary)
            .args(["serve", "--imap", "127.0.0.1:0", "--imaps", "none", "--lmtp", "none", "--data"])
            .arg(home.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut ready = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut ready).unwrap();
        let imap = ready.split("imap=").nth(1).unwrap().split_whitespace().next().unwrap();
        let server = Self { imap: imap.to_owned(), child, _home: home };
        let mut add = Command::new(binary)
            .args(["account", "add", "alice", "--password-stdin", "--data"])
            .arg(server._home.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        add.stdin.take().unwrap().write_all(b"secret-enough\n").unwrap();
        assert!(add.wait().unwrap().success());
        server
    }

    fn status(&self, key: &str) -> u64 {
        let text = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = text.lines().find(|line| line.starts_with(key)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
    }

    /// How much `work` raised the peak of resident memory above what was resident before it.
    fn growth(&self, work: impl FnOnce()) -> u64 {
        // 5: set the peak back to the present (proc(5), clear_refs).
        std::fs::write(format!("/proc/{}/clear_refs", self.child.id()), "5").unwrap();
        let before = self.status("VmRSS:");
        work();
        self.status("VmHWM:").saturating_sub(before)
    }
}

struct Client {
    reader: BufReader<TcpStream>,
    writer: TcpStream,
}

impl Client {
    fn login(server: &Server) -> Self {
        let writer = TcpStream::connect(&server.imap).unwrap();
        writer.set_read_timeout(Some(Duration::from_secs(120))).unwrap();
        let mut client = Self { reader: BufReader::new(writer.try_clone().unwrap()), writer };
        client.line();
        client.command("LOGIN alice secret-enough");
        client.command("SELECT INBOX");
        client
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        assert!(self.reader.read_line(&mut line).unwrap() > 0, "the server closed");
        line
    }

    fn until_tagged(&mut self) {
        loop {
            let line = self.line();
            if let Some(rest) = line.strip_prefix("a ") {
                assert!(rest.starts_with("OK"), "{line}");
                return;
            }
        }
    }

    fn command(&mut self, command: &str) {
        self.writer.write_all(format!("a {command}\r\n").as_bytes()).unwrap();
        self.until_tagged();
    }

    /// Appends `bytes` of text that does not compress away, made as it is sent.
    fn append(&mut self, bytes: usize) {
        let head = format!("a APPEND INBOX {{{bytes}+}}\r\n");
        self.writer.write_all(head.as_bytes()).unwrap();
        const HEADER: &[u8] = b"Subject: large\r\n\r\n";
        self.writer.write_all(HEADER).unwrap();
        let (mut left, mut state) = (bytes - HEADER.len(), 0x9e37_79b9_7f4a_7c15_u64);
        let mut block = Vec::with_capacity(64 * 1024);
        while left > 0 {
            block.clear();
            while block.len() + 66 <= 64 * 1024 {
                for _ in 0..64 {
                    state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                    block.push(b'!' + u8::try_from((state >> 33) % 90).unwrap());
                }
                block.extend_from_slice(b"\r\n");
            }
            let part = block.len().min(left);
            self.writer.write_all(&block[..part]).unwrap();
            left -= part;
        }
        self.writer.write_all(b"\r\n").unwrap();
        self.until_tagged();
    }

    fn fetch_and_count(&mut self, set: &str) -> u64 {
        self.writer.write_all(format!("a FETCH {set} BODY.PEEK[]\r\n").as_bytes()).unwrap();
        let mut total = 0;
        loop {
            let line = self.line();
            if line.starts_with("a ") {
                assert!(line.starts_with("a OK"), "{line}");
                return total;
            }
            let Some(size) = line.trim_end().strip_suffix('}') else { continue };
            let size: u64 = size.rsplit('{').next().unwrap().parse().unwrap();
            let copied = std::io::copy(&mut (&mut self.reader).take(size), &mut std::io::sink());
            assert_eq!(copied.unwrap(), size);
            total += size;
        }
    }
}

#[test]
fn the_allocator_is_told_to_give_memory_back() {
    let server = Server::start();
    let environment = std::fs::read(format!("/proc/{}/environ", server.child.id())).unwrap();
    assert!(environment.split(|&byte| byte == 0).any(|set| set == b"MIMALLOC_PURGE_DELAY=10"));
}

#[test]
fn a_message_of_100_mb_passes_through() {
    const SIZE: usize = 100_000_000;
    let server = Server::start();
    let mut client = Client::login(&server);
    client.append(2_000_000);
    client.fetch_and_count("1");
    let append = server.growth(|| client.append(SIZE));
    let fetch = server.growth(|| assert_eq!(client.fetch_and_count("2"), SIZE as u64));
    println!("APPEND of 100 MB: {} KiB, FETCH of it: {} KiB", append / 1024, fetch / 1024);
    assert!(append < BOUND, "APPEND took {append} bytes");
    assert!(fetch < BOUND, "FETCH took {fetch} bytes");
}

#[test]
fn a_client_that_does_not_read_costs_nothing() {
    let server = Server::start();
    let mut client = Client::login(&server);
    for _ in 0..40 {
        client.append(500_000);
    }
    client.command("NOOP");
    client.fetch_and_count("1:4");
    let mut slow = Client::login(&server);
    let growth = server.growth(|| {
        // 20 MB of bodies ten times over, and not a byte of them read: the server has to stop at
        // what the socket's buffers take. Another session finds it alive.
        for _ in 0..10 {
            slow.writer.write_all(b"a FETCH 1:* (BODY.PEEK[] ENVELOPE)\r\n").unwrap();
        }
        client.fetch_and_count("1:*");
        client.command("NOOP");
    });
    println!("200 MB asked for and not read: {} KiB", growth / 1024);
    assert!(growth < BOUND, "a slow client took {growth} bytes");
}
