//! The table, the same as JSON, and the chart.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::chart;
use crate::imap::Failure;
use crate::workloads::{Measure, Unit};

/// What one server did in one workload.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cell {
    values: Vec<f64>,
    cpu_seconds: f64,
    unit: Option<Unit>,
}

impl Cell {
    /// Adds a round.
    pub(crate) fn add(&mut self, measure: Measure, cpu_seconds: f64) {
        self.unit = Some(measure.unit);
        self.values.push(measure.value);
        // A restarted server begins at 0 again.
        self.cpu_seconds += cpu_seconds.max(0.0);
    }

    fn median(&self) -> f64 {
        let mut sorted = self.values.clone();
        sorted.sort_by(f64::total_cmp);
        sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
    }

    fn cpu(&self) -> f64 {
        self.cpu_seconds / self.values.len().max(1) as f64
    }

    fn text(&self) -> String {
        match self.unit {
            Some(Unit::PerSecond) => format!("{:.0}/s", self.median()),
            Some(Unit::Millis) => format!("{:.2} ms", self.median()),
            Some(Unit::Bytes) => format!("{:.0} B", self.median()),
            None => "-".into(),
        }
    }

    /// How many times better `self` is than `other`.
    fn ratio(&self, other: &Self) -> f64 {
        match self.unit {
            Some(Unit::PerSecond) => self.median() / other.median(),
            _ => other.median() / self.median(),
        }
    }
}

/// All that was measured.
#[derive(Default)]
pub(crate) struct Report {
    names: Vec<&'static str>,
    rows: Vec<(&'static str, Vec<Cell>)>,
    /// The most memory each server had after a workload, in bytes.
    memory: Vec<f64>,
}

impl Report {
    /// A table for these servers, of which the first is compared with the others. Prints its head.
    pub(crate) fn new(names: Vec<&'static str>) -> Self {
        let report = Self { memory: vec![0.0; names.len()], names, rows: Vec::new() };
        println!("{}", report.head());
        report
    }

    /// Adds a row and prints it.
    pub(crate) fn add(&mut self, name: &'static str, cells: Vec<Cell>) {
        println!("{}", row(name, &cells));
        self.rows.push((name, cells));
    }

    /// What a server needs now.
    pub(crate) fn note_memory(&mut self, server: usize, bytes: u64) {
        self.memory[server] = self.memory[server].max(bytes as f64);
    }

    /// Adds what was noted as the last row.
    pub(crate) fn end(&mut self) {
        let cell = |&bytes: &f64| {
            let mut cell = Cell::default();
            cell.add(Measure { unit: Unit::Bytes, value: bytes }, 0.0);
            cell
        };
        let cells = self.memory.iter().map(cell).collect();
        self.add("most memory after a workload", cells);
    }

    fn head(&self) -> String {
        let mut line = "| workload |".to_owned();
        let mut rule = "|---|".to_owned();
        for (at, name) in self.names.iter().enumerate() {
            line += &format!(" {name} | CPU s |");
            rule += "--:|--:|";
            if at > 0 {
                line += " times |";
                rule += "--:|";
            }
        }
        format!("{line}\n{rule}")
    }

    fn table(&self) -> String {
        let rows = self.rows.iter().map(|(name, cells)| row(name, cells) + "\n");
        self.head() + "\n" + &rows.collect::<String>()
    }

    /// Each workload with martlet's ratio to the best rival.
    fn ratios(&self) -> Vec<(&str, f64)> {
        let best = |(name, cells): &(&'static str, Vec<Cell>)| {
            let others = cells.iter().skip(1).filter(|cell| cell.unit.is_some());
            let ratio = others.map(|other| cells[0].ratio(other)).fold(f64::INFINITY, f64::min);
            (*name, ratio)
        };
        self.rows.iter().map(best).filter(|(_, ratio)| ratio.is_finite()).collect()
    }

    fn json(&self, command: &str) -> Value {
        let rows = self.rows.iter().map(|(name, cells)| {
            let cells = self.names.iter().zip(cells).map(|(server, cell)| {
                json!({"server": server, "values": cell.values, "median": cell.median(),
                       "unit": format!("{:?}", cell.unit), "cpu_seconds": cell.cpu()})
            });
            json!({"workload": name, "servers": cells.collect::<Vec<_>>()})
        });
        json!({"machine": machine(), "command": command, "rows": rows.collect::<Vec<_>>()})
    }

    /// Writes `results.json`, `table.md` and `chart.svg` into `directory`.
    pub(crate) fn write(&self, directory: &Path, command: &str) -> Result<(), Failure> {
        let failed = |error: std::io::Error| format!("{}: {error}", directory.display());
        fs::create_dir_all(directory).map_err(failed)?;
        let mut text =
            serde_json::to_string_pretty(&self.json(command)).map_err(|e| e.to_string())?;
        text.push('\n');
        fs::write(directory.join("results.json"), text).map_err(failed)?;
        fs::write(directory.join("table.md"), self.table()).map_err(failed)?;
        let chart = chart::svg("martlet, times better than the best rival", &self.ratios());
        fs::write(directory.join("chart.svg"), chart).map_err(failed)
    }

    /// Replaces what is between the marks in a page.
    pub(crate) fn write_page(&self, page: &Path, command: &str) -> Result<(), Failure> {
        const BEGIN: &str = "<!-- bench: begin -->";
        const END: &str = "<!-- bench: end -->";
        let failed = |error: std::io::Error| format!("{}: {error}", page.display());
        let text = fs::read_to_string(page).map_err(failed)?;
        let parts = text
            .split_once(BEGIN)
            .and_then(|(before, rest)| rest.split_once(END).map(|(_, after)| (before, after)));
        let (before, after) = parts.ok_or_else(|| format!("{}: no marks", page.display()))?;
        let table = self.table();
        let machine = machine();
        let text = format!(
            "{before}{BEGIN}\nMachine: {machine}.\n\nCommand: `{command}`\n\n{table}{END}{after}"
        );
        fs::write(page, text).map_err(failed)
    }
}

fn row(name: &str, cells: &[Cell]) -> String {
    let mut line = format!("| {name} |");
    for (at, cell) in cells.iter().enumerate() {
        line += &format!(" {} | {:.2} |", cell.text(), cell.cpu());
        if at > 0 && cell.unit.is_some() {
            line += &format!(" {:.1} |", cells[0].ratio(cell));
        } else if at > 0 {
            line += " |";
        }
    }
    line
}

/// What this ran on, in words.
fn machine() -> String {
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
