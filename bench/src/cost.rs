//! What a server costs: processor time, memory, bytes on disk, of the server's process and its
//! descendants.

use std::collections::HashMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use nix::time::ClockId;
use nix::unistd::Pid;

use crate::imap::Failure;

/// Processor seconds of a process and all below it, also of those that have ended.
pub(crate) fn cpu_seconds(root: u32) -> f64 {
    family(root).into_iter().map(|pid| clock_seconds(pid) + ended_seconds(pid)).sum()
}

/// Processor seconds of this process.
pub(crate) fn own_cpu_seconds() -> f64 {
    seconds(ClockId::CLOCK_PROCESS_CPUTIME_ID)
}

/// Resident bytes of a process and all below it; what they share counts once.
pub(crate) fn memory_bytes(root: u32) -> u64 {
    family(root).into_iter().map(|pid| kib(pid, "smaps_rollup", "Pss:")).sum::<u64>() * 1024
}

/// The most memory a process ever had resident, in bytes.
pub(crate) fn memory_most(pid: u32) -> u64 {
    kib(pid, "status", "VmHWM:") * 1024
}

fn seconds(clock: ClockId) -> f64 {
    let time = clock.now().map(std::time::Duration::from);
    time.map_or(0.0, |time| time.as_secs_f64())
}

fn clock_seconds(pid: u32) -> f64 {
    let pid = i32::try_from(pid).map(Pid::from_raw);
    let clock = pid.ok().and_then(|pid| ClockId::pid_cpu_clock_id(pid).ok());
    clock.map_or(0.0, seconds)
}

/// cutime and cstime (proc(5)), in hundredths of a second.
fn ended_seconds(pid: u32) -> f64 {
    let fields = stat(pid).unwrap_or_default();
    let ticks = fields.iter().skip(13).take(2).filter_map(|field| field.parse::<f64>().ok());
    ticks.sum::<f64>() / 100.0
}

fn stat(pid: u32) -> Option<Vec<String>> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name, in parentheses, may hold spaces.
    let rest = text.rsplit_once(')')?.1;
    Some(rest.split_whitespace().map(str::to_owned).collect())
}

/// A process and all below it.
pub(crate) fn family(root: u32) -> Vec<u32> {
    let mut children: HashMap<u32, Vec<u32>> = HashMap::new();
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    for pid in entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()) {
        if let Some(parent) = stat(pid).and_then(|fields| fields.get(1)?.parse().ok()) {
            children.entry(parent).or_default().push(pid);
        }
    }
    let (mut all, mut at) = (vec![root], 0);
    while let Some(pid) = all.get(at) {
        let below = children.get(pid).cloned().unwrap_or_default();
        all.extend(below);
        at += 1;
    }
    all
}

/// Whether a process is only waited for.
pub(crate) fn has_ended(pid: u32) -> bool {
    stat(pid).is_none_or(|fields| fields.first().is_some_and(|state| state == "Z"))
}

fn kib(pid: u32, file: &str, key: &str) -> u64 {
    let text = fs::read_to_string(format!("/proc/{pid}/{file}")).unwrap_or_default();
    let line = text.lines().find(|line| line.starts_with(key));
    line.and_then(|line| line.split_whitespace().nth(1)?.parse().ok()).unwrap_or(0)
}

/// Bytes of all files below, as the file system allots them.
pub(crate) fn disk_bytes(path: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(path) else { return 0 };
    entries
        .flatten()
        .map(|entry| match entry.file_type() {
            Ok(kind) if kind.is_dir() => disk_bytes(&entry.path()),
            _ => entry.metadata().map_or(0, |metadata| metadata.blocks() * 512),
        })
        .sum()
}

/// Bytes that were ever written to the device on which `path` is.
pub(crate) fn written_bytes(path: &Path) -> Result<u64, Failure> {
    let failed = |error: std::io::Error| format!("{}: {error}", path.display());
    let device = fs::metadata(path).map_err(failed)?.dev();
    let (major, minor) = (rustix::fs::major(device), rustix::fs::minor(device));
    let stat = format!("/sys/dev/block/{major}:{minor}/stat");
    let text = fs::read_to_string(&stat).map_err(|error| format!("{stat}: {error}"))?;
    // The seventh number: sectors of 512 bytes (Documentation/block/stat.rst).
    let sectors = text.split_whitespace().nth(6).and_then(|field| field.parse::<u64>().ok());
    sectors.map(|sectors| sectors * 512).ok_or_else(|| format!("{stat}: {text}"))
}
