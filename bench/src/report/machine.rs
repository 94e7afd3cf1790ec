//! What this ran on.

use std::fs;
use std::process::Command;

/// In words.
pub(super) fn words() -> String {
    let cpus = std::thread::available_parallelism().map_or(0, usize::from);
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let value = |text: &str, key: &str| {
        let line = text.lines().find(|line| line.starts_with(key))?.split_once(':')?;
        Some(line.1.trim().to_owned())
    };
    let model = value(&read("/proc/cpuinfo"), "model name").unwrap_or_else(|| "unknown".into());
    let memory = value(&read("/proc/meminfo"), "MemTotal").unwrap_or_default();
    let kernel = read("/proc/sys/kernel/osrelease");
    let mut words = format!("{cpus} cores ({model}), {memory} of memory, Linux {}", kernel.trim());
    if let Ok(output) = Command::new("dovecot").arg("--version").output() {
        let version = String::from_utf8_lossy(&output.stdout);
        words += &format!(", Dovecot {}", version.split_whitespace().next().unwrap_or_default());
    }
    words
}
