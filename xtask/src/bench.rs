//! martlet beside its rivals: builds what is needed and runs the crate `bench`.

use std::process::Command;

use crate::clients::is_installed;
use crate::{Outcome, cargo, execute, root};

/// What the table of rivals needs and does not install.
const RIVAL: (&str, &str) = ("dovecot", "dovecot-imapd dovecot-lmtpd");

/// `options` are the crate's own; see `cargo xtask bench --help`.
pub(crate) fn run(options: &[&str]) -> Outcome {
    let rivals = options.iter().any(|option| option.contains(RIVAL.0));
    if rivals && !is_installed(RIVAL.0) {
        return Err(format!(
            "{} is not installed; on Debian: apt-get install {}",
            RIVAL.0, RIVAL.1
        ));
    }
    cargo(&["build", "--release", "--locked", "--package", "martlet", "--package", "bench"])?;
    execute(
        Command::new(root().join("target/release/bench"))
            .arg("--binary")
            .arg(root().join("target/release/martlet"))
            .args(options)
            .current_dir(root()),
    )
}

/// A small mailbox, martlet alone: every answer is checked, no time is.
pub(crate) fn smoke() -> Outcome {
    run(&["--quick"])
}
