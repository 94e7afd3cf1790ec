//! Installs real mail clients where that is possible and runs `clients/run.py`.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::{Outcome, cargo, execute, root};

/// Debian packages and the program each brings: compilers for the C libraries and the fuzzer, and
/// the mail clients.
const PACKAGES: &[(&str, &str)] = &[
    ("gcc", "cc"),
    ("g++", "c++"),
    ("curl", "curl"),
    ("isync", "mbsync"),
    ("neomutt", "neomutt"),
    ("offlineimap3", "offlineimap"),
    ("fetchmail", "fetchmail"),
    ("openssl", "openssl"),
    ("python3-venv", "pyvenv-is-checked-by-use"),
    ("nodejs", "node"),
    ("npm", "npm"),
];

const IMAPCLIENT: &str = "imapclient==3.0.1";
const IMAPFLOW: &str = "imapflow@2.10.2";

fn run_clients(binary: &Path, names: &[&str]) -> Outcome {
    let place = root().join("target/clients");
    std::fs::create_dir_all(&place).map_err(|error| format!("{}: {error}", place.display()))?;
    let python = python(&place);
    node_modules(&place);
    execute(
        Command::new(python)
            .arg(root().join("clients/run.py"))
            .arg(binary)
            .args(names)
            .env("MARTLET_NODE_MODULES", place.join("node_modules"))
            .env("PYTHONDONTWRITEBYTECODE", "1"),
    )
}

pub(crate) fn run(names: &[&str]) -> Outcome {
    cargo(&["build", "--release", "--locked", "--package", "martlet"])?;
    run_clients(&root().join("target/release/martlet"), names)
}

fn works(command: &mut Command) -> bool {
    command
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .stdin(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

pub(crate) fn is_installed(program: &str) -> bool {
    works(Command::new("sh").args(["-c", &format!("command -v {program}")]))
}

/// Installs what is missing, as root on Debian; elsewhere the tests name what they skip.
pub(crate) fn install_packages() -> Outcome {
    let missing: Vec<&str> = PACKAGES
        .iter()
        .filter(|(package, program)| match *package {
            "python3-venv" => !works(Command::new("python3").args(["-c", "import ensurepip"])),
            _ => !is_installed(program),
        })
        .map(|(package, _)| *package)
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let root_user = works(Command::new("sh").args(["-c", "test $(id -u) = 0"]));
    if !root_user || !is_installed("apt-get") {
        println!("not installed, and no root to install them: {}", missing.join(" "));
        return Ok(());
    }
    println!("installing {}", missing.join(" "));
    let mut update = Command::new("apt-get");
    let mut install = Command::new("apt-get");
    install.args(["install", "--yes", "--quiet", "--no-install-recommends"]).args(&missing);
    install.env("DEBIAN_FRONTEND", "noninteractive");
    if !works(update.args(["update", "--quiet"])) || !works(&mut install) {
        println!("apt-get could not install all of: {}", missing.join(" "));
    }
    Ok(())
}

/// A Python with IMAPClient, or the system's without it.
fn python(place: &Path) -> std::path::PathBuf {
    let venv = place.join("venv");
    let python = venv.join("bin/python");
    let ready = |python: &Path| works(Command::new(python).args(["-c", "import imapclient"]));
    if !ready(&python) {
        let made = works(Command::new("python3").arg("-m").arg("venv").arg(&venv))
            && works(Command::new(&python).args(["-m", "pip", "install", "--quiet", IMAPCLIENT]));
        if !made {
            println!("could not install {IMAPCLIENT} with pip");
        }
    }
    if works(Command::new(&python).arg("--version")) { python } else { "python3".into() }
}

fn node_modules(place: &Path) {
    if place.join("node_modules/imapflow").is_dir() {
        return;
    }
    let done = works(
        Command::new("npm")
            .args(["install", "--no-save", "--no-package-lock", "--no-audit", "--no-fund"])
            .arg("--prefix")
            .arg(place)
            .arg(IMAPFLOW),
    );
    if !done {
        println!("could not install {IMAPFLOW} with npm");
    }
}
