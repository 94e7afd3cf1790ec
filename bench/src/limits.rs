//! What the machine itself can do: the same bytes with nothing around them.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Write};
use std::net::TcpListener;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crate::imap::{Failure, Imap};
use crate::mail::{Sizes, message};
use crate::wire::text;
use crate::work::{Scale, expect};

/// A log is written ahead by so much: syncs then only overwrite.
const AHEAD: u64 = 1024 * 1024;

/// Messages a second that plain logs take: a frame with length and CRC-32C for each message, written
/// and synced before its client's next. Clients of one log that wait together share a write and a sync,
/// as those of one account do in martlet.
pub(crate) fn logs(count: usize, clients: usize, logs: usize) -> Result<f64, Failure> {
    let each = (count / clients).max(1);
    let home = tempfile::Builder::new().prefix("bench-log-").tempdir().map_err(text)?;
    let log = |nth: usize| Log::create(&home.path().join(nth.to_string())).map_err(text);
    let logs = (0..logs).map(log).collect::<Result<Vec<_>, Failure>>()?;
    let mail = |client: usize| -> Vec<Vec<u8>> {
        (0..each).map(|at| message(client * each + at, Sizes::Mixed)).collect()
    };
    let mail: Vec<_> = (0..clients).map(mail).collect();
    let start = Instant::now();
    std::thread::scope(|scope| {
        let write = |log: &Log, messages: &[Vec<u8>]| {
            messages.iter().try_for_each(|message| log.append(message))
        };
        let threads: Vec<_> = mail
            .iter()
            .zip(logs.iter().cycle())
            .map(|(messages, log)| scope.spawn(move || write(log, messages)))
            .collect();
        threads.into_iter().try_for_each(|thread| {
            thread.join().map_err(|_| "a log panicked".to_owned())?.map_err(text)
        })
    })?;
    Ok((each * clients) as f64 / start.elapsed().as_secs_f64())
}

/// A file to append to. Whoever waits first writes for all that wait meanwhile.
struct Log {
    file: File,
    queue: Mutex<Queue>,
    written: Condvar,
}

#[derive(Default)]
struct Queue {
    /// Frames that wait.
    bytes: Vec<u8>,
    /// Where they begin, and where zeros end.
    end: u64,
    ahead: u64,
    /// Frames that came, and that are on the disk.
    came: u64,
    durable: u64,
    /// Whether somebody writes.
    is_led: bool,
}

impl Log {
    /// Written ahead once, as a server's log of some age is.
    fn create(path: &Path) -> io::Result<Self> {
        let file = File::create_new(path)?;
        file.write_all_at(&vec![0; AHEAD as usize], 0)?;
        file.sync_all()?;
        let queue = Mutex::new(Queue { ahead: AHEAD, ..Queue::default() });
        Ok(Self { file, queue, written: Condvar::new() })
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns when the message is on the disk.
    fn append(&self, message: &[u8]) -> io::Result<()> {
        let crc = crc32c::crc32c(message);
        let mut queue = self.lock();
        queue.bytes.extend_from_slice(&(message.len() as u64).to_le_bytes());
        queue.bytes.extend_from_slice(&crc.to_le_bytes());
        queue.bytes.extend_from_slice(message);
        queue.came += 1;
        let own = queue.came;
        while queue.durable < own {
            queue = match queue.is_led {
                true => self.written.wait(queue).unwrap_or_else(PoisonError::into_inner),
                false => self.lead(queue)?,
            };
        }
        Ok(())
    }

    /// Writes and syncs what waits.
    fn lead<'a>(&'a self, mut queue: MutexGuard<'a, Queue>) -> io::Result<MutexGuard<'a, Queue>> {
        queue.is_led = true;
        let (came, bytes, from) = (queue.came, std::mem::take(&mut queue.bytes), queue.end);
        queue.end += bytes.len() as u64;
        let (end, ahead) = (queue.end, queue.ahead);
        drop(queue);
        let written = self.write(&bytes, from, (end > ahead).then_some(end));
        let mut queue = self.lock();
        if end > ahead {
            queue.ahead = end + AHEAD;
        }
        // After an error too: the others should not wait for ever, and the whole has failed.
        (queue.durable, queue.is_led) = (came, false);
        self.written.notify_all();
        written.map(|()| queue)
    }

    fn write(&self, bytes: &[u8], from: u64, ahead: Option<u64>) -> io::Result<()> {
        self.file.write_all_at(bytes, from)?;
        if let Some(at) = ahead {
            self.file.write_all_at(&[0; AHEAD as usize], at)?;
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_has_every_message_of_every_writer() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("log");
        let log = Log::create(&path).unwrap();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..50).for_each(|n| log.append(&[7; 300][..n]).unwrap()));
            }
        });
        let bytes = std::fs::read(&path).unwrap();
        let mut at = 0;
        for _ in 0..200 {
            let length = u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap()) as usize;
            let crc = u32::from_le_bytes(bytes[at + 8..at + 12].try_into().unwrap());
            assert_eq!(crc, crc32c::crc32c(&bytes[at + 12..at + 12 + length]));
            at += 12 + length;
        }
        assert!(bytes[at..].iter().all(|byte| *byte == 0) && log.lock().end == at as u64);
    }
}
