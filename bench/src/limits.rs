//! What the machine itself can do: the same bytes with nothing around them.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::os::unix::fs::FileExt;
use std::time::Instant;

use crate::imap::{Failure, Imap};
use crate::mail::{Sizes, message};
use crate::wire::text;
use crate::work::{Scale, expect};

/// A log is written ahead by so much: syncs then only overwrite.
const AHEAD: u64 = 1024 * 1024;

/// Messages a second that plain logs take, one for each client: a frame with length and CRC-32C,
/// written and synced before the next.
pub(crate) fn logs(count: usize, clients: usize) -> Result<f64, Failure> {
    let each = (count / clients).max(1);
    let home = tempfile::Builder::new().prefix("bench-log-").tempdir().map_err(text)?;
    let ready = |client: usize| {
        let file = File::create_new(home.path().join(client.to_string())).map_err(text)?;
        let messages = (0..each).map(|at| message(client * each + at, Sizes::Mixed)).collect();
        Log { file, end: 0, ahead: 0 }.prepared(messages)
    };
    let ready: Vec<(Log, Vec<Vec<u8>>)> =
        (0..clients).map(ready).collect::<Result<_, Failure>>()?;
    let start = Instant::now();
    std::thread::scope(|scope| {
        let write = |(mut log, messages): (Log, Vec<Vec<u8>>)| {
            messages.iter().try_for_each(|message| log.append(message))
        };
        let threads: Vec<_> =
            ready.into_iter().map(|one| scope.spawn(move || write(one))).collect();
        threads.into_iter().try_for_each(|thread| {
            thread.join().map_err(|_| "a log panicked".to_owned())?.map_err(text)
        })
    })?;
    Ok((each * clients) as f64 / start.elapsed().as_secs_f64())
}

struct Log {
    file: File,
    end: u64,
    ahead: u64,
}

impl Log {
    /// Written ahead once, as a server's log of some age is.
    fn prepared(mut self, messages: Vec<Vec<u8>>) -> Result<(Self, Vec<Vec<u8>>), Failure> {
        self.reach(1).map_err(text)?;
        self.file.sync_all().map_err(text)?;
        Ok((self, messages))
    }

    fn reach(&mut self, end: u64) -> std::io::Result<()> {
        static ZEROS: [u8; AHEAD as usize] = [0; AHEAD as usize];
        while self.ahead < end {
            self.file.write_all_at(&ZEROS, self.ahead)?;
            self.ahead += AHEAD;
        }
        Ok(())
    }

    fn append(&mut self, message: &[u8]) -> std::io::Result<()> {
        let mut frame = Vec::with_capacity(message.len() + 12);
        frame.extend_from_slice(&(message.len() as u64).to_le_bytes());
        frame.extend_from_slice(&crc32c::crc32c(message).to_le_bytes());
        frame.extend_from_slice(message);
        self.reach(self.end + frame.len() as u64)?;
        self.file.write_all_at(&frame, self.end)?;
        self.end += frame.len() as u64;
        self.file.sync_data()
    }
}

/// Milliseconds that loopback needs for a whole download's bytes, from memory to the same reader.
pub(crate) fn loopback(scale: Scale) -> Result<f64, Failure> {
    // So many responses again and again: more memory would be slower than a server's cache.
    const BLOCK: usize = 1000;
    let mut block = Vec::new();
    for n in 0..BLOCK.min(scale.messages) {
        let message = message(n, Sizes::Small);
        let head = format!("* {} FETCH (BODY[] {{{}}}\r\n", n + 1, message.len());
        block.extend_from_slice(head.as_bytes());
        block.extend_from_slice(&message);
        block.extend_from_slice(b")\r\n");
    }
    let listener = TcpListener::bind("127.0.0.1:0").map_err(text)?;
    let address = listener.local_addr().map_err(text)?.to_string();
    let blocks = scale.messages.div_ceil(BLOCK);
    let serve = move || -> std::io::Result<()> {
        let (mut stream, _) = listener.accept()?;
        stream.set_nodelay(true)?;
        stream.write_all(b"* OK ready\r\n")?;
        BufReader::new(stream.try_clone()?).read_line(&mut String::new())?;
        (0..blocks).try_for_each(|_| stream.write_all(&block))?;
        stream.write_all(b"a OK\r\n")
    };
    let server = std::thread::spawn(serve);
    let mut imap = Imap::connect(&address)?;
    let start = Instant::now();
    let answer = imap.ok("FETCH 1:* BODY.PEEK[]")?;
    let spent = start.elapsed().as_secs_f64() * 1e3;
    server.join().map_err(|_| "loopback panicked")?.map_err(text)?;
    expect("fetched", answer.fetched, (blocks * BLOCK.min(scale.messages)) as u64)?;
    Ok(spent)
}
