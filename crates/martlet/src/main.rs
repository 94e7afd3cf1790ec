//! The `martlet` command.

#![forbid(unsafe_code)]

mod account;
mod cli;
mod client;
mod config;
mod demo;
mod doctor;
mod exit;
mod import;
mod import_command;
mod index_command;
mod logging;
mod operation;
mod password;
mod process;
mod serve;

use std::process::ExitCode;

use clap::Parser;

use crate::cli::{Cli, Command, ConfigCommand, Place};
use crate::config::Config;
use crate::exit::{Failure, Kind, Outcome};

// glibc keeps what many threads gave back in many arenas, and is slower at small pieces.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = Cli::parse();
    if matches!(cli.command, Command::Serve(_) | Command::Demo) {
        process::with_frugal_allocator();
    }
    process::private_files();
    let outcome = match &cli.command {
        Command::Serve(flags) => serve::run(&cli.place, flags),
        Command::Config(command) => config(&cli.place, command),
        Command::Account(command) => account::run(&cli.place, command),
        Command::Import(command) => import_command::run(&cli.place, command),
        Command::Extract => documents::child::run().map_err(exit::Failure::failed),
        Command::Index(command) => index_command::run(&cli.place, command),
        Command::Demo => demo::run(),
        Command::Doctor(flags) => doctor::run(&cli.place, flags),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

fn config(place: &Place, command: &ConfigCommand) -> Outcome {
    match command {
        ConfigCommand::Default => print!("{}", config::default_file()),
        ConfigCommand::Manual => print!("{}", config::manual_page()),
        ConfigCommand::Check => {
            let Some(path) = &place.config else {
                let message = "which file? Say it by --config FILE";
                return Err(Failure::new(Kind::Usage, message));
            };
            config_at(place)?;
            println!("{}: all is well", path.display());
        }
    }
    Ok(())
}

/// The configuration that the flags point to. All mistakes of the file go to standard error.
fn config_at(place: &Place) -> Result<Config, Failure> {
    let mut config = match &place.config {
        None => Config::unconfigured(),
        Some(path) => Config::load(path).map_err(|problems| {
            for problem in &problems {
                eprintln!("{problem}");
            }
            Failure::new(Kind::Usage, String::new())
        })?,
    };
    if let Some(data) = &place.data {
        config.settings.data = data.clone();
    }
    if config.attachments && documents::IS_ABLE {
        // Itself; without it they are found by their headers only.
        config.settings.document_reader = std::env::current_exe().ok();
    }
    Ok(config)
}
