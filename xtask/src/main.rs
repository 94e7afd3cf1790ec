//! Chores of the project: `cargo xtask test` is everything that has to pass.

#![forbid(unsafe_code)]

mod bench;
mod clients;
mod fuzz;
mod tidy;

use std::path::PathBuf;
use std::process::{Command, ExitCode};
use std::time::Instant;

const HELP: &str = "\
usage: cargo xtask COMMAND

  test      everything: format, lints, tidy, tests, fuzz targets for a short time, real clients
  tidy      file sizes, the table of verbs against its files, crate dependencies, links in docs
  fuzz [SECONDS]   each fuzz target for SECONDS (default 10)
  clients [NAME]   real mail clients against a release build
  bench [--against dovecot-mdbox,dovecot-maildir] [--quick]   speed, beside others; see --help
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match words.as_slice() {
        ["test"] => test(),
        ["tidy"] => tidy::run(),
        ["fuzz"] => fuzz::run(10),
        ["fuzz", seconds] => match seconds.parse() {
            Ok(seconds) => fuzz::run(seconds),
            Err(_) => Err(format!("{seconds:?} is not a number of seconds")),
        },
        ["bench", options @ ..] => bench::run(options),
        ["clients", names @ ..] => clients::install_packages().and_then(|()| clients::run(names)),
        _ => Err(HELP.to_owned()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::FAILURE
        }
    }
}

/// What every command returns: nothing, or what to print before exiting with 1.
type Outcome = Result<(), String>;

/// Readers of documents are a feature: its lints and tests.
fn attachments() -> Outcome {
    let features = ["--features", "documents/formats,martlet/attachments", "--locked"];
    let packages = ["-p", "documents", "-p", "martlet"];
    let all = |first: &[&'static str], last: &[&'static str]| {
        cargo(&[first, &packages, &features, last].concat())
    };
    all(&["clippy", "--all-targets"], &["--", "-D", "warnings"])?;
    all(&["test", "--lib", "--test", "attachments"], &[])
}

fn test() -> Outcome {
    type Step = (&'static str, fn() -> Outcome);
    const STEPS: &[Step] = &[
        ("tools", clients::install_packages),
        ("format", || cargo(&["fmt", "--all", "--check"])),
        ("tidy", tidy::run),
        ("lints", || {
            cargo(&["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"])
        }),
        ("tests", || cargo(&["test", "--workspace", "--locked"])),
        ("attachments", attachments),
        ("fuzz", || fuzz::run(8)),
        ("clients", || clients::run(&[])),
        ("bench", bench::smoke),
    ];
    for (name, step) in STEPS {
        println!("== {name}");
        let start = Instant::now();
        step().map_err(|message| format!("{message}\n== {name} failed"))?;
        println!("== {name}: {} s", start.elapsed().as_secs());
    }
    println!("all {} steps passed", STEPS.len());
    Ok(())
}

fn root() -> PathBuf {
    // The manifest of xtask is one level below the root.
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).parent().map_or_else(PathBuf::new, PathBuf::from)
}

fn cargo(arguments: &[&str]) -> Outcome {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    execute(command.args(arguments).current_dir(root()))
}

fn execute(command: &mut Command) -> Outcome {
    let name = format!("{command:?}");
    let status = command.status().map_err(|error| format!("{name}: {error}"))?;
    if status.success() { Ok(()) } else { Err(format!("{name}: {status}")) }
}
