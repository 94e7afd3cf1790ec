//! One row: what each server did, how they compare, and what was wanted.

use serde_json::{Value, json};

use crate::chart::Bar;
use crate::imap::Failure;
use crate::servers::Kind;
use crate::watch::{Measure, Unit};
use crate::work::{Limit, Row, Target};

/// What one server did: a measure for each round.
type Cell = Vec<Measure>;

/// A row.
pub(crate) struct Line {
    row: Row,
    cells: Vec<Cell>,
    /// The share of the limit that is wanted.
    share: f64,
    limits: Vec<f64>,
}

fn median(values: impl Iterator<Item = f64>) -> Option<f64> {
    let mut sorted: Vec<f64> = values.collect();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied()
}

fn value(cell: &Cell) -> Option<f64> {
    median(cell.iter().map(|measure| measure.value))
}

/// Seconds of the server for each operation.
fn server_cpu(cell: &Cell) -> Option<f64> {
    median(cell.iter().map(|measure| measure.spent.server / measure.operations))
}

/// Seconds of the load generator for each operation.
fn generator_cpu(cell: &Cell) -> Option<f64> {
    median(cell.iter().map(|measure| measure.spent.generator / measure.operations))
}

fn seconds(value: f64) -> String {
    match value {
        ..1e-3 => format!("{:.0} µs", value * 1e6),
        ..1.0 => format!("{:.1} ms", value * 1e3),
        _ => format!("{value:.2} s"),
    }
}

fn in_unit(value: f64, unit: Unit) -> String {
    match (unit, value) {
        (Unit::PerSecond, _) => format!("{value:.0}/s"),
        (Unit::Millis, ..1.0) => format!("{value:.3} ms"),
        (Unit::Millis, ..100.0) => format!("{value:.1} ms"),
        (Unit::Millis, _) => format!("{value:.0} ms"),
        (Unit::Bytes, ..10_000.0) => format!("{value:.0} B"),
        (Unit::Bytes, ..1e7) => format!("{:.1} KiB", value / 1024.0),
        (Unit::Bytes, _) => format!("{:.1} MiB", value / 1024.0 / 1024.0),
        (Unit::Times, _) => format!("{value:.2}"),
    }
}

/// `32`, `3.2`, `0.32`.
fn times(ratio: f64) -> String {
    match ratio {
        ..1.0 => format!("{ratio:.2}"),
        ..10.0 => format!("{ratio:.1}"),
        _ => format!("{ratio:.0}"),
    }
}

impl Line {
    /// An empty row for so many servers.
    pub(crate) fn new(row: &Row, servers: usize, limit: Option<&Limit>) -> Self {
        let share = limit.map_or(0.0, |limit| limit.share);
        Self { row: row.clone(), cells: vec![Cell::new(); servers], share, limits: Vec::new() }
    }

    /// Its name.
    pub(crate) fn name(&self) -> &str {
        &self.row.name
    }

    /// Adds a round of one server.
    pub(crate) fn add(&mut self, server: usize, measure: Measure) {
        self.cells[server].push(measure);
    }

    /// Adds a round of the machine's own.
    pub(crate) fn add_limit(&mut self, value: f64) {
        self.limits.push(value);
    }

    /// All servers have to give the same answers.
    pub(crate) fn check(&self) -> Result<(), Failure> {
        let mut answers = self.cells.iter().flatten().filter_map(|measure| measure.answer);
        let first = answers.next();
        match answers.all(|answer| Some(answer) == first) {
            true => Ok(()),
            false => Err(format!("{}: the servers answer differently", self.row.name)),
        }
    }

    /// What rivals did less of than martlet: rounds, or operations in a round.
    pub(crate) fn cut_short(&self, kinds: &[Kind]) -> Vec<String> {
        let amount = |cell: &Cell| (cell.len(), cell.first().map_or(0.0, |first| first.operations));
        let Some((rounds, operations)) = self.cells.first().map(amount) else { return Vec::new() };
        let rivals = kinds.iter().zip(&self.cells).skip(1).filter(|(_, cell)| !cell.is_empty());
        let said = |(kind, cell): (&Kind, &Cell)| {
            let (did, each) = amount(cell);
            let amount = match (did < rounds, each < operations) {
                (false, false) => return None,
                (true, false) => format!("{did} of {rounds} rounds"),
                (false, true) => format!("{each} of {operations}"),
                (true, true) => format!("{did} of {rounds} rounds, {each} of {operations}"),
            };
            Some(format!("{}, {} ({amount})", self.row.name, kind.name()))
        };
        rivals.filter_map(said).collect()
    }

    fn unit(&self) -> Unit {
        self.cells.iter().flatten().next().map_or(Unit::Times, |measure| measure.unit)
    }

    /// How many times better martlet is than a value.
    fn ratio_to(&self, other: f64) -> Option<f64> {
        let own = value(self.cells.first()?)?;
        let ratio = if self.unit() == Unit::PerSecond { own / other } else { other / own };
        // Both are 0 where nothing can be told.
        ratio.is_finite().then_some(ratio)
    }

    /// How many times better martlet is than the best rival that is as durable.
    fn ratio(&self, kinds: &[Kind]) -> Option<f64> {
        let rivals = kinds.iter().zip(&self.cells).skip(1).filter(|(kind, _)| kind.is_durable());
        let ratios = rivals.filter_map(|(_, cell)| self.ratio_to(value(cell)?));
        ratios.min_by(f64::total_cmp)
    }

    /// The limit, and martlet's share of it.
    fn limit(&self) -> Option<(f64, f64)> {
        let limit = median(self.limits.iter().copied())?;
        Some((limit, self.ratio_to(limit)?))
    }

    /// Whether the target is met; nothing where it cannot be told.
    pub(crate) fn is_met(&self, kinds: &[Kind]) -> Option<bool> {
        let met = match self.row.target {
            Target::Times(wanted) => self.ratio(kinds)? >= wanted,
            Target::AtMost(most) => value(self.cells.first()?)? <= most,
            Target::Shown => return None,
        };
        Some(met && self.limit().is_none_or(|(_, share)| share >= self.share))
    }

    /// Whether what is measured is the load generator more than martlet.
    pub(crate) fn generator_is_busy(&self) -> bool {
        let Some(cell) = self.cells.first() else { return false };
        generator_cpu(cell) > server_cpu(cell)
    }

    /// As a line of Markdown.
    pub(crate) fn text(&self, kinds: &[Kind]) -> String {
        let mut line = format!("| {} |", self.row.name);
        for cell in &self.cells {
            line += &match (value(cell), server_cpu(cell)) {
                (Some(value), Some(cpu)) if cpu > 0.0 => {
                    format!(" {} ({}) |", in_unit(value, self.unit()), seconds(cpu))
                }
                (Some(value), _) => format!(" {} |", in_unit(value, self.unit())),
                _ => " - |".to_owned(),
            };
        }
        line += &self.ratio(kinds).map_or(" |".to_owned(), |ratio| format!(" {} |", times(ratio)));
        line += &match self.row.target {
            Target::Times(1.0) => " ahead |".to_owned(),
            Target::Times(wanted) => format!(" {wanted} |"),
            Target::AtMost(most) => format!(" at most {} |", in_unit(most, self.unit())),
            Target::Shown => " |".to_owned(),
        };
        line += match self.is_met(kinds) {
            Some(true) => " met |",
            Some(false) => " **missed** |",
            None => " |",
        };
        line + &self.limit().map_or(" |".to_owned(), |(limit, share)| {
            let (share, wanted) = (share * 100.0, self.share * 100.0);
            format!(" {}: {share:.0} % of it, target {wanted:.0} % |", in_unit(limit, self.unit()))
        })
    }

    /// With everything that was measured.
    pub(crate) fn json(&self, kinds: &[Kind]) -> Value {
        let servers: Vec<Value> = kinds
            .iter()
            .zip(&self.cells)
            .filter(|(_, cell)| !cell.is_empty())
            .map(|(kind, cell)| {
                let values: Vec<f64> = cell.iter().map(|measure| measure.value).collect();
                json!({
                    "server": kind.name(),
                    "values": values,
                    "median": value(cell),
                    "operations": cell.first().map(|measure| measure.operations),
                    "server_cpu_seconds_each": server_cpu(cell),
                    "generator_cpu_seconds_each": generator_cpu(cell),
                    "martlet_times_better": value(cell).and_then(|value| self.ratio_to(value)),
                })
            })
            .collect();
        let target = match self.row.target {
            Target::Times(times) => json!({"times_better": times}),
            Target::AtMost(most) => json!({"at_most": most}),
            Target::Shown => Value::Null,
        };
        let limit = self.limit().map(|(value, share)| {
            json!({"value": value, "martlet_share": share, "target_share": self.share})
        });
        json!({
            "workload": self.row.name,
            "unit": format!("{:?}", self.unit()),
            "servers": servers,
            "times_better_than_best_rival": self.ratio(kinds),
            "target": target,
            "limit": limit,
            "met": self.is_met(kinds),
        })
    }

    /// As a bar of the chart.
    pub(crate) fn bar(&self, kinds: &[Kind]) -> Option<Bar<'_>> {
        let target = match self.row.target {
            Target::Times(times) => Some(times),
            Target::AtMost(_) | Target::Shown => None,
        };
        let (name, is_met) = (self.row.name.as_str(), self.is_met(kinds)?);
        Some(Bar { name, ratio: self.ratio(kinds)?, target, is_met })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KINDS: [Kind; 3] = [Kind::Martlet, Kind::DovecotMdbox, Kind::DovecotOptimized];

    fn line(target: Target, unit: Unit, values: [f64; 3]) -> Line {
        let mut line = Line::new(&Row { name: "row".into(), target }, 3, None);
        for (nth, value) in values.into_iter().enumerate() {
            line.add(nth, Measure::of(unit, value));
        }
        line
    }

    #[test]
    fn only_durable_rivals_are_compared() {
        let line = line(Target::Times(3.0), Unit::PerSecond, [300.0, 100.0, 400.0]);
        assert_eq!(line.text(&KINDS), "| row | 300/s | 100/s | 400/s | 3.0 | 3 | met | |");
    }

    #[test]
    fn a_missed_target_is_said() {
        let slow = line(Target::Times(3.0), Unit::Millis, [50.0, 100.0, 400.0]);
        assert!(slow.text(&KINDS).contains("| 2.0 | 3 | **missed** |"), "{}", slow.text(&KINDS));
        let large = line(Target::AtMost(10.0), Unit::Bytes, [11.0, 100.0, 400.0]);
        assert_eq!(large.is_met(&KINDS), Some(false));
        let mut far = line(Target::Times(1.0), Unit::PerSecond, [300.0, 100.0, 400.0]);
        far.share = 0.7;
        far.add_limit(1000.0);
        assert_eq!(far.is_met(&KINDS), Some(false));
    }

    #[test]
    fn what_was_cut_short_is_said() {
        let mut line = line(Target::Times(3.0), Unit::PerSecond, [300.0, 100.0, 400.0]);
        assert!(line.cut_short(&KINDS).is_empty());
        line.add(0, Measure::of(Unit::PerSecond, 300.0));
        line.add(1, Measure::of(Unit::PerSecond, 100.0));
        assert_eq!(line.cut_short(&KINDS), ["row, dovecot-mdbox-optimized (1 of 2 rounds)"]);
        line.cells[0][0].operations = 4000.0;
        line.cells[1][0].operations = 500.0;
        assert_eq!(line.cut_short(&KINDS)[0], "row, dovecot-mdbox (500 of 4000)");
    }

    #[test]
    fn different_answers_are_a_failure() {
        let mut line = line(Target::Times(3.0), Unit::PerSecond, [300.0, 100.0, 400.0]);
        line.add(0, Measure::of(Unit::PerSecond, 300.0).answered(7));
        line.add(1, Measure::of(Unit::PerSecond, 300.0).answered(7));
        assert!(line.check().is_ok());
        line.add(1, Measure::of(Unit::PerSecond, 300.0).answered(8));
        assert!(line.check().is_err());
    }
}
