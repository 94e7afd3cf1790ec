//! martlet beside its rivals: the same machine, the same run, the same durability, as ratios.
//!
//! `cargo xtask bench` builds what it needs and calls this.

#![forbid(unsafe_code)]

mod chart;
mod cost;
mod growth;
mod idle;
mod imap;
mod lmtp;
mod mail;
mod mixed;
mod report;
mod servers;
mod tls;
mod workloads;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

use crate::imap::Failure;
use crate::report::{Cell, Report};
use crate::servers::{Kind, Server};
use crate::workloads::{ALL, ALONE, Scale, Workload};

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
    /// How cost grows with the mailbox, instead: martlet alone, on mailboxes of `--sizes`.
    #[arg(long)]
    growth: bool,
    /// Messages in the mailboxes of `--growth`.
    #[arg(long, value_delimiter = ',', default_value = "1000,100000,1000000")]
    sizes: Vec<usize>,
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
    if options.growth {
        return growth::run(&options.binary, &options.sizes);
    }
    let mut kinds = vec![Kind::Martlet];
    for name in &options.against {
        kinds.push(Kind::parse(name)?);
    }
    let scale = match options.quick {
        true => Scale { messages: 2_000, writes: 320, idle: 50, crowd: 500 },
        false => {
            let writes = (options.messages / 32).clamp(320, 3_200);
            let idle = (options.messages / 20).clamp(50, 1_000);
            Scale { messages: options.messages, writes, idle, crowd: 10_000 }
        }
    };
    let mut servers = Vec::new();
    for &kind in &kinds {
        servers.push(Server::start(kind, &options.binary)?);
    }
    let mut report = Report::new(kinds.iter().map(|kind| kind.name()).collect());
    let everybody = servers.len();
    let all = ALL.iter().map(|workload| (workload, everybody));
    // The first is martlet.
    for (workload, count) in all.chain(ALONE.iter().map(|workload| (workload, 1))) {
        let fills = workload.name.starts_with("MULTIAPPEND");
        if fills || workload.name.contains(&options.only) {
            let cells = measure(workload, (&mut servers, count), (options, scale), &mut report)?;
            report.add(workload.name, cells);
        }
    }
    report.end();
    let command = command();
    if let Some(directory) = &options.results {
        report.write(directory, &command)?;
    }
    options.page.as_ref().map_or(Ok(()), |page| report.write_page(page, &command))
}

/// One row: the first `count` servers, the others without a value.
fn measure(
    workload: &Workload,
    (servers, count): (&mut [Server], usize),
    (options, scale): (&Options, Scale),
    report: &mut Report,
) -> Result<Vec<Cell>, Failure> {
    let rounds = if options.quick { 1 } else { workload.rounds };
    let mut cells: Vec<Cell> = vec![Cell::default(); servers.len()];
    for _ in 0..rounds {
        // A B A B: what disturbs the machine disturbs all.
        for (nth, (server, cell)) in servers.iter_mut().zip(&mut cells).take(count).enumerate() {
            let before = cost::of(server.pid()).cpu_seconds;
            let measure = (workload.run)(server, scale)
                .map_err(|why| format!("{}, {}: {why}", server.kind.name(), workload.name))?;
            let after = cost::of(server.pid());
            cell.add(measure, after.cpu_seconds - before);
            report.note_memory(nth, after.memory_bytes);
        }
    }
    Ok(cells)
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
