//! Bytes that reach the device for each byte of mail, counted by the kernel: on a file system of its
//! own where that may be mounted, else on the disk of the temporary directory, on which nothing else
//! may write meanwhile.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::{Outcome, Scale, expect};
use crate::cost;
use crate::drive::{Script, drive};
use crate::imap::{Failure, Imap, append};
use crate::mail::{Sizes, message};
use crate::servers::{PASSWORD, Server, user};
use crate::watch::{Measure, Unit};
use crate::wire::text;

const DEVICE_BYTES: u64 = 8 << 30;
/// Compaction happens as segments are filled: small ones make it happen sooner. Nothing is retained.
const COMPACTING: &str = "[storage]\nretention = \"0s\"\nsegment_size = \"1MiB\"\n";
/// Compaction is over when the device was quiet for so long.
const QUIET: Duration = Duration::from_secs(1);
/// For compaction to begin.
const STEP: Duration = Duration::from_millis(200);
/// It is too slow to be measured then.
const PATIENCE: Duration = Duration::from_secs(60);

/// A directory, on a device of its own if the system lets us.
struct Device {
    at: PathBuf,
    is_mounted: bool,
    // Removed last.
    _home: tempfile::TempDir,
}

impl Drop for Device {
    fn drop(&mut self) {
        if self.is_mounted {
            // What a server left open would keep it mounted; lazily it goes with the last file.
            let _ = quietly(Command::new("umount").arg("--lazy").arg(&self.at));
        }
    }
}

impl Device {
    fn make() -> Result<Self, Failure> {
        let home = tempfile::Builder::new().prefix("bench-device-").tempdir().map_err(text)?;
        let (image, at) = (home.path().join("image"), home.path().join("mounted"));
        std::fs::create_dir(&at).map_err(text)?;
        let file = std::fs::File::create(&image).map_err(text)?;
        file.set_len(DEVICE_BYTES).map_err(text)?;
        // Nothing is written later on behalf of the file system itself.
        let options = "lazy_itable_init=0,lazy_journal_init=0";
        let is_mounted =
            quietly(
                Command::new("mkfs.ext4").args(["-q", "-N", "65536", "-E", options]).arg(&image),
            ) && quietly(Command::new("mount").args(["-o", "loop"]).arg(&image).arg(&at));
        if !is_mounted {
            eprintln!(
                "no device can be mounted: the whole disk is counted, nothing else may write"
            );
        }
        rustix::fs::chmod(home.path(), 0o755.into()).map_err(text)?;
        Ok(Self { at, is_mounted, _home: home })
    }

    /// Bytes written so far, with those that wait to be.
    fn written(&self) -> Result<u64, Failure> {
        let directory = std::fs::File::open(&self.at).map_err(text)?;
        rustix::fs::syncfs(directory).map_err(text)?;
        cost::written_bytes(&self.at)
    }

    /// Waits for compaction in the background.
    fn settle(&self) -> Result<(), Failure> {
        let start = Instant::now();
        let (mut last, mut since) = (self.written()?, Instant::now());
        while since.elapsed() < QUIET && start.elapsed() < PATIENCE {
            std::thread::sleep(QUIET / 10);
            let written = self.written()?;
            if written != last {
                (last, since) = (written, Instant::now());
            }
        }
        Ok(())
    }
}

fn quietly(command: &mut Command) -> bool {
    let command = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// Appends messages of 20 KB to the inboxes of so many clients' accounts; how many bytes these have.
fn append_all(server: &Server, clients: usize, numbers: (usize, usize)) -> Result<u64, Failure> {
    let each = (numbers.1 - numbers.0) / clients;
    let mut bytes = 0;
    let mut ready = |client: usize| {
        let first = numbers.0 + client * each;
        let mail: Vec<_> = (first..first + each).map(|n| message(n, Sizes::Middle)).collect();
        bytes += mail.iter().map(|message| message.len() as u64).sum::<u64>();
        let requests = mail.into_iter().map(|message| append("INBOX", &[message])).collect();
        Ok((Imap::login(&server.imap, &user(client), PASSWORD)?, Script::ready(requests)))
    };
    let mut all = (0..clients).map(&mut ready).collect::<Result<Vec<_>, Failure>>()?;
    drive(&mut all)?;
    Ok(bytes)
}

/// Device and server for a measurement, which leaves the one that was passed alone.
fn place(like: &Server, settings: &'static str) -> Result<(Device, Server), Failure> {
    let device = Device::make()?;
    let server = Server::start_in(&device.at, like.kind, &like.binary, settings)?;
    Ok((device, server))
}

fn times(written: u64, received: u64) -> Outcome {
    Ok(vec![Measure::of(Unit::Times, written as f64 / received as f64)])
}

/// Eight clients append, and the server stops.
pub(super) fn append_only(like: &mut Server, scale: Scale) -> Outcome {
    const CLIENTS: usize = 8;
    let (device, server) = place(like, "")?;
    let before = device.written()?;
    let received = append_all(&server, CLIENTS, (0, scale.writes))?;
    drop(server);
    times(device.written()? - before, received)
}

/// One client appends, deletes two of three, and goes on until the space was given back.
pub(super) fn with_compaction(like: &mut Server, scale: Scale) -> Outcome {
    let (device, server) = place(like, COMPACTING)?;
    let before = device.written()?;
    // Enough for a dozen segments.
    let count = scale.writes.max(1000);
    let mut received = append_all(&server, 1, (0, count))?;
    let full = cost::disk_bytes(&server.mail());
    let mut imap = Imap::login(&server.imap, &user(0), PASSWORD)?;
    imap.ok("SELECT INBOX")?;
    let doomed: Vec<_> = (1..=count).filter(|n| n % 3 > 0).collect();
    for some in doomed.chunks(1000) {
        let numbers: Vec<String> = some.iter().map(usize::to_string).collect();
        imap.ok(&format!("STORE {} +FLAGS.SILENT (\\Deleted)", numbers.join(",")))?;
    }
    let expunged = imap.ok("EXPUNGE")?.expunged;
    expect("EXPUNGE responses", expunged, doomed.len() as u64)?;
    imap.ok("LOGOUT")?;
    server.purge(&user(0))?;
    // martlet looks when it begins a segment, and not each time.
    let is_full = || cost::disk_bytes(&server.mail()) as f64 > full as f64 * 0.8;
    let (mut end, step) = (count, (count / 40).max(8));
    while end < count + count / 5 && (end == count || is_full()) {
        received += append_all(&server, 1, (end, end + step))?;
        end += step;
        std::thread::sleep(STEP);
    }
    device.settle()?;
    if is_full() {
        return Err(format!("nothing was given back of {full} bytes"));
    }
    drop(server);
    times(device.written()? - before, received)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_counts_what_is_written() {
        let device = Device::make().unwrap();
        if !device.is_mounted {
            // Without the right to mount there is nothing to be sure of.
            return;
        }
        let before = device.written().unwrap();
        std::fs::write(device.at.join("file"), vec![1; 1 << 20]).unwrap();
        let written = device.written().unwrap() - before;
        assert!((1 << 20..2 << 20).contains(&written), "{written}");
    }
}
