//! martlet beside its rivals: the same machine, the same run, the same durability, as ratios.
//!
//! `cargo xtask bench` builds what it needs and calls this.

#![forbid(unsafe_code)]

mod chart;
mod cost;
mod drive;
mod facts;
mod growth;
mod imap;
mod limits;
mod lmtp;
mod mail;
mod report;
mod servers;
mod tls;
mod watch;
mod wire;
mod work;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

use crate::imap::Failure;
use crate::report::{Line, Report};
use crate::servers::{Kind, Server};
use crate::work::{FILL, Scale, Who, Workload};

/// Runs the workloads on martlet and its rivals alternately and prints a table.
#[derive(Parser)]
struct Options {
    /// The martlet binary.
    #[arg(long, default_value = "target/release/martlet")]
    binary: PathBuf,
    /// Rivals, separated by commas: dovecot-mdbox, dovecot-maildir, dovecot-mdbox-optimized (which
    /// does not sync flags: shown, not compared).
    #[arg(long, value_delimiter = ',')]
    against: Vec<String>,
    /// A small mailbox and one round: checks the answers more than the speed.
    #[arg(long)]
    quick: bool,
    /// Messages in the big mailbox.
    #[arg(long, default_value_t = 100_000)]
    messages: usize,
    /// Only workloads whose names contain one of these, separated by commas (the mailbox is always
    /// filled).
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// How cost grows with the mailbox, instead: martlet alone, on mailboxes of `--sizes`.
    #[arg(long)]
    growth: bool,
    /// Messages in the mailboxes of `--growth`.
    #[arg(long, value_delimiter = ',', default_value = "1000,100000,1000000")]
    sizes: Vec<usize>,
    /// The directory for results.json, table.md and chart.svg.
    #[arg(long)]
    results: Option<PathBuf>,
    /// A page that shows the table between its marks: `bench`, or `growth`.
    #[arg(long)]
    page: Option<PathBuf>,
}

fn main() -> ExitCode {
    match run(&Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("bench: {failure}");
            ExitCode::FAILURE
        }
    }
}

impl Options {
    fn scale(&self) -> Scale {
        if self.quick {
            return Scale { messages: 2_000, writes: 320, bulk: 200, idle: 50, crowd: 500 };
        }
        let messages = self.messages;
        let writes = (messages / 25).clamp(320, 4_000);
        let (bulk, idle) = (10_000.min(messages / 2), (messages / 20).clamp(50, 1_000));
        Scale { messages, writes, bulk, idle, crowd: 10_000 }
    }

    fn wants(&self, workload: &Workload) -> bool {
        let named = |word: &String| workload.rows.iter().any(|row| row.name.contains(word));
        let fills = workload.rows.iter().any(|row| row.name == FILL);
        fills || self.only.is_empty() || self.only.iter().any(named)
    }
}

fn run(options: &Options) -> Result<(), Failure> {
    if options.growth {
        return growth::run(&options.binary, &options.sizes, options.page.as_deref());
    }
    let mut kinds = vec![Kind::Martlet];
    for name in &options.against {
        kinds.push(Kind::parse(name)?);
    }
    let mut servers = Vec::new();
    for &kind in &kinds {
        servers.push(Server::start(kind, &options.binary)?);
    }
    let mut report = Report::new(kinds);
    for workload in work::all().iter().filter(|workload| options.wants(workload)) {
        for line in measure(workload, &mut servers, options, &mut report)? {
            report.add(line);
        }
    }
    report.end();
    let command = command();
    if let Some(directory) = &options.results {
        report.write(directory, &command)?;
    }
    options.page.as_ref().map_or(Ok(()), |page| report.write_page(page, &command))
}

/// The rows of one workload.
fn measure(
    workload: &Workload,
    servers: &mut [Server],
    options: &Options,
    report: &mut Report,
) -> Result<Vec<Line>, Failure> {
    let scale = options.scale();
    let rounds = if options.quick { 1 } else { workload.rounds };
    // The first is martlet.
    let count = if workload.who == Who::All { servers.len() } else { 1 };
    let new = |row| Line::new(row, servers.len(), workload.limit.as_ref());
    let mut lines: Vec<Line> = workload.rows.iter().map(new).collect();
    for _ in 0..rounds {
        // A B A B: what disturbs the machine disturbs all.
        for (nth, server) in servers.iter_mut().take(count).enumerate() {
            let name = workload.rows.first().map_or("", |row| row.name.as_str());
            let kind = server.kind.name();
            let failed = |why| format!("{kind}, {name}: {why}");
            let measures = (workload.run)(server, scale).map_err(failed)?;
            for (line, measure) in lines.iter_mut().zip(measures) {
                line.add(nth, measure);
            }
            report.note_memory(nth, cost::memory_bytes(server.pid()));
        }
        if let (Some(limit), Some(line)) = (&workload.limit, lines.first_mut()) {
            line.add_limit((limit.run)(scale)?);
        }
    }
    lines.iter().try_for_each(Line::check)?;
    Ok(lines)
}

/// How to repeat this.
fn command() -> String {
    let mut words = std::env::args().skip(1);
    let mut command = "cargo xtask bench".to_owned();
    while let Some(word) = words.next() {
        match word.as_str() {
            // Told by xtask.
            "--binary" => drop(words.next()),
            _ => command = command + " " + &word,
        }
    }
    command
}
