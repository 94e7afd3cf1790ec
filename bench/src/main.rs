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
use std::time::Instant;

use clap::Parser;

use crate::imap::Failure;
use crate::report::{Line, Report};
use crate::servers::{Kind, Server};
use crate::work::{Scale, Who, Workload};

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
    /// With `--growth`: commands about all messages of a mailbox.
    #[arg(long, requires = "growth")]
    main: bool,
    /// Messages in the mailboxes of `--growth`; without it 1,000, 100,000 and 1,000,000, with `--main`
    /// the last two.
    #[arg(long, value_delimiter = ',')]
    sizes: Vec<usize>,
    /// The directory for results.json, table.md and chart.svg.
    #[arg(long)]
    results: Option<PathBuf>,
    /// A page that shows the table between its marks: `bench`, `growth`, or `main`.
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

    /// Of mailboxes that grow.
    fn sizes(&self) -> Vec<usize> {
        const SIZES: [usize; 3] = [1_000, 100_000, 1_000_000];
        match self.sizes.is_empty() {
            false => self.sizes.clone(),
            true => SIZES[usize::from(self.main)..].to_vec(),
        }
    }

    fn wants(&self, workload: &Workload) -> bool {
        let named = |word: &String| workload.rows.iter().any(|row| row.name.contains(word));
        workload.fills() || self.only.is_empty() || self.only.iter().any(named)
    }
}

fn run(options: &Options) -> Result<(), Failure> {
    if options.growth {
        let run = if options.main { growth::run_main } else { growth::run };
        return run(&options.binary, &options.sizes(), options.page.as_deref());
    }
    let mut kinds = vec![Kind::Martlet];
    for name in &options.against {
        kinds.push(Kind::parse(name)?);
    }
    let mut servers = Vec::new();
    for &kind in &kinds {
        servers.push(Server::start(kind, &options.binary)?);
    }
    let (mut report, command) = (Report::new(kinds), command());
    for workload in work::all().iter().filter(|workload| options.wants(workload)) {
        match measure(workload, &mut servers, options, &mut report) {
            Ok(lines) => lines.into_iter().for_each(|line| report.add(line)),
            // Nothing can be measured in a mailbox that is not there; all else can.
            Err(failure) if workload.fills() => return Err(failure),
            Err(failure) => report.fail(failure),
        }
        // A run takes long, and should leave something behind however it ends.
        options.results.as_ref().map_or(Ok(()), |at| report.write(at, &command))?;
    }
    report.end();
    options.results.as_ref().map_or(Ok(()), |at| report.write(at, &command))?;
    options.page.as_ref().map_or(Ok(()), |page| report.write_page(page, &command))?;
    report.outcome()
}

/// Rounds of a rival that would take longer than this together, in seconds, are left out, but for the
/// first: Maildir needs minutes for what others do in a second.
const ROUNDS_SECONDS: f64 = 15.0;

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
    let mut spent = vec![0.0; count];
    for round in 0..rounds {
        // A B A B: what disturbs the machine disturbs all.
        for (nth, server) in servers.iter_mut().take(count).enumerate() {
            let name = workload.rows.first().map_or("", |row| row.name.as_str());
            let with_another = spent[nth] * (round + 1) as f64 / round.max(1) as f64;
            if nth > 0 && with_another > ROUNDS_SECONDS {
                continue;
            }
            let (kind, start) = (server.kind.name(), Instant::now());
            let failed = |why| format!("{kind}, {name}: {why}");
            let measures = (workload.run)(server, scale).map_err(failed)?;
            for (line, measure) in lines.iter_mut().zip(measures) {
                line.add(nth, measure);
            }
            spent[nth] += start.elapsed().as_secs_f64();
            report.note_memory(nth, cost::memory_bytes(server.pid()));
        }
        if let (Some(limit), Some(line)) = (&workload.limit, lines.first_mut()) {
            line.add_limit((limit.run)(scale)?);
        }
    }
    let name = workload.rows.first().map_or("", |row| row.name.as_str());
    eprintln!("{name}: seconds of each server, with all around: {spent:.1?}");
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
