//! The table, the same as JSON, and the chart.

mod line;
mod machine;

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

pub(crate) use line::Line;

use crate::chart;
use crate::imap::Failure;
use crate::servers::Kind;
use crate::watch::{Measure, Unit};
use crate::work::{Row, Target};

/// All that was measured.
pub(crate) struct Report {
    kinds: Vec<Kind>,
    lines: Vec<Line>,
    /// Workloads that ended in a wrong answer or in none.
    failures: Vec<Failure>,
    /// The most memory each server had after a workload, in bytes.
    memory: Vec<f64>,
}

impl Report {
    /// A table for these servers, of which the first is compared with the others. Prints its head.
    pub(crate) fn new(kinds: Vec<Kind>) -> Self {
        let report =
            Self { memory: vec![0.0; kinds.len()], kinds, lines: Vec::new(), failures: Vec::new() };
        println!("{}", report.head());
        report
    }

    /// Adds a row and prints it.
    pub(crate) fn add(&mut self, line: Line) {
        println!("{}", line.text(&self.kinds));
        self.lines.push(line);
    }

    /// Says that a workload failed: its rows are missing.
    pub(crate) fn fail(&mut self, failure: Failure) {
        eprintln!("bench: {failure}");
        self.failures.push(failure);
    }

    /// Whether all workloads were done, and right.
    pub(crate) fn outcome(self) -> Result<(), Failure> {
        match self.failures.is_empty() {
            true => Ok(()),
            false => Err(format!("failed: {}", self.failures.join("; "))),
        }
    }

    /// What a server has.
    pub(crate) fn note_memory(&mut self, server: usize, bytes: u64) {
        self.memory[server] = self.memory[server].max(bytes as f64);
    }

    /// Adds what was noted as the last row.
    pub(crate) fn end(&mut self) {
        let name = "most memory after a workload".to_owned();
        let row = Row { name, target: Target::Times(1.0) };
        let mut line = Line::new(&row, self.kinds.len(), None);
        for (nth, &bytes) in self.memory.iter().enumerate() {
            line.add(nth, Measure::of(Unit::Bytes, bytes));
        }
        self.add(line);
    }

    fn head(&self) -> String {
        let names: String = self.kinds.iter().map(|kind| format!(" {} |", kind.name())).collect();
        let rules = "--:|".repeat(self.kinds.len() + 2);
        format!("| workload |{names} times | target | | limit |\n|---|{rules}:-:|--:|")
    }

    fn table(&self) -> String {
        let rows = self.lines.iter().map(|line| line.text(&self.kinds) + "\n");
        self.head() + "\n" + &rows.collect::<String>()
    }

    /// Sentences on the whole.
    fn summary(&self) -> String {
        let met = self.lines.iter().filter(|line| line.is_met(&self.kinds) == Some(true)).count();
        let missed: Vec<&Line> =
            self.lines.iter().filter(|line| line.is_met(&self.kinds) == Some(false)).collect();
        let names = |lines: &[&Line]| {
            let names: Vec<_> = lines.iter().map(|line| line.name().to_owned()).collect();
            if names.is_empty() { "none".to_owned() } else { names.join("; ") }
        };
        let busy: Vec<&Line> = self.lines.iter().filter(|line| line.generator_is_busy()).collect();
        let mut text = format!(
            "{met} targets met, {} missed: {}.\n\nThe load generator used more processor time than \
             martlet in: {}.\n",
            missed.len(),
            names(&missed),
            names(&busy)
        );
        let short: Vec<_> =
            self.lines.iter().flat_map(|line| line.cut_short(&self.kinds)).collect();
        if !short.is_empty() {
            text += &format!("\nCut short, because it takes long: {}.\n", short.join("; "));
        }
        if !self.failures.is_empty() {
            text += &format!("\n**Failed**, and missing above: {}.\n", self.failures.join("; "));
        }
        text
    }

    fn json(&self, command: &str) -> Value {
        let rows: Vec<Value> = self.lines.iter().map(|line| line.json(&self.kinds)).collect();
        json!({"machine": machine::words(), "command": command, "rows": rows, "failed": self.failures})
    }

    /// Writes `results.json`, `table.md` and `chart.svg` into `directory`.
    pub(crate) fn write(&self, directory: &Path, command: &str) -> Result<(), Failure> {
        let failed = |error: std::io::Error| format!("{}: {error}", directory.display());
        fs::create_dir_all(directory).map_err(failed)?;
        let mut text =
            serde_json::to_string_pretty(&self.json(command)).map_err(|e| e.to_string())?;
        text.push('\n');
        fs::write(directory.join("results.json"), text).map_err(failed)?;
        fs::write(directory.join("table.md"), self.table() + "\n" + &self.summary())
            .map_err(failed)?;
        let bars: Vec<chart::Bar<'_>> =
            self.lines.iter().filter_map(|line| line.bar(&self.kinds)).collect();
        let chart = chart::svg("martlet, times better than the best rival in each row", &bars);
        fs::write(directory.join("chart.svg"), chart).map_err(failed)
    }

    /// Replaces what is between the marks in a page.
    pub(crate) fn write_page(&self, page: &Path, command: &str) -> Result<(), Failure> {
        let text = format!(
            "Machine: {}.\n\nCommand: `{command}`\n\n{}\n{}",
            machine::words(),
            self.table(),
            self.summary()
        );
        between_marks(page, "bench", &text)
    }
}

/// Replaces what is between two marks of a page.
pub(crate) fn between_marks(page: &Path, mark: &str, inner: &str) -> Result<(), Failure> {
    let (begin, end) = (format!("<!-- {mark}: begin -->"), format!("<!-- {mark}: end -->"));
    let failed = |error: std::io::Error| format!("{}: {error}", page.display());
    let text = fs::read_to_string(page).map_err(failed)?;
    let parts = text
        .split_once(&begin)
        .and_then(|(before, rest)| rest.split_once(&end).map(|(_, after)| (before, after)));
    let (before, after) = parts.ok_or_else(|| format!("{}: no marks of {mark}", page.display()))?;
    fs::write(page, format!("{before}{begin}\n{inner}{end}{after}")).map_err(failed)
}
