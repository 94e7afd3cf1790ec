//! What a server costs: processor time, memory, bytes on disk, read from `/proc` for the server's
//! process and its descendants.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

/// Processor seconds and resident bytes.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Cost {
    /// User and system time of the processes and of those that have ended.
    pub(crate) cpu_seconds: f64,
    /// Proportional set size: shared pages are counted once.
    pub(crate) memory_bytes: u64,
}

/// The cost of a process and all below it.
pub(crate) fn of(pid: u32) -> Cost {
    let mut cost = Cost::default();
    for pid in family(pid) {
        cost.cpu_seconds += cpu_seconds(pid);
        cost.memory_bytes += memory_bytes(pid);
    }
    cost
}

fn stat(pid: u32) -> Option<Vec<String>> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name, in parentheses, may hold spaces.
    let rest = text.rsplit_once(')')?.1;
    Some(rest.split_whitespace().map(str::to_owned).collect())
}

fn family(root: u32) -> Vec<u32> {
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

fn cpu_seconds(pid: u32) -> f64 {
    // utime, stime, cutime, cstime (proc(5)), in hundredths of a second.
    let ticks = |fields: Vec<String>| {
        fields.iter().skip(11).take(4).filter_map(|field| field.parse::<f64>().ok()).sum::<f64>()
    };
    stat(pid).map_or(0.0, ticks) / 100.0
}

fn memory_bytes(pid: u32) -> u64 {
    let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap_or_default();
    let line = text.lines().find(|line| line.starts_with("Pss:"));
    let kib = line.and_then(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok());
    kib.unwrap_or(0) * 1024
}

/// The most memory a process ever had resident, in bytes.
pub(crate) fn memory_most(pid: u32) -> u64 {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = text.lines().find(|line| line.starts_with("VmHWM:"));
    let kib = line.and_then(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok());
    kib.unwrap_or(0) * 1024
}

/// Bytes of all files below, as the file system allots them.
pub(crate) fn disk_bytes(path: &Path) -> u64 {
    use std::os::unix::fs::MetadataExt;
    let Ok(entries) = fs::read_dir(path) else { return 0 };
    entries
        .flatten()
        .map(|entry| match entry.file_type() {
            Ok(kind) if kind.is_dir() => disk_bytes(&entry.path()),
            _ => entry.metadata().map_or(0, |metadata| metadata.blocks() * 512),
        })
        .sum()
}
