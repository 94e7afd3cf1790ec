//! The table, and the same as JSON.

use std::path::Path;

use serde_json::{Value, json};

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

/// The table's head.
pub(crate) fn head(names: &[&str]) {
    let mut line = "| workload |".to_owned();
    let mut rule = "|---|".to_owned();
    for (at, name) in names.iter().enumerate() {
        line += &format!(" {name} | CPU s |");
        rule += "--:|--:|";
        if at > 0 {
            line += " times |";
            rule += "--:|";
        }
    }
    println!("{line}\n{rule}");
}

/// One row; the first server is compared with each of the others.
pub(crate) fn row(name: &str, cells: &[Cell]) {
    let mut line = format!("| {name} |");
    for (at, cell) in cells.iter().enumerate() {
        line += &format!(" {} | {:.2} |", cell.text(), cell.cpu());
        if at > 0 {
            line += &format!(" {:.1} |", cells[0].ratio(cell));
        }
    }
    println!("{line}");
}

/// Writes everything as JSON.
pub(crate) fn write(
    path: &Path,
    names: &[&str],
    rows: &[(&str, Vec<Cell>)],
) -> Result<(), Failure> {
    let rows: Vec<Value> = rows
        .iter()
        .map(|(name, cells)| {
            let cells = names.iter().zip(cells).map(|(server, cell)| {
                json!({"server": server, "values": cell.values, "median": cell.median(),
                       "unit": format!("{:?}", cell.unit), "cpu_seconds": cell.cpu()})
            });
            json!({"workload": name, "servers": cells.collect::<Vec<_>>()})
        })
        .collect();
    if let Some(directory) = path.parent() {
        std::fs::create_dir_all(directory).map_err(|error| error.to_string())?;
    }
    let text = serde_json::to_string_pretty(&json!({ "rows": rows })).map_err(|e| e.to_string())?;
    std::fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()))
}
