//! martlet beside its rivals: the same machine, the same run, the same durability, as ratios.
//!
//! `cargo xtask bench` builds what it needs and calls this.

#![forbid(unsafe_code)]

mod chart;
mod cost;
mod imap;
mod lmtp;
mod mail;
mod report;
mod servers;
mod workloads;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

use crate::imap::Failure;
use crate::report::{Cell, Report};
use crate::servers::{Kind, Server};
use crate::workloads::{ALL, Scale};

/// Runs the workloads on martlet and its rivals alternately and prints a table.
#[derive(Parser)]
struct Options {
    /// The martlet binary.
    #[arg(long, default_value = "target/release/martlet")]
    binary: PathBuf,
    /// Rivals, separated by commas: dovecot-mdbox, dovecot-maildir.
    #[arg(long, value_delimiter = ',')]
    against: Vec<String>,
    /// A small mailbox and one round: checks the answers more than the speed.
    #[arg(long)]
    quick: bool,
    /// Messages in the big mailbox.
    #[arg(long, default_value_t = 100_000)]
    messages: usize,
    /// Only workloads whose names contain this (the mailbox is always filled).
    #[arg(long, default_value = "")]
    only: String,
    /// The directory for results.json, table.md and chart.svg.
    #[arg(long)]
    results: Option<PathBuf>,
    /// A page that shows the table between its marks.
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

fn run(options: &Options) -> Result<(), Failure> {
    let mut kinds = vec![Kind::Martlet];
    for name in &options.against {
        kinds.push(Kind::parse(name)?);
    }
    let scale = match options.quick {
        true => Scale { messages: 2_000, writes: 320, idle: 50 },
        false => Scale { messages: options.messages, writes: 3_200, idle: 1_000 },
    };
    let mut servers = Vec::new();
    for &kind in &kinds {
        servers.push(Server::start(kind, &options.binary)?);
    }
    let mut report = Report::new(kinds.iter().map(|kind| kind.name()).collect());
    for workload in ALL {
        let fills = workload.name.starts_with("MULTIAPPEND");
        if !fills && !workload.name.contains(&options.only) {
            continue;
        }
        let rounds = if options.quick { 1 } else { workload.rounds };
        let mut cells: Vec<Cell> = vec![Cell::default(); servers.len()];
        for _ in 0..rounds {
            // A B A B: what disturbs the machine disturbs all.
            for (nth, (server, cell)) in servers.iter_mut().zip(&mut cells).enumerate() {
                let before = cost::of(server.pid()).cpu_seconds;
                let measure = (workload.run)(server, scale)
                    .map_err(|why| format!("{}, {}: {why}", server.kind.name(), workload.name))?;
                let after = cost::of(server.pid());
                cell.add(measure, after.cpu_seconds - before);
                report.note_memory(nth, after.memory_bytes);
            }
        }
        report.add(workload.name, cells);
    }
    report.end();
    let command = command();
    if let Some(directory) = &options.results {
        report.write(directory, &command)?;
    }
    options.page.as_ref().map_or(Ok(()), |page| report.write_page(page, &command))
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
