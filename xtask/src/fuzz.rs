//! Runs every fuzz target for a short time. Needs no nightly compiler: see `fuzz/README.md`.

use std::path::Path;
use std::process::Command;

use crate::{Outcome, execute, root};

/// Cargo in the fuzz workspace, with the flags of its own configuration only.
fn cargo(directory: &Path) -> Command {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.current_dir(directory).env_remove("RUSTFLAGS");
    command
}

fn run_targets(names: &[String], seconds: u32) -> Outcome {
    let directory = root().join("fuzz");
    for name in names {
        println!("fuzz {name}");
        let corpus = directory.join("corpus").join(name);
        std::fs::create_dir_all(&corpus).map_err(|error| error.to_string())?;
        let seeds = directory.join("seeds").join(name);
        let mut command = cargo(&directory);
        command.args(["run", "--release", "--locked", "--quiet", "--bin", name, "--"]);
        command.arg(format!("-max_total_time={seconds}"));
        command.args(["-rss_limit_mb=2048", "-timeout=10", "-verbosity=0", "-print_final_stats=0"]);
        command.arg(format!("-artifact_prefix={}/", corpus.display()));
        command.arg(&corpus);
        if seeds.is_dir() {
            command.arg(seeds);
        }
        execute(&mut command)?;
    }
    Ok(())
}

pub(crate) fn run(seconds: u32) -> Outcome {
    let directory = root().join("fuzz");
    execute(cargo(&directory).args(["build", "--release", "--locked"]))?;
    run_targets(&targets()?, seconds)
}

fn targets() -> Result<Vec<String>, String> {
    let path = root().join("fuzz/fuzz_targets");
    let files = std::fs::read_dir(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    let mut names: Vec<String> = files
        .filter_map(|file| file.ok()?.file_name().into_string().ok())
        .filter_map(|name| name.strip_suffix(".rs").map(str::to_owned))
        .collect();
    names.sort();
    if names.is_empty() { Err("no fuzz targets".into()) } else { Ok(names) }
}
